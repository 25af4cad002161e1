// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "validate/suite.h"

// Tables of questions and of a network's samples: CSV and JSON Lines.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  halftone::SuiteSpec spec;
  spec.file = "fuzz";
  spec.slices = {"slice"};
  (void)halftone::parse_choices_csv(text, spec);
  (void)halftone::parse_choices_jsonl(text, spec);
  for (const halftone::Task task :
       {halftone::Task::classify, halftone::Task::retrieve, halftone::Task::regress, halftone::Task::detect}) {
    spec.task = task;
    (void)halftone::parse_network_csv(text, spec, {"a", "b"});
  }
  spec.documents = true;
  (void)halftone::parse_documents(text, spec);
  return 0;
}
