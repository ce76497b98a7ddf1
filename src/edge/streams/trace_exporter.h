// SPDX-License-Identifier: Apache-2.0
// Spans of sampled items, to a receiver of OpenTelemetry traces (OTLP over HTTP, as JSON).
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/result.h"
#include "edge/streams/metrics.h"
#include "edge/streams/stream_watch.h"

namespace moru::edge {

struct TraceOptions {
  std::string url;  ///< of the receiver; without a path it is /v1/traces
  Path ca;          ///< whom to trust for https; empty: the machine's list
  TimeNs interval = kSecond;
  std::size_t max_spans = 4096;  ///< that wait; more are dropped and counted
  TimeNs timeout = 5 * kSecond;
};

/// Spans wait in a bounded buffer and go out in batches, on a thread of its own: the stream never waits for them. What cannot be sent
/// in three attempts is dropped and counted. Threads: all functions from any thread.
class TraceExporter final : public SpanSink {
 public:
  /// Errors: kInvalidArgument for a URL that is none.
  static Result<std::shared_ptr<TraceExporter>> start(TraceOptions options, std::string stream, Clock& clock);
  /// Sends what waits, once.
  ~TraceExporter() override;
  void take(const Span& span) override;
  TraceCounts counts() const;

 private:
  struct Kept {
    Span span;
    std::string stage;
    std::string outcome;
  };
  TraceExporter(TraceOptions options, std::string stream, Clock& clock);
  void run(const std::stop_token& stop);
  void send(const std::vector<Kept>& spans, const std::stop_token& stop);
  std::string body_of(const std::vector<Kept>& spans) const;
  void count(std::uint64_t sent, std::uint64_t dropped);

  const TraceOptions options_;
  const std::string stream_;
  Clock& clock_;
  const std::uint64_t run_id_;  ///< the first half of every trace's number
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Kept> waiting_;
  TraceCounts counts_;
  wire::HttpClient client_;
  std::jthread thread_;  // last: it uses all the others
};

}  // namespace moru::edge
