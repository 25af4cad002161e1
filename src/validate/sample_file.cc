// SPDX-License-Identifier: Apache-2.0
#include "validate/sample_file.h"

#include "base/error.h"
#include "base/numbers.h"
#include "validate/array_file.h"

namespace halftone {
namespace {

Status in_file(const std::string& name, const Status& status) {
  return {status.code(), fmt::format("{}: {}", name, status.message())};
}

std::optional<Picture> picture_in(const StoredArray& array, const ArrayFormat& format) {
  const Shape& shape = array.shape;
  const bool bytes = array.type == DType::u8 && shape.size() == 3 && (shape[2] == 1 || shape[2] == 3);
  if (!bytes || !format.shape.empty() || array.data.empty()) return std::nullopt;
  Picture picture{shape[0], shape[1], static_cast<int>(shape[2]), {}};
  const auto* begin = reinterpret_cast<const uint8_t*>(array.data.data());
  picture.pixels.assign(begin, begin + array.data.size());
  return picture;
}

}  // namespace

std::string SampleFile::name() const { return row < 0 ? path.string() : fmt::format("{}#{}", path.string(), row); }

SampleFile sample_file(const std::filesystem::path& folder, std::string_view text) {
  const size_t mark = text.rfind('#');
  if (mark != std::string_view::npos && text.substr(0, mark).ends_with(".npy")) {
    const auto row = parse_integer(text.substr(mark + 1));
    if (row && *row >= 0) return {folder / text.substr(0, mark), *row, {}, 0};
  }
  return {folder / text, -1, {}, 0};
}

// Arrays of many samples stay mapped; files of one are read and closed.
Result<std::shared_ptr<const FileMap>> SampleReader::map_of(const SampleFile& file) {
  if (file.row < 0) return FileMap::open(file.path);
  const auto found = arrays_.find(file.path);
  if (found != arrays_.end()) return found->second;
  HALFTONE_ASSIGN(auto map, FileMap::open(file.path));
  arrays_.emplace(file.path, map);
  return map;
}

Result<PictureFormat> SampleReader::picture_format() {
  if (!resolved_) {
    HALFTONE_ASSIGN(resolved_, format_for(format_.picture, input_));
  }
  return *resolved_;
}

Result<std::optional<Fitted>> SampleReader::seen(const SampleFile& file) {
  HALFTONE_ASSIGN(const auto map, map_of(file));
  const std::string name = file.name();
  std::optional<Picture> stored;
  if (is_picture_file(file.path)) {
    if (!format_.array.shape.empty())
      return invalid_input("{}: expected an array, since `input` says `shape`, got a picture; remove it", name);
    HALFTONE_ASSIGN(stored, decode_picture(map->bytes(), name));
  } else {
    HALFTONE_ASSIGN(const StoredArray array,
                    stored_array(map->bytes(), name, file.path.extension() == ".npy", format_.array, file.row));
    stored = picture_in(array, format_.array);
  }
  if (!stored && file.shift)
    return invalid_input("{}: expected a picture, since the suite says `ood: true`, got an array", name);
  if (!stored) return std::optional<Fitted>();
  HALFTONE_ASSIGN(const PictureFormat format, picture_format());
  Result<Fitted> fit = fitted(*stored, format);
  if (!fit.ok()) return in_file(name, fit.status());
  if (file.shift) fit->picture = shifted(fit->picture, *file.shift, file.seed);
  return std::optional<Fitted>(*std::move(fit));
}

Result<std::optional<Picture>> SampleReader::picture(const SampleFile& file) {
  HALFTONE_ASSIGN(std::optional<Fitted> shown, seen(file));
  if (!shown) return std::optional<Picture>();
  Picture& picture = shown->picture;
  if (resolved_->colour == PictureColour::bgr)
    for (size_t i = 0; i < picture.pixels.size(); i += 3) std::swap(picture.pixels[i], picture.pixels[i + 2]);
  return std::optional<Picture>(std::move(picture));
}

Result<SeenSample> SampleReader::read(const SampleFile& file) {
  HALFTONE_ASSIGN(const std::optional<Fitted> picture, seen(file));
  const std::string name = file.name();
  if (picture) {
    Result<Tensor> values = values_of(picture->picture, *resolved_);
    if (!values.ok()) return in_file(name, values.status());
    return SeenSample{*std::move(values), picture->place};
  }
  HALFTONE_ASSIGN(const auto map, map_of(file));
  HALFTONE_ASSIGN(const StoredArray array,
                  stored_array(map->bytes(), name, file.path.extension() == ".npy", format_.array, file.row));
  HALFTONE_ASSIGN(Tensor values, numbers_of(array, name, format_.array));
  return SeenSample{std::move(values), {}};
}

}  // namespace halftone
