// SPDX-License-Identifier: Apache-2.0
// A target: what one kind of device can run, as its vendor documents it (kind: Target; the README.md of this folder has the fields).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/result.h"
#include "model/tensor/dtype.h"

namespace moru::model::targets {

/// What the values and windows of an op may be. What is left out is not limited.
struct Limits {
  std::optional<std::int64_t> min_rank = {};
  std::optional<std::int64_t> max_rank = {};
  std::optional<std::int64_t> max_inner_rank = {};         ///< of input and output shapes without their leading ones
  std::optional<std::int64_t> max_output_inner_rank = {};  ///< of output shapes alone
  std::optional<std::int64_t> max_batch = {};              ///< extent of the first axis of values of rank 2 and more
  std::optional<std::int64_t> max_elements = {};           ///< of one input or output
  std::optional<std::int64_t> max_kernel = {};             ///< taps of a window along each axis
  std::optional<std::int64_t> max_stride = {};
  std::optional<std::int64_t> max_dilation = {};
  std::optional<std::int64_t> max_outputs = {};  ///< outputs that something uses
  bool equal_dilations = false;                  ///< the same along each axis
  bool keep_batch = false;                       ///< axis 0 is not reduced, split, packed or padded
  bool per_channel = true;                       ///< weights may have a scale a channel
};

/// Which integers must have zero point 0.
enum class Symmetric : std::uint8_t { kNone, kWeights, kAll };

/// One attribute of a node; one that is left out by the node has a default that every device takes.
struct AttributeRule {
  std::string name;
  std::vector<std::string> is = {};      ///< one of these, as text; empty: any
  std::optional<std::int64_t> max = {};  ///< of an int, or of each
};

/// What a target takes of some ops. Lists that are left out are those of the target.
struct OpRule {
  std::vector<std::string> ops;             ///< "Conv", "CONV_2D", "com.microsoft.Gelu"
  std::optional<std::vector<DType>> types;  ///< of inputs and outputs
  std::optional<std::vector<DType>>
      weights;  ///< of constant inputs; those that hold indices, shapes or biases (int32, int64, bool) are free
  std::optional<std::vector<DType>> outputs;  ///< when they differ from the inputs
  std::vector<std::int64_t> constants = {};   ///< inputs that must be constants
  std::vector<std::int64_t> settings = {};    ///< inputs that steer the op (bounds, scales of a resize): their types are free
  std::vector<AttributeRule> attributes = {};
  Limits limits = {};
  Symmetric symmetric = Symmetric::kNone;
};

/// A memory of the device.
struct MemoryRule {
  std::string name;  ///< "flash"
  std::int64_t bytes = 0;
  std::string holds;    ///< "parameters", "activations" or "all"
  bool spills = false;  ///< more than fits is slower, not refused
};

struct Target {
  std::string name;
  std::string doc;
  std::vector<std::string> isa;      ///< instruction sets of its processor: "avx2"
  std::string accelerator;           ///< empty: the processor itself
  std::string runtime;               ///< what eats the model there
  std::vector<std::string> formats;  ///< "onnx", "tflite": best first
  std::int64_t min_opset = 0;        ///< of ONNX
  std::int64_t max_opset = 0;
  bool static_shapes = false;                 ///< every extent must be known before it is compiled
  bool full_int8 = false;                     ///< a model without 8-bit integers is refused whole
  bool one_piece = false;                     ///< its compiler maps one piece of the graph, and leaves all other nodes to the processor
  std::vector<DType> types;                   ///< of inputs and outputs; empty: any
  std::optional<std::vector<DType>> weights;  ///< of constants; left out: as types
  Limits limits;
  Symmetric symmetric = Symmetric::kNone;
  std::vector<OpRule> ops;
  std::map<std::string, std::size_t, std::less<>> rule_of;  ///< op -> index in ops; "any" for all that are not named
  std::vector<std::string> fallback;                        ///< ops that the runtime itself runs elsewhere; {"any"}, or none
  std::vector<DType> fallback_types;                        ///< of their inputs and outputs; empty: any
  std::map<std::string, std::string, std::less<>> instead;  ///< op -> what to do instead of it
  std::vector<MemoryRule> memory;

  bool takes_format(std::string_view format) const;
  bool falls_back(std::string_view op) const;
};

/// Reads an untrusted description. Errors name file and line.
Result<Target> read_target(const ConfigObject& document);

/// A description that is built in: a file of profiles/.
struct Profile {
  std::string_view name;
  std::string_view yaml;
};
/// In name order (generated).
std::span<const Profile> builtin_profiles();

/// A built-in target by name, or one from a file (a name with '/' or that ends in .yaml or .yml). kNotFound names the nearest one.
Result<Target> load_target(std::string_view name_or_path);

}  // namespace moru::model::targets
