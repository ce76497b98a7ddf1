// SPDX-License-Identifier: Apache-2.0
#include "runtime/worker/requests.h"

#include <fmt/format.h>

#include "core/json.h"
#include "core/text.h"

namespace moru::runtime {
namespace {

constexpr std::string_view kAnswer = "answer";
constexpr std::string_view kRequest = "request";

/// A field that is an array of strings, or an object of them, of which `take` gets each.
template <class Take>
Status each_field(const Json& object, std::string_view key, std::string_view where, const Take& take) {
  MORU_ASSIGN_OR_RETURN(const Json list, json_field<Json>(object, key, where));
  if (!list.is_structured()) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {} in '{}', expected a list", where, list.type_name(), key));
  }
  for (const auto& item : list.items()) MORU_RETURN_IF_ERROR(take(item.key(), item.value()));
  return {};
}

Result<std::string> text_of(const Json& value, std::string_view where) {
  if (value.is_string()) return value.get<std::string>();
  return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {}, expected text", where, value.type_name()));
}

Result<std::vector<std::string>> texts(const Json& object, std::string_view key) {
  std::vector<std::string> all;
  MORU_RETURN_IF_ERROR(each_field(object, key, kAnswer, [&](const std::string&, const Json& value) -> Status {
    MORU_ASSIGN_OR_RETURN(auto text, text_of(value, key));
    all.push_back(std::move(text));
    return {};
  }));
  return all;
}

}  // namespace

Json to_json(const BackendInfo& info) {
  Json devices = Json::array();
  for (const Device& device : info.devices) devices.push_back({{"name", device.name}, {"doc", device.doc}});
  return {{"available", info.available}, {"version", info.version}, {"reason", info.reason}, {"devices", std::move(devices)}};
}

Result<BackendInfo> read_info(const Json& answer) {
  BackendInfo info;
  MORU_ASSIGN_OR_RETURN(info.available, json_field<bool>(answer, "available", kAnswer));
  MORU_ASSIGN_OR_RETURN(info.version, json_field<std::string>(answer, "version", kAnswer));
  MORU_ASSIGN_OR_RETURN(info.reason, json_field<std::string>(answer, "reason", kAnswer));
  MORU_RETURN_IF_ERROR(each_field(answer, "devices", kAnswer, [&](const std::string&, const Json& value) -> Status {
    Device device;
    MORU_ASSIGN_OR_RETURN(device.name, json_field<std::string>(value, "name", "device"));
    MORU_ASSIGN_OR_RETURN(device.doc, json_field<std::string>(value, "doc", "device"));
    info.devices.push_back(std::move(device));
    return {};
  }));
  return info;
}

Json to_json(std::string_view name, const LoadRequest& request) {
  return {{"do", name},
          {"backend", request.backend},
          {"threads", request.threads},
          {"settings", request.settings},
          {"model", request.model.string()},
          {"dims", request.dims.named},
          {"batch", request.dims.others},
          {"seed", request.seed}};
}

Result<LoadRequest> read_load(const Json& request) {
  LoadRequest load;
  MORU_ASSIGN_OR_RETURN(load.backend, json_field<std::string>(request, "backend", kRequest));
  MORU_ASSIGN_OR_RETURN(load.threads, json_field<int>(request, "threads", kRequest));
  MORU_ASSIGN_OR_RETURN(load.model, json_field<std::string>(request, "model", kRequest));
  MORU_ASSIGN_OR_RETURN(load.dims.others, json_field<std::int64_t>(request, "batch", kRequest));
  MORU_ASSIGN_OR_RETURN(load.seed, json_field<std::uint64_t>(request, "seed", kRequest));
  MORU_RETURN_IF_ERROR(each_field(request, "settings", kRequest, [&](const std::string& name, const Json& value) -> Status {
    MORU_ASSIGN_OR_RETURN(load.settings[name], text_of(value, name));
    return {};
  }));
  MORU_RETURN_IF_ERROR(each_field(request, "dims", kRequest, [&](const std::string& name, const Json&) -> Status {
    MORU_ASSIGN_OR_RETURN(load.dims.named[name], json_field<std::int64_t>(request["dims"], name, kRequest));
    return {};
  }));
  return load;
}

Json to_json(const Loaded& loaded) {
  return {{"load_ms", loaded.load_ms}, {"device", loaded.device}, {"inputs", loaded.inputs}, {"outputs", loaded.outputs}};
}

Result<Loaded> read_loaded(const Json& answer) {
  Loaded loaded;
  MORU_ASSIGN_OR_RETURN(loaded.load_ms, json_field<double>(answer, "load_ms", kAnswer));
  MORU_ASSIGN_OR_RETURN(loaded.device, json_field<std::string>(answer, "device", kAnswer));
  MORU_ASSIGN_OR_RETURN(loaded.inputs, texts(answer, "inputs"));
  MORU_ASSIGN_OR_RETURN(loaded.outputs, texts(answer, "outputs"));
  return loaded;
}

Json to_json(std::string_view name, const RunRequest& request) {
  return {{"do", name}, {"max_ns", request.max_time}, {"max_runs", request.max_runs}};
}

Result<RunRequest> read_run(const Json& request) {
  RunRequest run;
  MORU_ASSIGN_OR_RETURN(run.max_time, json_field<TimeNs>(request, "max_ns", kRequest));
  MORU_ASSIGN_OR_RETURN(run.max_runs, json_field<std::int64_t>(request, "max_runs", kRequest));
  return run;
}

Json to_json(std::string_view backend, const CaseRequest& request) {
  const CaseOptions& options = request.options;
  return {{"do", "case"},
          {"backend", backend},
          {"folder", request.folder.string()},
          {"threads", options.threads},
          {"max_memory_bytes", options.max_memory_bytes},
          {"relative", options.tolerance.relative},
          {"absolute", options.tolerance.absolute}};
}

Result<CaseRequest> read_case(const Json& request) {
  CaseRequest read;
  MORU_ASSIGN_OR_RETURN(read.folder, json_field<std::string>(request, "folder", kRequest));
  MORU_ASSIGN_OR_RETURN(read.options.threads, json_field<int>(request, "threads", kRequest));
  MORU_ASSIGN_OR_RETURN(read.options.max_memory_bytes, json_field<std::uint64_t>(request, "max_memory_bytes", kRequest));
  MORU_ASSIGN_OR_RETURN(read.options.tolerance.relative, json_field<double>(request, "relative", kRequest));
  MORU_ASSIGN_OR_RETURN(read.options.tolerance.absolute, json_field<double>(request, "absolute", kRequest));
  return read;
}

Json to_json(const CaseResult& result) { return {{"result", to_string(result.verdict)}, {"reason", result.reason}}; }

Result<CaseResult> read_case_result(const Json& answer) {
  CaseResult result;
  MORU_ASSIGN_OR_RETURN(result.reason, json_field<std::string>(answer, "reason", kAnswer));
  MORU_ASSIGN_OR_RETURN(const auto name, json_field<std::string>(answer, "result", kAnswer));
  for (const Verdict verdict : {Verdict::kPass, Verdict::kFail, Verdict::kUnsupported}) {
    if (to_string(verdict) != name) continue;
    result.verdict = verdict;
    return result;
  }
  return fail(ErrorCode::kInternal, fmt::format("{}: found result {}, expected pass, fail or unsupported", kAnswer, in_quotes(name)));
}

Json to_json(const WorkerMemory& memory) { return {{"idle_bytes", memory.idle_bytes}, {"peak_bytes", memory.peak_bytes}}; }

Result<WorkerMemory> read_worker_memory(const Json& answer) {
  WorkerMemory memory;
  MORU_ASSIGN_OR_RETURN(memory.idle_bytes, json_field<std::uint64_t>(answer, "idle_bytes", kAnswer));
  MORU_ASSIGN_OR_RETURN(memory.peak_bytes, json_field<std::uint64_t>(answer, "peak_bytes", kAnswer));
  return memory;
}

}  // namespace moru::runtime
