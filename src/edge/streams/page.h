// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace moru::edge {

/// docs/stages.md: every source, stage and sink with its documentation and example. `moru stages --markdown` prints it; a test holds
/// the file to it.
std::string stages_page();

}  // namespace moru::edge
