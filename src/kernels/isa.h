// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "halftone/status.h"

namespace halftone {

// Ordered from slowest to fastest of each architecture. A kernel row names the least ISA that it needs.
enum class Isa : uint8_t { scalar, avx2, avx512, neon, neon_dot, neon_i8mm };

std::string_view name_of(Isa isa);
std::vector<Isa> compiled_isas();   // in this binary
std::vector<Isa> supported_isas();  // by this machine (CPUID and what the system saves)
// "avx2": an ISA that this machine supports, else an error that lists those it does (a hyphen and an unknown name are
// errors).
Result<Isa> isa_from_name(std::string_view name);
// What kernels are chosen for: the best supported one, or HALFTONE_ISA. A name that is unknown or unsupported here is
// an error.
Result<Isa> active_isa();
// Forces one for this process (tests, --isa). Error when unsupported.
Status force_isa(Isa isa);
bool isa_runs(Isa needed, Isa active);  // may a kernel that needs `needed` be chosen when `active` is?
// AVX512_BF16, which avx512 does not imply: only the bf16 rows of avx512 (kernels/linear) need it.
bool has_bf16_dot();

}  // namespace halftone
