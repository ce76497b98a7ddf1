// SPDX-License-Identifier: Apache-2.0
// How commands load a model for a target, and say what the target makes of it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "cli/support/models.h"
#include "core/json_fwd.h"
#include "core/result.h"
#include "model/targets/check.h"

namespace CLI {
class App;
}

namespace moru::cli {

void add_target_option(CLI::App& command, std::string* target, bool must);

/// A model's graph. Its open extents get numbers when `bind` says so; else they stay open.
Result<model::Graph> load_for_target(const Path& path, const model::LoadOptions& options, const DimFlags& dims, bool bind);

/// The opset that a file for the target has: the graph's own, or the nearest that the target takes; nothing for TFLite, or when the target
/// does not say. `asked`: by the user. kInvalidArgument for one that the target does not take, or that is never written.
Result<std::optional<std::int64_t>> opset_for(const model::targets::Target& target, const model::targets::Checked& checked,
                                              const std::optional<std::int64_t>& asked = {});

/// What a memory of the device is asked for, as a line and as a list.
std::string memory_text(const model::targets::MemoryReport& memory);
Json memory_json(std::span<const model::targets::MemoryReport> memories);

/// For people: a table by op, then what does not run on the accelerator, grouped, then what would have to change.
std::string to_text(const model::targets::Report& report, const model::targets::Target& target);
Json to_json(const model::targets::Report& report);

}  // namespace moru::cli
