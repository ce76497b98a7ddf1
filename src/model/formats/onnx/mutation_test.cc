// SPDX-License-Identifier: Apache-2.0
// Models changed at random: each is read, or refused with a message; none ends the process, hangs, or takes more memory than allowed.
//
// How many: tests/support/mutations.h. MORU_TEST_DATA adds the models of its folder models/.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "core/files.h"
#include "core/random.h"
#include "model/formats/onnx/convert.h"
#include "model/formats/onnx/onnx.h"
#include "model/formats/onnx/skeleton.h"
#include "model/graph/text.h"
#include "model/ops/op.h"
#include "tests/support/mutations.h"

namespace moru::model {
namespace {

using onnx::pb::GraphProto;
using onnx::pb::ModelProto;

constexpr std::uint64_t kMaxMemory = std::uint64_t{256} << 20U;

constexpr std::string_view kSmallNet = R"(graph "net" {
  opset 13
  input c: bool[]
  input x: float32[N, 1, 4, 4]
  init w = float32[2, 1, 3, 3] {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9}
  init shape = int64[2] {0, -1}
  y = Conv(x, w) {kernel_shape = [3, 3]} as conv1
  z = If(c) {else_branch = graph "else" (y) {
    opset 13
    input y
    a = Relu(y) as relu1
    output a
  }, then_branch = graph "then" (y) {
    opset 13
    input y
    b = Sigmoid(y)
    output b
  }} as if1
  f = Reshape(z, shape) as flat
  p = Softmax(f)
  output p
})";

/// A model, and where in its bytes there are no numbers of tensors: there a change says something else.
class Victim {
 public:
  Victim(std::string name, std::string bytes) : name_(std::move(name)), bytes_(std::move(bytes)) {
    EXPECT_TRUE(proto_.ParseFromString(bytes_));
    onnx::ReadBudget budget(std::numeric_limits<std::uint64_t>::max());
    const auto skeleton = onnx::make_skeleton(bytes_, onnx::MessageKind::kModel, budget);
    EXPECT_TRUE(skeleton.has_value());
    std::vector<bool> is_payload(bytes_.size(), false);
    for (const auto& payload : skeleton->payloads) {
      const auto from = payload.bytes.data() - bytes_.data();
      std::fill_n(is_payload.begin() + from, payload.bytes.size(), true);
    }
    for (std::size_t i = 0; i < bytes_.size(); ++i) {
      if (!is_payload[i]) places_.push_back(i);
    }
  }

  const std::string& name() const { return name_; }

  std::string mutant(std::uint64_t number) const {
    Rng rng(number * 2 + 1);
    switch (rng.below(8)) {
      case 0: return bytes_.substr(0, rng.below(bytes_.size()));
      case 1: return with_bits_flipped(rng);
      case 2: return with_length(rng);
      case 3: return without_a_piece(rng);
      default: return with_other_structure(rng);
    }
  }

 private:
  std::size_t place(Rng& rng) const { return rng.below(4) == 0 ? rng.below(bytes_.size()) : places_[rng.below(places_.size())]; }

  std::string with_bits_flipped(Rng& rng) const {
    std::string bytes = bytes_;
    for (std::uint64_t i = 0; i <= rng.below(8); ++i) bytes[place(rng)] ^= static_cast<char>(1U << rng.below(8));
    return bytes;
  }

  /// A varint that is too large where a length or a number may be.
  std::string with_length(Rng& rng) const {
    static constexpr std::string_view kNumbers[] = {{"\xff\xff\xff\xff\x07", 5},
                                                    {"\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 9},
                                                    {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10},
                                                    {"\x80\x80\x80\x80\x80\x01", 6},
                                                    {"\x00", 1},
                                                    {"\x7f", 1}};
    const std::string_view number = kNumbers[rng.below(std::size(kNumbers))];
    std::string bytes = bytes_;
    return bytes.replace(place(rng), rng.below(2) == 0 ? 1 : number.size(), number);
  }

  std::string without_a_piece(Rng& rng) const {
    std::string bytes = bytes_;
    const std::size_t from = place(rng);
    if (rng.below(2) == 0) return bytes.erase(from, 1 + rng.below(16));
    return bytes.insert(from, bytes_.substr(place(rng), 1 + rng.below(64)));
  }

  static std::int64_t odd_number(Rng& rng) {
    static constexpr std::int64_t kNumbers[] = {0,
                                                1,
                                                -1,
                                                2,
                                                -2,
                                                65536,
                                                std::int64_t{1} << 31U,
                                                std::int64_t{1} << 40U,
                                                std::int64_t{1} << 62U,
                                                std::numeric_limits<std::int64_t>::max(),
                                                std::numeric_limits<std::int64_t>::min()};
    return kNumbers[rng.below(std::size(kNumbers))];
  }

  template <class List>
  static auto* any_of(List* list, Rng& rng) {
    return list->Mutable(static_cast<int>(rng.below(static_cast<std::uint64_t>(list->size()))));
  }

  /// Cycles, wrong ranks, huge extents, names that are there twice, attributes and ops that are others.
  std::string with_other_structure(Rng& rng) const {
    ModelProto model = proto_;
    auto* graph = model.mutable_graph();
    for (std::uint64_t i = 0; i <= rng.below(3); ++i) change(*graph, rng);
    if (rng.below(16) == 0) model.mutable_opset_import(0)->set_version(static_cast<std::int64_t>(rng.below(25)));
    return model.SerializeAsString();
  }

  static void change(GraphProto& graph, Rng& rng) {
    auto* node = any_of(graph.mutable_node(), rng);
    const auto* other = any_of(graph.mutable_node(), rng);
    switch (rng.below(9)) {
      case 0:
        if (node->input_size() > 0 && other->output_size() > 0) *any_of(node->mutable_input(), rng) = other->output(0);
        return;
      case 1:
        if (graph.initializer_size() > 0) change_dims(*any_of(graph.mutable_initializer(), rng), rng);
        return;
      case 2: change_dims(*any_of(graph.mutable_input(), rng)->mutable_type()->mutable_tensor_type()->mutable_shape(), rng); return;
      case 3:
        if (other->output_size() > 0) *any_of(node->mutable_output(), rng) = other->output(0);
        return;
      case 4:
        if (node->attribute_size() > 0) change_attribute(*any_of(node->mutable_attribute(), rng), rng);
        return;
      case 5: node->set_op_type(rng.below(2) == 0 ? other->op_type() : std::string(all_ops()[rng.below(all_ops().size())]->name)); return;
      case 6:
        if (node->input_size() > 0) node->mutable_input()->RemoveLast();
        return;
      case 7:
        if (graph.initializer_size() > 0) any_of(graph.mutable_initializer(), rng)->set_name(name_of_another(graph, rng));
        return;
      default: *node = *other; return;
    }
  }

  static std::string name_of_another(GraphProto& graph, Rng& rng) {
    if (rng.below(2) == 0) return any_of(graph.mutable_input(), rng)->name();
    return any_of(graph.mutable_initializer(), rng)->name();
  }

  static void change_dims(onnx::pb::TensorProto& tensor, Rng& rng) {
    if (tensor.dims_size() > 0 && rng.below(2) == 0) {
      tensor.set_dims(static_cast<int>(rng.below(static_cast<std::uint64_t>(tensor.dims_size()))), odd_number(rng));
    } else {
      tensor.add_dims(odd_number(rng));
    }
    if (rng.below(4) == 0) tensor.set_data_type(static_cast<int>(rng.below(26)));
  }

  static void change_dims(onnx::pb::TensorShapeProto& shape, Rng& rng) {
    auto* dim = shape.dim_size() > 0 && rng.below(2) == 0 ? any_of(shape.mutable_dim(), rng) : shape.add_dim();
    dim->set_dim_value(odd_number(rng));
  }

  static void change_attribute(onnx::pb::AttributeProto& attribute, Rng& rng) {
    if (attribute.has_g() && attribute.g().node_size() > 0 && attribute.g().input_size() > 0) return change(*attribute.mutable_g(), rng);
    if (rng.below(8) == 0) attribute.set_type(static_cast<onnx::pb::AttributeProto::AttributeType>(rng.below(15)));
    attribute.set_i(odd_number(rng));
    if (attribute.ints_size() > 0 && rng.below(2) == 0) {
      attribute.set_ints(static_cast<int>(rng.below(static_cast<std::uint64_t>(attribute.ints_size()))), odd_number(rng));
    } else if (rng.below(2) == 0) {
      attribute.add_ints(odd_number(rng));
    }
  }

  std::string name_;
  std::string bytes_;
  ModelProto proto_;
  std::vector<std::size_t> places_;
};

/// What is taken must go out and come back.
void check_mutant(const std::string& bytes) {
  const auto graph = read_onnx(bytes, "mutant", {.max_memory_bytes = kMaxMemory});
  if (!graph) {
    EXPECT_NE(graph.error().code, ErrorCode::kInternal) << graph.error().message;
    EXPECT_THAT(graph.error().message, testing::AllOf(testing::StartsWith("mutant: "), testing::HasSubstr("expected")));
    return;
  }
  const auto written = write_onnx(*graph);
  if (!written) {
    EXPECT_EQ(written.error().code, ErrorCode::kUnsupported) << written.error().message;
    return;
  }
  const auto again = read_onnx(*written, "mutant");
  EXPECT_TRUE(again.has_value()) << again.error().message;
}

std::vector<Victim> victims() {
  std::vector<Victim> result;
  result.emplace_back("small net", write_onnx(parse_text(kSmallNet).value()).value());
  if (const char* folder = std::getenv("MORU_TEST_DATA"); folder != nullptr) {
    for (const auto& entry : std::filesystem::directory_iterator(Path(folder) / "models")) {
      if (entry.path().extension() == ".onnx") result.emplace_back(entry.path().filename().string(), read_file(entry.path()).value());
    }
  }
  return result;
}

TEST(OnnxMutations, EachIsReadOrRefusedInTimeAndMemory) {
  for (const Victim& victim : victims()) {
    run_mutations(victim.name(), kMaxMemory, [&](std::uint64_t number) { return victim.mutant(number); }, check_mutant);
  }
}

}  // namespace
}  // namespace moru::model
