// SPDX-License-Identifier: Apache-2.0
#include "cli/support/inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/random.h"
#include "core/text.h"
#include "runtime/backends/ports.h"
#include "runtime/measure/compare.h"

namespace moru::cli {
namespace {

using model::Tensor;

std::unexpected<Error> invalid(std::string message) { return fail(ErrorCode::kInvalidArgument, std::move(message)); }

std::vector<std::string> names_of(std::span<const runtime::Port> ports) {
  std::vector<std::string> names;
  for (const runtime::Port& port : ports) names.push_back(port.name);
  return names;
}

/// Whether dims have the port's rank and known extents, from axis `from` on.
bool fits(const runtime::Port& port, std::span<const std::int64_t> dims, std::size_t from = 0) {
  if (dims.size() != port.shape.size()) return false;
  for (std::size_t i = from; i < dims.size(); ++i) {
    if (port.shape[i].known() && port.shape[i].value != dims[i]) return false;
  }
  return true;
}

/// The shape of one run of a tensor that holds several, and how many.
struct Cut {
  model::Dims dims;
  std::int64_t runs = 1;
};

std::optional<Cut> cut_of(const runtime::Port& port, const model::Dims& dims) {
  if (fits(port, dims)) return Cut{dims, 1};
  if (dims.empty()) return std::nullopt;
  const model::Dims rest(dims.begin() + 1, dims.end());
  // [runs * batch, ...] for a port of [batch, ...].
  if (!port.shape.empty() && port.shape[0].known() && port.shape[0].value > 0 && fits(port, dims, 1) &&
      dims[0] % port.shape[0].value == 0) {
    Cut cut{dims, dims[0] / port.shape[0].value};
    cut.dims[0] = port.shape[0].value;
    return cut;
  }
  // [runs, ...] for a port of [...].
  if (fits(port, rest)) return Cut{rest, dims[0]};
  // [runs, ...] for a port with axes of extent 1 in front or inside: as many elements, in the same order.
  model::Dims known;
  std::int64_t size = 1;
  for (const model::Dim& dim : port.shape) {
    if (!dim.known() || __builtin_mul_overflow(size, dim.value, &size)) return std::nullopt;
    known.push_back(dim.value);
  }
  std::int64_t found = 1;
  for (const std::int64_t extent : rest) found *= extent;  // of a tensor that is there: no overflow
  if (found != size) return std::nullopt;
  model::Dims without_ones = rest;
  model::Dims wanted = known;
  std::erase(without_ones, 1);
  std::erase(wanted, 1);
  if (without_ones != wanted) return std::nullopt;
  return Cut{known, dims[0]};
}

}  // namespace

Result<std::vector<model::NamedTensor>> read_tensors(std::span<const std::string> entries) {
  std::vector<model::NamedTensor> all;
  for (const std::string& entry : entries) {
    if (entry.ends_with(".npz")) {
      MORU_ASSIGN_OR_RETURN(auto tensors, model::load_npz(entry));
      std::ranges::move(tensors, std::back_inserter(all));
      continue;
    }
    if (!entry.ends_with(".npy"))
      return invalid(fmt::format("input {}: found another kind of file, expected .npy or .npz", in_quotes(entry)));
    const std::size_t equals = entry.find('=');
    const bool named = equals != entry.npos;
    MORU_ASSIGN_OR_RETURN(Tensor tensor, model::load_npy(named ? entry.substr(equals + 1) : entry));
    all.push_back({named ? entry.substr(0, equals) : std::string(), std::move(tensor)});
  }
  return all;
}

Result<std::vector<Tensor>> order_tensors(std::vector<model::NamedTensor> tensors, std::span<const runtime::Port> ports,
                                          std::vector<std::size_t>* missing) {
  std::vector<std::optional<Tensor>> found(ports.size());
  const auto names = names_of(ports);
  for (model::NamedTensor& named : tensors) {
    if (named.name.empty() && ports.size() == 1) named.name = names[0];
    const auto it = std::ranges::find(names, named.name);
    if (it == names.end()) {
      return invalid(fmt::format("input {}: found no such input of the model{}, expected one of: {}", in_quotes(named.name),
                                 did_you_mean(named.name, names), fmt::join(names, ", ")));
    }
    auto& place = found[static_cast<std::size_t>(it - names.begin())];
    if (place) return invalid(fmt::format("input {}: found it twice, expected it once", in_quotes(named.name)));
    place = std::move(named.tensor);
  }
  std::vector<Tensor> ordered;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!found[i] && missing == nullptr)
      return invalid(fmt::format("input {}: found nothing for it, expected a tensor", runtime::describe(ports[i])));
    if (!found[i]) missing->push_back(i);
    ordered.push_back(found[i] ? std::move(*found[i]) : Tensor());
  }
  return ordered;
}

Result<std::vector<Tensor>> random_tensors(std::span<const runtime::Port> ports, const model::DimBinding& binding, std::uint64_t seed) {
  Rng rng(seed);
  return runtime::random_inputs(ports, binding, rng);
}

Result<std::vector<std::vector<Tensor>>> split_runs(const std::vector<Tensor>& tensors, std::span<const runtime::Port> ports) {
  std::vector<Cut> cuts;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto cut = cut_of(ports[i], tensors[i].dims());
    if (!cut || tensors[i].dtype() != ports[i].dtype) {
      return invalid(fmt::format("input {}: found {} {}, expected its type and shape, or several of it along a first axis",
                                 runtime::describe(ports[i]), to_string(tensors[i].dtype()), model::to_string(tensors[i].dims())));
    }
    cuts.push_back(*cut);
    if (cut->runs != cuts.front().runs) {
      return invalid(fmt::format("input {}: found {} runs, expected {} as of input {}", runtime::describe(ports[i]), cut->runs,
                                 cuts.front().runs, in_quotes(ports[0].name)));
    }
  }
  const auto count = cuts.empty() ? std::size_t{0} : static_cast<std::size_t>(cuts.front().runs);
  std::vector<std::vector<Tensor>> runs(count);
  for (std::size_t run = 0; run < count; ++run) {
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const auto bytes = tensors[i].bytes();
      const std::size_t size = bytes.size() / count;
      MORU_ASSIGN_OR_RETURN(Tensor one, Tensor::from_bytes(tensors[i].dtype(), cuts[i].dims, bytes.subspan(run * size, size)));
      runs[run].push_back(std::move(one));
    }
  }
  return runs;
}

}  // namespace moru::cli
