// SPDX-License-Identifier: Apache-2.0
// Every op of a network, data only. Values are dense arrays of any rank (tensor/tensor.h). What ONNX and TFLite write
// in many ways is one op here: importers turn attributes that later opsets made inputs into constant inputs. An input
// may be absent (kNoValue) where the line says "optional". Axes count from the end when negative, sizes broadcast as in
// NumPy.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tensor/dtype.h"

namespace halftone::network {

// ---- element by element

#define HALFTONE_UNARY_OPS(row)                                                                                       \
  row(abs) row(negate) row(sign) row(reciprocal) row(floor) row(ceil) row(round_even) row(sqrt) row(exp) row(log)     \
      row(sin) row(cos) row(tan) row(asin) row(acos) row(atan) row(sinh) row(cosh) row(tanh) row(asinh) row(acosh)    \
          row(atanh) row(erf) row(is_nan) row(is_inf) row(logical_not) row(bitwise_not) row(relu) row(leaky_relu)     \
              row(elu) row(selu) row(celu) row(sigmoid) row(hard_sigmoid) row(hard_swish) row(softplus) row(softsign) \
                  row(gelu) row(gelu_tanh) row(mish) row(swish) row(thresholded_relu) row(shrink) row(rsqrt)          \
                      row(square)

#define HALFTONE_BINARY_OPS(row)                                                                                       \
  row(add) row(subtract) row(multiply) row(divide) row(floor_divide) row(modulo) row(remainder) row(power)             \
      row(minimum) row(maximum) row(squared_difference) row(prelu) row(logical_and) row(logical_or) row(logical_xor)   \
          row(bitwise_and) row(bitwise_or) row(bitwise_xor) row(shift_left) row(shift_right) row(equal) row(not_equal) \
              row(less) row(less_equal) row(greater) row(greater_equal)

#define HALFTONE_ENUM_ROW(name) name,
enum class UnaryKind : uint8_t { HALFTONE_UNARY_OPS(HALFTONE_ENUM_ROW) };
enum class BinaryKind : uint8_t { HALFTONE_BINARY_OPS(HALFTONE_ENUM_ROW) };
#undef HALFTONE_ENUM_ROW

// x → y of its shape. alpha, beta, gamma are ONNX's of the kind: leaky_relu and elu and celu and thresholded_relu and
// swish (alpha); selu (alpha, gamma); hard_sigmoid (alpha, beta); shrink (lambd = alpha, bias = beta); is_inf (alpha:
// negative counts, beta: positive).
struct Unary {
  UnaryKind kind;
  float alpha = 0, beta = 0, gamma = 0;
};
struct Binary {  // a, b → broadcast; comparisons give boolean. modulo has the sign of b, remainder that of a
  BinaryKind kind;
};
struct Where {};  // condition, a, b → broadcast
struct Clip {};   // x, optional least, optional most
struct Cast {     // x → the same shape in another type; floats to integers truncate
  DType to;
};

// ---- products and windows

struct MatMul {  // a (..., m, k), b (..., k, n) → (..., m, n); a vector is a row or a column; integers wrap at 32 bits
  bool transpose_a = false, transpose_b = false;
};
struct Gemm {  // alpha * a' b' + beta * c, c optional
  float alpha = 1, beta = 1;
  bool transpose_a = false, transpose_b = false;
};
struct IntegerMatMul {};  // a, b of 8 bits, optional zero points of a (scalar or row) and b (scalar or column) → i32

enum class AutoPad : uint8_t { explicit_pads, same_upper, same_lower, valid };
enum class ImageOrder : uint8_t { channels_first, channels_last };  // (n, c, ...) as in ONNX, (n, ..., c) as in TFLite

// A window that moves over every spatial axis. Empty lists mean 1 (strides, dilations) or 0 (pads).
struct Window {
  std::vector<int64_t> kernel, strides, dilations, pads_begin, pads_end;
  AutoPad auto_pad = AutoPad::explicit_pads;
  bool ceil = false;  // of a pool: the last window may hang over
  ImageOrder order = ImageOrder::channels_first;
};
// x, weight, optional bias. The weight is (out, in / groups, ...) for channels_first and (out, ..., in / groups) for
// channels_last.
struct Conv {
  Window window;  // its kernel is empty: the weight says
  int64_t groups = 1;
};
struct IntegerConv {  // x, weight, optional zero points of x (scalar) and weight (scalar or per output) → i32
  Window window;
  int64_t groups = 1;
};
struct ConvTranspose {  // x, weight (in, out / groups, ...), optional bias
  Window window;
  int64_t groups = 1;
  std::vector<int64_t> output_padding, output_shape;  // output_shape: empty, or the spatial sizes that pads follow from
};
enum class PoolKind : uint8_t { max, average, lp };
struct Pool {  // x → y; max: optional second output, the flat index of each maximum
  PoolKind kind;
  Window window;
  bool global = false;  // the window is the image
  bool count_pads = false;
  int64_t p = 2;              // lp
  bool column_major = false;  // of the indices of max
};
struct MaxUnpool {  // x, indices, optional output shape
  Window window;
};

// ---- along axes

enum class ReduceKind : uint8_t { sum, mean, max, min, product, l1, l2, sum_square, log_sum, log_sum_exp, all, any };
struct Reduce {  // x, optional axes (i64): absent or empty means every axis, or none with keep_empty
  ReduceKind kind;
  bool keep_dims = true, keep_empty = false;
};
struct ArgReduce {  // x → i64
  bool max;
  int64_t axis;
  bool keep_dims = true, last = false;  // last: of equals the last
};
struct Cumulate {  // x, axis (scalar)
  bool product = false, exclusive = false, reverse = false;
};
enum class SoftmaxKind : uint8_t { soft, log, hard };
struct Softmax {
  SoftmaxKind kind;
  int64_t axis;
  bool flat = false;  // opset below 13: everything from the axis on is one row
};
struct TopK {  // x, k (one element) → values, i64 indices
  int64_t axis;
  bool largest = true, sorted = true;
};

// ---- normalisations

struct BatchNorm {  // x, scale, bias, mean, variance, per channel
  float epsilon;
  ImageOrder order = ImageOrder::channels_first;
};
struct InstanceNorm {  // x, scale, bias
  float epsilon;
};
struct GroupNorm {  // x, scale, bias per channel (or per group: their size says)
  int64_t groups;
  float epsilon;
};
struct LayerNorm {  // x, optional scale, optional bias over axes [axis, rank) → y, optional mean, optional 1 /
                    // deviation
  int64_t axis;
  float epsilon;
};
struct RmsNorm {  // x, scale over axes [axis, rank)
  int64_t axis;
  float epsilon;
};
struct LpNorm {
  int64_t axis, p;
};
struct LocalResponseNorm {
  float alpha, beta, bias;
  int64_t size;
};

// ---- moving numbers

struct Identity {};
struct Reshape {  // x, shape (i64): -1 follows from the rest, 0 copies unless allow_zero
  bool allow_zero = false;
};
struct Flatten {
  int64_t axis;
};
struct Squeeze {};    // x, optional axes
struct Unsqueeze {};  // x, axes
struct Transpose {
  std::vector<int64_t> order;  // empty: reversed
};
struct Concat {
  int64_t axis;
};
struct Split {  // x, optional sizes; without: as many equal parts as there are outputs, the last may be smaller
  int64_t axis;
};
struct Slice {};  // x, starts, ends, optional axes, optional steps
enum class PadMode : uint8_t { constant, reflect, edge, wrap };
struct Pad {  // x, pads (begins, then ends; negative crops), optional value, optional axes
  PadMode mode = PadMode::constant;
};
struct Expand {};  // x, shape: broadcast both ways
struct Tile {};    // x, repeats
struct Gather {    // x, indices
  int64_t axis;
};
struct GatherElements {
  int64_t axis;
};
struct GatherNd {
  int64_t batch_dims = 0;
};
enum class ScatterReduction : uint8_t { none, add, multiply, minimum, maximum };
struct ScatterElements {  // x, indices, updates
  int64_t axis;
  ScatterReduction reduction = ScatterReduction::none;
};
struct ScatterNd {
  ScatterReduction reduction = ScatterReduction::none;
};
struct DepthToSpace {
  int64_t block;
  bool columns_first = false;  // ONNX's mode CRD
  ImageOrder order = ImageOrder::channels_first;
};
struct SpaceToDepth {
  int64_t block;
  ImageOrder order = ImageOrder::channels_first;
};
struct ReverseSequence {  // x, lengths
  int64_t batch_axis, time_axis;
};
struct Triangle {  // x, optional k: keeps one triangle, zeros elsewhere
  bool upper = true;
};
struct Compress {  // x, boolean condition
  int64_t axis = 0;
  bool flat = false;
};
struct CenterCropPad {  // x, sizes of the axes
  std::vector<int64_t> axes;
};

// ---- made from shapes and indices

struct ShapeOf {  // → i64 sizes of the axes [start, end)
  int64_t start = 0, end = INT64_MAX;
};
struct SizeOf {};
struct ConstantOfShape {  // shape → filled; the second input is the one-element value
};
struct Range {};  // start, limit, step
struct OneHot {   // indices, depth, values (off, on)
  int64_t axis;
};
struct NonZero {};
struct EyeLike {
  DType type;
  int64_t k = 0;
};
struct NonMaxSuppression {  // boxes, scores, optional most per class, overlap, score → i64 (n, 3)
  bool centered = false;
};

// ---- images

enum class ResizeMode : uint8_t { nearest, linear, cubic };
enum class CoordinateMode : uint8_t {
  half_pixel,
  half_pixel_symmetric,
  pytorch_half_pixel,
  align_corners,
  asymmetric,
  crop_and_resize
};
enum class NearestMode : uint8_t { round_prefer_floor, round_prefer_ceil, floor, ceil };
enum class AspectPolicy : uint8_t { stretch, not_larger, not_smaller };
struct Resize {  // x, optional roi, optional scales, optional sizes
  ResizeMode mode;
  CoordinateMode coordinates = CoordinateMode::half_pixel;
  NearestMode nearest = NearestMode::round_prefer_floor;
  AspectPolicy aspect = AspectPolicy::stretch;
  float cubic_a = -0.75F, outside = 0;
  bool exclude_outside = false, antialias = false;
  std::vector<int64_t> axes;  // those that scales and sizes name; empty: all
};
enum class GridPadding : uint8_t { zeros, border, reflection };
struct GridSample {  // x, grid
  ResizeMode mode;
  GridPadding padding = GridPadding::zeros;
  bool align_corners = false;
};
struct AffineGrid {  // theta, size
  bool align_corners = false;
};
struct RoiAlign {  // x, rois, batch indices
  bool max = false, half_pixel = true;
  int64_t height = 1, width = 1, sampling = 0;
  float scale = 1;
};
struct Col2Im {  // x, image shape, block shape
  Window window;
};

// ---- quantized numbers

struct Quantize {  // x, scale, optional zero point; per tensor, per axis, or per block of an axis
  DType to;
  int64_t axis = 1, block = 0;
};
struct Dequantize {  // q, scale, optional zero point
  int64_t axis = 1, block = 0;
};
struct DynamicQuantize {};  // x → u8, scale, zero point

// ---- sequences and transformers

enum class CellKind : uint8_t { rnn, gru, lstm };
enum class Direction : uint8_t { forward, reverse, both };
struct Recurrent {  // ONNX's inputs and outputs of RNN, GRU and LSTM
  CellKind kind;
  Direction direction = Direction::forward;
  int64_t hidden;
  std::vector<UnaryKind> activations;  // empty: the kind's own
  std::vector<float> alphas, betas;
  float clip = 0;  // 0: none
  bool input_forget = false, linear_before_reset = false, batch_first = false;
};
struct Attention {  // q, k, v, optional mask, past key, past value, valid lengths → y, present key, present value,
                    // scores
  int64_t heads = 0, kv_heads = 0;  // 0: the rank-4 inputs say
  float scale = 0;                  // 0: 1 / sqrt(head size)
  float soft_cap = 0;
  bool causal = false;
  int64_t scores_stage = 0;  // which scores the fourth output holds, as ONNX numbers them
};
struct RotaryEmbedding {  // x, cos, sin, optional positions
  int64_t heads = 0, rotary = 0;
  bool interleaved = false;
};
struct Einsum {
  std::string equation;
};

using Op = std::variant<Unary, Binary, Where, Clip, Cast, MatMul, Gemm, IntegerMatMul, Conv, IntegerConv, ConvTranspose,
                        Pool, MaxUnpool, Reduce, ArgReduce, Cumulate, Softmax, TopK, BatchNorm, InstanceNorm, GroupNorm,
                        LayerNorm, RmsNorm, LpNorm, LocalResponseNorm, Identity, Reshape, Flatten, Squeeze, Unsqueeze,
                        Transpose, Concat, Split, Slice, Pad, Expand, Tile, Gather, GatherElements, GatherNd,
                        ScatterElements, ScatterNd, DepthToSpace, SpaceToDepth, ReverseSequence, Triangle, Compress,
                        CenterCropPad, ShapeOf, SizeOf, ConstantOfShape, Range, OneHot, NonZero, EyeLike,
                        NonMaxSuppression, Resize, GridSample, AffineGrid, RoiAlign, Col2Im, Quantize, Dequantize,
                        DynamicQuantize, Recurrent, Attention, RotaryEmbedding, Einsum>;

std::string_view name_of(UnaryKind kind);   // "leaky_relu"
std::string_view name_of(BinaryKind kind);  // "add"
std::string_view name_of(const Op& op);     // "conv"; of unary and binary ops the kind's

}  // namespace halftone::network
