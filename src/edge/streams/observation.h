// SPDX-License-Identifier: Apache-2.0
// What a process that runs a stream lets others see of it: metrics, traces, a state folder with the control socket.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/json_fwd.h"
#include "edge/streams/control_socket.h"
#include "edge/streams/metrics.h"
#include "edge/streams/stream.h"
#include "edge/streams/trace_exporter.h"

namespace moru::edge {

struct ObservationOptions {
  std::string metrics;        ///< ADDRESS:PORT of a page for Prometheus; empty: none
  std::string traces;         ///< URL of a receiver of OpenTelemetry traces; empty: none
  Path trace_ca;              ///< whom to trust there; empty: the machine's list
  double trace_ratio = 0.01;  ///< of the items, 0 to 1
  Path state;                 ///< folder for state.json and the control socket; empty: none
};

/// The state of a stream as `moru stream ledger`, `top` and a state folder show it.
Json stream_report(std::string_view name, const StreamState& state, double seconds, const Stream* stream);

/// Threads: one owner.
class Observation {
 public:
  /// Starts what the stream writes to. Errors: kInvalidArgument for an address that is none.
  static Result<std::unique_ptr<Observation>> prepare(ObservationOptions options, std::string stream, Clock& clock);
  /// For the stream's context, as "watch"; null where nothing is asked.
  std::shared_ptr<StreamWatch> watch() const { return watch_; }
  /// Lets others look. `stream` is borrowed until end(); `state`: from any thread, may know of more links than the stream.
  /// Errors: an address or a folder that is in use.
  Status begin(Stream& stream, std::function<StreamState()> state);
  void end();

  Json report() const;
  /// Writes state.json; nothing without a folder.
  Status write_state() const;
  /// 0: no metrics.
  int metrics_port() const { return metrics_ ? metrics_->port() : 0; }

 private:
  Observation(ObservationOptions options, std::string stream, Clock& clock)
      : options_(std::move(options)), name_(std::move(stream)), clock_(clock), started_(clock.steady_now()) {}
  Status begin_servers();

  const ObservationOptions options_;
  const std::string name_;
  Clock& clock_;
  const TimeNs started_;
  std::shared_ptr<StreamWatch> watch_;
  std::shared_ptr<TraceExporter> traces_;
  Stream* stream_ = nullptr;
  std::function<StreamState()> state_;
  std::unique_ptr<ControlServer> control_;
  std::unique_ptr<MetricsServer> metrics_;
};

}  // namespace moru::edge
