// The ledger in words: paths of modules, owners added up, the summary.
#include "src/tensor/ledger.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <tuple>

#include "src/tensor/align.h"
#include "src/tensor/fork.h"

namespace tapegrad {

namespace {

struct Paths {
  ForkSafeMutex lock;
  std::map<std::pair<uint16_t, std::string>, uint16_t> numbers;
  std::vector<std::string> texts{{}};
};
Paths& paths() {
  static Paths& p = *new Paths;  // tensors may outlive static destructors
  return p;
}
[[maybe_unused]] const Paths& at_load = paths();

struct Sum {
  int64_t bytes = 0, blocks = 0;
};
template <class Key> std::vector<std::pair<Key, Sum>> largest_first(const std::map<Key, Sum>& sums) {
  std::vector<std::pair<Key, Sum>> rows(sums.begin(), sums.end());
  std::stable_sort(rows.begin(), rows.end(), [](auto& a, auto& b) { return a.second.bytes > b.second.bytes; });
  return rows;
}
}  // namespace

std::string readable(int64_t bytes) {
  const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  int unit = 0;
  double n = double(bytes);
  for (; n >= 1024 && unit < 4; unit++) n /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, unit ? "%.1f %s" : "%.0f %s", n, units[unit]);
  return text;
}

namespace {

std::string padded(std::string s, size_t width) { return s.resize(std::max(width, s.size()), ' '), s; }

std::string owners_text(const Ledger& ledger, size_t rows) {
  std::map<std::tuple<uint16_t, uint16_t, MemoryRole>, Sum> sums;
  for (const Owner& o : ledger.blocks) {
    Sum& s = sums[{o.note, o.module, o.role}];
    s.bytes += int64_t(o.bytes), s.blocks++;
  }
  std::string text;
  const auto largest = largest_first(sums);
  for (size_t k = 0; k < std::min(rows, largest.size()); k++) {
    const auto& [key, sum] = largest[k];
    const Note n = note(std::get<0>(key));
    const std::string module = module_path_text(std::get<1>(key)), op = *n.op ? n.op : "-";
    text += "\n  " + right(readable(sum.bytes), 10) + right(std::to_string(sum.blocks), 8) + "  " + padded(role_name(std::get<2>(key)), 10) + " " +
            padded(op, 16) + " " + padded(module.empty() ? "-" : module, 16) + " " + describe(n.place);
  }
  if (largest.size() > rows) text += "\n  … " + std::to_string(largest.size() - rows) + " more";
  return text;
}

}  // namespace

uint16_t module_path(uint16_t parent, std::string_view name) {
  Paths& p = paths();
  std::lock_guard g(p.lock);
  std::pair key(parent, std::string(name));
  if (const auto it = p.numbers.find(key); it != p.numbers.end()) return it->second;
  if (p.texts.size() > 65535) return 0;
  p.texts.push_back(parent ? p.texts[parent] + "." + key.second : key.second);  // one that nobody finds, should the next line throw
  return p.numbers.emplace(std::move(key), uint16_t(p.texts.size() - 1)).first->second;
}
std::string module_path_text(uint16_t path) {
  std::lock_guard g(paths().lock);
  return paths().texts[path];
}

const char* role_name(MemoryRole role) {
  static const char* names[] = {"working", "saved", "gradient", "parameter", "optimizer"};
  return names[int(role)];
}
std::string largest_owners(size_t rows) {
  const Ledger ledger = read_ledger();
  return ledger.blocks.empty() ? "" : "; the largest owners (bytes, blocks, role, op, module, line):" + owners_text(ledger, rows);
}
std::string memory_summary(int rows) {
  const Ledger ledger = read_ledger();
  const MemoryStats stats = memory_stats();
  std::map<MemoryRole, Sum> roles;
  Sum all, small;
  for (const Owner& o : ledger.blocks) {
    Sum& s = roles[o.role];
    s.bytes += int64_t(o.bytes), s.blocks++;
    all.bytes += int64_t(o.bytes), all.blocks++;
  }
  for (int c = 0; c < kSmallClasses; c++) small.bytes += ledger.small[c] * (c + 1) * 64, small.blocks += ledger.small[c];
  std::string text = readable(all.bytes) + " in use in " + std::to_string(all.blocks) + " blocks; peak " + readable(stats.peak) + "; kept for reuse " +
                     readable(stats.cached) + "; small blocks (up to 512 bytes): " + readable(small.bytes) + " in " + std::to_string(small.blocks);
  for (const auto& [role, sum] : largest_first(roles))
    text += "\n  " + right(readable(sum.bytes), 10) + right(std::to_string(sum.blocks), 8) + "  " + role_name(role);
  text += "\n\n  " + right("bytes", 10) + right("blocks", 8) + "  " + padded("role", 10) + " " + padded("op", 16) + " " + padded("module", 16) + " line";
  return text + owners_text(ledger, size_t(std::max(rows, 0))) + "\n";
}

}  // namespace tapegrad
