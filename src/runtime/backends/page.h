// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace moru::runtime {

/// The first half of docs/backends.md: what each backend is, reads, can be told, and where its library comes from; nothing of this machine.
/// `moru backends --markdown` prints it; a test holds the file to it. The other half is measured (scripts/measure_backends).
std::string backends_page();

}  // namespace moru::runtime
