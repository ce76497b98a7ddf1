// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/disk_for_test.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <set>
#include <utility>

namespace moru::edge {
namespace {

/// What is watched; null: every call goes straight to the system.
struct Watch {
  std::string root;
  DiskPlan plan;
  std::vector<DiskOp> ops;
  std::map<int, std::size_t> descriptors;    // open files
  std::map<int, std::string> folders;        // open folders
  std::map<std::string, std::size_t> names;  // of files
  std::map<int, std::uint64_t> positions;    // of write()
  std::size_t files = 0;
  std::size_t syncs = 0;

  /// The name in the watched folder; nothing for what lies elsewhere.
  std::optional<std::string> inside(const char* path) const {
    const std::string_view text = path;
    if (text == root) return std::string();
    if (!text.starts_with(root + "/")) return std::nullopt;
    return std::string(text.substr(root.size() + 1));
  }
  bool dies_here() const { return plan.kill_at == ops.size(); }
  [[noreturn]] static void die() {
    ::kill(::getpid(), SIGKILL);
    ::_exit(9);
  }
  void note(DiskOp op) {
    if (dies_here()) die();
    ops.push_back(std::move(op));
  }
};
Watch* watch = nullptr;

long write_through(int fd, const void* bytes, std::size_t size, std::optional<std::uint64_t> at) {
  return at ? ::syscall(SYS_pwrite64, fd, bytes, size, *at) : ::syscall(SYS_write, fd, bytes, size);
}

ssize_t watched_write(int fd, const void* bytes, std::size_t size, std::optional<std::uint64_t> at) {
  const auto file = watch != nullptr ? watch->descriptors.find(fd) : std::map<int, std::size_t>::iterator();
  if (watch == nullptr || file == watch->descriptors.end()) return write_through(fd, bytes, size, at);
  if (watch->dies_here()) {
    write_through(fd, bytes, size / 2, at);
    Watch::die();
  }
  const long written = write_through(fd, bytes, size, at);
  if (written <= 0) return written;
  std::uint64_t& position = watch->positions[fd];
  const auto length = static_cast<std::size_t>(written);
  watch->note({.kind = DiskOp::Kind::kWrite,
               .file = file->second,
               .name = {},
               .from = {},
               .offset = at.value_or(position),
               .bytes = std::string(static_cast<const char*>(bytes), length)});
  if (!at) position += length;
  return written;
}

int watched_sync(int fd, long call) {
  if (watch == nullptr) return static_cast<int>(::syscall(call, fd));
  const auto file = watch->descriptors.find(fd);
  const auto folder = watch->folders.find(fd);
  if (file == watch->descriptors.end() && folder == watch->folders.end()) return static_cast<int>(::syscall(call, fd));
  const bool fails = watch->plan.fail_sync == watch->syncs++;
  if (file != watch->descriptors.end()) {
    watch->note({.kind = DiskOp::Kind::kSync, .file = file->second, .name = {}, .from = {}, .bytes = {}, .failed = fails});
  } else {
    watch->note({.kind = DiskOp::Kind::kSyncFolder, .name = folder->second, .from = {}, .bytes = {}, .failed = fails});
  }
  // The system's own fsync would prove nothing: the process goes on, and so does the page cache.
  if (!fails) return 0;
  errno = EIO;
  return -1;
}

int watched_open(const char* path, int flags, unsigned mode) {
  const auto name = watch != nullptr ? watch->inside(path) : std::nullopt;
  const bool fresh = name && (flags & O_CREAT) != 0 && ::syscall(SYS_access, path, F_OK) != 0;
  if (fresh && watch->dies_here()) Watch::die();
  const int fd = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
  if (fd < 0 || !name) return fd;
  if ((flags & O_DIRECTORY) != 0) {
    watch->folders[fd] = *name;
    return fd;
  }
  if (fresh) {
    watch->names[*name] = watch->files++;
    watch->note({.kind = DiskOp::Kind::kCreate, .file = watch->names[*name], .name = *name, .from = {}, .bytes = {}});
  }
  if ((flags & O_ACCMODE) == O_RDONLY || !watch->names.contains(*name)) return fd;
  const std::size_t file = watch->names.at(*name);
  watch->descriptors[fd] = file;
  watch->positions[fd] = 0;
  if ((flags & O_TRUNC) != 0) watch->note({.kind = DiskOp::Kind::kTruncate, .file = file, .name = {}, .from = {}, .bytes = {}});
  return fd;
}

int watched_truncate(int fd, std::uint64_t length) {
  if (watch != nullptr && watch->descriptors.contains(fd)) {
    watch->note(
        {.kind = DiskOp::Kind::kTruncate, .file = watch->descriptors.at(fd), .name = {}, .from = {}, .offset = length, .bytes = {}});
  }
  return static_cast<int>(::syscall(SYS_ftruncate, fd, length));
}

// ---- the states

struct FileState {
  std::string durable;
  std::vector<DiskOp> pending;  // writes and truncations
  std::size_t limbo = 0;        // so many of the first of them no fsync can save any more
};

struct DiskState {
  std::map<std::size_t, FileState> files;
  std::map<std::string, std::size_t> names;  // durable; folders have the number kIsFolder
  std::vector<DiskOp> pending_names;
};
constexpr auto kIsFolder = static_cast<std::size_t>(-1);

std::string folder_of(const std::string& name) {
  const auto slash = name.rfind('/');
  return slash == std::string::npos ? "" : name.substr(0, slash);
}

void apply_name(std::map<std::string, std::size_t>& names, const DiskOp& op) {
  switch (op.kind) {
    case DiskOp::Kind::kCreate: names[op.name] = op.file; break;
    case DiskOp::Kind::kFolder: names[op.name] = kIsFolder; break;
    case DiskOp::Kind::kUnlink: names.erase(op.name); break;
    case DiskOp::Kind::kRename:
      names[op.name] = op.file;  // the old name goes with the same change: a rename is one
      names.erase(op.from);
      break;
    default: break;
  }
}

enum class Tear : std::uint8_t { kWhole, kFirstHalf, kLastHalf, kZeros };

void apply_bytes(std::string& bytes, const DiskOp& op, Tear tear) {
  if (op.kind == DiskOp::Kind::kTruncate) {
    bytes.resize(op.offset, '\0');
    return;
  }
  std::uint64_t begin = 0;
  std::uint64_t end = op.bytes.size();
  if (tear == Tear::kFirstHalf) end = op.bytes.size() / 2;
  if (tear == Tear::kLastHalf) begin = op.bytes.size() / 2;
  if (bytes.size() < op.offset + end) bytes.resize(op.offset + end, '\0');
  if (tear == Tear::kZeros) {
    bytes.replace(op.offset, end, std::string(end, '\0'));
  } else {
    bytes.replace(op.offset + begin, end - begin, op.bytes, begin, end - begin);
  }
}

bool overlap(const DiskOp& a, const DiskOp& b) {
  return a.kind == DiskOp::Kind::kWrite && b.kind == DiskOp::Kind::kWrite && a.offset < b.offset + b.bytes.size() &&
         b.offset < a.offset + a.bytes.size();
}

/// A successful fsync. What an earlier one could not save stays as uncertain as it was, but for what has been written over since: that
/// page is new.
void settle(FileState& file) {
  const auto limbo = file.pending.begin() + static_cast<std::ptrdiff_t>(file.limbo);
  std::vector<DiskOp> uncertain;
  for (auto op = file.pending.begin(); op != limbo; ++op) {
    if (std::any_of(limbo, file.pending.end(), [&](const DiskOp& newer) { return overlap(*op, newer); })) {
      apply_bytes(file.durable, *op, Tear::kWhole);
    } else {
      uncertain.push_back(*op);
    }
  }
  for (auto op = limbo; op != file.pending.end(); ++op) apply_bytes(file.durable, *op, Tear::kWhole);
  file.limbo = uncertain.size();
  file.pending = std::move(uncertain);
}

void play(DiskState& disk, const DiskOp& op) {
  FileState& file = disk.files[op.file];
  switch (op.kind) {
    case DiskOp::Kind::kWrite:
    case DiskOp::Kind::kTruncate: file.pending.push_back(op); return;
    case DiskOp::Kind::kSync:
      if (op.failed) {
        file.limbo = file.pending.size();
        return;
      }
      settle(file);
      return;
    case DiskOp::Kind::kSyncFolder:
      if (op.failed) return;
      for (const DiskOp& change : disk.pending_names) {
        if (folder_of(change.name) == op.name) apply_name(disk.names, change);
      }
      std::erase_if(disk.pending_names, [&](const DiskOp& change) { return folder_of(change.name) == op.name; });
      return;
    default: disk.pending_names.push_back(op); return;
  }
}

/// One change that is not safe yet, and what may have become of it.
struct Choice {
  bool there = true;
  Tear tear = Tear::kWhole;
};

class States {
 public:
  States(const DiskState& disk, const std::function<void(const DiskImage&)>& check) : disk_(disk), check_(check) {
    choices_.resize(disk.pending_names.size());
    for (const auto& [number, file] : disk.files) {
      for (const DiskOp& op : file.pending) writes_.push_back(op.kind == DiskOp::Kind::kWrite);
    }
    choices_.resize(choices_.size() + writes_.size());
  }

  std::size_t run(std::size_t limit, Rng& random) {
    const std::size_t n = choices_.size();
    all(true);
    emit();
    if (n < 60 && (std::uint64_t{1} << n) <= limit) {
      for (std::uint64_t subset = 0; subset + 1 < (std::uint64_t{1} << n); ++subset) {
        for (std::size_t i = 0; i < n; ++i) choices_[i].there = ((subset >> i) & 1U) != 0;
        emit();
      }
    } else {
      sample(limit, random);
    }
    torn();
    return seen_.size();
  }

 private:
  void all(bool there) { std::ranges::fill(choices_, Choice{.there = there, .tear = Tear::kWhole}); }

  void sample(std::size_t limit, Rng& random) {
    all(false);
    emit();
    const std::size_t names = disk_.pending_names.size();
    for (const bool rest : {true, false}) {  // names without bytes, bytes without names; each change alone, and all but it
      for (std::size_t i = 0; i < choices_.size(); ++i) choices_[i].there = (i < names) == rest;
      emit();
      for (std::size_t i = 0; i < choices_.size(); ++i) {
        all(rest);
        choices_[i].there = !rest;
        emit();
      }
    }
    for (std::size_t i = 0; i < limit; ++i) {
      for (Choice& choice : choices_) choice = {.there = random.below(2) == 0, .tear = static_cast<Tear>(random.below(4))};
      emit();
    }
  }

  /// Each of the last writes torn, with everything else there and with nothing else.
  void torn() {
    constexpr std::size_t kLast = 8;
    const std::size_t names = disk_.pending_names.size();
    const std::size_t first = std::max(names, choices_.size() - std::min(kLast, choices_.size()));
    for (std::size_t i = first; i < choices_.size(); ++i) {
      if (!writes_[i - names]) continue;
      for (const bool rest : {true, false}) {
        for (const Tear tear : {Tear::kFirstHalf, Tear::kLastHalf, Tear::kZeros}) {
          all(rest);
          for (std::size_t name = 0; name < names; ++name) choices_[name].there = true;
          choices_[i] = {.there = true, .tear = tear};
          emit();
        }
      }
    }
  }

  void emit() {
    DiskImage image;
    auto names = disk_.names;
    std::size_t at = 0;
    for (const DiskOp& change : disk_.pending_names) {
      if (choices_[at++].there) apply_name(names, change);
    }
    std::map<std::size_t, std::string> contents;
    for (const auto& [number, file] : disk_.files) {
      std::string& bytes = contents[number] = file.durable;
      for (const DiskOp& op : file.pending) {
        const Choice choice = choices_[at++];
        if (choice.there) apply_bytes(bytes, op, choice.tear);
      }
    }
    for (const auto& [name, file] : names) {
      const std::string folder = folder_of(name);
      if (!folder.empty() && !names.contains(folder)) continue;  // its folder is not there
      if (file == kIsFolder) {
        image[name + "/"];
      } else {
        image[name] = contents[file];
      }
    }
    if (seen_.insert(image).second) check_(image);
  }

  const DiskState& disk_;
  const std::function<void(const DiskImage&)>& check_;
  std::vector<Choice> choices_;  // the names' first, then each file's
  std::vector<bool> writes_;
  std::set<DiskImage> seen_;
};

}  // namespace

DiskRecorder::DiskRecorder(const Path& root, const DiskPlan& plan) {
  static Watch one;
  one = Watch{.root = root.string(), .plan = plan, .ops = {}, .descriptors = {}, .folders = {}, .names = {}, .positions = {}};
  watch = &one;
}

DiskRecorder::~DiskRecorder() { watch = nullptr; }

std::size_t DiskRecorder::count() const { return watch->ops.size(); }

std::vector<DiskOp> DiskRecorder::take() { return std::exchange(watch->ops, {}); }

std::size_t DiskRecorder::syncs() const { return watch->syncs; }

std::size_t for_each_power_cut(const std::vector<DiskOp>& ops, std::size_t count, std::size_t limit, Rng& random,
                               const std::function<void(const DiskImage&)>& check) {
  DiskState disk;
  for (std::size_t i = 0; i < count; ++i) play(disk, ops[i]);
  return States(disk, check).run(limit, random);
}

void materialise(const DiskImage& image, const Path& folder) {
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  std::filesystem::create_directory(folder);
  for (const auto& [name, bytes] : image) {
    if (name.ends_with('/')) {
      std::filesystem::create_directory(folder / name.substr(0, name.size() - 1));
      continue;
    }
    const int fd = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, (folder / name).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600));
    ::syscall(SYS_write, fd, bytes.data(), bytes.size());
    ::syscall(SYS_close, fd);
  }
}

}  // namespace moru::edge

// ---- in place of the C library's

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const unsigned mode = (flags & O_CREAT) != 0 ? va_arg(arguments, unsigned) : 0;
  va_end(arguments);
  return moru::edge::watched_open(path, flags, mode);
}

ssize_t write(int fd, const void* bytes, std::size_t size) { return moru::edge::watched_write(fd, bytes, size, std::nullopt); }

ssize_t pwrite(int fd, const void* bytes, std::size_t size, off_t at) {
  return moru::edge::watched_write(fd, bytes, size, static_cast<std::uint64_t>(at));
}

int fsync(int fd) { return moru::edge::watched_sync(fd, SYS_fsync); }

int fdatasync(int fd) { return moru::edge::watched_sync(fd, SYS_fdatasync); }

int ftruncate(int fd, off_t length) noexcept { return moru::edge::watched_truncate(fd, static_cast<std::uint64_t>(length)); }

int close(int fd) {
  using moru::edge::watch;
  if (watch != nullptr) {
    watch->descriptors.erase(fd);
    watch->folders.erase(fd);
  }
  return static_cast<int>(::syscall(SYS_close, fd));
}

int mkdir(const char* path, mode_t mode) noexcept {
  using moru::edge::watch;
  const auto name = watch != nullptr ? watch->inside(path) : std::nullopt;
  if (name && watch->dies_here()) moru::edge::Watch::die();
  const auto made = static_cast<int>(::syscall(SYS_mkdirat, AT_FDCWD, path, mode));
  if (made == 0 && name) watch->note({.kind = moru::edge::DiskOp::Kind::kFolder, .name = *name, .from = {}, .bytes = {}});
  return made;
}

int unlink(const char* path) noexcept {
  using moru::edge::watch;
  const auto name = watch != nullptr ? watch->inside(path) : std::nullopt;
  if (name && watch->names.contains(*name)) {
    watch->note({.kind = moru::edge::DiskOp::Kind::kUnlink, .file = watch->names.at(*name), .name = *name, .from = {}, .bytes = {}});
    watch->names.erase(*name);
  }
  return static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

int rename(const char* from, const char* to) noexcept {
  using moru::edge::watch;
  const auto old_name = watch != nullptr ? watch->inside(from) : std::nullopt;
  const auto new_name = watch != nullptr ? watch->inside(to) : std::nullopt;
  if (old_name && new_name && watch->names.contains(*old_name)) {
    const std::size_t file = watch->names.at(*old_name);
    watch->note({.kind = moru::edge::DiskOp::Kind::kRename, .file = file, .name = *new_name, .from = *old_name, .bytes = {}});
    watch->names.erase(*old_name);
    watch->names[*new_name] = file;
  }
  return static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0U));
}

}  // extern "C"
