// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/stage.h"

namespace moru::edge {

std::string_view to_string(StageKind kind) {
  switch (kind) {
    case StageKind::kSource: return "source";
    case StageKind::kStage: return "stage";
    case StageKind::kSink: return "sink";
  }
  return "unknown";
}

const StageSpec* find_stage(std::string_view name) {
  for (const StageSpec* spec : all_stages()) {
    if (spec->name == name) return spec;
  }
  return nullptr;
}

bool may_pass(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kIo || code == ErrorCode::kDeadlineExceeded ||
         code == ErrorCode::kResourceExhausted;
}

}  // namespace moru::edge
