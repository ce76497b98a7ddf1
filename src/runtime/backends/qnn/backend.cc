// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/backend.h"

#include <fmt/format.h>

#include <charconv>

#include "core/text.h"
#include "runtime/backends/onnxruntime/plugin.h"
#include "runtime/backends/onnxruntime/session.h"

namespace moru::runtime {
namespace {

constexpr std::string_view kWhere = "backend qnn";
constexpr const char* kHtp = "libQnnHtp.so";
constexpr const char* kIr = "libQnnIr.so";  // "runs" nothing: it writes what it is given as a .dlc

/// The process's one; never destroyed, as the runtime's library is not.
const Result<ort::Plugin>& plugin() {
  static const Result<ort::Plugin>* instance = new Result<ort::Plugin>([]() -> Result<ort::Plugin> {
    MORU_ASSIGN_OR_RETURN(const auto path, find_backend_library("qnn", "onnxruntime_qnn/libonnxruntime_providers_qnn.so"));
    return ort::register_plugin("qnn", path);
  }());
  return *instance;
}

BackendInfo info() {
  const auto& found = plugin();
  if (!found) return {.available = false, .version = "", .reason = found.error().message};
  return {.available = true,
          .version = found->version,
          .reason = "",
          .devices = {{"htp", "Qualcomm's tensor processor; where there is none, its simulator on the CPU"}}};
}

struct Dim {
  std::string name;
  std::int64_t extent = 0;
};
struct Settings {
  std::string context;
  std::string dlc;
  bool fallback = false;
  std::vector<Dim> dims;
  ort::Options provider;
};

Result<std::int64_t> number(std::string_view name, std::string_view text, std::int64_t least) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value >= least) return value;
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("{}: found {} as '{}', expected a number of at least {}", kWhere, in_quotes(text), name, least));
}

Result<std::vector<Dim>> read_dims(std::string_view text) {
  std::vector<Dim> dims;
  for (const auto part : split(text, ',')) {
    const auto equals = part.find('=');
    if (equals == 0 || equals == part.npos)
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {} in 'dims', expected NAME=EXTENT", kWhere, in_quotes(part)));
    MORU_ASSIGN_OR_RETURN(const std::int64_t extent, number("dims", part.substr(equals + 1), 1));
    dims.push_back({std::string(part.substr(0, equals)), extent});
  }
  return dims;
}

Status read_setting(std::string_view name, const std::string& value, Settings* settings) {
  if (name == "context" || name == "dlc") {
    const std::string_view ending = name == "context" ? ".onnx" : ".dlc";
    if (!value.ends_with(ending))
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: found {} as '{}', expected a file name that ends with {}", kWhere, in_quotes(value), name, ending));
    (name == "context" ? settings->context : settings->dlc) = value;
  } else if (name == "fallback") {
    if (value != "yes" && value != "no")
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {} as 'fallback', expected yes or no", kWhere, in_quotes(value)));
    settings->fallback = value == "yes";
  } else if (name == "dims") {
    MORU_ASSIGN_OR_RETURN(settings->dims, read_dims(value));
  } else {  // soc_model, htp_arch: Qualcomm's own names and numbers
    MORU_RETURN_IF_ERROR(number(name, value, 0));
    settings->provider.emplace_back(name, value);
  }
  return {};
}

Result<Settings> read_settings(const SessionOptions& options) {
  if (!options.device.empty() && options.device != "htp")
    return fail(ErrorCode::kUnavailable, fmt::format("{}: found no device '{}', expected htp", kWhere, options.device));
  Settings settings;
  for (const auto& [name, value] : options.settings) MORU_RETURN_IF_ERROR(read_setting(name, value, &settings));
  return settings;
}

/// One load of the model; `more` goes to the provider, `config` to the session.
Result<std::unique_ptr<Session>> open(std::string_view onnx, const SessionOptions& options, const Settings& settings,
                                      const ort::Options& more, const ort::Options& config) {
  const ort::Plugin& qnn = *plugin();
  const OrtApi& api = *qnn.runtime->api;
  const auto ok = [&](OrtStatus* status) { return ort::take(api, status, kWhere, ErrorCode::kInvalidArgument); };
  return ort::OrtModel::load(*qnn.runtime, onnx, options, [&](OrtSessionOptions* raw) -> Status {
    for (const Dim& dim : settings.dims) MORU_RETURN_IF_ERROR(ok(api.AddFreeDimensionOverrideByName(raw, dim.name.c_str(), dim.extent)));
    for (const auto& [key, value] : config) MORU_RETURN_IF_ERROR(ok(api.AddSessionConfigEntry(raw, key.c_str(), value.c_str())));
    if (!settings.fallback) MORU_RETURN_IF_ERROR(ok(api.AddSessionConfigEntry(raw, "session.disable_cpu_ep_fallback", "1")));
    ort::Options all = settings.provider;
    all.emplace_back("backend_path", (qnn.folder / kHtp).string());
    all.insert(all.end(), more.begin(), more.end());
    return ort::add_plugin(qnn, all, raw);
  });
}

/// The files of that ending which a load has left in `folder`.
std::vector<Path> files_in(const Path& folder, std::string_view ending) {
  std::vector<Path> files;
  std::error_code error;
  for (auto it = std::filesystem::directory_iterator(folder, error); !error && it != std::filesystem::directory_iterator();
       it.increment(error)) {
    if (it->path().filename().string().ends_with(ending)) files.push_back(it->path());
  }
  return files;
}

Status move_file(const Path& from, const Path& to) {
  constexpr std::uint64_t kMaxBytes = std::uint64_t{4} << 30U;
  MORU_ASSIGN_OR_RETURN(const std::string bytes, read_file(from, kMaxBytes));
  return write_file_atomic(to, bytes);
}

Status write_dlc(std::string_view onnx, const SessionOptions& options, const Settings& settings) {
  MORU_ASSIGN_OR_RETURN(const TempFolder folder, TempFolder::create("moru-dlc"));
  const std::string ir = (plugin()->folder / kIr).string();
  const ort::Options more = {{"dump_qnn_ir_dlc", "1"}, {"dump_qnn_ir_dlc_dir", folder.path().string()}, {"qnn_ir_backend_path", ir}};
  MORU_RETURN_IF_ERROR(open(onnx, options, settings, more, {}));
  const auto files = files_in(folder.path(), ".dlc");
  if (files.size() == 1) return move_file(files[0], settings.dlc);
  return fail(ErrorCode::kUnsupported,
              fmt::format("{}: found {} parts of the graph for the accelerator, expected the whole as one, which is "
                          "what a .dlc holds; see moru model partition",
                          kWhere, files.size()));
}

/// The binary for the device lies beside an ONNX file whose nodes refer to it. Both are made elsewhere first: the provider writes over
/// nothing, and what is cut short must not look whole.
Result<std::unique_ptr<Session>> open_and_keep(std::string_view onnx, const SessionOptions& options, const Settings& settings) {
  MORU_ASSIGN_OR_RETURN(const TempFolder folder, TempFolder::create("moru-context"));
  const Path target = settings.context;
  const Path made = folder.path() / target.filename();
  MORU_ASSIGN_OR_RETURN(auto session,
                        open(onnx, options, settings, {},
                             {{"ep.context_enable", "1"}, {"ep.context_embed_mode", "0"}, {"ep.context_file_path", made.string()}}));
  const auto binaries = files_in(folder.path(), ".bin");
  if (binaries.empty())
    return fail(ErrorCode::kUnsupported, fmt::format("{}: found no part of the graph for the accelerator, expected one", kWhere));
  for (const Path& file : binaries) MORU_RETURN_IF_ERROR(move_file(file, target.parent_path() / file.filename()));
  MORU_RETURN_IF_ERROR(move_file(made, target));
  return session;
}

Result<std::unique_ptr<Session>> load(const ModelBytes& model, const SessionOptions& options) {
  const auto& found = plugin();
  if (!found) return fail(found.error());
  MORU_ASSIGN_OR_RETURN(const Settings settings, read_settings(options));
  // What a .dlc was written from cannot be run: it is a load of its own.
  if (!settings.dlc.empty()) MORU_RETURN_IF_ERROR(write_dlc(model.bytes, options, settings));
  if (!settings.context.empty()) return open_and_keep(model.bytes, options, settings);
  return open(model.bytes, options, settings, {}, {});
}

constexpr std::string_view kFormats[] = {"onnx"};
constexpr SettingSpec kSettings[] = {
    {.name = "context", .doc = "FILE.onnx: writes what the device loads, a binary beside it; without it nothing is written"},
    {.name = "dlc", .doc = "FILE.dlc: writes the graph for Qualcomm's own tools; without it nothing is written"},
    {.name = "dims", .doc = "NAME=EXTENT,...: binds symbolic extents, as the accelerator wants them fixed; without it they stay open"},
    {.name = "fallback", .doc = "yes: ops that the accelerator cannot run stay on the CPU; without it they are an error"},
    {.name = "soc_model", .doc = "Qualcomm's number of the chip that 'context' is for; without it the one at hand, or the simulator"},
    {.name = "htp_arch", .doc = "version of that chip's tensor processor (68, 73, 75, ...); without it that of the chip"},
};
constexpr PackageFile kFiles[] = {
    {"onnxruntime_qnn/libonnxruntime_providers_qnn.so", "onnxruntime_qnn/libonnxruntime_providers_qnn.so"},
    {"onnxruntime_qnn/libQnnHtp.so", "onnxruntime_qnn/libQnnHtp.so"},
    {"onnxruntime_qnn/libQnnIr.so", "onnxruntime_qnn/libQnnIr.so"},
    {"onnxruntime_qnn/libQnnSystem.so", "onnxruntime_qnn/libQnnSystem.so"},
    {"onnxruntime_qnn.libs/libc++-71bc274c.so.1.0", "onnxruntime_qnn.libs/libc++-71bc274c.so.1.0"},
    {"onnxruntime_qnn.libs/libc++abi-0539aa51.so.1.0", "onnxruntime_qnn.libs/libc++abi-0539aa51.so.1.0"},
    {"onnxruntime_qnn.libs/libunwind-6b740a46.so.1.0", "onnxruntime_qnn.libs/libunwind-6b740a46.so.1.0"},
};
constexpr PackageSpec kPackages[] = {{.client = "pip",
                                      .name = "onnxruntime-qnn",
                                      .version = "2.7.0",
                                      .tag = "cp311-cp311-manylinux_2_35_x86_64",
                                      .sha256 = "c56c01562b8534fe8980cfea4601408d950c065f8251fb862ce82101c52c9849",
                                      .files = kFiles,
                                      .size_bytes = 98578793}};

}  // namespace

extern const BackendSpec kBackend_qnn;
const BackendSpec kBackend_qnn{
    .name = "qnn",
    .doc = "Qualcomm's tensor processor through ONNX Runtime, or its simulator; writes context binaries and .dlc files",
    .formats = kFormats,
    .settings = kSettings,
    .packages = kPackages,
    .info = info,
    .load = load,
};

}  // namespace moru::runtime
