// SPDX-License-Identifier: Apache-2.0
// Einstein's sums: a loop over every letter of the equation.
#include <algorithm>
#include <map>

#include "runtime/network/ops/ops.h"
#include "runtime/network/ops/shapes.h"
#include "runtime/network/ops/types.h"

namespace halftone::network::ops {
namespace {

// One input's letters; those of an ellipsis are small numbers, counted from its last axis.
constexpr int kMostEllipsis = 32;
struct Equation {
  std::vector<std::string> inputs;
  std::string output;
};

Result<std::string> letters_of(std::string_view term, int64_t rank, bool is_output) {
  std::string letters;
  const size_t dots = term.find("...");
  const auto named = static_cast<int64_t>(dots == std::string_view::npos ? term.size() : term.size() - 3);
  const int64_t rest = dots == std::string_view::npos ? 0 : rank - named;
  if (rest < 0 || rest >= kMostEllipsis || (!is_output && dots == std::string_view::npos && named != rank))
    return invalid_input("equation: expected a term of {} axes, got \"{}\"", rank, term);
  for (size_t i = 0; i < term.size(); ++i) {
    if (i == dots) {
      for (int64_t k = rest; k > 0; --k) letters += static_cast<char>(k);
      i += 2;
      continue;
    }
    if (!((term[i] >= 'a' && term[i] <= 'z') || (term[i] >= 'A' && term[i] <= 'Z')))
      return invalid_input("equation: expected letters, got \"{}\"", term);
    letters += term[i];
  }
  return letters;
}

Result<Equation> parse_equation(std::string text, std::span<const Tensor> inputs) {
  std::erase(text, ' ');
  const size_t arrow = text.find("->");
  std::string_view left = std::string_view(text).substr(0, arrow);
  Equation equation;
  int64_t ellipsis = 0;
  for (const Tensor& x : inputs) {
    const size_t comma = left.find(',');
    HALFTONE_ASSIGN(const std::string letters, letters_of(left.substr(0, comma), x.rank(), false));
    for (const char letter : letters)
      if (letter < kMostEllipsis) ellipsis = std::max<int64_t>(ellipsis, letter);
    equation.inputs.push_back(letters);
    const bool last = &x == &inputs.back();
    if (last != (comma == std::string_view::npos))
      return invalid_input("equation: expected {} terms, got \"{}\"", inputs.size(), text);
    if (!last) left.remove_prefix(comma + 1);
  }
  if (arrow != std::string::npos) {
    const std::string_view right = std::string_view(text).substr(arrow + 2);
    const auto named = static_cast<int64_t>(right.size()) - (right.find("...") == std::string_view::npos ? 0 : 3);
    HALFTONE_ASSIGN(equation.output, letters_of(right, named + ellipsis, true));
    return equation;
  }
  // Without an arrow: the ellipsis, then the letters that occur once, in the alphabet's order.
  std::map<char, int> seen;
  for (const std::string& letters : equation.inputs)
    for (const char letter : letters) ++seen[letter];
  for (int64_t k = ellipsis; k > 0; --k) equation.output += static_cast<char>(k);
  for (const auto& [letter, count] : seen)
    if (letter >= kMostEllipsis && count == 1) equation.output += letter;
  return equation;
}

// Every letter's size, and every view's stride along it: of the output first, then of the inputs.
struct Loop {
  int64_t size = 1;
  Strides strides;
};

template <class T>
void sum_products(const std::vector<Loop>& loops, std::span<const Tensor> inputs, T* y) {
  std::vector<int64_t> index(loops.size(), 0), at(inputs.size() + 1, 0);
  while (true) {
    T value = 1;
    for (size_t v = 0; v < inputs.size(); ++v) value *= data<T>(inputs[v])[at[v + 1]];
    y[at[0]] += value;
    size_t axis = loops.size();
    while (axis-- > 0) {
      for (size_t v = 0; v < at.size(); ++v) at[v] += loops[axis].strides[v];
      if (++index[axis] < loops[axis].size) break;
      for (size_t v = 0; v < at.size(); ++v) at[v] -= loops[axis].strides[v] * loops[axis].size;
      index[axis] = 0;
    }
    if (axis == SIZE_MAX) return;
  }
}

}  // namespace

Status run(const Einsum& op, OpContext& context) {
  HALFTONE_TRY(need(context, std::max<size_t>(context.inputs.size(), 1)));
  HALFTONE_ASSIGN(const Equation equation, parse_equation(op.equation, context.inputs));
  const size_t views = context.inputs.size() + 1;
  std::map<char, Loop> letters;
  bool empty = false;
  for (size_t v = 1; v < views; ++v) {
    const Tensor& x = context.inputs[v - 1];
    if (x.type() != context.input(0).type()) return invalid_input("expected inputs of one type");
    const Strides strides = strides_of(x.shape());
    for (size_t axis = 0; axis < x.shape().size(); ++axis) {
      Loop& loop = letters.try_emplace(equation.inputs[v - 1][axis], Loop{1, Strides(views, 0)}).first->second;
      const int64_t size = x.shape()[axis];
      if (size != loop.size && size != 1 && loop.size != 1)
        return invalid_input("expected equal sizes of a letter, got {} and {}", loop.size, size);
      if (size != 1) {
        loop.size = size;
        loop.strides[v] += strides[axis];
      }
      empty = empty || size == 0;
    }
  }
  Shape shape;
  for (const char letter : equation.output) {
    const auto found = letters.find(letter);
    if (found == letters.end() || std::ranges::count(equation.output, letter) != 1)
      return invalid_input("equation: expected an output of the inputs' letters, each once, got \"{}\"", op.equation);
    shape.push_back(found->second.size);
  }
  HALFTONE_ASSIGN(Tensor y, Tensor::make(context.input(0).type(), shape));
  std::ranges::fill(y.mutable_bytes(), std::byte{0});
  const Strides strides = strides_of(shape);
  std::vector<Loop> loops;  // of the output first: sums are over the inner ones
  for (size_t axis = 0; axis < equation.output.size(); ++axis) {
    letters[equation.output[axis]].strides[0] = strides[axis];
    loops.push_back(letters[equation.output[axis]]);
    letters.erase(equation.output[axis]);
  }
  for (const auto& [letter, loop] : letters) loops.push_back(loop);
  return with_numbers(y.type(), [&](auto type) -> Status {
    using T = decltype(type);
    using U = std::conditional_t<std::is_integral_v<T>, uint64_t, T>;
    if (!empty) sum_products<U>(loops, context.inputs, mutable_data<U>(y));
    put(context, 0, std::move(y));
    return {};
  });
}

}  // namespace halftone::network::ops
