// SPDX-License-Identifier: Apache-2.0
// The oracle is the forward pass itself: central differences of fourth order, of a loss that is summed in double.
#include "quantize/evaluate/gradients.h"

#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include "base/rng.h"
#include "base/temp_folder.h"
#include "models/language_model.h"
#include "models/synth.h"
#include "models/test_families.h"

namespace halftone {
namespace {

std::vector<float> normal_floats(int64_t count, uint64_t seed, double deviation = 1) {
  Rng rng(seed);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = static_cast<float>(rng.normal() * deviation);
  return values;
}

// Loss = sum of slopes * output, with fixed random slopes.
class Differences {
 public:
  Differences(const Graph& graph, WeightTable& weights, const Sequences& sequences, int threads = 2)
      : graph_(graph), weights_(weights), pool_(threads), sequences_(sequences) {
    auto evaluator = Evaluator::create(graph, weights, sequences_, pool_, {.keep_values = true});
    HALFTONE_CHECK(evaluator.ok());
    evaluator_ = std::move(*evaluator);
    slopes_ = normal_floats(sequences.size() * evaluator_->width(graph.logits), 99);
  }

  Gradients gradients(size_t begin = 0, std::vector<bool> wanted = {}) {
    run();
    Gradients result(graph_, std::move(wanted));
    const Status status = result.add(*evaluator_, graph_.logits, slopes_, begin);
    EXPECT_TRUE(status.ok()) << status.message();
    return result;
  }

  // Of the loss, when the weight moves along `direction`, by steps of `step` times it.
  double along(WeightId id, const std::vector<float>& direction, double step) {
    const std::vector<float> at = weights_.values(id);
    const auto moved = [&](double by) {
      std::vector<float> values = at;
      for (size_t i = 0; i < values.size(); ++i)
        values[i] += static_cast<float>(by * static_cast<double>(direction[i]));
      weights_.replace(id, values);
      return loss();
    };
    const double near = moved(step) - moved(-step), far = moved(2 * step) - moved(-2 * step);
    weights_.replace(id, at);
    return (8 * near - far) / (12 * step);
  }

  Evaluator& evaluator() { return *evaluator_; }

 private:
  void run() {
    ASSERT_TRUE(evaluator_->reset(sequences_).ok());
    ASSERT_TRUE(evaluator_->run(0, graph_.nodes.size()).ok());
  }
  double loss() {
    run();
    const std::span<const float> output = evaluator_->value(graph_.logits);
    double sum = 0;
    for (size_t i = 0; i < output.size(); ++i) sum += static_cast<double>(output[i]) * static_cast<double>(slopes_[i]);
    return sum;
  }

  const Graph& graph_;
  WeightTable& weights_;
  ThreadPool pool_;
  Sequences sequences_;
  std::unique_ptr<Evaluator> evaluator_;
  std::vector<float> slopes_;
};

double norm(std::span<const float> values) {
  double squares = 0;
  for (const float value : values) squares += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(squares);
}

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

// A graph with weights of its own.
struct Small {
  Graph graph;
  ModelFile file;
  std::vector<std::vector<float>> data;
  std::optional<WeightTable> weights;

  explicit Small(Result<Graph> built) {
    HALFTONE_CHECK(built.ok());
    graph = std::move(*built);
    for (const WeightRef& ref : graph.weights) {
      data.push_back(normal_floats(ref.rows * ref.columns, data.size() + 5, ref.rows == 1 ? 0.5 : 0.4));
    }
    for (size_t i = 0; i < data.size(); ++i) {
      const WeightRef& ref = graph.weights[i];
      if (!ref.constant.empty()) continue;
      const std::vector<int64_t> shape =
          ref.rows == 1 ? std::vector<int64_t>{ref.columns} : std::vector<int64_t>{ref.rows, ref.columns};
      file.tensors.push_back(
          {ref.name, shape, &layout_of(LayoutId::f32), DType::f32, Order::rows, std::as_bytes(std::span(data[i])), {}});
    }
    std::sort(file.tensors.begin(), file.tensors.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    auto table = WeightTable::create(graph, file);
    HALFTONE_CHECK(table.ok());
    weights.emplace(std::move(*table));
  }
};

// Every number of every weight.
void check_every_number(Small small, const Sequences& sequences) {
  Differences differences(small.graph, *small.weights, sequences);
  const Gradients gradients = differences.gradients();
  for (size_t i = 0; i < small.graph.weights.size(); ++i) {
    const auto id = static_cast<WeightId>(i);
    const WeightRef& ref = small.graph.weight(id);
    if (!ref.constant.empty()) continue;
    const std::span<const float> got = gradients.weight(id);
    const double scale = norm(got) / std::sqrt(static_cast<double>(got.size()));
    EXPECT_GT(scale, 1e-3) << ref.name;
    for (size_t k = 0; k < got.size(); ++k) {
      std::vector<float> one(got.size());
      one[k] = 1;
      const double expected = differences.along(id, one, 1.0 / 64);
      EXPECT_NEAR(static_cast<double>(got[k]), expected, 1e-3 * (scale + std::abs(expected))) << ref.name << " " << k;
    }
  }
}

constexpr int64_t kTokenIds = 7, kWidth = 20;  // no whole panel, and a rest of 4 lanes
const Sequences kSequences = {{3, 1, 4, 1, 5, 0, 2, 6, 5, 3, 5}, {0, 7}};

// The embedding, an op on it, and what mixes the result, so that the op's derivative by its input counts.
using Body = std::function<ValueId(GraphBuilder&, ValueId)>;
Small graph_of(const Body& body) {
  GraphBuilder builder;
  const ValueId x = builder.add("embed", Embedding{builder.weight("embed.weight", kTokenIds, kWidth), 1.5f}, {});
  const ValueId y = body(builder, x);
  return Small(std::move(builder).finish(y));
}
ValueId project(GraphBuilder& builder, const std::string& name, int64_t rows, ValueId x) {
  return builder.add(name, Linear{builder.weight(name + ".weight", rows, kWidth)}, {x});
}

TEST(Gradients, OfLinearWithBiasAndTiedEmbedding) {
  check_every_number(graph_of([](GraphBuilder& builder, ValueId x) {
                       const WeightId weight = builder.weight("up.weight", kWidth, kWidth);
                       x = builder.add("up", Linear{weight, builder.vector("up.bias", kWidth)}, {x});
                       return builder.add("head", Linear{builder.weight("embed.weight", kTokenIds, kWidth)}, {x});
                     }),
                     kSequences);
}

TEST(Gradients, OfNorms) {
  for (const int64_t group : {int64_t{0}, int64_t{5}}) {
    check_every_number(graph_of([&](GraphBuilder& builder, ValueId x) {
                         const WeightId weight = builder.vector("norm.weight", group > 0 ? group : kWidth, 1.0f);
                         return builder.add("norm", RmsNorm{weight, 1e-2f, group}, {x});
                       }),
                       kSequences);
  }
  check_every_number(graph_of([](GraphBuilder& builder, ValueId x) {
                       const WeightId weight = builder.vector("norm.weight", kWidth);
                       return builder.add("norm", LayerNorm{weight, builder.vector("norm.bias", kWidth), 1e-2f}, {x});
                     }),
                     kSequences);
}

TEST(Gradients, OfElementwiseOps) {
  const std::vector<Body> bodies = {
      [](GraphBuilder& b, ValueId x) {
        return b.add("y", SwiGlu{}, {x, project(b, "up", kWidth, x)});
      },
      [](GraphBuilder& b, ValueId x) {
        return b.add("y", GeGlu{}, {x, project(b, "up", kWidth, x)});
      },
      [](GraphBuilder& b, ValueId x) { return b.add("y", Gelu{}, {x}); },
      [](GraphBuilder& b, ValueId x) { return b.add("y", SoftCap{0.7f}, {x}); },
      [](GraphBuilder& b, ValueId x) {
        return b.add("y", halftone::Add{}, {x, project(b, "up", kWidth, x)});
      },
      [](GraphBuilder& b, ValueId x) {
        return b.add("y", halftone::Add{}, {x, x});
      },
      [](GraphBuilder& b, ValueId x) {  // overlapping slices, and columns that nobody reads
        const ValueId first = b.add("first", Columns{2, 9}, {x}), second = b.add("second", Columns{7, 9}, {x});
        return b.add("y", SwiGlu{}, {first, second});
      }};
  for (const Body& body : bodies) {
    if (&body != &bodies.back()) {
      check_every_number(graph_of(body), kSequences);
      continue;
    }
    Small small = graph_of(body);
    Differences differences(small.graph, *small.weights, kSequences);
    const Gradients gradients = differences.gradients();
    for (size_t k = 0; k < static_cast<size_t>(kTokenIds * kWidth); ++k) {
      std::vector<float> one(static_cast<size_t>(kTokenIds * kWidth));
      one[k] = 1;
      EXPECT_NEAR(static_cast<double>(gradients.weight(0)[k]), differences.along(0, one, 1.0 / 64), 3e-3) << k;
    }
  }
}

TEST(Gradients, OfRope) {
  // Part of a head rotates; the first sequence is long, and has frequencies of its own.
  check_every_number(graph_of([](GraphBuilder& builder, ValueId x) {
                       Rope rope{2, 10, 6, builder.constant("short", {1.0f, 0.5f, 0.1f}), 1.25f};
                       rope.long_frequencies = builder.constant("long", {0.3f, 0.2f, 0.05f});
                       rope.long_beyond = 5;
                       return builder.add("rope", rope, {x});
                     }),
                     kSequences);
}

struct AttentionCase {
  int32_t heads, kv_heads;
  int64_t window;
  float soft_cap;
};

TEST(Gradients, OfAttention) {
  for (const AttentionCase& c :
       {AttentionCase{2, 2, 0, 0}, {4, 2, 0, 0}, {4, 1, 3, 0}, {2, 1, 0, 0.8f}, {2, 2, 2, 2}}) {
    SCOPED_TRACE(testing::Message() << c.heads << " " << c.kv_heads << " " << c.window << " " << c.soft_cap);
    check_every_number(graph_of([&](GraphBuilder& builder, ValueId x) {
                         constexpr int32_t kHead = 5;
                         const StateId state = builder.state("kv", c.kv_heads, kHead, c.window);
                         const ValueId q = project(builder, "q", c.heads * kHead, x);
                         const ValueId k = project(builder, "k", c.kv_heads * kHead, x);
                         const ValueId v = project(builder, "v", c.kv_heads * kHead, x);
                         const Attention op{state, c.heads, c.kv_heads, kHead, 0.6f, c.window, c.soft_cap};
                         return builder.add("attention", op, {q, k, v});
                       }),
                       kSequences);
  }
}

class FamilyGradients : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(synth(GetParam(), temp_ / "m", {.type = DType::f32}).ok());
    const auto loaded = load_language_model(temp_ / "m");
    ASSERT_TRUE(loaded.ok()) << loaded.status().message();
    model_ = *loaded;
    auto weights = WeightTable::create(graph(), model_->file);
    ASSERT_TRUE(weights.ok());
    weights_.emplace(std::move(*weights));
    Rng rng(4);
    sequences_.begins = {0, 131, 143};  // more than a block of queries; both sides of phi3's 32 tokens
    for (int i = 0; i < 150; ++i) sequences_.tokens.push_back(static_cast<int32_t>(rng.below(90)));
  }
  const Graph& graph() const { return model_->model->graph(); }

  TempFolder temp_;
  std::shared_ptr<const LanguageModel> model_;
  std::optional<WeightTable> weights_;
  Sequences sequences_;
};

// Along the gradient, where the loss changes most, and as much along a random direction.
TEST_P(FamilyGradients, AreDifferencesOfTheWholeModel) {
  Differences differences(graph(), *weights_, sequences_);
  const Gradients gradients = differences.gradients();
  for (size_t i = 0; i < graph().weights.size(); ++i) {
    const auto id = static_cast<WeightId>(i);
    const WeightRef& ref = graph().weight(id);
    if (!ref.constant.empty()) continue;
    const std::span<const float> got = gradients.weight(id);
    const double size = norm(got);
    ASSERT_GT(size, 0) << ref.name;
    std::vector<float> direction = normal_floats(static_cast<int64_t>(got.size()), i);
    const double random_size = norm(direction);
    for (size_t k = 0; k < got.size(); ++k)
      direction[k] =
          static_cast<float>(static_cast<double>(direction[k]) / random_size + static_cast<double>(got[k]) / size);
    // A gradient is large in few rows of an embedding, which a step along it changes much; those of biases are small.
    const double step = (ref.rows == 1 ? 2e-2 : 1e-3) * norm(weights_->values(id));
    EXPECT_NEAR(dot(got, direction), differences.along(id, direction, step), 4e-3 * size) << ref.name;
  }
}

TEST_P(FamilyGradients, BitsDoNotDependOnThreads) {
  const Gradients one = Differences(graph(), *weights_, sequences_, 1).gradients();
  const Gradients three = Differences(graph(), *weights_, sequences_, 3).gradients();
  for (size_t i = 0; i < graph().weights.size(); ++i) {
    if (!graph().weights[i].constant.empty()) continue;
    const auto a = one.weight(static_cast<WeightId>(i)), b = three.weight(static_cast<WeightId>(i));
    EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin())) << graph().weights[i].name;
  }
}

// What lies behind `begin` has the gradients of the whole, and what is not wanted changes nothing.
TEST_P(FamilyGradients, OfAPartAreThoseOfTheWhole) {
  Differences differences(graph(), *weights_, sequences_);
  const Gradients whole = differences.gradients();
  const size_t begin = graph().nodes.size() / 2;
  std::vector<bool> wanted(graph().weights.size()), used_before(wanted.size());
  for (size_t i = 0; i < graph().nodes.size(); ++i) {
    const auto* linear = std::get_if<Linear>(&graph().nodes[i].op);
    const auto* embedding = std::get_if<Embedding>(&graph().nodes[i].op);
    if (linear != nullptr && i >= begin) wanted[static_cast<size_t>(linear->weight)] = true;
    if (embedding != nullptr) used_before[static_cast<size_t>(embedding->table)] = true;
  }
  Gradients part = differences.gradients(begin, wanted);
  int compared = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (!wanted[i] || used_before[i]) continue;
    const auto a = whole.weight(static_cast<WeightId>(i)), b = part.weight(static_cast<WeightId>(i));
    EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin())) << graph().weights[i].name;
    ++compared;
  }
  EXPECT_GT(compared, 2);
}

INSTANTIATE_TEST_SUITE_P(All, FamilyGradients, every_tiny_family(), shape_name);

TEST(Gradients, AddUpUntilCleared) {
  Small small = graph_of([](GraphBuilder& builder, ValueId x) { return project(builder, "up", kWidth, x); });
  Differences differences(small.graph, *small.weights, kSequences);
  Gradients gradients = differences.gradients();
  const std::vector<float> once(gradients.weight(1).begin(), gradients.weight(1).end());
  const std::vector<float> slopes = normal_floats(kSequences.size() * kWidth, 99);
  ASSERT_TRUE(gradients.add(differences.evaluator(), small.graph.logits, slopes).ok());
  for (size_t i = 0; i < once.size(); ++i) EXPECT_EQ(gradients.weight(1)[i], 2 * once[i]);
  gradients.clear();
  EXPECT_EQ(norm(gradients.weight(1)), 0);
}

}  // namespace
}  // namespace halftone
