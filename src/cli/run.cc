// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdio>
#include <numeric>

#include "base/error.h"
#include "base/units.h"
#include "cli/arguments.h"
#include "cli/run_network.h"
#include "cli/sampling.h"
#include "cli/shell.h"
#include "formats/network/network_file.h"
#include "generate/generator.h"

namespace halftone::cli {

namespace {

struct RunArguments {
  std::string model, prompt, activations = "auto", kv = "f16";
  GenerateOptions options;
  bool no_escape = false;
  std::vector<std::string> inputs;  // of a network
  std::string output;
};

constexpr const char* kRunExample = R"(Example:
  $ halftone run models/tinyworld -p "Question: What is 17 plus 25?\nAnswer:" --temperature 0 --max-tokens 3
   42
  prompt 12 tokens in 1.5 ms (7797 tok/s); then 3 tokens at 1450.0 tok/s; stopped at max_tokens; ...
  $ halftone run net.onnx --input picture.npy --output results
     shape      least     most  first of the largest
  y  [1, 1000]  -4.1  8.89121                   282)";

struct Speed {
  double prefill = 0, decode = 0;  // tokens per second; 0: too few tokens to say
};

Speed speed_of(const GenerateResult& result) {
  Speed speed;
  if (result.prefill_seconds > 0)
    speed.prefill = static_cast<double>(result.prompt_tokens.size()) / result.prefill_seconds;
  const double seconds = std::accumulate(result.token_seconds.begin(), result.token_seconds.end(), 0.0);
  if (seconds > 0) speed.decode = static_cast<double>(result.token_seconds.size()) / seconds;
  return speed;
}

std::string speed_line(const GenerateResult& result, const Executor& executor, const Speed& speed) {
  std::string line = fmt::format("prompt {} tokens in {} ({:.0f} tok/s)",
                                 format_count(static_cast<int64_t>(result.prompt_tokens.size())),
                                 format_seconds(result.prefill_seconds), speed.prefill);
  if (speed.decode > 0)
    line += fmt::format("; then {} tokens at {:.1f} tok/s", format_count(static_cast<int64_t>(result.tokens.size())),
                        speed.decode);
  return line + fmt::format("; stopped at {}; {} activations, {}{} threads", name_of(result.stop),
                            executor.activations_used(), result.kv == KvType::int8 ? "int8 KV, " : "",
                            executor.threads());
}

nlohmann::ordered_json settings_json(const RunArguments& arguments, const Executor& executor,
                                     const GenerateResult& result, double load_seconds) {
  const SamplerOptions& sampler = arguments.options.sampler;
  nlohmann::ordered_json settings = {{"model", arguments.model},
                                     {"activations", executor.activations_used()},
                                     {"kv", std::string(name_of(result.kv))},
                                     {"threads", executor.threads()},
                                     {"load_seconds", load_seconds},
                                     {"repetition_penalty", sampler.repetition_penalty},
                                     {"repetition_window", sampler.repetition_window},
                                     {"max_tokens", arguments.options.max_tokens},
                                     {"stop", arguments.options.stop}};
  record_sampling(sampler, settings);
  return settings;
}

Result<int> run(Shell& shell, const RunArguments& arguments, bool has_prompt) {
  HALFTONE_ASSIGN(const Activations activations, parse_activations(arguments.activations));
  if (is_network(arguments.model))
    return run_network(shell, {arguments.model, arguments.output, arguments.inputs, activations});
  if (!has_prompt) {
    shell.note("halftone: run: expected --prompt for a language model; `halftone run --help` shows examples");
    return kBadUsage;
  }
  const auto begin = std::chrono::steady_clock::now();
  HALFTONE_ASSIGN(const auto model, load_language_model(arguments.model));
  HALFTONE_ASSIGN(const KvType kv, kv_type_from_name(arguments.kv));
  HALFTONE_ASSIGN(const auto executor, Executor::create(model->model, {shell.threads, activations, kv}));
  const double load_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  HALFTONE_ASSIGN(const GenerateResult result,
                  generate(*model, *executor, arguments.no_escape ? arguments.prompt : unescaped(arguments.prompt),
                           arguments.options, [&](std::string_view piece) {
                             shell.print(piece);
                             std::fflush(stdout);
                           }));
  shell.print("\n");
  const Speed speed = speed_of(result);
  shell.note(speed_line(result, *executor, speed));
  nlohmann::ordered_json results = {{"text", result.text},
                                    {"prompt_tokens", result.prompt_tokens},
                                    {"tokens", result.tokens},
                                    {"stop_reason", std::string(name_of(result.stop))},
                                    {"kv_bytes", result.kv_bytes},
                                    {"prefill_seconds", result.prefill_seconds},
                                    {"first_token_seconds", result.first_token_seconds},
                                    {"token_seconds", result.token_seconds},
                                    {"prefill_tokens_per_second", speed.prefill},
                                    {"decode_tokens_per_second", speed.decode}};
  HALFTONE_TRY(shell.write_json(settings_json(arguments, *executor, result, load_seconds), std::move(results)));
  return kDone;
}

}  // namespace

void add_run(CLI::App& app, Shell& shell) {
  const auto arguments = std::make_shared<RunArguments>();
  const auto prompted = std::make_shared<CLI::Option*>(nullptr);
  CLI::App* verb =
      shell.verb(app, "run", "generate text from a prompt, or run a network on arrays", kRunExample,
                 [&shell, arguments, prompted] { return run(shell, *arguments, (*prompted)->count() > 0); });
  SamplerOptions& sampler = arguments->options.sampler;
  verb->add_option("MODEL", arguments->model, "model folder or file")->required();
  *prompted = verb->add_option("-p,--prompt", arguments->prompt, "text to continue; \\n is a new line");
  verb->add_option("--input", arguments->inputs, ".npy file of a network's input; one for each, in its order")
      ->allow_extra_args(false);
  verb->add_option("--output", arguments->output, "folder for what a network gives, as .npy files");
  add_sampling(verb, sampler);
  verb->add_option("--repetition-penalty", sampler.repetition_penalty, "divides the logits of recent tokens; 1: off")
      ->capture_default_str();
  verb->add_option("--stop", arguments->options.stop, "end before this text; may be given several times");
  verb->add_option("--max-tokens", arguments->options.max_tokens, "")->capture_default_str();
  verb->add_flag("--no-escape", arguments->no_escape, "take backslashes in the prompt as they are");
  add_activations(verb, arguments->activations);
  add_kv(verb, arguments->kv);
}

}  // namespace halftone::cli
