// SPDX-License-Identifier: Apache-2.0
#include "quantize/transform/scale_groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>

namespace halftone {
namespace {

std::vector<int32_t> identity(int64_t count) {
  std::vector<int32_t> channels(static_cast<size_t>(count));
  std::iota(channels.begin(), channels.end(), 0);
  return channels;
}

// How the rows of queries or keys map to factors: those of a head that rotate together share one.
struct PairMap {
  int64_t heads, head_dim, rotary;
  int64_t per_head() const { return head_dim - rotary / 2; }
  int32_t in_head(int64_t d) const {
    return static_cast<int32_t>(d < rotary ? d % std::max<int64_t>(1, rotary / 2) : d - rotary / 2);
  }
  // `share`: neighbouring heads with the same factors; 0: all.
  std::vector<int32_t> channels(int64_t share) const {
    std::vector<int32_t> result;
    for (int64_t row = 0; row < heads * head_dim; ++row) {
      const int64_t head = share == 0 ? 0 : row / head_dim / share;
      result.push_back(static_cast<int32_t>(head * per_head()) + in_head(row % head_dim));
    }
    return result;
  }
  std::vector<int32_t> one_head() const { return PairMap{1, head_dim, rotary}.channels(0); }
};

// Rows [first, first + width) of a matrix, which produce a value that nothing else reads.
struct RowSource {
  size_t node;    // the Linear
  int64_t first;  // of its rows
  int64_t width;
  std::string name;
};

class GroupFinder {
 public:
  explicit GroupFinder(const Graph& graph)
      : graph_(graph), readers_(graph.values.size()), producers_(graph.values.size()), reads_(graph.weights.size()) {
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      const Node& node = graph.nodes[i];
      for (const ValueId input : node.inputs) readers_[static_cast<size_t>(input)].push_back(i);
      producers_[static_cast<size_t>(node.output)] = i;
      if (const auto* linear = std::get_if<Linear>(&node.op)) {
        count(linear->weight);
        count(linear->bias);
      } else if (const auto* embedding = std::get_if<Embedding>(&node.op)) {
        count(embedding->table);
      } else if (const auto* rms = std::get_if<RmsNorm>(&node.op)) {
        count(rms->weight);
      } else if (const auto* layer = std::get_if<LayerNorm>(&node.op)) {
        count(layer->weight);
        count(layer->bias);
      }
    }
  }

  ScaleGroups find() {
    for (const Node& node : graph_.nodes) {
      if (const auto* rms = std::get_if<RmsNorm>(&node.op)) {
        if (rms->group == 0) norm(node, rms->weight, kNoWeight);
      } else if (const auto* layer = std::get_if<LayerNorm>(&node.op)) {
        norm(node, layer->weight, layer->bias);
      } else if (std::holds_alternative<SwiGlu>(node.op) || std::holds_alternative<GeGlu>(node.op)) {
        gated(node);
      } else if (const auto* attention = std::get_if<Attention>(&node.op)) {
        query_key(node, *attention);
        values(node, *attention);
      }
    }
    return std::move(found_);
  }

 private:
  void count(WeightId id) {
    if (id != kNoWeight) ++reads_[static_cast<size_t>(id)];
  }
  const std::vector<size_t>& readers(ValueId id) const { return readers_[static_cast<size_t>(id)]; }
  const Node& producer(ValueId id) const { return graph_.nodes[producers_[static_cast<size_t>(id)]]; }
  int64_t width(ValueId id) const { return graph_.values[static_cast<size_t>(id)].width; }

  // Takes the group if each of its weights is read at one place only.
  void take(ScaleGroup group) {
    for (const auto* parts : {&group.producers, &group.consumers}) {
      for (const ScaledPart& part : *parts) {
        if (reads_[static_cast<size_t>(part.weight)] == 1) continue;
        found_.left_out.push_back(fmt::format(
            "{}: '{}' is read at {} places, so its {} cannot be scaled for one", group.name,
            graph_.weight(part.weight).name, reads_[static_cast<size_t>(part.weight)], part.rows ? "rows" : "columns"));
        return;
      }
    }
    found_.groups.push_back(std::move(group));
  }

  // Columns of everything that reads the group's value; false where something else than a matrix reads it.
  bool consume(ScaleGroup& group, const std::vector<int32_t>& channels) const {
    for (const size_t reader : readers(group.value)) {
      const auto* linear = std::get_if<Linear>(&graph_.nodes[reader].op);
      if (linear == nullptr) return false;
      group.consumers.push_back({linear->weight, false, 0, channels});
    }
    return !group.consumers.empty() && group.value != graph_.logits;
  }

  // The rows that produce a value: of a matrix, or of a part of a fused one. None where others read them, too.
  std::optional<RowSource> source_of(ValueId value) const {
    if (readers(value).size() != 1 || value == graph_.logits) return {};
    const Node& node = producer(value);
    if (std::holds_alternative<Linear>(node.op))
      return RowSource{producers_[static_cast<size_t>(value)], 0, width(value), node.name};
    const auto* columns = std::get_if<Columns>(&node.op);
    if (columns == nullptr || !std::holds_alternative<Linear>(producer(node.inputs[0]).op)) return {};
    for (const size_t reader : readers(node.inputs[0])) {
      const auto* other = std::get_if<Columns>(&graph_.nodes[reader].op);
      if (other == nullptr) return {};
      const bool apart =
          other->first >= columns->first + columns->width || columns->first >= other->first + other->width;
      if (&graph_.nodes[reader] != &node && !apart) return {};
    }
    return RowSource{producers_[static_cast<size_t>(node.inputs[0])], columns->first, columns->width, node.name};
  }

  void add_rows(const RowSource& source, const std::vector<int32_t>& channels, std::vector<ScaledPart>& parts) const {
    const auto& linear = std::get<Linear>(graph_.nodes[source.node].op);
    parts.push_back({linear.weight, true, source.first, channels});
    if (linear.bias != kNoWeight) parts.push_back({linear.bias, false, source.first, channels});
  }

  void norm(const Node& node, WeightId gain, WeightId bias) {
    const int64_t channels = width(node.output);
    ScaleGroup group{GroupKind::norm, node.name, channels, {}, {}, node.output};
    group.producers.push_back({gain, false, 0, identity(channels)});
    if (bias != kNoWeight) group.producers.push_back({bias, false, 0, identity(channels)});
    if (consume(group, identity(channels))) take(std::move(group));
  }

  void gated(const Node& node) {
    const auto source = source_of(node.inputs[1]);
    if (!source) return;
    ScaleGroup group{GroupKind::up, source->name, source->width, {}, {}, node.output};
    add_rows(*source, identity(source->width), group.producers);
    if (consume(group, identity(source->width))) take(std::move(group));
  }

  void values(const Node& node, const Attention& op) {
    const auto source = source_of(node.inputs[2]);
    if (!source) return;
    ScaleGroup group{GroupKind::value, source->name, source->width, {}, {}, node.output, op.head_dim};
    add_rows(*source, identity(source->width), group.producers);
    std::vector<int32_t> columns;
    for (int64_t c = 0; c < int64_t{op.heads} * op.head_dim; ++c)
      columns.push_back(
          static_cast<int32_t>(c / op.head_dim / (op.heads / op.kv_heads) * op.head_dim + c % op.head_dim));
    if (consume(group, columns)) take(std::move(group));
  }

  // What stands between a projection and the attention.
  struct Side {
    const Rope* rope = nullptr;
    const RmsNorm* norm = nullptr;
    std::optional<RowSource> source = {};
    std::string name = {};
  };
  std::optional<Side> side_of(ValueId value) const {
    Side side;
    if (readers(value).size() != 1) return {};
    if (const auto* rope = std::get_if<Rope>(&producer(value).op)) {
      side.rope = rope;
      value = producer(value).inputs[0];
    }
    if (readers(value).size() != 1) return {};
    if (const auto* norm = std::get_if<RmsNorm>(&producer(value).op)) {
      if (norm->group == 0) return {};
      side.norm = norm;
      side.name = producer(value).name;
      return side;
    }
    side.source = source_of(value);
    if (!side.source) return {};
    side.name = side.source->name;
    return side;
  }
  void add_side(const Side& side, const PairMap& map, int64_t share, std::vector<ScaledPart>& parts) const {
    if (side.norm != nullptr)
      parts.push_back({side.norm->weight, false, 0, map.one_head()});
    else
      add_rows(*side.source, map.channels(share), parts);
  }

  void query_key(const Node& node, const Attention& op) {
    const auto q = side_of(node.inputs[0]), k = side_of(node.inputs[1]);
    if (!q || !k || (q->rope == nullptr) != (k->rope == nullptr)) return;
    const int64_t rotary = q->rope == nullptr ? 0 : q->rope->rotary;
    if (q->rope != nullptr && k->rope->rotary != rotary) return;
    // A norm per head has one gain for all heads.
    const bool shared = q->norm != nullptr || k->norm != nullptr;
    const PairMap queries{op.heads, op.head_dim, rotary}, keys{op.kv_heads, op.head_dim, rotary};
    ScaleGroup group{GroupKind::query_key, q->name + " and " + k->name, (shared ? 1 : op.kv_heads) * keys.per_head()};
    add_side(*q, queries, shared ? 0 : op.heads / op.kv_heads, group.producers);
    add_side(*k, keys, shared ? 0 : 1, group.consumers);
    take(std::move(group));
  }

  const Graph& graph_;
  std::vector<std::vector<size_t>> readers_;  // by value
  std::vector<size_t> producers_;             // by value
  std::vector<int> reads_;                    // by weight
  ScaleGroups found_;
};

}  // namespace

std::string_view name_of(GroupKind kind) {
  constexpr std::string_view kNames[] = {"norm", "up", "value", "query_key"};
  return kNames[static_cast<size_t>(kind)];
}

ScaleGroups scale_groups(const Graph& graph) { return GroupFinder(graph).find(); }

}  // namespace halftone
