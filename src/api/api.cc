// SPDX-License-Identifier: Apache-2.0
// The public headers, in terms of the rooms. No logic of its own.
#include "base/error.h"
#include "base/progress.h"
#include "generate/generator.h"
#include "halftone/generate.h"
#include "halftone/model.h"
#include "halftone/quantize.h"
#include "halftone/session.h"
#include "halftone/validate.h"
#include "models/language_model.h"
#include "quantize/quantize.h"
#include "runtime/session.h"
#include "validate/model_scorer.h"
#include "validate/validate.h"

namespace halftone {
namespace {

ExecutorOptions executor_options(const SessionSettings& settings) {
  return {settings.threads, settings.exact_activations ? Activations::exact : Activations::automatic,
          settings.int8_kv ? KvType::int8 : KvType::f16};
}

Result<std::unique_ptr<Executor>> executor_for(const LanguageModel& model, const SessionSettings& settings) {
  return Executor::create(model.model, executor_options(settings));
}

Status need_tokenizer(const LanguageModel& model) {
  if (model.tokenizer != nullptr) return {};
  return not_found(
      "[tokenize] {}: expected tokenizer.json or tokenizer.model, got neither; add the model's tokenizer file",
      model.path.string());
}

}  // namespace

Result<ModelPtr> open_model(const std::filesystem::path& path) { return load_language_model(path); }

ModelSummary summarize(const LanguageModel& model) {
  return {model.config.family,  model.config.layers,         model.model->vocabulary(),
          model.config.context, model.model->weight_bytes(), model.model->kv_bytes_per_token()};
}

Result<std::vector<int32_t>> tokenize(const LanguageModel& model, std::string_view text) {
  HALFTONE_TRY(need_tokenizer(model));
  return model.tokenizer->encode(text);
}

Result<std::string> detokenize(const LanguageModel& model, const std::vector<int32_t>& tokens) {
  HALFTONE_TRY(need_tokenizer(model));
  return model.tokenizer->decode(tokens);
}

struct Session::State {
  ModelPtr model;
  std::unique_ptr<Executor> executor;
  Sequence sequence;
  std::vector<float> logits;
};

Session::Session(std::unique_ptr<State> state) : state_(std::move(state)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Result<Session> Session::create(ModelPtr model, const SessionSettings& settings) {
  HALFTONE_ASSIGN(auto executor, executor_for(*model, settings));
  Sequence sequence = executor->make_sequence();
  return Session(std::make_unique<State>(State{std::move(model), std::move(executor), std::move(sequence), {}}));
}

Status Session::append(std::span<const int32_t> tokens) {
  if (tokens.empty()) return invalid_input("[session] expected at least one token, got none");
  const int64_t context = state_->model->config.context;
  if (length() + static_cast<int64_t>(tokens.size()) > context) {
    return exhausted("[session] expected at most {} tokens (the model's context), got {}; truncate or shorten the text",
                     context, length() + static_cast<int64_t>(tokens.size()));
  }
  std::vector<BatchToken> batch;
  for (int32_t token : tokens) batch.push_back({token, 0, false});
  batch.back().want_logits = true;
  Sequence* sequences[] = {&state_->sequence};
  return state_->executor->forward(
      sequences, batch, [&](int64_t, std::span<const float> row) { state_->logits.assign(row.begin(), row.end()); });
}

std::span<const float> Session::logits() const { return state_->logits; }
int64_t Session::length() const { return state_->sequence.length(); }
Status Session::truncate(int64_t length) { return state_->sequence.truncate(length); }

Result<Generation> generate_text(const ModelPtr& model, std::string_view prompt, const GenerationSettings& settings,
                                 const std::function<void(std::string_view)>& on_text) {
  HALFTONE_TRY(need_tokenizer(*model));
  HALFTONE_ASSIGN(auto executor, executor_for(*model, settings.session));
  GenerateOptions options;
  options.max_tokens = settings.max_tokens;
  options.stop = settings.stop;
  options.sampler.temperature = settings.temperature;
  options.sampler.top_k = settings.top_k;
  options.sampler.top_p = settings.top_p;
  options.sampler.seed = settings.seed;
  const auto piece = on_text ? on_text : [](std::string_view) {};
  HALFTONE_ASSIGN(GenerateResult result, generate(*model, *executor, prompt, options, piece));
  return Generation{std::move(result.text), std::move(result.tokens), std::string(name_of(result.stop))};
}

Result<QuantizeSummary> quantize_model(const ModelPtr& model, std::string_view recipe_name,
                                       const std::filesystem::path& target, bool replace) {
  HALFTONE_ASSIGN(const Recipe recipe, load_recipe(recipe_name));
  QuantizeOptions options;
  options.replace = replace;
  ThreadPool pool(available_cores());
  HALFTONE_ASSIGN(const QuantizeReport report, quantize(*model, recipe, target, options, pool, no_progress()));
  return QuantizeSummary{report.weights_bytes, report.bits_per_weight, report.to_json().dump()};
}

Result<ValidationSummary> validate_models(const ModelPtr& reference, const ModelPtr& candidate,
                                          const std::vector<std::string>& suite_names,
                                          const ValidationSettings& settings) {
  std::vector<Suite> suites;
  for (const std::string& name : suite_names) {
    HALFTONE_ASSIGN(Suite suite, load_suite(name));
    suites.push_back(std::move(suite));
  }
  Gate gate;
  if (!settings.gate.empty()) {
    HALFTONE_ASSIGN(gate, load_gate(settings.gate));
  }
  ValidateOptions options;
  HALFTONE_ASSIGN(options.split, parse_split(settings.split));
  options.gate = settings.gate.empty() ? nullptr : &gate;
  options.compare.seed = settings.seed;
  options.compare.facts.bytes = candidate->file.bytes_on_disk;
  HALFTONE_ASSIGN(const auto left, ModelScorer::create(reference, executor_options(settings.session)));
  HALFTONE_ASSIGN(const auto right, ModelScorer::create(candidate, executor_options(settings.session)));
  HALFTONE_ASSIGN(const Validation done, validate_pair(*left, *right, suites, options));
  ValidationSummary summary;
  summary.gated = done.comparison.gate.has_value();
  if (summary.gated) summary.verdict = done.comparison.gate->verdict;
  summary.report_json = to_json(done.comparison).dump();
  summary.samples_jsonl = format_records(done.records);
  return summary;
}

}  // namespace halftone
