// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "core/files.h"
#include "core/text.h"
#include "runtime/backends/backend.h"
#include "runtime/backends/ports.h"

namespace moru::runtime {

const BackendSpec* find_backend(std::string_view name) {
  for (const BackendSpec* backend : all_backends()) {
    if (backend->name == name) return backend;
  }
  return nullptr;
}

Result<std::unique_ptr<Session>> load_session(std::string_view backend, std::string_view onnx, const SessionOptions& options) {
  constexpr int kMaxThreads = 1024;
  const BackendSpec* spec = find_backend(backend);
  if (spec == nullptr) {
    std::vector<std::string> names;
    for (const BackendSpec* known : all_backends()) names.emplace_back(known->name);
    return fail(ErrorCode::kNotFound, fmt::format("backend: found unknown name '{}'{}, expected one of {}", backend,
                                                  did_you_mean(backend, names), fmt::join(names, ", ")));
  }
  if (options.threads < 1 || options.threads > kMaxThreads) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("backend {}: found {} threads, expected 1 to {}", backend, options.threads, kMaxThreads));
  }
  return spec->load(onnx, options);
}

Result<std::vector<model::Tensor>> run_once(Session& session, std::span<const model::Tensor> inputs) {
  std::vector<model::ConstTensorView> input_views;
  for (const auto& input : inputs) input_views.push_back(input.view());
  MORU_ASSIGN_OR_RETURN(auto shapes, PortChecker(session.inputs(), session.outputs()).output_dims(input_views));
  std::vector<model::Tensor> outputs;
  std::vector<model::TensorView> output_views;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    MORU_ASSIGN_OR_RETURN(auto output, model::Tensor::create(session.outputs()[i].dtype, std::move(shapes[i])));
    outputs.push_back(std::move(output));
  }
  for (auto& output : outputs) output_views.push_back(output.mutable_view());
  MORU_RETURN_IF_ERROR(session.run(input_views, output_views));
  return outputs;
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
  return fail(ErrorCode::kUnavailable,
              fmt::format("backend {0}: found no {1} in {2}; get {0} and put {1} into {3}, or name its folder in MORU_BACKEND_PATH",
                          backend, file, fmt::join(looked, ", "), (moru_home() / "backends" / backend).string()));
}

}  // namespace moru::runtime
