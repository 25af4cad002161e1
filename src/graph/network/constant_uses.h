// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string_view>
#include <vector>

#include "graph/network/network.h"

namespace halftone::network {

// What nodes do with a constant.
struct ConstantUse {
  ValueId value = kNoValue;
  size_t first = 0;  // node that reads it first
  size_t input = 0;  // of that node
  size_t reads = 0;  // inputs of nodes that it is
  // conv, depthwise (each output reads one channel), linear (a product of two axes), bias, constant: anything else
  std::set<std::string_view> ops;
  // f32 numbers that every reader multiplies with, in one order: (outputs, the rest), or (the rest, outputs)
  bool matrix = false, columns_first = false;
  bool codes = false;  // read through a Dequantize
};

// Of every constant that is read, in the order in which nodes and their inputs read them. What a Dequantize makes of a
// constant counts as the constant.
std::vector<ConstantUse> constant_uses(const Network& network);

}  // namespace halftone::network
