// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "base/error.h"
#include "formats/gguf/open.h"
#include "formats/test_files.h"

// Any bytes as a GGUF file that is opened: refused with words, or a model whose tensors all lie in the cache.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace halftone;
  static const TempFolder folder;
  static const bool set = ::setenv("HALFTONE_CACHE", (folder / "cache").c_str(), 1) == 0;
  HALFTONE_CHECK(set);
  write_text(folder / "a.gguf", {reinterpret_cast<const char*>(data), size});
  const auto model = open_gguf(folder / "a.gguf");
  if (!model.ok()) {
    HALFTONE_CHECK(!model.status().message().empty());
  } else {
    HALFTONE_CHECK(model->import && model->import->cache.string().starts_with(folder.path().string()));
    // A row is filled up to a panel of 16, a code of 2 bits to one of 6 or a float of 16.
    HALFTONE_CHECK(model->bytes_on_disk <= static_cast<int64_t>(size) * 16 * 8 + 65536);
    for (const StoredTensor& tensor : model->tensors) {
      std::vector<float> row(static_cast<size_t>(tensor.view().columns));
      decode_row(tensor.view(), tensor.view().rows - 1, row.data());
    }
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    HALFTONE_CHECK(entry.path().filename() == "a.gguf" || entry.path().filename() == "cache");
  std::filesystem::remove_all(folder / "cache");
  return 0;
}
