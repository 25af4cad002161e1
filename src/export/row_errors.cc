// SPDX-License-Identifier: Apache-2.0
#include "export/row_errors.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace halftone {

Status add_up(std::span<const RowErrors> rows, Fidelity intent, std::string_view file, std::string_view name,
              ExportedTensor& tensor) {
  RowErrors sum;
  for (size_t row = 0; row < rows.size(); ++row) {
    if (rows[row].wrong_column >= 0)
      return io_error(
          "[export] {}: tensor '{}': expected row {} to be read back {}, got another number from column {} on; the "
          "disk or this program is at fault",
          file, name, row, intent == Fidelity::bit_exact ? "bit for bit" : "as it was written", rows[row].wrong_column);
    sum.error_squared += rows[row].error_squared;
    sum.weight_squared += rows[row].weight_squared;
    sum.largest = std::max(sum.largest, rows[row].largest);
    sum.different += rows[row].different;
  }
  const bool exact = sum.different == 0 && intent == Fidelity::rounding;
  tensor.fidelity = exact ? Fidelity::bit_exact : intent;
  if (sum.error_squared > 0) tensor.relative_rms_error = std::sqrt(sum.error_squared / sum.weight_squared);
  tensor.max_abs_error = static_cast<double>(sum.largest);
  return {};
}

}  // namespace halftone
