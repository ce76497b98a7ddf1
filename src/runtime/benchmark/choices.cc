// SPDX-License-Identifier: Apache-2.0
#include "runtime/benchmark/choices.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/digest.h"
#include "core/json.h"
#include "core/process.h"
#include "runtime/backends/backend.h"
#include "runtime/measure/machine.h"
#include "runtime/worker/backend_worker.h"

namespace moru::runtime {
namespace {

constexpr std::string_view kReference = "reference";
constexpr int kVersion = 1;

Json to_json(const Choice& choice) {
  return {{"model", choice.key.model}, {"machine", choice.key.machine},      {"backends", choice.key.backends},
          {"dims", choice.key.dims},   {"threads", choice.key.threads},      {"batch", choice.key.batch},
          {"when", choice.when},       {"row", runtime::to_json(choice.row)}};
}

Result<Choice> read_choice(const Json& json) {
  constexpr std::string_view kWhere = "choice";
  Choice choice;
  MORU_ASSIGN_OR_RETURN(choice.key.model, json_field<std::string>(json, "model", kWhere));
  MORU_ASSIGN_OR_RETURN(choice.key.machine, json_field<std::string>(json, "machine", kWhere));
  MORU_ASSIGN_OR_RETURN(choice.key.backends, json_field<std::string>(json, "backends", kWhere));
  MORU_ASSIGN_OR_RETURN(choice.key.dims, json_field<std::string>(json, "dims", kWhere));
  MORU_ASSIGN_OR_RETURN(choice.key.threads, json_field<int>(json, "threads", kWhere));
  MORU_ASSIGN_OR_RETURN(choice.key.batch, json_field<std::int64_t>(json, "batch", kWhere));
  MORU_ASSIGN_OR_RETURN(choice.when, json_field<std::string>(json, "when", kWhere));
  MORU_ASSIGN_OR_RETURN(const Json row, json_field<Json>(json, "row", kWhere));
  MORU_ASSIGN_OR_RETURN(choice.row, read_row(row));
  return choice;
}

Status read_all(const std::string& text, std::vector<Choice>* all) {
  MORU_ASSIGN_OR_RETURN(const Json json, parse_json(text, "file"));
  MORU_ASSIGN_OR_RETURN(const int version, json_field<int>(json, "version", "file"));
  MORU_ASSIGN_OR_RETURN(const Json list, json_field<Json>(json, "choices", "file"));
  if (version != kVersion || !list.is_array()) return fail(ErrorCode::kCorrupt, fmt::format("found version {}", version));
  for (const Json& one : list) {
    MORU_ASSIGN_OR_RETURN(auto choice, read_choice(one));
    all->push_back(std::move(choice));
  }
  return {};
}

/// What is here, and the part of the key that is the same for all combinations.
struct Here {
  std::vector<std::string> backends;
  ChoiceKey key;
};

Result<Here> look_around(const BenchmarkModel& model, const BenchmarkOptions& options) {
  const auto all = all_backends();
  const auto infos = probe_backends(all, options.program);
  if (stop_requested()) return fail(ErrorCode::kCancelled, "interrupted");
  Here here;
  std::vector<std::string> versions;
  std::vector<std::string> dims;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!infos[i].available || all[i]->name == kReference) continue;
    here.backends.emplace_back(all[i]->name);
    versions.push_back(fmt::format("{} {}", all[i]->name, infos[i].version));
  }
  if (here.backends.empty()) {
    return fail(ErrorCode::kUnavailable,
                "backend auto: found no backend beside the reference, expected one to choose; `moru doctor` says how to get one");
  }
  for (const auto& [name, value] : options.dims) dims.push_back(fmt::format("{}={}", name, value));
  here.key = {.model = sha256_hex(model.bytes),
              .machine = to_string(describe_machine()),
              .backends = fmt::format("{}", fmt::join(versions, ", ")),
              .dims = fmt::format("{}", fmt::join(dims, ", "))};
  return here;
}

/// The row that stands for a combination, and whether it is worth to be remembered.
AutoChoice chosen(const std::vector<BenchmarkRow>& rows) {
  const BenchmarkRow* best = fastest(rows);
  if (best == nullptr) {
    std::vector<std::string> reasons;
    for (const auto& row : rows) reasons.push_back(fmt::format("{}: {}", row.backend, row.reason));
    BenchmarkRow none{.model = rows[0].model, .backend = "auto", .isa = rows[0].isa, .threads = rows[0].threads, .batch = rows[0].batch};
    none.reason = fmt::format("found no backend that runs it rightly ({}), expected one", fmt::join(reasons, "; "));
    none.code = rows[0].code;
    return {.row = none, .note = none.reason};
  }
  const auto right = std::ranges::count_if(rows, [](const BenchmarkRow& row) { return row.ok; });
  return {.row = *best, .note = fmt::format("{} is the fastest of {} that {} right", best->backend, right, right == 1 ? "is" : "are")};
}

}  // namespace

Path choices_file() { return moru_home() / "bench" / "choices.json"; }

Result<Choices> Choices::load(const Path& path) {
  Choices choices(path);
  const auto text = read_file(path);
  if (!text && text.error().code == ErrorCode::kNotFound) return choices;
  if (!text) return fail(text.error());
  if (const auto status = read_all(*text, &choices.all_); !status) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("{}: {}, expected what moru bench wrote; remove it", path.string(), status.error().message));
  }
  return choices;
}

const Choice* Choices::find(const ChoiceKey& key) const {
  const auto it = std::ranges::find(all_, key, &Choice::key);
  return it == all_.end() ? nullptr : &*it;
}

void Choices::remember(Choice choice) {
  constexpr std::size_t kMost = 1000;
  std::erase_if(all_, [&](const Choice& old) { return old.key == choice.key; });
  all_.push_back(std::move(choice));
  if (all_.size() > kMost) all_.erase(all_.begin());
}

Status Choices::save() const {
  Json list = Json::array();
  for (const Choice& choice : all_) list.push_back(to_json(choice));
  MORU_RETURN_IF_ERROR(make_folders(path_.parent_path()));
  return write_file_atomic(path_,
                           Json{{"version", kVersion}, {"choices", std::move(list)}}.dump(1, ' ', false, Json::error_handler_t::replace));
}

const BenchmarkRow* fastest(const std::vector<BenchmarkRow>& rows) {
  const BenchmarkRow* best = nullptr;
  for (const BenchmarkRow& row : rows) {
    if (row.ok && row.latency && (best == nullptr || row.latency->p50 < best->latency->p50)) best = &row;
  }
  return best;
}

Result<std::vector<AutoChoice>> choose_fastest(const BenchmarkModel& model, BenchmarkOptions options, const AutoOptions& how) {
  MORU_ASSIGN_OR_RETURN(Choices choices, Choices::load(how.choices));
  MORU_ASSIGN_OR_RETURN(const Here here, look_around(model, options));
  const auto all_batches = std::exchange(options.batches, {});
  const auto all_threads = std::exchange(options.threads, {});
  options.backends = here.backends;
  std::vector<AutoChoice> found;
  for (const std::int64_t batch : all_batches) {
    for (const int threads : all_threads) {
      ChoiceKey key = here.key;
      key.threads = threads;
      key.batch = batch;
      if (const Choice* old = how.fresh ? nullptr : choices.find(key)) {
        found.push_back(
            {.row = old->row, .note = fmt::format("{} is remembered since {}", old->row.backend, old->when), .remembered = true});
        found.back().row.model = model.name;  // it may have another name by now
        if (options.progress) options.progress(slices_of(options) * std::ssize(here.backends), model.name);
        continue;
      }
      if (how.only_remembered) {
        return fail(
            ErrorCode::kNotFound,
            fmt::format("backend auto: found no choice for '{0}' with {1} thread{2} and batch {3}, expected one; make it with: moru "
                        "bench {0} --backend auto --threads {1} --batch {3}",
                        model.name, threads, threads == 1 ? "" : "s", batch));
      }
      options.threads = {threads};
      options.batches = {batch};
      MORU_ASSIGN_OR_RETURN(const auto rows, benchmark(model, options));
      found.push_back(chosen(rows));
      if (!found.back().row.ok) continue;
      choices.remember({.key = key, .row = found.back().row, .when = format_utc(system_clock().wall_now())});
      MORU_RETURN_IF_ERROR(choices.save());
    }
  }
  return found;
}

}  // namespace moru::runtime
