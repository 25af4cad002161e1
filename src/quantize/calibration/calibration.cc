// SPDX-License-Identifier: Apache-2.0
#include "quantize/calibration/calibration.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/file_map.h"
#include "quantize/calibration/samples.h"

namespace halftone {
namespace {

constexpr int64_t kLongestWindow = 512;  // of those that nobody asked for
constexpr size_t kBytesPerToken = 16;    // more than tokenizers need for most texts
constexpr size_t kWholeBytes = size_t{1} << 20;

using Window = std::vector<int32_t>;

class CalibrationLoader {
 public:
  CalibrationLoader(std::string path, const CalibrationReader& reader, const CalibrationOptions& options)
      : path_(std::move(path)), reader_(reader), options_(options) {
    result_.path = path_;
    result_.length = options.length > 0 ? options.length : std::min(reader.context, kLongestWindow);
  }

  Result<Calibration> run(std::string_view bytes) {
    HALFTONE_TRY(check_options());
    result_.kind = path_.ends_with(".jsonl") ? "jsonl" : "text";
    HALFTONE_TRY(result_.kind == "jsonl" ? read_lines(bytes) : read_text(bytes));
    HALFTONE_TRY(check_amount());
    draw();
    return std::move(result_);
  }

 private:
  Status check_options() const {
    if (options_.tokens < 1) {
      return invalid_input("[calibration] expected a number of tokens above 0, got {}", options_.tokens);
    }
    if (result_.length < 2 || result_.length > reader_.context) {
      return invalid_input("[calibration] expected windows of 2 to {} tokens, the model's context, got {}",
                           reader_.context, result_.length);
    }
    return {};
  }

  Status read_text(std::string_view text) {
    HALFTONE_TRY(check_calibration_text(text, path_));
    if (text.size() > std::max(kWholeBytes, 4 * kBytesPerToken * static_cast<size_t>(options_.tokens))) {
      HALFTONE_TRY(read_stretches(text));
    }
    result_.excerpts = tokens_of_windows() >= options_.tokens;
    if (!result_.excerpts) {
      windows_.clear();
      HALFTONE_TRY(add_text(text, 0, false));
    }
    for (const Window& window : windows_) count_sample(window);
    return {};
  }

  // One window each.
  Status read_stretches(std::string_view text) {
    const size_t count = static_cast<size_t>((options_.tokens + result_.length - 1) / result_.length);
    const size_t bytes = static_cast<size_t>(result_.length) * kBytesPerToken;
    for (size_t i = 0; i < count; ++i) {
      HALFTONE_TRY(add_text(stretch(text, text.size() / count * i, bytes), 0, true));
    }
    return {};
  }

  // About so many bytes from `at` on: whole characters, and whole lines where they are not much longer than that.
  static std::string_view stretch(std::string_view text, size_t at, size_t bytes) {
    const auto is_inside = [&](size_t i) {
      return i < text.size() && (static_cast<unsigned char>(text[i]) & 0xC0) == 0x80;
    };
    const size_t line = at > 0 ? text.find('\n', at - 1) : std::string_view::npos;
    if (line != std::string_view::npos && line < at + bytes) at = line + 1;
    while (is_inside(at)) ++at;
    size_t end = std::min(text.size(), at + bytes);
    while (is_inside(end)) --end;
    const size_t last = text.substr(at, end - at).rfind('\n');
    if (last != std::string_view::npos && last >= bytes / 2) end = at + last + 1;
    return text.substr(at, end - at);
  }

  int64_t tokens_of_windows() const {
    int64_t tokens = 0;
    for (const Window& window : windows_) tokens += static_cast<int64_t>(window.size());
    return tokens;
  }

  Status read_lines(std::string_view text) {
    HALFTONE_ASSIGN(const std::vector<CalibrationSample> samples, parse_calibration_lines(text, path_));
    for (const CalibrationSample& sample : samples) {
      const size_t before = windows_.size();
      if (sample.has_tokens) {
        HALFTONE_TRY(check_ids(sample.tokens, sample.line));
        cut(sample.tokens, false, false);
      } else {
        HALFTONE_TRY(add_text(sample.text, sample.line, false));
      }
      Window whole;
      for (size_t i = before; i < windows_.size(); ++i)
        whole.insert(whole.end(), windows_[i].begin(), windows_[i].end());
      count_sample(whole);
    }
    return {};
  }

  std::string place(int64_t line) const { return line > 0 ? fmt::format("{}:{}", path_, line) : path_; }

  Status add_text(std::string_view text, int64_t line, bool only_first) {
    if (reader_.tokenizer == nullptr) {
      return not_found(
          "[calibration] {}: expected a model with a tokenizer to read text, got none; add tokenizer.json, or give "
          "lines of {{\"tokens\": [...]}}",
          place(line));
    }
    HALFTONE_ASSIGN(const std::vector<TokenId> tokens, reader_.tokenizer->encode(text, false));
    HALFTONE_TRY(check_ids(tokens, line));
    cut(tokens, reader_.bos >= 0, only_first);
    return {};
  }

  Status check_ids(const std::vector<int32_t>& tokens, int64_t line) const {
    for (const int32_t token : tokens) {
      if (token >= 0 && token < reader_.vocabulary) continue;
      return invalid_input("[calibration] {}: expected token ids in 0..{}, got {}; this is another model's tokenizer",
                           place(line), reader_.vocabulary - 1, token);
    }
    return {};
  }

  // A last window may be short; one token alone predicts nothing.
  void cut(const std::vector<int32_t>& tokens, bool bos, bool only_first) {
    const size_t step = static_cast<size_t>(result_.length) - (bos ? 1 : 0);
    for (size_t begin = 0; begin < tokens.size(); begin += step) {
      const auto from = tokens.begin() + static_cast<std::ptrdiff_t>(begin);
      Window window;
      if (bos) window.push_back(reader_.bos);
      window.insert(window.end(), from, from + static_cast<std::ptrdiff_t>(std::min(step, tokens.size() - begin)));
      if (window.size() > 1) windows_.push_back(std::move(window));
      if (only_first) return;
    }
  }

  void count_sample(const Window& tokens) {
    ++result_.samples;
    if (!seen_.insert(tokens).second) ++result_.duplicates;
  }

  Status check_amount() {
    result_.file_tokens = tokens_of_windows();
    if (windows_.empty()) return invalid_input("[calibration] {}: expected text, got an empty file", path_);
    if (seen_.size() == 1 && result_.samples > 1) {
      return invalid_input("[calibration] {}: expected different samples, got one repeated {} times", path_,
                           result_.samples);
    }
    if (result_.file_tokens >= options_.tokens) return {};
    return invalid_input(
        "[calibration] {}: expected at least {} tokens, got {}; give more text, or ask for fewer tokens", path_,
        options_.tokens, result_.file_tokens);
  }

  // A window is taken when the tokens taken so far have fallen behind their share by half of it.
  void draw() {
    const double share = std::min(1.0, static_cast<double>(options_.tokens) / static_cast<double>(result_.file_tokens));
    double due = 0;
    Sequences& taken = result_.sequences;
    for (const Window& window : windows_) {
      const auto size = static_cast<double>(window.size());
      due += share * size;
      if (static_cast<double>(taken.size()) + size / 2 > due) continue;
      taken.begins.push_back(taken.size());
      taken.tokens.insert(taken.tokens.end(), window.begin(), window.end());
    }
  }

  std::string path_;
  const CalibrationReader& reader_;
  const CalibrationOptions& options_;
  std::vector<Window> windows_;
  std::set<Window> seen_;
  Calibration result_;
};

}  // namespace

CalibrationReader reader_of(const LanguageModel& model) {
  return {model.tokenizer.get(), model.config.vocabulary, model.config.context, static_cast<TokenId>(model.config.bos)};
}

nlohmann::ordered_json Calibration::to_json() const {
  return {{"path", path},
          {"kind", kind},
          {"tokens", sequences.size()},
          {"windows", sequences.count()},
          {"window_tokens", length},
          {"samples", samples},
          {"file_tokens", file_tokens},
          {"duplicates", duplicates},
          {"excerpts", excerpts}};
}

Result<Calibration> read_calibration(std::string_view bytes, const std::filesystem::path& path,
                                     const CalibrationReader& reader, const CalibrationOptions& options) {
  return CalibrationLoader(path.string(), reader, options).run(bytes);
}

Result<std::optional<Calibration>> calibration_of(const LanguageModel& model, const std::filesystem::path& path,
                                                  const CalibrationOptions& options) {
  if (path.empty()) return std::optional<Calibration>();
  HALFTONE_ASSIGN(Calibration calibration, load_calibration(path, reader_of(model), options));
  return std::optional<Calibration>(std::move(calibration));
}

Result<Calibration> load_calibration(const std::filesystem::path& path, const CalibrationReader& reader,
                                     const CalibrationOptions& options) {
  HALFTONE_ASSIGN(const std::shared_ptr<const FileMap> map, FileMap::open(path));
  const std::span<const std::byte> bytes = map->bytes();
  return read_calibration({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path, reader, options);
}

}  // namespace halftone
