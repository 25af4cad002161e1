// SPDX-License-Identifier: Apache-2.0
#include <halftone/generate.h>
#include <halftone/model.h>
#include <halftone/quantize.h>
#include <halftone/session.h>
#include <halftone/validate.h>

#include <algorithm>
#include <cstdio>
#include <string>

namespace {

int fail(std::string_view message) {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(message.size()), message.data());
  return 1;
}

}  // namespace

// consumer MODEL ARTIFACT: quantizes MODEL, answers one question with both, and compares them on MODEL's suite.
int main(int argc, char** argv) {
  if (argc != 3) return fail("usage: consumer MODEL ARTIFACT");
  const std::string folder = argv[1];
  const auto model = halftone::open_model(argv[1]);
  if (!model.ok()) return fail(model.status().message());
  const auto written = halftone::quantize_model(*model, "int8", argv[2], true);
  if (!written.ok()) return fail(written.status().message());
  for (const char* path : {argv[1], argv[2]}) {
    const auto opened = halftone::open_model(path);
    if (!opened.ok()) return fail(opened.status().message());
    const auto answer =
        halftone::generate_text(*opened, "Question: What is 17 plus 25?\nAnswer:", {.max_tokens = 4, .temperature = 0});
    if (!answer.ok()) return fail(answer.status().message());
    std::printf("%s:%s\n", path, answer->text.c_str());

    auto session = halftone::Session::create(*opened, {.exact_activations = true});
    if (!session.ok()) return fail(session.status().message());
    const auto tokens = halftone::tokenize(**opened, "Question: What is 17 plus 25?\nAnswer:");
    if (!tokens.ok()) return fail(tokens.status().message());
    if (const halftone::Status status = session->append(*tokens); !status.ok()) return fail(status.message());
    const auto logits = session->logits();
    const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
    if (best != answer->tokens.at(0)) return fail("the session's best token is not the one that was generated");
  }
  const auto candidate = halftone::open_model(argv[2]);
  if (!candidate.ok()) return fail(candidate.status().message());
  const auto compared = halftone::validate_models(*model, *candidate, {folder + "/suite.yaml"},
                                                  {.gate = folder + "/gate.yaml", .split = "decide"});
  if (!compared.ok()) return fail(compared.status().message());
  if (!compared->gated || compared->verdict != halftone::Verdict::pass) return fail("expected int8 to pass the gate");
  return halftone::open_model("/nowhere").ok() ? fail("expected an error for a missing folder") : 0;
}
