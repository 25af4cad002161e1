// SPDX-License-Identifier: Apache-2.0
#include "cli/run_network.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "cli/table.h"
#include "formats/network/network_file.h"
#include "formats/npy.h"
#include "runtime/network/runner.h"
#include "validate/array_file.h"

namespace halftone::cli {
namespace {

// The sizes that a port fixes; empty where one varies: the file says them.
Shape fixed_shape(const network::Port& port) {
  Shape shape;
  for (const network::Dimension& one : port.shape) {
    if (one.size < 0) return {};
    shape.push_back(one.size);
  }
  return shape;
}

Result<std::vector<Tensor>> read_inputs(const NetworkFile& file, const NetworkRun& arguments) {
  const network::Network& network = *file.network;
  if (arguments.inputs.size() != network.inputs.size())
    return invalid_input("[run] {}: expected {} --input files, got {}", file.path.string(), network.inputs.size(),
                         arguments.inputs.size());
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < network.inputs.size(); ++i) {
    const network::Port& port = network.inputs[i];
    if (port.type != DType::f32)
      return unsupported("[run] {}: input {}: expected f32, got {}", file.path.string(), network.name_of(port.value),
                         name_of(port.type));
    ArrayFormat format;
    format.shape = fixed_shape(port);
    HALFTONE_ASSIGN(Tensor input, read_array(arguments.inputs[i], format));
    inputs.push_back(std::move(input));
  }
  return inputs;
}

// A value's name as a file's: what separates folders becomes an underscore.
std::string file_name(std::string name) {
  std::ranges::replace(name, '/', '_');
  std::ranges::replace(name, '\\', '_');
  std::ranges::replace(name, ':', '_');
  return name + ".npy";
}

}  // namespace

Result<int> run_network(Shell& shell, const NetworkRun& arguments) {
  HALFTONE_ASSIGN(const NetworkFile file, open_network(arguments.model));
  HALFTONE_ASSIGN(const std::vector<Tensor> inputs, read_inputs(file, arguments));
  ThreadPool pool(shell.threads > 0 ? shell.threads : available_cores());
  network::Runner runner(file.network, pool, arguments.activations);
  HALFTONE_ASSIGN(const std::vector<Tensor> outputs, runner.run(inputs));
  if (!arguments.output.empty()) {
    std::error_code failed;
    std::filesystem::create_directories(arguments.output, failed);
    if (failed) return invalid_input("[run] {}: expected a folder to write to: {}", arguments.output, failed.message());
  }
  Table table({"", "shape", ">least", ">most", ">first of the largest"});
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& output = outputs[i];
    const std::string& name = file.network->name_of(file.network->outputs[i].value);
    nlohmann::ordered_json entry = {{"name", name}, {"type", name_of(output.type())}, {"shape", output.shape()}};
    std::vector<Table::Cell> row = {{name, Colour::bold}, {text_of(output.shape())}, {""}, {""}, {""}};
    if (output.type() == DType::f32 && output.elements() > 0) {
      const auto values = output.values<float>();
      const auto [least, most] = std::ranges::minmax_element(values);
      row[2] = {fmt::format("{:.6g}", *least)};
      row[3] = {fmt::format("{:.6g}", *most)};
      row[4] = {std::to_string(most - values.begin())};
      entry.update({{"least", *least}, {"most", *most}, {"largest", most - values.begin()}});
    }
    table.row(row);
    if (!arguments.output.empty()) {
      const std::filesystem::path path = std::filesystem::path(arguments.output) / file_name(name);
      HALFTONE_TRY(write_npy(path, output));
      entry["file"] = path.string();
    }
    list.push_back(std::move(entry));
  }
  shell.print(table.render(shell.colour()));
  HALFTONE_TRY(shell.write_json({{"model", arguments.model},
                                 {"inputs", arguments.inputs},
                                 {"activations", name_of(runner.activations_used())},
                                 {"threads", pool.threads()}},
                                {{"outputs", std::move(list)}}));
  return kDone;
}

}  // namespace halftone::cli
