// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/stream/verbs.h"
#include "core/files.h"
#include "core/json.h"
#include "edge/streams/drawing.h"

namespace moru::cli {
namespace {

struct Options {
  StreamFile stream;
  std::string svg;
  Format format = Format::kText;
};

Json schema_json(const edge::Schema& schema) {
  Json fields = Json::object();
  for (const auto& field : schema.fields) {
    if (!field.name.is_note()) fields[field.name.text()] = edge::to_string(field);
  }
  Json json = {{"fields", std::move(fields)}, {"open", schema.open}};
  if (schema.rate_hz > 0.0) json["rate_hz"] = schema.rate_hz;
  if (schema.period > 0) json["period_ms"] = static_cast<double>(schema.period) / static_cast<double>(kMillisecond);
  return json;
}

Outcome check(const Options& options) {
  MORU_ASSIGN_OR_RETURN(const auto spec, options.stream.read());
  if (!options.svg.empty()) {
    MORU_ASSIGN_OR_RETURN(const auto svg, edge::draw_stream(spec));
    MORU_RETURN_IF_ERROR(write_file_atomic(options.svg, svg));
  }
  if (options.format == Format::kText) {
    print_text(fmt::format("{}: stream '{}' with {} stages is in order\n", options.stream.file, spec.name, spec.stages.size()));
    return kDone;
  }
  MORU_ASSIGN_OR_RETURN(const auto schemas, edge::bind_stages(spec));
  Json stages = Json::array();
  for (std::size_t i = 0; i < spec.stages.size(); ++i) {
    const auto& entry = spec.stages[i];
    Json outputs = Json::object();
    for (std::size_t port = 0; port < entry.spec->outputs.size() && entry.spec->kind != edge::StageKind::kSink; ++port)
      outputs[std::string(entry.spec->outputs[port])] = schema_json(schemas[i][port]);
    stages.push_back({{"name", entry.name}, {"stage", entry.stage}, {"inputs", entry.inputs}, {"outputs", std::move(outputs)}});
  }
  print_json({{"file", options.stream.file}, {"stream", spec.name}, {"stages", std::move(stages)}});
  return kDone;
}

}  // namespace

void add_stream_check(CLI::App& app, std::function<Outcome()>* run) {
  static Options options;
  CLI::App* command = app.add_subcommand("check", "Find every mistake in a stream file, and draw it");
  options.stream.add_to(*command);
  command->add_option("--svg", options.svg, "Draws the stream into this file");
  add_format_option(*command, &options.format);
  command->footer("Example:\n  moru stream check line.yaml --svg line.svg");
  command->callback([run] { *run = [] { return check(options); }; });
}

}  // namespace moru::cli
