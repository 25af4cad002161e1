// SPDX-License-Identifier: Apache-2.0
#include "cli/import_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "base/units.h"
#include "cli/table.h"
#include "formats/import/labels.h"

namespace halftone::cli {

namespace {

struct ImportSum {
  int64_t tensors = 0, stored_bytes = 0, bytes = 0;
  double worst = 0;
};

}  // namespace

std::string import_table(const ModelFile& file, bool colour) {
  const ImportRecord& import = *file.import;
  std::map<std::tuple<std::string, std::string, Fidelity>, ImportSum> sums;
  std::map<std::string, std::string> done;  // by stored type
  for (const TensorLabel& label : import.labels) {
    ImportSum& sum = sums[{label.stored_type, label.layout, label.fidelity}];
    sum.tensors += 1;
    sum.stored_bytes += label.stored_bytes;
    sum.bytes += label.bytes;
    sum.worst = std::max(sum.worst, label.max_relative_error);
    if (!label.note.empty()) done[label.stored_type] = label.note;
  }
  Table table({file.container + " type", "runs as", ">tensors", ">in the file", ">here", "numbers", ">largest error"});
  for (const auto& [key, sum] : sums) {
    const auto& [type, layout, fidelity] = key;
    table.row({{type},
               {layout},
               {format_count(sum.tensors)},
               {format_bytes(sum.stored_bytes)},
               {format_bytes(sum.bytes)},
               {std::string(name_of(fidelity)), fidelity == Fidelity::bit_exact ? Colour::green : Colour::yellow},
               {sum.worst > 0 ? fmt::format("{:.2g} %", 100 * sum.worst) : "-"}});
  }
  std::string out = table.render(colour);
  for (const auto& [type, note] : done) out += fmt::format("{}: {}\n", type, note);
  for (const std::string& note : import.notes) out += fmt::format("note: {}\n", note);
  out += import.seconds > 0
             ? fmt::format("regrouped in {}, kept in {}\n", format_seconds(import.seconds), import.cache.string())
             : fmt::format("regrouped before, kept in {}\n", import.cache.string());
  return out;
}

nlohmann::ordered_json import_json(const ImportRecord& import) {
  nlohmann::ordered_json json = {{"seconds", import.seconds},
                                 {"cache", import.cache.string()},
                                 {"notes", import.notes},
                                 {"tensors", nlohmann::ordered_json::array()}};
  for (const TensorLabel& label : import.labels) json["tensors"].push_back(halftone::to_json(label));
  return json;
}

}  // namespace halftone::cli
