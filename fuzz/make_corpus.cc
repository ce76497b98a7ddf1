// SPDX-License-Identifier: Apache-2.0
// Writes the seeds of the fuzzers' corpora: make_corpus FOLDER makes FOLDER/onnx, tflite, text, bundle and engine. The same each time.
// Files beside these seeds are findings; they stay.
#include <fmt/format.h>

#include <cstdio>

#include "core/random.h"
#include "edge/streams/stage.h"
#include "model/formats/bundle/bundle.h"
#include "model/formats/bundle/model_card.h"
#include "model/formats/onnx/onnx.h"
#include "model/formats/tflite/tflite.h"
#include "model/graph/text.h"
#include "model/ops/op.h"
#include "model/ops/verify.h"
#include "model/ops/versions.h"
#include "tests/support/tflite_bytes.h"

namespace {

using namespace moru;

/// A seed is small, so that the fuzzer tries many a second.
constexpr std::size_t kMaxSeedBytes = 4096;

constexpr std::string_view kQuantisedNet = R"(graph "quantised" {
  opset 13
  meta "producer" = "moru"
  input x: float32[N, 1, 4, 4]
  init w = int8[2, 1, 3, 3] {1, 2, 3, 4, 5, 6, 7, 8, 9, -1, -2, -3, -4, -5, -6, -7, -8, -9}
  init scale = float32[] {0.05}
  init scales = float32[2] {0.01, 0.02}
  init zero = int8[] {3}
  init zeros = int8[2] {0, 0}
  init b = float32[2] {0.5, -0.5}
  init g = float32[3, 8] {0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7}
  xq = QuantizeLinear(x, scale, zero)
  xd = DequantizeLinear(xq, scale, zero)
  wd = DequantizeLinear(w, scales, zeros) {axis = 0}
  y = Conv(xd, wd, b) {kernel_shape = [3, 3], pads = [0, 0, 0, 0]} as conv1
  r = Relu(y)
  f = Flatten(r)
  z = Gemm(f, g) {transB = 1}
  p = Softmax(z)
  output p
})";

constexpr std::string_view kBodies = R"(graph "bodies" {
  opset 22
  opset "com.example" 2
  input c: bool[]
  input x: float32[2]
  init w = float16[2] {1, 2}
  init names = string[2] {"a", ""}
  init small = int4[3] {-8, 7, 0}
  v = Cast(w) {to = 1}
  y = If(c) {else_branch = graph "else" (x, v) {
    opset 22
    input x: float32[2]
    input v: float32[2]
    a = Add(x, v)
    output a
  }, then_branch = graph "then" (c, x) {
    opset 22
    input c: bool[]
    input x: float32[2]
    b = If(c) {else_branch = graph "" (x) {
      opset 22
      input x: float32[2]
      d = Neg(x)
      output d
    }, then_branch = graph "" (x) {
      opset 22
      input x: float32[2]
      e = Relu(x)
      output e
    }}
    output b
  }}
  z = com.example::Other(y, names, small) {level = 3}
  output y
  output z
})";

constexpr std::string_view kEveryWord = R"(graph "tiny \"net\"" {
  opset 22
  meta "labels" = "a\nb\t\x01"
  input x: float32[N, 1, 28, ?]
  input "odd::name": int8[*] quant {scales = [0.5, 1e-05], zero_points = [-3, 0], axis = 1}
  init w = float32[2] {0.1, nan(0x7fc00001)}
  init h = bfloat16[1] {-inf}
  init c = complex64[1] {(1, -0.5)}
  init f = float8e4m3fn[2] {448, nan}
  y: ?[3], _ = other::Op(x, _) {a = 1.0, b = "s", c = [1, 2], d = [0.5], e = ["p"], f = ints[], g = int8[1] {-1}} as "as"
  output y
})";

Status write_seed(const Path& folder, const std::string& name, std::string_view bytes) {
  if (bytes.size() > kMaxSeedBytes)
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {} bytes, expected at most {}", name, bytes.size(), kMaxSeedBytes));
  return write_file_atomic(folder / name, bytes);
}

Result<std::string> onnx_of(std::string_view text) {
  MORU_ASSIGN_OR_RETURN(model::Graph graph, model::parse_text(text));
  MORU_RETURN_IF_ERROR(model::infer_shapes(graph));
  // The newest opset has every op.
  return model::write_onnx(graph, {.opset = model::kNewestOpset});
}

Result<std::string> tflite_of(std::string_view text) {
  MORU_ASSIGN_OR_RETURN(model::Graph graph, model::parse_text(text));
  MORU_RETURN_IF_ERROR(model::infer_shapes(graph));
  return model::write_tflite(graph);
}

constexpr std::string_view kZeroPoints = R"(graph "zero points" {
  init q: int8[2] quant {scales = [0.5, 0.25], zero_points = [1, 0], axis = 0} = int8[2] {1, 2}
  y: float32[2] = tflite::DEQUANTIZE(q)
  output y
})";

constexpr std::string_view kTfliteNet = R"(graph "tflite" {
  opset 13
  meta "tflite.description" = "a seed"
  meta "min_runtime_version" = "1.5.0"
  meta "tflite.signature:serving_default" = "{\"inputs\":[[\"image\",0]],\"outputs\":[[\"scores\",0]]}"
  input image: int8[?, 4, 4, 1] quant {scales = [0.5], zero_points = [-3], axis = 0}
  init w: int8[2, 3, 3, 1] quant {scales = [0.25, 0.125], zero_points = [0, 0], axis = 0} = int8[2, 3, 3, 1] {
    1, 2, 3, 4, 5, 6, 7, 8, 9, -1, -2, -3, -4, -5, -6, -7, -8, -9}
  init b: int32[2] quant {scales = [0.125, 0.0625], zero_points = [0, 0], axis = 0} = int32[2] {10, -10}
  state: float32[1, 2, 2, 2] = tflite::VARIABLE()
  y: int8[?, 2, 2, 2] quant {scales = [1.0], zero_points = [0], axis = 0} = tflite::CONV_2D(image, w, b) {padding = "VALID", stride_h = 1, stride_w = 1}
  f: float32[?, 2, 2, 2] = tflite::DEQUANTIZE(y)
  s: float32[?, 2, 2, 2] = tflite::ADD(f, state)
  r: float32[?, 2, 2, 2] = tflite::WHILE(s) {body_subgraph = graph "body" {
    opset 13
    input a: float32[?, 2, 2, 2]
    c: float32[?, 2, 2, 2] = tflite::NEG(a)
    output c
  }, cond_subgraph = graph "cond" {
    opset 13
    input d: float32[?, 2, 2, 2]
    init no = bool[] {false}
    output no
  }}
  z: float32[?, 2] = tflite.custom::MyPool(r, _) {custom_options = "\x01\x02ab"}
  output z
})";

Status write_tflite_seeds(const Path& folder) {
  MORU_RETURN_IF_ERROR(make_folders(folder));
  for (const model::OpSpec* op : model::all_ops()) {
    if (op->domain != "tflite") continue;
    for (std::size_t i = 0; i < op->examples.size(); ++i) {
      const auto name = fmt::format("op_{}_{}", op->name, i);
      MORU_ASSIGN_OR_RETURN_IN(name, const std::string bytes, tflite_of(op->examples[i].graph));
      MORU_RETURN_IF_ERROR(write_seed(folder, name, bytes));
    }
  }
  MORU_ASSIGN_OR_RETURN_IN("net_quantised", const std::string net, tflite_of(kTfliteNet));
  MORU_RETURN_IF_ERROR(write_seed(folder, "net_quantised", net));
  // Bad ones: nothing, cut short, a size that lies.
  MORU_RETURN_IF_ERROR(write_seed(folder, "bad_empty", ""));
  MORU_RETURN_IF_ERROR(write_seed(folder, "bad_cut_short", std::string_view(net).substr(0, net.size() / 2)));
  std::string changed = net;
  changed.replace(net.size() / 3, 4, "\xff\xff\xff\x7f");
  MORU_RETURN_IF_ERROR(write_seed(folder, "bad_length", changed));
  MORU_ASSIGN_OR_RETURN_IN("not_aligned", std::string not_aligned, tflite_of(kZeroPoints));
  MORU_CHECK(model::misalign_zero_points(not_aligned, "q"));
  return write_seed(folder, "not_aligned", not_aligned);
}

Status write_onnx_seeds(const Path& folder) {
  MORU_RETURN_IF_ERROR(make_folders(folder));
  for (const model::OpSpec* op : model::all_ops()) {
    if (!op->domain.empty()) continue;
    for (std::size_t i = 0; i < op->examples.size(); ++i) {
      const auto name = fmt::format("op_{}_{}", op->name, i);
      MORU_ASSIGN_OR_RETURN_IN(name, const std::string bytes, onnx_of(op->examples[i].graph));
      MORU_RETURN_IF_ERROR(write_seed(folder, name, bytes));
    }
  }
  MORU_ASSIGN_OR_RETURN_IN("net_quantised", const std::string net, onnx_of(kQuantisedNet));
  MORU_RETURN_IF_ERROR(write_seed(folder, "net_quantised", net));
  MORU_ASSIGN_OR_RETURN_IN("net_bodies", const std::string bodies, onnx_of(kBodies));
  MORU_RETURN_IF_ERROR(write_seed(folder, "net_bodies", bodies));
  // Bad ones: nothing, cut short, a wrong version, a size that lies.
  MORU_RETURN_IF_ERROR(write_seed(folder, "bad_empty", ""));
  MORU_RETURN_IF_ERROR(write_seed(folder, "bad_cut_short", std::string_view(net).substr(0, net.size() / 2)));
  std::string changed = net;
  changed[1] = 99;  // the IR version is the first field
  MORU_RETURN_IF_ERROR(write_seed(folder, "bad_ir_version", changed));
  changed = net;
  changed.replace(net.size() / 3, 4, "\xff\xff\xff\x7f");
  return write_seed(folder, "bad_length", changed);
}

Status write_text_seeds(const Path& folder) {
  MORU_RETURN_IF_ERROR(make_folders(folder));
  MORU_RETURN_IF_ERROR(write_seed(folder, "net_quantised", kQuantisedNet));
  MORU_RETURN_IF_ERROR(write_seed(folder, "net_bodies", kBodies));
  MORU_RETURN_IF_ERROR(write_seed(folder, "every_word", kEveryWord));
  MORU_RETURN_IF_ERROR(write_seed(folder, "bad_cut_short", kBodies.substr(0, kBodies.size() / 2)));
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "graph \"g\" { y = If() {a = ";
  return write_seed(folder, "bad_deep", deep);
}

Status write_bundle_seeds(const Path& folder) {
  MORU_RETURN_IF_ERROR(make_folders(folder));
  const model::Signer sign = [](std::string_view) -> Result<std::string> { return std::string(64, 's'); };
  model::ModelCard card;
  card.name = "line";
  card.task = "image classification";
  card.inputs = {{"x", "float32", {{-1, "N"}, {1, ""}, {4, ""}, {-1, ""}}}};
  card.outputs = {{"p", "float32", {{-1, "N"}, {3, ""}}}};
  card.labels = {"shirt", "bag", "boot"};
  card.activation = "softmax";
  card.figures = {{"top1_int8", 0.915}};
  card.provenance = {{"seed", "1"}};
  model::BundleHeader header;
  header.name = "line";
  header.version = 1;
  header.created = "2026-11-23T10:00:00Z";
  header.card = model::write_card(card);
  header.files = {{.name = "model.onnx", .target = "any", .format = "onnx"}, {.name = "empty", .target = "aarch64", .format = "onnx"}};
  MORU_ASSIGN_OR_RETURN(const std::string bytes, model::write_bundle(header, {"not a model", ""}, sign));
  MORU_RETURN_IF_ERROR(write_seed(folder, "two_files", bytes));
  MORU_RETURN_IF_ERROR(write_seed(folder, "bad_cut_short", std::string_view(bytes).substr(0, bytes.size() - 1)));
  MORU_RETURN_IF_ERROR(write_seed(folder, "bad_magic", "MORUBDL9" + bytes.substr(8)));
  std::string huge = bytes;
  huge[11] = '\x7f';  // the highest byte of the header's size
  return write_seed(folder, "bad_header_size", huge);
}

/// The example of each stage, and what is wrong in ways of its own.
Status write_config_seeds(const Path& folder) {
  MORU_RETURN_IF_ERROR(make_folders(folder));
  for (const edge::StageSpec* const stage : edge::all_stages())
    MORU_RETURN_IF_ERROR(write_seed(folder, std::string(stage->name), stage->example));
  MORU_RETURN_IF_ERROR(write_seed(folder, "bad_cycle", R"(kind: Stream
metadata: {name: ${name}}
spec: {stages: [{name: a, stage: filter, inputs: [b], options: {where: x > ${rate}}}, {name: b, stage: filter, inputs: [a], options: {where: x}}]}
)"));
  MORU_RETURN_IF_ERROR(write_seed(folder, "bad_aliases", "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n"));
  return write_seed(folder, "bad_depth", std::string(40, '['));
}

/// Of each kind of network some, by choices that are many enough for any; and one of each that its seed alone chooses.
Status write_engine_seeds(const Path& folder) {
  constexpr int kKinds = 5;
  constexpr int kEach = 4;
  constexpr int kChoices = 96;
  MORU_RETURN_IF_ERROR(make_folders(folder));
  for (int kind = 0; kind < kKinds; ++kind) {
    for (int i = 0; i < kEach; ++i) {
      Rng rng(static_cast<std::uint64_t>(kind * kEach + i));
      std::string bytes = {static_cast<char>(kind), static_cast<char>(i)};
      for (int choice = 0; choice < kChoices && i > 0; ++choice) bytes += static_cast<char>(rng.below(256));
      MORU_RETURN_IF_ERROR(write_seed(folder, fmt::format("kind_{}_{}", kind, i), bytes));
    }
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_corpus FOLDER\n");
    return 2;
  }
  Status status = write_onnx_seeds(Path(argv[1]) / "onnx");
  if (status) status = write_text_seeds(Path(argv[1]) / "text");
  if (status) status = write_tflite_seeds(Path(argv[1]) / "tflite");
  if (status) status = write_bundle_seeds(Path(argv[1]) / "bundle");
  if (status) status = write_config_seeds(Path(argv[1]) / "config");
  if (status) status = write_engine_seeds(Path(argv[1]) / "engine");
  if (status) return 0;
  std::fprintf(stderr, "make_corpus: %s\n", status.error().message.c_str());
  return 1;
}
