// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <limits>
#include <optional>
#include <set>

#include "cli/model/verbs.h"
#include "cli/support/inputs.h"
#include "cli/support/models.h"
#include "core/json.h"
#include "core/text.h"

namespace moru::cli {
namespace {

using model::Tensor;

struct Flags {
  std::string path;
  std::vector<std::string> inputs;
  std::optional<std::uint64_t> random;
  std::string backend = "reference";
  int threads = 1;
  std::string out;
  LoadFlags load;
  DimFlags dims;
  Format format = Format::kText;
};

/// A name from the model as the name of a file: letters, digits, '.', '_' and '-', not hidden, not taken.
std::string file_name(std::string_view output, std::set<std::string>* taken) {
  constexpr std::size_t kMaxLength = 100;
  std::string name;
  for (const char c : output.substr(0, kMaxLength)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    name.push_back(plain ? c : '_');
  }
  if (name.empty() || name.front() == '.' || name.front() == '-') name.insert(0, "output");
  const std::string stem = name;
  for (int i = 2; !taken->insert(name).second; ++i) name = fmt::format("{}_{}", stem, i);
  return name + ".npy";
}

/// Smallest, largest and mean of the elements; nothing for those without an order.
struct Range {
  double min = std::numeric_limits<double>::infinity();
  double max = -std::numeric_limits<double>::infinity();
  double mean = 0;
};
std::optional<Range> range_of(const Tensor& tensor) {
  if (tensor.count() == 0) return std::nullopt;
  if (bits_of(tensor.dtype()) == 4) return range_of(model::unpack_4bit(tensor));
  std::optional<Range> range;
  model::visit_element_type(tensor.dtype(), [&]<class T>() {
    if constexpr (std::is_convertible_v<T, double> || model::kIsFloat<T>) {
      range.emplace();
      for (const T& element : tensor.data<T>()) {
        const auto value = static_cast<double>(element);
        range->min = std::min(range->min, value);
        range->max = std::max(range->max, value);
        range->mean += value / static_cast<double>(tensor.count());
      }
    }
  });
  return range;
}

Result<std::vector<Tensor>> make_inputs(const ModelRunner& runner, const Flags& flags) {
  MORU_ASSIGN_OR_RETURN(const auto binding, dim_binding(flags.dims));
  MORU_ASSIGN_OR_RETURN(auto given, read_tensors(flags.inputs));
  std::vector<std::size_t> missing;
  MORU_ASSIGN_OR_RETURN(auto inputs, order_tensors(std::move(given), runner.inputs(), flags.random ? &missing : nullptr));
  if (missing.empty()) return inputs;
  MORU_ASSIGN_OR_RETURN(const auto random, random_tensors(runner.inputs(), binding, *flags.random));
  for (const std::size_t i : missing) inputs[i] = random[i];
  return inputs;
}

Outcome run_model(const Flags& flags) {
  MORU_ASSIGN_OR_RETURN(const auto options, load_options(flags.load));
  MORU_ASSIGN_OR_RETURN(const std::string backend, resolve_backend(flags.backend, flags.path, flags.threads, flags.dims, options));
  MORU_ASSIGN_OR_RETURN(ModelRunner runner, ModelRunner::open(flags.path, backend, flags.threads, options));
  MORU_ASSIGN_OR_RETURN(const auto inputs, make_inputs(runner, flags));
  MORU_ASSIGN_OR_RETURN(const auto outputs, runner.run(inputs));
  if (!flags.out.empty()) MORU_RETURN_IF_ERROR(make_folders(flags.out));
  Json list = Json::array();
  std::string text;
  std::set<std::string> taken;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::string& name = runner.outputs()[i];
    const Path file = flags.out.empty() ? Path() : Path(flags.out) / file_name(name, &taken);
    if (!file.empty()) MORU_RETURN_IF_ERROR_IN("output " + in_quotes(name), model::save_npy(outputs[i], file));
    const auto range = range_of(outputs[i]);
    list.push_back({{"name", name},
                    {"dtype", to_string(outputs[i].dtype())},
                    {"shape", outputs[i].dims()},
                    {"min", range ? Json(range->min) : Json()},
                    {"max", range ? Json(range->max) : Json()},
                    {"mean", range ? Json(range->mean) : Json()},
                    {"file", file.empty() ? Json() : Json(file.string())}});
    text += fmt::format("output        {}: {}{}", clean_text(name), to_string(outputs[i].dtype()), model::to_string(outputs[i].dims()));
    if (range) text += fmt::format(", {:.6g} to {:.6g}, mean {:.6g}", range->min, range->max, range->mean);
    text += file.empty() ? "\n" : fmt::format(", written to {}\n", file.string());
  }
  if (flags.format == Format::kJson) {
    print_json({{"model", flags.path}, {"backend", backend}, {"outputs", std::move(list)}});
  } else {
    print_text(text);
  }
  return kDone;
}

}  // namespace

void add_model_run(CLI::App& app, std::function<Outcome()>* run) {
  static Flags flags;
  CLI::App* command = app.add_subcommand("run", "Run a model once, on tensors from files or on random ones");
  command->add_option("model", flags.path, "A model (.onnx, .tflite, .graph)")->required();
  command->add_option("-i,--input", flags.inputs, "NAME=x.npy, or x.npz with the inputs' names; may come again");
  command->add_option("--random", flags.random, "Seed: random tensors for the inputs that no file gives");
  command->add_option("--backend", flags.backend, "What runs it; auto: what moru bench --backend auto found")->capture_default_str();
  command->add_option("--threads", flags.threads, "Threads of the backend")->check(CLI::Range(1, 1024))->capture_default_str();
  command->add_option("-o,--out", flags.out, "Folder for the outputs, one .npy each");
  add_load_options(*command, &flags.load);
  add_dim_options(*command, &flags.dims);
  add_format_option(*command, &flags.format);
  command->footer(
      "Example:\n  moru model run model.onnx --random 1 -o out\n  moru model run model.onnx -i image=image.npy --backend onnxruntime -o "
      "out");
  command->callback([run] { *run = [] { return run_model(flags); }; });
}

}  // namespace moru::cli
