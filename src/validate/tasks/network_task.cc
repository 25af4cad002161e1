// SPDX-License-Identifier: Apache-2.0
#include "validate/tasks/network_task.h"

namespace halftone {

const NetworkTask* network_task(Task task) {
  static constexpr const NetworkTask* kTasks[] = {&kRegressTask, &kRetrieveTask, &kDetectTask};
  for (const NetworkTask* one : kTasks)
    if (one->task == task) return one;
  return nullptr;
}

}  // namespace halftone
