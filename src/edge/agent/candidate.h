// SPDX-License-Identifier: Apache-2.0
// From a bundle on disk to a model that has run: each step refuses with a reason before the next one touches anything.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"
#include "core/result.h"
#include "edge/streams/stages/infer.h"
#include "model/formats/bundle/bundle.h"
#include "runtime/backends/backend.h"

namespace moru::edge {

/// What the hub said about the bundle, or what the node wrote down when it took it.
struct ExpectedBundle {
  std::int64_t release = 0;
  std::uint64_t size = 0;  ///< 0: not known
  std::string sha256;
};

/// Whose signatures count and what this machine takes.
struct BundlePolicy {
  model::Verifier verify;
  std::vector<std::string> targets;  ///< best first
};

/// A bundle that has passed every check, and the file in it that is for this machine. Keeps the file mapped.
class CheckedBundle {
 public:
  /// Size, SHA-256, signature, header, release number, every file's digest, model card, target: in this order, and
  /// nothing is parsed before the signature is good. kCorrupt (damaged, not signed by a trusted key), kUnsupported (not
  /// for this machine), kInvalidArgument (header or card), kNotFound, kIo.
  static Result<std::unique_ptr<CheckedBundle>> open(const Path& file, const ExpectedBundle& expected, const BundlePolicy& policy);
  const model::ModelCard& card() const { return card_; }
  const std::string& name() const { return bundle_.header().name; }
  std::int64_t release() const { return bundle_.header().version; }
  const std::string& sha256() const { return bundle_.digest(); }
  std::string_view model_bytes() const { return bundle_.contents(file_index_); }

 private:
  CheckedBundle(MappedFile mapped, model::Bundle bundle) : mapped_(std::move(mapped)), bundle_(std::move(bundle)) {}
  MappedFile mapped_;
  model::Bundle bundle_;  // borrows from mapped_
  model::ModelCard card_;
  std::size_t file_index_ = 0;
};

/// Makes a session of a model file's bytes.
using SessionLoader = std::function<Result<std::unique_ptr<runtime::Session>>(std::string_view bytes)>;

/// The session must take and give what the card says. Errors: the loader's; kInvalidArgument for a card that does not
/// fit.
Result<std::shared_ptr<LoadedModel>> load_candidate(const CheckedBundle& bundle, const SessionLoader& load);

/// Runs the model `runs` times, on zeros and then on seeded noise. Outputs must be finite; probabilities (activation
/// "none" of a classifier) must lie in [0, 1] and sum to 1. kCorrupt otherwise.
Status warm_up(const LoadedModel& model, int runs);

}  // namespace moru::edge
