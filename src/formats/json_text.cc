// SPDX-License-Identifier: Apache-2.0
#include "formats/json_text.h"

#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/atomic_write.h"
#include "base/error.h"

namespace halftone {
namespace {

constexpr int kMaxDepth = 64;
constexpr int64_t kMaxJsonBytes = 64'000'000;

struct Refusal : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Watches what the parser meets; the parser itself accepts repeated keys (the last wins) and any depth.
class Guard {
 public:
  void see(int depth, nlohmann::json::parse_event_t event, const nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    if (depth > kMaxDepth) throw Refusal(fmt::format("expected at most {} levels of nesting, got more", kMaxDepth));
    if (event == Event::object_start) keys_.emplace_back();
    if (event == Event::object_end) keys_.pop_back();
    if (event == Event::key && !keys_.back().insert(parsed.get<std::string>()).second)
      throw Refusal(fmt::format("expected every key once, got '{}' twice in one object", parsed.get<std::string>()));
  }

 private:
  std::vector<std::set<std::string>> keys_;
};

}  // namespace

Result<nlohmann::json> parse_json(std::string_view text, std::string_view name) {
  Guard guard;
  try {
    return nlohmann::json::parse(text.begin(), text.end(),
                                 [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
                                   guard.see(depth, event, parsed);
                                   return true;
                                 });
  } catch (const Refusal& refusal) {
    return invalid_input("[json] {}: {}", name, refusal.what());
  } catch (const nlohmann::json::parse_error& error) {
    return invalid_input("[json] {}: expected JSON, got something else at byte {}; is the file truncated?", name,
                         error.byte);
  } catch (const std::exception& error) {  // a number out of range
    return invalid_input("[json] {}: expected JSON, got: {}", name, error.what());
  }
}

Result<nlohmann::json> read_json_file(const std::filesystem::path& path) {
  HALFTONE_ASSIGN(const std::string text, read_text_file(path, kMaxJsonBytes));
  return parse_json(text, path.string());
}

}  // namespace halftone
