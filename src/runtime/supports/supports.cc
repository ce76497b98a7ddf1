// SPDX-License-Identifier: Apache-2.0
#include "runtime/supports/supports.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "core/files.h"
#include "model/formats/formats.h"
#include "runtime/supports/one_node.h"
#include "runtime/worker/backend_worker.h"

namespace moru::runtime {
namespace {

/// A backend that is asked about one model after the other. A worker that died is replaced.
class Asker {
 public:
  static Result<Asker> create(std::string_view backend, const SupportOptions& options) {
    MORU_ASSIGN_OR_RETURN(TempFolder folder, TempFolder::create("moru-supports"));
    return Asker(std::string(backend), options, std::move(folder));
  }

  Result<BackendInfo> info() {
    MORU_RETURN_IF_ERROR(wake());
    return worker_->info();
  }

  /// Empty: taken. Else why not. Errors: what is not the backend's word on the model.
  Result<std::string> refusal(const model::Graph& graph) {
    const Path file = folder_.path() / fmt::format("model.{}", model::words_of(graph));
    // What cannot be written cannot be given to a backend.
    if (const auto saved = model::save_model(graph, file); !saved) return words_of(saved.error());
    MORU_RETURN_IF_ERROR(wake());
    const auto answer = worker_->try_model({.backend = backend_, .model = file, .dims = {}});
    return answer ? std::string() : words_of(answer.error());
  }

 private:
  Asker(std::string backend, const SupportOptions& options, TempFolder folder)
      : backend_(std::move(backend)), options_(options), folder_(std::move(folder)) {}

  Status wake() {
    if (worker_ && worker_->alive()) return {};
    MORU_ASSIGN_OR_RETURN(auto worker, BackendWorker::start(options_.program, backend_, options_.limit));
    worker_.emplace(std::move(worker));
    return {};
  }

  static Result<std::string> words_of(const Error& error) {
    if (error.code == ErrorCode::kCancelled) return fail(error);
    return error.message;
  }

  std::string backend_;
  const SupportOptions& options_;
  TempFolder folder_;
  std::optional<BackendWorker> worker_;
};

Status try_each_node(const model::Graph& graph, const SupportOptions& options, Asker& asker, Support* support) {
  std::map<std::string, NodeSupport> known;
  const std::size_t count = graph.nodes().size();
  for (std::size_t i = 0; i < count; ++i) {
    const auto [at, is_new] = known.try_emplace(kind_of_node(graph, i));
    if (is_new) {
      MORU_ASSIGN_OR_RETURN(at->second.reason, asker.refusal(one_node(graph, i)));
      at->second.runs = at->second.reason.empty();
      ++support->tried;
    }
    support->nodes.push_back(at->second);
    if (options.progress) options.progress(i + 1, count);
  }
  return {};
}

}  // namespace

std::size_t Support::count_refused() const { return static_cast<std::size_t>(std::ranges::count(nodes, false, &NodeSupport::runs)); }

Result<Support> supports(std::string_view backend, const model::Graph& graph, const SupportOptions& options) {
  MORU_ASSIGN_OR_RETURN(const BackendChoice choice, choose_backend(backend));
  MORU_ASSIGN_OR_RETURN(Asker asker, Asker::create(backend, options));
  MORU_ASSIGN_OR_RETURN(const BackendInfo info, asker.info());
  if (!info.available) return fail(ErrorCode::kUnavailable, info.reason);
  Support support;
  support.version = info.version;
  MORU_ASSIGN_OR_RETURN(support.refused, asker.refusal(graph));
  if (choice.backend->supports != nullptr) {
    support.nodes = choice.backend->supports(graph);
  } else if (support.refused.empty()) {
    support.nodes.assign(graph.nodes().size(), {.runs = true, .reason = ""});
  } else {
    MORU_RETURN_IF_ERROR(try_each_node(graph, options, asker, &support));
  }
  return support;
}

}  // namespace moru::runtime
