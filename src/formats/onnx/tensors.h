// SPDX-License-Identifier: Apache-2.0
// Constants of a file as tensors: mapped where the file holds their bytes as we do, else copied.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "base/file_map.h"
#include "formats/onnx/messages.h"
#include "tensor/tensor.h"

namespace halftone::onnx {

// The bytes that messages view, what keeps them, and where their model lies.
struct Source {
  std::string name;  // for messages
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> keep;
  std::filesystem::path folder;  // of external data; empty: none may be read
};

Result<Source> open_source(const std::filesystem::path& path);

class TensorLoader {
 public:
  explicit TensorLoader(const Source& source) : source_(source) {}

  // Types without a DType are `unsupported`, everything else that is wrong `invalid_input`: a size that is not what the
  // shape says, data that is not there or lies outside the model's folder. `source` must outlive the loader.
  Result<Tensor> load(const TensorMessage& message);

 private:
  struct Bytes {
    std::span<const std::byte> bytes;
    std::shared_ptr<const void> keep;
  };
  Result<Bytes> stored_bytes(const TensorMessage& message, int64_t expected);
  Result<Bytes> external_bytes(const TensorMessage& message, int64_t expected);
  Result<std::shared_ptr<const FileMap>> external_file(const TensorMessage& message, std::string_view location);
  Result<Tensor> from_numbers(const TensorMessage& message, int64_t elements);
  template <class... Args>
  Status error(const TensorMessage& message, fmt::format_string<Args...> format, Args&&... args) const {
    return invalid_input("[onnx] {}: tensor {}: {}", source_.name, message.name,
                         fmt::format(format, std::forward<Args>(args)...));
  }

  const Source& source_;
  std::map<std::string, std::shared_ptr<const FileMap>, std::less<>> files_;
};

// A file that holds one tensor, as test data of ONNX do.
Result<Tensor> read_tensor_file(const std::filesystem::path& path);

}  // namespace halftone::onnx
