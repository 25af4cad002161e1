// SPDX-License-Identifier: Apache-2.0
#include "graph/network/json.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "base/error.h"
#include "graph/network/fields.h"

namespace halftone::network {
namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

constexpr DType kDTypes[] = {DType::f64, DType::f32, DType::f16, DType::bf16, DType::i64, DType::i32,    DType::i16,
                             DType::i8,  DType::u64, DType::u32, DType::u16,  DType::u8,  DType::boolean};

// ---- members to JSON

template <class T>
OrderedJson written(const T& value) {
  if constexpr (std::is_same_v<T, DType>) {
    return std::string(halftone::name_of(value));
  } else if constexpr (std::is_enum_v<T>) {
    return std::string(EnumNames<T>::kList[static_cast<size_t>(value)]);
  } else if constexpr (std::is_same_v<T, float>) {
    // JSON has no such numbers.
    if (!std::isfinite(value)) return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
    return static_cast<double>(value);
  } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
    return value;
  } else if constexpr (requires { value.begin(); }) {
    OrderedJson list = OrderedJson::array();
    for (const auto& element : value) list.push_back(written(element));
    return list;
  } else {
    OrderedJson object = OrderedJson::object();
    const T otherwise{};
    std::apply(
        [&](const auto&... field) {
          [[maybe_unused]] const auto add = [&](std::string_view name, const auto& member, const auto& other) {
            OrderedJson text = written(member);
            if (text != written(other)) object[std::string(name)] = std::move(text);
          };
          (add(field.name, value.*field.member, otherwise.*field.member), ...);
        },
        Fields<T>::kList);
    return object;
  }
}

// ---- members from JSON

template <class T>
Status read_value(const Json& json, std::string_view where, T& into);

template <class Enum>
Status read_name(const Json& json, std::string_view where, std::span<const std::string_view> names, Enum& into) {
  const auto found = json.is_string() ? std::ranges::find(names, json.get_ref<const std::string&>()) : names.end();
  if (found == names.end()) return invalid_input("{}: expected one of its names, got {}", where, json.dump());
  into = static_cast<Enum>(found - names.begin());
  return {};
}

Status read_float(const Json& json, std::string_view where, float& into) {
  if (json.is_number()) {
    const auto value = json.get<double>();
    if (!(std::abs(value) <= static_cast<double>(std::numeric_limits<float>::max())))
      return invalid_input("{}: expected a number that a float holds, got {}", where, json.dump());
    into = static_cast<float>(value);
    return {};
  }
  const std::string text = json.is_string() ? json.get<std::string>() : "";
  if (text != "inf" && text != "-inf" && text != "nan")
    return invalid_input("{}: expected a number, got {}", where, json.dump());
  into = text == "nan" ? std::numeric_limits<float>::quiet_NaN() : std::numeric_limits<float>::infinity();
  if (text == "-inf") into = -into;
  return {};
}

Status read_type(const Json& json, std::string_view where, DType& into) {
  for (const DType type : kDTypes)
    if (json.is_string() && json.get_ref<const std::string&>() == halftone::name_of(type)) {
      into = type;
      return {};
    }
  return invalid_input("{}: expected an element type, got {}", where, json.dump());
}

// Every key of an object must be a member (or one of `others`).
template <class T>
Status read_members(const Json& json, std::string_view where, std::span<const std::string_view> others, T& into) {
  if (!json.is_object()) return invalid_input("{}: expected an object, got {}", where, json.type_name());
  std::set<std::string_view> known(others.begin(), others.end());
  Status status;
  visit_fields(into, [&](std::string_view name, auto& member) {
    known.insert(name);
    const auto found = json.find(std::string(name));
    if (status.ok() && found != json.end()) status = read_value(*found, fmt::format("{}.{}", where, name), member);
  });
  HALFTONE_TRY(status);
  for (const auto& [key, value] : json.items())
    if (!known.contains(key)) return invalid_input("{}: the key {} is not known", where, key);
  return {};
}

template <class T>
Status read_value(const Json& json, std::string_view where, T& into) {
  if constexpr (std::is_same_v<T, DType>) {
    return read_type(json, where, into);
  } else if constexpr (std::is_enum_v<T>) {
    return read_name(json, where, EnumNames<T>::kList, into);
  } else if constexpr (std::is_same_v<T, float>) {
    return read_float(json, where, into);
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!json.is_boolean()) return invalid_input("{}: expected true or false, got {}", where, json.dump());
    into = json.get<bool>();
    return {};
  } else if constexpr (std::is_integral_v<T>) {
    if (!json.is_number_integer() || (json.is_number_unsigned() && json.get<uint64_t>() > INT64_MAX))
      return invalid_input("{}: expected an integer, got {}", where, json.dump());
    const auto value = json.get<int64_t>();
    if (value < std::numeric_limits<T>::min() || value > std::numeric_limits<T>::max())
      return invalid_input("{}: expected a smaller number, got {}", where, value);
    into = static_cast<T>(value);
    return {};
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!json.is_string()) return invalid_input("{}: expected a text, got {}", where, json.type_name());
    into = json.get<std::string>();
    return {};
  } else if constexpr (requires { into.emplace_back(); }) {
    if (!json.is_array()) return invalid_input("{}: expected a list, got {}", where, json.type_name());
    into.clear();
    for (const Json& element : json) HALFTONE_TRY(read_value(element, where, into.emplace_back()));
    return {};
  } else {
    return read_members(json, where, {}, into);
  }
}

// ---- ops by name

constexpr std::string_view kNodeKeys[] = {"op", "name", "inputs", "outputs"};

// The op of that name with its defaults.
template <size_t kIndex = 0>
std::optional<Op> op_named(std::string_view name) {
  if constexpr (kIndex < std::variant_size_v<Op>) {
    using T = std::variant_alternative_t<kIndex, Op>;
    if constexpr (std::is_same_v<T, Unary> || std::is_same_v<T, Binary>) {
      const auto& names = EnumNames<decltype(T::kind)>::kList;
      const auto found = std::ranges::find(names, name);
      if (found != std::end(names)) return T{static_cast<decltype(T::kind)>(found - std::begin(names))};
    } else if (name_of(Op(T{})) == name) {
      return Op(T{});
    }
    return op_named<kIndex + 1>(name);
  } else {
    return {};
  }
}

OrderedJson port_json(const Port& port) {
  OrderedJson json = {{"value", port.value}, {"type", halftone::name_of(port.type)}};
  if (!port.has_shape) return json;
  json["shape"] = OrderedJson::array();
  for (const Dimension& dimension : port.shape) {
    if (dimension.symbol.empty())
      json["shape"].push_back(dimension.size);
    else
      json["shape"].push_back(dimension.symbol);
  }
  return json;
}

Result<Port> port_from(const Json& json, const std::string& where) {
  if (!json.is_object() || !json.contains("value") || !json.contains("type"))
    return invalid_input("{}: expected an object with value and type, got {}", where, json.type_name());
  Port port;
  HALFTONE_TRY(read_value(json["value"], where + ".value", port.value));
  HALFTONE_TRY(read_value(json["type"], where + ".type", port.type));
  if (!json.contains("shape")) return port;
  port.has_shape = true;
  if (!json["shape"].is_array()) return invalid_input("{}.shape: expected a list", where);
  for (const Json& dimension : json["shape"]) {
    Dimension& made = port.shape.emplace_back();
    if (dimension.is_string())
      made.symbol = dimension.get<std::string>();
    else
      HALFTONE_TRY(read_value(dimension, where + ".shape", made.size));
    if (made.size < -1)
      return invalid_input("{}.shape: expected sizes that are not negative, got {}", where, made.size);
  }
  return port;
}

Result<Node> node_from(const Json& json, const std::string& where) {
  Node node;
  HALFTONE_ASSIGN(node.op, op_from_json(json, where));
  for (const auto& [key, list] : {std::pair("inputs", &node.inputs), std::pair("outputs", &node.outputs)}) {
    if (!json.contains(key)) return invalid_input("{}: expected {}, got none", where, key);
    HALFTONE_TRY(read_value(json[key], where, *list));
  }
  if (json.contains("name")) HALFTONE_TRY(read_value(json["name"], where + ".name", node.name));
  return node;
}

Status read_constants(const Json& json, const std::string& where, const LoadConstant& load, Network& network) {
  for (const Json& entry : json) {
    HALFTONE_ASSIGN(const Port port, port_from(entry, where));
    if (port.value < 0 || static_cast<size_t>(port.value) >= network.values.size())
      return invalid_input("{}: expected a value of the network, got {}", where, port.value);
    Shape shape;
    for (const Dimension& dimension : port.shape) {
      if (dimension.size < 0) return invalid_input("{}: expected sizes, got {}", where, entry.dump());
      shape.push_back(dimension.size);
    }
    const std::string& name = network.name_of(port.value);
    HALFTONE_ASSIGN(Constant constant, load(name, port.type, shape));
    if (network.constants.count(port.value) + network.packed.count(port.value) != 0)
      return invalid_input("{}: {} is there twice", where, name);
    if (const auto* packed = std::get_if<PackedConstant>(&constant)) {
      if (port.type != DType::f32 || packed->shape != shape)
        return invalid_input("{}: {}: expected {} of {}, got codes of f32 {}", where, name,
                             halftone::name_of(port.type), text_of(shape), text_of(packed->shape));
      network.packed.emplace(port.value, *packed);
      continue;
    }
    Tensor& tensor = std::get<Tensor>(constant);
    if (tensor.type() != port.type || tensor.shape() != shape)
      return invalid_input("{}: {}: expected {} of {}, got {} of {}", where, name, halftone::name_of(port.type),
                           text_of(shape), halftone::name_of(tensor.type()), text_of(tensor.shape()));
    network.constants.emplace(port.value, std::move(tensor));
  }
  return {};
}

}  // namespace

bool same(const Op& a, const Op& b) { return a.index() == b.index() && to_json(a) == to_json(b); }

OrderedJson to_json(const Op& op) {
  OrderedJson json = {{"op", name_of(op)}};
  std::visit(
      [&](const auto& members) {
        using T = std::decay_t<decltype(members)>;
        const bool named_by_kind = std::is_same_v<T, Unary> || std::is_same_v<T, Binary>;
        const OrderedJson all = written(members);  // outlives the loop over it
        for (const auto& [key, value] : all.items())
          if (!named_by_kind || key != "kind") json[key] = value;
      },
      op);
  return json;
}

OrderedJson to_json(const Network& network) {
  OrderedJson json = {{"name", network.name}, {"values", network.values}};
  for (const char* key : {"constants", "inputs", "outputs", "nodes"}) json[key] = OrderedJson::array();
  for (const auto& [id, tensor] : network.constants)
    json["constants"].push_back({{"value", id}, {"type", halftone::name_of(tensor.type())}, {"shape", tensor.shape()}});
  for (const auto& [id, packed] : network.packed)
    json["constants"].push_back({{"value", id}, {"type", halftone::name_of(DType::f32)}, {"shape", packed.shape}});
  for (const Port& port : network.inputs) json["inputs"].push_back(port_json(port));
  for (const Port& port : network.outputs) json["outputs"].push_back(port_json(port));
  for (const Node& node : network.nodes) {
    OrderedJson entry = to_json(node.op);
    entry["name"] = node.name;
    entry["inputs"] = node.inputs;
    entry["outputs"] = node.outputs;
    json["nodes"].push_back(std::move(entry));
  }
  return json;
}

Result<Op> op_from_json(const Json& json, std::string_view where) {
  if (!json.is_object() || !json.contains("op") || !json["op"].is_string())
    return invalid_input("{}: expected an object with the name of an op, got {}", where, json.type_name());
  auto op = op_named(json["op"].get_ref<const std::string&>());
  if (!op) return unsupported("{}: the op {} is not known; it may be of a newer halftone", where, json["op"].dump());
  HALFTONE_TRY(std::visit(
      [&](auto& members) -> Status {
        using T = std::decay_t<decltype(members)>;
        if ((std::is_same_v<T, Unary> || std::is_same_v<T, Binary>)&&json.contains("kind"))
          return invalid_input("{}: the key kind is not known", where);
        return read_members(json, where, kNodeKeys, members);
      },
      *op));
  return *std::move(op);
}

Result<Network> network_from_json(const Json& json, std::string_view where, const LoadConstant& load) {
  for (const char* key : {"values", "constants", "inputs", "outputs", "nodes"})
    if (!json.is_object() || !json.contains(key) || !json[key].is_array())
      return invalid_input("{}: expected an object with the list {}, got none", where, key);
  Network network;
  if (json.contains("name")) HALFTONE_TRY(read_value(json["name"], fmt::format("{}.name", where), network.name));
  HALFTONE_TRY(read_value(json["values"], fmt::format("{}.values", where), network.values));
  if (std::set<std::string>(network.values.begin(), network.values.end()).size() != network.values.size())
    return invalid_input("{}.values: expected different names, got one twice", where);
  HALFTONE_TRY(read_constants(json["constants"], fmt::format("{}.constants", where), load, network));
  for (const auto& [key, ports] : {std::pair("inputs", &network.inputs), std::pair("outputs", &network.outputs)})
    for (const Json& entry : json[key]) {
      HALFTONE_ASSIGN(Port port, port_from(entry, fmt::format("{}.{}", where, key)));
      ports->push_back(std::move(port));
    }
  for (size_t i = 0; i < json["nodes"].size(); ++i) {
    HALFTONE_ASSIGN(Node node, node_from(json["nodes"][i], fmt::format("{}.nodes[{}]", where, i)));
    network.nodes.push_back(std::move(node));
  }
  HALFTONE_TRY(finish(network));
  return network;
}

}  // namespace halftone::network
