// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "model/inspect/summary.h"

namespace moru::model {

/// The words of Summary::quantisation; several are joined with ", ". `summary.ops` is filled.
std::string describe_quantisation(const Graph& graph, const Summary& summary);

}  // namespace moru::model
