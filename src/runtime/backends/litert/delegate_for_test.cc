// SPDX-License-Identifier: Apache-2.0
// A delegate as makers of accelerators ship it: it takes the first ADD of a model and computes a + b + bias, where bias is its one option,
// so that its work is seen in the answer. The structures are those of classic TFLite's plug-in interface, as far as they are used.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace {

constexpr int kOk = 0;
constexpr int kError = 1;
constexpr std::int32_t kAdd = 0;  // the number of the builtin op

struct IntArray {
  int size;
  int data[];
};
struct Tensor {
  int type;
  float* data;
  IntArray* dims;
  float scale;
  std::int32_t zero_point;
  int allocation_type;
  std::size_t bytes;
  const void* allocation;
  const char* name;
  void* delegate;
  int buffer_handle;
  bool data_is_stale;
  bool is_variable;
  int quantization_type;
  void* quantization;
  void* sparsity;
  const IntArray* dims_signature;
};
struct Node {
  IntArray* inputs;
  IntArray* outputs;
  IntArray* intermediates;
  IntArray* temporaries;
  void* user_data;
  void* builtin_data;
  const void* custom_initial_data;
  int custom_initial_data_size;
  void* delegate;
  bool might_have_side_effect;
};
struct Context;
struct Registration {
  void* (*init)(Context*, const char*, std::size_t);
  void (*free)(Context*, void*);
  int (*prepare)(Context*, Node*);
  int (*invoke)(Context*, Node*);
  const char* (*profiling_string)(const Context*, const Node*);
  std::int32_t builtin_code;
  const char* custom_name;
  int version;
  void* external;
  void* async_kernel;
  std::uint64_t inplace_operator;
};
struct Delegate;
struct Context {
  std::size_t tensor_count;
  int (*execution_plan)(Context*, IntArray** borrowed);
  Tensor* tensors;
  void* impl;
  int (*resize_tensor)(Context*, Tensor*, IntArray* taken);
  void (*report_error)(Context*, const char*, ...);
  int (*add_tensors)(Context*, int, int*);
  int (*node_and_registration)(Context*, int, Node**, Registration**);
  int (*replace_nodes)(Context*, Registration, const IntArray* nodes, Delegate*);
};
struct Delegate {
  void* data;
  int (*prepare)(Context*, Delegate*);
  void* copy_from_buffer;
  void* copy_to_buffer;
  void* free_buffer;
  std::int64_t flags;
  void* opaque_builder;
};
struct Params {
  Delegate* delegate;
};

struct Bias {
  Delegate base;
  float bias;
};

void* init(Context*, const char* params, std::size_t) {
  return &reinterpret_cast<Bias*>(reinterpret_cast<const Params*>(params)->delegate)->bias;
}
void done(Context*, void*) {}

/// The inputs of a node that was put in the place of others are what they read, constants too, in no order that matters to a sum.
int invoke(Context* context, Node* node) {
  const Tensor& a = context->tensors[node->inputs->data[0]];
  const Tensor& b = context->tensors[node->inputs->data[1]];
  Tensor& sum = context->tensors[node->outputs->data[0]];
  const float bias = *static_cast<const float*>(node->user_data);
  for (std::size_t i = 0; i < sum.bytes / sizeof(float); ++i) sum.data[i] = a.data[i] + b.data[i] + bias;
  return kOk;
}

int prepare_kernel(Context*, Node*) { return kOk; }

int prepare(Context* context, Delegate* delegate) {
  IntArray* plan = nullptr;
  if (context->execution_plan(context, &plan) != kOk) return kError;
  int room[2] = {};
  auto* taken = reinterpret_cast<IntArray*>(room);
  for (int i = 0; i < plan->size && taken->size == 0; ++i) {
    Node* node = nullptr;
    Registration* registration = nullptr;
    if (context->node_and_registration(context, plan->data[i], &node, &registration) != kOk) continue;
    if (registration->builtin_code == kAdd) taken->data[taken->size++] = plan->data[i];
  }
  Registration kernel = {};
  kernel.init = init;
  kernel.free = done;
  kernel.prepare = prepare_kernel;
  kernel.invoke = invoke;
  kernel.custom_name = "AddWithBias";
  kernel.version = 1;
  return context->replace_nodes(context, kernel, taken, delegate);
}

}  // namespace

extern "C" {

__attribute__((visibility("default"))) Delegate* tflite_plugin_create_delegate(const char* const* keys, const char* const* values,
                                                                               std::size_t count, void (*report)(const char*)) {
  auto made = std::make_unique<Bias>();
  made->base.prepare = prepare;
  for (std::size_t i = 0; i < count; ++i) {
    if (std::strcmp(keys[i], "bias") == 0) {
      made->bias = std::strtof(values[i], nullptr);
      continue;
    }
    report("no such option");
    return nullptr;
  }
  return &made.release()->base;
}

__attribute__((visibility("default"))) void tflite_plugin_destroy_delegate(Delegate* delegate) {
  const std::unique_ptr<Bias> made(reinterpret_cast<Bias*>(delegate));
}
}
