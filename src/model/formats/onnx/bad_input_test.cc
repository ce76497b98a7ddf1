// SPDX-License-Identifier: Apache-2.0
// ONNX models that lie: each is refused with a message that says where and what, and none ends the process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/random.h"
#include "model/formats/onnx/convert.h"
#include "model/formats/onnx/onnx.h"
#include "model/graph/text.h"

namespace moru::model {
namespace {

using onnx::pb::AttributeProto;
using onnx::pb::ModelProto;
using onnx::pb::TensorProto;
using testing::HasSubstr;

std::string valid_bytes() {
  const auto graph = parse_text(R"(graph "g" {
  opset 13
  input x: float32[N, 1, 4, 4]
  init w = float32[2, 1, 3, 3] {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9}
  init shape = int64[2] {0, -1}
  y = Conv(x, w) {kernel_shape = [3, 3]} as conv1
  z = Relu(y) as relu1
  f = Reshape(z, shape) as flat
  output f
})");
  EXPECT_TRUE(graph.has_value()) << (graph ? "" : graph.error().message);
  const auto bytes = write_onnx(*graph);
  EXPECT_TRUE(bytes.has_value()) << (bytes ? "" : bytes.error().message);
  return bytes.value_or("");
}

/// The error after a change to the valid model; "read" when it is taken.
template <class Change>
std::string message_after(Change change) {
  ModelProto proto;
  EXPECT_TRUE(proto.ParseFromString(valid_bytes()));
  change(proto);
  const auto graph = read_onnx(proto.SerializeAsString(), "bad.onnx");
  if (graph) return "read";
  EXPECT_THAT(graph.error().message, testing::StartsWith("bad.onnx: "));
  EXPECT_NE(graph.error().code, ErrorCode::kInternal);
  return graph.error().message;
}

TEST(OnnxBadInput, TheUnchangedModelIsRead) {
  EXPECT_EQ(message_after([](ModelProto&) {}), "read");
}

TEST(OnnxBadInput, NotAModel) {
  EXPECT_THAT(read_onnx("", "bad.onnx").error().message, HasSubstr("found no ONNX graph"));
  EXPECT_THAT(read_onnx("this is text, not a model", "bad.onnx").error().message, HasSubstr("not ONNX"));
  EXPECT_THAT(read_onnx(std::string(4096, '\0'), "bad.onnx").error().message, HasSubstr("not ONNX"));
  EXPECT_EQ(read_onnx("\x08\x08", "bad.onnx").error().code, ErrorCode::kCorrupt);
}

TEST(OnnxBadInput, IsRefusedWhenCutShortAnywhere) {
  const std::string whole = valid_bytes();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto graph = read_onnx(std::string_view(whole).substr(0, size), "bad.onnx");
    ASSERT_FALSE(graph.has_value()) << "the first " << size << " of " << whole.size() << " bytes";
    EXPECT_EQ(graph.error().code, ErrorCode::kCorrupt) << graph.error().message;
  }
}

TEST(OnnxBadInput, Versions) {
  EXPECT_THAT(message_after([](ModelProto& m) { m.set_ir_version(0); }), HasSubstr("found IR version 0, expected 1 to 12"));
  EXPECT_THAT(message_after([](ModelProto& m) { m.set_ir_version(99); }), HasSubstr("found IR version 99, expected 1 to 12"));
  EXPECT_THAT(message_after([](ModelProto& m) { m.mutable_opset_import(0)->set_version(23); }),
              HasSubstr("found opset 23, expected 1 to 22"));
  EXPECT_THAT(message_after([](ModelProto& m) { m.mutable_opset_import(0)->set_version(-1); }), HasSubstr("found opset -1"));
  EXPECT_THAT(message_after([](ModelProto& m) { m.clear_opset_import(); }), HasSubstr("found no opset of ONNX's own ops"));
  EXPECT_THAT(message_after([](ModelProto& m) { m.add_opset_import()->set_version(9); }), HasSubstr("found opsets 13 and 9, expected one"));
  EXPECT_THAT(message_after([](ModelProto& m) { m.mutable_graph()->mutable_node(1)->set_op_type("Mish"); }),
              HasSubstr("found opset 13, expected at least 18"));
}

TEST(OnnxBadInput, WhatIsNotSupportedIsSaid) {
  EXPECT_THAT(message_after([](ModelProto& m) { m.mutable_graph()->mutable_node(1)->set_op_type("NoSuchOp"); }),
              testing::AllOf(HasSubstr("NoSuchOp"), HasSubstr("relu1")));
  const auto external = message_after([](ModelProto& m) {
    auto* tensor = m.mutable_graph()->mutable_initializer(0);
    tensor->set_data_location(TensorProto::EXTERNAL);
    auto* entry = tensor->add_external_data();
    entry->set_key("location");
    entry->set_value("../../etc/passwd");
  });
  EXPECT_THAT(external, HasSubstr("initializer 'w': found data in another file ('../../etc/passwd'), expected it in the model"));
  EXPECT_THAT(message_after([](ModelProto& m) {
                auto* attribute = m.mutable_graph()->mutable_node(1)->add_attribute();
                attribute->set_name("body");
                attribute->set_type(AttributeProto::GRAPH);
                attribute->mutable_g();
              }),
              HasSubstr("relu1'): attribute 'body': found an unknown one"));
  EXPECT_THAT(message_after([](ModelProto& m) { m.mutable_graph()->mutable_initializer(0)->set_data_type(99); }),
              HasSubstr("initializer 'w': found element type 99"));
  EXPECT_THAT(message_after([](ModelProto& m) { m.mutable_graph()->mutable_input(0)->mutable_type()->mutable_sequence_type(); }),
              HasSubstr("input 'x': found a sequence, map"));
}

TEST(OnnxBadInput, Names) {
  EXPECT_THAT(message_after([](ModelProto& m) { m.mutable_graph()->mutable_input(0)->set_name(""); }),
              HasSubstr("input '': found an empty name"));
  EXPECT_THAT(message_after([](ModelProto& m) { *m.mutable_graph()->add_input() = m.graph().input(0); }),
              HasSubstr("input 'x': found a name that another value has"));
  EXPECT_THAT(message_after([](ModelProto& m) { *m.mutable_graph()->add_initializer() = m.graph().initializer(0); }),
              HasSubstr("initializer 'w': found a name"));
  EXPECT_THAT(message_after([](ModelProto& m) { m.mutable_graph()->mutable_node(1)->set_output(0, "y"); }),
              HasSubstr("node 1 ('Relu' 'relu1'): found output 'y', which something else makes too"));
  EXPECT_THAT(message_after([](ModelProto& m) { m.mutable_graph()->mutable_node(1)->set_output(0, "x"); }), HasSubstr("found output 'x'"));
  EXPECT_THAT(message_after([](ModelProto& m) { m.mutable_graph()->mutable_node(1)->set_input(0, "nowhere"); }),
              HasSubstr("node 1 ('Relu' 'relu1'): found input 'nowhere', which nothing makes"));
  EXPECT_THAT(message_after([](ModelProto& m) { m.mutable_graph()->mutable_output(0)->set_name("nowhere"); }),
              HasSubstr("output 'nowhere': found no value"));
  EXPECT_THAT(message_after([](ModelProto& m) { *m.mutable_graph()->add_output() = m.graph().output(0); }),
              HasSubstr("output 'f': found twice"));
  EXPECT_THAT(message_after([](ModelProto& m) { m.mutable_graph()->clear_output(); }), HasSubstr("found no outputs"));
  EXPECT_THAT(message_after([](ModelProto& m) { *m.mutable_graph()->mutable_node(0)->add_attribute() = m.graph().node(0).attribute(0); }),
              HasSubstr("node 0 ('Conv' 'conv1'): attribute 'kernel_shape': found twice"));
  EXPECT_THAT(message_after([](ModelProto& m) {
                m.mutable_graph()->mutable_node(1)->set_name(std::string("a\n\x1b[2J\0b", 8));
                m.mutable_graph()->mutable_node(1)->set_input(0, "?");
              }),
              HasSubstr("'a\\x0a\\x1b[2J\\x00b'"));
}

TEST(OnnxBadInput, Cycles) {
  EXPECT_THAT(message_after([](ModelProto& m) { m.mutable_graph()->mutable_node(0)->set_input(0, "f"); }),
              HasSubstr("node 0 ('Conv' 'conv1'): found a cycle"));
  EXPECT_THAT(message_after([](ModelProto& m) { m.mutable_graph()->mutable_node(1)->set_input(0, "z"); }),
              HasSubstr("node 1 ('Relu' 'relu1'): found a cycle"));
}

TEST(OnnxBadInput, TensorsWhoseSizesLie) {
  const auto with_dims = [](std::vector<std::int64_t> dims) {
    return message_after([&](ModelProto& m) {
      auto* tensor = m.mutable_graph()->mutable_initializer(0);
      tensor->clear_dims();
      for (const std::int64_t dim : dims) tensor->add_dims(dim);
    });
  };
  EXPECT_THAT(with_dims({2, 1, 3, 4}), HasSubstr("initializer 'w': "));
  EXPECT_THAT(with_dims({-2, 1, 3, -3}), HasSubstr("initializer 'w': "));
  EXPECT_THAT(with_dims({std::int64_t{1} << 62U, 1, 1, 1}), HasSubstr("initializer 'w': "));
  EXPECT_THAT(with_dims({std::int64_t{1} << 32U, std::int64_t{1} << 32U, 1, 1}), HasSubstr("initializer 'w': "));
  EXPECT_THAT(with_dims({std::int64_t{1} << 36U, 1, 1, 1}), HasSubstr("initializer 'w': "));
  EXPECT_THAT(with_dims(std::vector<std::int64_t>(17, 1)), HasSubstr("initializer 'w': found rank 17, expected at most 16"));
  EXPECT_THAT(message_after([](ModelProto& m) {
                auto* tensor = m.mutable_graph()->mutable_initializer(0);
                tensor->clear_raw_data();
                tensor->add_float_data(1);
              }),
              HasSubstr("initializer 'w': tensor [2, 1, 3, 3] of float32: found 4 bytes, expected 72"));
  EXPECT_THAT(message_after([](ModelProto& m) { m.mutable_graph()->mutable_initializer(0)->mutable_segment(); }),
              HasSubstr("found a segment"));
  EXPECT_THAT(message_after([](ModelProto& m) {
                auto* tensor = m.mutable_graph()->add_initializer();
                tensor->set_name("flags");
                tensor->add_dims(1);
                tensor->set_data_type(TensorProto::BOOL);
                tensor->set_raw_data("\x02");
              }),
              HasSubstr("initializer 'flags': found a byte other than 0 and 1"));
}

TEST(OnnxBadInput, TypesThatLie) {
  const auto with_extent = [](std::int64_t extent) {
    return message_after([&](ModelProto& m) {
      m.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(2)->set_dim_value(extent);
    });
  };
  EXPECT_THAT(with_extent(-1), HasSubstr("input 'x': found extent -1, expected 0 to"));
  EXPECT_THAT(with_extent(std::int64_t{1} << 62U), HasSubstr("input 'x': found extent 4611686018427387904"));
  EXPECT_THAT(message_after([](ModelProto& m) { m.mutable_graph()->mutable_input(0)->clear_type(); }),
              HasSubstr("input 'x': found no element type"));
  EXPECT_THAT(message_after([](ModelProto& m) {
                m.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_value(1);
              }),
              HasSubstr("conv1"));
  EXPECT_THAT(message_after([](ModelProto& m) {
                auto* type = m.mutable_graph()->mutable_output(0)->mutable_type()->mutable_tensor_type();
                type->set_elem_type(TensorProto::INT8);
              }),
              HasSubstr("flat"));
  EXPECT_THAT(message_after([](ModelProto& m) {
                auto* info = m.mutable_graph()->add_value_info();
                info->set_name("w");
                info->mutable_type()->mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_value(1);
              }),
              HasSubstr("value 'w': found shape [1], expected [2, 1, 3, 3]"));
}

TEST(OnnxBadInput, NodesThatBreakTheirSchema) {
  EXPECT_THAT(message_after([](ModelProto& m) { m.mutable_graph()->mutable_node(0)->clear_input(); }), HasSubstr("conv1"));
  EXPECT_THAT(message_after([](ModelProto& m) { m.mutable_graph()->mutable_node(1)->add_input("x"); }), HasSubstr("relu1"));
  EXPECT_THAT(message_after([](ModelProto& m) { m.mutable_graph()->mutable_node(1)->clear_output(); }), testing::Ne("read"));
  EXPECT_THAT(
      message_after([](ModelProto& m) { m.mutable_graph()->mutable_node(0)->mutable_attribute(0)->set_type(AttributeProto::STRING); }),
      HasSubstr("conv1"));
  EXPECT_THAT(message_after([](ModelProto& m) { m.mutable_graph()->mutable_node(0)->mutable_attribute(0)->clear_type(); }),
              HasSubstr("node 0 ('Conv' 'conv1'): attribute 'kernel_shape': found no type"));
  EXPECT_THAT(message_after([](ModelProto& m) { m.mutable_graph()->mutable_node(0)->mutable_attribute(0)->set_ref_attr_name("k"); }),
              HasSubstr("reference"));
  EXPECT_THAT(message_after([](ModelProto& m) { m.mutable_graph()->mutable_node(0)->mutable_attribute(0)->set_ints(0, -3); }),
              HasSubstr("conv1"));
  EXPECT_THAT(message_after([](ModelProto& m) { m.mutable_graph()->mutable_node(1)->set_op_type("Constant"); }),
              HasSubstr("found 1 inputs"));
  EXPECT_THAT(message_after([](ModelProto& m) { m.mutable_graph()->mutable_node(1)->set_op_type(""); }), testing::Ne("read"));
}

TEST(OnnxBadInput, ConstantsOfOtherKinds) {
  const auto with_attribute = [](AttributeProto attribute) {
    return message_after([&](ModelProto& m) {
      auto* node = m.mutable_graph()->add_node();
      node->set_op_type("Constant");
      node->set_name("c");
      node->add_output("c");
      *node->add_attribute() = attribute;
    });
  };
  AttributeProto text;
  text.set_name("value_text");
  text.set_type(AttributeProto::STRING);
  EXPECT_THAT(with_attribute(text), HasSubstr("node 3 ('Constant' 'c'): attribute 'value_text': found another kind of constant"));
  AttributeProto wrong;
  wrong.set_name("value_int");
  wrong.set_type(AttributeProto::FLOAT);
  EXPECT_THAT(with_attribute(wrong), HasSubstr("found another kind of constant"));
}

TEST(OnnxBadInput, SeededMutationsNeverEndTheProcess) {
  const std::string whole = valid_bytes();
  Rng rng(20261123);
  int read = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = whole;
    for (std::uint64_t changes = 1 + rng.below(4); changes > 0; --changes) {
      const auto at = static_cast<std::size_t>(rng.below(bytes.size()));
      const auto kind = rng.below(4);
      if (kind == 0) {
        bytes[at] = static_cast<char>(rng.below(256));
      } else if (kind == 1) {
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng.below(8)));
      } else if (kind == 2) {
        bytes.erase(at, 1 + rng.below(8));
      } else {
        bytes.insert(at, bytes.substr(static_cast<std::size_t>(rng.below(bytes.size())), 1 + rng.below(8)));
      }
    }
    const auto graph = read_onnx(bytes, "mutated.onnx");
    if (!graph) {
      EXPECT_NE(graph.error().code, ErrorCode::kInternal) << "round " << round << ": " << graph.error().message;
      EXPECT_THAT(graph.error().message, testing::StartsWith("mutated.onnx: "));
      continue;
    }
    ++read;
    const auto again = write_onnx(*graph);
    ASSERT_TRUE(again.has_value()) << "round " << round << ": " << again.error().message;
    const auto second = read_onnx(*again, "again.onnx");
    ASSERT_TRUE(second.has_value()) << "round " << round << ": " << second.error().message;
    EXPECT_EQ(to_text(*second), to_text(*graph)) << "round " << round;
  }
  EXPECT_GT(read, 0) << "no mutation left a model that can be read, so writing was not tried";
}

}  // namespace
}  // namespace moru::model
