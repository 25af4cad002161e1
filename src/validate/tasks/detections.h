// SPDX-License-Identifier: Apache-2.0
// From a detector's outputs to boxes in the picture. Private to the folder.
#pragma once

#include <span>
#include <vector>

#include "base/yaml.h"
#include "validate/sample_file.h"
#include "validate/suite.h"

namespace halftone {

// `output: {boxes, scores, classes, box, units, nms, score}` of a suite.
Status parse_box_keys(YamlMap& map, SuiteSpec& spec);

// Six numbers per box: class, score, left, top, right, bottom in pixels of the whole picture; by falling score, at most
// 100, rounded as they are stored. Errors name the output.
Result<std::vector<double>> detections_of(std::span<const Tensor> outputs, const SeenSample& seen,
                                          const BoxFormat& format);

}  // namespace halftone
