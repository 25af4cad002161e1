// SPDX-License-Identifier: Apache-2.0
#include "graph/network/network.h"

#include <fmt/format.h>

#include <queue>

#include "base/error.h"

namespace halftone::network {
namespace {

constexpr int kNobody = -1, kGiven = -2;  // who writes a value, beside the index of a node

Status claim(const Network& network, std::vector<int>& writer, ValueId id, int who, const std::string& where) {
  if (id < 0 || static_cast<size_t>(id) >= writer.size())
    return invalid_input("[network] {}: expected a value of the network, got number {} of {}", where, id,
                         writer.size());
  int& owner = writer[static_cast<size_t>(id)];
  if (owner != kNobody)
    return invalid_input("[network] {}: value {} is written twice; every value has one writer", where,
                         network.name_of(id));
  owner = who;
  return {};
}

Result<std::vector<int>> find_writers(const Network& network) {
  std::vector<int> writer(network.values.size(), kNobody);
  for (const Port& port : network.inputs) HALFTONE_TRY(claim(network, writer, port.value, kGiven, "inputs"));
  for (const auto& [id, tensor] : network.constants) HALFTONE_TRY(claim(network, writer, id, kGiven, "constants"));
  for (const auto& [id, packed] : network.packed) HALFTONE_TRY(claim(network, writer, id, kGiven, "constants"));
  for (size_t i = 0; i < network.nodes.size(); ++i) {
    const Node& node = network.nodes[i];
    for (const ValueId id : node.outputs)
      if (id != kNoValue) HALFTONE_TRY(claim(network, writer, id, static_cast<int>(i), node.name));
  }
  return writer;
}

Status check_reads(const Network& network, const std::vector<int>& writer) {
  const auto read = [&](ValueId id, const std::string& where) -> Status {
    if (id < 0 || static_cast<size_t>(id) >= writer.size())
      return invalid_input("[network] {}: expected a value of the network, got number {} of {}", where, id,
                           writer.size());
    if (writer[static_cast<size_t>(id)] == kNobody)
      return invalid_input("[network] {}: reads {}, which no node, input or constant writes", where,
                           network.name_of(id));
    return {};
  };
  for (const Node& node : network.nodes)
    for (const ValueId id : node.inputs)
      if (id != kNoValue) HALFTONE_TRY(read(id, node.name));
  for (const Port& port : network.outputs) HALFTONE_TRY(read(port.value, "outputs"));
  return {};
}

}  // namespace

Status finish(Network& network) {
  HALFTONE_ASSIGN(const std::vector<int> writer, find_writers(network));
  HALFTONE_TRY(check_reads(network, writer));
  const size_t count = network.nodes.size();
  std::vector<std::vector<int>> readers(count);
  std::vector<int> waits(count, 0);
  for (size_t i = 0; i < count; ++i) {
    for (const ValueId id : network.nodes[i].inputs) {
      const int from = id == kNoValue ? kGiven : writer[static_cast<size_t>(id)];
      if (from < 0) continue;
      readers[static_cast<size_t>(from)].push_back(static_cast<int>(i));
      ++waits[i];
    }
  }
  // The earliest node that waits for nothing comes next, so that an ordered file keeps its order.
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (size_t i = 0; i < count; ++i)
    if (waits[i] == 0) ready.push(static_cast<int>(i));
  std::vector<Node> ordered;
  ordered.reserve(count);
  while (!ready.empty()) {
    const auto next = static_cast<size_t>(ready.top());
    ready.pop();
    for (const int reader : readers[next])
      if (--waits[static_cast<size_t>(reader)] == 0) ready.push(reader);
    ordered.push_back(network.nodes[next]);
  }
  if (ordered.size() != count) {
    size_t first = 0;
    while (waits[first] == 0) ++first;
    return invalid_input("[network] {}: expected nodes in which none waits for itself, got a cycle through this one",
                         network.nodes[first].name);
  }
  network.nodes = std::move(ordered);
  return {};
}

std::string dump(const Network& network) {
  std::string text;
  for (const Node& node : network.nodes) {
    std::string line;
    for (const ValueId id : node.outputs)
      line += (line.empty() ? "" : ", ") + (id == kNoValue ? "_" : network.name_of(id));
    line += fmt::format(" = {}(", name_of(node.op));
    for (size_t i = 0; i < node.inputs.size(); ++i)
      line += (i == 0 ? "" : ", ") + (node.inputs[i] == kNoValue ? "_" : network.name_of(node.inputs[i]));
    text += line + ")\n";
  }
  return text;
}

}  // namespace halftone::network
