// SPDX-License-Identifier: Apache-2.0
#include "validate/scorer.h"

#include "base/error.h"
#include "metrics/logits.h"

namespace halftone {
namespace {

Status not_finite(std::string_view where) {
  return invalid_input(
      "[validate] expected finite logits, got NaN or infinity {}; the model's weights or scales are "
      "damaged",
      where);
}

// Sum of the log-probabilities of the tokens after the first, whose own comes from the prefix's last row.
Result<double> continuation_score(Scorer& scorer, std::span<const int> tokens, std::span<const float> prefix_row) {
  const RowScore head = score_row(prefix_row, tokens[0]);
  if (!head.finite) return not_finite("after a prompt");
  double sum = head.log_probability;
  if (tokens.size() == 1) return sum;
  HALFTONE_TRY(scorer.extend(tokens.first(tokens.size() - 1), 0, [&](int64_t i, std::span<const float> row) -> Status {
    const RowScore score = score_row(row, tokens[i + 1]);
    if (!score.finite) return not_finite("inside an answer");
    sum += score.log_probability;
    return {};
  }));
  return sum;
}

}  // namespace

Result<std::vector<std::vector<double>>> Scorer::score_choices(std::span<const ChoiceItem> items) {
  std::vector<std::vector<double>> scores;
  std::vector<float> last_row;
  for (const ChoiceItem& item : items) {
    const int64_t length = static_cast<int64_t>(item.prefix.size());
    HALFTONE_TRY(truncate(0));
    HALFTONE_TRY(extend(item.prefix, length - 1, [&](int64_t, std::span<const float> row) -> Status {
      last_row.assign(row.begin(), row.end());
      return {};
    }));
    std::vector<double>& of_item = scores.emplace_back();
    for (const std::vector<int>& continuation : item.continuations) {
      HALFTONE_ASSIGN(const double score, continuation_score(*this, continuation, last_row));
      of_item.push_back(score);
      HALFTONE_TRY(truncate(length));
    }
  }
  HALFTONE_TRY(truncate(0));
  return scores;
}

Result<std::vector<int>> greedy_answer(Scorer& scorer, std::span<const int> prompt, int64_t count) {
  HALFTONE_TRY(scorer.truncate(0));
  std::vector<int> answer;
  const RowConsumer take_top = [&](int64_t, std::span<const float> row) -> Status {
    const RowScore score = score_row(row, -1);
    if (!score.finite) return not_finite("while answering greedily");
    answer.push_back(score.top);
    return {};
  };
  HALFTONE_TRY(scorer.extend(prompt, static_cast<int64_t>(prompt.size()) - 1, take_top));
  while (static_cast<int64_t>(answer.size()) < count) {
    const int last = answer.back();
    HALFTONE_TRY(scorer.extend(std::span(&last, 1), 0, take_top));
  }
  return answer;
}

Result<int64_t> greedy_agreement(Scorer& scorer, std::span<const int> prompt, std::span<const int> answer) {
  std::vector<int> tokens(prompt.begin(), prompt.end());
  tokens.insert(tokens.end(), answer.begin(), answer.end() - 1);
  const int64_t first = static_cast<int64_t>(prompt.size()) - 1;
  int64_t same = 0;
  HALFTONE_TRY(scorer.truncate(0));
  HALFTONE_TRY(scorer.extend(tokens, first, [&](int64_t i, std::span<const float> row) -> Status {
    const RowScore score = score_row(row, -1);
    if (!score.finite) return not_finite("while answering greedily");
    if (same == i - first && score.top == answer[i - first]) ++same;
    return {};
  }));
  return same;
}

}  // namespace halftone
