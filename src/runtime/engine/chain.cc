// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/chain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "runtime/engine/lowering.h"

namespace moru::runtime::engine {
namespace {

/// Fewer rows of outputs than this in a band, and the rows that bands share cost more than the cache gives.
constexpr int kLeastRows = 2;
/// Of what lies between the steps of a chain: part of a second-level cache, beside weights and what goes in and out.
constexpr std::size_t kMostBytes = std::size_t{256} << 10U;
/// A smaller value stays in the cache as it is.
constexpr std::size_t kLeastBytes = std::size_t{64} << 10U;

int bands_of(const RowReach& last, int band_rows) { return (last.out_rows + band_rows - 1) / band_rows; }

/// How many rows of each value between two steps are there at once, with bands of so many rows.
std::vector<int> rows_between(const std::vector<RowReach>& chain, int band_rows) {
  std::vector<int> rows(chain.size() - 1, 0);
  const auto note = [&rows](const Band& band) {
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = std::max(rows[i], band.kept[i].end - band.kept[i].begin);
  };
  Band before;
  for (int begin = 0; begin < chain.back().out_rows; begin += band_rows) {
    const RowRange out{begin, std::min(begin + band_rows, chain.back().out_rows)};
    note(next_band(chain, nullptr, out));  // where another worker begins
    before = next_band(chain, begin == 0 ? nullptr : &before, out);
    note(before);
  }
  return rows;
}

std::size_t bytes_between(const std::vector<RowReach>& chain, const std::vector<int>& rows) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) bytes += static_cast<std::size_t>(rows[i]) * chain[i].out_row_bytes;
  return bytes;
}

}  // namespace

Band next_band(const std::vector<RowReach>& chain, const Band* before, RowRange out) noexcept {
  Band band;
  for (std::size_t i = chain.size() - 1; i > 0; --i) {
    band.made[i] = out;
    const RowRange there = before == nullptr ? RowRange{} : before->kept[i - 1];
    if (out.begin >= out.end) {  // what is there is enough
      band.kept[i - 1] = there;
      out = {};
      continue;
    }
    const RowRange read{chain[i].first_read(out.begin), chain[i].end_read(out.end)};
    band.kept[i - 1] = {read.begin, std::max(read.end, there.end)};
    out = {std::max(read.begin, there.end), read.end};
  }
  band.made[0] = out;
  return band;
}

std::optional<ChainShape> shape_chain(const std::vector<RowReach>& chain, std::size_t most_bytes) {
  const int out_rows = chain.back().out_rows;
  const auto fits = [&](int rows) { return bytes_between(chain, rows_between(chain, rows)) <= most_bytes; };
  int most = out_rows;
  while (most >= kLeastRows && !fits(most)) --most;
  if (most < kLeastRows || most == out_rows) return std::nullopt;
  // As many bands, but evenly, and two workers have as many each.
  const int bands = bands_of(chain.back(), most) + bands_of(chain.back(), most) % 2;
  const int rows = (out_rows + bands - 1) / bands;
  return ChainShape{.band_rows = rows, .rows = rows_between(chain, rows)};
}

ChainStep::ChainStep(std::vector<std::unique_ptr<Step>> steps, std::vector<RowReach> chain, const ChainShape& shape, BufferId table,
                     std::size_t buffers)
    : SplitStep(bands_of(chain.back(), shape.band_rows)),
      steps_(std::move(steps)),
      chain_(std::move(chain)),
      band_rows_(shape.band_rows),
      table_(table),
      buffers_(buffers) {}

void ChainStep::run_pieces(const Frame& frame, int begin, int end) const noexcept {
  // The steps find their buffers in a table of the chain's own: there, row 0 of a value between two of them lies where it would if
  // all rows were there.
  auto** table = frame.at<std::byte*>(table_);
  std::copy_n(frame.buffers(), buffers_, table);
  const Frame mine(table);
  Band band;
  for (int piece = begin; piece < end; ++piece) {
    const RowRange out{piece * band_rows_, std::min((piece + 1) * band_rows_, chain_.back().out_rows)};
    const Band before = band;
    band = next_band(chain_, piece == begin ? nullptr : &before, out);
    for (std::size_t i = 0; i + 1 < chain_.size(); ++i) {
      const std::size_t row = chain_[i].out_row_bytes;
      auto* memory = frame.at<std::byte>(chain_[i].y);
      const RowRange old = piece == begin ? RowRange{} : before.kept[i];
      const int shift = band.kept[i].begin - old.begin;
      const int still = old.end - band.kept[i].begin;
      if (shift > 0 && still > 0)
        std::memmove(memory, memory + static_cast<std::size_t>(shift) * row, static_cast<std::size_t>(still) * row);
      const auto address = reinterpret_cast<std::uintptr_t>(memory) - static_cast<std::size_t>(band.kept[i].begin) * row;
      table[chain_[i].y] = reinterpret_cast<std::byte*>(address);
    }
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      const RowRange rows = band.made[i];
      if (rows.begin < rows.end) static_cast<const RowStep&>(*steps_[i]).run_rows(mine, rows.begin, rows.end);
    }
  }
}

void Lowering::chain_rows() {
  for (std::size_t begin = 0; begin < plan_->steps_.size(); ++begin) {
    std::size_t end = begin + 1;
    while (end < plan_->steps_.size() && end - begin < kMostChained && links_rows(end - 1)) ++end;
    while (end - begin > 1 && !chain_steps(begin, end)) end = weakest_link(begin, end);
  }
}

std::size_t Lowering::weakest_link(std::size_t begin, std::size_t end) const {
  const auto bytes = [this](std::size_t index) {
    const BufferId y = static_cast<const RowStep&>(*plan_->steps_[index].step).reach().y;
    return value_bytes_[static_cast<std::size_t>(y)];
  };
  std::size_t weakest = begin;
  for (std::size_t i = begin; i + 1 < end; ++i) {
    if (bytes(i) < bytes(weakest)) weakest = i;
  }
  return weakest + 1;
}

bool Lowering::links_rows(std::size_t index) const {
  const auto* first = dynamic_cast<const RowStep*>(plan_->steps_[index].step.get());
  const auto* second = dynamic_cast<const RowStep*>(plan_->steps_[index + 1].step.get());
  if (first == nullptr || second == nullptr || first->batch() != 1 || second->batch() != 1) return false;
  const RowReach& from = first->reach();
  const RowReach& to = second->reach();
  const auto buffer = static_cast<std::size_t>(from.y);
  const Lifetime& lifetime = lifetimes_[buffer];
  return from.y == to.x && from.out_rows == to.in_rows && from.out_row_bytes == to.in_row_bytes &&
         plan_->buffers_[buffer].kind == Buffer::Kind::kArena && value_bytes_[buffer] >= kLeastBytes &&
         lifetime.first == static_cast<int>(index) && lifetime.last == static_cast<int>(index) + 1;
}

bool Lowering::chain_steps(std::size_t begin, std::size_t end) {
  std::vector<RowReach> chain;
  for (std::size_t i = begin; i < end; ++i) chain.push_back(static_cast<const RowStep&>(*plan_->steps_[i].step).reach());
  const auto shape = shape_chain(chain, kMostBytes);
  if (!shape) return false;
  std::vector<std::unique_ptr<Step>> steps;
  PlannedStep all{.step = nullptr,
                  .name = fmt::format("{} to {}", plan_->steps_[begin].name, plan_->steps_[end - 1].name),
                  .work = std::move(plan_->steps_[begin].work)};
  for (std::size_t i = begin; i < end; ++i) {
    PlannedStep& one = plan_->steps_[i];
    steps.push_back(std::move(one.step));
    if (i == begin) continue;
    all.work.ops += ", " + one.work.ops;
    all.work.macs += one.work.macs;
    all.work.weight_bytes += one.work.weight_bytes;
    all.work.traffic.read += one.work.traffic.read;
    all.work.traffic.written += one.work.traffic.written;
  }
  for (std::size_t i = 0; i < shape->rows.size(); ++i) {
    const auto buffer = static_cast<std::size_t>(chain[i].y);
    all.work.traffic.read -= value_bytes_[buffer];
    all.work.traffic.written -= value_bytes_[buffer];
    value_bytes_[buffer] = 0;
    const std::size_t bytes = static_cast<std::size_t>(shape->rows[i]) * chain[i].out_row_bytes + kernels::kSlack;
    plan_->buffers_[buffer].kind = Buffer::Kind::kScratch;
    plan_->buffers_[buffer].bytes = lifetimes_[buffer].bytes = bytes;
  }
  const std::size_t buffers = plan_->buffers_.size();
  const BufferId table = scratch(buffers * sizeof(std::byte*));
  lifetimes_.back().first = lifetimes_.back().last = static_cast<int>(begin);
  all.step = std::make_unique<ChainStep>(std::move(steps), std::move(chain), *shape, table, buffers);
  plan_->steps_[begin] = std::move(all);
  plan_->steps_.erase(plan_->steps_.begin() + static_cast<std::ptrdiff_t>(begin) + 1,
                      plan_->steps_.begin() + static_cast<std::ptrdiff_t>(end));
  const auto renumber = [&](int& step) {
    if (step > static_cast<int>(begin)) step = std::max(static_cast<int>(begin), step - static_cast<int>(end - begin - 1));
  };
  // A chain reads in other bands what it would overwrite in this one.
  std::erase_if(overwrites_,
                [&](const Overwrite& over) { return over.step >= static_cast<int>(begin) && over.step < static_cast<int>(end); });
  for (Overwrite& over : overwrites_) renumber(over.step);
  for (Lifetime& lifetime : lifetimes_) {
    renumber(lifetime.first);
    renumber(lifetime.last);
  }
  return true;
}

}  // namespace moru::runtime::engine
