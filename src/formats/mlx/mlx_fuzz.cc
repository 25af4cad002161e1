// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "formats/json_text.h"
#include "formats/mlx/mlx.h"

// Any text as config.json of a folder with packed weights of several shapes: refused with words, or every tensor has
// rows that can be read.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace halftone;
  const auto config = parse_json({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!config.ok() || !config->is_object()) return 0;
  const std::vector<std::byte> bytes(4096, std::byte{0x21});
  ModelFile folder;
  folder.path = "fuzz";
  folder.config = *config;
  const auto add = [&](const char* name, const Layout* layout, DType type, std::vector<int64_t> shape, int64_t each) {
    StoredTensor tensor;
    tensor.name = name;
    tensor.shape = std::move(shape);
    tensor.layout = layout;
    tensor.element_type = type;
    tensor.data = std::span(bytes).first(static_cast<size_t>(tensor.elements() * each));
    folder.tensors.push_back(std::move(tensor));
  };
  const Layout* f16 = &layout_of(LayoutId::f16);
  add("a.down_proj.biases", f16, DType::f16, {2, 4}, 2);
  add("a.down_proj.scales", f16, DType::f16, {2, 4}, 2);
  add("a.down_proj.weight", nullptr, DType::u32, {2, 32}, 4);
  add("a.x.biases", f16, DType::f16, {1, 1}, 2);
  add("a.x.scales", f16, DType::f16, {1, 1}, 2);
  add("a.x.weight", nullptr, DType::u32, {1, 12}, 4);
  add("b.up_proj.scales", nullptr, DType::u8, {2, 2}, 1);
  add("b.up_proj.weight", nullptr, DType::u32, {2, 8}, 4);
  const auto source = mlx_import(folder);
  if (!source.ok()) {
    HALFTONE_CHECK(!source.status().message().empty());
    return 0;
  }
  for (const ImportTensor& tensor : source->tensors) {
    const Layout& layout = *tensor.stored.layout;
    const int64_t columns = tensor.stored.shape.back();
    HALFTONE_CHECK(columns <= 4096 * 8);
    std::vector<int8_t> codes(static_cast<size_t>(columns));
    std::vector<uint16_t> scales(static_cast<size_t>(layout.groups(columns))), bases(scales.size());
    const auto error = tensor.rows->read(0, {codes, scales, bases, {}, {}, {}});
    HALFTONE_CHECK(error.ok() || !error.status().message().empty());
  }
  return 0;
}
