// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/json_schema.h"
#include "validate/fake_model.h"
#include "validate/validate.h"

namespace halftone {
namespace {

using nlohmann::json;

Suite suite_of(Task task) {
  Suite suite;
  suite.spec.name = std::string(task_name(task));
  suite.spec.task = task;
  suite.spec.window = 32;
  suite.spec.prompt = "{question}";
  std::string text;
  for (int i = 0; i < 300; ++i) text += "word " + std::to_string(i) + ' ';
  suite.documents = {{1, text}};
  for (int i = 0; i < 40; ++i)
    suite.choices.push_back({"q" + std::to_string(i),
                             "g" + std::to_string(i),
                             i,
                             "ask " + std::to_string(i),
                             {"yes", "no"},
                             i % 2,
                             {{"kind", i % 3 ? "a" : "b"}}});
  return suite;
}

TEST(Schema, results_of_every_task_are_what_docs_schema_says) {
  const std::string schema = std::string(HALFTONE_SOURCE_DIR) + "/docs/schema/validate.json";
  const auto gate = parse_gate(
      "checks:\n- {metric: kl.mean, max: 0.1}\n- {metric: kl.p99.9, max: 0.1}\n"
      "- {metric: choice_accuracy.loss, max: 1}\n- {metric: bytes, max: 1MB}\n",
      "g.yaml");
  ASSERT_TRUE(gate.ok()) << gate.status().message();
  FakeModel reference, candidate(0.5);
  const std::vector<Suite> suites = {suite_of(Task::choices), suite_of(Task::divergence), suite_of(Task::perplexity)};
  ValidateOptions options;
  options.gate = &*gate;
  options.compare.replicates = 100;
  const auto result = validate_pair(reference, candidate, suites, options);
  ASSERT_TRUE(result.ok()) << result.status().message();
  json results = to_json(result->comparison);
  EXPECT_EQ(JsonSchema(schema).problems_of(results), std::vector<std::string>());
  // Two suites have log_perplexity; both are there, apart.
  EXPECT_TRUE(results["metrics"].contains("divergence:log_perplexity") &&
              results["metrics"].contains("perplexity:log_perplexity"));
  EXPECT_TRUE(results["metrics"].contains("kl"));
  EXPECT_EQ(results["gate"]["checks"].size(), 4u);
  EXPECT_TRUE(results["tails"]["answer_probability"]["p99"].is_null());
  EXPECT_EQ(results["tails"]["answer_probability"]["needs"]["p99"], 299);
  results["metrics"]["kl"]["n"] = "many";  // and the schema does find faults
  EXPECT_EQ(JsonSchema(schema).problems_of(results).size(), 1u);
}

}  // namespace
}  // namespace halftone
