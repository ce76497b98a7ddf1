// SPDX-License-Identifier: Apache-2.0
// The bundle (.moru): model files for one or more targets and the model card, in one signed file. Layout in
// docs/formats/bundle.md:
//
//   "MORUBDL1" | u32 header size | u32 signature size | header (JSON) | signature | the files' bytes, in header order
//
// The signature covers everything before it. The header names each file's size and SHA-256, so one flipped byte
// anywhere is found before any file is handed out. All integers little-endian.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"
#include "core/json_fwd.h"
#include "core/result.h"

namespace moru::model {

/// Signs a message; returns the raw signature. Verifies one: kCorrupt when it does not fit any trusted key.
/// (Functions, because this room does not know keys; trust/ makes them.)
using Signer = std::function<Result<std::string>(std::string_view message)>;
using Verifier = std::function<Status(std::string_view message, std::string_view signature)>;

struct BundleFile {
  std::string name;        ///< "model.onnx"; letters, digits, '.', '-', '_' only
  std::string target;      ///< which machines it is for: "any", "x86_64", "aarch64", or a Target's name
  std::string format;      ///< "onnx"
  std::string sha256{};    ///< filled by write_bundle
  std::uint64_t size = 0;  ///< filled by write_bundle
};

struct BundleHeader {
  std::string name;          ///< model name: "factory-line"
  std::int64_t version = 0;  ///< release number; grows
  std::string created;       ///< UTC time stamp
  std::string card;          ///< the model card: a JSON object as text (model_card.h reads and writes it)
  std::vector<BundleFile> files;
};

/// The bundle's bytes. `contents[i]` belongs to header.files[i].
Result<std::string> write_bundle(BundleHeader header, const std::vector<std::string>& contents, const Signer& sign);

/// An untrusted bundle, checked as a whole: magic, sizes, signature (before the header is parsed), header, and every
/// file's digest. Views borrow from `bytes`, which must outlive it.
class Bundle {
 public:
  static Result<Bundle> open(std::string_view bytes, const Verifier& verify, std::string_view where);
  const BundleHeader& header() const { return header_; }
  std::string_view contents(std::size_t file) const { return contents_[file]; }
  /// The file for this machine: the first of `targets` (best first) that some file has. kUnsupported otherwise, naming
  /// what the bundle has and what this machine takes.
  Result<std::size_t> select(const std::vector<std::string>& targets) const;
  /// SHA-256 of the whole file.
  const std::string& digest() const { return digest_; }

 private:
  BundleHeader header_;
  std::vector<std::string_view> contents_;
  std::string digest_;
};

/// What a node of this machine's architecture accepts, best first: {"x86_64", "any"}.
std::vector<std::string> machine_targets();

}  // namespace moru::model
