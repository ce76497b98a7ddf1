// SPDX-License-Identifier: Apache-2.0
// How a source that can wait learns that its items are stored: each carries a receipt, copies share it, and when the last
// holder lets go of it the source is told.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace moru::edge {

/// What a source is told of an item: it is stored wherever it was to go, or has met another end that lasts (filtered, no record);
/// or it was lost on its way (the stream stops, a receiver is not there), and who sent it must send it again.
enum class Outcome : std::uint8_t { kDone, kAgain };

/// A share of one receipt, or of several that were put together; empty: nobody waits. Threads: as a shared_ptr.
class Receipt {
 public:
  Receipt() = default;
  Receipt(const Receipt& other) : node_(other.node_) {
    if (node_ != nullptr) hold(*node_);
  }
  Receipt(Receipt&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  Receipt& operator=(Receipt other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~Receipt() {
    if (node_ != nullptr) let_go(node_);
  }
  explicit operator bool() const { return node_ != nullptr; }

  /// The item is lost, whatever happens to the copies of it: the outcome is kAgain.
  void revoke() const;
  /// Waits for `other` too: of an item that is made of several. Cost: a copy, and a place in a list.
  void add(Receipt other);
  void reset() { *this = Receipt(); }

 private:
  friend class ReceiptBook;
  struct Node;
  explicit Receipt(Node* node) : node_(node) {}
  static void hold(Node& node);
  static void let_go(Node* node);
  Node* node_ = nullptr;
};

/// The receipts of one source. Held by a shared_ptr; receipts keep it. Threads: all functions from any thread.
class ReceiptBook final : public std::enable_shared_from_this<ReceiptBook> {
 public:
  using Settle = std::function<void(std::uint64_t number, Outcome outcome)>;
  /// `settle` is called once for each number, from the thread that let go last: it notes the number and returns.
  explicit ReceiptBook(Settle settle) : settle_(std::move(settle)) {}
  /// With `inside`: for who passes an item on and wants to know its end before the source does. Revoked, it revokes that, too, and keeps
  /// it until `settle` has been called.
  Receipt issue(std::uint64_t number, Receipt inside = {});
  /// Numbers that were given out and have not come home.
  std::uint64_t unsettled() const;
  /// Waits until all have come home, or so long; true when they have.
  bool wait(std::chrono::milliseconds longest) const;
  /// Nobody is told any more; what comes home later is as if it never did.
  void close();

 private:
  friend class Receipt;
  void settle(std::uint64_t number, Outcome outcome);
  mutable std::mutex mutex_;
  mutable std::condition_variable home_;
  Settle settle_;
  std::uint64_t unsettled_ = 0;
};

}  // namespace moru::edge
