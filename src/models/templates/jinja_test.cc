// SPDX-License-Identifier: Apache-2.0
// The language: every case of tests/golden/jinja.json (written by tests/tools/jinja_reference.py) gives what Jinja
// gives.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/atomic_write.h"
#include "models/templates/chat_template.h"

namespace halftone {
namespace {

using OrderedJson = nlohmann::ordered_json;

Result<std::string> render_template(std::string_view source, const OrderedJson& values, const ChatOptions& given = {}) {
  ChatOptions options = given;
  options.extra = values;
  const auto parsed = ChatTemplate::parse(source, "t");
  if (!parsed.ok()) return parsed.status();
  return parsed->render(OrderedJson::array(), options);
}

std::string template_message(std::string_view source) {
  const auto text = render_template(source, OrderedJson::object());
  return text.ok() ? "rendered: " + *text : std::string(text.status().message());
}

TEST(Jinja, AgreesWithTheReference) {
  const auto text = read_text_file(std::string(HALFTONE_SOURCE_DIR) + "/tests/golden/jinja.json");
  ASSERT_TRUE(text.ok());
  const OrderedJson golden = OrderedJson::parse(*text);
  ASSERT_GT(golden["cases"].size(), 300u);
  for (const OrderedJson& item : golden["cases"]) {
    const auto shown = render_template(item["template"].get<std::string>(), golden["values"]);
    if (item["text"].is_null()) {
      EXPECT_FALSE(shown.ok()) << item["template"] << " gives " << *shown;
    } else {
      ASSERT_TRUE(shown.ok()) << item["template"] << ": " << shown.status().message();
      EXPECT_EQ(*shown, item["text"].get<std::string>()) << item["template"];
    }
  }
}

TEST(Jinja, ErrorsNameLineAndConstruct) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"a\n\n{% include 'x' %}",
       "[template] t: line 3: expected if, for, set, with, macro, call, filter, break, continue, generation or raw, "
       "got "
       "{% include %}"},
      {"\n{{ x | tojsonl }}", "[template] t: line 2: expected a known filter, got \"| tojsonl\""},
      {"{{ x is odd_one }}", "[template] t: line 1: expected a known test, got \"is odd_one\""},
      {"{% if x %}\n\n", "expected {% endif %} for the block that begins here, got the end of the template"},
      {"{{ x", "[template] t: line 1: expected }} to close the tag, got the end of the template"},
      {"{{ 'x }}", "expected ' to close the string"},
      {"{{ (1] }}", "expected brackets in pairs, got \"]\""},
      {"{{ 99999999999999999999 }}", "expected a number below 2^63, got 99999999999999999999"},
      {"{{ 'a'.encode() }}", "expected a known method of a string, got \".encode()\""},
      {"{{ f(*x) }}", "expected plain arguments, got \"*\""},
      {"{% for a in x recursive %}{% endfor %}", "expected a plain loop, got \"recursive\""},
      {"{{ raise_exception('roles must alternate') }}", "line 1: the template refuses: roles must alternate"},
      {"{{ nobody.name }}", "expected a value with \"name\", got \"nobody\", which is undefined"},
      {"{{ nobody() }}", "expected a function, got \"nobody\", which is undefined"},
      {"{{ 1 + nobody }}", "expected numbers for \"+\", got integer and undefined \"nobody\""},
      {"{{ '%s' % 1 }}", "expected numbers for \"%\", got string and integer"},
      {"{% macro a() %}{% macro b() %}{% endmacro %}{% endmacro %}",
       "expected {% macro %} outside of loops and macros"},
      {"{% set a.b = 1 %}", "expected a namespace for {% set a.b %}, got undefined"},
      {"{{ 9223372036854775807 + 1 }}", "expected a number below 2^63"},
  };
  for (const auto& [source, message] : cases) {
    EXPECT_NE(template_message(source).find(message), std::string::npos) << source << "\n" << template_message(source);
  }
}

TEST(Jinja, HostileTemplatesEndWithAnError) {
  std::string deep = "{{ ", wide = "{{ 1", tags, signs = "{{ ", calls;
  for (int i = 0; i < 50'000; ++i) {
    deep += "(", wide += " + 1", tags += "{% if 1 %}", signs += "- ", calls += "[0]";
  }
  const std::vector<std::string> cases = {
      deep,
      wide + " }}",
      tags,
      signs + "1 }}",
      "{{ [] " + calls + " }}",
      "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
      "{{ 'x' * 99999999999 }}",
      "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
      "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
      "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
      "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l == ns.l "
      "}}",
      "{% set ns = namespace(l=[1]) %}{% for i in range(90) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l | tojson }}",
      "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
      "{% set ns = namespace(f=1) %}{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}{{ caller() }}{% endcall "
      "%}",
      "{{ 'aaaa'.replace('', 'x' * 60000000) }}",
      "{{ range(1000000) }}",
      "{{ -9223372036854775807 // 0 }}",
      "{{ ('x' * 1000000) | indent(99999) }}",
  };
  for (const std::string& source : cases) {
    const std::string message = template_message(source);
    EXPECT_NE(message.find("[template] t: line "), std::string::npos) << source.substr(0, 100) << "\n"
                                                                      << message.substr(0, 300);
  }
}

TEST(Jinja, DatesComeFromTheCaller) {
  ChatOptions options;
  std::tm now{};
  now.tm_year = 124, now.tm_mon = 6, now.tm_mday = 26;
  options.now = now;
  const auto text = render_template("{{ strftime_now('%d %b %Y') }}", OrderedJson::object(), options);
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(*text, "26 Jul 2024");
}

}  // namespace
}  // namespace halftone
