// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/noun.h"
#include "cli/support/hub_access.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/text.h"
#include "forge/package/package.h"
#include "model/formats/bundle/bundle.h"
#include "model/formats/bundle/model_card.h"
#include "trust/keys.h"

namespace moru::cli {
namespace {

struct Options {
  std::vector<std::string> models;
  std::string card;
  std::string name;
  std::int64_t version = 1;
  std::string key;
  std::string out;
  std::string bundle;
  std::vector<std::string> public_keys;
  Format format = Format::kText;
};

Path default_key() { return moru_home() / "keys" / "release.pem"; }

Outcome create(const Options& options) {
  MORU_ASSIGN_OR_RETURN(const std::string card_text, read_file(options.card, 1U << 20U));
  MORU_ASSIGN_OR_RETURN(const model::ModelCard card, model::read_card(card_text, options.card));
  std::vector<forge::ReleaseFile> files;
  for (const std::string& model : options.models) {
    // FILE or FILE@TARGET
    const std::size_t at = model.rfind('@');
    const Path path = model.substr(0, at);
    MORU_ASSIGN_OR_RETURN(std::string bytes, read_file(path));
    files.push_back(
        {.name = path.filename().string(), .target = at == std::string::npos ? "any" : model.substr(at + 1), .bytes = std::move(bytes)});
  }
  const Path key_path = options.key.empty() ? default_key() : Path(options.key);
  if (key_path.has_parent_path()) MORU_RETURN_IF_ERROR(make_folders(key_path.parent_path(), 0700));
  MORU_ASSIGN_OR_RETURN(const trust::SigningKey key, trust::SigningKey::load_or_create(key_path));
  const std::string name = options.name.empty() ? card.name : options.name;
  MORU_ASSIGN_OR_RETURN(const forge::Release release,
                        forge::make_release(name, options.version, format_utc(system_clock().wall_now()), card, files, key));
  MORU_RETURN_IF_ERROR(write_file_atomic(options.out, release.bytes));
  const std::string public_path = options.out + ".pub.pem";
  MORU_RETURN_IF_ERROR(write_file_atomic(public_path, key.public_key().to_pem()));
  if (options.format == Format::kJson) {
    print_json({{"bundle", options.out},
                {"name", name},
                {"version", options.version},
                {"size_bytes", release.bytes.size()},
                {"sha256", release.digest},
                {"key", key.public_key().id()},
                {"public_key", public_path}});
  } else {
    print_text(fmt::format("release     {} {}\nsize        {}\nsha256      {}\nsigned by   {}\nwritten     {}, {}\n", name, options.version,
                           human_bytes(release.bytes.size()), release.digest, key.public_key().id(), options.out, public_path));
  }
  return kDone;
}

Result<std::vector<trust::PublicKey>> read_keys(const std::vector<std::string>& paths) {
  std::vector<trust::PublicKey> keys;
  for (const std::string& path : paths) {
    MORU_ASSIGN_OR_RETURN(const std::string pem, read_file(path, 1U << 20U));
    MORU_ASSIGN_OR_RETURN(trust::PublicKey key, trust::PublicKey::from_pem(pem, path));
    keys.push_back(std::move(key));
  }
  return keys;
}

/// Text of a bundle that anybody may have made: no control characters reach the terminal.
std::string clean(std::string text) {
  std::ranges::replace_if(text, [](unsigned char c) { return (c < ' ' && c != '\n') || c == 0x7F; }, '?');
  return text;
}

void print_bundle(const Options& options, const model::Bundle& bundle, const model::ModelCard& card, bool verified) {
  const model::BundleHeader& header = bundle.header();
  if (options.format == Format::kJson) {
    Json files = Json::array();
    for (const model::BundleFile& file : header.files) {
      files.push_back(
          {{"name", file.name}, {"target", file.target}, {"format", file.format}, {"size_bytes", file.size}, {"sha256", file.sha256}});
    }
    Json figures = Json::object();
    for (const auto& [name, value] : card.figures) figures[name] = value;
    print_json({{"name", header.name},
                {"version", header.version},
                {"created", header.created},
                {"sha256", bundle.digest()},
                {"verified", verified},
                {"labels", card.labels},
                {"alert_threshold", card.alert_threshold},
                {"files", files},
                {"figures", figures}});
    return;
  }
  std::string text = fmt::format("release     {} {}\ncreated     {}\nsha256      {}\nsignature   {}\ntask        {}, {} classes\n",
                                 header.name, header.version, header.created, bundle.digest(),
                                 verified ? "verified" : "not checked (give --key)", card.task, card.labels.size());
  for (const model::BundleFile& file : header.files)
    text += fmt::format("file        {} for {}, {}\n", file.name, file.target, human_bytes(file.size));
  for (const auto& [name, value] : card.figures) text += fmt::format("{:<28} {:.6g}\n", name, value);
  print_text(clean(std::move(text)));
}

/// show takes a bundle of anybody unless keys are given; verify wants keys.
Outcome show(const Options& options) {
  MORU_ASSIGN_OR_RETURN(const std::vector<trust::PublicKey> keys, read_keys(options.public_keys));
  MORU_ASSIGN_OR_RETURN(const std::string bytes, read_file(options.bundle));
  const model::Verifier verify = [&keys](std::string_view message, std::string_view signature) {
    return keys.empty() ? Status() : trust::verify_with_any(keys, message, signature);
  };
  MORU_ASSIGN_OR_RETURN(const model::Bundle bundle, model::Bundle::open(bytes, verify, options.bundle));
  MORU_ASSIGN_OR_RETURN(const model::ModelCard card, model::read_card(bundle.header().card, options.bundle));
  print_bundle(options, bundle, card, !keys.empty());
  return kDone;
}

Outcome push(const Options& flags, const HubAccess& access) {
  MORU_ASSIGN_OR_RETURN(const auto bytes, read_file(flags.bundle));
  MORU_ASSIGN_OR_RETURN(const auto client, connect(access));
  MORU_ASSIGN_OR_RETURN(const auto answer, client.put_bytes("/v1/releases", bytes));
  if (flags.format == Format::kJson) {
    print_json(answer);
  } else {
    print_text(fmt::format("release {} of {} is on the hub; roll it out with: moru rollout create --help\n",
                           json_or<std::int64_t>(answer, "release", 0), json_or<std::string>(answer, "name", "?")));
  }
  return kDone;
}

void add(CLI::App& app, std::function<Outcome()>* run) {
  static Options options;
  app.require_subcommand(1);
  CLI::App* command = app.add_subcommand("create", "Pack models and their card into a signed bundle");
  command->add_option("--model", options.models, "An ONNX file, or FILE@TARGET; may repeat")->required();
  command->add_option("--card", options.card, "The model card (JSON), as moru compress --card writes it")->required();
  command->add_option("--name", options.name, "Of the model; the card's unless given");
  command->add_option("--version", options.version, "Release number; grows")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 52))
      ->capture_default_str();
  command->add_option("--key", options.key, "Private key (PEM); made at first use. Default: keys/release.pem in MORU_HOME");
  command->add_option("-o,--out", options.out, "The bundle (.moru) to write; the public key goes beside it")->required();
  add_format_option(*command, &options.format);
  command->footer("Example:\n  moru release create --model model.int8.onnx --card card.json --version 1 -o line.moru");
  command->callback([run] { *run = [] { return create(options); }; });
  for (const bool must : {false, true}) {
    CLI::App* view =
        app.add_subcommand(must ? "verify" : "show", must ? "Check a bundle's signature and every digest" : "Print what a bundle holds");
    view->add_option("bundle", options.bundle, "The bundle")->required();
    view->add_option("--key", options.public_keys, "A trusted public key (PEM); may repeat")->required(must);
    add_format_option(*view, &options.format);
    view->footer(fmt::format("Example:\n  moru release {} line.moru --key line.moru.pub.pem", must ? "verify" : "show"));
    view->callback([run] { *run = [] { return show(options); }; });
  }
  static HubAccess access;
  CLI::App* give = add_hub_verb(app, run, "push", "Give a bundle to a hub, which stores it as it is; nodes check it", &access,
                                &options.format, [] { return push(options, access); });
  give->add_option("bundle", options.bundle, "The bundle")->required();
  give->footer("Example:\n  moru release push line.moru");
}

}  // namespace

extern const NounSpec kNoun_release;
const NounSpec kNoun_release{.name = "release", .doc = "Signed releases: make, look at, check, give to a hub", .add = add};

}  // namespace moru::cli
