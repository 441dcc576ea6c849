#include "src/ops/taps.h"

#include <algorithm>

#include "src/ops/rows.h"
#include "src/tensor/parallel.h"

namespace tapegrad {
namespace {

// Three ops, each linear in two tensors, with each other as gradients:
//   read  (x, w): out[n, c, p]          = sum_k w[k, n, p] x[n, c, i[k, n, p]]
//   spread(g, w): out[n, c, i[k, n, p]] = sum of w[k, n, p] g[n, c, p]
//   dot   (g, x): out[k, n, p]          = sum_c g[n, c, p] x[n, c, i[k, n, p]]
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
// Channels are read and written four at a time, for one look at the index and the weight.
constexpr int kChannels = 4;
// f.operator()<C>(n, c) for the channels [c, c + C) of each n, in parallel.
template <class F> void each_channels(const Sizes& s, F f) {
  const int64_t blocks = (s.channels + kChannels - 1) / kChannels;
  parallel_for(s.batch * blocks, 1 + (1 << 12) / (1 + s.points * s.taps), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++) {
      const int64_t n = r / blocks, first = r % blocks * kChannels;
      if (first + kChannels <= s.channels) f.template operator()<kChannels>(n, first);
      else for (int64_t c = first; c < s.channels; c++) f.template operator()<1>(n, c);
    }
  });
}
template <class T> void read(const Sizes& s, const T* x, const T* w, const int64_t* index, T* out) {
  each_channels(s, [=]<int C>(int64_t n, int64_t c) {
    const T* planes = x + (n * s.channels + c) * s.length;
    T* to = out + (n * s.channels + c) * s.points;
    for (int64_t p = 0; p < s.points; p++) {
      T sum[C] = {};
      for (int64_t k = 0, at = n * s.points + p; k < s.taps; k++, at += s.batch * s.points)
        if (index[at] >= 0) for (int j = 0; j < C; j++) sum[j] += w[at] * planes[j * s.length + index[at]];
      for (int j = 0; j < C; j++) to[j * s.points + p] = sum[j];
    }
  });
}
template <class T> void spread(const Sizes& s, const T* g, const T* w, const int64_t* index, T* out) {
  each_channels(s, [=]<int C>(int64_t n, int64_t c) {
    T* planes = out + (n * s.channels + c) * s.length;
    const T* from = g + (n * s.channels + c) * s.points;
    for (int64_t p = 0; p < s.points; p++)
      for (int64_t k = 0, at = n * s.points + p; k < s.taps; k++, at += s.batch * s.points)
        if (index[at] >= 0) for (int j = 0; j < C; j++) planes[j * s.length + index[at]] += w[at] * from[j * s.points + p];
  });
}
template <class T> void dot(const Sizes& s, const T* g, const T* x, const int64_t* index, T* out) {
  constexpr int64_t kPart = 512;
  const int64_t parts = (s.points + kPart - 1) / kPart;
  parallel_for(s.batch * parts, 1 + (1 << 14) / (1 + kPart * s.channels * s.taps), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++) {
      const int64_t n = r / parts, first = r % parts * kPart, last = std::min(s.points, first + kPart);
      const auto add = [=]<int C>(int64_t c) {
        const T *planes = x + (n * s.channels + c) * s.length, *from = g + (n * s.channels + c) * s.points;
        for (int64_t k = 0; k < s.taps; k++) {
          const int64_t* at = index + (k * s.batch + n) * s.points;
          T* to = out + (k * s.batch + n) * s.points;
          for (int64_t p = first; p < last; p++) {
            T sum = c ? to[p] : T(0);
            if (at[p] >= 0) for (int j = 0; j < C; j++) sum += from[j * s.points + p] * planes[j * s.length + at[p]];
            to[p] = sum;
          }
        }
      };
      int64_t c = 0;
      for (; c + kChannels <= s.channels; c += kChannels) add.template operator()<kChannels>(c);
      for (; c < s.channels; c++) add.template operator()<1>(c);
    }
  });
}

Tensor combine(Kind kind, const Tensor& a, const Tensor& b, const Tensor& index, int64_t length) {
  const Dtype d = row_dtype(a.dtype());
  const Tensor x = row_major(a, d), y = row_major(b, d);
  const Sizes s{index->sizes[1], x->sizes[1], length, index->sizes[2], index->sizes[0]};
  Tensor out = kind == Kind::Read ? empty({s.batch, s.channels, s.points}, d, a.device())
      : kind == Kind::Spread      ? empty({s.batch, s.channels, s.length}, d, a.device())
                                  : empty(index.sizes(), d, a.device());
  {
    LongKernel unlocked(2 * s.batch * s.channels * s.points * s.taps);
    const int64_t* i = index->host<const int64_t>();
    const auto run = [&](auto zero) {
      using T = decltype(zero);
      const T *p = x->host<const T>(), *q = y->host<const T>();
      T* o = out->host<T>();
      if (kind == Kind::Spread || !s.channels) std::fill(o, o + out.numel(), T(0));
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
