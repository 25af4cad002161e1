// SPDX-License-Identifier: Apache-2.0
#include "ship/sweep/held_out.h"

#include <algorithm>

#include "base/error.h"
#include "quantize/calibration/leakage.h"

namespace halftone {
namespace {

constexpr int64_t kHeldOutOf = 10;

void add_pieces(const Sequences& all, int64_t sequence, int bos, std::vector<std::vector<int>>& windows) {
  const bool begins = all.tokens[static_cast<size_t>(all.begin(sequence))] == bos;
  const int64_t room = kHeldOutWindow - (begins ? 1 : 0);
  for (int64_t at = all.begin(sequence) + (begins ? 1 : 0); at < all.end(sequence); at += room) {
    std::vector<int> window;
    if (begins) window.push_back(bos);
    window.insert(window.end(), all.tokens.begin() + at, all.tokens.begin() + std::min(at + room, all.end(sequence)));
    if (window.size() > 1) windows.push_back(std::move(window));  // one token predicts nothing
  }
}

}  // namespace

Result<HeldOut> hold_out_tenth(const Sequences& all, int bos) {
  if (all.count() < 2)
    return invalid_input(
        "[sweep] expected a calibration of at least 2 windows, to hold one out, got {}; give more text, a shorter "
        "--calibration-length, or --suite divergence:FILE.txt",
        all.count());
  HeldOut parts;
  const int64_t last = std::min(kHeldOutOf, all.count()) - 1;
  for (int64_t i = 0; i < all.count(); ++i) {
    if (i % kHeldOutOf == last) {
      add_pieces(all, i, bos, parts.windows);
      continue;
    }
    parts.calibration.begins.push_back(parts.calibration.size());
    parts.calibration.tokens.insert(parts.calibration.tokens.end(), all.tokens.begin() + all.begin(i),
                                    all.tokens.begin() + all.end(i));
  }
  const size_t before = parts.windows.size();
  std::erase_if(parts.windows, [&](const std::vector<int>& window) {
    const Sequences alone{{window.begin(), window.end()}, {0}};
    return find_leakage(parts.calibration, alone).shared_evaluation > 0;
  });
  parts.repeated = static_cast<int64_t>(before - parts.windows.size());
  if (!parts.windows.empty()) return parts;
  return invalid_input(
      "[sweep] expected a tenth of the calibration to judge on, got {} windows whose text all stands in the other nine "
      "tenths, too; give --suite divergence:FILE.txt",
      before);
}

}  // namespace halftone
