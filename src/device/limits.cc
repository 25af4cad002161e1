// SPDX-License-Identifier: Apache-2.0
#include "device/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/atomic_write.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "device/machine.h"
#include "device/probes.h"

namespace halftone {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kLimitPasses = 5;
constexpr int64_t kLeastBufferBytes = 256'000'000;

Spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {values[values.size() / 2], values.front(), values.back()};
}

ThreadLimits limits_with(int threads, std::span<const std::byte> buffer) {
  ThreadPool pool(threads);
  std::vector<double> read, int8, bf16, f32;
  read_bandwidth(buffer, pool);  // brings its pages in
  for (int pass = 0; pass < kLimitPasses; ++pass) {
    read.push_back(read_bandwidth(buffer, pool));
    const ComputePeaks peaks = measure_compute_peaks(pool, 1);
    int8.push_back(peaks.int8_dot);
    bf16.push_back(peaks.bf16_dot);
    f32.push_back(peaks.f32_fma);
  }
  return {threads, spread_of(read), spread_of(int8), spread_of(bf16), spread_of(f32)};
}

std::filesystem::path limits_file(const std::string& cpu, int cores, std::string_view isa) {
  const std::filesystem::path folder = cache_folder();
  const std::string key = sha256_hex(fmt::format("{}|{}|{}", cpu, cores, isa)).substr(0, 12);
  return folder.empty() ? folder : folder / fmt::format("limits-{}.json", key);
}

Json json_of(const Spread& spread) { return {{"median", spread.median}, {"low", spread.low}, {"high", spread.high}}; }

Spread spread_from(const nlohmann::json& json) { return {json.at("median"), json.at("low"), json.at("high")}; }

// Throws what nlohmann throws; the caller turns that into "nothing stored".
MachineLimits limits_from(const nlohmann::json& json) {
  MachineLimits limits;
  limits.cpu = json.at("cpu");
  limits.isa = json.at("isa");
  limits.cores = json.at("cores");
  limits.measured = json.at("measured");
  limits.other_cpu_fraction = json.at("other_cpu_fraction");
  for (const auto& at : json.at("by_threads")) {
    limits.by_threads.push_back({at.at("threads"), spread_from(at.at("read_bandwidth_bytes_per_second")),
                                 spread_from(at.at("int8_dot_operations_per_second")),
                                 spread_from(at.at("bf16_dot_operations_per_second")),
                                 spread_from(at.at("f32_fma_operations_per_second"))});
  }
  return limits;
}

}  // namespace

MachineLimits measure_limits() {
  const MachineInfo machine = machine_info();
  MachineLimits limits;
  limits.cpu = machine.cpu;
  limits.cores = machine.cores;
  limits.isa = probe_isa();
  limits.measured = utc_now();
  const int64_t wanted = std::max(kLeastBufferBytes, 4 * machine.l3_bytes);
  const int64_t most = machine.memory_bytes > 0 ? machine.memory_bytes / 4 : wanted;
  const std::vector<std::byte> buffer(static_cast<size_t>(std::min(wanted, most)), std::byte{1});
  const LoadWatch watch;
  for (int threads = 1; threads < machine.cores; threads *= 2)
    limits.by_threads.push_back(limits_with(threads, buffer));
  limits.by_threads.push_back(limits_with(machine.cores, buffer));
  if (const auto load = watch.since_start()) limits.other_cpu_fraction = load->other_cpu_fraction;
  return limits;
}

std::filesystem::path cache_folder() {
  const auto set = [](const char* name) {
    const char* value = std::getenv(name);
    return std::filesystem::path(value == nullptr ? "" : value);
  };
  if (const auto own = set("HALFTONE_CACHE"); !own.empty()) return own;
  if (const auto xdg = set("XDG_CACHE_HOME"); !xdg.empty()) return xdg / "halftone";
  if (const auto home = set("HOME"); !home.empty()) return home / ".cache" / "halftone";
  return {};
}

std::optional<MachineLimits> cached_limits() {
  const MachineInfo machine = machine_info();
  const std::filesystem::path file = limits_file(machine.cpu, machine.cores, probe_isa());
  if (file.empty()) return std::nullopt;
  const auto text = read_text_file(file, 1 << 20);
  if (!text.ok()) return std::nullopt;
  const nlohmann::json json = nlohmann::json::parse(*text, nullptr, false);
  if (json.is_discarded()) return std::nullopt;
  try {
    MachineLimits limits = limits_from(json);
    // The name of the file is a hash: what it says inside decides.
    if (limits.cpu != machine.cpu || limits.cores != machine.cores || limits.isa != probe_isa()) return std::nullopt;
    return limits;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

Result<std::filesystem::path> store_limits(const MachineLimits& limits) {
  const std::filesystem::path file = limits_file(limits.cpu, limits.cores, limits.isa);
  if (file.empty()) return invalid_input("[probe] expected HALFTONE_CACHE, XDG_CACHE_HOME or HOME to be set, got none");
  std::error_code error;
  std::filesystem::create_directories(file.parent_path(), error);
  if (error)
    return io_error("[probe] {}: expected to make the folder, got: {}", file.parent_path().string(), error.message());
  HALFTONE_TRY(write_file_atomic(file, to_json(limits).dump(1) + "\n"));
  return file;
}

Json to_json(const MachineLimits& limits) {
  Json list = Json::array();
  for (const ThreadLimits& at : limits.by_threads) {
    list.push_back({{"threads", at.threads},
                    {"read_bandwidth_bytes_per_second", json_of(at.read_bandwidth)},
                    {"int8_dot_operations_per_second", json_of(at.int8_dot)},
                    {"bf16_dot_operations_per_second", json_of(at.bf16_dot)},
                    {"f32_fma_operations_per_second", json_of(at.f32_fma)}});
  }
  return {{"cpu", limits.cpu},
          {"isa", limits.isa},
          {"cores", limits.cores},
          {"measured", limits.measured},
          {"other_cpu_fraction", limits.other_cpu_fraction},
          {"by_threads", std::move(list)}};
}

}  // namespace halftone
