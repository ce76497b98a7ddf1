// SPDX-License-Identifier: Apache-2.0
#include "model/targets/target.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"

namespace moru::model::targets {

bool Target::takes_format(std::string_view format) const { return std::ranges::find(formats, format) != formats.end(); }

bool Target::falls_back(std::string_view op) const {
  return std::ranges::any_of(fallback, [&](const std::string& one) { return one == "any" || one == op; });
}

Result<Target> load_target(std::string_view name_or_path) {
  std::vector<std::string> names;
  for (const Profile& profile : builtin_profiles()) {
    names.emplace_back(profile.name);
    if (profile.name != name_or_path) continue;
    MORU_ASSIGN_OR_RETURN(const ConfigObject document, ConfigObject::parse(profile.yaml, std::string(profile.name) + ".yaml"));
    return read_target(document);
  }
  const bool file = name_or_path.ends_with(".yaml") || name_or_path.ends_with(".yml") || name_or_path.find('/') != name_or_path.npos;
  if (file) {
    MORU_ASSIGN_OR_RETURN(const ConfigObject document, ConfigObject::load(Path(name_or_path)));
    return read_target(document);
  }
  return fail(ErrorCode::kNotFound, fmt::format("target {}: found no such target{}, expected a file (.yaml) or one of {}",
                                                in_quotes(name_or_path), did_you_mean(name_or_path, names), fmt::join(names, ", ")));
}

}  // namespace moru::model::targets
