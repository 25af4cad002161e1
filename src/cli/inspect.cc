// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <set>

#include "base/atomic_write.h"
#include "base/error.h"
#include "base/thread_pool.h"
#include "base/units.h"
#include "cli/import_table.h"
#include "cli/shell.h"
#include "cli/table.h"
#include "formats/network/network_file.h"
#include "kernels/isa.h"
#include "ship/weights.h"

namespace halftone::cli {

namespace {

struct InspectArguments {
  std::string model, tokens;
  bool check = false, isa = false;
};

constexpr const char* kInspectExample = R"(Example:
  $ halftone inspect models/tinyworld
  models/tinyworld: llama, 3,410,176 parameters, 6.82 MB, 16.00 bits per weight
  4 layers, hidden 256, 4 heads of 64 (2 for keys and values), feed-forward 704
  task: next token; context 256 tokens, KV cache 2.05 kB per token, vocabulary 1,792, tokenizer bpe
  part                  layout  tensors  parameters    bytes  scales  padding  bits/weight
  embedding and output  f16           1     458,752   918 kB       -        -        16.00
  ...
  $ halftone inspect models/tinyworld --tokens prompt.txt     ids of the text, one line
  $ halftone inspect --isa                                    instruction sets: compiled, supported, active)";

std::string joined(const std::vector<Isa>& isas) {
  std::vector<std::string_view> names;
  for (Isa isa : isas) names.push_back(name_of(isa));
  return fmt::format("{}", fmt::join(names, " "));
}

Result<int> list_isas(Shell& shell) {
  HALFTONE_ASSIGN(const Isa active, active_isa());
  shell.print(fmt::format("compiled   {}\nsupported  {}\nactive     {}\n", joined(compiled_isas()),
                          joined(supported_isas()), name_of(active)));
  const auto list = [](const std::vector<Isa>& isas) {
    nlohmann::ordered_json out = nlohmann::ordered_json::array();
    for (Isa isa : isas) out.push_back(std::string(name_of(isa)));
    return out;
  };
  HALFTONE_TRY(shell.write_json(nlohmann::ordered_json::object(), {{"compiled", list(compiled_isas())},
                                                                   {"supported", list(supported_isas())},
                                                                   {"active", std::string(name_of(active))}}));
  return kDone;
}

Result<int> print_tokens(Shell& shell, const LanguageModel& model, const InspectArguments& arguments) {
  if (!model.tokenizer)
    return not_found(
        "[inspect] {}: expected a tokenizer for --tokens, got none; copy tokenizer.json or tokenizer.model beside the "
        "weights",
        arguments.model);
  HALFTONE_ASSIGN(const std::string text, read_text_file(arguments.tokens));
  HALFTONE_ASSIGN(const std::vector<TokenId> ids, model.tokenizer->encode(text));
  shell.print(fmt::format("{}\n", fmt::join(ids, " ")));
  HALFTONE_TRY(shell.write_json({{"model", arguments.model}, {"file", arguments.tokens}}, {{"tokens", ids}}));
  return kDone;
}

std::string bytes_or_dash(int64_t bytes) { return bytes > 0 ? format_bytes(bytes) : "-"; }

// The widths of static ranges that the model has.
std::set<int32_t> ranges_of(const LanguageModel& model) {
  std::set<int32_t> bits;
  for (const StoredTensor& tensor : model.file.tensors)
    if (tensor.input.exists()) bits.insert(tensor.input.bits);
  return bits;
}

std::string weight_table(const WeightSummary& weights, bool colour) {
  Table table({"part", "layout", ">tensors", ">parameters", ">bytes", ">scales", ">padding", ">bits/weight"});
  for (const WeightItem& item : weights.items)
    table.row({{item.part},
               {item.layout},
               {format_count(item.tensors)},
               {format_count(item.elements)},
               {format_bytes(item.bytes)},
               {bytes_or_dash(item.scale_bytes)},
               {bytes_or_dash(item.padding_bytes)},
               {fmt::format("{:.2f}", item.bits_per_weight())}});
  table.row({{"all", Colour::bold},
             {""},
             {""},
             {format_count(weights.parameters)},
             {format_bytes(weights.bytes)},
             {bytes_or_dash(weights.scale_bytes)},
             {bytes_or_dash(weights.padding_bytes)},
             {fmt::format("{:.2f}", weights.bits_per_weight)}});
  return table.render(colour);
}

std::string describe(const LanguageModel& model, const WeightSummary& weights, bool colour) {
  const ModelConfig& config = model.config;
  std::string out =
      fmt::format("{}: {}, {} parameters, {}, {:.2f} bits per weight\n", model.path.string(), config.family,
                  format_count(weights.parameters), format_bytes(weights.bytes), weights.bits_per_weight);
  out += fmt::format("{} layers, hidden {}, {} heads of {} ({} for keys and values), feed-forward {}\n", config.layers,
                     config.hidden, config.heads, config.head_dim, config.kv_heads, config.intermediate);
  out += fmt::format("task: next token; context {} tokens, KV cache {} per token, vocabulary {}, tokenizer {}\n",
                     format_count(config.context), format_bytes(model.model->kv_bytes_per_token()),
                     format_count(config.vocabulary), model.tokenizer ? model.tokenizer->kind() : "none");
  if (const auto ranges = ranges_of(model); !ranges.empty())
    out += fmt::format("static ranges of what matrices read: {} bits\n", fmt::join(ranges, " and "));
  out += weight_table(weights, colour);
  if (model.file.import) out += import_table(model.file, colour);
  for (const std::string& name : model.ignored) out += fmt::format("not needed, ignored: {}\n", name);
  return out;
}

nlohmann::ordered_json results_json(const LanguageModel& model, const WeightSummary& weights, bool checked) {
  const ModelConfig& config = model.config;
  nlohmann::ordered_json json = {{"path", model.path.string()},
                                 {"container", model.file.container},
                                 {"family", config.family},
                                 {"task", "next_token"},
                                 {"layers", config.layers},
                                 {"hidden", config.hidden},
                                 {"heads", config.heads},
                                 {"kv_heads", config.kv_heads},
                                 {"head_dim", config.head_dim},
                                 {"intermediate", config.intermediate},
                                 {"vocabulary", config.vocabulary},
                                 {"context_tokens", config.context},
                                 {"kv_bytes_per_token", model.model->kv_bytes_per_token()},
                                 {"decode_bytes_per_token", model.model->decode_bytes()},
                                 {"tokenizer", model.tokenizer ? std::string(model.tokenizer->kind()) : ""},
                                 {"bytes_on_disk", model.file.bytes_on_disk},
                                 {"weights", to_json(weights)},
                                 {"ignored", model.ignored},
                                 {"checked_finite", checked}};
  if (const auto ranges = ranges_of(model); !ranges.empty()) json["static_range_bits"] = ranges;
  if (model.file.import) json["import"] = import_json(*model.file.import);
  return json;
}

std::string port_text(const network::Network& network, const network::Port& port) {
  std::string sizes;
  for (const network::Dimension& one : port.shape)
    sizes += (sizes.empty() ? "" : ", ") + (one.size >= 0        ? std::to_string(one.size)
                                            : one.symbol.empty() ? "any"
                                                                 : one.symbol);
  return fmt::format("{}: {}{}", network.name_of(port.value), name_of(port.type),
                     port.has_shape ? " [" + sizes + "]" : "");
}

std::map<std::string, int64_t> op_counts(const network::Network& network) {
  std::map<std::string, int64_t> counts;
  for (const network::Node& node : network.nodes) ++counts[std::string(network::name_of(node.op))];
  return counts;
}

Result<int> inspect_network(Shell& shell, const InspectArguments& arguments) {
  if (!arguments.tokens.empty() || arguments.check)
    return unsupported("[inspect] {}: expected a language model for --tokens and --check, got a network",
                       arguments.model);
  HALFTONE_ASSIGN(const NetworkFile file, open_network(arguments.model));
  const network::Network& network = *file.network;
  const WeightSummary weights = summarize_weights(network);
  std::string out =
      fmt::format("{}: {} network, {} nodes, {} parameters, {}, {:.2f} bits per weight\n", arguments.model,
                  file.container, format_count(static_cast<int64_t>(network.nodes.size())),
                  format_count(weights.parameters), format_bytes(weights.bytes), weights.bits_per_weight);
  nlohmann::ordered_json inputs = nlohmann::ordered_json::array(), outputs = nlohmann::ordered_json::array();
  for (const network::Port& port : network.inputs) inputs.push_back(port_text(network, port));
  for (const network::Port& port : network.outputs) outputs.push_back(port_text(network, port));
  for (const auto& port : inputs) out += fmt::format("input {}\n", port.get<std::string>());
  for (const auto& port : outputs) out += fmt::format("output {}\n", port.get<std::string>());
  std::string ops;
  for (const auto& [op, count] : op_counts(network)) ops += fmt::format("{}{} {}", ops.empty() ? "" : ", ", op, count);
  out += fmt::format("ops: {}\n", ops) + weight_table(weights, shell.colour());
  shell.print(out);
  HALFTONE_TRY(shell.write_json({{"model", arguments.model}, {"check", false}}, {{"path", arguments.model},
                                                                                 {"container", file.container},
                                                                                 {"task", "network"},
                                                                                 {"nodes", network.nodes.size()},
                                                                                 {"inputs", inputs},
                                                                                 {"outputs", outputs},
                                                                                 {"ops", op_counts(network)},
                                                                                 {"bytes_on_disk", file.bytes_on_disk},
                                                                                 {"weights", to_json(weights)}}));
  return kDone;
}

Result<int> run(Shell& shell, const InspectArguments& arguments) {
  if (arguments.isa) return list_isas(shell);
  if (arguments.model.empty()) return invalid_input("[inspect] expected a model folder (or --isa), got none");
  if (is_network(arguments.model)) return inspect_network(shell, arguments);
  HALFTONE_ASSIGN(const auto model, load_language_model(arguments.model));
  if (!arguments.tokens.empty()) return print_tokens(shell, *model, arguments);
  if (arguments.check) {
    ThreadPool pool(shell.threads > 0 ? shell.threads : available_cores());
    HALFTONE_TRY(check_finite_weights(*model, pool));
  }
  const WeightSummary weights = summarize_weights(*model);
  shell.print(describe(*model, weights, shell.colour()));
  if (arguments.check) shell.print("checked: every weight is a finite number\n");
  HALFTONE_TRY(shell.write_json({{"model", arguments.model}, {"check", arguments.check}},
                                results_json(*model, weights, arguments.check)));
  return kDone;
}

}  // namespace

void add_inspect(CLI::App& app, Shell& shell) {
  const auto arguments = std::make_shared<InspectArguments>();
  CLI::App* verb = shell.verb(app, "inspect", "what a model is, and where its bytes go", kInspectExample,
                              [&shell, arguments] { return run(shell, *arguments); });
  verb->add_option("MODEL", arguments->model, "model folder, GGUF file, or file of a network");
  verb->add_option("--tokens", arguments->tokens, "print the token ids of this file's text")->type_name("FILE");
  verb->add_flag("--check", arguments->check, "read every weight: no NaN, no infinity");
  verb->add_flag("--isa", arguments->isa, "list instruction sets: compiled, supported, active");
}

}  // namespace halftone::cli
