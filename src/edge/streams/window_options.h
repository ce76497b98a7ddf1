// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config.h"
#include "edge/streams/aggregate.h"
#include "edge/streams/item.h"

namespace moru::edge {

/// The options of the stage `window`, whose documentation says what they mean.
struct WindowOptions {
  enum class Kind : std::uint8_t { kTumbling, kSliding, kSession, kCount };
  Kind kind = Kind::kTumbling;
  TimeNs size = 0;  ///< of a session: the gap that ends it
  TimeNs step = 0;
  std::int64_t count = 0;
  std::int64_t max_keys = 100'000;
  std::vector<FieldName> key;
  struct Output {
    FieldName name;
    Aggregate aggregate;
    std::size_t summary = 0;  ///< index of its field's summary
  };
  std::vector<Output> outputs;
  std::vector<FieldName> fields;  ///< that are summed up, each once
  std::vector<bool> keeps;        ///< whether its values are needed one by one
  std::string size_where;
  std::string key_where;
  std::string outputs_where;
};

/// Errors name the line.
Result<WindowOptions> read_window_options(const ConfigObject& object);

}  // namespace moru::edge
