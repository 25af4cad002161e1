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

std::string hex_text(const Digest& digest) {
  std::string text;
  for (const unsigned char byte : digest) text += fmt::format("{:02x}", byte);
  return text;
}

std::span<const std::byte> bytes_of_text(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

struct Sha256::State {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  HALFTONE_CHECK(state_->context != nullptr);
  HALFTONE_CHECK(EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr) == 1);
}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::add(std::span<const std::byte> bytes) {
  HALFTONE_CHECK(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1);
}

std::string Sha256::hex() {
  Digest digest;
  HALFTONE_CHECK(EVP_DigestFinal_ex(state_->context.get(), digest.data(), nullptr) == 1);
  return hex_text(digest);
}

std::string sha256_hex(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.hex();
}

std::string sha256_hex(std::string_view text) { return sha256_hex(bytes_of_text(text)); }

Result<std::string> sha256_file(const std::filesystem::path& path) {
  HALFTONE_ASSIGN(FileHandle file, FileHandle::open_to_read("hash", path));
  Sha256 hash;
  std::vector<std::byte> block(size_t{1} << 20);
  for (size_t got = block.size(); got == block.size();) {
    if (const int code = file.read(block, got); code != 0) return os_error("hash", path, "read", code);
    hash.add(std::span(block).first(got));
  }
  return hash.hex();
}

uint64_t stable_hash64(std::string_view text) {
  Digest digest;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  HALFTONE_CHECK(EVP_Digest(bytes, text.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1);
  uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | digest[static_cast<size_t>(i)];
  return value;
}

}  // namespace halftone
