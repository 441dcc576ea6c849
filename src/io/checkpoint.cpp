// Checkpoints: a safetensors file whose names begin with the part they belong to, "model.", "optimizer." or "values.". Texts and a
// version are in the metadata. Entries are sorted, so that equal contents give equal bytes whoever writes them.
#include <algorithm>

#include "tapegrad/io.h"

namespace tapegrad {

static constexpr const char* kVersionKey = "tapegrad.checkpoint";
static constexpr std::string_view kText = "texts.", kParts[] = {"model.", "optimizer.", "values."};

void save_checkpoint(const Checkpoint& c, const std::string& path) {
  OpScope op("save_checkpoint");
  StateDict all;
  const StateDict* parts[] = {&c.model, &c.optimizer, &c.values};
  for (size_t k = 0; k < 3; k++)
    for (auto& [name, t] : *parts[k]) all.emplace_back(std::string(kParts[k]) + name, t);
  Metadata metadata = {{kVersionKey, "1"}};
  for (auto& [name, text] : c.texts) metadata.emplace_back(std::string(kText) + name, text);
  std::sort(metadata.begin(), metadata.end());
  for (size_t k = 1; k < metadata.size(); k++) TG_CHECK(metadata[k].first != metadata[k - 1].first, ValueError, "\"", metadata[k].first, "\" comes twice");
  save(all, path, metadata);
}

Checkpoint load_checkpoint(const std::string& path) {
  OpScope op("load_checkpoint");
  Metadata metadata;
  StateDict all = load(path, &metadata);
  Checkpoint c;
  bool version = false;
  for (auto& [key, text] : metadata) {
    if (key == kVersionKey) version = text == "1";
    else if (key.starts_with(kText)) c.texts.emplace_back(key.substr(kText.size()), text);
  }
  TG_CHECK(version, IoError, path, ": not a checkpoint of version 1; load() reads other files");
  std::sort(all.begin(), all.end(), [](auto& a, auto& b) { return a.first < b.first; });
  StateDict* parts[] = {&c.model, &c.optimizer, &c.values};
  for (auto& [name, t] : all) {
    size_t k = 0;
    while (k < 3 && !name.starts_with(kParts[k])) k++;
    TG_CHECK(k < 3, IoError, path, ": \"", name, "\" belongs to no part of a checkpoint");
    parts[k]->emplace_back(name.substr(kParts[k].size()), t);
  }
  return c;
}

}  // namespace tapegrad
