// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/result.h"
#include "sqlite/sqlite.h"

namespace moru::fleet {

/// Brings the tables from the version in PRAGMA user_version to the newest, each step in a transaction of its own.
/// kUnsupported when the file was written by a newer hub.
Status migrate(Database& database);

}  // namespace moru::fleet
