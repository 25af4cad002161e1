// SPDX-License-Identifier: Apache-2.0
// README's commands are promises: each `$ halftone ...` line runs here, in order, in one folder, and must end with the
// exit code that README says (0 unless a comment `# exit N` stands behind it). Every word that README shows as its
// output must come.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "program.h"

namespace halftone {
namespace {

const std::filesystem::path kRoot = HALFTONE_SOURCE_DIR;

struct Example {
  int line = 0, exit_code = 0;
  std::string command, output;
};

std::vector<Example> examples() {
  std::ifstream readme(kRoot / "README.md");
  std::vector<Example> found;
  bool console = false;
  int number = 0;
  for (std::string line; std::getline(readme, line);) {
    ++number;
    if (line.starts_with("```")) {
      console = line == "```console";
    } else if (console && line.starts_with("$ ")) {
      Example example{number, 0, line.substr(2), ""};
      const size_t code = line.find("# exit ");
      if (code != std::string::npos) example.exit_code = std::stoi(line.substr(code + 7));
      found.push_back(example);
    } else if (console && !found.empty()) {
      found.back().output += line + "\n";
    }
  }
  return found;
}

std::set<std::string> words(const std::string& text) {
  std::set<std::string> all;
  std::string word;
  for (const char c : text + " ") {
    if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
      word += c;
    } else {
      if (word.size() >= 4) all.insert(word);
      word.clear();
    }
  }
  return all;
}

// A folder of its own for commands, with the repository's models in it.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("halftone-commands-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(path_);
    std::filesystem::create_directory_symlink(kRoot / "models", path_ / "models");
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }
  std::pair<int, std::string> run_here(const std::string& command) const {
    return run_command("cd '" + path_.string() + "' && export HALFTONE_CACHE=cache PATH='" + HALFTONE_BINARY_DIR +
                       "':$PATH && " + command);
  }

 private:
  std::filesystem::path path_;
};

TEST(ExitCodes, AGateThatACandidateBreaksGivesThree) {
  const Folder folder;
  std::ofstream(folder.path() / "gate.yaml") << "checks:\n  - {metric: answer_flips, max: 0.01, unit: percent}\n";
  const auto [code, output] =
      folder.run_here("halftone ship models/tinyworld --gate gate.yaml --recipes int4-channel -o out.ht");
  EXPECT_EQ(code, 3) << output;
  EXPECT_NE(output.find("FAIL"), std::string::npos) << output;
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "out.ht"));
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "out.evidence/report.html"));
}

TEST(ExitCodes, FiftyQuestionsDecideNothingAndGiveFour) {
  const Folder folder;
  const auto [code, output] = folder.run_here(
      "head -51 models/tinyworld/questions.csv >fifty.csv && sed 's/questions.csv/fifty.csv/; s/^slices.*/slices: "
      "[exposure]/' "
      "models/tinyworld/suite.yaml >suite.yaml && halftone ship models/tinyworld --suite suite.yaml --gate "
      "models/tinyworld/gate.yaml -o out.ht");
  EXPECT_EQ(code, 4) << output;
  EXPECT_NE(output.find("questions would tell"), std::string::npos) << output;
}

TEST(Readme, FirstCommandComesByLineTwenty) {
  std::ifstream readme(kRoot / "README.md");
  std::string line;
  for (int number = 1; std::getline(readme, line) && number <= 20; ++number) {
    if (line.starts_with("./demo")) return;
  }
  FAIL() << "expected ./demo in a code block by line 20 of README.md";
}

TEST(Readme, EveryCommandDoesWhatItSays) {
  const std::vector<Example> all = examples();
  ASSERT_GE(all.size(), 8u) << "README.md shows fewer commands than there are verbs";
  const Folder folder;
  for (const Example& example : all) {
    const auto [code, output] = folder.run_here(example.command);
    EXPECT_EQ(code, example.exit_code) << "README.md:" << example.line << ": " << example.command << "\n" << output;
    const std::set<std::string> got = words(output);
    for (const std::string& word : words(example.output)) {
      EXPECT_TRUE(got.contains(word)) << "README.md:" << example.line << ": " << example.command
                                      << ": expected the word '" << word << "' in its output, got\n"
                                      << output;
    }
  }
}

}  // namespace
}  // namespace halftone
