// SPDX-License-Identifier: Apache-2.0
// One sample of a network's suite: a picture, an array, or a row of an array of many.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/file_map.h"
#include "formats/picture/picture.h"
#include "halftone/status.h"
#include "models/pictures/shifts.h"
#include "validate/input_format.h"

namespace halftone {

struct SampleFile {
  std::filesystem::path path;
  int64_t row = -1;            // of the first axis of a .npy file; -1: all of it
  std::optional<Shift> shift;  // of a picture: as it comes when nobody controls the camera
  uint64_t seed = 0;           // of the shift
  std::string name() const;
};
// As a list writes it, relative to its folder: "a.png", "sub/b.bin", "pictures.npy#12".
SampleFile sample_file(const std::filesystem::path& folder, std::string_view text);

struct SeenSample {
  Tensor values;       // what enters the network
  PicturePlace place;  // of a picture; of height 0 where the sample is none
};

// Files opened once each, read as often as asked. Not shared between threads.
class SampleReader {
 public:
  // `input`: sizes of what the network reads, without the batch; -1: any; empty: any rank.
  SampleReader(InputFormat format, Shape input) : format_(std::move(format)), input_(std::move(input)) {}

  // Errors name the file.
  Result<SeenSample> read(const SampleFile& file);
  // What the network sees of a picture, for people: red first. Nothing where the sample is no picture.
  Result<std::optional<Picture>> picture(const SampleFile& file);

 private:
  Result<std::optional<Fitted>> seen(const SampleFile& file);
  Result<std::shared_ptr<const FileMap>> map_of(const SampleFile& file);
  Result<PictureFormat> picture_format();

  InputFormat format_;
  Shape input_;
  std::optional<PictureFormat> resolved_;  // since the first picture
  std::map<std::filesystem::path, std::shared_ptr<const FileMap>> arrays_;
};

}  // namespace halftone
