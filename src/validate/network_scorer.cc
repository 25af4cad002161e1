// SPDX-License-Identifier: Apache-2.0
#include "validate/network_scorer.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "metrics/logits.h"

namespace halftone {
namespace {

// A probability of zero on a grid of codes; its logarithm must be a number.
constexpr double kLeastProbability = 1e-9;

const network::Node* writer_of(const network::Network& network, network::ValueId value) {
  const auto found = std::find_if(network.nodes.begin(), network.nodes.end(), [&](const network::Node& node) {
    return std::find(node.outputs.begin(), node.outputs.end(), value) != node.outputs.end();
  });
  return found == network.nodes.end() ? nullptr : &*found;
}

// Whether a softmax wrote the value, looking through what leaves numbers as they are.
bool is_softmax(const network::Network& network, network::ValueId value) {
  for (const network::Node* node = writer_of(network, value); node != nullptr;
       node = writer_of(network, node->inputs[0])) {
    if (const auto* softmax = std::get_if<network::Softmax>(&node->op))
      return softmax->kind == network::SoftmaxKind::soft;
    const bool same =
        std::holds_alternative<network::Quantize>(node->op) || std::holds_alternative<network::Dequantize>(node->op) ||
        std::holds_alternative<network::Identity>(node->op) || std::holds_alternative<network::Cast>(node->op) ||
        std::holds_alternative<network::Reshape>(node->op) || std::holds_alternative<network::Squeeze>(node->op);
    if (!same || node->inputs.empty()) return false;
  }
  return false;
}

template <class T>
double code_at(const Tensor& tensor, size_t i) {
  return static_cast<double>(tensor.values<T>()[i]);
}

// One number of an integer or float tensor.
double number(const Tensor& tensor, size_t i) {
  switch (tensor.type()) {
    case DType::i8:
      return code_at<int8_t>(tensor, i);
    case DType::u8:
      return code_at<uint8_t>(tensor, i);
    case DType::i16:
      return code_at<int16_t>(tensor, i);
    case DType::i32:
      return code_at<int32_t>(tensor, i);
    case DType::i64:
      return code_at<int64_t>(tensor, i);
    case DType::boolean:
      return code_at<bool>(tensor, i);
    default:
      return code_at<float>(tensor, i);
  }
}

template <class T>
Tensor on_grid(const Tensor& values, DType type, Shape shape, float scale, float zero) {
  std::vector<T> codes;
  for (const float value : values.values<float>())
    codes.push_back(static_cast<T>(std::clamp(
        std::nearbyint(static_cast<double>(value) / static_cast<double>(scale)) + static_cast<double>(zero),
        static_cast<double>(std::numeric_limits<T>::min()), static_cast<double>(std::numeric_limits<T>::max()))));
  return Tensor::of<T>(type, std::move(shape), std::span<const T>(codes));
}

}  // namespace

NetworkScorer::NetworkScorer(NetworkFile file, int threads, Activations activations)
    : file_(std::move(file)),
      pool_(std::make_unique<ThreadPool>(threads > 0 ? threads : available_cores())),
      runner_(std::make_unique<network::Runner>(file_.network, *pool_, activations)) {}

Result<NetworkScorer::Grid> NetworkScorer::grid_of(const network::Network& network, network::ValueId value, DType type,
                                                   bool reads) {
  if (type == DType::f32) return Grid{};
  for (const network::Node& node : network.nodes) {
    const bool here = reads ? std::holds_alternative<network::Dequantize>(node.op) && node.inputs[0] == value
                            : std::holds_alternative<network::Quantize>(node.op) && node.outputs[0] == value;
    if (!here || node.inputs.size() < 2) continue;
    const auto scale = network.constants.find(node.inputs[1]);
    if (scale == network.constants.end() || scale->second.type() != DType::f32 || scale->second.elements() != 1)
      continue;
    Grid grid{scale->second.values<float>()[0], 0};
    if (node.inputs.size() > 2 && node.inputs[2] != network::kNoValue) {
      const auto zero = network.constants.find(node.inputs[2]);
      if (zero == network.constants.end() || zero->second.elements() != 1) continue;
      grid.zero = static_cast<float>(number(zero->second, 0));
    }
    if (grid.scale > 0) return grid;
  }
  return unsupported("{} {}: expected f32, or codes with one scale, got {}", reads ? "input" : "output",
                     network.name_of(value), halftone::name_of(type));
}

Shape sample_shape(const network::Network& network) {
  Shape shape;
  if (network.inputs.empty()) return shape;
  const network::Port& port = network.inputs[0];
  for (size_t i = 1; port.has_shape && i < port.shape.size(); ++i) shape.push_back(port.shape[i].size);
  return shape;
}

Result<std::unique_ptr<NetworkScorer>> NetworkScorer::create(NetworkFile file, int threads, Activations activations) {
  const network::Network& network = *file.network;
  const std::string path = file.path.string();
  if (network.inputs.size() != 1)
    return unsupported("[validate] {}: expected a network with one input, got {}", path, network.inputs.size());
  std::unique_ptr<NetworkScorer> scorer(new NetworkScorer(std::move(file), threads, activations));
  const network::Port &input = network.inputs[0], &output = network.outputs[0];
  const auto at_path = [&](const Status& status) {
    return Status(status.code(), fmt::format("[validate] {}: {}", path, status.message()));
  };
  auto grid = grid_of(network, input.value, input.type, true);
  if (!grid.ok()) return at_path(grid.status());
  scorer->input_ = *grid;
  grid = grid_of(network, output.value, output.type, false);
  if (!grid.ok()) return at_path(grid.status());
  scorer->output_ = *grid;
  scorer->probabilities_ = is_softmax(network, output.value);
  return scorer;
}

// The port's own shape where it says one, with 1 for what varies.
Result<Tensor> NetworkScorer::input_of(const Tensor& sample) const {
  const network::Port& port = file_.network->inputs[0];
  Shape shape = {1};
  shape.insert(shape.end(), sample.shape().begin(), sample.shape().end());
  if (port.has_shape) {
    shape.clear();
    for (const network::Dimension& one : port.shape) shape.push_back(one.size < 0 ? 1 : one.size);
  }
  if (elements_of(shape) != sample.elements())
    return invalid_input("[validate] input {}: expected {}, got samples of {}", file_.network->name_of(port.value),
                         text_of(shape), text_of(sample.shape()));
  switch (port.type) {
    case DType::i8:
      return on_grid<int8_t>(sample, port.type, shape, input_.scale, input_.zero);
    case DType::u8:
      return on_grid<uint8_t>(sample, port.type, shape, input_.scale, input_.zero);
    case DType::i16:
      return on_grid<int16_t>(sample, port.type, shape, input_.scale, input_.zero);
    case DType::f32:
      return sample.reshaped(std::move(shape));
    default:
      return unsupported("[validate] input {}: expected f32 or codes of 8 or 16 bits, got {}",
                         file_.network->name_of(port.value), halftone::name_of(port.type));
  }
}

Result<std::vector<Tensor>> NetworkScorer::run(const Tensor& sample) {
  HALFTONE_ASSIGN(const Tensor input, input_of(sample));
  HALFTONE_ASSIGN(std::vector<Tensor> outputs, runner_->run(std::span(&input, 1)));
  for (size_t i = 0; i < outputs.size(); ++i)
    if (outputs[i].type() != file_.network->outputs[i].type)
      return invalid_input("[validate] output {}: expected {}, got {}", i,
                           halftone::name_of(file_.network->outputs[i].type), halftone::name_of(outputs[i].type()));
  return outputs;
}

namespace {

Result<double> finite_number(const Tensor& output, size_t i, float scale, float zero) {
  double value = number(output, i);
  if (scale > 0) value = static_cast<double>(scale) * (value - static_cast<double>(zero));
  if (std::isfinite(value)) return value;
  return invalid_input(
      "[validate] output: expected finite numbers, got NaN or infinity; its weights or scales are damaged");
}

bool counts_things(DType type) { return type == DType::i64 || type == DType::i32 || type == DType::boolean; }

}  // namespace

Result<std::vector<Tensor>> NetworkScorer::outputs(const Tensor& sample) {
  HALFTONE_ASSIGN(const std::vector<Tensor> all, run(sample));
  std::vector<Tensor> out;
  for (size_t i = 0; i < all.size(); ++i) {
    const network::Port& port = file_.network->outputs[i];
    Grid grid;
    if (!counts_things(port.type)) {  // class numbers and masks are what they are
      HALFTONE_ASSIGN(grid, grid_of(*file_.network, port.value, port.type, false));
    }
    HALFTONE_ASSIGN(Tensor values, Tensor::make(DType::f32, all[i].shape()));
    const auto numbers = values.mutable_values<float>();
    for (size_t k = 0; k < numbers.size(); ++k) {
      HALFTONE_ASSIGN(const double value, finite_number(all[i], k, grid.scale, grid.zero));
      numbers[k] = static_cast<float>(value);
    }
    out.push_back(std::move(values));
  }
  return out;
}

Result<std::vector<double>> NetworkScorer::log_probabilities(const Tensor& sample) {
  HALFTONE_ASSIGN(const std::vector<Tensor> outputs, run(sample));
  const Tensor& output = outputs[0];
  const auto count = static_cast<size_t>(output.elements());
  if (count < 2 || output.dim(output.rank() - 1) != static_cast<int64_t>(count))
    return invalid_input("[validate] output: expected one row of 2 classes or more, got {}", text_of(output.shape()));
  std::vector<double> scores(count);
  for (size_t i = 0; i < count; ++i) {
    HALFTONE_ASSIGN(scores[i], finite_number(output, i, output_.scale, output_.zero));
    if (probabilities_) scores[i] = std::log(std::max(scores[i], kLeastProbability));
  }
  const double most = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (const double score : scores) sum += std::exp(score - most);
  for (double& score : scores) score -= most + std::log(sum);
  return scores;
}

}  // namespace halftone
