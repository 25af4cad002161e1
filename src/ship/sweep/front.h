// SPDX-License-Identifier: Apache-2.0
// What a surface says: which points are worth having, and where it falls off.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace halftone {

// One point as a trade: what it takes and what it loses.
struct Trade {
  int64_t bytes = 0;
  double bits = 0;  // per weight
  double loss = 0;  // mean KL, >= 0
};

// Indices of the points that no other beats (at most as many bytes, at most the loss, one of them less), from most
// bytes to fewest; of equal points the first.
std::vector<size_t> pareto_front(std::span<const Trade> points);

// Half the steps of a grid make a quarter of the squared error, so a healthy stretch multiplies KL by about the same
// for every bit saved: in (bits, log KL) it is straight. The knee is the corner of the front's lower convex envelope
// where that slope changes most. The envelope leaves out points that lie a hair beside a better trade, whose slopes are
// noise.
struct Knee {
  size_t at = 0;                 // the last point before the fall
  size_t beyond = 0;             // the envelope's next
  double before = 0, after = 0;  // KL times so much per bit saved, on either side
};

// The loss per bit must rise by at least this factor; a gentler bend is no knee.
inline constexpr double kKneeFactor = 1.5;
inline constexpr double kLeastLoss = 1e-9;  // nats: what is less counts as this

// None where the front bends nowhere, or has fewer than three corners.
std::optional<Knee> find_knee(std::span<const Trade> points);

}  // namespace halftone
