// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/matrix.h"

namespace moru::runtime::engine {
namespace {

class TableStep final : public ElementsStep {
 public:
  TableStep(BufferId x, BufferId y, std::size_t count, const std::uint8_t* table, const kernels::Kernels& kernels)
      : ElementsStep(count), x_(x), y_(y), table_(table), table_u8_(kernels.elementwise->table_u8) {}

  void run_elements(const Frame& frame, std::size_t first, std::size_t count) const noexcept override {
    table_u8_(table_, frame.at<const std::uint8_t>(x_) + first, frame.at<std::uint8_t>(y_) + first, count);
  }

 private:
  BufferId x_;
  BufferId y_;
  const std::uint8_t* table_;
  void (*table_u8_)(const std::uint8_t* table, const std::uint8_t* x, std::uint8_t* y, std::size_t count);
};

bool is_identity(const std::vector<std::uint8_t>& levels) {
  for (std::size_t i = 0; i < levels.size(); ++i) {
    if (levels[i] != i) return false;
  }
  return true;
}

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, 0));
  MORU_ASSIGN_OR_RETURN(const model::Tensor* table, lowering.constant(node, 1));
  const model::DType y_dtype = table->dtype();
  // Its entries stand in the order of levels, and so they do when all are moved to uint8.
  std::vector<std::uint8_t> levels;
  for (const std::byte entry : table->bytes())
    levels.push_back(static_cast<std::uint8_t>(std::to_integer<int>(entry) + level_shift(y_dtype)));
  if (is_identity(levels)) {  // uint8 that becomes int8, say
    lowering.alias(node.outputs.front(), {x.buffer, y_dtype, x.dims, x.layout});
    return {};
  }
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), x.layout));
  MORU_ASSIGN_OR_RETURN(const std::uint8_t* kept, lowering.keep(levels));
  lowering.add(std::make_unique<TableStep>(x.buffer, y.buffer, x.count(), kept, lowering.kernels()), {x.buffer, y.buffer});
  lowering.may_overwrite(x.buffer, y.buffer);
  return {};
}

}  // namespace

extern const LowerSpec kLower_moru_qtable;
const LowerSpec kLower_moru_qtable{.name = "QTable", .domain = "moru", .lower = lower};

}  // namespace moru::runtime::engine
