// SPDX-License-Identifier: Apache-2.0
#include "validate/score.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "metrics/logits.h"
#include "validate/quantities.h"
#include "validate/score_network.h"
#include "validate/text.h"

namespace halftone {
namespace {

constexpr size_t kBatch = 64;           // questions handed over at a time
constexpr int64_t kContextTokens = 24;  // shown in front of the worst token
constexpr size_t kPieceBytes = 40;
constexpr size_t kAnswerBytes = 200;

Status damaged(std::string_view who) {
  return invalid_input("expected finite logits from the {}, got NaN or infinity; its weights or scales are damaged",
                       who);
}

Status check_row(std::span<const float> row, const Scorer& scorer) {
  if (static_cast<int64_t>(row.size()) == scorer.vocabulary()) return {};
  return invalid_input("expected {} logits, got {}", scorer.vocabulary(), row.size());
}

// Scores of each choice as the suite compares them.
Result<std::vector<std::vector<double>>> choice_scores(const PreparedSuite& prepared, Scorer& scorer,
                                                       Progress& progress) {
  std::vector<std::vector<double>> scores;
  for (size_t begin = 0; begin < prepared.items.size(); begin += kBatch) {
    const size_t count = std::min(kBatch, prepared.items.size() - begin);
    HALFTONE_ASSIGN(auto batch, scorer.score_choices(std::span(prepared.items).subspan(begin, count)));
    if (batch.size() != count)
      return invalid_input("[validate] expected scores of {} questions, got {}", count, batch.size());
    for (size_t i = 0; i < count; ++i) {
      const ChoiceItem& item = prepared.items[begin + i];
      const SampleRecord& sample = prepared.samples[begin + i];
      if (batch[i].size() != item.continuations.size())
        return at_sample(sample,
                         invalid_input("expected {} scores, got {}", item.continuations.size(), batch[i].size()));
      for (size_t c = 0; c < batch[i].size(); ++c) {
        double& score = batch[i][c];
        if (!std::isfinite(score)) return at_sample(sample, damaged("model"));
        if (prepared.spec.normalize == Normalize::tokens) score /= static_cast<double>(item.continuations[c].size());
        if (prepared.spec.normalize == Normalize::bytes) {
          size_t bytes = 0;
          for (const int token : item.continuations[c]) bytes += scorer.piece(token).size();
          score /= static_cast<double>(std::max<size_t>(bytes, 1));
        }
        score = round_significant(score, kScoreDigits);
      }
      scores.push_back(std::move(batch[i]));
    }
    progress.advance(static_cast<int64_t>(count));
  }
  return scores;
}

// Sum of the log-probabilities of tokens 1 ... n - 1.
Result<double> window_score(std::span<const int> window, Scorer& scorer) {
  double sum = 0;
  HALFTONE_TRY(scorer.truncate(0));
  HALFTONE_TRY(scorer.extend(window.first(window.size() - 1), 0, [&](int64_t i, std::span<const float> row) -> Status {
    HALFTONE_TRY(check_row(row, scorer));
    const RowScore score = score_row(row, window[i + 1]);
    if (!score.finite) return damaged("model");
    sum += score.log_probability;
    return {};
  }));
  return round_significant(sum, kScoreDigits);
}

std::string shown_piece(Scorer& scorer, int token) { return excerpt(valid_utf8(scorer.piece(token)), kPieceBytes); }

std::string joined(Scorer& scorer, std::span<const int> tokens) {
  std::string text;
  for (const int token : tokens) text += scorer.piece(token);
  return valid_utf8(text);
}

// The window's first half, of which at least one token stays.
std::span<const int> prompt_of(std::span<const int> window) {
  return window.first(std::max<size_t>(1, window.size() / 2));
}

int64_t answer_length(const PreparedSuite& prepared, std::span<const int> window, const Scorer& scorer) {
  return std::min(prepared.spec.answer_tokens, scorer.context() - static_cast<int64_t>(prompt_of(window).size()));
}

// Runs both models over one window, a few rows of the reference at a time, and compares row by row.
class WindowComparison {
 public:
  WindowComparison(Scorer& reference, Scorer& candidate) : reference_(reference), candidate_(candidate) {}

  Status run(std::span<const int> window, SampleRecord& record) {
    const int64_t row_bytes = reference_.vocabulary() * static_cast<int64_t>(sizeof(float));
    const int64_t chunk = std::max<int64_t>(1, kRowBufferBytes / row_bytes);
    const int64_t scored = static_cast<int64_t>(window.size()) - 1;
    HALFTONE_TRY(reference_.truncate(0));
    HALFTONE_TRY(candidate_.truncate(0));
    sums_[0] = sums_[1] = 0;
    for (int64_t begin = 0; begin < scored; begin += chunk) {
      const int64_t count = std::min(chunk, scored - begin);
      const auto tokens = window.subspan(static_cast<size_t>(begin), static_cast<size_t>(count));
      rows_.clear();
      HALFTONE_TRY(reference_.extend(tokens, 0, [&](int64_t, std::span<const float> row) -> Status {
        HALFTONE_TRY(check_row(row, reference_));
        rows_.insert(rows_.end(), row.begin(), row.end());
        return {};
      }));
      HALFTONE_TRY(candidate_.extend(
          tokens, 0, [&](int64_t i, std::span<const float> row) { return compare(window, begin, i, row, record); }));
    }
    record.reference_log_probability = round_significant(sums_[0], kScoreDigits);
    record.candidate_log_probability = round_significant(sums_[1], kScoreDigits);
    return {};
  }

 private:
  Status compare(std::span<const int> window, int64_t begin, int64_t i, std::span<const float> row,
                 SampleRecord& record) {
    HALFTONE_TRY(check_row(row, candidate_));
    const std::span<const float> expected = std::span(rows_).subspan(static_cast<size_t>(i) * row.size(), row.size());
    const size_t next = static_cast<size_t>(begin + i + 1);
    const RowDivergence d = compare_rows(expected, row, window[next]);
    if (!d.reference.finite) return damaged("reference");
    if (!d.candidate.finite) return damaged("candidate");
    sums_[0] += d.reference.log_probability;
    sums_[1] += d.candidate.log_probability;
    const bool same = d.reference.top == d.candidate.top,
               confident = std::exp(d.reference.top_log_probability) >= kConfident;
    record.same_top += same;
    record.confident_tokens += confident;
    record.confident_flips += confident && !same;
    const double change = std::exp(d.candidate.log_probability) - std::exp(d.reference.log_probability);
    record.probability_change.push_back(round_significant(change, kTokenDigits));
    record.kl.push_back(round_significant(d.kl, kTokenDigits));
    if (record.kl.size() > 1 && record.kl.back() <= record.worst.kl) return {};
    const size_t from = next > kContextTokens ? next - kContextTokens : 0;
    record.worst.before = joined(reference_, window.subspan(from, next - from));
    record.worst.token = shown_piece(reference_, window[next]);
    record.worst.reference = shown_piece(reference_, d.reference.top);
    record.worst.candidate = shown_piece(reference_, d.candidate.top);
    record.worst.kl = record.kl.back();
    return {};
  }

  Scorer& reference_;
  Scorer& candidate_;
  std::vector<float> rows_;  // of the reference, at most kRowBufferBytes
  double sums_[2] = {};
};

// The candidate must read the suite as the reference did.
Status check_same_tokens(Scorer& reference, Scorer& candidate, const PreparedSuite& prepared) {
  if (reference.vocabulary() != candidate.vocabulary())
    return invalid_input(
        "[validate] expected a candidate with the reference's vocabulary of {}, got {}; they are "
        "different models",
        reference.vocabulary(), candidate.vocabulary());
  constexpr size_t kChecked = 8;
  for (size_t i = 0; i < std::min(kChecked, prepared.samples.size()); ++i) {
    const SampleRecord& sample = prepared.samples[i];
    HALFTONE_ASSIGN(const std::vector<int> expected, reference.tokenize(sample.text, prepared.spec.bos));
    HALFTONE_ASSIGN(const std::vector<int> found, candidate.tokenize(sample.text, prepared.spec.bos));
    if (expected != found)
      return at_sample(sample, invalid_input("expected a candidate that splits text into the reference's tokens, got "
                                             "others; it has another tokenizer"));
    const int64_t longest = static_cast<int64_t>(prepared.windows.empty() ? 0 : prepared.windows[i].size());
    if (longest > candidate.context())
      return at_sample(sample, invalid_input("expected a candidate with a context of {} tokens, got {}", longest,
                                             candidate.context()));
  }
  return {};
}

Status divergence_of(const PreparedSuite& prepared, size_t i, Scorer& reference, Scorer& candidate,
                     SampleRecord& record) {
  HALFTONE_TRY(WindowComparison(reference, candidate).run(prepared.windows[i], record));
  if (prepared.answers[i].empty()) return {};
  HALFTONE_ASSIGN(record.answer_same_tokens,
                  greedy_agreement(candidate, prompt_of(prepared.windows[i]), prepared.answers[i]));
  return {};
}

}  // namespace

Status score_reference(PreparedSuite& prepared, Subject& subject, Progress& progress) {
  progress.begin(fmt::format("reference on {}", prepared.spec.name), static_cast<int64_t>(prepared.samples.size()),
                 "samples");
  if (is_of_network(prepared.spec.task)) {
    HALFTONE_TRY(score_network(prepared, *subject.classifier(), Side::reference, prepared.samples, progress));
    progress.end();
    return {};
  }
  Scorer& reference = *subject.language_model();
  if (prepared.spec.task == Task::choices) {
    HALFTONE_ASSIGN(auto scores, choice_scores(prepared, reference, progress));
    for (size_t i = 0; i < scores.size(); ++i) prepared.samples[i].reference_scores = std::move(scores[i]);
  } else {
    prepared.answers.assign(prepared.samples.size(), {});
    for (size_t i = 0; i < prepared.samples.size(); ++i) {
      SampleRecord& sample = prepared.samples[i];
      const std::span<const int> window = prepared.windows[i];
      if (prepared.spec.task == Task::perplexity) {
        auto score = window_score(window, reference);
        if (!score.ok()) return at_sample(sample, score.status());
        sample.reference_log_probability = *score;
      } else if (const int64_t count = answer_length(prepared, window, reference); count > 0) {
        auto answer = greedy_answer(reference, prompt_of(window), count);
        if (!answer.ok()) return at_sample(sample, answer.status());
        sample.answer_tokens = count;
        sample.reference_answer = excerpt(joined(reference, *answer), kAnswerBytes);
        prepared.answers[i] = *std::move(answer);
      }
      progress.advance(1);
    }
  }
  progress.end();
  return {};
}

Result<std::vector<SampleRecord>> score_candidate(const PreparedSuite& prepared, Subject& reference_subject,
                                                  Subject& subject, const std::string& name, Progress& progress) {
  const bool network = is_of_network(prepared.spec.task);
  if (network ? subject.classifier() == nullptr : subject.language_model() == nullptr)
    return invalid_input("[validate] expected a candidate of the reference's kind, got {}",
                         network ? "a language model beside a network" : "a network beside a language model");
  std::vector<SampleRecord> records = prepared.samples;
  for (SampleRecord& record : records) record.candidate = name;
  progress.begin(fmt::format("{} on {}", name, prepared.spec.name), static_cast<int64_t>(records.size()), "samples");
  if (network) {
    HALFTONE_TRY(check_same_input(prepared, *subject.classifier()));
    HALFTONE_TRY(score_network(prepared, *subject.classifier(), Side::candidate, records, progress));
    progress.end();
    return records;
  }
  Scorer &reference = *reference_subject.language_model(), &candidate = *subject.language_model();
  HALFTONE_TRY(check_same_tokens(reference, candidate, prepared));
  if (prepared.spec.task == Task::choices) {
    HALFTONE_ASSIGN(auto scores, choice_scores(prepared, candidate, progress));
    for (size_t i = 0; i < scores.size(); ++i) records[i].candidate_scores = std::move(scores[i]);
  } else {
    HALFTONE_CHECK(prepared.answers.size() == records.size());  // score_reference ran
    for (size_t i = 0; i < records.size(); ++i) {
      if (prepared.spec.task == Task::perplexity) {
        auto score = window_score(prepared.windows[i], candidate);
        if (!score.ok()) return at_sample(records[i], score.status());
        records[i].candidate_log_probability = *score;
      } else if (const Status status = divergence_of(prepared, i, reference, candidate, records[i]); !status.ok()) {
        return at_sample(records[i], status);
      }
      progress.advance(1);
    }
  }
  progress.end();
  return records;
}

}  // namespace halftone
