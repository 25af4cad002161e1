// SPDX-License-Identifier: Apache-2.0
#include "base/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "base/atomic_write.h"
#include "base/error.h"
#include "base/numbers.h"

namespace halftone {
namespace {

constexpr int64_t kMaxBytes = 4 << 20;  // far beyond what people write; yaml-cpp is slow on more
constexpr int kMaxDepth = 64;           // yaml-cpp recurses, and its own limit is newer than some releases

char canonical(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  return c == '-' ? '_' : c;
}

std::string canonical(std::string_view word) {
  std::string out(word);
  for (char& c : out) c = canonical(c);
  return out;
}

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return (x == '-' ? '_' : x) == (y == '-' ? '_' : y); });
}

// Edit distance with neighbours swapped counting as one (the commonest slip of the fingers).
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

std::string_view kind_of(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Scalar:
      return "a single value";
    case YAML::NodeType::Sequence:
      return "a list";
    case YAML::NodeType::Map:
      return "a mapping";
    default:
      return "nothing";
  }
}

std::string place(const std::string& name, const YAML::Mark& mark) {
  return mark.is_null() ? name : fmt::format("{}:{}", name, mark.line + 1);
}

// Quoted scalars carry the tag "!": they are text even when they look like a number.
bool is_plain_scalar(const YAML::Node& node) { return node.IsScalar() && node.Tag() != "!"; }

// Looks at a document before it is built: how deep it nests, and that it is the only one.
class Guard final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
    enter(mark);
  }
  void OnSequenceEnd() override { --depth_; }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
    enter(mark);
  }
  void OnMapEnd() override { --depth_; }

 private:
  void enter(const YAML::Mark& mark) {
    if (++depth_ > kMaxDepth) {
      throw YAML::ParserException(mark, fmt::format("expected at most {} levels of nesting, got more", kMaxDepth));
    }
  }
  int depth_ = 0;
};

// yaml-cpp throws; nothing of ours does.
template <class Function>
auto guarded(const std::string& name, const Function& function) -> decltype(function()) {
  try {
    return function();
  } catch (const YAML::Exception& e) {
    return invalid_input("{}: not valid YAML: {}", place(name, e.mark), e.msg);
  } catch (const std::exception& e) {
    return invalid_input("{}: not valid YAML: {}", name, e.what());
  }
}

}  // namespace

std::string nearest_word(std::string_view word, const std::vector<std::string>& candidates) {
  constexpr size_t kLongest = 64;  // nobody mistypes more; and distance() is quadratic
  if (word.size() > kLongest) return "";
  const std::string wanted = canonical(word);
  std::string best;
  size_t best_distance = std::max<size_t>(1, wanted.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kLongest) continue;
    const size_t d = distance(wanted, canonical(candidate));
    if (d < best_distance && d < candidate.size()) {
      best_distance = d;
      best = candidate;
    }
  }
  return best;
}

Result<YamlMap> YamlMap::parse_file(const std::filesystem::path& path) {
  HALFTONE_ASSIGN(const std::string text, read_text_file(path, kMaxBytes));
  return parse_text(text, path.string());
}

Result<YamlMap> YamlMap::parse_text(std::string_view text, std::string name) {
  if (static_cast<int64_t>(text.size()) > kMaxBytes) {
    return invalid_input("{}: expected at most {} bytes of YAML, got {}", name, kMaxBytes, text.size());
  }
  return guarded(name, [&]() -> Result<YamlMap> {
    // LoadAll never ends on some damaged files (","), so documents are counted one at a time.
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    Guard guard;
    const bool any = parser.HandleNextDocument(guard);
    const YAML::Node document = any ? YAML::Load(std::string(text)) : YAML::Node();
    if (document.IsNull()) {
      return invalid_input("{}: expected a mapping (key: value), got an empty file", name);
    }
    if (parser.HandleNextDocument(guard)) {
      return invalid_input("{}: expected one document, got more; remove the '---' lines", name);
    }
    return of(document, name);
  });
}

Result<YamlMap> YamlMap::of(const YAML::Node& node, std::string name) {
  return guarded(name, [&]() -> Result<YamlMap> {
    if (!node.IsMap()) {
      return invalid_input("{}: expected a mapping (key: value), got {}", place(name, node.Mark()), kind_of(node));
    }
    YamlMap map;
    map.name_ = name;
    map.line_ = node.Mark().is_null() ? 0 : node.Mark().line + 1;
    std::set<std::string> seen;
    for (const auto& pair : node) {
      const int line = pair.first.Mark().line + 1;
      if (!pair.first.IsScalar()) {
        return invalid_input("{}:{}: expected a key that is a word, got {}", name, line, kind_of(pair.first));
      }
      const std::string& key = pair.first.Scalar();
      if (!seen.insert(key).second) {
        return invalid_input("{}:{}: {}: expected each key once, got it again; remove one", name, line, key);
      }
      map.entries_.push_back({key, pair.second, line, false});
    }
    return map;
  });
}

YamlMap::Entry* YamlMap::find(std::string_view key) {
  const auto is_new = std::find(known_.begin(), known_.end(), key) == known_.end();
  if (is_new) known_.emplace_back(key);
  Entry* found = nullptr;
  for (Entry& entry : entries_) {
    if (entry.key == key) {
      found = &entry;
      break;
    }
    if (found == nullptr && same_name(entry.key, key)) found = &entry;
  }
  if (found != nullptr) found->asked = true;
  return found;
}

bool YamlMap::has(std::string_view key) { return find(key) != nullptr; }

Status YamlMap::error(std::string_view key, std::string_view problem) const {
  int line = line_;
  for (const Entry& entry : entries_) {
    if (same_name(entry.key, key)) line = entry.line;
  }
  if (line == 0) return invalid_input("{}: {}: {}", name_, key, problem);
  return invalid_input("{}:{}: {}: {}", name_, line, key, problem);
}

Status YamlMap::missing(std::string_view key) const { return error(key, "expected this key, got none; add it"); }

Result<std::string> YamlMap::text(std::string_view key, std::optional<std::string> fallback) {
  const Entry* entry = find(key);
  if (entry == nullptr) {
    if (!fallback) return missing(key);
    return *std::move(fallback);
  }
  if (!entry->value.IsScalar()) return error(key, fmt::format("expected text, got {}", kind_of(entry->value)));
  return entry->value.Scalar();
}

Result<std::string> YamlMap::plain(std::string_view key, std::string_view wanted) {
  const Entry* entry = find(key);
  if (!entry->value.IsScalar()) return error(key, fmt::format("expected {}, got {}", wanted, kind_of(entry->value)));
  if (!is_plain_scalar(entry->value)) {
    return error(key,
                 fmt::format("expected {}, got the text \"{}\"; remove the quotes", wanted, entry->value.Scalar()));
  }
  return entry->value.Scalar();
}

Result<double> YamlMap::number(std::string_view key, std::optional<double> fallback) {
  if (!has(key)) return fallback ? Result<double>(*fallback) : missing(key);
  HALFTONE_ASSIGN(const std::string scalar, plain(key, "a number"));
  if (const auto value = parse_number(scalar)) return *value;
  return error(key, fmt::format("expected a number like 0.5, got '{}'", scalar));
}

Result<int64_t> YamlMap::integer(std::string_view key, std::optional<int64_t> fallback) {
  if (!has(key)) return fallback ? Result<int64_t>(*fallback) : missing(key);
  HALFTONE_ASSIGN(const std::string scalar, plain(key, "a whole number"));
  if (const auto value = parse_integer(scalar)) return *value;
  return error(key, fmt::format("expected a whole number like 2000, got '{}'", scalar));
}

Result<bool> YamlMap::boolean(std::string_view key, std::optional<bool> fallback) {
  if (!has(key)) return fallback ? Result<bool>(*fallback) : missing(key);
  HALFTONE_ASSIGN(const std::string scalar, plain(key, "true or false"));
  if (scalar == "true") return true;
  if (scalar == "false") return false;
  return error(key, fmt::format("expected true or false, got '{}'", scalar));
}

Result<std::vector<std::string>> YamlMap::texts(std::string_view key) {
  const Entry* entry = find(key);
  if (entry == nullptr) return std::vector<std::string>();
  if (entry->value.IsScalar()) return std::vector<std::string>{entry->value.Scalar()};
  if (!entry->value.IsSequence()) {
    return error(key, fmt::format("expected a list of texts, got {}", kind_of(entry->value)));
  }
  std::vector<std::string> out;
  for (const YAML::Node& item : entry->value) {
    if (!item.IsScalar()) {
      return error(key, fmt::format("expected text as item {}, got {}", out.size() + 1, kind_of(item)));
    }
    out.push_back(item.Scalar());
  }
  return out;
}

Result<std::vector<YamlMap>> YamlMap::maps(std::string_view key) {
  const Entry* entry = find(key);
  std::vector<YamlMap> out;
  if (entry == nullptr) return out;
  if (!entry->value.IsSequence()) {
    return error(key, fmt::format("expected a list of mappings ('- key: value'), got {}", kind_of(entry->value)));
  }
  for (const YAML::Node& item : entry->value) {
    HALFTONE_ASSIGN(YamlMap map, of(item, name_));
    out.push_back(std::move(map));
  }
  return out;
}

Result<YamlMap> YamlMap::map(std::string_view key) {
  const Entry* entry = find(key);
  if (entry != nullptr) {
    if (!entry->value.IsMap()) {
      return error(key, fmt::format("expected a mapping (key: value), got {}", kind_of(entry->value)));
    }
    return of(entry->value, name_);
  }
  YamlMap empty;
  empty.name_ = name_;
  empty.line_ = line_;
  return empty;
}

YAML::Node YamlMap::node(std::string_view key) {
  const Entry* entry = find(key);
  return entry != nullptr ? entry->value : YAML::Node();
}

std::vector<std::string> YamlMap::keys() const {
  std::vector<std::string> out;
  for (const Entry& entry : entries_) out.push_back(entry.key);
  return out;
}

Status YamlMap::finish() const {
  for (const Entry& entry : entries_) {
    if (entry.asked) continue;
    const std::string near = nearest_word(entry.key, known_);
    if (!near.empty() && !same_name(near, entry.key)) {
      return invalid_input("{}:{}: {}: unknown key; did you mean '{}'?", name_, entry.line, entry.key, near);
    }
    if (!near.empty()) {
      return invalid_input("{}:{}: {}: expected each key once, got '{}' as well", name_, entry.line, entry.key, near);
    }
    return invalid_input("{}:{}: {}: unknown key; known here: {}", name_, entry.line, entry.key,
                         fmt::join(known_, ", "));
  }
  return {};
}

}  // namespace halftone
