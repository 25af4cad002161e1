// SPDX-License-Identifier: Apache-2.0
#include "quantize/transform/consumer_error.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "quantize/encode.h"
#include "tensor/layout.h"

namespace halftone {
namespace {

constexpr int64_t kMostPanels = 32;  // of one consumer

// What stands for a recipe's method, at the price of trying it twenty times.
const Method* cheap_method(const Assignment& assignment) {
  if (assignment.layout->is_palette()) return find_method("kmeans_lloyd");
  if (assignment.layout->is_nested() || assignment.method->name != "nearest") return find_method("search");
  return find_method("nearest");
}

}  // namespace

ConsumerError::ConsumerError(const ScaleGroup& group, const Graph& graph, const std::vector<Assignment>& assignments,
                             const GroupInputs& inputs, bool weighted, Products& products)
    : inputs_(inputs), weighted_(weighted), products_(products) {
  for (const ScaledPart& part : group.consumers) {
    const std::string& name = graph.weight(part.weight).name;
    const auto found = std::find_if(assignments.begin(), assignments.end(),
                                    [&](const Assignment& one) { return one.source->name == name; });
    if (found == assignments.end() || found->method == nullptr) continue;
    const WeightView view = found->source->view();
    const int64_t panels = (view.rows + kPanelRows - 1) / kPanelRows, taken = std::min(panels, kMostPanels);
    Consumer consumer{&*found, &part, cheap_method(*found), 0, view.columns, {}};
    for (int64_t i = 0; i < taken; ++i) {
      const int64_t first = i * panels / taken * kPanelRows, end = std::min(first + kPanelRows, view.rows);
      consumer.values.resize(static_cast<size_t>((consumer.rows + end - first) * view.columns));
      for (int64_t row = first; row < end; ++row)
        decode_row(view, row, consumer.values.data() + consumer.rows++ * view.columns);
    }
    consumers_.push_back(std::move(consumer));
  }
}

Result<double> ConsumerError::of(const Eighths& eighths) {
  double sum = 0;
  for (const Consumer& consumer : consumers_) {
    HALFTONE_ASSIGN(const double error, of(consumer, eighths));
    sum += error;
  }
  return sum;
}

bool ConsumerError::decode_scaled(const Consumer& consumer, const std::vector<float>& scaled,
                                  const InputStatistics& statistics, const Preparation* preparation,
                                  std::vector<float>& decoded) {
  const Layout& layout = *consumer.assignment->layout;
  const StoredTensor tensor{consumer.assignment->source->name,
                            {consumer.rows, consumer.columns},
                            &layout_of(LayoutId::f32),
                            DType::f32,
                            Order::rows,
                            std::as_bytes(std::span(scaled)),
                            consumer.assignment->source->file};
  const Assignment assignment{&tensor, consumer.assignment->op, "", &layout, consumer.method};
  const Guidance guidance{statistics, preparation};
  const int64_t panels = (consumer.rows + kPanelRows - 1) / kPanelRows;
  std::vector<char> expressed(static_cast<size_t>(panels));
  products_.pool().parallel_for(panels, 1, [&](int64_t begin, int64_t end, int) {
    PanelEncoder encoder;
    std::vector<std::byte> panel(static_cast<size_t>(layout.panel_bytes(consumer.columns)));
    for (int64_t p = begin; p < end; ++p) {
      const PanelResult result = encoder.encode(assignment, {&guidance, 1}, p, panel);
      expressed[static_cast<size_t>(p)] = result.problem == PanelResult::Problem::none;
      if (!expressed[static_cast<size_t>(p)]) continue;
      for (int64_t row = p * kPanelRows; row < std::min((p + 1) * kPanelRows, consumer.rows); ++row)
        layout.decode_row(panel, static_cast<int>(row % kPanelRows), consumer.columns,
                          decoded.data() + row * consumer.columns, encoder.head(layout));
    }
  });
  return std::find(expressed.begin(), expressed.end(), 0) == expressed.end();
}

Result<double> ConsumerError::of(const Consumer& consumer, const Eighths& eighths) {
  const int64_t columns = consumer.columns;
  std::vector<float> factors, back, moments;
  for (const int32_t channel : consumer.part->channels) {
    factors.push_back(factor_of(eighths[static_cast<size_t>(channel)]));
    back.push_back(factor_of(-eighths[static_cast<size_t>(channel)]));
  }
  std::vector<float> scaled(consumer.values.size()), decoded(scaled.size());
  for (size_t i = 0; i < scaled.size(); ++i) scaled[i] = consumer.values[i] * factors[i % factors.size()];
  InputStatistics statistics;
  if (weighted_) {
    for (size_t k = 0; k < back.size(); ++k) moments.push_back(inputs_.second_moment[k] * back[k] * back[k]);
    statistics = {inputs_.tokens, moments, {}};
  }
  std::unique_ptr<Preparation> preparation;
  if (consumer.method->prepare != nullptr) {
    const MatrixReader reader{
        consumer.rows, columns,
        [&](int64_t row, float* out) { std::copy_n(scaled.data() + row * columns, columns, out); },
        consumer.assignment->source->name};
    HALFTONE_ASSIGN(preparation,
                    consumer.method->prepare(*consumer.assignment->layout, reader, statistics, products_.pool()));
  }
  if (!decode_scaled(consumer, scaled, statistics, preparation.get(), decoded))
    return std::numeric_limits<double>::infinity();
  std::vector<float>& difference = scaled;
  for (size_t i = 0; i < difference.size(); ++i)
    difference[i] = decoded[i] * back[i % back.size()] - consumer.values[i];
  products_.by(difference.data(), consumer.rows, inputs_.hessian.data(), columns, columns, decoded.data());
  std::vector<double> sums(static_cast<size_t>(consumer.rows));
  for_rows(products_.pool(), consumer.rows, columns, [&](int64_t row) {
    for (int64_t k = row * columns; k < (row + 1) * columns; ++k)
      sums[static_cast<size_t>(row)] += static_cast<double>(difference[static_cast<size_t>(k)]) *
                                        static_cast<double>(decoded[static_cast<size_t>(k)]);
  });
  double sum = 0;
  for (const double one : sums) sum += one;
  return sum;
}

}  // namespace halftone
