// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "halftone/status.h"
#include "validate/suite.h"

namespace halftone {

// What a gate can limit. One row per name; gate.cc holds the table.
struct GateMetric {
  std::string_view name;      // as written in a gate: "choice_accuracy.loss", "kl.p99"
  std::string_view quantity;  // the metric it reads: "choice_accuracy", "kl"
  enum class Kind : uint8_t { rate, mean, tail, fact } kind;
  double quantile;        // tails
  std::string_view unit;  // of the limit when the gate names none
  bool minimum;           // the limit is a `min`, not a `max`
  // Evidence counts what is bad; people read what is good: shown = offset + scale * evidence (in the unit's base).
  double offset, scale;
  std::string_view says;  // one line for people
};
std::span<const GateMetric> gate_metrics();
const GateMetric* find_gate_metric(std::string_view name);

struct GateCheck {
  std::string metric;        // a name of gate_metrics()
  double limit = 0;          // in `unit`
  std::string unit;          // points, percent, fraction, nats, bytes, tokens_per_second
  std::string suite;         // empty: every suite that measures it
  std::string slice_column;  // empty: all samples
  std::string slice_value;
};

struct Gate {
  std::vector<GateCheck> checks;
};

// How much of the base unit (fraction, nats, bytes, tokens/s) one `unit` is: 0.01 for points and percent.
double unit_size(std::string_view unit);

// YAML: `checks:`, a list of {metric, max or min, unit, suite, slice: column=value}. Limits of bytes and speeds carry
// their unit
// ("1.2GB", "30tok/s"). Unknown keys and metrics are errors that name the nearest known one.
Result<Gate> parse_gate(std::string_view yaml, std::string_view name);
Result<Gate> load_gate(const std::filesystem::path& path);
std::string gate_hash(const Gate& gate);  // SHA-256 of the checks in canonical form: written before the first score
std::string describe(const GateCheck& check);  // "choice_accuracy.loss <= 1 points on exposure=rare"

// For `--text`, where there are no labels: divergence. The text gives the reason for each limit.
std::string_view default_text_gate();

}  // namespace halftone
