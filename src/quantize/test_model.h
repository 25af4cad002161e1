// SPDX-License-Identifier: Apache-2.0
// For tests only: a tiny model with random weights, texts of random tokens, and matrices packed by the plainest method.
#pragma once

#include <memory>
#include <string_view>

#include "base/aligned.h"
#include "base/error.h"
#include "base/rng.h"
#include "base/temp_folder.h"
#include "models/language_model.h"
#include "models/synth.h"
#include "quantize/encode.h"
#include "quantize/evaluate/sequences.h"

namespace halftone {

struct TestModel {
  explicit TestModel(std::string_view shape, DType type = DType::f32) {
    HALFTONE_CHECK(synth(shape, folder / "m", {.type = type}).ok());
    const auto loaded = load_language_model(folder / "m");
    HALFTONE_CHECK(loaded.ok());
    model = *loaded;
  }
  const Graph& graph() const { return model->model->graph(); }
  const ModelFile& file() const { return model->file; }

  TempFolder folder;
  std::shared_ptr<const LanguageModel> model;
};

// So many texts of so many tokens with ids below 90.
inline Sequences random_texts(int64_t count, int64_t length, uint64_t seed = 3) {
  Rng rng(seed);
  Sequences texts;
  for (int64_t i = 0; i < count; ++i) {
    texts.begins.push_back(texts.size());
    for (int64_t t = 0; t < length; ++t) texts.tokens.push_back(static_cast<int32_t>(rng.below(90)));
  }
  return texts;
}

inline AlignedBuffer<std::byte> nearest_panels(const StoredTensor& source, const Layout& layout) {
  const Assignment assignment{&source, "linear", "", &layout, find_method("nearest")};
  const WeightView view = source.view();
  AlignedBuffer<std::byte> panels(static_cast<size_t>(layout.bytes(view.rows, view.columns, Order::panel16)));
  const auto bytes = static_cast<size_t>(layout.panel_bytes(view.columns));
  PanelEncoder encoder;
  for (size_t panel = 0; panel * bytes < panels.size(); ++panel)
    encoder.encode(assignment, {}, static_cast<int64_t>(panel), {panels.data() + panel * bytes, bytes});
  return panels;
}

}  // namespace halftone
