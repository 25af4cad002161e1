// SPDX-License-Identifier: Apache-2.0
#include "quantize/evaluate/divergence.h"

#include <cmath>
#include <vector>

#include "base/error.h"
#include "quantize/products.h"

namespace halftone {
namespace {

struct Softened {
  std::vector<float> logits, exps;
  double log_sum = 0, sum = 0;  // log_sum: of exp of the logits
};

// exps: of the logits over temperature, less the largest.
void soften(const float* logits, int64_t n, float temperature, const VectorKernels& kernels, Softened& out) {
  out.logits.assign(logits, logits + n);
  out.exps.resize(static_cast<size_t>(n));
  if (temperature != 1) {
    for (float& value : out.logits) value /= temperature;
  }
  const float most = kernels.maximum(out.logits.data(), n);
  out.sum = kernels.sum_of_exp(out.logits.data(), n, most, out.exps.data());
  out.log_sum = static_cast<double>(most) + std::log(out.sum);
}

// E_p[r - c] - (ln Z_p - ln Z_q), over 8 lanes in double.
double divergence_of(const Softened& p, const Softened& q) {
  double lanes[8] = {};
  const size_t n = p.logits.size(), whole = n / 8 * 8;
  const auto term = [&](size_t i) {
    return static_cast<double>(p.exps[i]) * (static_cast<double>(p.logits[i]) - static_cast<double>(q.logits[i]));
  };
  for (size_t i = 0; i < whole; i += 8)
    for (size_t lane = 0; lane < 8; ++lane) lanes[lane] += term(i + lane);
  for (size_t i = whole; i < n; ++i) lanes[i - whole] += term(i);
  const double cross =
      ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
  const double kl = cross / p.sum - (p.log_sum - q.log_sum);
  return kl < 0 ? 0 : kl;  // rounding alone can take it below; NaN stays
}

}  // namespace

void divergence(const DivergenceRows& rows, const VectorKernels& kernels, ThreadPool& pool, std::span<double> kl,
                float* gradient) {
  const int64_t n = rows.vocabulary, count = static_cast<int64_t>(kl.size());
  HALFTONE_CHECK(static_cast<int64_t>(rows.reference.size()) == count * n);
  HALFTONE_CHECK(rows.candidate.size() == rows.reference.size() && rows.temperature > 0);
  for_rows(pool, count, n, [&](int64_t row) {
    thread_local Softened p, q;
    soften(rows.reference.data() + row * n, n, rows.temperature, kernels, p);
    soften(rows.candidate.data() + row * n, n, rows.temperature, kernels, q);
    kl[static_cast<size_t>(row)] = divergence_of(p, q);
    if (gradient == nullptr) return;
    const float scale = rows.factor / rows.temperature;
    const auto p_part = static_cast<float>(1 / p.sum), q_part = static_cast<float>(1 / q.sum);
    float* out = gradient + row * n;
    for (int64_t i = 0; i < n; ++i) {
      const auto k = static_cast<size_t>(i);
      out[i] = (q.exps[k] * q_part - p.exps[k] * p_part) * scale;
    }
  });
}

}  // namespace halftone
