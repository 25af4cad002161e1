// SPDX-License-Identifier: Apache-2.0
// The members of every op, listed once: dump(), equality and JSON follow from it. A struct that has a member more than
// its list does not compile.
#pragma once

#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "graph/network/ops.h"

namespace halftone::network {

template <class Struct, class Member>
struct Field {
  std::string_view name;
  Member Struct::*member;
};
template <class Struct, class Member>
Field(const char*, Member Struct::*) -> Field<Struct, Member>;

template <class Struct>
struct Fields {  // of an op without members
  static constexpr std::tuple<> kList{};
};

template <class Enum>
struct EnumNames;  // kList: a name per value, in order

#define HALFTONE_ENUM_NAMES(type, ...)                         \
  template <>                                                  \
  struct EnumNames<type> {                                     \
    static constexpr std::string_view kList[] = {__VA_ARGS__}; \
  };
HALFTONE_ENUM_NAMES(AutoPad, "explicit_pads", "same_upper", "same_lower", "valid")
HALFTONE_ENUM_NAMES(ImageOrder, "channels_first", "channels_last")
HALFTONE_ENUM_NAMES(PoolKind, "max", "average", "lp")
HALFTONE_ENUM_NAMES(ReduceKind, "sum", "mean", "max", "min", "product", "l1", "l2", "sum_square", "log_sum",
                    "log_sum_exp", "all", "any")
HALFTONE_ENUM_NAMES(SoftmaxKind, "soft", "log", "hard")
HALFTONE_ENUM_NAMES(PadMode, "constant", "reflect", "edge", "wrap")
HALFTONE_ENUM_NAMES(ScatterReduction, "none", "add", "multiply", "minimum", "maximum")
HALFTONE_ENUM_NAMES(ResizeMode, "nearest", "linear", "cubic")
HALFTONE_ENUM_NAMES(CoordinateMode, "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
                    "asymmetric", "crop_and_resize")
HALFTONE_ENUM_NAMES(NearestMode, "round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
HALFTONE_ENUM_NAMES(AspectPolicy, "stretch", "not_larger", "not_smaller")
HALFTONE_ENUM_NAMES(GridPadding, "zeros", "border", "reflection")
HALFTONE_ENUM_NAMES(CellKind, "rnn", "gru", "lstm")
HALFTONE_ENUM_NAMES(Direction, "forward", "reverse", "both")
#define HALFTONE_NAME_ROW(name) std::string_view(#name),
HALFTONE_ENUM_NAMES(UnaryKind, HALFTONE_UNARY_OPS(HALFTONE_NAME_ROW))
HALFTONE_ENUM_NAMES(BinaryKind, HALFTONE_BINARY_OPS(HALFTONE_NAME_ROW))
#undef HALFTONE_NAME_ROW
#undef HALFTONE_ENUM_NAMES

namespace detail {

struct Anything {
  template <class T>
  operator T() const;  // NOLINT(google-explicit-constructor): stands for any member
};
template <class Struct, size_t... kIndices>
constexpr bool takes(std::index_sequence<kIndices...>) {
  return requires { Struct{((void)kIndices, Anything())...}; };
}
template <class Struct, size_t kCount>
constexpr bool has_members() {
  return takes<Struct>(std::make_index_sequence<kCount>()) && !takes<Struct>(std::make_index_sequence<kCount + 1>());
}

}  // namespace detail

#define HALFTONE_FIELDS(type, ...)                                                      \
  template <>                                                                           \
  struct Fields<type> {                                                                 \
    using S = type;                                                                     \
    static constexpr auto kList = std::tuple(__VA_ARGS__);                              \
    static_assert(detail::has_members<S, std::tuple_size_v<decltype(kList)>>(), #type); \
  };
#define F(member) Field{#member, &S::member}

HALFTONE_FIELDS(Unary, F(kind), F(alpha), F(beta), F(gamma))
HALFTONE_FIELDS(Binary, F(kind))
HALFTONE_FIELDS(Cast, F(to))
HALFTONE_FIELDS(MatMul, F(transpose_a), F(transpose_b))
HALFTONE_FIELDS(Gemm, F(alpha), F(beta), F(transpose_a), F(transpose_b))
HALFTONE_FIELDS(Window, F(kernel), F(strides), F(dilations), F(pads_begin), F(pads_end), F(auto_pad), F(ceil), F(order))
HALFTONE_FIELDS(Conv, F(window), F(groups))
HALFTONE_FIELDS(IntegerConv, F(window), F(groups))
HALFTONE_FIELDS(ConvTranspose, F(window), F(groups), F(output_padding), F(output_shape))
HALFTONE_FIELDS(Pool, F(kind), F(window), F(global), F(count_pads), F(p), F(column_major))
HALFTONE_FIELDS(MaxUnpool, F(window))
HALFTONE_FIELDS(Reduce, F(kind), F(keep_dims), F(keep_empty))
HALFTONE_FIELDS(ArgReduce, F(max), F(axis), F(keep_dims), F(last))
HALFTONE_FIELDS(Cumulate, F(product), F(exclusive), F(reverse))
HALFTONE_FIELDS(Softmax, F(kind), F(axis), F(flat))
HALFTONE_FIELDS(TopK, F(axis), F(largest), F(sorted))
HALFTONE_FIELDS(BatchNorm, F(epsilon), F(order))
HALFTONE_FIELDS(InstanceNorm, F(epsilon))
HALFTONE_FIELDS(GroupNorm, F(groups), F(epsilon))
HALFTONE_FIELDS(LayerNorm, F(axis), F(epsilon))
HALFTONE_FIELDS(RmsNorm, F(axis), F(epsilon))
HALFTONE_FIELDS(LpNorm, F(axis), F(p))
HALFTONE_FIELDS(LocalResponseNorm, F(alpha), F(beta), F(bias), F(size))
HALFTONE_FIELDS(Reshape, F(allow_zero))
HALFTONE_FIELDS(Flatten, F(axis))
HALFTONE_FIELDS(Transpose, F(order))
HALFTONE_FIELDS(Concat, F(axis))
HALFTONE_FIELDS(Split, F(axis))
HALFTONE_FIELDS(Pad, F(mode))
HALFTONE_FIELDS(Gather, F(axis))
HALFTONE_FIELDS(GatherElements, F(axis))
HALFTONE_FIELDS(GatherNd, F(batch_dims))
HALFTONE_FIELDS(ScatterElements, F(axis), F(reduction))
HALFTONE_FIELDS(ScatterNd, F(reduction))
HALFTONE_FIELDS(DepthToSpace, F(block), F(columns_first), F(order))
HALFTONE_FIELDS(SpaceToDepth, F(block), F(order))
HALFTONE_FIELDS(ReverseSequence, F(batch_axis), F(time_axis))
HALFTONE_FIELDS(Triangle, F(upper))
HALFTONE_FIELDS(Compress, F(axis), F(flat))
HALFTONE_FIELDS(CenterCropPad, F(axes))
HALFTONE_FIELDS(ShapeOf, F(start), F(end))
HALFTONE_FIELDS(OneHot, F(axis))
HALFTONE_FIELDS(EyeLike, F(type), F(k))
HALFTONE_FIELDS(NonMaxSuppression, F(centered))
HALFTONE_FIELDS(Resize, F(mode), F(coordinates), F(nearest), F(aspect), F(cubic_a), F(outside), F(exclude_outside),
                F(antialias), F(axes))
HALFTONE_FIELDS(GridSample, F(mode), F(padding), F(align_corners))
HALFTONE_FIELDS(AffineGrid, F(align_corners))
HALFTONE_FIELDS(RoiAlign, F(max), F(half_pixel), F(height), F(width), F(sampling), F(scale))
HALFTONE_FIELDS(Col2Im, F(window))
HALFTONE_FIELDS(Quantize, F(to), F(axis), F(block))
HALFTONE_FIELDS(Dequantize, F(axis), F(block))
HALFTONE_FIELDS(Recurrent, F(kind), F(direction), F(hidden), F(activations), F(alphas), F(betas), F(clip),
                F(input_forget), F(linear_before_reset), F(batch_first))
HALFTONE_FIELDS(Attention, F(heads), F(kv_heads), F(scale), F(soft_cap), F(causal), F(scores_stage))
HALFTONE_FIELDS(RotaryEmbedding, F(heads), F(rotary), F(interleaved))
HALFTONE_FIELDS(Einsum, F(equation))

#undef F
#undef HALFTONE_FIELDS

// visit(name, member) for every member, in order.
template <class Struct, class Visitor>
void visit_fields(Struct& value, Visitor&& visit) {
  using Plain = std::remove_const_t<Struct>;
  static_assert(std::tuple_size_v<std::remove_const_t<decltype(Fields<Plain>::kList)>> > 0 || std::is_empty_v<Plain>,
                "this op has members but no line above");
  std::apply([&](const auto&... field) { (visit(field.name, value.*field.member), ...); }, Fields<Plain>::kList);
}

bool same(const Op& a, const Op& b);  // the same op with the same members

}  // namespace halftone::network
