// SPDX-License-Identifier: Apache-2.0
#include "kernels/isa.h"

#include <atomic>
#include <cstdlib>

#include "base/error.h"
#include "device/arm_features.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace halftone {
namespace {

constexpr std::string_view kNames[] = {"scalar", "avx2", "avx512", "neon", "neon_dot", "neon_i8mm"};
constexpr int kNotForced = -1;
std::atomic<int> forced_isa = kNotForced;

#if defined(__x86_64__)

constexpr bool bit(uint32_t word, int index) { return (word >> index & 1) != 0; }

// Register state that the operating system saves for us: without it the instructions fault although CPUID lists them.
uint64_t saved_state() {
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<uint64_t>(high) << 32 | low;
}

struct X86 {
  bool avx2 = false, avx512 = false, bf16_dot = false;
};

X86 detect_x86() {
  constexpr uint64_t kYmm = 0x6, kZmm = 0xe6;
  X86 found;
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return found;
  const bool os_saves = bit(c, 27), fma = bit(c, 12), avx = bit(c, 28), f16c = bit(c, 29);
  if (!os_saves || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return found;
  const uint64_t state = saved_state();
  found.avx2 = (state & kYmm) == kYmm && avx && fma && f16c && bit(b, 5);
  const bool foundation = bit(b, 16), dq = bit(b, 17), bw = bit(b, 30), vl = bit(b, 31), vnni = bit(c, 11);
  found.avx512 = found.avx2 && (state & kZmm) == kZmm && foundation && dq && bw && vl && vnni;
  found.bf16_dot = found.avx512 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && bit(a, 5);
  return found;
}

const X86& x86() {
  static const X86 found = detect_x86();
  return found;
}

bool machine_runs(Isa isa) {
  const X86& found = x86();
  return isa == Isa::scalar || (isa == Isa::avx2 && found.avx2) || (isa == Isa::avx512 && found.avx512);
}

#elif defined(__aarch64__)
bool machine_runs(Isa isa) {
  const ArmFeatures& found = arm_features();
  return isa == Isa::scalar || isa == Isa::neon || (isa == Isa::neon_dot && found.dot) ||
         (isa == Isa::neon_i8mm && found.i8mm);
}
#else
bool machine_runs(Isa isa) { return isa == Isa::scalar; }
#endif

std::string list_of(const std::vector<Isa>& isas) {
  std::string text;
  for (const Isa isa : isas) {
    if (!text.empty()) text += ", ";
    text += name_of(isa);
  }
  return text;
}

}  // namespace

std::string_view name_of(Isa isa) { return kNames[static_cast<int>(isa)]; }

std::vector<Isa> compiled_isas() {
#if defined(__x86_64__)
  return {Isa::scalar, Isa::avx2, Isa::avx512};
#elif defined(__aarch64__)
  return {Isa::scalar, Isa::neon, Isa::neon_dot, Isa::neon_i8mm};
#else
  return {Isa::scalar};
#endif
}

std::vector<Isa> supported_isas() {
  std::vector<Isa> isas;
  for (const Isa isa : compiled_isas()) {
    if (machine_runs(isa)) isas.push_back(isa);
  }
  return isas;
}

Result<Isa> isa_from_name(std::string_view name) {
  const std::vector<Isa> supported = supported_isas();
  for (const Isa isa : supported) {
    if (name_of(isa) == name) return isa;
  }
  for (const std::string_view known : kNames) {
    if (known == name) {
      return unsupported("[isa] expected one that this machine and binary support ({}), got \"{}\"; choose one of them",
                         list_of(supported), name);
    }
  }
  return invalid_input("[isa] expected one of {}, got \"{}\"; unset HALFTONE_ISA to take the fastest",
                       list_of(supported), name);
}

Result<Isa> active_isa() {
  if (const int forced = forced_isa.load(); forced != kNotForced) return static_cast<Isa>(forced);
  const char* wanted = std::getenv("HALFTONE_ISA");
  if (wanted != nullptr && *wanted != '\0') return isa_from_name(wanted);
  return supported_isas().back();
}

Status force_isa(Isa isa) {
  HALFTONE_TRY(isa_from_name(name_of(isa)).status());
  forced_isa.store(static_cast<int>(isa));
  return {};
}

bool isa_runs(Isa needed, Isa active) {
  const auto arm = [](Isa isa) { return isa >= Isa::neon; };
  return needed == Isa::scalar || (needed <= active && arm(needed) == arm(active));
}

bool has_bf16_dot() {
#if defined(__x86_64__)
  return x86().bf16_dot;
#else
  return false;
#endif
}

}  // namespace halftone
