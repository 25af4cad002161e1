// SPDX-License-Identifier: Apache-2.0
#include "base/atomic_write.h"
#include "base/error.h"
#include "base/hash.h"
#include "ship/job.h"
#include "ship/page/page.h"

namespace halftone {

namespace {

std::string all_records(const ShipJob& job) {
  std::string text;
  for (const ShipCandidate& candidate : job.candidates) text += format_records(candidate.records);
  return text + format_records(job.confirm_records);
}

std::string text_of(const nlohmann::ordered_json& json) {
  return json.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

Result<nlohmann::ordered_json> write_evidence(const ShipJob& job, const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return io_error("[ship] {}: expected to make a folder there, got: {}", folder.string(), error.message());
  const std::string samples = all_records(job);
  HALFTONE_ASSIGN(nlohmann::ordered_json report, report_of(job, sha256_hex(samples)));
  HALFTONE_TRY(write_file_atomic(folder / "fixed.json", text_of(job.fixed)));
  HALFTONE_TRY(write_file_atomic(folder / "samples.jsonl", samples));
  HALFTONE_TRY(write_file_atomic(folder / "report.json", text_of(report)));
  HALFTONE_TRY(write_file_atomic(folder / "report.html", render_page(report)));
  return report;
}

}  // namespace halftone
