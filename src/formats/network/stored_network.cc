// SPDX-License-Identifier: Apache-2.0
#include "formats/network/stored_network.h"

#include "base/error.h"
#include "graph/network/json.h"

namespace halftone {

namespace {

using Json = nlohmann::json;

bool is_stored_as_tensor(const Tensor& tensor) {
  return tensor.elements() > 0 &&
         (tensor.type() == DType::f32 || tensor.type() == DType::f16 || tensor.type() == DType::bf16);
}

// Calls use(T{}) with the C++ type of a constant that is written as a list of numbers.
template <class Use>
auto with_type(DType type, const Use& use) {
  switch (type) {
    case DType::i64:
      return use(int64_t{});
    case DType::i32:
      return use(int32_t{});
    case DType::i16:
      return use(int16_t{});
    case DType::i8:
      return use(int8_t{});
    case DType::u64:
      return use(uint64_t{});
    case DType::u32:
      return use(uint32_t{});
    case DType::f16:
    case DType::bf16:
    case DType::u16:
      return use(uint16_t{});
    case DType::u8:
      return use(uint8_t{});
    case DType::boolean:
      return use(bool{});
    case DType::f64:
      return use(double{});
    default:
      return use(float{});
  }
}

nlohmann::ordered_json numbers_of(const Tensor& tensor) {
  return with_type(tensor.type(), [&]<class T>(T) {
    nlohmann::ordered_json numbers = nlohmann::ordered_json::array();
    for (const T value : tensor.values<T>()) numbers.push_back(value);
    return numbers;
  });
}

Result<network::Constant> from_numbers(const Json& json, const std::string& where, DType type, const Shape& shape) {
  HALFTONE_ASSIGN(Tensor tensor, Tensor::make(type, shape));
  if (!json.is_array() || static_cast<int64_t>(json.size()) != tensor.elements())
    return invalid_input("{}: expected a list of {} numbers, got {}", where, tensor.elements(),
                         json.is_array() ? std::to_string(json.size()) : json.type_name());
  return with_type(type, [&]<class T>(T) -> Result<network::Constant> {
    const auto values = tensor.mutable_values<T>();
    for (size_t i = 0; i < values.size(); ++i) {
      const Json& one = json[i];
      const bool good = std::is_same_v<T, bool>       ? one.is_boolean()
                        : std::is_floating_point_v<T> ? one.is_number()
                                                      : one.is_number_integer();
      if (!good) return invalid_input("{}: expected a {} at {}, got {}", where, halftone::name_of(type), i, one.dump());
      values[i] = one.get<T>();
    }
    return network::Constant(tensor);
  });
}

DType element_of(const Layout& layout) {
  return layout.id == LayoutId::f16 ? DType::f16 : layout.id == LayoutId::bf16 ? DType::bf16 : DType::f32;
}

Result<network::Constant> from_tensor(const StoredTensor& stored, const std::string& where, DType type,
                                      const Shape& shape, const std::shared_ptr<const void>& keep) {
  int64_t elements = 1;
  for (const int64_t size : shape)
    if (__builtin_mul_overflow(elements, size, &elements)) elements = -1;
  if (stored.layout == nullptr || stored.elements() != elements)
    return invalid_input("{}: expected {} numbers as the network says, got {}", where, text_of(shape),
                         text_of(stored.shape));
  if (stored.layout->is_float() && stored.order == Order::rows && element_of(*stored.layout) == type) {
    HALFTONE_ASSIGN(Tensor tensor, Tensor::map(type, shape, stored.data, keep));
    return network::Constant(std::move(tensor));
  }
  const WeightView view = stored.view();
  if (type != DType::f32 || stored.shape.size() != 2 || shape.empty() || shape[0] != view.rows)
    return invalid_input("{}: expected a matrix with the rows of {}, got {} in {}", where, text_of(shape),
                         text_of(stored.shape), stored.layout->name);
  return network::Constant(network::PackedConstant{view, shape, keep});
}

}  // namespace

nlohmann::ordered_json network_config(const network::Network& network) {
  nlohmann::ordered_json numbers = nlohmann::ordered_json::object();
  for (const auto& [id, tensor] : network.constants)
    if (!is_stored_as_tensor(tensor)) numbers[network.name_of(id)] = numbers_of(tensor);
  return {{kNetworkKey, network::to_json(network)}, {"numbers", std::move(numbers)}};
}

Result<network::Network> network_of(const ModelFile& artifact) {
  const std::string where = artifact.path.string();
  const Json& config = artifact.config;
  if (!config.is_object() || !config.contains(kNetworkKey) || !config.contains("numbers") ||
      !config["numbers"].is_object())
    return invalid_input("[network] {}: expected an artifact that holds a network, got one of a language model", where);
  const std::shared_ptr<const void> keep = artifact.maps.empty() ? nullptr : artifact.maps[0];
  const auto load = [&](const std::string& name, DType type, const Shape& shape) -> Result<network::Constant> {
    const std::string place = fmt::format("[network] {}: constant {}", where, name);
    const auto numbers = config["numbers"].find(name);
    if (numbers != config["numbers"].end()) return from_numbers(*numbers, place, type, shape);
    const StoredTensor* stored = artifact.find(name);
    if (stored == nullptr) return not_found("{}: expected a tensor of this name, got none", place);
    return from_tensor(*stored, place, type, shape, keep);
  };
  return network::network_from_json(config[kNetworkKey], fmt::format("[network] {}: network", where), load);
}

}  // namespace halftone
