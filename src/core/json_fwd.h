// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace moru {
using Json = nlohmann::ordered_json;  // fields keep the order in which they were written
}  // namespace moru
