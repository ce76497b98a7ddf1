// SPDX-License-Identifier: Apache-2.0
#include "runtime/install/install.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>

#include "core/digest.h"
#include "core/file_lock.h"
#include "core/file_pieces.h"
#include "core/process.h"
#include "core/text.h"
#include "core/zip.h"
#include "runtime/install/client.h"
#include "runtime/install/staging.h"

namespace moru::runtime {
namespace {

Path backends_folder() { return moru_home() / "backends"; }

Status go_on() {
  if (stop_requested()) return fail(ErrorCode::kCancelled, "found a request to stop, expected to finish");
  return {};
}

Result<FileLock> lock_backends() {
  auto lock = FileLock::take(backends_folder() / ".lock");
  if (lock || lock.error().code != ErrorCode::kUnavailable) return lock;
  return fail(ErrorCode::kUnavailable, "found another install or remove at work, expected to be the only one; wait for it");
}

Status check_packages(const BackendSpec& backend) {
  if (backend.packages.empty())
    return fail(ErrorCode::kInvalidArgument, "found no package of it, expected a backend that has one; it is part of moru");
  utsname machine{};
  ::uname(&machine);
  for (const PackageSpec& package : backend.packages) {
    if (package.tag.ends_with("any") || package.tag.find(machine.machine) != package.tag.npos) continue;
    return fail(ErrorCode::kUnsupported,
                fmt::format("found a machine of {}, expected the one of {}; get its library for this machine and name "
                            "its folder in MORU_BACKEND_PATH",
                            machine.machine, archive_name(package)));
  }
  return {};
}

Result<std::string> digest_of(const Path& path) {
  Sha256 digest;
  MORU_RETURN_IF_ERROR(read_file_in_pieces(path, [&](std::string_view piece) {
    digest.update(piece);
    return go_on();
  }));
  return digest.finish();
}

/// The user's file may change under our hands, so a copy of our own is what is verified and used.
Status copy_archive(const Path& from, const Path& to) {
  MORU_ASSIGN_OR_RETURN(FileWriter writer, FileWriter::create(to));
  return read_file_in_pieces(from, [&](std::string_view piece) -> Status {
    MORU_RETURN_IF_ERROR(writer.write(piece));
    return go_on();
  });
}

/// What install_backend() does, step by step.
class Installer {
 public:
  Installer(const BackendSpec& backend, const InstallOptions& options, const Staging& staging)
      : backend_(backend), options_(options), staging_(staging) {
    manifest_.backend = backend.name;
    manifest_.installed_at = format_utc(system_clock().wall_now());
  }

  Status add(const PackageSpec& package) {
    MORU_ASSIGN_OR_RETURN(const Path archive, get(package));
    MORU_ASSIGN_OR_RETURN(const std::string digest, digest_of(archive));
    if (digest != package.sha256) {
      return fail(ErrorCode::kCorrupt, fmt::format("{}: found SHA-256 {}, expected {}; the package is not the one that was pinned",
                                                   archive_name(package), digest, package.sha256));
    }
    MORU_RETURN_IF_ERROR_IN(archive_name(package), unpack(package, archive));
    manifest_.packages.push_back({std::string(package.name), std::string(package.version), std::string(package.sha256)});
    std::error_code ignored;  // its room may be needed for the next one
    std::filesystem::remove(archive, ignored);
    return {};
  }

  Status put() {
    MORU_RETURN_IF_ERROR(write_manifest(manifest_, staging_.result()));
    report(InstallStep::kPut, backend_.packages.back(), 0, 0);
    MORU_RETURN_IF_ERROR(go_on());
    return staging_.put();
  }

 private:
  void report(InstallStep step, const PackageSpec& package, std::uint64_t done, std::uint64_t total) const {
    if (options_.progress) options_.progress(step, package, done, total);
  }

  /// The package's archive in a place that is ours alone.
  Result<Path> get(const PackageSpec& package) const {
    if (options_.from.empty()) {
      return fetch_package(package, staging_.work(),
                           [&](std::uint64_t bytes) { report(InstallStep::kFetch, package, bytes, package.size_bytes); });
    }
    MORU_ASSIGN_OR_RETURN(const Path found, find_archive(package, options_.from));
    Path copy = staging_.work() / archive_name(package);
    MORU_RETURN_IF_ERROR(copy_archive(found, copy));
    return copy;
  }

  Status unpack(const PackageSpec& package, const Path& archive) {
    MORU_ASSIGN_OR_RETURN(const MappedFile bytes, MappedFile::open(archive));
    MORU_ASSIGN_OR_RETURN(const ZipReader reader, ZipReader::open(bytes.bytes()));
    std::vector<std::size_t> members;
    std::uint64_t total = 0;
    for (const PackageFile& file : package.files) {
      const auto member = std::ranges::find(reader.members(), file.member, &ZipReader::Member::name);
      if (member == reader.members().end())
        return fail(ErrorCode::kCorrupt, fmt::format("found no member '{}', expected one", file.member));
      members.push_back(static_cast<std::size_t>(member - reader.members().begin()));
      total += member->size;
    }
    std::uint64_t done = 0;
    const auto count = [&](std::size_t more) { report(InstallStep::kUnpack, package, done += more, total); };
    for (std::size_t i = 0; i < members.size(); ++i) MORU_RETURN_IF_ERROR(take_out(reader, members[i], package.files[i].file, count));
    return {};
  }

  Status take_out(const ZipReader& reader, std::size_t member, std::string_view file, const std::function<void(std::size_t)>& count) {
    const Path path = staging_.result() / file;
    MORU_RETURN_IF_ERROR(make_folders(path.parent_path()));
    MORU_ASSIGN_OR_RETURN(FileWriter writer, FileWriter::create(path));
    Sha256 digest;
    std::uint64_t size = 0;
    const auto take = [&](std::string_view piece) -> Status {
      MORU_RETURN_IF_ERROR(writer.write(piece));
      digest.update(piece);
      size += piece.size();
      count(piece.size());
      return go_on();
    };
    MORU_RETURN_IF_ERROR(reader.extract(member, take));
    manifest_.files.push_back({std::string(file), size, digest.finish()});
    return writer.finish();
  }

  const BackendSpec& backend_;
  const InstallOptions& options_;
  const Staging& staging_;
  Manifest manifest_;
};

bool is_pinned(const Manifest& manifest, const BackendSpec& backend) {
  return std::ranges::equal(manifest.packages, backend.packages, [](const InstalledPackage& found, const PackageSpec& pinned) {
    return found.name == pinned.name && found.version == pinned.version && found.sha256 == pinned.sha256;
  });
}

/// The first file that is not as it was installed; empty when there is none.
std::string changed_file(const Manifest& manifest, const Path& folder) {
  for (const InstalledFile& file : manifest.files) {
    const auto digest = digest_of(folder / file.file);
    if (!digest) return digest.error().message;
    if (*digest != file.sha256)
      return fmt::format("'{}': found SHA-256 {}, expected {}", (folder / file.file).string(), *digest, file.sha256);
  }
  return "";
}

Result<Installation> install_locked(const BackendSpec& backend, const InstallOptions& options) {
  MORU_RETURN_IF_ERROR(check_packages(backend));
  MORU_RETURN_IF_ERROR(make_folders(backends_folder()));
  MORU_ASSIGN_OR_RETURN(const FileLock lock, lock_backends());
  Installation before = look_at_installation(backend);
  if (before.state == InstallState::kOk) return before;
  if (before.state == InstallState::kOwn) return fail(ErrorCode::kInvalidArgument, before.detail + "; move it away first");
  {
    MORU_ASSIGN_OR_RETURN(const Staging staging, Staging::create(backends_folder(), backend.name));
    Installer installer(backend, options, staging);
    for (const PackageSpec& package : backend.packages) MORU_RETURN_IF_ERROR(installer.add(package));
    MORU_RETURN_IF_ERROR(installer.put());
  }
  return look_at_installation(backend);
}

}  // namespace

std::string_view to_string(InstallState state) {
  switch (state) {
    case InstallState::kAbsent: return "not installed";
    case InstallState::kOk: return "ok";
    case InstallState::kChanged: return "changed";
    case InstallState::kOtherVersion: return "other version";
    case InstallState::kOwn: return "not by moru";
  }
  return "";
}

Installation look_at_installation(const BackendSpec& backend) {
  Installation found;
  found.folder = backends_folder() / backend.name;
  const auto with = [&](InstallState state, std::string detail) {
    found.state = state;
    found.detail = std::move(detail);
    return found;
  };
  std::error_code error;
  if (!std::filesystem::exists(found.folder, error)) return with(InstallState::kAbsent, "");
  auto manifest = read_manifest(found.folder);
  if (!manifest && manifest.error().code == ErrorCode::kNotFound)
    return with(InstallState::kOwn,
                fmt::format("found no {} in '{}', expected a folder that moru made", kManifestFile, found.folder.string()));
  if (!manifest) return with(InstallState::kChanged, manifest.error().message);
  found.manifest = std::move(*manifest);
  for (const InstalledFile& file : found.manifest.files) found.size_bytes += file.size_bytes;
  std::string changed = changed_file(found.manifest, found.folder);
  if (!changed.empty()) return with(InstallState::kChanged, std::move(changed));
  if (!is_pinned(found.manifest, backend)) return with(InstallState::kOtherVersion, "found other packages than those that this moru pins");
  return with(InstallState::kOk, "");
}

Result<Installation> install_backend(const BackendSpec& backend, const InstallOptions& options) {
  auto installed = install_locked(backend, options);
  if (!installed) return fail(installed.error().in(fmt::format("install {}", backend.name)));
  return installed;
}

Result<Manifest> remove_backend(const BackendSpec& backend) {
  const Path folder = backends_folder() / backend.name;
  const std::string where = fmt::format("remove {}", backend.name);
  std::error_code error;
  if (!std::filesystem::exists(folder, error))
    return fail(ErrorCode::kNotFound, fmt::format("{}: found no '{}', expected an installed backend", where, folder.string()));
  MORU_ASSIGN_OR_RETURN_IN(where, const FileLock lock, lock_backends());
  auto manifest = read_manifest(folder);
  if (!manifest && manifest.error().code == ErrorCode::kNotFound)
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found no {} in '{}', expected a folder that moru made; remove it by hand",
                                                         where, kManifestFile, folder.string()));
  if (!manifest)
    return fail(ErrorCode::kCorrupt, fmt::format("{}: {}; install it again first, or remove it by hand", where, manifest.error().message));
  for (const InstalledFile& file : manifest->files) {
    std::filesystem::remove(folder / file.file, error);
    if (error) return fail(ErrorCode::kIo, fmt::format("{}: remove '{}': {}", where, (folder / file.file).string(), error.message()));
    // Folders that are empty now; one with a file of the user's stays.
    for (Path parent = Path(file.file).parent_path(); !parent.empty(); parent = parent.parent_path())
      std::filesystem::remove(folder / parent, error);
  }
  // The list goes last: what is interrupted can be done again.
  std::filesystem::remove(folder / kManifestFile, error);
  std::filesystem::remove(folder, error);
  return manifest;
}

}  // namespace moru::runtime
