// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "core/files.h"
#include "core/text.h"
#include "model/formats/onnx/onnx.h"
#include "runtime/backends/backend.h"
#include "runtime/backends/converted.h"
#include "runtime/backends/model_bytes.h"
#include "runtime/backends/ports.h"

namespace moru::runtime {

const BackendSpec* find_backend(std::string_view name) {
  for (const BackendSpec* backend : all_backends()) {
    if (backend->name == name) return backend;
  }
  return nullptr;
}

Result<BackendChoice> choose_backend(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  BackendChoice choice{find_backend(name), std::string(colon == text.npos ? "" : text.substr(colon + 1))};
  if (choice.backend != nullptr) return choice;
  std::vector<std::string> names;
  for (const BackendSpec* known : all_backends()) names.emplace_back(known->name);
  return fail(ErrorCode::kNotFound, fmt::format("backend: found unknown name '{}'{}, expected one of {}", name, did_you_mean(name, names),
                                                fmt::join(names, ", ")));
}

namespace {

Status check_settings(const BackendSpec& backend, const SessionOptions& options) {
  constexpr int kMaxThreads = 1024;
  if (options.threads < 1 || options.threads > kMaxThreads) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("found {} threads, expected 1 to {}", options.threads, kMaxThreads));
  }
  std::vector<std::string> names;
  for (const SettingSpec& setting : backend.settings) names.emplace_back(setting.name);
  for (const auto& [name, value] : options.settings) {
    if (std::ranges::find(names, name) != names.end()) continue;
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("found unknown setting '{}'{}, expected {}", name, did_you_mean(name, names),
                            names.empty() ? "none: it has no settings" : fmt::format("one of {}", fmt::join(names, ", "))));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Session>> load_session(std::string_view backend, std::string_view model, const SessionOptions& options) {
  MORU_ASSIGN_OR_RETURN(const BackendChoice choice, choose_backend(backend));
  const std::string where = fmt::format("backend {}", choice.backend->name);
  SessionOptions chosen = options;
  if (!choice.device.empty()) {
    if (!options.device.empty() && options.device != choice.device) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: found the devices '{}' and '{}', expected one", where, choice.device, options.device));
    }
    chosen.device = choice.device;
  }
  MORU_RETURN_IF_ERROR_IN(where, check_settings(*choice.backend, chosen));
  const std::string_view format = format_of_bytes(model);
  // A library would look for the other file in whatever folder the program happens to be in.
  if (format == "onnx") MORU_RETURN_IF_ERROR_IN("load model", model::check_whole_onnx(model));
  if (std::ranges::find(choice.backend->formats, format) != choice.backend->formats.end()) {
    return choice.backend->load({format, model}, chosen);
  }
  const std::string_view wanted = choice.backend->formats.front();
  MORU_ASSIGN_OR_RETURN(ConvertedBytes converted, converted_bytes({format, model}, wanted));
  MORU_ASSIGN_OR_RETURN(auto session, choice.backend->load({wanted, converted.bytes}, chosen));
  return ConvertedModel::create(std::move(session), std::move(converted.inputs), std::move(converted.outputs));
}

Result<std::vector<model::Tensor>> Session::run_once(std::span<const model::Tensor> inputs) {
  std::vector<model::ConstTensorView> input_views;
  for (const auto& input : inputs) input_views.push_back(input.view());
  MORU_ASSIGN_OR_RETURN(auto shapes, PortChecker(this->inputs(), this->outputs()).output_dims(input_views));
  std::vector<model::Tensor> made;
  std::vector<model::TensorView> output_views;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    MORU_ASSIGN_OR_RETURN(auto output, model::Tensor::create(outputs()[i].dtype, std::move(shapes[i])));
    made.push_back(std::move(output));
  }
  for (auto& output : made) output_views.push_back(output.mutable_view());
  MORU_RETURN_IF_ERROR(run(input_views, output_views));
  return made;
}

Result<std::vector<model::Dims>> Session::prepare(std::span<const model::Dims> inputs) {
  return PortChecker(this->inputs(), this->outputs()).output_dims(inputs);
}

Result<std::unique_ptr<Session>> Session::clone() const {
  return fail(ErrorCode::kUnsupported, "clone model: found a backend whose sessions share nothing, expected native; load the model again");
}

Result<std::string> find_backend_library(std::string_view backend, std::string_view file) {
  std::vector<Path> folders;
  if (const char* listed = std::getenv("MORU_BACKEND_PATH"); listed != nullptr) {
    for (const auto folder : split(listed, ':')) {
      if (!folder.empty()) folders.emplace_back(folder);
    }
  }
  folders.push_back(moru_home() / "backends" / backend);
  std::error_code error;
  const Path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) folders.push_back(program.parent_path().parent_path() / "lib" / "moru" / "backends" / backend);
  std::vector<std::string> looked;
  for (const auto& folder : folders) {
    if (std::filesystem::is_regular_file(folder / file, error)) return (folder / file).string();
    looked.push_back(folder.string());
  }
  return fail(
      ErrorCode::kUnavailable,
      fmt::format("backend {0}: found no {1} in {2}; get it with: moru backend install {0}, or name its folder in MORU_BACKEND_PATH",
                  backend, file, fmt::join(looked, ", ")));
}

}  // namespace moru::runtime
