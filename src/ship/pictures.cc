// SPDX-License-Identifier: Apache-2.0
#include "ship/pictures.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "models/pictures/pictures.h"

namespace halftone {

namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kMostShownSide = 128;

std::string base64_of(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k)
      bits = bits << 8U | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (size_t k = 0; k < 4; ++k) out += k > bytes.size() - i ? '=' : kDigits[bits >> (18 - 6 * k) & 63U];
  }
  return out;
}

std::string data_uri(const Picture& picture) {
  const int64_t longer = std::max(picture.height, picture.width);
  const auto shown = [&](int64_t side) { return std::max<int64_t>(1, side * kMostShownSide / longer); };
  return "data:image/png;base64," +
         base64_of(encode_png(
             longer <= kMostShownSide ? picture : resized(picture, shown(picture.height), shown(picture.width))));
}

// The worst samples that the page shows: ids by suite.
void add_wanted(const Json& quality, std::map<std::string, std::vector<std::string>>& wanted) {
  size_t left = kWorstShown;
  for (const Json& worst : quality.at("worst"))
    if (left-- > 0)
      wanted[worst.at("suite").get<std::string>()].push_back(worst.at("id").get<std::string>());
    else
      break;
}

}  // namespace

Result<Json> worst_pictures(const ShipJob& job, const Json& results) {
  std::map<std::string, std::vector<std::string>> wanted;
  for (const Json& candidate : results.at("candidates"))
    if (candidate.contains("quality")) add_wanted(candidate.at("quality"), wanted);
  Json out = Json::object();
  for (const PreparedSuite& suite : job.decide) {
    SampleReader reader(suite.input, suite.input_shape);
    for (size_t i = 0; i < suite.files.size(); ++i) {
      const std::string& id = suite.samples[i].id;
      const auto& ids = wanted[suite.spec.name];
      if (std::find(ids.begin(), ids.end(), id) == ids.end()) continue;
      HALFTONE_ASSIGN(const std::optional<Picture> picture, reader.picture(suite.files[i]));
      if (picture) out[suite.spec.name][id] = data_uri(*picture);
    }
  }
  return out;
}

}  // namespace halftone
