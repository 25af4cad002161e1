// SPDX-License-Identifier: Apache-2.0
// The rows of the table in method.cc; one file per method defines them.
#pragma once

#include "quantize/methods/method.h"

namespace halftone {

void choose_nearest(const Layout& layout, const MethodInput& input, const MethodOutput& output);
void choose_search(const Layout& layout, const MethodInput& input, const MethodOutput& output);

Result<std::unique_ptr<Preparation>> prepare_gptq(const Layout& layout, const MatrixReader& matrix,
                                                  const InputStatistics& statistics, ThreadPool& pool);
void choose_gptq(const Layout& layout, const MethodInput& input, const MethodOutput& output);

void choose_kmeans(const Layout& layout, const MethodInput& input, const MethodOutput& output);
Result<std::unique_ptr<Preparation>> prepare_kmeans(const Layout& layout, const MatrixReader& matrix,
                                                    const InputStatistics& statistics, ThreadPool& pool);
void choose_kmeans_lloyd(const Layout& layout, const MethodInput& input, const MethodOutput& output);
Result<std::unique_ptr<Preparation>> prepare_kmeans_lloyd(const Layout& layout, const MatrixReader& matrix,
                                                          const InputStatistics& statistics, ThreadPool& pool);

}  // namespace halftone
