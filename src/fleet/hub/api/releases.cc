// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <charconv>

#include "core/json.h"
#include "fleet/hub/api/endpoints.h"
#include "wire/http_server/url.h"

namespace moru::fleet {
namespace {

Json describe(const ReleaseRow& row) {
  return {{"release", row.release}, {"name", row.name}, {"sha256", row.sha256}, {"size", row.size}, {"added", row.added}};
}

}  // namespace

HttpResponse put_release(const ApiContext& context, const HttpRequest& request, const std::string&) {
  const auto label = read_bundle_label(request.body);
  if (!label) return http_error(422, label.error().message);
  const auto known = context.store.release(label->release);
  if (!known) return http_failure(known.error());
  auto digest = context.artefacts.put(request.body);
  if (!digest) return http_failure(digest.error());
  const ReleaseRow row{.release = label->release,
                       .name = label->name,
                       .sha256 = *digest,
                       .size = request.body.size(),
                       .added = *known ? (*known)->added : context.clock.wall_now()};
  const auto added = context.store.add_release(row);
  if (!added)
    return added.error().code == ErrorCode::kInvalidArgument ? http_error(409, added.error().message) : http_failure(added.error());
  return http_json(describe(row));
}

HttpResponse get_releases(const ApiContext& context, const HttpRequest&, const std::string&) {
  const auto rows = context.store.releases();
  if (!rows) return http_failure(rows.error());
  Json releases = Json::array();
  for (const ReleaseRow& row : *rows) releases.push_back(describe(row));
  return http_json({{"releases", std::move(releases)}});
}

HttpResponse get_bundle(const ApiContext& context, const HttpRequest& request, const std::string& part) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number);
  if (error != std::errc{} || end != part.data() + part.size())
    return http_error(404, fmt::format("release '{}': expected a number", part));
  const auto row = context.store.release(number);
  if (!row) return http_failure(row.error());
  if (!*row) return http_error(404, fmt::format("release {}: there is none of that number; see: GET /v1/releases", number));
  const auto path = context.artefacts.find((*row)->sha256, (*row)->size);
  if (!path) return http_error(500, path.error().message);
  HttpResponse response;
  response.content_type = "application/octet-stream";
  response.headers.emplace_back("Accept-Ranges", "bytes");
  response.headers.emplace_back("ETag", fmt::format("\"{}\"", (*row)->sha256));
  const std::uint64_t size = (*row)->size;
  const auto range = wire::server::parse_range(request.range, size);
  if (range && range->length == 0) {
    response.status = 416;
    response.headers.emplace_back("Content-Range", fmt::format("bytes */{}", size));
    return response;
  }
  response.file = HttpFile{*path, 0, size};
  if (range) {
    response.status = 206;
    response.file = HttpFile{*path, range->first, range->length};
    response.headers.emplace_back("Content-Range", fmt::format("bytes {}-{}/{}", range->first, range->first + range->length - 1, size));
  }
  return response;
}

}  // namespace moru::fleet
