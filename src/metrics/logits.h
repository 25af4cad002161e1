// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace halftone {

// Scores from rows of logits, one row per position, in double. Natural logarithms: nats.

// What one row says about the token that really came next.
struct RowScore {
  double log_probability = 0;  // of `target`
  int top = 0;                 // index of the largest logit, the lowest of equals
  double top_log_probability = 0;
  bool finite = true;  // false: the row holds a NaN or an infinity and scores nothing
};
// REQUIRES: target in [0, logits.size()) or -1 (then log_probability is 0).
RowScore score_row(std::span<const float> logits, int target);

// Reference p against candidate q over the same vocabulary.
struct RowDivergence {
  double kl = 0;  // KL(p || q) = sum p (ln p - ln q), nats, >= 0 (Kullback & Leibler, 1951)
  RowScore reference, candidate;
};
// One pass for the maxima, one for the sums, nothing stored; sums over 8 lanes in a fixed order: the same on every
// machine. REQUIRES: equal sizes, not empty; target as above.
RowDivergence compare_rows(std::span<const float> reference, std::span<const float> candidate, int target);

// Share of the reference's k largest logits that are among the candidate's k largest, in [0, 1].
double top_k_agreement(std::span<const float> reference, std::span<const float> candidate, int64_t k);

// Probabilities of alternatives from their log-likelihoods: softmax, in double.
std::vector<double> softmax(std::span<const double> log_likelihoods);

// Index of the largest value, the lowest of equals. REQUIRES: not empty.
int64_t argmax(std::span<const double> values);

}  // namespace halftone
