// SPDX-License-Identifier: Apache-2.0
#include "generate/chat.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "base/error.h"
#include "base/units.h"
#include "cli/arguments.h"
#include "cli/sampling.h"
#include "cli/shell.h"

namespace halftone::cli {

namespace {

struct ChatArguments {
  std::string model, system, template_file, activations = "auto", kv = "f16";
  GenerateOptions options;
  bool has_system = false;
};

constexpr const char* kChatExample = R"(Example (one turn per line; the end of the input ends the conversation):
  $ echo "What is 17 plus 25?" | halftone chat models/tinyworld --template qa.jinja --temperature 0 --stop "\n"
  42
with qa.jinja: {% for m in messages %}{{ 'Question: ' if m.role == 'user' else ' ' }}{{ m.content }}
  {{ 'Answer:' if m.role == 'user' }}{% endfor %})";

nlohmann::ordered_json settings_json(const ChatArguments& arguments, const Executor& executor, const Chat& chat) {
  nlohmann::ordered_json settings = {
      {"model", arguments.model},
      {"template", chat.template_name()},
      {"system", arguments.has_system ? nlohmann::ordered_json(arguments.system) : nlohmann::ordered_json()},
      {"activations", executor.activations_used()},
      {"kv", arguments.kv},
      {"threads", executor.threads()},
      {"max_tokens", arguments.options.max_tokens},
      {"context", arguments.options.context},
      {"stop", arguments.options.stop}};
  record_sampling(arguments.options.sampler, settings);
  return settings;
}

nlohmann::ordered_json turn_json(const std::string& user, const ChatAnswer& answer) {
  const GenerateResult& result = answer.result;
  return {{"user", user},
          {"text", result.text},
          {"prompt_tokens", static_cast<int64_t>(result.prompt_tokens.size())},
          {"reused_tokens", answer.reused_tokens},
          {"tokens", result.tokens},
          {"stop_reason", std::string(name_of(result.stop))},
          {"forgotten_turns", answer.forgotten_turns},
          {"prefill_seconds", result.prefill_seconds},
          {"first_token_seconds", result.first_token_seconds},
          {"token_seconds", result.token_seconds}};
}

Result<int> chat(Shell& shell, const ChatArguments& arguments) {
  HALFTONE_ASSIGN(const auto model, load_language_model(arguments.model));
  HALFTONE_ASSIGN(const Activations activations, parse_activations(arguments.activations));
  HALFTONE_ASSIGN(const KvType kv, kv_type_from_name(arguments.kv));
  HALFTONE_ASSIGN(const auto executor, Executor::create(model->model, {shell.threads, activations, kv}));
  HALFTONE_ASSIGN(Chat conversation, Chat::open(model, *executor, arguments.template_file));
  if (arguments.has_system) conversation.set_system(unescaped(arguments.system));
  const bool terminal = isatty(STDIN_FILENO) == 1;
  nlohmann::ordered_json turns = nlohmann::ordered_json::array();
  int64_t forgotten = 0;
  std::string line;
  while (true) {
    if (terminal) std::fputs("> ", stderr);
    if (!std::getline(std::cin, line)) break;
    if (line.empty()) continue;
    HALFTONE_ASSIGN(const ChatAnswer answer, conversation.answer(line, arguments.options, [&](std::string_view piece) {
      shell.print(piece);
      std::fflush(stdout);
    }));
    shell.print("\n");
    if (answer.forgotten_turns > forgotten) {
      shell.note(fmt::format("(the context is full: the oldest {} {} forgotten)", answer.forgotten_turns,
                             answer.forgotten_turns == 1 ? "turn is" : "turns are"));
      forgotten = answer.forgotten_turns;
    }
    if (answer.result.stop == StopReason::max_tokens)
      shell.note(fmt::format("(cut off after {} tokens; --max-tokens allows more)", arguments.options.max_tokens));
    if (answer.result.stop == StopReason::context_full) shell.note("(cut off: the context is full)");
    turns.push_back(turn_json(line, answer));
  }
  if (terminal) std::fputs("\n", stderr);
  HALFTONE_TRY(shell.write_json(settings_json(arguments, *executor, conversation), {{"turns", std::move(turns)}}));
  return kDone;
}

}  // namespace

void add_chat(CLI::App& app, Shell& shell) {
  const auto arguments = std::make_shared<ChatArguments>();
  CLI::App* verb =
      shell.verb(app, "chat", "talk to a model", kChatExample, [&shell, arguments] { return chat(shell, *arguments); });
  arguments->options.max_tokens = 1024;
  verb->add_option("MODEL", arguments->model, "model folder or file")->required();
  verb->add_option_function<std::string>(
      "--system",
      [arguments](const std::string& text) {
        arguments->system = text;
        arguments->has_system = true;
      },
      "what the model is told first; \\n is a new line");
  verb->add_option("--template", arguments->template_file, "chat template instead of the model's own (Jinja)");
  add_sampling(verb, arguments->options.sampler);
  verb->add_option_function<std::vector<std::string>>(
      "--stop",
      [arguments](const std::vector<std::string>& stops) {
        for (const std::string& stop : stops) arguments->options.stop.push_back(unescaped(stop));
      },
      "end an answer before this text; may be given several times");
  verb->add_option("--max-tokens", arguments->options.max_tokens, "of one answer")->capture_default_str();
  verb->add_option("--context", arguments->options.context, "tokens to hold at most; 0: the model's context")
      ->capture_default_str();
  add_activations(verb, arguments->activations);
  add_kv(verb, arguments->kv);
}

}  // namespace halftone::cli
