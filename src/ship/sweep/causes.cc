// SPDX-License-Identifier: Apache-2.0
#include "ship/sweep/causes.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/hash.h"
#include "base/version.h"
#include "quantize/mixed/sensitivity.h"

namespace halftone {
namespace {

using Json = nlohmann::ordered_json;

Json note_of(const Sensitivity& sensitivity, const std::string& key) {
  Json note = {{"key", key}, {"tokens", sensitivity.tokens}, {"tensors", Json::array()}};
  for (const TensorSensitivity& tensor : sensitivity.tensors)
    note["tensors"].push_back({{"name", tensor.name}, {"elements", tensor.elements}, {"kl", tensor.layouts[0].kl}});
  return note;
}

Status take_note(const Json& note, KneeReport& knee) {
  double sum = 0;
  try {
    note.at("tokens").get_to(knee.cause_tokens);
    for (const Json& tensor : note.at("tensors")) {
      TensorCause cause;
      tensor.at("name").get_to(cause.name);
      tensor.at("elements").get_to(cause.elements);
      tensor.at("kl").get_to(cause.kl);
      sum += cause.kl;
      knee.causes.push_back(std::move(cause));
    }
  } catch (const nlohmann::json::exception& error) {
    return invalid_input(
        "[sweep] points/: expected the sensitivities of an earlier sweep, got {}; remove the files "
        "causes-*.json there",
        error.what());
  }
  for (TensorCause& cause : knee.causes) cause.share = sum > 0 ? cause.kl / sum : 0;
  std::stable_sort(knee.causes.begin(), knee.causes.end(),
                   [](const TensorCause& a, const TensorCause& b) { return a.kl > b.kl; });
  return {};
}

}  // namespace

Status add_causes(SweepRun& run, KneeReport& knee) {
  const SweepPoint& beyond = run.report.points[knee.knee.beyond];
  SweepJudge& judge = *run.judge;
  // Without a calibration no method learns: what is judged on judges here, too.
  const Sequences& texts = judge.has_calibration() ? judge.calibration() : judge.windows();
  knee.cause_method = beyond.method == kTunedMethod ? "gptq" : beyond.method;
  if (texts.count() < 2) {
    knee.causes_missing = "Causes were not measured: they need a calibration of at least 2 windows.";
    return {};
  }
  const std::string name = fmt::format("causes-{}-{}", beyond.layout, knee.cause_method);
  const std::string key =
      sha256_hex(fmt::format("causes 1\n{}\n{}\n{}\n{}\n", version(), judge.source_sha256(), name,
                             judge.has_calibration() ? judge.calibration_sha256() : judge.judged().sha256));
  HALFTONE_ASSIGN(const std::optional<Json> earlier, run.store.find_note(name, key));
  if (earlier) return take_note(*earlier, knee);
  const Layout* layout = find_layout(beyond.layout);
  SensitivityOptions options;
  options.method = knee.cause_method;
  HALFTONE_ASSIGN(const Sensitivity sensitivity,
                  measure_sensitivity(judge.model().model->graph(), judge.model().file, {&layout, 1}, texts, options,
                                      judge.pool(), run.progress));
  run.progress.end();
  const Json note = note_of(sensitivity, key);
  HALFTONE_TRY(run.store.save_note(name, note));
  return take_note(note, knee);
}

}  // namespace halftone
