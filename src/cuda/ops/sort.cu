// Rows in order. Short ones: a bitonic network in shared memory, on (key, place) items, no two of which are equal. Long ones: one
// radix sort for all, with the row above the key; 64-bit keys leave no room for it, so there the rows are brought together again after.
#include "src/cuda/ops/order_key.cuh"
#include "src/cuda/ops/sort.h"

namespace tapegrad::cuda {
namespace {

constexpr int kThreads = 256, kRoom = 2048;  // items of a block

template <class Key> struct Item {
  Key key;
  uint32_t at;
  __device__ bool operator<(const Item& o) const { return key != o.key ? key < o.key : at < o.at; }
};

__device__ inline void copy_element(char* to, int64_t i, const char* from, int64_t k, int bytes) {
  switch (bytes) {
    case 1: to[i] = from[k]; break;
    case 2: reinterpret_cast<uint16_t*>(to)[i] = reinterpret_cast<const uint16_t*>(from)[k]; break;
    case 4: reinterpret_cast<uint32_t*>(to)[i] = reinterpret_cast<const uint32_t*>(from)[k]; break;
    default: reinterpret_cast<uint64_t*>(to)[i] = reinterpret_cast<const uint64_t*>(from)[k];
  }
}

/// `width`, a power of two, is room for a row; a block has as many rows as fit.
template <class Key> __global__ void __launch_bounds__(kThreads) sort_short(CudaSortRows s, int width) {
  __shared__ Item<Key> item[kRoom];
  const int rows = kRoom / width, n = int(s.n), k = int(s.k);
  const int64_t first = int64_t(blockIdx.x) * rows;
  const Key flip = s.descending ? Key(~Key(0)) : Key(0);
  for (int i = int(threadIdx.x); i < kRoom; i += kThreads) {
    const int64_t row = first + i / width;
    const int at = i % width;
    const bool live = row < s.rows && at < n;
    item[i] = {live ? Key(key_of<Key>(s.dtype, s.x, row * n + at) ^ flip) : Key(~Key(0)),
               uint32_t(at)};  // what fills up comes last
  }
  for (int size = 2; size <= width; size *= 2)
    for (int apart = size / 2; apart > 0; apart /= 2) {
      __syncthreads();
      for (int c = int(threadIdx.x); c < kRoom / 2; c += kThreads) {
        const int a = 2 * c - (c & (apart - 1)), b = a + apart;
        const bool rising = size == width || (a & size) == 0;
        const Item<Key> u = item[a], v = item[b];
        if ((v < u) == rising) item[a] = v, item[b] = u;
      }
    }
  __syncthreads();
  const int bytes = int(item_size(s.dtype));
  for (int i = int(threadIdx.x); i < rows * k; i += kThreads) {
    const int64_t row = first + i / k;
    if (row >= s.rows) break;
    const uint32_t from = item[i / k * width + i % k].at;
    s.indices[row * k + i % k] = from;
    copy_element(s.values, row * k + i % k, s.x, row * n + from, bytes);
  }
}

/// Keys with their places; `Wide` keys hold the row above a narrow key.
template <class Key, class Wide> __global__ void make_keys(CudaSortRows s, Wide* keys, uint32_t* places) {
  const int64_t i = int64_t(blockIdx.x) * kThreads + int(threadIdx.x);
  if (i >= s.rows * s.n) return;
  const Key key = Key(key_of<Key>(s.dtype, s.x, i) ^ (s.descending ? Key(~Key(0)) : Key(0)));
  keys[i] = sizeof(Wide) > sizeof(Key) ? Wide(uint64_t(i / s.n) << 32 | key) : Wide(key);
  places[i] = uint32_t(i);
}
__global__ void rows_of(const uint32_t* places, int64_t count, int64_t n, uint32_t* rows) {
  const int64_t i = int64_t(blockIdx.x) * kThreads + int(threadIdx.x);
  if (i < count) rows[i] = uint32_t(places[i] / n);
}
__global__ void write_sorted(CudaSortRows s, const uint32_t* places) {
  const int64_t i = int64_t(blockIdx.x) * kThreads + int(threadIdx.x);
  if (i >= s.rows * s.k) return;
  const int64_t row = i / s.k, from = places[row * s.n + i % s.k];
  s.indices[i] = from - row * s.n;
  copy_element(s.values, i, s.x, from, int(item_size(s.dtype)));
}

int bits_for(int64_t rows) {
  int bits = 0;
  while ((int64_t(1) << bits) < rows) bits++;
  return bits;
}
/// Parts of the scratch memory, each at a multiple of 256 bytes.
struct Scratch {
  char* at;
  uint64_t used = 0;
  template <class T> T* take(uint64_t count) {
    T* p = reinterpret_cast<T*>(at + used);
    used += (count * sizeof(T) + 255) / 256 * 256;
    return p;
  }
};
struct LongRows {
  uint64_t *keys, *sorted;  // room for uint32_t as well
  uint32_t *places, *sorted_places;
  char* rest;
  size_t rest_bytes;
  uint64_t used;
  LongRows(char* scratch, int64_t count, bool narrow) {
    Scratch s{scratch};
    const uint64_t n = uint64_t(count), words = narrow ? (n + 1) / 2 : n;
    keys = s.take<uint64_t>(words), sorted = s.take<uint64_t>(words);
    places = s.take<uint32_t>(n), sorted_places = s.take<uint32_t>(n);
    rest_bytes = radix_sort_scratch<uint32_t>(count);
    if (!narrow) rest_bytes = std::max(rest_bytes, radix_sort_scratch<uint64_t>(count));
    rest = s.take<char>(rest_bytes);
    used = s.used;
  }
};
/// The keys that are sorted are 32 bits wide.
bool is_narrow(int64_t rows, Dtype dtype) { return rows == 1 && !has_wide_key(dtype); }

template <class Key, class Wide> void sort_all(const CudaSortRows& s, const LongRows& w, int bits) {
  const int64_t count = s.rows * s.n;
  Wide *keys = reinterpret_cast<Wide*>(w.keys), *sorted = reinterpret_cast<Wide*>(w.sorted);
  launch_line(make_keys<Key, Wide>, count, kThreads, s, keys, w.places);
  radix_sort(w.rest, w.rest_bytes, keys, sorted, w.places, w.sorted_places, count, bits);
}
template <class Key> void run_short(const CudaSortRows& s) {
  int width = 2;
  while (width < s.n) width *= 2;
  launch(sort_short<Key>, dim3(unsigned(divide_up(s.rows, kRoom / width))), dim3(kThreads), 0, s, width);
}

}  // namespace

uint64_t sort_scratch_bytes(int64_t rows, int64_t n, Dtype dtype) {
  return n <= kRoom ? 0 : LongRows(nullptr, rows * n, is_narrow(rows, dtype)).used;
}
void sort_rows(const CudaSortRows& s) {
  const bool wide = has_wide_key(s.dtype);
  if (s.n <= kRoom) return wide ? run_short<uint64_t>(s) : run_short<uint32_t>(s);
  const LongRows w(s.scratch, s.rows * s.n, is_narrow(s.rows, s.dtype));
  const uint32_t* places = w.sorted_places;
  if (!wide && s.rows == 1) sort_all<uint32_t, uint32_t>(s, w, 32);
  else if (!wide) sort_all<uint32_t, uint64_t>(s, w, 32 + bits_for(s.rows));
  else sort_all<uint64_t, uint64_t>(s, w, 64);
  if (wide && s.rows > 1) {
    const int64_t count = s.rows * s.n;
    uint32_t *rows = reinterpret_cast<uint32_t*>(w.keys), *sorted = reinterpret_cast<uint32_t*>(w.sorted);
    launch_line(rows_of, count, kThreads, places, count, s.n, rows);
    radix_sort(w.rest, w.rest_bytes, rows, sorted, places, w.places, count, bits_for(s.rows));
    places = w.places;
  }
  launch_line(write_sorted, s.rows * s.k, kThreads, s, places);
}

}  // namespace tapegrad::cuda
