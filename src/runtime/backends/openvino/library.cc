// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/openvino/library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "core/text.h"

namespace moru::runtime::openvino {
namespace {

/// The release whose headers this build was made with; a fourth number and what follows are the build's.
constexpr std::string_view kRelease = "2026.4";

/// "Exception from a.cpp:105:\nException from b.cpp:188:\nUnable to read the model.\n\n" as "Unable to read the model."
std::string one_line(std::string_view text) {
  std::string line;
  for (std::string_view part : split(text, '\n')) {
    part = trim(part);
    if (part.empty() || part.starts_with("Exception from ")) continue;
    line += fmt::format("{}{}", line.empty() ? "" : " ", part);
  }
  return line;
}

std::string words_of(const Api& api, ov_status_e status) {
  std::string words;
  // Of a parameter that its C layer refuses it keeps no words, so the last ones are of an older failure.
  if (const char* last = status == INVALID_C_PARAM ? nullptr : api.get_last_err_msg(); last != nullptr) {
    words = one_line(last);
    api.free(last);
  }
  return words.empty() ? api.get_error_info(status) : words;
}

/// The name of the first function that the library does not have; empty when all are there.
std::string_view look_up(void* handle, Api& api) {
#define MORU_OPENVINO_LOOK_UP(name)                                              \
  api.name = reinterpret_cast<decltype(api.name)>(::dlsym(handle, "ov_" #name)); \
  if (api.name == nullptr) return "ov_" #name;
  MORU_OPENVINO_FUNCTIONS(MORU_OPENVINO_LOOK_UP)
#undef MORU_OPENVINO_LOOK_UP
  return "";
}

/// "2026.4.1" of "2026.4.1-22982-e213a147257-releases/2026/4"; empty when it does not say.
std::string version_of(const Api& api) {
  ov_version_t version{};
  if (api.get_openvino_version(&version) != OK || version.buildNumber == nullptr) return "";
  const std::string_view build = version.buildNumber;
  std::string number(build.substr(0, build.find('-')));
  api.version_free(&version);
  return number;
}

}  // namespace

Status check(const Api& api, ov_status_e status, std::string_view where, ErrorCode code) {
  if (status == OK) return {};
  return fail(status == NOT_IMPLEMENTED ? ErrorCode::kUnsupported : code,
              fmt::format("{}: OpenVINO says '{}'", where, words_of(api, status)));
}

Result<Library> open_library(const Path& path) {
  const auto unavailable = [&](std::string_view found, std::string_view what_to_do) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("backend openvino: {} {}, expected OpenVINO {}; {}", path.string(), found, kRelease, what_to_do));
  };
  // Local, so that what it brings along cannot take the place of another library's symbols.
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* why = ::dlerror();
    return unavailable(fmt::format("cannot be loaded ({})", why != nullptr ? why : "no reason given"), "get it again for this machine");
  }
  Library library;
  const std::string_view missing = look_up(handle, library.api);
  // Before anything else of it is called: an older one may have the version and not the rest.
  if (library.api.get_openvino_version != nullptr && library.api.version_free != nullptr) library.version = version_of(library.api);
  if (library.version.empty() && !missing.empty()) {
    return unavailable(fmt::format("is another library (it has no {})", missing), "put the right file there");
  }
  if (!library.version.starts_with(fmt::format("{}.", kRelease))) {
    return unavailable(fmt::format("is version '{}'", library.version), "get that one");
  }
  if (!missing.empty()) return unavailable(fmt::format("has no {}", missing), "get it again for this machine");
  MORU_RETURN_IF_ERROR(check(library.api, library.api.core_create(&library.core), "backend openvino: start", ErrorCode::kUnavailable));
  return library;
}

const Result<Library>& library() {
  // Never destroyed: sessions may live as long as the process.
  static const Result<Library>* instance = new Result<Library>([]() -> Result<Library> {
    MORU_ASSIGN_OR_RETURN(const auto path, find_backend_library("openvino", "libopenvino_c.so.2641"));
    return open_library(path);
  }());
  return *instance;
}

std::vector<Device> devices(const Library& library) {
  std::vector<Device> found;
  ov_available_devices_t names{};
  if (library.api.core_get_available_devices(library.core, &names) != OK) return found;
  for (std::size_t i = 0; i < names.size; ++i) {
    Device device{names.devices[i], ""};
    if (char* doc = nullptr; library.api.core_get_property(library.core, names.devices[i], "FULL_DEVICE_NAME", &doc) == OK) {
      device.doc = trim(doc);
      library.api.free(doc);
    }
    std::ranges::transform(device.name, device.name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    found.push_back(std::move(device));
  }
  library.api.available_devices_free(&names);
  return found;
}

}  // namespace moru::runtime::openvino
