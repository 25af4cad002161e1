// SPDX-License-Identifier: Apache-2.0
#include "export/plan.h"

#include "base/error.h"
#include "export/architecture.h"
#include "export/blocks.h"
#include "export/lost_ranges.h"

namespace halftone {
namespace {

// The type that holds a layout's numbers as they are, in as few bits as can be; null when there is none.
const GgmlType* type_as_stored(const Layout& layout) {
  switch (layout.id) {
    case LayoutId::f32:
      return &ggml_type(GgmlTypeId::f32);
    case LayoutId::f16:
      return &ggml_type(GgmlTypeId::f16);
    case LayoutId::bf16:
      return &ggml_type(GgmlTypeId::bf16);
    default:
      break;
  }
  for (const GgmlTypeId id : {GgmlTypeId::q4_0, GgmlTypeId::q4_1, GgmlTypeId::q5_0, GgmlTypeId::q5_1, GgmlTypeId::q8_0,
                              GgmlTypeId::q4_k, GgmlTypeId::q5_k, GgmlTypeId::q6_k})
    if (carries(layout, ggml_type(id))) return &ggml_type(id);
  return nullptr;
}

Fidelity fidelity_of(const Layout& layout, const GgmlType& type) {
  if (layout.is_float()) {
    if (!type.is_float()) return Fidelity::quantized;
    const bool same = type.name == layout.name;
    return same || type.id == static_cast<uint32_t>(GgmlTypeId::f32) ? Fidelity::bit_exact : Fidelity::rounding;
  }
  // A code times its scale is exactly a float, and rarely an f16; the entry of a palette is one.
  const bool entries = layout.is_palette() && !layout.scaled && type.id == static_cast<uint32_t>(GgmlTypeId::f16);
  if (type.is_float())
    return entries || type.id == static_cast<uint32_t>(GgmlTypeId::f32) ? Fidelity::bit_exact : Fidelity::rounding;
  return carries(layout, type) ? Fidelity::bit_exact : Fidelity::requantized;
}

// What llama.cpp takes, too, for rows that are no multiple of 256.
const GgmlType* with_smaller_blocks(const GgmlType& type) {
  switch (static_cast<GgmlTypeId>(type.id)) {
    case GgmlTypeId::q4_k:
      return &ggml_type(GgmlTypeId::q5_0);
    case GgmlTypeId::q5_k:
      return &ggml_type(GgmlTypeId::q5_1);
    case GgmlTypeId::q6_k:
      return &ggml_type(GgmlTypeId::q8_0);
    default:
      return nullptr;
  }
}

class Planner {
 public:
  Planner(const LanguageModel& model, const ExportOptions& options) : model_(model), options_(options) {}

  Result<ExportPlan> plan() {
    HALFTONE_ASSIGN(architecture_, gguf_architecture_of(model_));
    plan_.architecture = architecture_->name;
    const Graph& graph = model_.model->graph();
    for (const WeightRef& ref : graph.weights) {
      if (!ref.constant.empty()) continue;
      const StoredTensor* source = model_.file.find(ref.name);
      HALFTONE_CHECK(source != nullptr && source->layout != nullptr);  // loading checked it
      HALFTONE_TRY(add(*source, ref.offset));
    }
    add_rope_factors();
    note_lost_ranges(model_.file, plan_.notes);
    return std::move(plan_);
  }

 private:
  Status add(const StoredTensor& source, float offset) {
    PlannedTensor tensor;
    tensor.name = source.name;
    tensor.stored_name = gguf_tensor_name(source.name, *architecture_);
    if (tensor.stored_name.empty())
      return unsupported("[export] {}: tensor '{}': expected a tensor that GGUF has a name for", source.file.string(),
                         source.name);
    tensor.shape = source.shape;
    tensor.source = &source;
    if (architecture_->norms_hold_one_more) tensor.offset = offset;
    const bool rotates = tensor.stored_name.find(".attn_q.") != std::string::npos ||
                         tensor.stored_name.find(".attn_k.") != std::string::npos;
    if (architecture_->neighbours && rotates) tensor.head_dim = model_.config.head_dim;
    HALFTONE_TRY(choose_type(tensor));
    plan_.tensors.push_back(std::move(tensor));
    return {};
  }

  Status choose_type(PlannedTensor& tensor) {
    const Layout& layout = *tensor.source->layout;
    if (tensor.shape.size() == 1) {  // ggml wants vectors as floats
      tensor.type = &ggml_type(GgmlTypeId::f32);
      return {};
    }
    tensor.type = options_.type != nullptr ? options_.type : type_as_stored(layout);
    if (tensor.type == nullptr)
      return unsupported(
          "[export] {}: tensor '{}': expected a layout that a type of GGUF holds as it is, got {}{}; "
          "choose --type f16, or a quantized type with --allow-requantize",
          tensor.source->file.string(), tensor.name, layout.name, layout.is_palette() ? ", a palette" : "");
    if (const GgmlType* wider = with_smaller_blocks(*tensor.type); wider != nullptr && fits_only(tensor, *wider)) {
      plan_.notes.push_back(fmt::format("{}: {} columns fit no block of {}, so it is {}", tensor.name, tensor.columns(),
                                        tensor.type->name, wider->name));
      tensor.type = wider;
    }
    if (tensor.columns() % tensor.type->block != 0) {
      if (!options_.allow_float)
        return unsupported(
            "[export] {}: tensor '{}': expected rows of a multiple of {} columns for {}, got {}; choose "
            "--type f16, or --allow-float to keep such tensors as f16",
            tensor.source->file.string(), tensor.name, tensor.type->block, tensor.type->name, tensor.columns());
      plan_.notes.push_back(fmt::format("{}: {} columns fit no block of {}, so it is f16", tensor.name,
                                        tensor.columns(), tensor.type->name));
      tensor.type = &ggml_type(GgmlTypeId::f16);
    }
    tensor.intent = fidelity_of(layout, *tensor.type);
    if (tensor.intent == Fidelity::requantized && !options_.allow_requantize)
      return unsupported(
          "[export] {}: tensor '{}': expected weights that {} holds as they are, got {}; export the float "
          "model, choose a type that holds them (q8_0 for int8), or accept a second loss with "
          "--allow-requantize",
          tensor.source->file.string(), tensor.name, tensor.type->name, layout.name);
    return {};
  }

  static bool fits_only(const PlannedTensor& tensor, const GgmlType& wider) {
    return tensor.columns() % tensor.type->block != 0 && tensor.columns() % wider.block == 0;
  }

  // Scalings with a factor for each frequency: GGUF stores what divides it.
  void add_rope_factors() {
    const RopeConfig& rope = model_.config.rope;
    if (rope.scaling == "llama3") add_computed("rope_freqs.weight", false);
    if (rope.scaling == "longrope" && plan_.architecture == "llama") {
      add_factors("rope_freqs.weight", rope.short_factors);
    } else if (rope.scaling == "longrope") {
      add_computed("rope_factors_long.weight", true);
      add_computed("rope_factors_short.weight", false);
    }
  }

  void add_computed(std::string name, bool beyond) {
    const ModelConfig& config = model_.config;
    RopeConfig plain = config.rope;
    plain.scaling.clear();
    const std::vector<float> base = rope_frequencies(plain, config.rotary());
    const std::vector<float> scaled = rope_frequencies(config.rope, config.rotary(), beyond);
    std::vector<double> factors;
    for (size_t i = 0; i < base.size(); ++i) factors.push_back(static_cast<double>(base[i] / scaled[i]));
    add_factors(std::move(name), factors);
  }

  void add_factors(std::string name, const std::vector<double>& factors) {
    PlannedTensor tensor;
    tensor.name = tensor.stored_name = std::move(name);
    tensor.shape = {static_cast<int64_t>(factors.size())};
    for (const double factor : factors) tensor.computed.push_back(static_cast<float>(factor));
    tensor.type = &ggml_type(GgmlTypeId::f32);
    plan_.tensors.push_back(std::move(tensor));
  }

  const LanguageModel& model_;
  const ExportOptions& options_;
  const GgufArchitecture* architecture_ = nullptr;
  ExportPlan plan_;
};

}  // namespace

int64_t PlannedTensor::source_row(int64_t row) const { return head_dim == 0 ? row : half_split_row(row, head_dim); }

Result<ExportPlan> plan_gguf(const LanguageModel& model, const ExportOptions& options) {
  return Planner(model, options).plan();
}

}  // namespace halftone
