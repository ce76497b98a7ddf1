// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/receipt.h"

#include <atomic>
#include <vector>

namespace moru::edge {

/// A number of a book, or (without a book) what several are put together in.
struct Receipt::Node {
  std::atomic<std::uint32_t> holders{1};
  std::atomic<bool> revoked{false};
  std::shared_ptr<ReceiptBook> book;
  std::uint64_t number = 0;
  std::vector<Receipt> parts;
  Node* next = nullptr;  // of those that are to go
};

void Receipt::hold(Node& node) { node.holders.fetch_add(1, std::memory_order_relaxed); }

void Receipt::let_go(Node* node) {
  if (node->holders.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  // A list and no recursion: a receipt may have grown out of very many, one after the other.
  for (Node* gone = node; gone != nullptr;) {
    const std::unique_ptr<Node> owned(gone);
    Node* rest = gone->next;
    if (gone->book) gone->book->settle(gone->number, gone->revoked ? Outcome::kAgain : Outcome::kDone);
    for (Receipt& part : gone->parts) {
      Node* const inner = std::exchange(part.node_, nullptr);
      if (inner->holders.fetch_sub(1, std::memory_order_acq_rel) != 1) continue;
      inner->next = rest;
      rest = inner;
    }
    gone = rest;
  }
}

void Receipt::revoke() const {
  if (node_ == nullptr) return;
  std::vector<Node*> todo{node_};
  while (!todo.empty()) {
    Node* const node = todo.back();
    todo.pop_back();
    if (node->revoked.exchange(true)) continue;
    for (const Receipt& part : node->parts) todo.push_back(part.node_);
  }
}

void Receipt::add(Receipt other) {
  if (other.node_ == nullptr || other.node_ == node_) return;
  if (node_ == nullptr) {
    *this = std::move(other);
    return;
  }
  // Only what nobody else holds may grow: others took it for what it was.
  const bool mine = !node_->book && node_->holders.load(std::memory_order_acquire) == 1;
  if (!mine) {
    auto all = std::make_unique<Node>();
    all->parts.emplace_back(std::move(*this));
    *this = Receipt(all.release());
  }
  if (node_->revoked) other.revoke();
  node_->parts.push_back(std::move(other));
}

Receipt ReceiptBook::issue(std::uint64_t number, Receipt inside) {
  auto node = std::make_unique<Receipt::Node>();
  node->book = shared_from_this();
  node->number = number;
  if (inside) node->parts.push_back(std::move(inside));
  const std::lock_guard lock(mutex_);
  ++unsettled_;
  return Receipt(node.release());
}

std::uint64_t ReceiptBook::unsettled() const {
  const std::lock_guard lock(mutex_);
  return unsettled_;
}

bool ReceiptBook::wait(std::chrono::milliseconds longest) const {
  std::unique_lock lock(mutex_);
  return home_.wait_for(lock, longest, [&] { return unsettled_ == 0; });
}

void ReceiptBook::close() {
  const std::lock_guard lock(mutex_);
  settle_ = nullptr;
}

void ReceiptBook::settle(std::uint64_t number, Outcome outcome) {
  const std::lock_guard lock(mutex_);
  if (settle_) settle_(number, outcome);
  if (--unsettled_ == 0) home_.notify_all();
}

}  // namespace moru::edge
