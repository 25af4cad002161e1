// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "base/yaml.h"

// Every reader on every key of any bytes: each answers or refuses, and a refusal has words.
namespace {

void read_all(halftone::YamlMap map, int depth) {
  for (const std::string& key : map.keys()) {
    const auto explained = [](const auto& result) {
      HALFTONE_CHECK(result.ok() || !result.status().message().empty());
    };
    explained(map.text(key));
    explained(map.number(key));
    explained(map.integer(key));
    explained(map.boolean(key));
    explained(map.texts(key));
    auto maps = map.maps(key);
    explained(maps);
    auto nested = map.map(key);
    explained(nested);
    if (depth == 0) continue;  // aliases can make a document that contains itself
    if (nested.ok()) read_all(*nested, depth - 1);
    if (maps.ok() && !maps->empty()) read_all(maps->front(), depth - 1);
  }
  HALFTONE_CHECK(map.finish().ok() || !map.finish().message().empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto map = halftone::YamlMap::parse_text({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (map.ok()) read_all(*map, 3);
  return 0;
}
