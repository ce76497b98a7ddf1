// SPDX-License-Identifier: Apache-2.0
#include "cli/model/verbs.h"
#include "core/files.h"
#include "core/json.h"
#include "core/text.h"
#include "model/formats/bundle/bundle.h"
#include "model/formats/bundle/model_card.h"
#include "model/inspect/box_text.h"
#include "trust/keys.h"

namespace moru::cli {
namespace {

Json files_json(const model::BundleHeader& header) {
  Json list = Json::array();
  for (const model::BundleFile& file : header.files) {
    list.push_back(
        {{"name", file.name}, {"target", file.target}, {"format", file.format}, {"size_bytes", file.size}, {"sha256", file.sha256}});
  }
  return list;
}

std::string bundle_text(const model::Bundle& bundle, const model::ModelCard& card, std::string_view path, std::size_t size,
                        std::string_view signature) {
  const model::BundleHeader& header = bundle.header();
  std::string out = fmt::format("{}: bundle {} version {}, {}, {}\n", path, header.name, header.version, header.created, human_bytes(size));
  out += fmt::format("digest        sha256:{}\n", bundle.digest());
  out += fmt::format("signature     {}\n", signature);
  for (const model::BundleFile& file : header.files) {
    out += fmt::format("file          {}: {} for {}, {}, sha256:{}\n", file.name, file.format, file.target, human_bytes(file.size),
                       file.sha256);
  }
  out += fmt::format("task          {}\n", clean_text(card.task));
  for (const model::CardPort& port : card.inputs)
    out += fmt::format("input         {}: {}{}\n", clean_text(port.name), port.dtype, clean_text(to_string(port.shape)));
  for (const model::CardPort& port : card.outputs)
    out += fmt::format("output        {}: {}{}\n", clean_text(port.name), port.dtype, clean_text(to_string(port.shape)));
  std::string labels;
  for (const std::string& label : card.labels) labels += (labels.empty() ? "" : ", ") + clean_text(label);
  out += fmt::format("labels        {}: {}\n", card.labels.size(), labels);
  out += fmt::format("processing    (x / 255 - {}) / {}, then {}\n", card.mean, card.std, card.activation);
  out += fmt::format("alert below   {}\n", card.alert_threshold);
  for (const auto& [name, value] : card.figures) out += fmt::format("figure        {} = {}\n", clean_text(name), value);
  for (const auto& [name, value] : card.provenance) out += fmt::format("provenance    {} = {}\n", clean_text(name), clean_text(value));
  return out;
}

/// Showing runs nothing, so a bundle of anybody may be shown without a key; the output says that it was not checked.
Result<std::optional<trust::PublicKey>> read_key(const std::string& path) {
  if (path.empty()) return std::optional<trust::PublicKey>();
  MORU_ASSIGN_OR_RETURN(const std::string pem, read_file(path, 1U << 20U));
  MORU_ASSIGN_OR_RETURN(trust::PublicKey key, trust::PublicKey::from_pem(pem, path));
  return std::optional(std::move(key));
}

}  // namespace

std::string clean_text(std::string_view text) { return model::clean_label(text, text.size() + 1); }

Outcome show_bundle(std::string_view bytes, const std::string& path, const std::string& key_path, Format format) {
  MORU_ASSIGN_OR_RETURN(const auto key, read_key(key_path));
  const model::Verifier verify = [&](std::string_view message, std::string_view signature) {
    return key ? key->verify(message, signature) : Status();
  };
  MORU_ASSIGN_OR_RETURN(const model::Bundle bundle, model::Bundle::open(bytes, verify, path));
  const auto signature = key ? "by key " + key->id() : std::string("not checked");
  MORU_ASSIGN_OR_RETURN(const model::ModelCard card, model::read_card(bundle.header().card, path + ": card"));
  if (format == Format::kText) {
    print_text(bundle_text(bundle, card, path, bytes.size(), signature));
    return kDone;
  }
  MORU_ASSIGN_OR_RETURN(const Json card_json, parse_json(bundle.header().card, path));
  print_json({{"path", path},
              {"format", "moru"},
              {"size_bytes", bytes.size()},
              {"digest", bundle.digest()},
              {"signature", signature},
              {"name", bundle.header().name},
              {"version", bundle.header().version},
              {"created", bundle.header().created},
              {"files", files_json(bundle.header())},
              {"card", card_json}});
  return kDone;
}

}  // namespace moru::cli
