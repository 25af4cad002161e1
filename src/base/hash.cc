// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include <openssl/evp.h>

#include <array>
#include <vector>

#include "base/error.h"
#include "base/file_handle.h"
#include "base/os_error.h"

namespace halftone {
namespace {

using Digest = std::array<unsigned char, 32>;

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    HALFTONE_CHECK(context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }
  void add(std::span<const std::byte> bytes) {
    HALFTONE_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
  }
  Digest finish() {
    Digest digest;
    HALFTONE_CHECK(EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1);
    return digest;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

Digest sha256(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.finish();
}

std::string hex(const Digest& digest) {
  std::string text;
  for (const unsigned char byte : digest) text += fmt::format("{:02x}", byte);
  return text;
}

std::span<const std::byte> bytes_of_text(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

std::string sha256_hex(std::span<const std::byte> bytes) { return hex(sha256(bytes)); }
std::string sha256_hex(std::string_view text) { return hex(sha256(bytes_of_text(text))); }

Result<std::string> sha256_file(const std::filesystem::path& path) {
  HALFTONE_ASSIGN(FileHandle file, FileHandle::open_to_read("hash", path));
  Sha256 hash;
  std::vector<std::byte> block(size_t{1} << 20);
  for (size_t got = block.size(); got == block.size();) {
    if (const int code = file.read(block, got); code != 0) return os_error("hash", path, "read", code);
    hash.add(std::span(block).first(got));
  }
  return hex(hash.finish());
}

uint64_t stable_hash64(std::string_view text) {
  const Digest digest = sha256(bytes_of_text(text));
  uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | digest[static_cast<size_t>(i)];
  return value;
}

}  // namespace halftone
