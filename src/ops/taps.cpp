#include "src/ops/taps.h"

#include <algorithm>

#include "src/ops/rows.h"
#include "src/tensor/parallel.h"

namespace tapegrad {
namespace {

// Three ops, each linear in two tensors, with each other as gradients:
//   read  (x, w): out[n, c, p]          = sum_k w[n, p, k] x[n, c, i[n, p, k]]
//   spread(g, w): out[n, c, i[n, p, k]] = sum of w[n, p, k] g[n, c, p]
//   dot   (g, x): out[n, p, k]          = sum_c g[n, c, p] x[n, c, i[n, p, k]]
enum class Kind : uint8_t { Read, Spread, Dot };
Tensor combine(Kind kind, const Tensor& a, const Tensor& b, const Tensor& index, int64_t length);

struct TapsBackward final : NodeOf<2> {
  Kind kind;
  int64_t length;
  SavedTensor a, b, index;
  TapsBackward(const Tensor& x, const Tensor& y, const Tensor& i, Kind k, int64_t l) : NodeOf(x, y), kind(k), length(l), a(x), b(y),
      index(i) {}
  const char* name() const override { return kind == Kind::Read ? "GridSampleBackward0" : "GridSampleBackwardBackward0"; }
  void free_saved() override { a.reset(), b.reset(), index.reset(); }
  void backward(Tensor g, Tensor* dx) override {
    const Tensor x = a.unpack(*this), y = b.unpack(*this), i = index.unpack(*this);
    switch (kind) {
      case Kind::Read:
        if (needs(0)) dx[0] = combine(Kind::Spread, g, y, i, length);
        if (needs(1)) dx[1] = combine(Kind::Dot, g, x, i, length);
        return;
      case Kind::Spread:
        if (needs(0)) dx[0] = combine(Kind::Read, g, y, i, length);
        if (needs(1)) dx[1] = combine(Kind::Dot, x, g, i, length);
        return;
      case Kind::Dot:
        if (needs(0)) dx[0] = combine(Kind::Read, y, g, i, length);
        if (needs(1)) dx[1] = combine(Kind::Spread, x, g, i, length);
    }
  }
};

struct Sizes {
  int64_t batch, channels, length, points, taps;
};
template <class T> void read(const Sizes& s, const T* x, const T* w, const int64_t* index, T* out) {
  parallel_for(s.batch * s.channels, 1 + (1 << 14) / (1 + s.points * s.taps), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++) {
      const T *plane = x + r * s.length, *weight = w + r / s.channels * s.points * s.taps;
      const int64_t* at = index + r / s.channels * s.points * s.taps;
      for (int64_t p = 0; p < s.points; p++, weight += s.taps, at += s.taps) {
        T sum = 0;
        for (int64_t k = 0; k < s.taps; k++) if (at[k] >= 0) sum += weight[k] * plane[at[k]];
        out[r * s.points + p] = sum;
      }
    }
  });
}
template <class T> void spread(const Sizes& s, const T* g, const T* w, const int64_t* index, T* out) {
  parallel_for(s.batch * s.channels, 1 + (1 << 14) / (1 + s.points * s.taps), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++) {
      T* plane = out + r * s.length;
      const T* weight = w + r / s.channels * s.points * s.taps;
      const int64_t* at = index + r / s.channels * s.points * s.taps;
      for (int64_t p = 0; p < s.points; p++, weight += s.taps, at += s.taps) {
        const T v = g[r * s.points + p];
        for (int64_t k = 0; k < s.taps; k++) if (at[k] >= 0) plane[at[k]] += weight[k] * v;
      }
    }
  });
}
template <class T> void dot(const Sizes& s, const T* g, const T* x, const int64_t* index, T* out) {
  parallel_for(s.batch * s.points, 1 + (1 << 14) / (1 + s.channels * s.taps), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++) {
      const int64_t n = r / s.points, p = r % s.points;
      for (int64_t k = r * s.taps; k < (r + 1) * s.taps; k++) {
        T sum = 0;
        if (index[k] >= 0)
          for (int64_t c = n * s.channels; c < (n + 1) * s.channels; c++) sum += g[c * s.points + p] * x[c * s.length + index[k]];
        out[k] = sum;
      }
    }
  });
}

Tensor combine(Kind kind, const Tensor& a, const Tensor& b, const Tensor& index, int64_t length) {
  const Dtype d = row_dtype(a.dtype());
  const Tensor x = row_major(a, d), y = row_major(b, d);
  const Sizes s{index->sizes[0], x->sizes[1], length, index->sizes[1], index->sizes[2]};
  Tensor out = kind == Kind::Read ? empty({s.batch, s.channels, s.points}, d, a.device())
      : kind == Kind::Spread      ? empty({s.batch, s.channels, s.length}, d, a.device())
                                  : empty(index.sizes(), d, a.device());
  {
    LongKernel unlocked(2 * s.batch * s.channels * s.points * s.taps);
    const int64_t* i = reinterpret_cast<const int64_t*>(index->data);
    const auto run = [&](auto zero) {
      using T = decltype(zero);
      const T *p = reinterpret_cast<const T*>(x->data), *q = reinterpret_cast<const T*>(y->data);
      T* o = reinterpret_cast<T*>(out->data);
      if (kind == Kind::Spread) std::fill(o, o + out.numel(), T(0));
      kind == Kind::Read ? read(s, p, q, i, o) : kind == Kind::Spread ? spread(s, p, q, i, o) : dot(s, p, q, i, o);
    };
    d == Dtype::Float64 ? run(double()) : run(float());
  }
  out = cast_back(out, a.dtype());
  if (recording(a, b)) record<TapsBackward>(out, a, b, index, kind, length);
  return out;
}

}  // namespace

Tensor read_taps(const Tensor& x, const Tensor& weight, const Tensor& index) { return combine(Kind::Read, x, weight, index, x->sizes[2]); }

}  // namespace tapegrad
