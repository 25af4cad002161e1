// SPDX-License-Identifier: Apache-2.0
// Runs the node cases of ONNX's own tests: onnx_conformance FOLDER [--json PATH] [--at-least PASSES] [--list]
// A case is a folder with model.onnx and test_data_set_*/{input,output}_*.pb. Numbers are compared as ONNX's backend
// tests do (relative 1e-3, absolute 1e-7; integers and booleans exactly); types and shapes must be the same.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/numbers.h"
#include "formats/onnx/messages.h"
#include "formats/onnx/onnx.h"
#include "runtime/network/runner.h"

namespace halftone {
namespace {

enum class Verdict { pass, unsupported, fail };
constexpr const char* kVerdictNames[] = {"pass", "unsupported", "fail"};

struct Case {
  std::string name;
  std::vector<std::string> operators;
  Verdict verdict = Verdict::fail;
  std::string reason;
};

struct Tolerance {
  double relative = 1e-3, absolute = 1e-7;
};
// What needs more than that, each with its reason.
const std::map<std::string, Tolerance> kWider = {};

double number_at(const Tensor& tensor, size_t i) {
  switch (tensor.type()) {
    case DType::f64:
      return tensor.values<double>()[i];
    case DType::f32:
      return static_cast<double>(tensor.values<float>()[i]);
    case DType::f16:
      return static_cast<double>(f16_to_f32(tensor.values<uint16_t>()[i]));
    default:
      return static_cast<double>(bf16_to_f32(tensor.values<uint16_t>()[i]));
  }
}

bool is_float(DType type) {
  return type == DType::f64 || type == DType::f32 || type == DType::f16 || type == DType::bf16;
}

// Empty when equal.
std::string difference(const Tensor& got, const Tensor& expected, Tolerance tolerance) {
  if (!got.present()) return "no output";
  if (got.type() != expected.type() || got.shape() != expected.shape())
    return fmt::format("expected {} {}, got {} {}", name_of(expected.type()), text_of(expected.shape()),
                       name_of(got.type()), text_of(got.shape()));
  if (!is_float(got.type())) {
    if (std::ranges::equal(got.bytes(), expected.bytes())) return "";
    const auto width = static_cast<size_t>(bytes_of(got.type()));
    const size_t at = static_cast<size_t>(std::ranges::mismatch(got.bytes(), expected.bytes()).in1 - got.bytes().begin());
    return fmt::format("element {} differs", at / width);
  }
  for (size_t i = 0; i < static_cast<size_t>(got.elements()); ++i) {
    const double a = number_at(got, i), b = number_at(expected, i);
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    if (!(std::abs(a - b) <= tolerance.absolute + tolerance.relative * std::abs(b)))
      return fmt::format("element {}: expected {}, got {}", i, b, a);
  }
  return "";
}

Result<std::vector<Tensor>> read_tensors(const std::filesystem::path& folder, const std::string& kind, size_t count) {
  std::vector<Tensor> tensors;
  for (size_t i = 0; i < count; ++i) {
    HALFTONE_ASSIGN(Tensor tensor, onnx::read_tensor_file(folder / fmt::format("{}_{}.pb", kind, i)));
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

// Unsupported is a status; a wrong number is text.
Result<std::string> run_case(const std::filesystem::path& folder, Tolerance tolerance, ThreadPool& pool) {
  HALFTONE_ASSIGN(network::Network network, onnx::import_model(folder / "model.onnx"));
  network::Runner runner(std::make_shared<const network::Network>(std::move(network)), pool);
  size_t sets = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.is_directory()) continue;
    ++sets;
    HALFTONE_ASSIGN(const auto inputs, read_tensors(entry.path(), "input", runner.network().inputs.size()));
    HALFTONE_ASSIGN(const auto expected, read_tensors(entry.path(), "output", runner.network().outputs.size()));
    HALFTONE_ASSIGN(const auto outputs, runner.run(inputs));
    for (size_t i = 0; i < outputs.size(); ++i)
      if (const std::string text = difference(outputs[i], expected[i], tolerance); !text.empty())
        return fmt::format("output {}: {}", i, text);
  }
  if (sets == 0) return std::string("no test data");
  return std::string();
}

std::vector<std::string> operators_of(const std::filesystem::path& file) {
  std::set<std::string> names;
  const auto source = onnx::open_source(file);
  if (!source.ok()) return {};
  const auto model = onnx::parse_model(source->bytes, source->name);
  if (!model.ok()) return {};
  for (const auto& node : model->graph.nodes)
    names.insert(node.domain.empty() ? std::string(node.type) : fmt::format("{}.{}", node.domain, node.type));
  return {names.begin(), names.end()};
}

std::vector<Case> run_cases(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> folders;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (std::filesystem::exists(entry.path() / "model.onnx")) folders.push_back(entry.path());
  std::ranges::sort(folders);
  ThreadPool pool(1);
  std::vector<Case> cases;
  for (const auto& path : folders) {
    Case& current = cases.emplace_back();
    current.name = path.filename().string();
    current.operators = operators_of(path / "model.onnx");
    const auto wider = kWider.find(current.name);
    const auto result = run_case(path, wider == kWider.end() ? Tolerance() : wider->second, pool);
    current.reason = result.ok() ? *result : std::string(result.status().message());
    if (!result.ok() && result.status().code() == StatusCode::unsupported)
      current.verdict = Verdict::unsupported;
    else
      current.verdict = current.reason.empty() ? Verdict::pass : Verdict::fail;
  }
  return cases;
}

nlohmann::ordered_json to_json(const std::vector<Case>& cases) {
  std::map<std::string, std::array<int, 3>> operators;
  std::array<int, 3> total{};
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Case& one : cases) {
    ++total[static_cast<size_t>(one.verdict)];
    for (const std::string& name : one.operators) ++operators[name][static_cast<size_t>(one.verdict)];
    list.push_back({{"name", one.name}, {"verdict", kVerdictNames[static_cast<size_t>(one.verdict)]}});
    if (!one.reason.empty()) list.back()["reason"] = one.reason;
  }
  const auto counts = [](const std::array<int, 3>& count) {
    return nlohmann::ordered_json{{"pass", count[0]}, {"unsupported", count[1]}, {"fail", count[2]}};
  };
  nlohmann::ordered_json json = {{"total", counts(total)}, {"operators", nlohmann::ordered_json::object()}};
  for (const auto& [name, count] : operators) json["operators"][name] = counts(count);
  json["cases"] = std::move(list);
  return json;
}

int run(const std::vector<std::string>& arguments) {
  std::string folder, json_path;
  int64_t at_least = 0;
  bool list = false;
  for (size_t i = 1; i < arguments.size(); ++i) {
    if (arguments[i] == "--json" && i + 1 < arguments.size())
      json_path = arguments[++i];
    else if (arguments[i] == "--at-least" && i + 1 < arguments.size())
      at_least = parse_integer(arguments[++i]).value_or(0);
    else if (arguments[i] == "--list")
      list = true;
    else
      folder = arguments[i];
  }
  if (folder.empty() || !std::filesystem::is_directory(folder)) {
    std::fputs("usage: onnx_conformance FOLDER [--json PATH] [--at-least PASSES] [--list]\n", stderr);
    return 2;
  }
  const std::vector<Case> cases = run_cases(folder);
  const auto json = to_json(cases);
  for (const auto& [name, count] : json["operators"].items())
    fmt::print("{:<40} {:>5} pass {:>5} unsupported {:>5} fail\n", name, count["pass"].get<int>(),
               count["unsupported"].get<int>(), count["fail"].get<int>());
  for (const Case& one : cases)
    if (one.verdict == Verdict::fail || (list && one.verdict == Verdict::unsupported))
      fmt::print("{} {}: {}\n", kVerdictNames[static_cast<size_t>(one.verdict)], one.name, one.reason);
  if (!json_path.empty()) std::ofstream(json_path) << json.dump(1) << "\n";
  const auto& total = json["total"];
  const int passed = total["pass"].get<int>(), failed = total["fail"].get<int>();
  fmt::print("{} cases: {} pass, {} unsupported, {} fail\n", cases.size(), passed, total["unsupported"].get<int>(),
             failed);
  return failed == 0 && passed >= at_least && !cases.empty() ? 0 : 1;
}

}  // namespace
}  // namespace halftone

int main(int argc, char** argv) { return halftone::run({argv, argv + argc}); }
