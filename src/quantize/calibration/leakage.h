// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "halftone/status.h"
#include "quantize/evaluate/sequences.h"

namespace halftone {

// How much of a calibration also stands in an evaluation: runs of `run` tokens that both have, in order.
struct Leakage {
  int64_t run = 0;
  int64_t calibration_tokens = 0, evaluation_tokens = 0;
  int64_t shared_calibration = 0, shared_evaluation = 0;  // tokens that lie in a shared run
  int64_t unseen = 0;  // calibration tokens of sequences shorter than a run, which cannot be judged
  // The first shared run: where it begins.
  int64_t calibration_token = -1, evaluation_token = -1;

  double fraction() const {  // of the calibration
    return calibration_tokens == 0 ? 0
                                   : static_cast<double>(shared_calibration) / static_cast<double>(calibration_tokens);
  }
};

// Sequences are not joined: a run lies within one. Memory: 24 bytes per calibration token. REQUIRES: run >= 1
Leakage find_leakage(const Sequences& calibration, const Sequences& evaluation, int64_t run = 32);

// An error when anything is shared, with the figures and what to do. The names stand for the two texts.
Status refuse_leakage(const Leakage& leakage, std::string_view calibration, std::string_view evaluation);

}  // namespace halftone
