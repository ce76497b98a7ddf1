// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <map>

#include "cli/stream/verbs.h"
#include "core/files.h"
#include "core/log.h"
#include "core/text.h"

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

std::string StreamFileWatch::stamp() const {
  struct ::stat file{};
  if (::stat(file_.file.c_str(), &file) != 0) return "none";
  return fmt::format("{} {} {} {}.{}", file.st_dev, file.st_ino, file.st_size, file.st_mtim.tv_sec, file.st_mtim.tv_nsec);
}

std::optional<edge::StreamSpec> StreamFileWatch::changed(std::string_view name) {
  const std::string now = stamp();
  if (now == seen_) return std::nullopt;
  seen_ = now;
  auto spec = file_.read();
  if (spec && spec->name != name) {
    spec =
        fail(ErrorCode::kInvalidArgument, fmt::format("{}: found a stream of the name {}, expected {}; another stream is started by itself",
                                                      file_.file, in_quotes(spec->name), in_quotes(name)));
  }
  if (spec) return std::move(*spec);
  MORU_LOG(kError, "stream goes on as before, its file has mistakes", "stream", name, "error", spec.error().message);
  return std::nullopt;
}

}  // namespace moru::cli
