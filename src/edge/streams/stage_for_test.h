// SPDX-License-Identifier: Apache-2.0
// What the tests of stages share: a small dataset, a model that can be computed by hand, and a place for what comes out.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/files.h"
#include "edge/streams/outbox.h"
#include "edge/streams/stage.h"
#include "edge/streams/stages/infer.h"
#include "edge/streams/stream.h"

namespace moru::edge::testing {

inline constexpr std::int64_t kSide = 4;      // images are 4 x 4
inline constexpr std::int64_t kClasses = 10;  // an image of class c is grey of 25 * c

/// `count` images and their labels as IDX files of the test part in `folder`; item i is of class i % kClasses.
inline void write_idx(const Path& folder, std::int64_t count) {
  const auto big_endian = [](std::int64_t value) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>((value >> shift) & 0xFF));
    return bytes;
  };
  ASSERT_TRUE(make_folders(folder));
  std::string images = std::string("\0\0\x08\x03", 4) + big_endian(count) + big_endian(kSide) + big_endian(kSide);
  std::string labels = std::string("\0\0\x08\x01", 4) + big_endian(count);
  for (std::int64_t i = 0; i < count; ++i) {
    images.append(static_cast<std::size_t>(kSide * kSide), static_cast<char>(25 * (i % kClasses)));
    labels.push_back(static_cast<char>(i % kClasses));
  }
  std::ofstream(folder / "t10k-images-idx3-ubyte", std::ios::binary) << images;
  std::ofstream(folder / "t10k-labels-idx1-ubyte", std::ios::binary) << labels;
}

/// Readings of two devices, ten seconds apart, as CSV and as NDJSON in `folder`.
inline void write_readings(const Path& folder) {
  std::string csv = "at,device,temperature\n";
  std::string ndjson;
  for (int i = 0; i < 12; ++i) {
    csv += "2026-11-23T17:3" + std::to_string(i / 6) + ":" + std::to_string(i % 6) + "0Z,oven-" + std::to_string(i % 2) + "," +
           std::to_string(60 + 5 * i) + ".5\n";
    ndjson += "{\"time\": " + std::to_string(i * 10'000'000'000) + ", \"device\": \"oven-" + std::to_string(i % 2) +
              "\", \"value\": " + std::to_string(i) + "}\n";
  }
  std::ofstream(folder / "readings.csv", std::ios::binary) << csv;
  std::ofstream(folder / "readings.ndjson", std::ios::binary) << ndjson;
}

/// Names the class by the image's grey, and gives logits: -(distance to each class's grey) * 20. `shift` makes it wrong
/// by so many classes. It believes that its input was normalised by `mean` and `std`.
class GreySession final : public runtime::Session {
 public:
  GreySession(double mean, double std, std::int64_t shift) : mean_(mean), std_(std), shift_(shift) {
    inputs_.push_back({.name = "image", .dtype = model::DType::kFloat32, .shape = {{-1, "N"}, {1, ""}, {kSide, ""}, {kSide, ""}}});
    outputs_.push_back({.name = "logits", .dtype = model::DType::kFloat32, .shape = {{-1, "N"}, {kClasses, ""}}});
  }
  std::span<const runtime::Port> inputs() const override { return inputs_; }
  std::span<const runtime::Port> outputs() const override { return outputs_; }
  Status run(std::span<const model::ConstTensorView> inputs, std::span<const model::TensorView> outputs) override {
    ++runs;
    if (fails) return fail(ErrorCode::kInternal, "grey: told to fail");
    const auto* pixels = reinterpret_cast<const float*>(inputs[0].bytes.data());
    auto* logits = reinterpret_cast<float*>(outputs[0].bytes.data());
    const double grey = (double{pixels[0]} * std_ + mean_) * 255.0 / 25.0;
    for (std::int64_t c = 0; c < kClasses; ++c) {
      logits[(c + shift_) % kClasses] = gives_nan ? std::nanf("") : static_cast<float>(-20.0 * std::abs(grey - static_cast<double>(c)));
    }
    return {};
  }
  int runs = 0;
  bool fails = false;
  bool gives_nan = false;

 private:
  const double mean_;
  const double std_;
  const std::int64_t shift_;
  std::vector<runtime::Port> inputs_;
  std::vector<runtime::Port> outputs_;
};

struct GreyModel {
  std::shared_ptr<LoadedModel> loaded;
  GreySession* session;  ///< borrowed from `loaded`
};

inline GreyModel grey_model(std::int64_t release, std::int64_t shift = 0, double mean = 0.0, double std = 1.0) {
  auto session = std::make_unique<GreySession>(mean, std, shift);
  auto* borrowed = session.get();
  auto loaded = std::make_shared<LoadedModel>();
  loaded->release = release;
  loaded->card.mean = mean;
  loaded->card.std = std;
  loaded->card.activation = "softmax";
  loaded->card.alert_threshold = 0.5;
  loaded->session = std::move(session);
  return {std::move(loaded), borrowed};
}

/// Keeps what a stage emits and why it drops.
class Caught final : public Output {
 public:
  void emit(Item&& item) override { items.push_back(std::move(item)); }
  void emit_to(std::size_t port, Item&& item) override {
    if (port == 0) {
      items.push_back(std::move(item));
    } else {
      others.push_back(std::move(item));
    }
  }
  void drop(std::string_view reason) override { reasons.emplace_back(reason); }
  void used(std::uint64_t count) override { used_items += count; }
  bool is_read(std::size_t port) const override { return port == 0 || read_all; }
  std::vector<Item> items;
  std::vector<Item> others;  ///< by other ports than the first
  std::vector<std::string> reasons;
  std::uint64_t used_items = 0;
  bool read_all = true;
};

/// Makes a stage of the table from options in YAML.
inline Result<std::unique_ptr<Stage>> make_stage(std::string_view name, std::string_view options) {
  MORU_ASSIGN_OR_RETURN(const auto object, ConfigObject::parse(options, "test.yaml"));
  return find_stage(name)->create(object);
}
inline Result<std::unique_ptr<SourceStage>> make_source(std::string_view name, std::string_view options) {
  MORU_ASSIGN_OR_RETURN(const auto object, ConfigObject::parse(options, "test.yaml"));
  return find_stage(name)->create_source(object);
}

/// The stream file of an example, checked: it is whole, uses its stage, and every stage of it takes what the one before it gives.
inline Result<StreamSpec> check_example(const StageSpec& stage, std::string_view example, std::span<const StageSpec* const> table) {
  MORU_ASSIGN_OR_RETURN(const auto document, ConfigObject::parse(example, std::string(stage.name)));
  MORU_ASSIGN_OR_RETURN(auto spec, read_stream(document, table));
  EXPECT_TRUE(std::ranges::any_of(spec.stages, [&](const auto& entry) { return entry.stage == stage.name; }))
      << "the example does not use its stage";
  return spec;
}

/// Runs a stage's example in a folder of its own with 40 images and some readings in data/, a model in slot "line" and an outbox, and
/// checks that every item went all the way. Changes the working folder. `example`: the same with, say, the address of a test's server.
inline void run_example(const StageSpec& stage, std::span<const StageSpec* const> table, std::string_view example) {
  SCOPED_TRACE(std::string(stage.name));
  auto folder = TempFolder::create("moru-example");
  ASSERT_TRUE(folder);
  write_idx(folder->path() / "data", 40);
  write_readings(folder->path() / "data");
  std::filesystem::current_path(folder->path());
  const auto spec = check_example(stage, example, table);
  ASSERT_TRUE(spec) << spec.error().message;
  auto outbox = Outbox::open(folder->path() / "outbox", spec->name);
  ASSERT_TRUE(outbox) << outbox.error().message;
  auto slot = std::make_shared<ModelSlot>();
  slot->swap(grey_model(1).loaded);
  StageContext context{.clock = &system_clock(), .resources = {{"model/line", slot}, {"outbox", *outbox}}, .stream = {}, .stop = {}};
  auto stream = Stream::start(*spec, std::move(context));
  ASSERT_TRUE(stream) << stream.error().message;
  while (!(*stream)->finished()) std::this_thread::yield();
  const auto state = (*stream)->state();
  EXPECT_EQ(state.state, "finished");
  EXPECT_EQ(state.last_error, "");
  EXPECT_GT(state.items, 0U);
  for (const auto& link : state.ledger) {
    EXPECT_TRUE(link.balanced()) << link.link;
    EXPECT_EQ(link.out, link.in) << link.link;
  }
  for (const auto& row : state.stages) {
    EXPECT_TRUE(row.balanced()) << row.name;
    EXPECT_EQ(row.held, 0U) << row.name;
  }
  std::filesystem::current_path(std::filesystem::temp_directory_path());
}

/// An example whose stage needs what a machine may not have is checked and not run.
inline void run_example(const StageSpec& stage, std::span<const StageSpec* const> table) {
  if (stage.needs.empty()) return run_example(stage, table, stage.example);
  const auto spec = check_example(stage, stage.example, table);
  EXPECT_TRUE(spec) << stage.name << ": " << spec.error().message;
}

}  // namespace moru::edge::testing
