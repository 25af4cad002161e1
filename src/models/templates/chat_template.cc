// SPDX-License-Identifier: Apache-2.0
#include "models/templates/chat_template.h"

#include "base/atomic_write.h"
#include "base/error.h"
#include "base/utf8.h"
#include "formats/gguf/gguf.h"
#include "formats/json_text.h"
#include "formats/model_file.h"
#include "models/templates/machine.h"

namespace halftone {
namespace {

constexpr size_t kMaxTemplateBytes = 1 << 20, kMaxTextBytes = size_t{64} << 20;
constexpr int64_t kBaseSteps = 2'000'000, kStepsPerByte = 16;

size_t bytes_in(const nlohmann::ordered_json& json) {
  if (json.is_string()) return json.get_ref<const std::string&>().size();
  size_t bytes = 1;
  for (const auto& [key, item] : json.items()) {
    if (json.is_structured()) bytes += key.size() + bytes_in(item);
  }
  return bytes;
}

std::tm clock_now() {
  const std::time_t seconds = std::time(nullptr);
  std::tm now{};
  localtime_r(&seconds, &now);
  return now;
}

}  // namespace

struct ChatTemplate::Code {
  std::string name;
  jinja::Body body;
};

Result<ChatTemplate> ChatTemplate::parse(std::string_view text, std::string_view name) {
  if (first_invalid_utf8(text)) return invalid_input("[template] {}: expected a template in UTF-8", name);
  if (text.size() > kMaxTemplateBytes)
    return unsupported("[template] {}: expected at most {} bytes, got {}", name, kMaxTemplateBytes, text.size());
  auto code = std::make_shared<Code>();
  code->name = name;
  HALFTONE_ASSIGN(code->body, jinja::parse_template(text, name));
  ChatTemplate result;
  result.code_ = std::move(code);
  return result;
}

Result<std::string> ChatTemplate::render(const nlohmann::ordered_json& messages, const ChatOptions& options) const {
  HALFTONE_TRY(jinja::check_json(messages, "messages"));
  HALFTONE_TRY(jinja::check_json(options.tools, "tools"));
  HALFTONE_TRY(jinja::check_json(options.extra, "names for the template"));
  const size_t bytes = bytes_in(messages) + bytes_in(options.tools) + bytes_in(options.extra);
  jinja::Machine machine(code_->name, {kBaseSteps + kStepsPerByte * static_cast<int64_t>(bytes), kMaxTextBytes,
                                       options.now ? *options.now : clock_now()});
  machine.define("messages", jinja::value_of(messages, machine.arena));
  machine.define("tools", jinja::value_of(options.tools, machine.arena));
  machine.define("documents", jinja::None{});
  machine.define("add_generation_prompt", options.add_generation_prompt);
  machine.define("bos_token", options.bos);
  machine.define("eos_token", options.eos);
  if (options.extra.is_object()) {
    for (const auto& [key, value] : options.extra.items()) machine.define(key, jinja::value_of(value, machine.arena));
  }
  return machine.render(code_->body);
}

namespace {

Result<std::optional<ChatSource>> template_of_config(const std::filesystem::path& path) {
  HALFTONE_ASSIGN(const nlohmann::json config, read_json_file(path));
  const std::string name = path.string() + ": chat_template";
  const auto found = config.is_object() ? config.find("chat_template") : config.end();
  if (!config.is_object() || found == config.end() || found->is_null()) return std::optional<ChatSource>();
  if (found->is_string()) return std::optional<ChatSource>(ChatSource{found->get<std::string>(), name});
  if (found->is_array()) {
    for (const nlohmann::json& entry : *found) {
      if (!entry.is_object() || entry.value("name", nlohmann::json()) != "default") continue;
      const auto text = entry.find("template");
      if (text != entry.end() && text->is_string())
        return std::optional<ChatSource>(ChatSource{text->get<std::string>(), name});
    }
  }
  return invalid_input("[template] {}: expected a string, or a list with a template named \"default\", got {}", name,
                       found->type_name());
}

}  // namespace

Result<std::optional<ChatSource>> find_chat_template(const ModelFile& file) {
  const auto side_file = [&](std::string_view name) -> const std::filesystem::path* {
    const auto at = file.side_files.find(std::string(name));
    return at == file.side_files.end() ? nullptr : &at->second;
  };
  if (const auto* path = side_file("chat_template.jinja")) {
    HALFTONE_ASSIGN(std::string text, read_text_file(*path, kMaxTemplateBytes));
    return std::optional<ChatSource>(ChatSource{std::move(text), path->string()});
  }
  if (const auto* path = side_file("tokenizer_config.json")) {
    HALFTONE_ASSIGN(std::optional<ChatSource> found, template_of_config(*path));
    if (found) return found;
  }
  if (const auto* path = side_file("vocabulary.gguf")) {
    HALFTONE_ASSIGN(const std::shared_ptr<const FileMap> map, FileMap::open(*path));
    HALFTONE_ASSIGN(const GgufHeader header, parse_gguf(map->bytes(), path->string()));
    const std::string_view text = header.text("tokenizer.chat_template");
    if (!text.empty())
      return std::optional<ChatSource>(ChatSource{std::string(text), path->string() + ": tokenizer.chat_template"});
  }
  return std::optional<ChatSource>();
}

}  // namespace halftone
