// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>
#include <vector>

#include "base/atomic_file.h"
#include "base/atomic_write.h"
#include "base/file_map.h"
#include "base/hash.h"
#include "base/temp_folder.h"

namespace halftone {
namespace {

namespace fs = std::filesystem;

void put(const fs::path& path, std::string_view content) {
  std::ofstream(path, std::ios::binary).write(content.data(), static_cast<std::streamsize>(content.size()));
}

std::string text_of(const fs::path& path) {
  auto text = read_text_file(path);
  return text.ok() ? *text : std::string(text.status().message());
}

size_t entries(const fs::path& folder) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

bool says(const Status& status, std::string_view part) { return status.message().find(part) != std::string_view::npos; }

TEST(FileMap, MapsWhatIsThere) {
  const TempFolder temp;
  put(temp / "a", "hello");
  auto map = FileMap::open(temp / "a");
  ASSERT_TRUE(map.ok());
  (*map)->will_need();
  ASSERT_EQ((*map)->bytes().size(), 5u);
  EXPECT_EQ(static_cast<char>((*map)->bytes()[4]), 'o');
  EXPECT_EQ((*map)->path(), temp / "a");
}

TEST(FileMap, EmptyFileIsEmptySpan) {
  const TempFolder temp;
  put(temp / "empty", "");
  auto map = FileMap::open(temp / "empty");
  ASSERT_TRUE(map.ok());
  EXPECT_TRUE((*map)->bytes().empty());
  (*map)->will_need();
}

TEST(FileMap, SurvivesItsName) {
  const TempFolder temp;
  put(temp / "a", "kept");
  auto map = FileMap::open(temp / "a");
  ASSERT_TRUE(map.ok());
  fs::remove(temp / "a");
  EXPECT_EQ(static_cast<char>((*map)->bytes()[0]), 'k');
}

TEST(FileMap, ErrorsNameTheFile) {
  const TempFolder temp;
  auto none = FileMap::open(temp / "missing");
  EXPECT_EQ(none.status().code(), StatusCode::not_found);
  EXPECT_TRUE(says(none.status(), (temp / "missing").string())) << none.status().message();
  auto folder = FileMap::open(temp.path());
  EXPECT_EQ(folder.status().code(), StatusCode::io);
  EXPECT_TRUE(says(folder.status(), "directory")) << folder.status().message();
  EXPECT_FALSE(FileMap::open("/dev/null").ok());
}

TEST(FileWriter, WritesSmallLargeAndPadded) {
  const TempFolder temp;
  std::string expected;
  auto writer = FileWriter::create(temp / "out");
  ASSERT_TRUE(writer.ok());
  for (const size_t size :
       {size_t{0}, size_t{1}, size_t{1000}, size_t{1} << 20, (size_t{1} << 20) - 1, size_t{3} << 20}) {
    const std::string block(size, static_cast<char>('a' + size % 23));
    ASSERT_TRUE(writer->write(block).ok());
    expected += block;
    ASSERT_TRUE(writer->pad_to(64).ok());
    expected.resize((expected.size() + 63) / 64 * 64, '\0');
    EXPECT_EQ(writer->position(), static_cast<int64_t>(expected.size()));
  }
  ASSERT_TRUE(writer->close().ok());
  ASSERT_TRUE(writer->close().ok());
  EXPECT_EQ(text_of(temp / "out"), expected);
}

TEST(FileWriter, MovedWriterGoesOn) {
  const TempFolder temp;
  auto writer = FileWriter::create(temp / "out");
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE(writer->write("one ").ok());
  FileWriter other = std::move(*writer);
  ASSERT_TRUE(other.write("two").ok());
  ASSERT_TRUE(other.close().ok());
  EXPECT_EQ(text_of(temp / "out"), "one two");
}

TEST(FileWriter, FullDiskIsAnErrorThatNamesTheFile) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full on this system";
  auto small = FileWriter::create("/dev/full");
  ASSERT_TRUE(small.ok());
  EXPECT_TRUE(small->write("x").ok());  // still in the buffer
  const Status closed = small->close();
  EXPECT_EQ(closed.code(), StatusCode::io);
  EXPECT_TRUE(says(closed, "/dev/full") && says(closed, "No space left")) << closed.message();

  auto large = FileWriter::create("/dev/full");
  ASSERT_TRUE(large.ok());
  EXPECT_FALSE(large->write(std::string(size_t{2} << 20, 'x')).ok());
  EXPECT_FALSE(large->close().ok());
}

TEST(FileWriter, CreateErrors) {
  const TempFolder temp;
  EXPECT_EQ(FileWriter::create(temp / "no" / "such").status().code(), StatusCode::not_found);
  EXPECT_FALSE(FileWriter::create(temp.path()).ok());
}

TEST(AtomicFolder, AppearsOnlyOnCommit) {
  const TempFolder temp;
  auto folder = AtomicFolder::create(temp / "deep" / "out.ht", false);
  ASSERT_TRUE(folder.ok()) << folder.status().message();
  EXPECT_EQ(folder->path().filename().string().rfind(".out.ht.partial-", 0), 0u);
  put(folder->path() / "a", "1");
  fs::create_directories(folder->path() / "evidence");
  put(folder->path() / "evidence" / "b", "2");
  EXPECT_FALSE(fs::exists(temp / "deep" / "out.ht"));
  ASSERT_TRUE(folder->commit().ok());
  EXPECT_EQ(text_of(temp / "deep" / "out.ht" / "evidence" / "b"), "2");
  EXPECT_EQ(entries(temp / "deep"), 1u);
}

TEST(AtomicFolder, VanishesWithoutCommit) {
  const TempFolder temp;
  {
    auto folder = AtomicFolder::create(temp / "out", false);
    ASSERT_TRUE(folder.ok());
    put(folder->path() / "a", "1");
    AtomicFolder moved = std::move(*folder);
    EXPECT_TRUE(fs::exists(moved.path() / "a"));
  }
  EXPECT_EQ(entries(temp.path()), 0u);
}

TEST(AtomicFolder, TrailingSlashAndTwoAtOnce) {
  const TempFolder temp;
  auto one = AtomicFolder::create((temp / "out/").string(), true);
  auto two = AtomicFolder::create(temp / "out", true);
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_NE(one->path(), two->path());
  put(one->path() / "a", "1");
  put(two->path() / "a", "2");
  ASSERT_TRUE(one->commit().ok());
  ASSERT_TRUE(two->commit().ok());
  EXPECT_EQ(text_of(temp / "out" / "a"), "2");
  EXPECT_EQ(entries(temp.path()), 1u);
}

TEST(AtomicFolder, ManyThreadsCreateAndReplaceOne) {
  constexpr int kTurns = 30;
  const TempFolder temp;
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int turn = 0; turn < kTurns; ++turn) {
        auto folder = AtomicFolder::create(temp / ("out" + std::to_string(turn)), true);
        const bool written = folder.ok() && static_cast<bool>(std::ofstream(folder->path() / "file") << "whole");
        if (!written || !folder->commit().ok()) ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  const auto entries = std::filesystem::directory_iterator(temp.path());
  EXPECT_EQ(std::distance(begin(entries), end(entries)), kTurns);
  EXPECT_EQ(read_text_file(temp / "out7" / "file").value(), "whole");
}

TEST(AtomicFolder, ReplacesOnlyWhenAskedAndOnlyOnCommit) {
  const TempFolder temp;
  fs::create_directory(temp / "out");
  put(temp / "out" / "old", "old");
  auto refused = AtomicFolder::create(temp / "out", false);
  ASSERT_FALSE(refused.ok());
  EXPECT_TRUE(says(refused.status(), "remove it")) << refused.status().message();
  {
    auto dropped = AtomicFolder::create(temp / "out", true);
    ASSERT_TRUE(dropped.ok());
    put(dropped->path() / "new", "new");
  }
  EXPECT_EQ(text_of(temp / "out" / "old"), "old");
  auto folder = AtomicFolder::create(temp / "out", true);
  ASSERT_TRUE(folder.ok());
  put(folder->path() / "new", "new");
  ASSERT_TRUE(folder->commit().ok());
  EXPECT_EQ(text_of(temp / "out" / "new"), "new");
  EXPECT_FALSE(fs::exists(temp / "out" / "old"));
  EXPECT_EQ(entries(temp.path()), 1u);
}

TEST(AtomicFolder, TargetThatAppearedMeanwhileIsKept) {
  const TempFolder temp;
  {
    auto folder = AtomicFolder::create(temp / "out", false);
    ASSERT_TRUE(folder.ok());
    fs::create_directory(temp / "out");
    put(temp / "out" / "theirs", "x");
    EXPECT_FALSE(folder->commit().ok());
  }
  EXPECT_EQ(text_of(temp / "out" / "theirs"), "x");
  EXPECT_EQ(entries(temp.path()), 1u);
}

TEST(AtomicFolder, ErrorsNameTheFolder) {
  EXPECT_FALSE(AtomicFolder::create("/", true).ok());
  const TempFolder temp;
  put(temp / "file", "");
  auto below_a_file = AtomicFolder::create(temp / "file" / "out", false);
  ASSERT_FALSE(below_a_file.ok());
  EXPECT_TRUE(says(below_a_file.status(), (temp / "file").string())) << below_a_file.status().message();
}

TEST(AtomicFolder, LeftoversOfKilledProcessesAreRemoved) {
  const TempFolder temp;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto folder = AtomicFolder::create(temp / "out", false);
    if (folder.ok()) put(folder->path() / "half", "x");
    ::_exit(folder.ok() ? 0 : 1);  // as if killed: no destructor runs
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  ASSERT_EQ(entries(temp.path()), 1u);
  fs::create_directory(temp / ".out.partial-x");            // not ours: no process number
  fs::create_directory(temp / ".other.partial-999999999");  // of another target
  auto living = AtomicFolder::create(temp / "out", false);
  ASSERT_TRUE(living.ok());
  EXPECT_EQ(entries(temp.path()), 3u);
  auto second = AtomicFolder::create(temp / "out", false);  // must not take the first for a leftover
  ASSERT_TRUE(second.ok());
  EXPECT_TRUE(fs::exists(living->path()));
}

// A process may not write files beyond 64 KiB: the write fails, and nothing is left behind.
TEST(AtomicFolder, FailedWriteLeavesNothing) {
  const TempFolder temp;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{65536, 65536};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(10);
    {
      auto folder = AtomicFolder::create(temp / "out", false);
      if (!folder.ok()) ::_exit(11);
      auto writer = FileWriter::create(folder->path() / "weights");
      if (!writer.ok()) ::_exit(12);
      const Status status = writer->write(std::string(size_t{2} << 20, 'x'));
      if (status.ok() || !says(status, "weights") || !says(status, "File too large")) ::_exit(13);
    }
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(entries(temp.path()), 0u);
}

TEST(AtomicFile, AppearsOnlyOnCommit) {
  const TempFolder temp;
  auto file = AtomicFile::create(temp / "deep" / "out", false);
  ASSERT_TRUE(file.ok()) << file.status().message();
  put(file->path(), "whole");
  EXPECT_FALSE(fs::exists(temp / "deep" / "out"));
  AtomicFile moved = std::move(*file);
  ASSERT_TRUE(moved.commit().ok());
  EXPECT_EQ(text_of(temp / "deep" / "out"), "whole");
  EXPECT_EQ(entries(temp / "deep"), 1u);
}

TEST(AtomicFile, VanishesWithoutCommitAndReplacesOnlyWhenAsked) {
  const TempFolder temp;
  put(temp / "out", "old");
  {
    auto dropped = AtomicFile::create(temp / "out", true);
    ASSERT_TRUE(dropped.ok());
    put(dropped->path(), "never");
  }
  EXPECT_EQ(text_of(temp / "out"), "old");
  EXPECT_EQ(entries(temp.path()), 1u);
  EXPECT_TRUE(says(AtomicFile::create(temp / "out", false).status(), "expected a new file, got one that exists"));
  auto one = AtomicFile::create(temp / "out", true), two = AtomicFile::create(temp / "out", true);
  ASSERT_TRUE(one.ok() && two.ok());
  put(one->path(), "one");
  put(two->path(), "two");
  ASSERT_TRUE(one->commit().ok());
  ASSERT_TRUE(two->commit().ok());
  EXPECT_EQ(text_of(temp / "out"), "two");
  EXPECT_FALSE(AtomicFile::create(temp.path(), true).ok());
  EXPECT_EQ(entries(temp.path()), 1u);
}

TEST(AtomicFile, WhatAKilledProcessLeftIsRemoved) {
  const TempFolder temp;
  put(temp / ".out.partial-2147483646-3", "left");  // no process can have this number
  auto file = AtomicFile::create(temp / "out", false);
  ASSERT_TRUE(file.ok());
  EXPECT_FALSE(fs::exists(temp / ".out.partial-2147483646-3"));
}

TEST(WriteFileAtomic, ReplacesWholeOrNotAtAll) {
  const TempFolder temp;
  ASSERT_TRUE(write_file_atomic(temp / "a", "one").ok());
  ASSERT_TRUE(write_file_atomic(temp / "a", "two").ok());
  EXPECT_EQ(text_of(temp / "a"), "two");
  EXPECT_EQ(entries(temp.path()), 1u);
  EXPECT_FALSE(write_file_atomic(temp / "no" / "a", "x").ok());
  EXPECT_FALSE(write_file_atomic(temp.path(), "x").ok());
  EXPECT_EQ(entries(temp.path()), 1u);
}

TEST(WriteFileAtomic, KeepsLinksAndDevices) {
  const TempFolder temp;
  put(temp / "real", "old");
  fs::create_symlink("real", temp / "link");
  ASSERT_TRUE(write_file_atomic(temp / "link", "new").ok());
  EXPECT_TRUE(fs::is_symlink(temp / "link"));
  EXPECT_EQ(text_of(temp / "real"), "new");
  EXPECT_TRUE(write_file_atomic("/dev/null", "gone").ok());
  if (fs::exists("/dev/full")) {
    EXPECT_FALSE(write_file_atomic("/dev/full", "x").ok());
  }
}

TEST(ReadTextFile, ReadsAndRefuses) {
  const TempFolder temp;
  const std::string long_text(size_t{3} << 20, 'y');
  put(temp / "long", long_text);
  EXPECT_EQ(text_of(temp / "long"), long_text);
  EXPECT_TRUE(read_text_file(temp / "long", static_cast<int64_t>(long_text.size())).ok());
  auto refused = read_text_file(temp / "long", static_cast<int64_t>(long_text.size()) - 1);
  ASSERT_FALSE(refused.ok());
  EXPECT_TRUE(says(refused.status(), "long: expected at most")) << refused.status().message();
  EXPECT_EQ(read_text_file(temp / "none").status().code(), StatusCode::not_found);
  EXPECT_FALSE(read_text_file(temp.path()).ok());
}

TEST(Hash, AgreesWithPublishedValues) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(stable_hash64("abc"), 0xba7816bf8f01cfeau);
  const TempFolder temp;
  const std::string million(1000000, 'a');
  put(temp / "million", million);
  const std::string expected = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
  EXPECT_EQ(*sha256_file(temp / "million"), expected);
  EXPECT_EQ(sha256_hex(million), expected);
  put(temp / "exact", std::string(size_t{1} << 20, 'b'));
  EXPECT_EQ(*sha256_file(temp / "exact"), sha256_hex(std::string(size_t{1} << 20, 'b')));
  EXPECT_FALSE(sha256_file(temp / "none").ok());
}

}  // namespace
}  // namespace halftone
