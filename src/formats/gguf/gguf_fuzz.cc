// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "formats/gguf/gguf.h"

// Any bytes as a GGUF file: refused with words, or tensors lie apart and inside the file, and what was read is, written
// again, read as the same.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace halftone;
  const auto file = std::as_bytes(std::span(data, size));
  const auto header = parse_gguf(file, "fuzz");
  if (!header.ok()) {
    HALFTONE_CHECK(!header.status().message().empty());
    return 0;
  }
  GgufPlan plan;
  for (const GgufEntry& entry : header->metadata)
    if (entry.key != "general.alignment") plan.metadata.copy(entry);
  uint64_t end = 0;
  for (const GgufTensor& tensor : header->tensors) {
    HALFTONE_CHECK(tensor.begin >= end && tensor.end > tensor.begin && tensor.end <= size);
    end = tensor.end;
    plan.tensors.push_back({std::string(tensor.name), tensor.shape, tensor.type});
    HALFTONE_CHECK(plan.tensors.back().bytes() == static_cast<int64_t>(tensor.end - tensor.begin));
  }
  auto head = gguf_head(plan, "again");
  HALFTONE_CHECK(head.ok());
  head->resize(head->size() + size + kGgufAlignment * plan.tensors.size());  // room for the payloads
  const auto again = parse_gguf(std::as_bytes(std::span(head->data(), head->size())), "again");
  HALFTONE_CHECK(again.ok());
  HALFTONE_CHECK(again->metadata.size() == plan.metadata.count() && again->tensors.size() == plan.tensors.size());
  GgufMetadata copy;
  for (const GgufEntry& entry : again->metadata) copy.copy(entry);
  HALFTONE_CHECK(copy.bytes() == plan.metadata.bytes());
  for (size_t i = 0; i < again->tensors.size(); ++i)
    HALFTONE_CHECK(again->tensors[i].name == plan.tensors[i].name && again->tensors[i].shape == plan.tensors[i].shape &&
                   again->tensors[i].type == plan.tensors[i].type);
  return 0;
}
