// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "formats/gguf/names.h"
#include "halftone/status.h"
#include "models/language_model.h"

namespace halftone {

// The architecture of llama.cpp that computes what this model does; an error says what none of them can.
Result<const GgufArchitecture*> gguf_architecture_of(const LanguageModel& model);

}  // namespace halftone
