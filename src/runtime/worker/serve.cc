// SPDX-License-Identifier: Apache-2.0
#include "runtime/worker/serve.h"

#include <sys/stat.h>

#include <exception>
#include <optional>

#include "core/json.h"
#include "model/formats/npy/npy.h"
#include "runtime/measure/memory.h"
#include "runtime/worker/channel.h"
#include "runtime/worker/hosted_case.h"
#include "runtime/worker/hosted_model.h"
#include "runtime/worker/requests.h"

namespace moru::runtime {
namespace {

/// What the process knows from one request to the next.
class Host {
 public:
  Host() : idle_bytes_(read_memory().value_or(Memory{}).resident_bytes) {
    // Where the kernel refuses it, the peak is since the start: higher by little, as nothing has happened yet.
    static_cast<void>(reset_peak_resident());
  }

  Result<Json> answer(const Json& request) {
    const auto name = json_field<std::string>(request, "do", "request");
    if (!name) return fail(name.error());
    return answer(*name, request);
  }

 private:
  Result<Json> answer(std::string_view name, const Json& request) {
    if (name == "info") return info(request);
    if (name == "load") return load(request);
    if (name == "try") return try_to_load(request);
    if (name == "case") return test_case(request);
    if (name == "memory") return memory();
    if (!model_) return fail(ErrorCode::kInvalidArgument, fmt::format("request '{}': found no model, expected 'load' before it", name));
    if (name == "warm") return warm(request);
    if (name == "run") return run(request);
    if (name == "answer") return outputs(request);
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("found request '{}', expected info, load, try, warm, run, answer, case or memory", name));
  }
  static Result<Json> info(const Json& request) {
    MORU_ASSIGN_OR_RETURN(const auto name, json_field<std::string>(request, "backend", "request"));
    MORU_ASSIGN_OR_RETURN(const BackendChoice choice, choose_backend(name));
    return to_json(choice.backend->info());
  }
  static Result<Json> test_case(const Json& request) {
    MORU_ASSIGN_OR_RETURN(const auto backend, json_field<std::string>(request, "backend", "request"));
    MORU_ASSIGN_OR_RETURN(const CaseRequest wanted, read_case(request));
    return to_json(run_hosted_case(backend, wanted));
  }
  Result<Json> load(const Json& request) {
    MORU_ASSIGN_OR_RETURN(const LoadRequest wanted, read_load(request));
    MORU_ASSIGN_OR_RETURN(model_, HostedModel::load(wanted));
    return to_json(model_->loaded());
  }
  static Result<Json> try_to_load(const Json& request) {
    MORU_ASSIGN_OR_RETURN(const LoadRequest wanted, read_load(request));
    MORU_RETURN_IF_ERROR(try_model(wanted));
    return Json::object();
  }
  Result<Json> warm(const Json& request) {
    MORU_ASSIGN_OR_RETURN(const RunRequest limits, read_run(request));
    MORU_RETURN_IF_ERROR(model_->warm(limits));
    return Json::object();
  }
  Result<Json> run(const Json& request) {
    MORU_ASSIGN_OR_RETURN(const RunRequest limits, read_run(request));
    MORU_ASSIGN_OR_RETURN(auto samples, model_->run(limits));
    return Json{{"samples", std::move(samples)}};
  }
  Result<Json> outputs(const Json& request) {
    MORU_ASSIGN_OR_RETURN(const auto seed, json_field<std::uint64_t>(request, "seed", "request"));
    MORU_ASSIGN_OR_RETURN(const auto folder, json_field<std::string>(request, "folder", "request"));
    MORU_ASSIGN_OR_RETURN(const auto tensors, model_->answer(seed));
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      MORU_RETURN_IF_ERROR_IN(fmt::format("output {}", i), model::save_npy(tensors[i], Path(folder) / fmt::format("{}.npy", i)));
    }
    return Json{{"outputs", tensors.size()}};
  }
  Result<Json> memory() const {
    MORU_ASSIGN_OR_RETURN(const Memory now, read_memory());
    const std::uint64_t peak = now.peak_resident_bytes > idle_bytes_ ? now.peak_resident_bytes - idle_bytes_ : 0;
    return to_json(WorkerMemory{.idle_bytes = idle_bytes_, .peak_bytes = peak});
  }

  std::uint64_t idle_bytes_;
  std::optional<HostedModel> model_;
};

/// A foreign library's exception ends here.
Result<Json> answer_safely(Host& host, const std::string& line) {
  const auto thrown = [](std::string_view what) {
    return fail(ErrorCode::kInternal, fmt::format("found an exception of the library ('{}'), expected its backend to catch it", what));
  };
  try {
    MORU_ASSIGN_OR_RETURN(const Json request, parse_json(line, "request"));
    return host.answer(request);
  } catch (const std::exception& error) {
    return thrown(error.what());
  } catch (...) {
    return thrown("of an unknown type");
  }
}

}  // namespace

Status serve(int channel) {
  struct stat about{};
  if (::fstat(channel, &about) != 0 || !S_ISSOCK(about.st_mode)) {
    return fail(ErrorCode::kInvalidArgument, "worker: found no channel to a parent, expected to be started by moru itself");
  }
  Host host;
  LineReader reader;
  std::string line;
  while (true) {
    MORU_ASSIGN_OR_RETURN_IN("worker", const bool more, reader.fill(channel));
    if (!more) return {};
    while (reader.next(&line)) {
      const auto answer = answer_safely(host, line);
      MORU_RETURN_IF_ERROR_IN("worker", send_line(channel, answer ? *answer : error_answer(answer.error())));
    }
  }
}

}  // namespace moru::runtime
