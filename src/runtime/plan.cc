// SPDX-License-Identifier: Apache-2.0
#include "runtime/plan.h"

#include <algorithm>

#include "base/error.h"

namespace halftone {
namespace {

struct Live {
  int64_t offset, width, until;  // until: index of the last node that reads it
};

// First-fit packing of values into one arena; a value lives from its node to its last reader.
class Arena {
 public:
  Slot place(int64_t width, int64_t now, int64_t until) {
    std::erase_if(live_, [&](const Live& value) { return value.until < now; });
    int64_t offset = 0;
    for (const Live& value : live_) {
      if (value.offset - offset >= width) break;
      offset = std::max(offset, value.offset + value.width);
    }
    const Live placed{offset, width, until};
    live_.insert(std::upper_bound(live_.begin(), live_.end(), placed,
                                  [](const Live& a, const Live& b) { return a.offset < b.offset; }),
                 placed);
    high_ = std::max(high_, offset + width);
    return {offset, width, width, 0};
  }
  int64_t high() const { return high_; }

 private:
  std::vector<Live> live_;  // by offset
  int64_t high_ = 0;
};

class Planner {
 public:
  Planner(const Model& model, Activations activations, Isa isa)
      : model_(model), graph_(model.graph()), activations_(activations), isa_(isa) {}

  Result<Plan> run() {
    plan_.vector = &select_vector(isa_);
    plan_.attention_f16 = select_attention(isa_, KvType::f16);
    plan_.attention_int8 = select_attention(isa_, KvType::int8);
    find_tail();
    find_last_readers();
    Arena arena;
    slots_.resize(graph_.values.size());
    for (size_t i = 0; i < tail_begin_; ++i) HALFTONE_TRY(lower(i, arena, plan_.steps));
    plan_.arena_width = arena.high();
    HALFTONE_TRY(lower_tail());
    return std::move(plan_);
  }

 private:
  // The tail is the longest run of single-input, token-wise nodes that ends in the logits.
  void find_tail() {
    tail_begin_ = graph_.nodes.size();
    ValueId wanted = graph_.logits;
    while (tail_begin_ > 0) {
      const Node& node = graph_.nodes[tail_begin_ - 1];
      const bool token_wise = std::holds_alternative<RmsNorm>(node.op) || std::holds_alternative<LayerNorm>(node.op) ||
                              std::holds_alternative<Linear>(node.op) || std::holds_alternative<SoftCap>(node.op);
      if (!token_wise || node.output != wanted) break;
      wanted = node.inputs[0];
      --tail_begin_;
    }
    tail_value_ = wanted;
  }

  void find_last_readers() {
    last_reader_.assign(graph_.values.size(), 0);
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      for (ValueId id : graph_.nodes[i].inputs) last_reader_[static_cast<size_t>(id)] = static_cast<int64_t>(i);
    }
    // A slice is a view: what reads it reads the whole value.
    for (size_t i = graph_.nodes.size(); i-- > 0;) {
      const Node& node = graph_.nodes[i];
      if (!std::holds_alternative<Columns>(node.op)) continue;
      int64_t& whole = last_reader_[static_cast<size_t>(node.inputs[0])];
      whole = std::max(whole, last_reader_[static_cast<size_t>(node.output)]);
    }
  }

  Status lower_tail() {
    plan_.hidden = slot(tail_value_);
    Arena arena;
    const auto first = static_cast<int64_t>(tail_begin_);
    plan_.tail_in = arena.place(plan_.hidden.width, first, first);
    slots_[static_cast<size_t>(tail_value_)] = plan_.tail_in;
    for (size_t i = tail_begin_; i < graph_.nodes.size(); ++i) HALFTONE_TRY(lower(i, arena, plan_.tail));
    plan_.tail_arena_width = arena.high();
    plan_.logits = slot(graph_.logits);
    return {};
  }

  const Slot& slot(ValueId id) const { return slots_[static_cast<size_t>(id)]; }

  Status lower(size_t index, Arena& arena, std::vector<Step>& steps) {
    const Node& node = graph_.nodes[index];
    const auto now = static_cast<int64_t>(index);
    const auto out = static_cast<size_t>(node.output);
    if (const auto* slice = std::get_if<Columns>(&node.op)) {
      const Slot& whole = slot(node.inputs[0]);
      slots_[out] = {whole.offset, slice->width, whole.stride, whole.column + slice->first};
      return {};
    }
    // A group of linears writes all outputs in one step, so a member may not take the place of the shared input.
    slots_[out] = arena.place(graph_.values[out].width, now, std::max(last_reader_[out], now));
    return std::visit([&](const auto& op) { return lower_op(op, node, steps); }, node.op);
  }

  Status lower_op(const Embedding& op, const Node& node, std::vector<Step>& steps) {
    steps.push_back(EmbedStep{op.table, op.scale, slot(node.output)});
    return {};
  }
  Status lower_op(const RmsNorm& op, const Node& node, std::vector<Step>& steps) {
    const Slot in = slot(node.inputs[0]);
    steps.push_back(NormStep{op.weight, op.epsilon, op.group > 0 ? op.group : in.width, in, slot(node.output)});
    return {};
  }
  Status lower_op(const LayerNorm& op, const Node& node, std::vector<Step>& steps) {
    steps.push_back(LayerNormStep{op.weight, op.bias, op.epsilon, slot(node.inputs[0]), slot(node.output)});
    return {};
  }
  Status lower_op(const Linear& op, const Node& node, std::vector<Step>& steps) {
    const LinearPath path = choose_path(model_, op.weight, activations_, isa_);
    if (path.kernel == nullptr) {
      return unsupported("[plan] {}: expected a kernel for layout {}, got none for {}", node.name,
                         model_.weight(op.weight).layout->name, name_of(isa_));
    }
    const Slot in = slot(node.inputs[0]);
    plan_.widest_linear_input = std::max(plan_.widest_linear_input, in.width);
    auto* group = steps.empty() ? nullptr : std::get_if<LinearStep>(&steps.back());
    if (group == nullptr || group_input_ != node.inputs[0] || group->range != path.range) {
      steps.push_back(LinearStep{in, {}, false, path.range, false});
      group = &std::get<LinearStep>(steps.back());
      group_input_ = node.inputs[0];
    }
    group->parts.push_back({op.weight, op.bias, path.kernel, slot(node.output)});
    const bool integers = path.kernel->activations == Activations::int8;
    group->quantize = group->quantize || integers;
    group->round = group->round || (path.range.exists() && !integers);
    return {};
  }
  Status lower_op(const Rope& op, const Node& node, std::vector<Step>& steps) {
    const RopeTable table{op.inverse_frequencies, op.rotary, op.magnitude, op.long_frequencies, op.long_beyond};
    if (op.long_frequencies != kNoWeight) {
      if (plan_.long_beyond != 0 && plan_.long_beyond != op.long_beyond) {
        return unsupported("[plan] {}: expected one length beyond which frequencies change, got {} and {}", node.name,
                           plan_.long_beyond, op.long_beyond);
      }
      plan_.long_beyond = op.long_beyond;
    }
    const auto found = std::find(plan_.rope_tables.begin(), plan_.rope_tables.end(), table);
    const auto index = static_cast<int32_t>(found - plan_.rope_tables.begin());
    if (found == plan_.rope_tables.end()) plan_.rope_tables.push_back(table);
    steps.push_back(RopeStep{op.heads, op.head_dim, op.rotary, index, slot(node.inputs[0]), slot(node.output)});
    return {};
  }
  Status lower_op(const Attention& op, const Node& node, std::vector<Step>& steps) {
    steps.push_back(AttentionStep{op.state, op.heads, op.kv_heads, op.head_dim, op.scale, op.window, op.soft_cap,
                                  slot(node.inputs[0]), slot(node.inputs[1]), slot(node.inputs[2]), slot(node.output)});
    return {};
  }
  Status lower_op(const SwiGlu&, const Node& node, std::vector<Step>& steps) {
    steps.push_back(SwiGluStep{slot(node.inputs[0]), slot(node.inputs[1]), slot(node.output)});
    return {};
  }
  Status lower_op(const GeGlu&, const Node& node, std::vector<Step>& steps) {
    steps.push_back(GeGluStep{slot(node.inputs[0]), slot(node.inputs[1]), slot(node.output)});
    return {};
  }
  Status lower_op(const Gelu&, const Node& node, std::vector<Step>& steps) {
    steps.push_back(GeluStep{slot(node.inputs[0]), slot(node.output)});
    return {};
  }
  Status lower_op(const SoftCap& op, const Node& node, std::vector<Step>& steps) {
    steps.push_back(SoftCapStep{op.cap, slot(node.inputs[0]), slot(node.output)});
    return {};
  }
  Status lower_op(const Columns&, const Node&, std::vector<Step>&) { return {}; }  // a view, made in lower()
  Status lower_op(const Add&, const Node& node, std::vector<Step>& steps) {
    steps.push_back(AddStep{slot(node.inputs[0]), slot(node.inputs[1]), slot(node.output)});
    return {};
  }

  const Model& model_;
  const Graph& graph_;
  Activations activations_;
  Isa isa_;
  Plan plan_;
  size_t tail_begin_ = 0;
  ValueId tail_value_ = -1, group_input_ = -1;
  std::vector<int64_t> last_reader_;
  std::vector<Slot> slots_;
};

}  // namespace

std::string LinearPath::name() const {
  if (!range.exists()) return std::string(name_of(kernel->activations));
  return fmt::format("{}{}", kernel->activations == Activations::int8 ? "static" : "simulated", range.bits);
}

LinearPath choose_path(const Model& model, WeightId id, Activations wanted, Isa isa) {
  const WeightView& weight = model.weight(id);
  const auto select = [&](Activations kind) { return select_linear(weight.layout->id, weight.order, kind, isa); };
  LinearPath path;
  if (wanted == Activations::automatic) {
    path.range = model.input(id);
    wanted = path.range.bits == 16 ? Activations::exact : Activations::int8;  // no kernel multiplies 16-bit codes
  }
  if (wanted != Activations::exact) path.kernel = select(wanted);
  if (path.kernel == nullptr) path.kernel = select(Activations::exact);
  return path;
}

Result<Plan> make_plan(const Model& model, Activations activations) {
  HALFTONE_ASSIGN(const Isa isa, active_isa());
  return Planner(model, activations, isa).run();
}

}  // namespace halftone
