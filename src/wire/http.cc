// SPDX-License-Identifier: Apache-2.0
// The one file that knows libcurl's functions; curl.cc knows its library.
#include "wire/http.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <memory>

#include "core/json.h"
#include "core/text.h"
#include "wire/curl.h"

namespace moru::wire {
namespace {

constexpr std::size_t kMaxErrorText = 1024;
constexpr TimeNs kConnectTimeout = 10 * kSecond;

struct FreeHandle {
  void operator()(CURL* handle) const { curl().easy_cleanup(handle); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl().slist_free_all(list); }
};

/// OpenSSL writes without MSG_NOSIGNAL: while this object lives, a server that went away is an error in this thread and
/// not the end of the process.
class NoSigpipe {
 public:
  NoSigpipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &old_);
  }
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;
  ~NoSigpipe() {
    if (sigismember(&old_, SIGPIPE) == 1) return;
    const timespec at_once{};
    while (sigtimedwait(&pipe_, nullptr, &at_once) > 0) {
    }
    pthread_sigmask(SIG_SETMASK, &old_, nullptr);
  }

 private:
  sigset_t pipe_{};
  sigset_t old_{};
};

/// Takes a piece of the body; an error ends the exchange and is what the caller gets.
using Sink = std::function<Status(int status, std::string_view piece)>;

/// One exchange. Lives on the stack of the call; callbacks point at it.
struct Exchange {
  const HttpOptions* options = nullptr;
  CURL* handle = nullptr;
  Sink sink;
  Status sink_status;
  std::string_view upload;
  std::array<char, CURL_ERROR_SIZE> message{};
};

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto* exchange = static_cast<Exchange*>(user);
  long status = 0;
  curl().easy_getinfo(exchange->handle, CURLINFO_RESPONSE_CODE, &status);
  exchange->sink_status = exchange->sink(static_cast<int>(status), {data, size * count});
  return exchange->sink_status ? size * count : CURL_WRITEFUNC_ERROR;
}

std::size_t on_upload(char* data, std::size_t size, std::size_t count, void* user) {
  auto* exchange = static_cast<Exchange*>(user);
  const std::size_t taken = exchange->upload.copy(data, size * count);
  exchange->upload.remove_prefix(taken);
  return taken;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto& cancelled = static_cast<Exchange*>(user)->options->cancelled;
  return cancelled && cancelled() ? 1 : 0;
}

Error curl_error(CURLcode code, const std::string& url, const Exchange& exchange) {
  const char* text = exchange.message[0] != '\0' ? exchange.message.data() : curl().easy_strerror(code);
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT: return {ErrorCode::kDeadlineExceeded, fmt::format("{}: {}, expected an answer in time", url, text)};
    case CURLE_PEER_FAILED_VERIFICATION:
      return {
          ErrorCode::kCorrupt,
          fmt::format("{}: found a server certificate that is not trusted ({}), expected one of the known CA for this name", url, text)};
    case CURLE_SSL_CACERT_BADFILE:
      return {ErrorCode::kInvalidArgument,
              fmt::format("{}: CA file '{}' cannot be used ({}), expected PEM", url, exchange.options->ca_file.string(), text)};
    case CURLE_SSL_CERTPROBLEM:
      return {ErrorCode::kInvalidArgument, fmt::format("{}: client certificate '{}' or its key cannot be used ({}), expected a PEM pair",
                                                       url, exchange.options->certificate_file.string(), text)};
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: return {ErrorCode::kInvalidArgument, fmt::format("{}: {}, expected an https:// address", url, text)};
    case CURLE_ABORTED_BY_CALLBACK: return {ErrorCode::kCancelled, fmt::format("{}: stopped as asked", url)};
    case CURLE_OUT_OF_MEMORY: return {ErrorCode::kResourceExhausted, fmt::format("{}: {}", url, text)};
    default: return {ErrorCode::kUnavailable, fmt::format("{}: {}, expected an answer; is a server running there?", url, text)};
  }
}

void set_tls(CURL* handle, const HttpOptions& options) {
  curl().easy_setopt(handle, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl().easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, options.insecure ? 0L : 1L);
  curl().easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, options.insecure ? 0L : 2L);
  if (!options.ca_file.empty() || !options.machine_ca) {
    // Only the one CA counts, never the machine's list.
    curl().easy_setopt(handle, CURLOPT_CAPATH, nullptr);
    if (!options.insecure) curl().easy_setopt(handle, CURLOPT_CAINFO, options.ca_file.c_str());
  }
  if (!options.certificate_file.empty()) {
    curl().easy_setopt(handle, CURLOPT_SSLCERT, options.certificate_file.c_str());
    curl().easy_setopt(handle, CURLOPT_SSLKEY, options.key_file.c_str());
    curl().easy_setopt(handle, CURLOPT_KEYPASSWD, "");  // never asks on the terminal
  }
}

void set_limits(CURL* handle, const HttpOptions& options, bool is_download) {
  const long timeout_ms = static_cast<long>(std::max<TimeNs>(options.timeout / kMillisecond, 1));
  curl().easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl().easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
                     static_cast<long>(std::min<TimeNs>(kConnectTimeout, options.timeout) / kMillisecond));
  if (is_download) {
    curl().easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl().easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, std::max(timeout_ms / 1000, 1L));
  } else {
    curl().easy_setopt(handle, CURLOPT_TIMEOUT_MS, timeout_ms);
  }
}

struct Request {
  std::string method;
  std::string url;
  std::string_view body;
  std::string range;
  bool is_download = false;
};

Status check_request(const Request& request, const HttpOptions& options) {
  const bool plain = options.plain && request.url.starts_with("http://");
  if (!plain && !request.url.starts_with("https://"))
    return fail(ErrorCode::kInvalidArgument, fmt::format("'{}': found another scheme, expected an https:// address", request.url));
  if (!plain && !options.insecure && !options.machine_ca && options.ca_file.empty())
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found no CA file to check the server with, expected one", request.url));
  return {};
}

using CurlPtr = std::unique_ptr<CURL, FreeHandle>;

/// Null where the library is not there, or has no memory: perform() says which.
CurlPtr make_handle() { return CurlPtr(curl_library() ? curl().easy_init() : nullptr); }

/// Runs one exchange; the status of the response.
Result<int> perform(CURL* handle, const Request& request, const HttpOptions& options, Sink sink) {
  MORU_RETURN_IF_ERROR(check_request(request, options));
  if (!curl_library()) return fail(curl_library().error().in(request.url));
  if (handle == nullptr) return fail(ErrorCode::kResourceExhausted, fmt::format("{}: the HTTP library cannot start", request.url));
  curl().easy_reset(handle);  // its connections stay
  Exchange exchange{
      .options = &options, .handle = handle, .sink = std::move(sink), .sink_status = {}, .upload = request.body, .message = {}};
  curl().easy_setopt(handle, CURLOPT_URL, request.url.c_str());
  curl().easy_setopt(handle, CURLOPT_PROTOCOLS_STR, options.plain ? "http,https" : "https");
  curl().easy_setopt(handle, CURLOPT_PROXY, "");
  curl().easy_setopt(handle, CURLOPT_ERRORBUFFER, exchange.message.data());
  curl().easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
  curl().easy_setopt(handle, CURLOPT_WRITEDATA, &exchange);
  curl().easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  curl().easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl().easy_setopt(handle, CURLOPT_XFERINFODATA, &exchange);
  set_tls(handle, options);
  set_limits(handle, options, request.is_download);

  std::unique_ptr<curl_slist, FreeList> headers(curl().slist_append(nullptr, "Expect:"));
  const auto add_header = [&](const std::string& line) { headers.reset(curl().slist_append(headers.release(), line.c_str())); };
  if (!options.bearer.empty()) add_header("Authorization: Bearer " + options.bearer);
  for (const auto& [name, value] : options.headers) add_header(fmt::format("{}: {}", name, value));
  if (request.method == "POST") {
    add_header("Content-Type: " + options.content_type);
    curl().easy_setopt(handle, CURLOPT_POST, 1L);
    curl().easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl().easy_setopt(handle, CURLOPT_POSTFIELDS, request.body.data() == nullptr ? "" : request.body.data());
  } else if (request.method == "PUT") {
    curl().easy_setopt(handle, CURLOPT_UPLOAD, 1L);
    curl().easy_setopt(handle, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl().easy_setopt(handle, CURLOPT_READFUNCTION, on_upload);
    curl().easy_setopt(handle, CURLOPT_READDATA, &exchange);
  }
  if (!request.range.empty()) curl().easy_setopt(handle, CURLOPT_RANGE, request.range.c_str());
  curl().easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());

  const CURLcode code = curl().easy_perform(handle);
  if (!exchange.sink_status) return fail(exchange.sink_status.error());
  if (code != CURLE_OK) return fail(curl_error(code, request.url, exchange));
  long status = 0;
  curl().easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  return static_cast<int>(status);
}

Result<HttpResponse> exchange_text(CURL* handle, const Request& request, const HttpOptions& options) {
  HttpResponse response;
  MORU_ASSIGN_OR_RETURN(response.status, perform(handle, request, options, [&](int, std::string_view piece) -> Status {
                          if (response.body.size() + piece.size() > options.max_response_bytes) {
                            return fail(ErrorCode::kResourceExhausted,
                                        fmt::format("{}: found a response of more than {} bytes, expected at most that", request.url,
                                                    options.max_response_bytes));
                          }
                          response.body += piece;
                          return {};
                        }));
  curl_off_t seconds = 0;
  if (curl().easy_getinfo(handle, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK && seconds > 0)
    response.retry_after = std::min<TimeNs>(seconds, 86'400) * kSecond;
  return response;
}

Result<HttpResponse> exchange_once(const Request& request, const HttpOptions& options) {
  const NoSigpipe guard;  // outlives the handle: closing it writes too
  return exchange_text(make_handle().get(), request, options);
}

/// The sentence in {"error": "..."}, else the beginning of the body.
std::string error_text(const HttpResponse& response) {
  std::string text;
  if (const auto json = parse_json(response.body, "error")) {
    if (const auto sentence = json_field<std::string>(*json, "error", "error")) text = *sentence;
  }
  if (text.empty()) text = fmt::format("status {} without a reason", response.status);
  text.resize(std::min(text.size(), kMaxErrorText));
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return text;
}

ErrorCode code_of(int status) {
  switch (status) {
    case 400:
    case 401:
    case 403:
    case 409:
    case 410:
    case 422: return ErrorCode::kInvalidArgument;
    case 404: return ErrorCode::kNotFound;
    case 503: return ErrorCode::kUnavailable;
    default: return ErrorCode::kInternal;
  }
}

/// The part of a download that is on disk. Bytes are appended in order.
class PartFile {
 public:
  explicit PartFile(Path path) : path_(std::move(path)) {}
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;
  ~PartFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  /// A part longer than `size` belongs to something else: it is begun anew.
  Status open(std::uint64_t size) {
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd_ < 0) return fail(errno_error("create", path_));
    const off_t end = ::lseek(fd_, 0, SEEK_END);
    if (end < 0) return fail(errno_error("seek", path_));
    size_ = static_cast<std::uint64_t>(end);
    return size_ > size ? restart() : Status{};
  }
  Status restart() {
    if (::ftruncate(fd_, 0) != 0 || ::lseek(fd_, 0, SEEK_SET) < 0) return fail(errno_error("truncate", path_));
    size_ = 0;
    return {};
  }
  Status append(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return fail(errno_error("write", path_));
      bytes.remove_prefix(static_cast<std::size_t>(written));
      size_ += static_cast<std::uint64_t>(written);
    }
    return {};
  }
  Status finish(const Path& path) {
    if (::fsync(fd_) != 0) return fail(errno_error("fsync", path_));
    if (::rename(path_.c_str(), path.c_str()) != 0) return fail(errno_error("rename to", path));
    return sync_folder(path.has_parent_path() ? path.parent_path() : Path("."));
  }
  std::uint64_t size() const { return size_; }

 private:
  Path path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
};

/// Fetches what is missing of `part` once.
Status fetch_rest(const std::string& url, PartFile& part, std::uint64_t size, const HttpOptions& options) {
  const bool resumed = part.size() > 0;
  bool first = true;
  HttpResponse refusal;
  const Request request{
      .method = "GET", .url = url, .body = {}, .range = resumed ? fmt::format("{}-", part.size()) : "", .is_download = true};
  const NoSigpipe guard;
  const CurlPtr handle = make_handle();
  auto status = perform(handle.get(), request, options, [&](int code, std::string_view piece) -> Status {
    if (code != 200 && code != 206) {
      refusal.body += piece.substr(0, std::min(piece.size(), 2 * kMaxErrorText - std::min(refusal.body.size(), 2 * kMaxErrorText)));
      return {};
    }
    // 200 to a range request: the server sends everything again.
    if (first && resumed && code == 200) MORU_RETURN_IF_ERROR(part.restart());
    first = false;
    if (piece.size() > size - part.size()) {
      MORU_RETURN_IF_ERROR(part.restart());
      return fail(ErrorCode::kCorrupt, fmt::format("{}: found more than {} bytes, expected that many", url, size));
    }
    return part.append(piece);
  });
  if (!status) return fail(std::move(status).error());
  refusal.status = *status;
  if (refusal.status == 416) MORU_RETURN_IF_ERROR(part.restart());
  if (refusal.status != 200 && refusal.status != 206) {
    MORU_RETURN_IF_ERROR(expect_success(std::move(refusal), url));
  }
  return {};
}

}  // namespace

Result<HttpResponse> http_get(const std::string& url, const HttpOptions& options) {
  return exchange_once({.method = "GET", .url = url, .body = {}, .range = {}}, options);
}

Result<HttpResponse> http_post(const std::string& url, std::string_view body, const HttpOptions& options) {
  return exchange_once({.method = "POST", .url = url, .body = body, .range = {}}, options);
}

Result<HttpResponse> http_put(const std::string& url, std::string_view body, const HttpOptions& options) {
  return exchange_once({.method = "PUT", .url = url, .body = body, .range = {}}, options);
}

struct HttpClient::Handle {
  CurlPtr curl = make_handle();
};

HttpClient::HttpClient() : handle_(std::make_unique<Handle>()) {}
HttpClient::~HttpClient() {
  const NoSigpipe guard;
  handle_.reset();
}

Result<HttpResponse> HttpClient::get(const std::string& url, const HttpOptions& options) {
  const NoSigpipe guard;
  return exchange_text(handle_->curl.get(), {.method = "GET", .url = url, .body = {}, .range = {}}, options);
}

Result<HttpResponse> HttpClient::post(const std::string& url, std::string_view body, const HttpOptions& options) {
  const NoSigpipe guard;
  return exchange_text(handle_->curl.get(), {.method = "POST", .url = url, .body = body, .range = {}}, options);
}

Result<std::string> expect_success(Result<HttpResponse> response, std::string_view where) {
  if (!response) return fail(response.error().in(where));
  if (response->status >= 200 && response->status < 300) return std::move(response->body);
  return fail(code_of(response->status), fmt::format("{}: the hub answered {}: {}", where, response->status, error_text(*response)));
}

Status http_download(const std::string& url, const Path& path, std::uint64_t size, const HttpOptions& options) {
  MORU_RETURN_IF_ERROR(make_folders(path.parent_path()));
  Path part_path = path;
  part_path += ".part";
  PartFile part(part_path);
  MORU_RETURN_IF_ERROR(part.open(size));
  if (part.size() < size) MORU_RETURN_IF_ERROR(fetch_rest(url, part, size, options));
  if (part.size() < size) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("{}: the download ended after {} bytes, expected {}; it goes on from there at the next attempt", url,
                            part.size(), size));
  }
  return part.finish(path);
}

}  // namespace moru::wire
