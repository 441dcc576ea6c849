// Dropout: which elements stay is drawn from the default generator, one word an element, so the same seed drops the same
// elements for any number of threads.
#include <algorithm>
#include <cmath>

#include "src/ops/cuda/calls.h"
#include "src/ops/op_info.h"
#include "src/ops/plain.h"
#include "src/ops/random.h"
#include "src/ops/rows.h"

namespace tapegrad {

// x scale where keep, else 0. Its gradient is the same of g.
static Tensor kept(const Tensor& x, const Tensor& keep, double scale);
struct DropoutBackward final : NodeOf<1> {
  SavedTensor keep;
  double scale;
  DropoutBackward(const Tensor& x, const Tensor& k, double s) : NodeOf(x), keep(k), scale(s) {}
  const char* name() const override { return "NativeDropoutBackward0"; }
  void free_saved() override { keep.reset(); }
  void backward(Tensor g, Tensor* dx) override { if (needs(0)) dx[0] = kept(g, keep.unpack(*this), scale); }
};
static Tensor kept(const Tensor& x, const Tensor& keep, double scale) {
  if (x.dtype() != Dtype::Float32) return x * (to(keep, x.dtype()) * Tensor(scale));
  const Tensor in = row_major(x, Dtype::Float32);
  Tensor y = empty(in.sizes(), Dtype::Float32, in.device());
  const float* a = in->host<const float>();
  const uint8_t* k = keep->host<const uint8_t>();
  float* out = y->host<float>();
  const float s = float(scale);
  {
    LongKernel unlocked(in.numel());
    parallel_for(in.numel(), 1 << 15, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) out[i] = k[i] ? a[i] * s : 0.f;
    });
  }
  if (recording(x)) record<DropoutBackward>(y, x, keep, scale);
  return y;
}
static void check(const Tensor& x, double p) {
  TG_CHECK(p >= 0 && p <= 1, ValueError, "dropout probability must be between 0 and 1, got ", p);
  TG_CHECK(is_floating(x.dtype()), DtypeError, "input must be of a floating dtype, got ", x.dtype(), Named{"input", x});
}
// Bools of the given size, each false with probability p.
static Tensor draw_keep(IntList size, double p, Device device) {
  NoGrad off;
  return to(bernoulli(full(size, 1 - p, Dtype::Float32, device)), Dtype::Bool);
}

// Of 16-bit floats, as x * (keep * scale) would be: those stay whose word is below the threshold.
static void drop_halves(Dtype d, const uint32_t* w, uint32_t threshold, double scale, const char* x, int64_t n, char* y, uint8_t* keep) {
  alignas(64) float v[4 * kRandomBlocks], factor[4 * kRandomBlocks];
  random_kernels().chance(w, threshold, n, factor);
  load_for(d, Compute::F32)(x, 2, n, reinterpret_cast<char*>(v));
  const float s = d == Dtype::Float16 ? half_to_float(float_to_half(float(scale))) : bfloat_to_float(float_to_bfloat(float(scale)));
  for (int64_t i = 0; i < n; i++) v[i] *= factor[i] != 0 ? s : 0.f;  // s may be infinite
  for (int64_t i = 0; i < n; i++) keep[i] = factor[i] != 0;
  store_for(Compute::F32, d)(reinterpret_cast<const char*>(v), y, 2, n);
}

Tensor dropout(const Tensor& x, double p, bool training) {
  OpScope op("dropout");
  check(x, p);
  if (!training || p == 0 || !x.numel()) return x;
  if (p == 1) return x * Tensor(0.0);
  if (x.is_cuda()) return cuda_dropout(x, p);
  const double scale = 1 / (1 - p);
  if (x.dtype() == Dtype::Float64) return kept(x, draw_keep(x.sizes(), p, x.device()), scale);
  const Tensor in = row_major(x, x.dtype());
  const bool recorded = recording(x), halves = x.dtype() != Dtype::Float32;
  Tensor y = empty(in.sizes(), x.dtype(), in.device()), keep;
  if (recorded) keep = empty(in.sizes(), Dtype::Bool, in.device());
  const int64_t n = in.numel(), blocks = (n + 3) / 4;
  const RandomTable& k = random_kernels();
  const uint32_t threshold = uint32_t(halves ? std::ceil(double(float(1 - p)) * 0x1p24) : std::round(p * 0x1p24));
  const int64_t item = row_bytes(x, 1);
  each_random_block(RandomStream(nullptr, blocks), blocks, n * item, [&](const uint32_t* w, int64_t block, int64_t count, Streamed& out) {
    const int64_t at = 4 * block, m = std::min(4 * count, n - at);
    uint8_t unused[4 * kRandomBlocks];
    uint8_t* bits = recorded ? keep->host<uint8_t>() + at : unused;
    const char* from = in->host() + at * item;
    out.put(y->host() + at * item, m * item, [&](char* place) {
      if (halves) drop_halves(x.dtype(), w, threshold, scale, from, m, place, bits);
      else k.dropout(w, threshold, float(scale), reinterpret_cast<const float*>(from), m, reinterpret_cast<float*>(place), bits);
    });
  });
  if (recorded) record<DropoutBackward>(y, x, keep, scale);
  return y;
}
Tensor feature_dropout(const Tensor& x, double p, bool training) {
  OpScope op("feature_dropout");
  check(x, p);
  if (!training || p == 0 || !x.numel()) return x;
  TG_CHECK(x.dim() >= 2, ShapeError, "input must have at least 2 dimensions (N, C, ...), got ", x.dim(), Named{"input", x});
  if (p == 1) return x * Tensor(0.0);
  Shape size(x.sizes());
  for (size_t d = 2; d < size.size(); d++) size[d] = 1;
  return x * (to(draw_keep(size, p, x.device()), x.dtype()) * Tensor(1 / (1 - p)));
}
// Keeps mean and variance of selu's outputs: what is dropped becomes -1.7580993, then all is scaled and shifted back.
Tensor alpha_dropout(const Tensor& x, double p, bool training) {
  OpScope op("alpha_dropout");
  check(x, p);
  if (!training || p == 0 || !x.numel()) return x;
  if (p == 1) return x * Tensor(0.0);
  constexpr double low = -1.7580993408473766;
  const double a = 1 / std::sqrt((low * low * p + 1) * (1 - p));
  const Tensor keep = draw_keep(x.sizes(), p, x.device());
  return where(keep, x, Tensor(low)) * Tensor(a) - Tensor(a * p * low);
}

void dropout_ops(OpTable& t) {
  t.add("dropout(Tensor input, float p=0.5, bool training=True)", &dropout, "While training, zeroes each element with probability p and divides the others by 1 - p.")
      .functional().samples({"T(2, 3), 0.5, False", "T(2, 3), 0.0", "T(2, 3), 1.0", "T(0, 3)"});
  t.add("feature_dropout(Tensor input, float p=0.5, bool training=True)", &feature_dropout, "As dropout, for whole channels of (N, C, ...).")
      .samples({"T(2, 3, 4), 0.5, False", "T(2, 3), 0.0"});
  t.add("alpha_dropout(Tensor input, float p=0.5, bool training=False)", &alpha_dropout, "Dropout that keeps mean and variance of selu's outputs.")
      .functional().samples({"T(2, 3), 0.5, False", "T(2, 3), 0.0, True"});
}

}  // namespace tapegrad
