// SPDX-License-Identifier: Apache-2.0
#include "model/formats/bundle/bundle.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "core/digest.h"
#include "core/json.h"
#include "core/text.h"

namespace moru::model {
namespace {

constexpr std::string_view kMagic = "MORUBDL1";
constexpr std::size_t kPrefixBytes = kMagic.size() + 4 + 4;
constexpr std::uint32_t kMaxHeaderBytes = 1U << 20U;
constexpr std::uint32_t kMaxSignatureBytes = 8U << 10U;  // Ed25519 takes 64; the largest of FIPS 204 takes 4,627
constexpr std::uint64_t kMaxTotalBytes = std::uint64_t{4} << 30U;
constexpr std::size_t kMaxNameBytes = 128;

void append_u32(std::string& out, std::size_t value) {
  for (unsigned shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>((value >> shift) & 0xFFU));
}

std::uint32_t read_u32(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  return value;
}

bool is_plain_name(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
  };
  // No leading dot: it would hide the file, or be "..".
  return !name.empty() && name.size() <= kMaxNameBytes && name.front() != '.' && std::ranges::all_of(name, plain);
}

Status check_name(std::string_view what, std::string_view name) {
  if (is_plain_name(name)) return {};
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("{}: found {}, expected 1 to {} letters, digits, '.', '-', '_', without a leading '.'", what, in_quotes(name),
                          kMaxNameBytes));
}

Status check_file(const BundleFile& file) {
  MORU_RETURN_IF_ERROR(check_name("file name", file.name));
  const auto where = fmt::format("file '{}'", file.name);
  MORU_RETURN_IF_ERROR_IN(where, check_name("target", file.target));
  MORU_RETURN_IF_ERROR_IN(where, check_name("format", file.format));
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (file.sha256.size() != 64 || !std::ranges::all_of(file.sha256, is_hex)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found sha256 {}, expected 64 lower-case hexadecimal digits", where, in_quotes(file.sha256)));
  }
  if (file.size > kMaxTotalBytes) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found size {}, expected at most {}", where, file.size, kMaxTotalBytes));
  }
  return {};
}

Status check_header(const BundleHeader& header) {
  MORU_RETURN_IF_ERROR(check_name("name", header.name));
  if (header.version < 0) return fail(ErrorCode::kInvalidArgument, fmt::format("version: found {}, expected 0 or more", header.version));
  const auto printable = [](char c) { return c > ' ' && c <= '~'; };
  if (header.created.size() > 64 || !std::ranges::all_of(header.created, printable)) {
    return fail(ErrorCode::kInvalidArgument, "created: found text that is no time stamp, expected one such as 2026-11-23T10:00:00Z");
  }
  if (header.files.empty()) return fail(ErrorCode::kInvalidArgument, "files: found none, expected at least one");
  std::set<std::string_view> names;
  std::uint64_t total = 0;
  for (const BundleFile& file : header.files) {
    MORU_RETURN_IF_ERROR(check_file(file));
    if (!names.insert(file.name).second) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("files: found '{}' twice, expected distinct names", file.name));
    }
    total += file.size;  // at most 1 MiB of header, so too few files to overflow 64 bits
  }
  if (total > kMaxTotalBytes) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("files: found {} bytes together, expected at most {}", total, kMaxTotalBytes));
  }
  return {};
}

Result<std::string> header_to_json(const BundleHeader& header) {
  MORU_ASSIGN_OR_RETURN(Json card, parse_json(header.card, "card"));
  if (!card.is_object()) return fail(ErrorCode::kInvalidArgument, fmt::format("card: found {}, expected an object", card.type_name()));
  Json files = Json::array();
  for (const BundleFile& file : header.files) {
    files.push_back({{"name", file.name}, {"target", file.target}, {"format", file.format}, {"sha256", file.sha256}, {"size", file.size}});
  }
  const Json json = {{"name", header.name}, {"version", header.version}, {"created", header.created}, {"card", card}, {"files", files}};
  return json.dump();
}

Status check_fields(const Json& object, std::span<const std::string> known, std::string_view where) {
  if (!object.is_object())
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {}, expected an object", where, object.type_name()));
  for (const auto& [key, value] : object.items()) {
    if (std::ranges::find(known, key) == known.end()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: found unknown field {}{}", where, in_quotes(key), did_you_mean(key, known)));
    }
  }
  return {};
}

Result<BundleFile> file_from_json(const Json& json, std::string_view where) {
  static const std::vector<std::string> fields = {"name", "target", "format", "sha256", "size"};
  MORU_RETURN_IF_ERROR(check_fields(json, fields, where));
  BundleFile file;
  MORU_ASSIGN_OR_RETURN(file.name, json_field<std::string>(json, "name", where));
  MORU_ASSIGN_OR_RETURN(file.target, json_field<std::string>(json, "target", where));
  MORU_ASSIGN_OR_RETURN(file.format, json_field<std::string>(json, "format", where));
  MORU_ASSIGN_OR_RETURN(file.sha256, json_field<std::string>(json, "sha256", where));
  MORU_ASSIGN_OR_RETURN(file.size, json_field<std::uint64_t>(json, "size", where));
  return file;
}

Result<BundleHeader> header_from_json(std::string_view text) {
  static const std::vector<std::string> fields = {"name", "version", "created", "card", "files"};
  MORU_ASSIGN_OR_RETURN(const Json json, parse_json(text, "header"));
  MORU_RETURN_IF_ERROR(check_fields(json, fields, "header"));
  BundleHeader header;
  MORU_ASSIGN_OR_RETURN(header.name, json_field<std::string>(json, "name", "header"));
  MORU_ASSIGN_OR_RETURN(header.version, json_field<std::int64_t>(json, "version", "header"));
  MORU_ASSIGN_OR_RETURN(header.created, json_field<std::string>(json, "created", "header"));
  MORU_ASSIGN_OR_RETURN(const Json card, json_field<Json>(json, "card", "header"));
  if (!card.is_object()) return fail(ErrorCode::kInvalidArgument, fmt::format("card: found {}, expected an object", card.type_name()));
  header.card = card.dump();
  MORU_ASSIGN_OR_RETURN(const Json files, json_field<Json>(json, "files", "header"));
  if (!files.is_array()) return fail(ErrorCode::kInvalidArgument, fmt::format("files: found {}, expected a list", files.type_name()));
  for (const Json& entry : files) {
    MORU_ASSIGN_OR_RETURN(BundleFile file, file_from_json(entry, fmt::format("files[{}]", header.files.size())));
    header.files.push_back(std::move(file));
  }
  MORU_RETURN_IF_ERROR(check_header(header));
  return header;
}

/// Magic, sizes and the header's text, which the signature covers.
std::string signed_part(std::string_view header, std::size_t signature_bytes) {
  std::string out(kMagic);
  append_u32(out, header.size());
  append_u32(out, signature_bytes);
  return out.append(header);
}

/// The signature's size stands in what is signed, and only signing tells it: Ed25519's is tried first.
Result<std::string> sign_header(std::string_view header, const Signer& sign) {
  std::size_t expected = 64;
  for (int attempt = 0; attempt < 2; ++attempt) {
    std::string out = signed_part(header, expected);
    MORU_ASSIGN_OR_RETURN(const std::string signature, sign(out));
    if (signature.empty() || signature.size() > kMaxSignatureBytes) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("signature: found {} bytes, expected 1 to {}", signature.size(), kMaxSignatureBytes));
    }
    if (signature.size() == expected) return out.append(signature);
    expected = signature.size();
  }
  return fail(ErrorCode::kInvalidArgument,
              "signature: found another size at each call, expected a signer whose signatures are of one size");
}

std::unexpected<Error> corrupt(std::string message) { return fail(ErrorCode::kCorrupt, std::move(message)); }

/// What the first 16 bytes say, checked against the size of the whole.
struct Sizes {
  std::size_t header = 0;
  std::size_t signature = 0;
};

Result<Sizes> read_prefix(std::string_view bytes) {
  if (bytes.size() > kMaxTotalBytes) return corrupt(fmt::format("found {} bytes, expected at most {}", bytes.size(), kMaxTotalBytes));
  if (!bytes.starts_with(kMagic)) {
    const auto family = kMagic.substr(0, kMagic.size() - 1);
    if (bytes.size() >= kMagic.size() && bytes.starts_with(family)) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("found bundle format {}, expected format 1; use a newer moru", in_quotes(bytes.substr(family.size(), 1))));
    }
    return corrupt(fmt::format("found {}, expected a bundle, which begins with '{}'",
                               bytes.empty() ? std::string("an empty file") : in_quotes(bytes.substr(0, kMagic.size())), kMagic));
  }
  if (bytes.size() < kPrefixBytes)
    return corrupt(fmt::format("found {} bytes, expected at least {}; the file is cut short", bytes.size(), kPrefixBytes));
  const Sizes sizes{read_u32(bytes, kMagic.size()), read_u32(bytes, kMagic.size() + 4)};
  if (sizes.header == 0 || sizes.header > kMaxHeaderBytes) {
    return corrupt(fmt::format("found a header of {} bytes, expected 1 to {}", sizes.header, kMaxHeaderBytes));
  }
  if (sizes.signature == 0 || sizes.signature > kMaxSignatureBytes) {
    return corrupt(fmt::format("found a signature of {} bytes, expected 1 to {}", sizes.signature, kMaxSignatureBytes));
  }
  if (bytes.size() - kPrefixBytes < sizes.header + sizes.signature) {
    return corrupt(fmt::format("found {} bytes, expected at least {}; the file is cut short", bytes.size(),
                               kPrefixBytes + sizes.header + sizes.signature));
  }
  return sizes;
}

Result<std::vector<std::string_view>> split_contents(const BundleHeader& header, std::string_view bytes) {
  std::uint64_t expected = 0;
  for (const BundleFile& file : header.files) expected += file.size;
  if (bytes.size() != expected) {
    return corrupt(fmt::format("found {} bytes of files, expected {} as the header says", bytes.size(), expected));
  }
  std::vector<std::string_view> contents;
  for (const BundleFile& file : header.files) {
    const auto content = bytes.substr(0, file.size);
    bytes.remove_prefix(content.size());
    const auto found = sha256_hex(content);
    if (found != file.sha256) {
      return corrupt(fmt::format("file '{}': found SHA-256 {}, expected {}; its bytes were changed", file.name, found, file.sha256));
    }
    contents.push_back(content);
  }
  return contents;
}

}  // namespace

Result<std::string> write_bundle(BundleHeader header, const std::vector<std::string>& contents, const Signer& sign) {
  const auto where = fmt::format("bundle {}", in_quotes(header.name));
  if (header.files.size() != contents.size()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found {} contents, expected {}, one for each file", where, contents.size(), header.files.size()));
  }
  std::uint64_t total = kPrefixBytes;
  for (std::size_t i = 0; i < contents.size(); ++i) {
    header.files[i].size = contents[i].size();
    header.files[i].sha256 = sha256_hex(contents[i]);
    total += contents[i].size();
  }
  MORU_RETURN_IF_ERROR_IN(where, check_header(header));
  MORU_ASSIGN_OR_RETURN_IN(where, const std::string json, header_to_json(header));
  if (json.size() > kMaxHeaderBytes) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found a header of {} bytes, expected at most {}; shorten the model card",
                                                         where, json.size(), kMaxHeaderBytes));
  }
  MORU_ASSIGN_OR_RETURN_IN(where, std::string out, sign_header(json, sign));
  total += out.size();
  if (total > kMaxTotalBytes) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {} bytes together, expected at most {}", where, total, kMaxTotalBytes));
  }
  out.reserve(total);
  for (const std::string& content : contents) out.append(content);
  return out;
}

Result<Bundle> Bundle::open(std::string_view bytes, const Verifier& verify, std::string_view where) {
  MORU_ASSIGN_OR_RETURN_IN(where, const Sizes sizes, read_prefix(bytes));
  const auto message = bytes.substr(0, kPrefixBytes + sizes.header);
  MORU_RETURN_IF_ERROR_IN(where, verify(message, bytes.substr(message.size(), sizes.signature)));

  Bundle bundle;
  auto header = header_from_json(message.substr(kPrefixBytes));
  if (!header) return fail(ErrorCode::kCorrupt, header.error().in(where).message);
  bundle.header_ = std::move(*header);
  MORU_ASSIGN_OR_RETURN_IN(where, bundle.contents_, split_contents(bundle.header_, bytes.substr(message.size() + sizes.signature)));
  bundle.digest_ = sha256_hex(bytes);
  return bundle;
}

Result<std::size_t> Bundle::select(const std::vector<std::string>& targets) const {
  for (const std::string& target : targets) {
    const auto it = std::ranges::find(header_.files, target, &BundleFile::target);
    if (it != header_.files.end()) return static_cast<std::size_t>(it - header_.files.begin());
  }
  std::set<std::string_view> found;
  for (const BundleFile& file : header_.files) found.insert(file.target);
  return fail(ErrorCode::kUnsupported,
              fmt::format("bundle '{}' version {}: found files for {}, expected one for {}; release it for this machine's target too",
                          header_.name, header_.version, fmt::join(found, ", "), fmt::join(targets, ", ")));
}

std::vector<std::string> machine_targets() {
#if defined(__x86_64__)
  return {"x86_64", "any"};
#elif defined(__aarch64__)
  return {"aarch64", "any"};
#else
  return {"any"};
#endif
}

}  // namespace moru::model
