// SPDX-License-Identifier: Apache-2.0
// Templates in the style of each family, and the conversations that they write.
#include "models/templates/chat_template.h"

#include <gtest/gtest.h>

#include "formats/model_file.h"
#include "formats/test_files.h"

namespace halftone {
namespace {

using OrderedJson = nlohmann::ordered_json;

const OrderedJson kTalk =
    OrderedJson::parse(R"([{"role": "system", "content": " Be kind. "}, {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello!"}, {"role": "user", "content": "Bye"}])");

std::string rendered(std::string_view source, const OrderedJson& messages, const ChatOptions& options) {
  const auto code = ChatTemplate::parse(source, "t");
  EXPECT_TRUE(code.ok()) << code.status().message();
  if (!code.ok()) return {};
  const auto text = code->render(messages, options);
  return text.ok() ? *text : "error: " + std::string(text.status().message());
}

ChatOptions plain_options(std::string bos = "<s>") {
  ChatOptions options;
  options.bos = std::move(bos);
  options.eos = "</s>";
  return options;
}

constexpr std::string_view kLlama3 = R"({{- bos_token }}
{%- if not date_string is defined %}{%- set date_string = "26 Jul 2024" %}{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\n\n" }}
{{- "Today Date: " + date_string + "\n\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}
)";

TEST(ChatTemplate, LikeLlama3) {
  EXPECT_EQ(
      rendered(kLlama3, kTalk, plain_options("<|begin_of_text|>")),
      "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nToday Date: 26 Jul 2024\n\nBe kind.<|eot_id|>"
      "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHello!"
      "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|>"
      "<|start_header_id|>assistant<|end_header_id|>\n\n");
  ChatOptions dated = plain_options("");
  dated.extra = {{"date_string", "1 Jan 2030"}};
  dated.add_generation_prompt = false;
  EXPECT_EQ(rendered(kLlama3, OrderedJson::array({kTalk[1]}), dated),
            "<|start_header_id|>system<|end_header_id|>\n\nToday Date: 1 Jan 2030\n\n<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>");
}

// Tools, a loop from behind, and thoughts that are left out of earlier answers.
constexpr std::string_view kQwen3 = R"({%- if tools %}
    {{- '<|im_start|>system\n' }}
    {%- if messages[0].role == 'system' %}{{- messages[0].content + '\n\n' }}{%- endif %}
    {{- "<tools>" }}
    {%- for tool in tools %}
        {{- "\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\n</tools><|im_end|>\n" }}
{%- else %}
    {%- if messages[0].role == 'system' %}{{- '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}{%- endif %}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<r>') and message.content.endswith('</r>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.role == "user" or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}
    {%- elif message.role == "assistant" %}
        {%- set content = message.content %}
        {%- set reasoning = '' %}
        {%- if '</think>' in content %}
            {%- set reasoning = content.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\n') %}
        {%- endif %}
        {{- '<|im_start|>' + message.role + '\n' }}
        {%- if loop.index0 > ns.last_query_index and reasoning %}{{- '<think>\n' + reasoning + '\n</think>\n\n' }}{%- endif %}
        {{- content + '<|im_end|>\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}
{%- endif %})";

TEST(ChatTemplate, LikeQwen3) {
  OrderedJson talk = kTalk;
  talk[2]["content"] = "<think>\nwell\n</think>\n\nHello!";
  ChatOptions options = plain_options("");
  options.extra = {{"enable_thinking", false}};
  EXPECT_EQ(rendered(kQwen3, talk, options),
            "<|im_start|>system\n Be kind. "
            "<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello!<|im_end|>\n"
            "<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n");
  options.extra = nullptr;
  options.tools = OrderedJson::parse(R"([{"type": "function", "function": {"name": "add", "é": [1, 2.0]}}])");
  options.add_generation_prompt = false;
  EXPECT_EQ(rendered(kQwen3, OrderedJson::array({talk[1], talk[2]}), options),
            "<|im_start|>system\n<tools>\n{\"type\": \"function\", \"function\": {\"name\": \"add\", \"é\": [1, "
            "2.0]}}\n</tools>"
            "<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\nwell\n</"
            "think>\n\nHello!<|im_end|>\n");
}

TEST(ChatTemplate, LikePhi4AndPhi3) {
  EXPECT_EQ(
      rendered("{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
               "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% else %}{{ eos_token }}{% endif %}",
               kTalk, plain_options()),
      "<|system|> Be kind. <|end|><|user|>Hi<|end|><|assistant|>Hello!<|end|><|user|>Bye<|end|><|assistant|>");
  EXPECT_EQ(
      rendered("{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') %}{{'<|user|>' + '\n' + "
               "message['content'] + '<|end|>' + '\n' + '<|assistant|>' + '\n'}}{% elif (message['role'] == "
               "'assistant') %}{{message['content'] + '<|end|>' + '\n'}}{% endif %}{% endfor %}",
               kTalk, plain_options()),
      "<s><|user|>\nHi<|end|>\n<|assistant|>\nHello!<|end|>\n<|user|>\nBye<|end|>\n<|assistant|>\n");
}

constexpr std::string_view kGemma = R"({{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- set first_user_prefix = messages[0]['content'] + '\n\n' -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = "" -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("Conversation roles must alternate user/assistant") }}
    {%- endif -%}
    {%- set role = "model" if message['role'] == 'assistant' else message['role'] -%}
    {{ '<start_of_turn>' + role + '\n' + (first_user_prefix if loop.first else "") }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}
            {%- if item['type'] == 'text' -%}{{ item['text'] | trim }}{%- endif -%}
        {%- endfor -%}
    {%- else -%}
        {{ raise_exception("Invalid content type") }}
    {%- endif -%}
    {{ '<end_of_turn>\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<start_of_turn>model\n' }}{%- endif -%}
)";

TEST(ChatTemplate, LikeGemma) {
  EXPECT_EQ(rendered(kGemma, kTalk, plain_options("<bos>")),
            "<bos><start_of_turn>user\n Be kind. \n\nHi<end_of_turn>\n<start_of_turn>model\nHello!<end_of_turn>\n"
            "<start_of_turn>user\nBye<end_of_turn>\n<start_of_turn>model\n");
  EXPECT_EQ(rendered(kGemma,
                     OrderedJson::parse(
                         R"([{"role": "user", "content": [{"type": "text", "text": " x "}, {"type": "image"}]}])"),
                     plain_options("<bos>")),
            "<bos><start_of_turn>user\nx<end_of_turn>\n<start_of_turn>model\n");
  EXPECT_EQ(rendered(kGemma, OrderedJson::array({kTalk[1], kTalk[1]}), plain_options()),
            "error: [template] t: line 11: the template refuses: Conversation roles must alternate user/assistant");
}

constexpr std::string_view kMistral = R"({%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if tools is not none and (message == user_messages[-1]) %}
            {{- "[AVAILABLE_TOOLS] [" }}
            {%- for tool in tools %}
                {%- set tool = tool.function %}
                {{- '{"type": "function", "function": {' }}
                {%- for key, val in tool.items() if key != "return" %}
                    {%- if val is string %}
                        {{- '"' + key + '": "' + val + '"' }}
                    {%- else %}
                        {{- '"' + key + '": ' + val|tojson }}
                    {%- endif %}
                    {%- if not loop.last %}{{- ", " }}{%- endif %}
                {%- endfor %}
                {{- "}}" }}
                {%- if not loop.last %}{{- ", " }}{%- else %}{{- "]" }}{%- endif %}
            {%- endfor %}
            {{- "[/AVAILABLE_TOOLS]" }}
        {%- endif %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\n\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token }}
    {%- else %}
        {{- raise_exception("Only user and assistant roles are supported, got " ~ message["role"]) }}
    {%- endif %}
{%- endfor %}
)";

TEST(ChatTemplate, LikeMistral) {
  EXPECT_EQ(rendered(kMistral, kTalk, plain_options()),
            "<s>[INST] Hi[/INST] Hello!</s>[INST]  Be kind. \n\nBye[/INST]");
  ChatOptions options = plain_options();
  options.tools =
      OrderedJson::parse(R"([{"type": "function", "function": {"name": "f", "return": "x", "parameters": {"a": 1}}}])");
  EXPECT_EQ(
      rendered(kMistral, OrderedJson::array({kTalk[1]}), options),
      "<s>[AVAILABLE_TOOLS] [{\"type\": \"function\", \"function\": {\"name\": \"f\", \"parameters\": {\"a\": 1}}}]"
      "[/AVAILABLE_TOOLS][INST] Hi[/INST]");
}

TEST(ChatTemplate, BadMessagesAreErrors) {
  const auto code = ChatTemplate::parse("{{ messages }}", "t");
  ASSERT_TRUE(code.ok());
  OrderedJson deep = "x";
  for (int i = 0; i < 100; ++i) deep = OrderedJson::array({deep});
  EXPECT_EQ(code->render(deep, {}).status().message(), "[template] messages: expected at most 64 levels");
  EXPECT_EQ(code->render(OrderedJson::array({"\xFF"}), {}).status().message(),
            "[template] messages: expected text in UTF-8");
  EXPECT_FALSE(ChatTemplate::parse("\xFF", "t").ok());
}

TEST(ChatTemplate, IsFoundInTheFolder) {
  const TempFolder folder;
  ModelFile file;
  file.path = folder.path();
  const auto found = [&] {
    const auto source = find_chat_template(file);
    EXPECT_TRUE(source.ok()) << source.status().message();
    return source.ok() && *source ? (*source)->text : std::string("none");
  };
  EXPECT_EQ(found(), "none");
  const auto config = folder.path() / "tokenizer_config.json";
  file.side_files["tokenizer_config.json"] = config;
  write_text(config, R"({"bos_token": "<s>"})");
  EXPECT_EQ(found(), "none");
  write_text(config, R"({"chat_template": "one"})");
  EXPECT_EQ(found(), "one");
  write_text(
      config,
      R"({"chat_template": [{"name": "tool_use", "template": "tools"}, {"name": "default", "template": "two"}]})");
  EXPECT_EQ(found(), "two");
  write_text(folder.path() / "chat_template.jinja", "three");
  file.side_files["chat_template.jinja"] = folder.path() / "chat_template.jinja";
  EXPECT_EQ(found(), "three");
  file.side_files.erase("chat_template.jinja");
  write_text(config, R"({"chat_template": 7})");
  EXPECT_NE(find_chat_template(file).status().message().find(
                "expected a string, or a list with a template named \"default\""),
            std::string_view::npos);
}

}  // namespace
}  // namespace halftone
