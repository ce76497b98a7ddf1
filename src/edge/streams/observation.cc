// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/observation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/json.h"
#include "core/log.h"

namespace moru::edge {
namespace {

Json counts_json(const std::vector<std::pair<std::string, std::uint64_t>>& counts) {
  Json object = Json::object();
  for (const auto& [reason, count] : counts) object[reason] = count;
  return object;
}

double us(std::int64_t ns) { return static_cast<double>(ns) / static_cast<double>(kMicrosecond); }

/// Of the stages whose time is taken.
void add_times(Json& row, const std::vector<StageHistograms>& times, const std::string& stage) {
  const auto found = std::ranges::find(times, stage, &StageHistograms::stage);
  if (found == times.end()) return;
  row["busy_p50_us"] = us(found->busy->quantile(0.50));
  row["busy_p99_us"] = us(found->busy->quantile(0.99));
  row["age_p50_us"] = us(found->age->quantile(0.50));
  row["age_p99_us"] = us(found->age->quantile(0.99));
}

}  // namespace

Json stream_report(std::string_view name, const StreamState& state, double seconds, const Stream* stream) {
  Json ledger = Json::array();
  for (const auto& link : state.ledger) {
    ledger.push_back({{"link", link.link},
                      {"in", link.in},
                      {"out", link.out},
                      {"in_flight", link.in_flight},
                      {"stored", link.stored},
                      {"dropped", counts_json(link.dropped)},
                      {"balanced", link.balanced()}});
  }
  Json stages = Json::array();
  const auto times = stream == nullptr ? std::vector<StageHistograms>() : stream->histograms();
  for (const auto& stage : state.stages) {
    Json row = {{"name", stage.name},           {"consumed", stage.consumed},   {"emitted", stage.emitted},
                {"used", stage.used},           {"held", stage.held},           {"dropped", counts_json(stage.dropped)},
                {"balanced", stage.balanced()}, {"unsettled", stage.unsettled}, {"overdue", stage.overdue},
                {"stale", stage.stale}};
    add_times(row, times, stage.name);
    stages.push_back(std::move(row));
  }
  return {{"stream", name},
          {"state", state.state},
          {"items", state.items},
          {"missed", state.missed},
          {"seconds", seconds},
          {"items_per_second", state.items_per_second},
          {"latency_p50_us", us(state.latency_p50_ns)},
          {"latency_p99_us", us(state.latency_p99_ns)},
          {"dead_letters", state.dead_letters},
          {"dead_letters_lost", state.dead_letters_lost},
          {"ledger", std::move(ledger)},
          {"stages", std::move(stages)},
          {"last_error", state.last_error}};
}

Result<std::unique_ptr<Observation>> Observation::prepare(ObservationOptions options, std::string stream, Clock& clock) {
  std::unique_ptr<Observation> made(new Observation(std::move(options), std::move(stream), clock));
  const auto& wanted = made->options_;
  if (!wanted.metrics.empty()) MORU_RETURN_IF_ERROR(parse_listen("metrics", wanted.metrics));
  if (!wanted.traces.empty()) {
    TraceOptions traces;
    traces.url = wanted.traces;
    traces.ca = wanted.trace_ca;
    MORU_ASSIGN_OR_RETURN(made->traces_, TraceExporter::start(std::move(traces), made->name_, clock));
  }
  if (wanted.metrics.empty() && wanted.traces.empty() && wanted.state.empty()) return made;
  made->watch_ = std::make_shared<StreamWatch>();
  made->watch_->times = !wanted.metrics.empty() || !wanted.state.empty();
  made->watch_->taps = !wanted.state.empty();
  made->watch_->spans = made->traces_;
  made->watch_->span_ratio = wanted.trace_ratio;
  return made;
}

Status Observation::begin(Stream& stream, std::function<StreamState()> state) {
  stream_ = &stream;
  state_ = std::move(state);
  auto begun = begin_servers();
  if (!begun) end();  // the stream may go now
  return begun;
}

Status Observation::begin_servers() {
  if (!options_.state.empty()) {
    ControlServer::Handlers handlers{.state = [this] { return report(); },
                                     .tap = [this](std::string_view link) { return stream_->tap(link); }};
    MORU_ASSIGN_OR_RETURN(control_, ControlServer::start(options_.state, std::move(handlers)));
  }
  if (options_.metrics.empty()) return {};
  MORU_ASSIGN_OR_RETURN(const auto listener, parse_listen("metrics", options_.metrics));
  const auto page = [this] { return metrics_text(name_, state_(), *stream_, traces_ ? std::optional(traces_->counts()) : std::nullopt); };
  MORU_ASSIGN_OR_RETURN(metrics_, MetricsServer::start(listener, page));
  MORU_LOG(kInfo, "metrics", "stream", name_, "address", listener.address, "port", metrics_->port());
  return {};
}

void Observation::end() {
  metrics_.reset();
  control_.reset();
  stream_ = nullptr;
}

Json Observation::report() const {
  const double seconds = static_cast<double>(clock_.steady_now() - started_) / static_cast<double>(kSecond);
  return stream_report(name_, state_(), seconds, stream_);
}

Status Observation::write_state() const {
  if (options_.state.empty() || !state_) return {};
  return write_file_atomic(options_.state / "state.json", report().dump(-1, ' ', false, Json::error_handler_t::replace));
}

}  // namespace moru::edge
