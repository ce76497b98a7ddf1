// SPDX-License-Identifier: Apache-2.0
#include "runtime/install/client.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

#include "core/check.h"
#include "core/process.h"
#include "core/text.h"

namespace moru::runtime {
namespace {

/// PyPI takes '-', '_' and '.' in names as the same, and no notice of case.
std::string plain_name(std::string_view name) {
  std::string plain(name);
  for (char& c : plain) c = c == '-' || c == '.' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return plain;
}

std::string wheel_name(const PackageSpec& package) {
  return fmt::format("{}-{}-{}.whl", plain_name(package.name), package.version, package.tag);
}

/// NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl; the build number is not pinned, the digest is.
bool is_wheel(const PackageSpec& package, std::string_view file) {
  constexpr std::size_t kParts = 5;
  const auto parts = split(file, '-');
  return (parts.size() == kParts || parts.size() == kParts + 1) && plain_name(parts[0]) == plain_name(package.name) &&
         parts[1] == package.version && file.ends_with(fmt::format("-{}.whl", package.tag));
}

std::vector<std::string> pip_arguments(const PackageSpec& package, const Path& folder) {
  std::vector<std::string> arguments = {"python3",
                                        "-m",
                                        "pip",
                                        "download",
                                        "--no-deps",
                                        "--only-binary=:all:",
                                        "--no-input",
                                        "--no-cache-dir",
                                        "--disable-pip-version-check",
                                        "--progress-bar=off"};
  // The wheel of the tag, whatever the Python that happens to be here: only its libraries are used.
  const auto tag = split(package.tag, '-');
  MORU_CHECK(tag.size() == 3);
  if (tag[0].starts_with("cp")) {
    arguments.insert(arguments.end(), {"--implementation=cp", fmt::format("--python-version={}.{}", tag[0].substr(2, 1), tag[0].substr(3)),
                                       fmt::format("--abi={}", tag[1])});
  }
  for (const auto platform : split(tag[2], '.')) arguments.push_back(fmt::format("--platform={}", platform));
  arguments.insert(arguments.end(), {"-d", folder.string(), fmt::format("{}=={}", package.name, package.version)});
  return arguments;
}

/// "org.bytedeco:tensorrt": the group and the artefact.
std::pair<std::string_view, std::string_view> coordinates(const PackageSpec& package) {
  const auto parts = split(package.name, ':');
  MORU_CHECK(parts.size() == 2);
  return {parts[0], parts[1]};
}

std::string jar_name(const PackageSpec& package) {
  const std::string classifier = package.tag.empty() ? "" : fmt::format("-{}", package.tag);
  return fmt::format("{}-{}{}.jar", coordinates(package).second, package.version, classifier);
}

bool is_jar(const PackageSpec& package, std::string_view file) { return file == jar_name(package); }

std::vector<std::string> maven_arguments(const PackageSpec& package, const Path& folder) {
  // A repository of its own, or the archive and all plug-ins would stay in the user's.
  return {"mvn",
          "--batch-mode",
          fmt::format("-Dmaven.repo.local={}", folder.string()),
          "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:get",
          fmt::format("-Dartifact={}:{}:jar{}{}", package.name, package.version, package.tag.empty() ? "" : ":", package.tag),
          "-Dtransitive=false"};
}

struct Client {
  std::string_view name;
  std::string_view debian;  ///< the packages that bring it
  std::string (*archive)(const PackageSpec& package);
  bool (*is_archive)(const PackageSpec& package, std::string_view file);
  std::vector<std::string> (*arguments)(const PackageSpec& package, const Path& folder);
};
constexpr Client kClients[] = {
    {.name = "pip", .debian = "python3-pip", .archive = wheel_name, .is_archive = is_wheel, .arguments = pip_arguments},
    {.name = "maven", .debian = "maven", .archive = jar_name, .is_archive = is_jar, .arguments = maven_arguments},
};

const Client& client_of(const PackageSpec& package) {
  const auto* found = std::ranges::find(kClients, package.client, &Client::name);
  MORU_CHECK(found != std::end(kClients));
  return *found;
}

std::uint64_t bytes_in(const Path& folder) {
  std::uint64_t total = 0;
  std::error_code error;
  for (auto it = std::filesystem::recursive_directory_iterator(folder, error); !error && it != std::filesystem::end(it);
       it.increment(error)) {
    std::error_code gone;  // a client renames its files as it goes
    const auto size = it->is_regular_file(gone) ? it->file_size(gone) : 0;
    if (!gone) total += size;
  }
  return total;
}

/// The line that says why: the first that calls itself an error, else the last.
std::string words_of(const Path& log) {
  constexpr std::size_t kMaxWords = 300;
  constexpr std::uint64_t kMaxLog = 16U << 20U;
  const std::string text = read_file(log, kMaxLog).value_or("");
  std::string_view words = "nothing";
  for (const auto line : split(text, '\n')) {
    if (trim(line).empty()) continue;
    words = trim(line);
    if (words.find("ERROR") != words.npos || words.find("No module named") != words.npos) break;
  }
  std::string clean;
  for (const char c : words.substr(0, kMaxWords)) clean.push_back(c >= ' ' && c < 0x7F ? c : '?');
  return clean;
}

/// Waits for a client that goes on writing; one that hangs is stopped.
Result<ExitStatus> watch(Process& child, const Path& folder, const FetchProgress& progress) {
  constexpr TimeNs kLook = 200 * kMillisecond;
  constexpr TimeNs kSilence = 600 * kSecond;
  std::uint64_t bytes = 0;
  TimeNs last_news = system_clock().steady_now();
  while (true) {
    if (const auto status = child.wait_for(kLook)) return *status;
    if (stop_requested()) {
      child.stop();
      return fail(ErrorCode::kCancelled, "found a request to stop, expected to finish");
    }
    const TimeNs now = system_clock().steady_now();
    if (const std::uint64_t found = bytes_in(folder); found != bytes) {
      bytes = found;
      last_news = now;
      progress(bytes);
    }
    if (now - last_news > kSilence) {
      child.stop();
      return fail(ErrorCode::kDeadlineExceeded,
                  fmt::format("found no news for {}, expected an archive that grows", human_duration_ns(kSilence)));
    }
  }
}

}  // namespace

std::string archive_name(const PackageSpec& package) { return client_of(package).archive(package); }

std::string fetch_command(const PackageSpec& package) {
  return fmt::format("{}", fmt::join(client_of(package).arguments(package, "."), " "));
}

Result<Path> find_archive(const PackageSpec& package, const Path& folder) {
  std::error_code error;
  for (auto it = std::filesystem::recursive_directory_iterator(folder, error); !error && it != std::filesystem::end(it);
       it.increment(error)) {
    std::error_code gone;
    if (it->is_regular_file(gone) && client_of(package).is_archive(package, it->path().filename().string())) return it->path();
  }
  return fail(ErrorCode::kNotFound,
              fmt::format("found no {} in '{}'{}, expected that archive; get it with: {}", archive_name(package), folder.string(),
                          error ? fmt::format(" ({})", error.message()) : "", fetch_command(package)));
}

Result<Path> fetch_package(const PackageSpec& package, const Path& folder, const FetchProgress& progress) {
  const Client& client = client_of(package);
  const Path work = folder / "archive";
  MORU_RETURN_IF_ERROR(make_folders(work));
  ProcessOptions options;
  options.arguments = client.arguments(package, work);
  // What it holds in hand is here too, so that it is counted, and gone when the folder is.
  options.environment = {{"TMPDIR", work.string()}};
  options.output_file = folder / "client.log";
  const auto missing = [&](std::string_view found) {
    return fail(
        ErrorCode::kUnavailable,
        fmt::format("found {}, expected the package client {}; install it: apt-get install {}, or get the archive elsewhere and give its "
                    "folder with --from",
                    found, client.name, client.debian));
  };
  if (!find_program(options.arguments[0])) return missing(fmt::format("no program '{}'", options.arguments[0]));
  MORU_ASSIGN_OR_RETURN(Process child, Process::start(options));
  MORU_ASSIGN_OR_RETURN(const ExitStatus status, watch(child, work, progress));
  if (status.code != 0) {
    const std::string words = words_of(*options.output_file);
    if (words.find("No module named pip") != words.npos) return missing("a Python without pip");
    return fail(ErrorCode::kUnavailable,
                fmt::format("{} ended with exit code {} and says '{}', expected {}; check that it reaches its package index", client.name,
                            status.code, words, archive_name(package)));
  }
  return find_archive(package, work);
}

}  // namespace moru::runtime
