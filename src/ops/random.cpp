// Random tensors. An op reserves as many Philox counters as it needs and element i takes its words from a fixed place after the
// first, so results depend on seed and offset alone. float16, bfloat16 and float32 take one word an element, float64 two.
// Draws from given probabilities are in random_draw.cpp.
#include "src/ops/random.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "src/ops/complex.h"
#include "src/ops/cuda/calls.h"
#include "src/ops/elementwise.h"
#include "src/ops/op_info.h"
#include "src/ops/plain.h"

namespace tapegrad {

namespace {

// The numbers of a floating dtype: bits of the significand, and the exponent of the smallest one above 0.
struct Precision { int bits, smallest; };
Precision precision_of(Dtype d) {
  switch (d) {
    case Dtype::Float16: return {11, -24};
    case Dtype::BFloat16: return {8, -133};
    case Dtype::Float32: return {24, -149};
    default: return {53, -1074};
  }
}
// The largest number of the dtype below x.
double below(double x, Dtype d) {
  const Precision p = precision_of(d);
  int e;
  if (std::frexp(x, &e) == 0.5) e--;  // a power of two ends its binade
  const double step = std::ldexp(1, x == 0 ? p.smallest : std::max(e - p.bits, p.smallest));
  return (std::ceil(x / step) - 1) * step;
}

enum class Law { Uniform, Normal, Exponential };  // as CudaLaw
// Fills row-major memory of any floating dtype: uniform in [a, b), normal of mean a and deviation b, exponential of rate a. No rounding
// gives b, or an exponential number of 0. Of complex numbers both parts; a normal variance is shared by them.
void fill_real(const Tensor& out, Law law, double a, double b, const Generator* g) {
  if (is_complex(out.dtype())) return fill_real(as_floats(out), law, a, law == Law::Normal ? b * std::sqrt(0.5) : b, g);
  const int64_t n = out.numel();
  const Dtype dtype = out.dtype();
  const int64_t size = int64_t(item_size(dtype));
  const double width = law == Law::Uniform ? b - a : b, top = law == Law::Uniform ? std::max(a, below(b, dtype)) : INFINITY;
  const double least = std::ldexp(1, precision_of(dtype).smallest);
  if (out.is_cuda()) return cuda_real(out, {CudaLaw(law), a, width, top, least}, g);
  char* to = out->host();
  auto exponential = [=](double u, double half_step) { return std::max(-std::log1p(-std::max(u, half_step)) / a, least); };
  if (dtype == Dtype::Float64) {
    double* y = reinterpret_cast<double*>(to);
    each_random_block(RandomStream(g, (n + 1) / 2), (n + 1) / 2, 0, [=](const uint32_t* w, int64_t block, int64_t count, Streamed&) {
      for (int64_t i = 0; i < count; i++, w += 4) {
        double v[2] = {unit53(w), unit53(w + 2)};
        if (law == Law::Normal) {
          const double r = std::sqrt(-2 * std::log1p(-v[0])), t = 6.283185307179586476925 * v[1];
          v[0] = r * std::cos(t), v[1] = r * std::sin(t);
        }
        for (int64_t k = 0, at = 2 * (block + i); k < 2 && at + k < n; k++)
          y[at + k] = law == Law::Exponential ? exponential(v[k], 0x1p-54) : std::min(a + width * v[k], top);
      }
    });
    return;
  }
  const StoreFn store = store_for(Compute::F32, dtype);
  const RandomTable& k = random_kernels();
  each_random_block(RandomStream(g, (n + 3) / 4), (n + 3) / 4, n * size, [=, &k](const uint32_t* w, int64_t block, int64_t count, Streamed& out) {
    float v[4 * kRandomBlocks];
    const int64_t at = 4 * block, m = std::min(4 * count, n - at);
    law == Law::Normal ? k.normal(w, 4 * count, v) : k.uniform(w, 4 * count, v);
    const float start = float(a), scale = float(width), end = float(top);
    if (law == Law::Exponential) for (int64_t i = 0; i < m; i++) v[i] = float(exponential(double(v[i]), 0x1p-25));
    else if (start != 0 || scale != 1 || dtype != Dtype::Float32) for (int64_t i = 0; i < m; i++) v[i] = std::min(start + scale * v[i], end);
    out.put(to + at * size, m * size, [&](char* place) { store(reinterpret_cast<const char*>(v), place, size, m); });
  });
}
// Whole numbers low + floor(u * range); a range of 0 stands for 2^64.
void fill_int(const Tensor& out, int64_t low, uint64_t range, const Generator* g) {
  if (out.is_cuda()) return cuda_whole(out, low, range, g);
  const int64_t n = out.numel(), size = int64_t(item_size(out.dtype()));
  const StoreFn store = store_for(Compute::I64, out.dtype());
  char* to = out->host();
  const bool narrow = range && range <= uint64_t(1) << 32;
  const int64_t per = narrow ? 4 : 2, blocks = (n + per - 1) / per;
  each_random_block(RandomStream(g, blocks), blocks, 0, [=](const uint32_t* w, int64_t block, int64_t count, Streamed&) {
    int64_t v[4 * kRandomBlocks];
    const int64_t at = per * block, m = std::min(per * count, n - at);
    for (int64_t i = 0; i < m; i++) {
      if (narrow) {
        v[i] = int64_t(uint64_t(low) + (w[i] * range >> 32));
      } else {
        __extension__ using Wide = unsigned __int128;
        const uint64_t u = uint64_t(w[2 * i + 1]) << 32 | w[2 * i];
        v[i] = int64_t(uint64_t(low) + (range ? uint64_t(Wide(u) * range >> 64) : u));
      }
    }
    store(reinterpret_cast<const char*>(v), to + at * size, size, m);
  });
}

// Ones with probability p, else zeros: the same numbers as a tensor of p in float gives.
void fill_chance(const Tensor& out, double p, const Generator* g) {
  const int64_t n = out.numel(), size = int64_t(item_size(out.dtype()));
  const uint32_t threshold = uint32_t(std::ceil(double(float(p)) * 0x1p24));
  if (out.is_cuda()) return cuda_chance(out, threshold, g);
  const RandomTable& k = random_kernels();
  const StoreFn store = store_for(Compute::F32, out.dtype());
  char* to = out->host();
  const bool plain = out.dtype() == Dtype::Float32;
  each_random_block(RandomStream(g, (n + 3) / 4), (n + 3) / 4, n * size, [=, &k](const uint32_t* w, int64_t block, int64_t count, Streamed& out) {
    const int64_t at = 4 * block, m = std::min(4 * count, n - at);
    if (plain) return out.put(to + at * size, m * size, [&](char* place) { k.chance(w, threshold, m, reinterpret_cast<float*>(place)); });
    float v[4 * kRandomBlocks];
    k.chance(w, threshold, m, v);
    store(reinterpret_cast<const char*>(v), to + at * size, size, m);
  });
}

void check_drawn(Dtype d, const char* what) {
  TG_CHECK(is_differentiable(d), DtypeError, what, " must be of a floating or complex dtype, got ", d);
}
void check_floating(Dtype d, const char* what) { TG_CHECK(is_floating(d), DtypeError, what, " must be of a floating dtype, got ", d); }

// Runs fill(row-major memory of self's size) and puts the result into self.
template <class F> const Tensor& in_place(const Tensor& self, F fill) {
  InPlace guard(self, recording(self));
  if (self->contiguous) {
    fill(self);
  } else {
    NoGrad off;
    Tensor t = empty(self.sizes(), self.dtype(), self.device());
    fill(t);
    copy_(alias(self, self.sizes(), self.strides(), 0, false), t);
  }
  if (recording(self)) guard.record<DrawBackward<1>>("RandomBackward0", guard.before());
  return self;
}
Tensor made(IntList size, std::optional<Dtype> dtype, std::optional<Device> device, Dtype other) {
  return empty(size, dtype.value_or(other), device.value_or(default_device()));
}
Tensor real(Law law, double a, double b, IntList size, std::optional<Dtype> dtype, std::optional<Device> device, bool requires_grad, const Generator* g) {
  check_drawn(dtype.value_or(default_dtype()), "dtype");
  Tensor t = made(size, dtype, device, default_dtype());
  fill_real(t, law, a, b, g);
  if (requires_grad) t.set_requires_grad();
  return t;
}
// Whole numbers that the dtype holds exactly.
std::pair<int64_t, int64_t> whole_numbers(Dtype d) {
  switch (d) {
    case Dtype::Bool: return {0, 1};
    case Dtype::UInt8: return {0, 255};
    case Dtype::Int8: return {-128, 127};
    case Dtype::Int16: return {-32768, 32767};
    case Dtype::Int32: return {INT32_MIN, INT32_MAX};
    case Dtype::Int64: return {INT64_MIN, INT64_MAX};
    case Dtype::UInt16: return {0, UINT16_MAX};
    case Dtype::UInt32: return {0, UINT32_MAX};
    case Dtype::UInt64: return {0, INT64_MAX};
    case Dtype::Float16: return {-2048, 2048};
    case Dtype::BFloat16: return {-256, 256};
    case Dtype::Float32: return {-(1 << 24), 1 << 24};
    default: return {-(int64_t(1) << 53), int64_t(1) << 53};
  }
}
void check_range(Dtype d, int64_t low, int64_t high, const char* low_name, const char* high_name) {
  TG_CHECK(low < high, ValueError, low_name, " must be less than ", high_name, ", got ", low, " and ", high);
  const auto [least, most] = whole_numbers(d);
  TG_CHECK(is_floating(d) || (low >= least && high - 1 <= most), ValueError, low_name, " and ", high_name, " must fit ", d, ", got ", low, " and ", high);
}

}  // namespace

// ---- making tensors

Tensor rand(IntList size, std::optional<Dtype> dtype, std::optional<Device> device, OnlyBool requires_grad, const Generator* generator) {
  OpScope op("rand");
  return real(Law::Uniform, 0, 1, size, dtype, device, requires_grad, generator);
}
Tensor randn(IntList size, std::optional<Dtype> dtype, std::optional<Device> device, OnlyBool requires_grad, const Generator* generator) {
  OpScope op("randn");
  return real(Law::Normal, 0, 1, size, dtype, device, requires_grad, generator);
}
Tensor rand_like(const Tensor& x, std::optional<Dtype> dtype, std::optional<Device> device, OnlyBool requires_grad) {
  return rand(x.sizes(), dtype.value_or(x.dtype()), device.value_or(x.device()), requires_grad, nullptr);
}
Tensor randn_like(const Tensor& x, std::optional<Dtype> dtype, std::optional<Device> device, OnlyBool requires_grad) {
  return randn(x.sizes(), dtype.value_or(x.dtype()), device.value_or(x.device()), requires_grad, nullptr);
}
Tensor randint(int64_t low, int64_t high, IntList size, std::optional<Dtype> dtype, std::optional<Device> device, const Generator* generator) {
  OpScope op("randint");
  check_range(dtype.value_or(Dtype::Int64), low, high, "low", "high");
  Tensor t = made(size, dtype, device, Dtype::Int64);
  fill_int(t, low, uint64_t(high) - uint64_t(low), generator);
  return t;
}
Tensor randint_like(const Tensor& x, int64_t low, int64_t high, std::optional<Dtype> dtype, std::optional<Device> device) {
  return randint(low, high, x.sizes(), dtype.value_or(x.dtype()), device.value_or(x.device()), nullptr);
}
// A sort of the indices by one random word each; equal words keep their order.
Tensor randperm(int64_t n, std::optional<Dtype> dtype, std::optional<Device> device, const Generator* generator) {
  OpScope op("randperm");
  TG_CHECK(n >= 0 && n <= int64_t(1) << 31, ValueError, "n must be from 0 to 2^31, got ", n);
  const Dtype d = dtype.value_or(Dtype::Int64);
  TG_CHECK(n - 1 <= whole_numbers(d).second, ValueError, "n must fit ", d, ", got ", n);
  if (const Device where = device.value_or(default_device()); where.type != DeviceType::CPU) {
    NoGrad off;
    const Tensor keys = empty({n}, Dtype::Int64, where);
    cuda_whole(keys, 0, uint64_t(1) << 32, generator);
    return to(sort(keys, 0, false, true).indices, d);
  }
  Tensor out = empty({n}, d), keys = empty({2, n}, Dtype::Int64);
  uint64_t *a = keys->host<uint64_t>(), *b = a + n;
  each_random_block(RandomStream(generator, (n + 3) / 4), (n + 3) / 4, 0, [=](const uint32_t* w, int64_t block, int64_t count, Streamed&) {
    for (int64_t i = 0, at = 4 * block; i < 4 * count && at + i < n; i++) a[at + i] = uint64_t(w[i]) << 32 | uint64_t(at + i);
  });
  if (n < 2048) {
    std::sort(a, a + n);
  } else {
    LongKernel unlocked(n * 4);
    for (int shift = 32; shift < 64; shift += 8) {  // radix sort by the word
      int64_t start[257] = {};
      for (int64_t i = 0; i < n; i++) start[(a[i] >> shift & 255) + 1]++;
      for (int k = 0; k < 256; k++) start[k + 1] += start[k];
      for (int64_t i = 0; i < n; i++) b[start[a[i] >> shift & 255]++] = a[i];
      std::swap(a, b);
    }
  }
  for (int64_t i = 0; i < n; i++) a[i] &= 0xffffffffu;
  store_for(Compute::I64, d)(reinterpret_cast<const char*>(a), out->host(), int64_t(item_size(d)), n);
  return out;
}
Tensor normal(double mean, double std, IntList size, std::optional<Dtype> dtype, std::optional<Device> device, const Generator* generator) {
  OpScope op("normal");
  TG_CHECK(std >= 0, ValueError, "std must not be negative, got ", std);
  return real(Law::Normal, mean, std, size, dtype, device, false, generator);
}
struct NormalBackward final : NodeOf<2> {
  Shape mean, std;
  NormalBackward(const Tensor& m, const Tensor& s) : NodeOf(m, s), mean(m.sizes()), std(s.sizes()) {}
  const char* name() const override { return "NormalBackward0"; }
  void backward(Tensor g, Tensor* dx) override {
    if (needs(0)) dx[0] = zeros(mean, g.dtype(), g.device());
    if (needs(1)) dx[1] = zeros(std, g.dtype(), g.device());
  }
};
Tensor normal(const Tensor& mean, const Tensor& std, const Generator* generator) {
  OpScope op("normal");
  const bool record_it = recording(mean, std);
  NoGrad off;
  const Dtype d = !std->wrapped_number && (mean->wrapped_number || !is_floating(mean.dtype())) ? std.dtype() : mean.dtype();
  check_floating(d, "mean or std");
  const Tensor* both[] = {&mean, &std};
  Tensor out = empty(broadcast_shape(both, 2), d, mean.device());
  TG_CHECK(!any(std < Tensor(0.0)).item<bool>(), ValueError, "std must not be negative", Named{"std", std});
  fill_real(out, Law::Normal, 0, 1, generator);
  mul_(out, to(std, d));
  add_(out, to(mean, d));
  EnableGrad on;
  if (record_it) record<NormalBackward>(out, mean, std);
  return out;
}

// ---- in place

const Tensor& uniform_(const Tensor& self, double low, double high, const Generator* generator) {
  OpScope op("uniform_");
  check_floating(self.dtype(), "input");
  TG_CHECK(low <= high, ValueError, "from must not exceed to, got ", low, " and ", high);
  TG_CHECK(std::isfinite(high - low), ValueError, "from and to must be a finite distance apart, got ", low, " and ", high);
  return in_place(self, [&](const Tensor& t) { fill_real(t, Law::Uniform, low, high, generator); });
}
const Tensor& normal_(const Tensor& self, double mean, double std, const Generator* generator) {
  OpScope op("normal_");
  check_drawn(self.dtype(), "input");
  TG_CHECK(std >= 0, ValueError, "std must not be negative, got ", std);
  return in_place(self, [&](const Tensor& t) { fill_real(t, Law::Normal, mean, std, generator); });
}
const Tensor& exponential_(const Tensor& self, double lambd, const Generator* generator) {
  OpScope op("exponential_");
  check_floating(self.dtype(), "input");
  TG_CHECK(lambd > 0, ValueError, "lambd must be positive, got ", lambd);
  return in_place(self, [&](const Tensor& t) { fill_real(t, Law::Exponential, lambd, 0, generator); });
}
const Tensor& random_(const Tensor& self, std::optional<int64_t> low, std::optional<int64_t> high, const Generator* generator) {
  OpScope op("random_");
  TG_CHECK(!is_complex(self.dtype()), DtypeError, "not implemented for ", self.dtype(), Named{"input", self});
  const int64_t from = low.value_or(0);
  if (high) check_range(self.dtype(), from, *high, "from", "to");
  const uint64_t end = high ? uint64_t(*high) : uint64_t(whole_numbers(self.dtype()).second) + 1;
  return in_place(self, [&](const Tensor& t) { fill_int(t, from, end - uint64_t(from), generator); });
}
const Tensor& bernoulli_(const Tensor& self, const Tensor& p, const Generator* generator) {
  OpScope op("bernoulli_");
  return in_place(self, [&](const Tensor& t) {
    NoGrad off;
    copy_(t, bernoulli(to(expand(p, t.sizes()), is_floating(p.dtype()) ? p.dtype() : Dtype::Float32), generator));
  });
}
const Tensor& bernoulli_(const Tensor& self, double p, const Generator* generator) {
  OpScope op("bernoulli_");
  TG_CHECK(p >= 0 && p <= 1, ValueError, "p must be between 0 and 1, got ", p);
  if (self.dtype() > Dtype::Float64) return bernoulli_(self, full({}, p, Dtype::Float32), generator);
  return in_place(self, [&](const Tensor& t) { fill_chance(t, p, generator); });
}

// ---- rows

static Tensor randint_below(int64_t high, IntList size, std::optional<Dtype> dtype, std::optional<Device> device, const Generator* generator) {
  return randint(0, high, size, dtype, device, generator);
}
static Tensor randint_like_below(const Tensor& x, int64_t high, std::optional<Dtype> dtype, std::optional<Device> device) {
  return randint_like(x, 0, high, dtype, device);
}
static const Tensor& random_below(const Tensor& self, int64_t to, const Generator* generator) { return random_(self, 0, to, generator); }
static const Tensor& random_any(const Tensor& self, const Generator* generator) { return random_(self, {}, {}, generator); }
static const Tensor& random_between(const Tensor& self, int64_t from, std::optional<int64_t> to, const Generator* generator) {
  return random_(self, from, to, generator);
}

void random_ops(OpTable& t) {
  t.add("rand(int[] size, *, dtype? dtype=None, device? device=None, bool requires_grad=False, Generator? generator=None)", &rand,
        "Uniform numbers in [0, 1).").no_grad().samples({"[2, 3]", "2, 0", "4, dtype=float64, generator=G(1)"});
  t.add("randn(int[] size, *, dtype? dtype=None, device? device=None, bool requires_grad=False, Generator? generator=None)", &randn,
        "Standard normal numbers.").no_grad().with_out().samples({"[2, 3]", "()", "4, dtype=float64, generator=G(1)"});
  t.add("rand_like(Tensor input, *, dtype? dtype=None, device? device=None, bool requires_grad=False)", &rand_like,
        "Uniform numbers in [0, 1), in the size and dtype of input.").no_grad().samples({"T(2, 3)", "T(2, 3), dtype=float32"});
  t.add("randn_like(Tensor input, *, dtype? dtype=None, device? device=None, bool requires_grad=False)", &randn_like,
        "Standard normal numbers, in the size and dtype of input.").no_grad().samples({"T(2, 3)", "T(2, 3), dtype=float32"});
  t.add("randint(int low, int high, int[] size, *, dtype? dtype=None, device? device=None, Generator? generator=None)", &randint,
        "Whole numbers from low to high - 1, equally likely; int64 unless dtype says otherwise.").no_grad().samples({"-3, 4, (2, 3)", "0, 10, (4,), dtype=uint8"});
  t.add("randint(int high, int[] size, *, dtype? dtype=None, device? device=None, Generator? generator=None)", &randint_below,
        "Whole numbers from 0 to high - 1, equally likely.").no_grad().samples({"5, (2, 3)"});
  t.add("randint_like(Tensor input, int low, int high, *, dtype? dtype=None, device? device=None)", &randint_like,
        "Whole numbers from low to high - 1, in the size and dtype of input.").no_grad().samples({"T(2, 3), -3, 4"});
  t.add("randint_like(Tensor input, int high, *, dtype? dtype=None, device? device=None)", &randint_like_below,
        "Whole numbers from 0 to high - 1, in the size and dtype of input.").no_grad().samples({"I(2, 3), 7"});
  t.add("randperm(int n, *, dtype? dtype=None, device? device=None, Generator? generator=None)", &randperm,
        "The numbers 0 to n - 1 in random order.").no_grad().samples({"6", "0", "5, dtype=int32"});
  t.add("normal(Tensor|Number mean, Tensor|Number std, *, Generator? generator=None)",
        static_cast<Tensor (*)(const Tensor&, const Tensor&, const Generator*)>(&normal),
        "Normal numbers of the given means and standard deviations, broadcast.").no_grad().with_out().samples({"T(2, 3), P(2, 3)", "T(2, 3), 0.5", "0., P(3)"});
  t.add("normal(float mean, float std, int[] size, *, dtype? dtype=None, device? device=None, Generator? generator=None)",
        static_cast<Tensor (*)(double, double, IntList, std::optional<Dtype>, std::optional<Device>, const Generator*)>(&normal),
        "Normal numbers of one mean and standard deviation.").no_grad().with_out().samples({"1., 2., (2, 3)"});
  t.add("uniform_(Tensor input, float from=0, float to=1, *, Generator? generator=None)", &uniform_,
        "Fills with uniform numbers in [from, to).").method_only().no_grad().samples({"T(2, 3)", "T(2, 3), -1, 1"});
  t.add("normal_(Tensor input, float mean=0, float std=1, *, Generator? generator=None)", &normal_,
        "Fills with normal numbers.").method_only().no_grad().samples({"T(2, 3)", "T(2, 3), 1., 0.5"});
  t.add("exponential_(Tensor input, float lambd=1, *, Generator? generator=None)", &exponential_,
        "Fills with exponential numbers of rate lambd.").method_only().no_grad().samples({"T(2, 3)", "T(2, 3), 2."});
  t.add("bernoulli_(Tensor input, float p=0.5, *, Generator? generator=None)",
        static_cast<const Tensor& (*)(const Tensor&, double, const Generator*)>(&bernoulli_),
        "Fills with ones of probability p, else zeros.").method_only().no_grad().samples({"T(2, 3)", "T(2, 3), 0.25"});
  t.add("bernoulli_(Tensor input, Tensor p, *, Generator? generator=None)",
        static_cast<const Tensor& (*)(const Tensor&, const Tensor&, const Generator*)>(&bernoulli_),
        "Fills with ones of probability p, element by element, else zeros.").method_only().no_grad().samples({"T(2, 3), T(2, 3, lo=0.1, hi=0.9, grad=False)"});
  t.add("random_(Tensor input, int from, int? to, *, Generator? generator=None)", &random_between,
        "Fills with whole numbers from `from` to `to` - 1; None: up to the largest that is exact.").method_only().no_grad().samples({"I(2, 3), -5, 5", "T(2, 3), 3, None"});
  t.add("random_(Tensor input, int to, *, Generator? generator=None)", &random_below,
        "Fills with whole numbers from 0 to `to` - 1.").method_only().no_grad().samples({"I(2, 3), 5"});
  t.add("random_(Tensor input, *, Generator? generator=None)", &random_any,
        "Fills with whole numbers from 0 to the largest that is exact.").method_only().no_grad().samples({"I(2, 3)", "T(2, 3)"});
}

}  // namespace tapegrad
