// SPDX-License-Identifier: Apache-2.0
// A recording file layer below a test: open, write, fsync, rename and the like on one folder are noted (and, where the test says so, fail
// or kill the process), and every state that a power cut could leave on disk is made from the notes. What it holds a disk to:
//   - what a successful fsync of a file covers is there: its bytes and its length;
//   - a name made, changed or removed is there once its folder was synced, else maybe: any subset of such changes, in their order;
//   - any subset of the writes that were not synced is there, each whole, or torn: its first or its last half, or its length with zeros;
//   - after an fsync that failed, what it should have covered is maybe there, and no later fsync of it helps.
// The program that links disk_for_test.cc has its functions in place of the C library's. Threads: of one thread, the test's.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/random.h"

namespace moru::edge {

/// A change of the disk. Files are told apart by number, since names change.
struct DiskOp {
  enum class Kind : std::uint8_t { kCreate, kFolder, kWrite, kTruncate, kRename, kUnlink, kSync, kSyncFolder };
  Kind kind;
  std::size_t file = 0;      ///< of all but kSyncFolder
  std::string name;          ///< in the watched folder: kCreate, kFolder, kRename (new), kUnlink, kSyncFolder
  std::string from;          ///< kRename
  std::uint64_t offset = 0;  ///< kWrite; kTruncate: the new length
  std::string bytes;         ///< kWrite
  bool failed = false;       ///< kSync: EIO
};

/// What the layer does beside taking notes; by the number of the change, from 0.
struct DiskPlan {
  std::optional<std::size_t> kill_at;    ///< the process ends by SIGKILL at this change, of a write after half of it
  std::optional<std::size_t> fail_sync;  ///< this fsync fails with EIO: counted among the fsyncs, from 0
};

/// Takes notes of what is done under `root` (which must be there) until it is destroyed. One at a time.
class DiskRecorder {
 public:
  DiskRecorder(const Path& root, const DiskPlan& plan);
  ~DiskRecorder();
  DiskRecorder(const DiskRecorder&) = delete;
  DiskRecorder& operator=(const DiskRecorder&) = delete;
  std::size_t count() const;  ///< changes so far
  std::size_t syncs() const;
  std::vector<DiskOp> take();  ///< the notes; they are empty then
};

/// The content of a folder: files by name, folders by name with a '/' at the end.
using DiskImage = std::map<std::string, std::string>;

/// Calls `check` with each different state that a power cut after the first `count` changes may leave; where the changes that are not
/// synced have more than `limit` subsets, with the ends, each single change missing, alone or torn, and subsets drawn by `random`.
/// Returns how many states there were.
std::size_t for_each_power_cut(const std::vector<DiskOp>& ops, std::size_t count, std::size_t limit, Rng& random,
                               const std::function<void(const DiskImage&)>& check);

/// Makes `folder` hold the image, and nothing else.
void materialise(const DiskImage& image, const Path& folder);

}  // namespace moru::edge
