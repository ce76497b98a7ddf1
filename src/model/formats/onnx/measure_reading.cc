// SPDX-License-Identifier: Apache-2.0
// How long reading a large model takes, and how much memory: `measure_reading make FILE MEGABYTES` writes one with seeded
// weights, `measure_reading read FILE` reads it and prints JSON. For scripts/measure_models.
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <string_view>

#include "core/random.h"
#include "model/formats/onnx/onnx.h"

namespace {

using namespace moru;

constexpr std::int64_t kLayerBytes = 4'000'000;

/// Layers of 1000 x 1000 weights, one after the other.
Result<model::Graph> large_model(std::int64_t megabytes) {
  Rng rng(1);
  model::Graph graph;
  graph.name = "large";
  graph.opset = 22;
  graph.inputs = {graph.add_value("x", {.dtype = model::DType::kFloat32, .shape = model::SymbolicShape{{-1, "N"}, {1000, ""}}})};
  model::ValueId last = graph.inputs[0];
  for (std::int64_t i = 0; i * kLayerBytes < megabytes * 1'000'000; ++i) {
    MORU_ASSIGN_OR_RETURN(model::Tensor weights, model::Tensor::create(model::DType::kFloat32, {1000, 1000}));
    for (float& weight : weights.mutable_data<float>()) weight = static_cast<float>(rng.uniform() - 0.5);
    model::Node node;
    node.op = "MatMul";
    node.name = fmt::format("layer{}", i);
    node.inputs = {last, graph.add_initializer(fmt::format("w{}", i), std::move(weights))};
    last = graph.add_value(fmt::format("y{}", i));
    node.outputs = {last};
    graph.nodes().push_back(std::move(node));
  }
  graph.outputs = {last};
  return graph;
}

/// A line of /proc/self/status, in bytes: VmHWM (the most that was resident), RssFile (pages of mapped files).
Result<std::int64_t> status_bytes(std::string_view key) {
  MORU_ASSIGN_OR_RETURN(const std::string status, read_file("/proc/self/status"));
  const std::size_t at = status.find(key);
  if (at == std::string::npos) return fail(ErrorCode::kUnsupported, fmt::format("/proc/self/status: found no {}, expected it", key));
  const std::size_t digits = status.find_first_of("0123456789", at + key.size());
  std::int64_t kilobytes = 0;
  std::from_chars(status.data() + digits, status.data() + status.size(), kilobytes);
  return kilobytes * 1024;
}

/// The most memory so far that is not a mapped file's. Files are not unmapped while a model is read.
Result<std::int64_t> own_memory() {
  MORU_ASSIGN_OR_RETURN(const std::int64_t peak, status_bytes("VmHWM:"));
  MORU_ASSIGN_OR_RETURN(const std::int64_t files, status_bytes("RssFile:"));
  return peak - files;
}

Status make(const Path& path, std::string_view megabytes) {
  std::int64_t size = 0;
  if (std::from_chars(megabytes.data(), megabytes.data() + megabytes.size(), size).ec != std::errc{} || size < 1)
    return fail(ErrorCode::kInvalidArgument, fmt::format("size: found {}, expected megabytes", megabytes));
  MORU_ASSIGN_OR_RETURN(const model::Graph graph, large_model(size));
  return model::save_onnx(graph, path);
}

/// The memory is what the process grew by, and all of the mapped file, whether its pages were touched or not.
Status read(const Path& path) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t before, own_memory());
  const auto start = std::chrono::steady_clock::now();
  MORU_ASSIGN_OR_RETURN(const model::Graph graph, model::load_onnx(path));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  MORU_ASSIGN_OR_RETURN(const std::int64_t after, own_memory());
  const auto size = static_cast<std::int64_t>(std::filesystem::file_size(path));
  fmt::print("{{\"file_bytes\": {}, \"seconds\": {:.4f}, \"memory_bytes\": {}, \"nodes\": {}}}\n", size, seconds.count(),
             size + after - before, graph.nodes().size());
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view verb = argc > 1 ? argv[1] : "";
  Status status = fail(ErrorCode::kInvalidArgument, "usage: measure_reading make FILE MEGABYTES | read FILE");
  if (verb == "make" && argc == 4) status = make(argv[2], argv[3]);
  if (verb == "read" && argc == 3) status = read(argv[2]);
  if (status) return 0;
  fmt::print(stderr, "{}\n", status.error().message);
  return 1;
}
