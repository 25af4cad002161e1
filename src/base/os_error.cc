// SPDX-License-Identifier: Apache-2.0
#include "base/os_error.h"

#include <system_error>

#include "base/error.h"

namespace halftone {
namespace {

std::string_view advice(int code) {
  switch (code) {
    case ENOENT:
      return "; check the path";
    case EACCES:
    case EPERM:
      return "; check the permissions";
    case ENOSPC:
    case EDQUOT:
      return "; free some space or write elsewhere";
    case EFBIG:
      return "; raise the limit on file sizes (ulimit -f) or write elsewhere";
    case EROFS:
      return "; write to another place";
    case EMFILE:
    case ENFILE:
      return "; raise the limit on open files (ulimit -n)";
    case ENOMEM:
      return "; close other programs or raise the limit on memory (ulimit -v)";
    default:
      return "";
  }
}

}  // namespace

std::string os_reason(int code) { return std::generic_category().message(code); }

Status os_error(std::string_view who, const std::filesystem::path& path, std::string_view action, int code) {
  const StatusCode kind = code == ENOENT || code == ENOTDIR ? StatusCode::not_found : StatusCode::io;
  return {kind, fmt::format("[{}] {}: cannot {}: {}{}", who, path.string(), action, os_reason(code), advice(code))};
}

}  // namespace halftone
