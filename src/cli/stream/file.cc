// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <map>

#include "cli/stream/verbs.h"
#include "core/files.h"

namespace moru::cli {

void StreamFile::add_to(CLI::App& command) {
  command.add_option("file", file, "A stream file (kind: Stream)")->required();
  command.add_option("--set", values, "NAME=VALUE: puts VALUE where the file has ${NAME}; may be repeated")->allow_extra_args(false);
}

Result<edge::StreamSpec> StreamFile::read() const {
  std::map<std::string, std::string> filled_in;
  for (const auto& value : values) {
    const auto equals = value.find('=');
    if (equals == 0 || equals == std::string::npos)
      return fail(ErrorCode::kInvalidArgument, fmt::format("--set: found '{}', expected NAME=VALUE", value));
    filled_in[value.substr(0, equals)] = value.substr(equals + 1);
  }
  MORU_ASSIGN_OR_RETURN(const auto text, read_file(file, 1U << 20U));
  MORU_ASSIGN_OR_RETURN(const auto filled, edge::fill_parameters(text, filled_in, file));
  MORU_ASSIGN_OR_RETURN(const auto document, ConfigObject::parse(filled, file));
  return edge::read_stream(document);
}

}  // namespace moru::cli
