// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/atomic_write.h"
#include "base/error.h"
#include "formats/npy.h"
#include "models/shapes/shapes.h"

namespace halftone::shapes {
namespace {

constexpr int64_t kBatch = 1024;  // pictures in memory at a time
constexpr const char* kSuite = R"(name: shapes
task: classify
file: labels.csv
labels: classes.txt
slices: [figure, texture, count]
)";

std::string csv_line(int64_t row, const Label& label) {
  std::string boxes;
  for (const Box& box : label.boxes)
    boxes += fmt::format("{}{} {} {} {}", boxes.empty() ? "" : ";", box.left, box.top, box.right, box.bottom);
  return fmt::format("pictures.npy#{},{},{},{},{},{},{}\n", row, label.id(),
                     kFigures[static_cast<size_t>(label.figure)], kTextures[static_cast<size_t>(label.texture)],
                     kCounts[static_cast<size_t>(label.count)], label.clutter, boxes);
}

}  // namespace

Result<SetReport> write_set(const std::filesystem::path& out, int64_t pictures, uint64_t seed, bool replace,
                            ThreadPool& pool, Progress& progress) {
  if (pictures < 1) return invalid_input("[shapes] expected at least one picture, got {}", pictures);
  HALFTONE_ASSIGN(AtomicFolder folder, AtomicFolder::create(out, replace));
  HALFTONE_ASSIGN(FileWriter file, FileWriter::create(folder.path() / "pictures.npy"));
  HALFTONE_TRY(file.write(npy_header("|u1", std::array<int64_t, 4>{pictures, kSide, kSide, kChannels})));
  std::string csv = "path,label,figure,texture,count,clutter,boxes\n";
  std::vector<uint8_t> pixels(static_cast<size_t>(std::min(pictures, kBatch) * kPictureBytes));
  std::vector<std::string> lines(static_cast<size_t>(std::min(pictures, kBatch)));
  progress.begin("drawing", pictures, "pictures");
  for (int64_t first = 0; first < pictures; first += kBatch) {
    const int64_t count = std::min(kBatch, pictures - first);
    pool.parallel_for(count, 16, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        const std::span<uint8_t, kPictureBytes> picture(&pixels[static_cast<size_t>(i * kPictureBytes)], kPictureBytes);
        lines[static_cast<size_t>(i)] = csv_line(first + i, draw(seed, static_cast<uint64_t>(first + i), picture));
      }
    });
    HALFTONE_TRY(file.write(std::as_bytes(std::span(pixels).first(static_cast<size_t>(count * kPictureBytes)))));
    for (int64_t i = 0; i < count; ++i) csv += lines[static_cast<size_t>(i)];
    progress.advance(count);
  }
  progress.end();
  SetReport report{out, pictures, file.position()};
  HALFTONE_TRY(file.close());
  HALFTONE_TRY(write_file_atomic(folder.path() / "labels.csv", csv));
  std::string names;
  for (int id = 0; id < kClasses; ++id) names += class_name(id) + "\n";
  HALFTONE_TRY(write_file_atomic(folder.path() / "classes.txt", names));
  HALFTONE_TRY(write_file_atomic(folder.path() / "suite.yaml", kSuite));
  HALFTONE_TRY(folder.commit());
  return report;
}

}  // namespace halftone::shapes
