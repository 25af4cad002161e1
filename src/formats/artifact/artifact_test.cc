// SPDX-License-Identifier: Apache-2.0
#include "formats/artifact/artifact.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/hash.h"
#include "formats/artifact/manifest.h"
#include "formats/test_files.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;

// Bytes with a pattern; scales (the first bytes of each panel) stay finite f16 because no byte reaches 0x7c.
std::vector<std::byte> pattern(int64_t size) {
  std::vector<std::byte> bytes(static_cast<size_t>(size));
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 7 % 113);
  return bytes;
}

std::vector<ArtifactTensor> three_tensors() {
  return {{"packed", {20, 40}, &layout_of(LayoutId::int4_block32), Order::panel16},
          {"norm", {40}, &layout_of(LayoutId::f32), Order::rows},
          {"half", {17, 3}, &layout_of(LayoutId::f16), Order::panel16}};
}

ModelFile source_with_tokenizer(const fs::path& folder) {
  ModelFile source;
  source.config = {{"model_type", "llama"}, {"hidden_size", 40}};
  write_text(folder / "tokenizer.json", "{\"version\": \"1.0\"}");
  source.side_files["tokenizer.json"] = folder / "tokenizer.json";
  return source;
}

Status write_artifact(const fs::path& target, const ModelFile& source, bool replace = false) {
  HALFTONE_ASSIGN(ArtifactWriter writer, ArtifactWriter::create(target, replace, source, three_tensors()));
  for (const ArtifactTensor& tensor : three_tensors()) {
    const auto bytes = pattern(tensor.payload_bytes());
    HALFTONE_TRY(writer.write(std::span(bytes).first(5)));
    HALFTONE_TRY(writer.write(std::span(bytes).subspan(5)));
  }
  return writer.finish({{"recipe", "by hand"}});
}

class Artifact : public ::testing::Test {
 protected:
  void SetUp() override {
    const Status status = write_artifact(out_, source_with_tokenizer(folder_.path()));
    ASSERT_TRUE(status.ok()) << status.message();
  }
  std::string open_message() const {
    const auto model = open_model_file(out_);
    return model.ok() ? "accepted" : std::string(model.status().message());
  }
  std::string verify_message() {
    const Status status = verify_artifact(out_, pool_, no_progress());
    return status.ok() ? "whole" : std::string(status.message());
  }
  // Replaces text in model.json; the text must be there.
  void edit_manifest(const std::string& from, const std::string& to) {
    std::string text = read_text(out_ / "model.json");
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    write_text(out_ / "model.json", text.replace(at, from.size(), to));
  }
  void flip(const std::string& file, size_t byte, char mask = 1) {
    std::string text = read_text(out_ / file);
    ASSERT_LT(byte, text.size());
    text[byte] = static_cast<char>(text[byte] ^ mask);
    write_text(out_ / file, text);
  }
  size_t offset_of(const std::string& tensor) const {
    const auto model = open_model_file(out_);
    return static_cast<size_t>(model->find(tensor)->data.data() - model->maps[0]->bytes().data());
  }

  TempFolder folder_;
  fs::path out_ = folder_ / "out.ht";
  ThreadPool pool_{2};
};

TEST_F(Artifact, WhatIsWrittenIsReadBack) {
  const auto model = open_model_file(out_);
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ(model->container, "halftone");
  EXPECT_EQ(model->config.at("hidden_size"), 40);
  EXPECT_EQ(model->provenance.at("recipe"), "by hand");
  EXPECT_EQ(read_text(model->side_files.at("tokenizer.json")), "{\"version\": \"1.0\"}");
  EXPECT_EQ(model->bytes_on_disk, static_cast<int64_t>(fs::file_size(out_ / "weights.safetensors")));
  for (const ArtifactTensor& expected : three_tensors()) {
    const StoredTensor* tensor = model->find(expected.name);
    ASSERT_NE(tensor, nullptr) << expected.name;
    EXPECT_EQ(tensor->shape, expected.shape);
    EXPECT_EQ(tensor->layout, expected.layout);
    EXPECT_EQ(tensor->order, expected.order);
    const auto bytes = pattern(expected.payload_bytes());
    EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), tensor->data.begin(), tensor->data.end()));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor->data.data()) % 64, 0u);
  }
  EXPECT_EQ(verify_message(), "whole");
}

TEST_F(Artifact, HashesAreThoseOfStandardTools) {
  const auto manifest = parse_manifest(read_text(out_ / "model.json"), "model.json");
  ASSERT_TRUE(manifest.ok()) << manifest.status().message();
  EXPECT_EQ(manifest->weights_sha256, *sha256_file(out_ / "weights.safetensors"));
  EXPECT_EQ(manifest->files.at("tokenizer.json"), sha256_hex("{\"version\": \"1.0\"}"));
  auto norm = pattern(160);
  norm.resize(192);  // zeros up to a multiple of 64
  EXPECT_EQ(manifest->tensors[1].sha256, sha256_hex(norm));
}

TEST_F(Artifact, AnExistingFolderIsReplacedOnlyWhenAsked) {
  const ModelFile source = source_with_tokenizer(folder_.path());
  EXPECT_FALSE(write_artifact(out_, source).ok());
  EXPECT_EQ(verify_message(), "whole");
  EXPECT_TRUE(write_artifact(out_, source, true).ok());
  EXPECT_EQ(verify_message(), "whole");
}

TEST_F(Artifact, VerifyNamesWhatAFlippedBitHit) {
  flip("weights.safetensors", offset_of("norm") + 17);
  EXPECT_EQ(open_message(), "accepted");  // structure is whole
  EXPECT_TRUE(contains(verify_message(), "weights.safetensors: tensor 'norm': expected sha256")) << verify_message();
  flip("weights.safetensors", offset_of("norm") + 17);
  flip("weights.safetensors", offset_of("norm") + 161);  // padding
  EXPECT_TRUE(contains(verify_message(), "tensor 'norm'"));
  flip("weights.safetensors", offset_of("norm") + 161);
  flip("tokenizer.json", 3);
  EXPECT_TRUE(contains(verify_message(), "tokenizer.json: expected sha256")) << verify_message();
  flip("tokenizer.json", 3);
  EXPECT_EQ(verify_message(), "whole");
}

TEST_F(Artifact, AFlippedHeaderBitIsFound) {
  const size_t payload = offset_of("packed");
  for (size_t byte = 0; byte < payload; byte += 5) {
    flip("weights.safetensors", byte, 4);
    EXPECT_NE(verify_message(), "whole") << byte;
    flip("weights.safetensors", byte, 4);
  }
}

TEST_F(Artifact, NanScalesAreFoundEvenWhenHashesAgree) {
  const size_t at = offset_of("packed");
  std::string text = read_text(out_ / "weights.safetensors");
  text[at + 2 * (16 + 3)] = 1;  // group 1, row 3 of the first panel
  text[at + 2 * (16 + 3) + 1] = 0x7e;
  write_text(out_ / "weights.safetensors", text);
  auto manifest = parse_manifest(read_text(out_ / "model.json"), "model.json");
  ASSERT_TRUE(manifest.ok());
  manifest->weights_sha256 = *sha256_file(out_ / "weights.safetensors");
  const auto stored = static_cast<size_t>(manifest->tensors[0].tensor.bytes());
  manifest->tensors[0].sha256 = sha256_hex(std::string_view(text).substr(at, stored));
  write_text(out_ / "model.json", manifest_text(*manifest));
  EXPECT_TRUE(contains(verify_message(), "tensor 'packed': expected finite scales, got NaN at row 3, group 1"))
      << verify_message();
}

TEST_F(Artifact, MissingAndTruncatedFilesAreNamed) {
  std::string text = read_text(out_ / "weights.safetensors");
  write_text(out_ / "weights.safetensors", text.substr(0, text.size() - 64));
  EXPECT_TRUE(contains(open_message(), "truncated")) << open_message();
  fs::remove(out_ / "weights.safetensors");
  EXPECT_TRUE(contains(open_message(), "expected weights.safetensors beside model.json, got none"));
  write_text(out_ / "weights.safetensors", text);
  fs::remove(out_ / "tokenizer.json");
  EXPECT_TRUE(contains(open_message(), "expected tokenizer.json as model.json says, got no such file"));
}

TEST_F(Artifact, VersionsAreTold) {
  edit_manifest("halftone-1", "halftone-2");
  EXPECT_TRUE(contains(open_message(), "expected format halftone-1, got halftone-2; a newer halftone wrote this"));
  edit_manifest("halftone-2", "tintype-1");
  EXPECT_TRUE(contains(open_message(), "expected format halftone-1, got 'tintype-1'"));
}

TEST_F(Artifact, WeightsOfAnotherArtifactAreRefused) {
  ModelFile source;
  auto writer = ArtifactWriter::create(folder_ / "other.ht", false, source,
                                       {{"packed", {36, 40}, &layout_of(LayoutId::int4_block32), Order::panel16}});
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE(writer->write(pattern(layout_of(LayoutId::int4_block32).bytes(36, 40, Order::panel16))).ok());
  ASSERT_TRUE(writer->finish(nlohmann::ordered_json::object()).ok());
  const std::string other = read_text(folder_ / "other.ht" / "weights.safetensors");
  write_text(out_ / "weights.safetensors", other);
  EXPECT_TRUE(contains(open_message(), "bytes as model.json says")) << open_message();
  auto manifest = parse_manifest(read_text(out_ / "model.json"), "model.json");
  ASSERT_TRUE(manifest.ok());
  manifest->weights_bytes = static_cast<int64_t>(other.size());
  write_text(out_ / "model.json", manifest_text(*manifest));
  EXPECT_TRUE(contains(open_message(), "tensor 'packed': expected U8 [")) << open_message();
}

TEST_F(Artifact, ContradictionsInTheManifestAreRefused) {
  struct Edit {
    const char *from, *to, *says;
  };
  const Edit edits[] = {
      {"\"int4_block32\"", "\"int7_block32\"", "tensor 'packed': expected a known layout, got 'int7_block32'"},
      {"\"order\": \"panel16\"", "\"order\": \"rows\"",
       "tensor 'packed': expected order panel16 for int4_block32, got rows"},
      {"\"order\": \"panel16\"", "\"order\": \"panel8\"", "expected order rows or panel16, got 'panel8'"},
      {"    20,", "    36,", "tensor 'packed': expected 1152 bytes for its shape and layout, got 768"},
      {"    20,", "    -20,", "expected a shape of positive sizes"},
      {"    20,", "    9223372036854775807,", "expected a shape of positive sizes"},
      {"    20,", "    2, 10,", "expected a shape of 1 or 2 dimensions"},
      {"\"name\": \"norm\"", "\"name\": \"packed\"", "expected every tensor once, got 'packed' twice"},
      {"\"name\": \"norm\"", "\"name\": \"morn\"", "expected tensor 'morn' as model.json says, got none"},
      {"\"sha256\": \"", "\"sha256\": \"x", "expected 64 hexadecimal digits as 'sha256'"},
      {"\"tensors\": [", "\"tensors\": [7,", "tensor 0: expected an object"},
      {"\"tensors\"", "\"tensor\"", "top level: expected an array 'tensors', got nothing"},
      {"\"config\": {", "\"config\": 3, \"x\": {", "expected an object 'config', got number"},
      {"\"tokenizer.json\"", "\"../tokenizer.json\"", "files: expected file names of this folder"},
  };
  const std::string good = read_text(out_ / "model.json");
  for (const Edit& edit : edits) {
    edit_manifest(edit.from, edit.to);
    const std::string message = open_message();
    EXPECT_TRUE(contains(message, edit.says)) << edit.to << ": " << message;
    EXPECT_TRUE(contains(message, "out.ht")) << message;
    write_text(out_ / "model.json", good);
  }
  write_text(out_ / "model.json", good.substr(0, good.size() / 2));
  EXPECT_TRUE(contains(open_message(), "model.json: expected JSON"));
}

TEST_F(Artifact, RangesOfInputsAreReadBack) {
  const fs::path target = folder_ / "ranges.ht";
  {
    auto writer = ArtifactWriter::create(target, false, source_with_tokenizer(folder_.path()), three_tensors());
    ASSERT_TRUE(writer.ok());
    for (const ArtifactTensor& tensor : three_tensors())
      ASSERT_TRUE(writer->write(pattern(tensor.payload_bytes())).ok());
    const auto staged = writer->stage();
    ASSERT_TRUE(staged.ok()) << staged.status().message();
    EXPECT_EQ(staged->find("half")->shape, (std::vector<int64_t>{17, 3}));
    EXPECT_FALSE(staged->find("half")->input.exists());
    EXPECT_FALSE(fs::exists(target));
    writer->set_inputs({{"half", {16, 1.0f / 3}}, {"packed", {8, 1e-30f}}});
    ASSERT_TRUE(writer->finish({{"recipe", "by hand"}}).ok());
  }
  const auto model = open_model_file(target);
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ(model->find("half")->input, (StaticRange{16, 1.0f / 3}));  // to the bit
  EXPECT_EQ(model->find("packed")->input, (StaticRange{8, 1e-30f}));
  EXPECT_FALSE(model->find("norm")->input.exists());
  EXPECT_EQ(model->side_files.size(), 1u);
  EXPECT_TRUE(verify_artifact(target, pool_, no_progress()).ok());
  EXPECT_EQ(read_text(target / "weights.safetensors"), read_text(out_ / "weights.safetensors"));
}

TEST_F(Artifact, RangesThatMakeNoSenseAreRefused) {
  const struct {
    const char *tensor, *input, *says;
  } rows[] = {
      {"packed", "7", "tensor 'packed': expected an object 'input', got number"},
      {"packed", "{\"bits\": 8}", "tensor 'packed': input: expected a number 'scale', got nothing"},
      {"packed", "{\"bits\": 8, \"scale\": \"1\"}", "expected a number 'scale', got string"},
      {"packed", "{\"scale\": 1}", "expected a size 'bits', got nothing"},
      {"packed", "{\"bits\": 4, \"scale\": 1}", "expected 8 or 16 bits, got 4"},
      {"packed", "{\"bits\": 8, \"scale\": 0}", "expected a scale above zero that is a normal f32, got 0"},
      {"packed", "{\"bits\": 8, \"scale\": -0.5}", "normal f32, got -0.5; quantize again"},
      {"packed", "{\"bits\": 8, \"scale\": 1e-40}", "normal f32, got 1e-40"},
      {"packed", "{\"bits\": 16, \"scale\": 1e39}", "normal f32, got 1e+39"},
      {"packed", "{\"bits\": 16, \"scale\": NaN}", "model.json: expected JSON"},
      {"norm", "{\"bits\": 8, \"scale\": 1}", "tensor 'norm': input: expected it of matrices only, got it of a vector"},
  };
  const std::string good = read_text(out_ / "model.json");
  for (const auto& row : rows) {
    const std::string name = std::string("\"name\": \"") + row.tensor + "\"";
    edit_manifest(name, std::string("\"input\": ") + row.input + ", " + name);
    EXPECT_TRUE(contains(open_message(), row.says)) << row.input << ": " << open_message();
    write_text(out_ / "model.json", good);
  }
}

TEST_F(Artifact, ATensorThatModelJsonDoesNotListIsRefused) {
  auto manifest = parse_manifest(read_text(out_ / "model.json"), "model.json");
  ASSERT_TRUE(manifest.ok());
  manifest->tensors.pop_back();
  write_text(out_ / "model.json", manifest_text(*manifest));
  EXPECT_TRUE(contains(open_message(), "expected only tensors of model.json, got 'half' too")) << open_message();
}

TEST(ArtifactWriter, DroppedBeforeFinishLeavesNothing) {
  const TempFolder folder;
  {
    auto writer = ArtifactWriter::create(folder / "out.ht", false, ModelFile(), three_tensors());
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE(writer->write(pattern(100)).ok());
    EXPECT_TRUE(fs::exists(writer->staging()));
  }
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

// The process may not write files beyond 100 kB, which is how a full disk looks to it.
TEST(ArtifactWriter, AFullDiskLeavesNothing) {
  const TempFolder folder;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100'000, 100'000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(10);
    Status status;
    {
      auto writer = ArtifactWriter::create(folder / "out.ht", false, ModelFile(),
                                           {{"big", {1024, 4096}, &layout_of(LayoutId::f16), Order::panel16}});
      if (!writer.ok()) ::_exit(11);
      const auto bytes = pattern(1024 * 4096 * 2);
      status = writer->write(bytes);
      if (status.ok()) status = writer->finish(nlohmann::ordered_json::object());
    }
    ::_exit(!status.ok() && contains(status.message(), "weights.safetensors") ? 0 : 12);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

}  // namespace
}  // namespace halftone
