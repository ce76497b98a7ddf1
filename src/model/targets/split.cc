// SPDX-License-Identifier: Apache-2.0
#include "model/targets/split.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/text.h"
#include "model/ops/verify.h"

namespace moru::model::targets {
namespace {

constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

class Splitter {
 public:
  Splitter(const Graph& graph, std::span<const Piece> pieces)
      : graph_(graph), pieces_(pieces), piece_of_(graph.nodes().size(), kNowhere), leaves_(graph.value_count(), false) {
    for (std::size_t p = 0; p < pieces.size(); ++p) {
      for (const std::size_t node : pieces[p].nodes) piece_of_[node] = p;
    }
    const std::vector<std::int32_t> producers = graph.producers();
    for (const ValueId id : graph.outputs) leaves_[static_cast<std::size_t>(id)] = true;
    for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
      for_each_use(graph.nodes()[i], [&](ValueId id) {
        const std::int32_t from = producers[static_cast<std::size_t>(id)];
        if (from >= 0 && piece_of_[static_cast<std::size_t>(from)] != piece_of_[i]) leaves_[static_cast<std::size_t>(id)] = true;
      });
    }
  }

  Result<PieceModel> make(std::size_t index) {
    const Piece& piece = pieces_[index];
    PieceModel model{.accelerator = piece.accelerator, .macs = piece.macs, .graph = {}};
    into_ = &model.graph;
    ids_.clear();
    into_->name = fmt::format("{}, piece {} of {}", graph_.name, index, pieces_.size());
    into_->opset = graph_.opset;
    into_->domains = graph_.domains;
    const std::set<ValueId> made = made_by(piece);
    for (const std::size_t i : piece.nodes) take(graph_.nodes()[i], made);
    std::set<ValueId> given;
    for (const std::size_t i : piece.nodes) {
      for (const ValueId id : graph_.nodes()[i].outputs) {
        if (id != kNoValue && leaves_[static_cast<std::size_t>(id)] && given.insert(id).second) into_->outputs.push_back(ids_.at(id));
      }
    }
    if (index + 1 == pieces_.size()) give_constants(&given);
    MORU_RETURN_IF_ERROR_IN(fmt::format("piece {}", index), infer_shapes(*into_));
    return model;
  }

 private:
  std::set<ValueId> made_by(const Piece& piece) const {
    std::set<ValueId> made;
    for (const std::size_t i : piece.nodes) {
      for (const ValueId id : graph_.nodes()[i].outputs) {
        if (id != kNoValue) made.insert(id);
      }
    }
    return made;
  }

  /// The value's id in the piece; a constant is copied (it shares its data), and what comes from elsewhere is an input.
  ValueId use(ValueId id, const std::set<ValueId>& made) {
    const auto [it, is_new] = ids_.try_emplace(id, kNoValue);
    if (!is_new) return it->second;
    const Value& value = graph_.value(id);
    it->second = into_->add_value(value.name, value.type);
    if (const Tensor* tensor = graph_.initializer(id)) {
      into_->set_initializer(it->second, *tensor);
    } else if (!made.contains(id)) {
      into_->inputs.push_back(it->second);
    }
    return it->second;
  }

  void take(const Node& node, const std::set<ValueId>& made) {
    Node copy = node;
    for_each_use(copy, [&](ValueId& id) { id = use(id, made); });
    for (ValueId& id : copy.outputs) {
      if (id != kNoValue) id = use(id, made);
    }
    into_->nodes().push_back(std::move(copy));
  }

  void give_constants(std::set<ValueId>* given) {
    for (const ValueId id : graph_.outputs) {
      if (graph_.initializer(id) != nullptr && given->insert(id).second) into_->outputs.push_back(use(id, {}));
    }
  }

  const Graph& graph_;
  std::span<const Piece> pieces_;
  std::vector<std::size_t> piece_of_;
  std::vector<bool> leaves_;  ///< of each value: it is used outside of the piece that makes it
  Graph* into_ = nullptr;
  std::map<ValueId, ValueId> ids_;
};

}  // namespace

Result<std::vector<PieceModel>> split(const Graph& graph, std::span<const Piece> pieces) {
  Splitter splitter(graph, pieces);
  std::vector<PieceModel> models;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    MORU_ASSIGN_OR_RETURN(PieceModel model, splitter.make(i));
    models.push_back(std::move(model));
  }
  return models;
}

PieceNames names_of(const Graph& graph) {
  PieceNames names;
  for (const ValueId id : graph.inputs) names.inputs.push_back(graph.value(id).name);
  for (const ValueId id : graph.outputs) names.outputs.push_back(graph.value(id).name);
  return names;
}

Result<std::vector<Tensor>> run_pieces(const PieceNames& whole, std::span<const PieceNames> pieces, std::span<const Tensor> inputs,
                                       const PieceRunner& run) {
  std::map<std::string_view, Tensor> values;
  const auto find = [&](const std::string& name) -> Result<Tensor> {
    const auto it = values.find(name);
    if (it == values.end())
      return fail(ErrorCode::kInvalidArgument, fmt::format("value {}: found nothing that gives it, expected a piece", in_quotes(name)));
    return it->second;
  };
  for (std::size_t i = 0; i < whole.inputs.size() && i < inputs.size(); ++i) values.emplace(whole.inputs[i], inputs[i]);
  for (std::size_t p = 0; p < pieces.size(); ++p) {
    std::vector<Tensor> given;
    for (const std::string& name : pieces[p].inputs) {
      MORU_ASSIGN_OR_RETURN(Tensor tensor, find(name));
      given.push_back(std::move(tensor));
    }
    MORU_ASSIGN_OR_RETURN_IN(fmt::format("piece {}", p), const std::vector<Tensor> made, run(p, given));
    for (std::size_t i = 0; i < made.size() && i < pieces[p].outputs.size(); ++i) values.insert_or_assign(pieces[p].outputs[i], made[i]);
  }
  std::vector<Tensor> outputs;
  for (const std::string& name : whole.outputs) {
    MORU_ASSIGN_OR_RETURN(Tensor tensor, find(name));
    outputs.push_back(std::move(tensor));
  }
  return outputs;
}

}  // namespace moru::model::targets
