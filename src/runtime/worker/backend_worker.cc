// SPDX-License-Identifier: Apache-2.0
#include "runtime/worker/backend_worker.h"

#include <fmt/format.h>

#include <thread>

#include "core/json.h"
#include "model/formats/npy/npy.h"

namespace moru::runtime {

Result<BackendWorker> BackendWorker::start(const WorkerProgram& program, const std::string& backend, TimeNs limit) {
  MORU_ASSIGN_OR_RETURN(Worker worker, Worker::start("backend " + backend, program));
  return BackendWorker(backend, std::move(worker), limit);
}

Result<BackendInfo> BackendWorker::info() {
  MORU_ASSIGN_OR_RETURN(const Json answer, worker_.request({{"do", "info"}, {"backend", backend_}}, "loading its library", limit_));
  return read_info(answer);
}

Result<Loaded> BackendWorker::load(const LoadRequest& request) {
  MORU_ASSIGN_OR_RETURN(const Json answer, worker_.request(to_json("load", request), "loading the model", limit_));
  return read_loaded(answer);
}

Status BackendWorker::try_model(const LoadRequest& request) {
  MORU_RETURN_IF_ERROR(worker_.request(to_json("try", request), "loading the model", limit_));
  return {};
}

Status BackendWorker::warm(const RunRequest& limits) {
  MORU_RETURN_IF_ERROR(worker_.request(to_json("warm", limits), "running the model for the first time", limits.max_time + limit_));
  return {};
}

Result<std::vector<TimeNs>> BackendWorker::run(const RunRequest& limits) {
  MORU_ASSIGN_OR_RETURN(const Json answer, worker_.request(to_json("run", limits), "running the model", limits.max_time + limit_));
  MORU_ASSIGN_OR_RETURN(const Json list, json_field<Json>(answer, "samples", "answer"));
  std::vector<TimeNs> samples;
  for (const Json& value : list) {
    if (!value.is_number_integer()) return fail(ErrorCode::kInternal, "answer: found a sample that is no number, expected nanoseconds");
    samples.push_back(value.get<TimeNs>());
  }
  return samples;
}

Result<std::vector<model::Tensor>> BackendWorker::answer(std::uint64_t seed, TimeNs limit) {
  MORU_ASSIGN_OR_RETURN(const TempFolder folder, TempFolder::create("moru-answer"));
  MORU_ASSIGN_OR_RETURN(const Json answer,
                        worker_.request({{"do", "answer"}, {"seed", seed}, {"folder", folder.path().string()}}, "answering", limit));
  MORU_ASSIGN_OR_RETURN(const auto count, json_field<std::uint32_t>(answer, "outputs", "answer"));
  std::vector<model::Tensor> outputs;
  for (std::uint32_t i = 0; i < count; ++i) {
    MORU_ASSIGN_OR_RETURN(auto tensor, model::load_npy(folder.path() / fmt::format("{}.npy", i)));
    outputs.push_back(std::move(tensor));
  }
  return outputs;
}

Result<CaseResult> BackendWorker::run_case(const CaseRequest& request) {
  MORU_ASSIGN_OR_RETURN(const Json answer, worker_.request(to_json(backend_, request), "running the case", limit_));
  return read_case_result(answer);
}

Result<WorkerMemory> BackendWorker::memory() {
  MORU_ASSIGN_OR_RETURN(const Json answer, worker_.request({{"do", "memory"}}, "reading its memory", limit_));
  return read_worker_memory(answer);
}

std::vector<BackendInfo> probe_backends(std::span<const BackendSpec* const> backends, const WorkerProgram& program, TimeNs limit) {
  const auto ask = [&](std::string_view name) -> Result<BackendInfo> {
    MORU_ASSIGN_OR_RETURN(auto worker, BackendWorker::start(program, std::string(name), limit));
    return worker.info();
  };
  std::vector<BackendInfo> infos(backends.size());
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < backends.size(); ++i) {
    threads.emplace_back([&, i] {
      auto info = ask(backends[i]->name);
      infos[i] = info ? std::move(*info)
                      : BackendInfo{
                            .available = false, .version = "", .reason = info.error().message + "; get its library again for this machine"};
    });
  }
  threads.clear();  // waits for all
  return infos;
}

}  // namespace moru::runtime
