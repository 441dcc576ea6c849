// Elements as unsigned keys in sorting order, packed with their index, so that one integer sort serves all dtypes, is stable
// and puts NaN last. Negative zero equals zero (x + 0 is never the former).
#pragma once
#include <algorithm>
#include <vector>

#include "src/ops/typed.h"

namespace tapegrad {

/// int64 numbers in the order of these of uint16, uint32 or uint64.
Tensor in_signed_order(const Tensor& x);

template <class T> auto order_key(T v) {
  if constexpr (sizeof(T) == 8) {
    if constexpr (!std::is_integral_v<T>) v += 0.0;
    uint64_t u;
    std::memcpy(&u, &v, 8);
    if constexpr (std::is_integral_v<T>) return u ^ uint64_t(1) << 63;
    else return v != v ? ~uint64_t(0) : u ^ (uint64_t(int64_t(u) >> 63) | uint64_t(1) << 63);
  } else if constexpr (is_real<T>) {
    const float f = float(v) + 0.0f;
    uint32_t u;
    std::memcpy(&u, &f, 4);
    return f != f ? ~uint32_t(0) : u ^ (uint32_t(int32_t(u) >> 31) | uint32_t(1) << 31);
  } else {
    return uint32_t(int32_t(v)) ^ uint32_t(1) << 31;
  }
}
template <class T> using OrderKey = decltype(order_key(T()));

/// (key, index) ordered by key, then index. 32-bit keys share one word with the index.
template <class Key> struct Item;
template <> struct Item<uint32_t> {
  uint64_t word;
  Item() = default;
  Item(uint32_t key, int64_t at) : word(uint64_t(key) << 32 | uint32_t(at)) {}
  uint32_t key() const { return uint32_t(word >> 32); }
  int64_t at() const { return int64_t(word & 0xffffffff); }
  bool operator<(const Item& o) const { return word < o.word; }
};
template <> struct Item<uint64_t> {
  uint64_t key_;
  int64_t at_;
  Item() = default;
  Item(uint64_t key, int64_t at) : key_(key), at_(at) {}
  uint64_t key() const { return key_; }
  int64_t at() const { return at_; }
  bool operator<(const Item& o) const { return key_ != o.key_ ? key_ < o.key_ : at_ < o.at_; }
};

/// Items in order of index come out sorted: by radix, which is stable.
template <int bits, class Key> void radix_sort(std::vector<Item<Key>>& items, std::vector<Item<Key>>& spare) {
  const size_t n = items.size();
  constexpr int passes = (int(sizeof(Key)) * 8 + bits - 1) / bits, buckets = 1 << bits;
  std::vector<uint32_t> count(size_t(passes) * buckets);
  for (const Item<Key>& i : items)
    for (int p = 0; p < passes; p++) count[size_t(p * buckets + int(i.key() >> (p * bits) & (buckets - 1)))]++;
  spare.resize(n);
  for (int p = 0; p < passes; p++) {
    uint32_t* c = &count[size_t(p) * buckets];
    if (c[items[0].key() >> (p * bits) & (buckets - 1)] == n) continue;  // all alike here
    uint32_t at = 0;
    for (int b = 0; b < buckets; b++) {
      const uint32_t k = c[b];
      c[b] = at;
      at += k;
    }
    for (const Item<Key>& i : items) spare[c[i.key() >> (p * bits) & (buckets - 1)]++] = i;
    items.swap(spare);
  }
}
/// The same, by comparison when they are few; digits are short where 2^11 counters would cost more than the items.
template <class Key> void sort_items(std::vector<Item<Key>>& items, std::vector<Item<Key>>& spare) {
  if (items.size() < 32 * sizeof(Key)) std::sort(items.begin(), items.end());
  else if (items.size() < 8192) radix_sort<8>(items, spare);
  else radix_sort<11>(items, spare);
}

}  // namespace tapegrad
