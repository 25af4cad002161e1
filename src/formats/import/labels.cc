// SPDX-License-Identifier: Apache-2.0
#include "formats/import/labels.h"

#include <array>
#include <optional>

#include "base/error.h"

namespace halftone {
namespace {

using LabelJson = nlohmann::json;

std::optional<Fidelity> fidelity_of_name(std::string_view name) {
  for (const Fidelity fidelity : {Fidelity::bit_exact, Fidelity::rounding, Fidelity::quantized, Fidelity::requantized})
    if (name_of(fidelity) == name) return fidelity;
  return {};
}

// Reads what to_json wrote; nlohmann's own readers throw.
bool read_label(const LabelJson& json, TensorLabel& label) {
  if (!json.is_object()) return false;
  const auto text = [&](const char* key, std::string& out) {
    const auto at = json.find(key);
    if (at == json.end() || !at->is_string()) return false;
    out = at->get<std::string>();
    return true;
  };
  const auto integer = [&](const char* key, int64_t& out) {
    const auto at = json.find(key);
    if (at == json.end() || !at->is_number_integer()) return false;
    out = at->get<int64_t>();
    return true;
  };
  std::string fidelity;
  const auto error = json.find("max_relative_error");
  const bool whole = text("name", label.name) && text("stored_name", label.stored_name) &&
                     text("stored_type", label.stored_type) && text("layout", label.layout) &&
                     text("fidelity", fidelity) && text("note", label.note) &&
                     integer("stored_bytes", label.stored_bytes) && integer("bytes", label.bytes) &&
                     error != json.end() && error->is_number() && fidelity_of_name(fidelity);
  if (!whole) return false;
  label.fidelity = *fidelity_of_name(fidelity);
  label.max_relative_error = error->get<double>();
  return true;
}

}  // namespace

nlohmann::ordered_json to_json(const TensorLabel& label) {
  return {{"name", label.name},
          {"stored_name", label.stored_name},
          {"stored_type", label.stored_type},
          {"layout", label.layout},
          {"fidelity", name_of(label.fidelity)},
          {"max_relative_error", label.max_relative_error},
          {"stored_bytes", label.stored_bytes},
          {"bytes", label.bytes},
          {"note", label.note}};
}

void write_import_record(const ImportSource& source, std::string_view container, const std::vector<SourceFile>& files,
                         nlohmann::ordered_json& provenance) {
  nlohmann::ordered_json labels = nlohmann::ordered_json::array(), hashes = labels;
  for (const ImportTensor& tensor : source.tensors) labels.push_back(to_json(tensor.label));
  for (const SourceFile& file : files)
    hashes.push_back({{"name", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  provenance["import"] = {{"container", container}, {"files", hashes}, {"notes", source.notes}, {"tensors", labels}};
}

Result<ImportRecord> read_import_record(const nlohmann::json& provenance, std::string_view name) {
  const auto damaged = [&] {
    return invalid_input("[import] {}: expected the record of an import in model.json, got none; delete the folder",
                         name);
  };
  const auto record = provenance.find("import");
  if (record == provenance.end() || !record->is_object()) return damaged();
  const auto tensors = record->find("tensors"), notes = record->find("notes");
  if (tensors == record->end() || !tensors->is_array() || notes == record->end() || !notes->is_array())
    return damaged();
  ImportRecord result;
  for (const LabelJson& json : *tensors)
    if (!read_label(json, result.labels.emplace_back())) return damaged();
  for (const LabelJson& note : *notes) {
    if (!note.is_string()) return damaged();
    result.notes.push_back(note.get<std::string>());
  }
  return result;
}

}  // namespace halftone
