// SPDX-License-Identifier: Apache-2.0
#include "runtime/step_clock.h"

#include <algorithm>
#include <span>
#include <variant>

namespace halftone {
namespace {

constexpr double kFloatBytes = 4;

// What one call moves and computes. A new step fails to compile here until its work is written down.
class StepWork {
 public:
  StepWork(const Model& model, std::span<const Reach> chunk, int64_t count, StepTotal& total)
      : model_(model), chunk_(chunk), tokens_(static_cast<double>(count)), total_(total) {}

  void operator()(const EmbedStep& step) const {
    const WeightView& table = model_.weight(step.table);
    name("embed", table_name(step.table));
    total_.weight_bytes += tokens_ * static_cast<double>(table.data.size()) / static_cast<double>(table.rows);
    moved(step.out.width);
  }
  void operator()(const NormStep& step) const {
    name("norm", table_name(step.weight));
    moved(step.in.width + step.out.width);
  }
  void operator()(const LayerNormStep& step) const {
    name("norm", table_name(step.weight));
    moved(step.in.width + step.out.width);
  }
  void operator()(const LinearStep& step) const {
    const bool is_new = total_.op.empty();
    std::string names;
    moved(step.in.width);
    for (const LinearStep::Part& part : step.parts) {
      const WeightView& weight = model_.weight(part.weight);
      if (is_new) names += (names.empty() ? "" : " + ") + table_name(part.weight);
      total_.weight_bytes += static_cast<double>(weight.data.size());
      moved(part.out.width);
      operations_of(part.kernel->activations) +=
          2 * tokens_ * static_cast<double>(weight.rows) * static_cast<double>(weight.columns);
    }
    name("linear", names);
  }
  void operator()(const RopeStep& step) const {
    name("rope", "");
    moved(step.in.width + step.out.width);
  }
  void operator()(const AttentionStep& step) const {
    name("attention", model_.graph().states[static_cast<size_t>(step.state)].name);
    moved(step.q.width + step.k.width + step.v.width + step.out.width);
    double seen = 0;
    const auto within = [&](int64_t keys, int64_t window) {
      return static_cast<double>(step.window > 0 ? std::min(keys, window) : keys);
    };
    for (const Reach& token : chunk_) {
      const double keys = within(token.position + 1, step.window);
      seen += keys;
      (token.kv == KvType::int8 ? total_.int8_operations : total_.f32_operations) +=
          2.0 * step.heads * step.head_dim * keys;
      const double read = token.shared > 0 ? within(token.position + 1, step.window + token.shared - 1) : 0;
      total_.kv_bytes += static_cast<double>(step.kv_heads * kv_token_bytes(token.kv, step.head_dim)) * (read + 1);
    }
    total_.f32_operations += 2.0 * step.heads * step.head_dim * seen;
  }
  void operator()(const SwiGluStep& step) const {
    name("swiglu", "");
    moved(step.gate.width + step.up.width + step.out.width);
  }
  void operator()(const GeGluStep& step) const {
    name("geglu", "");
    moved(step.gate.width + step.up.width + step.out.width);
  }
  void operator()(const GeluStep& step) const {
    name("gelu", "");
    moved(step.in.width + step.out.width);
  }
  void operator()(const SoftCapStep& step) const {
    name("soft_cap", "");
    moved(step.in.width + step.out.width);
  }
  void operator()(const AddStep& step) const {
    name("add", "");
    moved(step.a.width + step.b.width + step.out.width);
  }

 private:
  const std::string& table_name(WeightId id) const { return model_.graph().weight(id).name; }
  void name(std::string_view op, const std::string& text) const {
    if (!total_.op.empty()) return;
    total_.op = op;
    total_.name = text;
  }
  double& operations_of(Activations path) const {
    return path == Activations::int8   ? total_.int8_operations
           : path == Activations::bf16 ? total_.bf16_operations
                                       : total_.f32_operations;
  }
  void moved(int64_t width) const { total_.activation_bytes += kFloatBytes * tokens_ * static_cast<double>(width); }

  const Model& model_;
  std::span<const Reach> chunk_;
  double tokens_;
  StepTotal& total_;
};

}  // namespace

double StepClock::seconds_since_last() {
  const auto now = Clock::now();
  const double seconds = std::chrono::duration<double>(now - last_).count();
  last_ = now;
  return seconds;
}

void StepClock::lap(const Step& step, int64_t count) {
  const double seconds = seconds_since_last();
  const auto [place, is_new] = steps_.try_emplace(&step, totals_.size());
  if (is_new) totals_.emplace_back();
  StepTotal& to = totals_[place->second];
  ++to.calls;
  to.seconds += seconds;
  std::visit(StepWork(model_, tokens_, count, to), step);
}

void StepClock::lap(std::string_view stretch) {
  const double seconds = seconds_since_last();
  const auto [place, is_new] = stretches_.try_emplace(stretch, totals_.size());
  if (is_new) totals_.emplace_back();
  StepTotal& to = totals_[place->second];
  to.op = stretch;
  ++to.calls;
  to.seconds += seconds;
}

}  // namespace halftone
