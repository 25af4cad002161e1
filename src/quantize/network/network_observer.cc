// SPDX-License-Identifier: Apache-2.0
#include "quantize/network/network_observer.h"

#include <algorithm>

#include "base/error.h"
#include "quantize/calibration/statistics.h"
#include "quantize/network/input_rows.h"

namespace halftone {
namespace {

constexpr int64_t kStretchRows = 1024;  // of one product

// The port's own shape where it says one, with 1 for what varies.
Result<std::vector<Tensor>> inputs_of(const network::Network& network, const CalibrationArrays& samples,
                                      const std::string& path) {
  if (network.inputs.size() != 1 || network.inputs[0].type != DType::f32)
    return unsupported("[calibration] {}: expected a network with one input of f32, got {}", path,
                       network.inputs.size() == 1 ? fmt::format("one of {}", name_of(network.inputs[0].type))
                                                  : fmt::format("{} inputs", network.inputs.size()));
  const network::Port& port = network.inputs[0];
  Shape shape = {1};
  const Shape& given = samples.samples[0].values.shape();
  shape.insert(shape.end(), given.begin(), given.end());
  if (port.has_shape) {
    shape.clear();
    for (const network::Dimension& one : port.shape) shape.push_back(one.size < 0 ? 1 : one.size);
  }
  if (elements_of(shape) != elements_of(given))
    return invalid_input("[calibration] {}: expected {} as input {} of {} takes, got {}", samples.samples[0].name,
                         text_of(shape), network.name_of(port.value), path, text_of(given));
  std::vector<Tensor> inputs;
  for (const CalibrationArray& sample : samples.samples) inputs.push_back(sample.values.reshaped(shape));
  return inputs;
}

void append(std::vector<float>& to, const std::vector<float>& from) { to.insert(to.end(), from.begin(), from.end()); }

// A second moment about means instead of zero. a, b: means of what its rows and its columns stand for.
void center(std::vector<float>& moments, const std::vector<float>& a, const std::vector<float>& b) {
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t j = 0; j < b.size(); ++j) {
      float& value = moments[i * b.size() + j];
      value = static_cast<float>(static_cast<double>(value) - static_cast<double>(a[i]) * static_cast<double>(b[j]));
    }
}

// (runs, size) → (size)
void pool_runs(std::vector<float>& values, int64_t runs) {
  const size_t size = values.size() / static_cast<size_t>(runs);
  for (size_t i = 0; i < size; ++i) {
    double sum = 0;
    for (size_t at = i; at < values.size(); at += size) sum += static_cast<double>(values[at]);
    values[i] = static_cast<float>(sum / static_cast<double>(runs));
  }
  values.resize(size);
}

}  // namespace

// What one run of rows is multiplied with, summed up: x of the packed network, d = f - x.
class NetworkObserver::Sums {
 public:
  Sums(int64_t columns, bool hessian, bool drifts)
      : columns_(columns),
        hessian_(hessian),
        inputs_(columns),
        drift_(columns),
        sum_(hessian ? columns : 0),
        products_(hessian && drifts ? static_cast<size_t>(columns * columns) : 0) {}

  std::vector<float>& x() { return x_; }  // rows to be taken
  std::vector<float>& f() { return f_; }  // as many, or none

  void take(Products& products) {
    const int64_t rows = std::ssize(x_) / columns_;
    inputs_.add(x_);
    if (hessian_) sum_.add(x_.data(), rows, products);
    if (!f_.empty()) {
      for (size_t i = 0; i < f_.size(); ++i) f_[i] -= x_[i];
      drift_.add(f_);
      if (hessian_) add_products(rows, products);
    }
    x_.clear();
    f_.clear();
  }

  Status check(std::string_view name) const { return inputs_.check_finite(fmt::format("the inputs of '{}'", name)); }

  void finish(bool centered, Moments& out) {
    const std::vector<float> mean = inputs_.mean(), drift_mean = drift_.mean();
    std::vector<float> second = inputs_.second_moment(), hessian = hessian_ ? sum_.take_mean() : std::vector<float>();
    for (float& value : products_) value /= static_cast<float>(inputs_.tokens());
    if (centered && hessian_) center(hessian, mean, mean);
    if (centered && !products_.empty()) center(products_, mean, drift_mean);
    for (size_t k = 0; k < mean.size(); ++k) {
      if (centered) second[k] -= mean[k] * mean[k];
      second[k] = std::max(second[k], 0.0f);
      if (hessian_) hessian[k * mean.size() + k] = std::max(hessian[k * mean.size() + k], 0.0f);
    }
    out.rows = inputs_.tokens();
    append(out.mean, mean);
    append(out.drift_mean, drift_mean);
    append(out.second, second);
    append(out.hessian, hessian);
    append(out.drift, products_);
  }

 private:
  void add_products(int64_t rows, Products& products) {
    std::vector<float> stretch(products_.size());
    for (int64_t begin = 0; begin < rows; begin += kStretchRows) {
      const int64_t at = begin * columns_;
      products.transposed_by(x_.data() + at, columns_, f_.data() + at, columns_, std::min(kStretchRows, rows - begin),
                             stretch.data());
      for (size_t i = 0; i < stretch.size(); ++i) products_[i] += stretch[i];
    }
  }

  int64_t columns_;
  bool hessian_;
  ChannelStatistics inputs_, drift_;
  HessianSum sum_;
  std::vector<float> products_, x_, f_;
};

NetworkObserver::NetworkObserver(const NetworkWeights& weights, std::vector<Tensor> samples,
                                 std::vector<std::string> names, Products products, ThreadPool& pool)
    : weights_(weights),
      pool_(pool),
      products_(std::move(products)),
      samples_(std::move(samples)),
      names_(std::move(names)),
      float_(weights.network, samples_, pool),
      packed_(weights.network, samples_, pool) {
  for (const MatrixUse& use : weights.reads) matrices_[weights.network.name_of(use.weight)].use = use;
}

Result<std::unique_ptr<Observer>> NetworkObserver::create(const NetworkWeights& weights,
                                                          const std::vector<Assignment>& assignments,
                                                          const CalibrationArrays& samples, ThreadPool& pool) {
  HALFTONE_ASSIGN(std::vector<Tensor> inputs, inputs_of(weights.network, samples, weights.file.path.string()));
  std::vector<std::string> names;
  for (const CalibrationArray& sample : samples.samples) names.push_back(sample.name);
  HALFTONE_ASSIGN(Products products, Products::create(pool));
  std::unique_ptr<NetworkObserver> observer(
      new NetworkObserver(weights, std::move(inputs), std::move(names), std::move(products), pool));
  for (const Assignment& one : assignments) {
    if (!one.corrects.empty()) observer->matrices_.at(one.corrects).corrected = true;
    const auto matrix = observer->matrices_.find(one.source->name);
    if (matrix != observer->matrices_.end()) matrix->second.pooled = one.layout != nullptr && one.layout->is_palette();
  }
  return std::unique_ptr<Observer>(std::move(observer));
}

Status NetworkObserver::add_sample(const Matrix& matrix, size_t sample, std::vector<Sums>& sums) {
  const network::Node& node = weights_.network.nodes[matrix.use.node];
  const auto placed = [&](const Status& status) {
    return Status(status.code(), fmt::format("[calibration] {}: {}", names_[sample], status.message()));
  };
  const Result<Tensor> x = packed_.input_of(matrix.use.node, sample);
  if (!x.ok()) return placed(x.status());
  Result<Tensor> f = Tensor();
  if (changed_) f = float_.input_of(matrix.use.node, sample);
  if (!f.ok()) return placed(f.status());
  const Tensor& weight = packed_.constant(matrix.use.weight);
  for (size_t run = 0; run < sums.size(); ++run) {
    if (const Status added = add_input_rows(node, *x, weight, static_cast<int64_t>(run), sums[run].x()); !added.ok())
      return placed(added);
    if (changed_) HALFTONE_TRY(add_input_rows(node, *f, weight, static_cast<int64_t>(run), sums[run].f()));
  }
  return {};
}

Result<InputStatistics> NetworkObserver::observe(std::string_view name, Data wanted) {
  const Matrix& matrix = matrices_.find(name)->second;
  const Tensor& weight = packed_.constant(matrix.use.weight);
  const bool hessian = wanted == Data::hessian;
  Moments moments;
  moments.runs = input_runs(weights_.network.nodes[matrix.use.node]);
  moments.columns = weight.elements() / weight.dim(0);
  std::vector<Sums> sums;
  for (int64_t run = 0; run < moments.runs; ++run) sums.emplace_back(moments.columns, hessian, changed_);
  for (size_t sample = 0; sample < samples_.size(); ++sample) {
    HALFTONE_TRY(add_sample(matrix, sample, sums));
    if (sample + 1 < samples_.size() && std::ssize(sums[0].x()) < kStretchRows * moments.columns) continue;
    for (Sums& one : sums) one.take(products_);
  }
  for (Sums& one : sums) {
    HALFTONE_TRY(one.check(name));
    one.finish(matrix.corrected, moments);
  }
  if (matrix.pooled)
    for (std::vector<float>* part : {&moments.second, &moments.hessian, &moments.drift}) pool_runs(*part, moments.runs);
  moments_ = std::move(moments);
  return InputStatistics{
      moments_.rows, moments_.second, moments_.hessian, {}, moments_.drift, matrix.pooled ? 1 : moments_.runs};
}

void NetworkObserver::settle(std::string_view name, const Layout& layout, AlignedBuffer<std::byte> panels) {
  const Matrix& matrix = matrices_.find(name)->second;
  const Tensor& weight = packed_.constant(matrix.use.weight);
  const int64_t rows = weight.dim(0), columns = weight.elements() / rows;
  const WeightView packed{&layout, Order::panel16, rows, columns, {panels.data(), panels.size()}};
  Result<Tensor> numbers = Tensor::make(DType::f32, weight.shape());
  HALFTONE_CHECK(numbers.ok());  // as large as one that exists
  float* out = numbers->mutable_values<float>().data();
  for_rows(pool_, rows, columns, [&](int64_t row) { decode_row(packed, row, out + row * columns); });
  packed_.replace(matrix.use.weight, *std::move(numbers));
  changed_ = true;
}

std::vector<float> NetworkObserver::correct_bias(std::string_view name) {
  const MatrixUse& use = matrices_.find(name)->second.use;
  const auto before = float_.constant(use.weight).values<float>(), after = packed_.constant(use.weight).values<float>();
  const Tensor& old = packed_.constant(use.bias);
  std::vector<float> bias(old.values<float>().begin(), old.values<float>().end());
  const size_t columns = static_cast<size_t>(moments_.columns);
  const size_t run_rows = bias.size() / static_cast<size_t>(moments_.runs);
  for (size_t row = 0; row < bias.size(); ++row) {
    const size_t means = row / run_rows * columns;
    double lost = 0;  // W f - W' x, in the mean
    for (size_t k = 0; k < columns; ++k) {
      const auto x = static_cast<double>(moments_.mean[means + k]),
                 d = static_cast<double>(moments_.drift_mean[means + k]);
      lost +=
          static_cast<double>(before[row * columns + k]) * (x + d) - static_cast<double>(after[row * columns + k]) * x;
    }
    bias[row] += static_cast<float>(lost);
  }
  packed_.replace(use.bias, Tensor::of<float>(DType::f32, old.shape(), std::span<const float>(bias)));
  return bias;
}

}  // namespace halftone
