// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "formats/huggingface/huggingface.h"

// Any text as an index: refused with words, or every shard is a plain file name.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto index = halftone::parse_shard_index({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!index.ok()) {
    HALFTONE_CHECK(!index.status().message().empty());
    return 0;
  }
  for (const std::string& shard : index->shards) {
    HALFTONE_CHECK(!shard.empty() && shard != ".." && shard.find('/') == std::string::npos);
    HALFTONE_CHECK(std::filesystem::path(shard).filename() == shard);
  }
  return 0;
}
