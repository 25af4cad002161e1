// SPDX-License-Identifier: Apache-2.0
// The verb chat over the model of the repository: turns from standard input, answers, the record.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "base/temp_folder.h"
#include "program.h"

namespace halftone {
namespace {

const std::string kProgram = std::string(HALFTONE_BINARY_DIR) + "/halftone";
const std::string kModel = std::string(HALFTONE_SOURCE_DIR) + "/models/tinyworld";

TEST(ChatVerb, AnswersTurnByTurnAndRecordsThem) {
  const TempFolder folder;
  std::ofstream(folder.path() / "qa.jinja")
      << "{% for m in messages %}{% if m.role == 'user' %}Question: {{ m.content }}\n{{ 'Answer:' }}"
         "{% else %} {{ m.content | trim }}\n\n{% endif %}{% endfor %}";
  const std::string at = "cd '" + folder.path().string() + "' && ";
  const auto [code, output] =
      run_command(at + "printf 'What is 17 plus 25?\\n\\nWhat is 17 plus 25?\\n' | '" + kProgram + "' chat '" + kModel +
                  "' --template qa.jinja --temperature 0 --max-tokens 8 --stop '\\n' --json chat.json");
  ASSERT_EQ(code, 0) << output;
  EXPECT_NE(output.find("42"), std::string::npos) << output;
  std::ifstream file(folder.path() / "chat.json");
  const auto record = nlohmann::json::parse(file);
  EXPECT_EQ(record["verb"], "chat");
  const auto& turns = record["results"]["turns"];
  ASSERT_EQ(turns.size(), 2u);
  EXPECT_EQ(turns[0]["user"], "What is 17 plus 25?");
  EXPECT_EQ(turns[0]["reused_tokens"], 0);
  EXPECT_GT(turns[1]["reused_tokens"].get<int>(), turns[0]["prompt_tokens"].get<int>() - 1);
  EXPECT_EQ(record["settings"]["template"], "qa.jinja");
}

TEST(ChatVerb, AModelWithoutTemplateSaysWhatToDo) {
  const auto [code, output] = run_command("echo hi | '" + kProgram + "' chat '" + kModel + "'");
  EXPECT_EQ(code, 1);
  EXPECT_NE(output.find("expected a chat template"), std::string::npos) << output;
  EXPECT_NE(output.find("--template FILE"), std::string::npos) << output;
}

}  // namespace
}  // namespace halftone
