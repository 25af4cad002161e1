// SPDX-License-Identifier: Apache-2.0
#include "runtime/network/layouts.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "runtime/network/op_context.h"

namespace halftone::network {
namespace {

std::vector<int64_t> order_of(int64_t rank, bool to_last) {
  std::vector<int64_t> order(static_cast<size_t>(rank));
  std::iota(order.begin(), order.end(), 0);
  if (to_last)
    std::rotate(order.begin() + 1, order.begin() + 2, order.end());
  else
    std::rotate(order.begin() + 1, order.end() - 1, order.end());
  return order;
}

class Planner {
 public:
  explicit Planner(const Network& from) : from_(from), to_(from), pool_(1) { to_.nodes.clear(); }

  Network plan() && {
    for (const Node& node : from_.nodes) {
      Node copy = node;
      std::visit([&](auto& op) { return turn(op, copy); }, copy.op);
      for (const ValueId id : copy.inputs) turn_back(id);  // what it reads as it was
      to_.nodes.push_back(std::move(copy));
    }
    for (const Port& port : from_.outputs) turn_back(port.value);
    keep_names();
    return std::move(to_);
  }

 private:
  // A value with its channels last, and its rank.
  struct Turned {
    ValueId last;
    int64_t rank;
    bool has_first;  // the value itself is there, too
  };

  // Each makes `node` compute with channels last, or returns false and leaves it.
  bool turn(Conv& op, Node& node) {
    const Tensor* weight = node.inputs.size() > 1 ? constant(node.inputs[1]) : nullptr;
    if (op.window.order != ImageOrder::channels_first || weight == nullptr || weight->rank() < 3 ||
        node.outputs.size() != 1)
      return false;
    const ValueId turned_weight = turned_constant(*weight, weight->rank(), node.inputs[1]);
    if (turned_weight == kNoValue) return false;
    const int64_t rank = weight->rank();
    node.inputs[0] = last_of(node.inputs[0], rank);
    node.inputs[1] = turned_weight;
    op.window.order = ImageOrder::channels_last;
    return gives_last(node, rank);
  }
  bool turn(Pool& op, Node& node) {
    if (op.window.order != ImageOrder::channels_first || node.outputs.size() != 1) return false;
    if (!takes_last(node)) return false;
    op.window.order = ImageOrder::channels_last;
    return gives_last(node, rank_);
  }
  bool turn(BatchNorm& op, Node& node) {
    if (op.order != ImageOrder::channels_first || !takes_last(node)) return false;
    op.order = ImageOrder::channels_last;
    return gives_last(node, rank_);
  }
  bool turn(Unary&, Node& node) { return takes_last(node) && gives_last(node, rank_); }
  bool turn(Clip&, Node& node) { return takes_last(node) && gives_last(node, rank_); }
  bool turn(Identity&, Node& node) { return takes_last(node) && gives_last(node, rank_); }

  bool turn(Concat& op, Node& node) {
    if (op.axis != 1 || !all_turned(node)) return false;
    for (ValueId& id : node.inputs) id = turned_.at(id).last;
    op.axis = rank_ - 1;
    return gives_last(node, rank_);
  }

  // Two images, or one and a constant that broadcasts to it: one number, or one per channel.
  bool turn(Binary&, Node& node) {
    if (node.inputs.size() != 2) return false;
    if (all_turned(node)) {
      for (ValueId& id : node.inputs) id = turned_.at(id).last;
      return gives_last(node, rank_);
    }
    for (size_t i = 0; i < 2; ++i) {
      const auto image = turned_.find(node.inputs[i]);
      const Tensor* other = constant(node.inputs[1 - i]);
      if (image == turned_.end() || other == nullptr) continue;
      const int64_t rank = image->second.rank;
      if (other->elements() == 1 && other->rank() <= rank) {
        node.inputs[i] = image->second.last;
        return gives_last(node, rank);
      }
      if (other->rank() < rank - 1 || other->rank() > rank) return false;
      Shape shape = other->shape();
      if (other->rank() == rank - 1) shape.insert(shape.begin(), 1);
      const ValueId turned = turned_constant(other->reshaped(shape), rank, node.inputs[1 - i]);
      if (turned == kNoValue) return false;
      node.inputs[i] = image->second.last;
      node.inputs[1 - i] = turned;
      return gives_last(node, rank);
    }
    return false;
  }
  template <class Other>
  bool turn(Other&, Node&) {
    return false;
  }

  const Tensor* constant(ValueId id) const {
    const auto found = from_.constants.find(id);
    return found == from_.constants.end() ? nullptr : &found->second;
  }
  bool all_turned(const Node& node) {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const auto found = turned_.find(node.inputs[i]);
      if (found == turned_.end() || (i > 0 && found->second.rank != rank_)) return false;
      rank_ = found->second.rank;
    }
    return !node.inputs.empty();
  }
  bool takes_last(Node& node) {
    const auto found = node.inputs.empty() ? turned_.end() : turned_.find(node.inputs[0]);
    if (found == turned_.end() || node.outputs.size() != 1) return false;
    rank_ = found->second.rank;
    node.inputs[0] = found->second.last;
    return true;
  }
  bool gives_last(Node& node, int64_t rank) {
    const ValueId id = node.outputs[0];
    node.outputs[0] = new_value(from_.name_of(id));
    turned_[id] = {node.outputs[0], rank, false};
    return true;
  }

  ValueId new_value(const std::string& name) {
    to_.values.push_back(name + " (channels last)");
    return static_cast<ValueId>(to_.values.size() - 1);
  }
  ValueId last_of(ValueId id, int64_t rank) {
    const auto found = turned_.find(id);
    if (found != turned_.end()) return found->second.last;
    const ValueId last = new_value(from_.name_of(id));
    to_.nodes.push_back({Transpose{order_of(rank, true)}, from_.name_of(id), {id}, {last}});
    turned_[id] = {last, rank, true};
    return last;
  }
  void turn_back(ValueId id) {
    const auto found = turned_.find(id);
    if (found == turned_.end() || found->second.has_first) return;
    to_.nodes.push_back(
        {Transpose{order_of(found->second.rank, false)}, from_.name_of(id), {found->second.last}, {id}});
    found->second.has_first = true;
  }
  // A constant that is only read turned is known by its own name, and the other is gone.
  void keep_names() {
    std::set<ValueId> read;
    for (const Node& node : to_.nodes) read.insert(node.inputs.begin(), node.inputs.end());
    for (const auto& [turned, original] : turned_constants_) {
      if (read.contains(original) || to_.constants.erase(original) == 0) continue;
      std::swap(to_.values[static_cast<size_t>(turned)], to_.values[static_cast<size_t>(original)]);
    }
  }
  // kNoValue: no memory for it, or it was turned for images of another rank.
  ValueId turned_constant(const Tensor& tensor, int64_t rank, ValueId from) {
    for (const auto& [turned, original] : turned_constants_)  // read twice
      if (original == from) return to_.constants.at(turned).rank() == rank ? turned : kNoValue;
    const std::vector<Tensor> inputs = {tensor};
    std::vector<Tensor> outputs(1);
    OpContext context{inputs, outputs, pool_};
    if (!run_op(Transpose{order_of(rank, true)}, context).ok()) return kNoValue;
    const ValueId id = new_value(from_.name_of(from));
    to_.constants[id] = std::move(outputs[0]);
    turned_constants_[id] = from;
    return id;
  }

  const Network& from_;
  Network to_;
  ThreadPool pool_;
  std::map<ValueId, Turned> turned_;
  std::map<ValueId, ValueId> turned_constants_;  // to what they were made of
  int64_t rank_ = 0;                             // of the last value that was looked up
};

}  // namespace

std::shared_ptr<const Network> plan_layouts(std::shared_ptr<const Network> network) {
  const auto turns = [](const Node& node) {
    const Conv* conv = std::get_if<Conv>(&node.op);
    return conv != nullptr && conv->window.order == ImageOrder::channels_first;
  };
  if (std::ranges::none_of(network->nodes, turns)) return network;
  return std::make_shared<const Network>(Planner(*network).plan());
}

}  // namespace halftone::network
