// SPDX-License-Identifier: Apache-2.0
#include "ship/weights.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <variant>

#include "graph/network/constant_uses.h"

namespace halftone {

namespace {

// The part of the model that a matrix belongs to, from the ops that read it.
std::map<std::string, std::string> parts_of(const Graph& graph) {
  std::set<std::string> tables, linears;
  for (const Node& node : graph.nodes) {
    if (const auto* embedding = std::get_if<Embedding>(&node.op)) tables.insert(graph.weight(embedding->table).name);
    if (const auto* linear = std::get_if<Linear>(&node.op)) linears.insert(graph.weight(linear->weight).name);
  }
  std::map<std::string, std::string> parts;
  for (const std::string& name : tables) parts[name] = linears.count(name) ? "embedding and output" : "embedding";
  for (const std::string& name : linears) {
    if (tables.count(name)) continue;
    if (name.find("attn") != std::string::npos)
      parts[name] = "attention";
    else if (name.find("mlp") != std::string::npos)
      parts[name] = "feed-forward";
    else
      parts[name] = "output";
  }
  return parts;
}

int64_t rank_of(const std::string& part) {
  static const std::vector<std::string> kOrder = {"embedding", "embedding and output", "attention", "feed-forward",
                                                  "output"};
  return std::find(kOrder.begin(), kOrder.end(), part) - kOrder.begin();
}

void add_tensor(const StoredTensor& tensor, WeightItem& item) {
  const auto bytes = static_cast<int64_t>(tensor.data.size());
  int64_t scales = 0;
  if (!tensor.layout->is_float() && tensor.shape.size() == 2)
    scales = tensor.shape[0] * tensor.layout->row_scale_bytes(tensor.shape[1]) +
             (tensor.shape[0] + kPanelRows - 1) / kPanelRows * tensor.layout->palette_bytes() +
             tensor.layout->head_bytes();
  item.tensors += 1;
  item.elements += tensor.elements();
  item.bytes += bytes;
  item.scale_bytes += scales;
  item.padding_bytes +=
      std::max<int64_t>(0, bytes - scales - (tensor.elements() * tensor.layout->bits / tensor.layout->vector + 7) / 8);
}

using Items = std::map<std::tuple<int64_t, std::string, std::string>, WeightItem>;

WeightItem& item_of(Items& items, int64_t rank, const std::string& part, std::string_view layout) {
  WeightItem& item = items[{rank, part, std::string(layout)}];
  item.part = part;
  item.layout = std::string(layout);
  return item;
}

WeightSummary summary_of(Items items) {
  WeightSummary summary;
  for (auto& [key, item] : items) {
    summary.parameters += item.elements;
    summary.bytes += item.bytes;
    summary.scale_bytes += item.scale_bytes;
    summary.padding_bytes += item.padding_bytes;
    summary.items.push_back(std::move(item));
  }
  if (summary.parameters > 0)
    summary.bits_per_weight = 8.0 * static_cast<double>(summary.bytes) / static_cast<double>(summary.parameters);
  return summary;
}

}  // namespace

WeightSummary summarize_weights(const LanguageModel& model) {
  const auto parts = parts_of(model.model->graph());
  Items items;
  const std::set<std::string> ignored(model.ignored.begin(), model.ignored.end());
  for (const StoredTensor& tensor : model.file.tensors) {
    if (tensor.layout == nullptr || ignored.count(tensor.name)) continue;
    const auto found = parts.find(tensor.name);
    const std::string part = found == parts.end() ? "norms and biases" : found->second;
    add_tensor(tensor, item_of(items, rank_of(part), part, tensor.layout->name));
  }
  return summary_of(std::move(items));
}

WeightSummary summarize_weights(const network::Network& network) {
  Items items;
  for (const network::ConstantUse& use : network::constant_uses(network)) {
    const std::string part = fmt::format("{}", fmt::join(use.ops, "+"));
    const auto packed = network.packed.find(use.value);
    if (packed != network.packed.end()) {
      const WeightView& matrix = packed->second.matrix;
      StoredTensor tensor;
      tensor.shape = {matrix.rows, matrix.columns};
      tensor.layout = matrix.layout;
      tensor.data = matrix.data;
      add_tensor(tensor, item_of(items, 0, part, matrix.layout->name));
      continue;
    }
    const Tensor& constant = network.constants.at(use.value);
    WeightItem& item = item_of(items, 0, part, name_of(constant.type()));
    item.tensors += 1;
    item.elements += constant.elements();
    item.bytes += constant.size_bytes();
  }
  return summary_of(std::move(items));
}

nlohmann::ordered_json to_json(const WeightSummary& summary) {
  nlohmann::ordered_json items = nlohmann::ordered_json::array();
  for (const WeightItem& item : summary.items)
    items.push_back({{"part", item.part},
                     {"layout", item.layout},
                     {"tensors", item.tensors},
                     {"parameters", item.elements},
                     {"bytes", item.bytes},
                     {"scale_bytes", item.scale_bytes},
                     {"padding_bytes", item.padding_bytes},
                     {"bits_per_weight", item.bits_per_weight()}});
  return {{"parameters", summary.parameters},           {"bytes", summary.bytes},
          {"scale_bytes", summary.scale_bytes},         {"padding_bytes", summary.padding_bytes},
          {"bits_per_weight", summary.bits_per_weight}, {"items", items}};
}

}  // namespace halftone
