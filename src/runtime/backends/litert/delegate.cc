// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/litert/delegate.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "core/text.h"

namespace moru::runtime::litert {
namespace {

using PluginCreate = Delegate* (*)(const char* const* keys, const char* const* values, std::size_t count, void (*report)(const char*));
using PluginDestroy = void (*)(Delegate*);

/// What a plug-in reported on this thread; its interface has no place for a pointer of ours.
thread_local std::string reported;
void report(const char* message) {
  constexpr std::size_t kLongest = 400;
  if (reported.size() < kLongest) reported += (reported.empty() ? "" : "; ") + std::string(message).substr(0, kLongest);
}

struct KeysAndValues {
  std::vector<std::string> keys;
  std::vector<std::string> values;
};

Result<KeysAndValues> parse_options(std::string_view text) {
  KeysAndValues options;
  if (trim(text).empty()) return options;
  for (const std::string_view part : split(text, ';')) {
    const std::size_t equals = part.find('=');
    const std::string_view key = trim(part.substr(0, equals));
    if (equals == part.npos || key.empty()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("setting delegate_options: found {}, expected key=value;key=value", in_quotes(part)));
    }
    options.keys.emplace_back(key);
    options.values.emplace_back(trim(part.substr(equals + 1)));
  }
  return options;
}

std::vector<const char*> pointers(const std::vector<std::string>& texts) {
  std::vector<const char*> all;
  for (const std::string& text : texts) all.push_back(text.c_str());
  return all;
}

/// LiteRT takes delegates from accelerators. Their functions are told nothing of ours, but are called by the thread that compiles.
struct Compiling {
  const Api* api = nullptr;
  Delegate* delegate = nullptr;
};
thread_local Compiling compiling;

Code name(Accelerator*, const char** text) {
  *text = "moru external delegate";
  return Code::kOk;
}
Code version(Accelerator*, Version* found) {
  *found = {1, 0, 0};
  return Code::kOk;
}
Code hardware(Accelerator*, Hardware* set) {
  *set = kCpu;
  return Code::kOk;
}
Code jit(Accelerator*, bool* compiles_itself) {
  *compiles_itself = false;  // else it would only be asked for hardware that the options name
  return Code::kOk;
}
Code wrap(RuntimeContext*, Environment*, Accelerator*, Options*, DelegateWrapper** made) {
  return compiling.delegate == nullptr ? Code::kNotFound : compiling.api->wrap_delegate(compiling.delegate, made);
}
/// Its owner is the session.
void leave(RuntimeContext*, DelegateWrapper*) {}

constexpr AcceleratorDef kDelegateAccelerator = {kAcceleratorDefVersion, name, version, hardware, jit, wrap, leave};

Status add(const Api& api, Environment* environment, const AcceleratorDef& def) {
  const auto ok = [](Code code) { return take(code, "load model: add accelerator", ErrorCode::kUnavailable); };
  Accelerator* made = nullptr;
  MORU_RETURN_IF_ERROR(ok(api.create_accelerator(&made)));
  std::unique_ptr<Accelerator, Code (*)(Accelerator*)> owned(made, api.destroy_accelerator);
  MORU_RETURN_IF_ERROR(ok(api.set_accelerator_name(made, def.name)));
  MORU_RETURN_IF_ERROR(ok(api.set_accelerator_version(made, def.accelerator_version)));
  MORU_RETURN_IF_ERROR(ok(api.set_accelerator_hardware(made, def.hardware)));
  MORU_RETURN_IF_ERROR(ok(api.set_accelerator_jit(made, def.jit)));
  MORU_RETURN_IF_ERROR(ok(api.set_delegate_functions(made, def.create_delegate, def.destroy_delegate)));
  return ok(api.register_accelerator(environment, owned.release(), nullptr, nullptr));
}

}  // namespace

Result<ExternalDelegate> ExternalDelegate::create(std::string_view library, std::string_view options) {
  MORU_ASSIGN_OR_RETURN(const KeysAndValues parsed, parse_options(options));
  const auto unavailable = [&](std::string_view found, std::string_view expected) {
    return fail(ErrorCode::kUnavailable, fmt::format("setting delegate: {} {}, expected {}", in_quotes(library), found, expected));
  };
  void* handle = ::dlopen(std::string(library).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* why = ::dlerror();
    return unavailable(fmt::format("cannot be loaded ({})", why != nullptr ? why : "no reason given"), "a delegate's library");
  }
  const auto create = reinterpret_cast<PluginCreate>(::dlsym(handle, "tflite_plugin_create_delegate"));
  const auto destroy = reinterpret_cast<PluginDestroy>(::dlsym(handle, "tflite_plugin_destroy_delegate"));
  if (create == nullptr || destroy == nullptr) {
    return unavailable("is another library", "one with tflite_plugin_create_delegate and tflite_plugin_destroy_delegate");
  }
  reported.clear();
  Handle<Delegate> made(create(pointers(parsed.keys).data(), pointers(parsed.values).data(), parsed.keys.size(), report), {destroy});
  if (made == nullptr) return unavailable(fmt::format("makes no delegate and says {}", in_quotes(reported)), "one for this machine");
  return ExternalDelegate(std::move(made));
}

Status register_accelerators(const Api& api, Environment* environment, bool with_delegate) {
  if (with_delegate) MORU_RETURN_IF_ERROR(add(api, environment, kDelegateAccelerator));
  return add(api, environment, *api.cpu);
}

Code compile(const Api& api, Environment* environment, LoadedModel* model, Options* options, Delegate* delegate, CompiledModel** made) {
  compiling = {&api, delegate};
  const Code code = api.create_compiled_model(environment, model, options, made);
  compiling = {};
  return code;
}

}  // namespace moru::runtime::litert
