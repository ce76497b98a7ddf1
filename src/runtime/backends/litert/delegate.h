// SPDX-License-Identifier: Apache-2.0
// Delegates out of libraries of others (Edge TPU and the like), by classic TFLite's plug-in interface.
#pragma once

#include <string_view>

#include "runtime/backends/litert/library.h"

namespace moru::runtime::litert {

/// A delegate made by a library that exports tflite_plugin_create_delegate and tflite_plugin_destroy_delegate.
class ExternalDelegate {
 public:
  ExternalDelegate() = default;
  /// `options` is "key=value;key=value", handed on as it is. The library stays loaded. Errors: kUnavailable for a library that cannot be
  /// loaded, has no such functions, or makes no delegate (in its own words); kInvalidArgument for other options.
  static Result<ExternalDelegate> create(std::string_view library, std::string_view options);

  /// Null for none.
  Delegate* get() const { return made_.get(); }

 private:
  explicit ExternalDelegate(Handle<Delegate> made) : made_(std::move(made)) {}
  Handle<Delegate> made_;
};

/// Says what the models of an environment run on, first to last: the delegate if there is one, then LiteRT's own kernels. The environment
/// must have been made without accelerators of its own.
Status register_accelerators(const Api& api, Environment* environment, bool with_delegate);

/// create_compiled_model() with this delegate (null for none), which must outlive the compiled model.
Code compile(const Api& api, Environment* environment, LoadedModel* model, Options* options, Delegate* delegate, CompiledModel** made);

}  // namespace moru::runtime::litert
