// SPDX-License-Identifier: Apache-2.0
// What reading a written tensor back gives, in every container alike.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "export/export.h"
#include "halftone/status.h"

namespace halftone {

// What a row's comparison gives; rows are added up in order, so that sums do not depend on threads.
struct RowErrors {
  double error_squared = 0, weight_squared = 0;
  float largest = 0;
  int64_t different = 0;
  int64_t wrong_column = -1;  // the first number that breaks the promise
};

// Fills in fidelity and errors of `tensor`, which was to become what `intent` says. A number that breaks the promise is
// an error with its place; `file` and `name` stand for file and tensor in it.
Status add_up(std::span<const RowErrors> rows, Fidelity intent, std::string_view file, std::string_view name,
              ExportedTensor& tensor);

}  // namespace halftone
