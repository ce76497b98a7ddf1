// SPDX-License-Identifier: Apache-2.0
// The verbs of `moru bench`, one file each in this folder.
#pragma once

#include <functional>

#include "cli/noun.h"

namespace CLI {
class App;
}

namespace moru::cli {

void add_bench_roofline(CLI::App& app, std::function<Outcome()>* run);

}  // namespace moru::cli
