// SPDX-License-Identifier: Apache-2.0
// The verbs of `moru model`, one file each in this folder.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "cli/noun.h"
#include "core/result.h"

namespace CLI {
class App;
}

namespace moru::cli {

void add_model_show(CLI::App& app, std::function<Outcome()>* run);
void add_model_run(CLI::App& app, std::function<Outcome()>* run);
void add_model_compare(CLI::App& app, std::function<Outcome()>* run);
void add_model_convert(CLI::App& app, std::function<Outcome()>* run);
void add_model_check(CLI::App& app, std::function<Outcome()>* run);
void add_model_fit(CLI::App& app, std::function<Outcome()>* run);
void add_model_partition(CLI::App& app, std::function<Outcome()>* run);

/// `moru model show` of a bundle. Its signature is checked when a key is given; `bytes` are the file's.
Outcome show_bundle(std::string_view bytes, const std::string& path, const std::string& key, Format format);

/// Text of a file for a terminal, in UTF-8: a control character could move the cursor or hide what was written.
std::string clean_text(std::string_view text);

}  // namespace moru::cli
