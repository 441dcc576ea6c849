// torch.fft: sizes, norms and gradients over the one transform of fft_transform.cpp. The transform is its own transpose, and its
// conjugate is the inverse times n, so the gradient of a transform is the other one, with the same scale.
#include "tapegrad/fft.h"

#include <cmath>

#include "src/ops/fft.h"
#include "src/ops/op_info.h"
#include "src/ops/view.h"
#include "tapegrad/ops.h"

namespace tapegrad::fft {
namespace {

enum Direction : bool { inverse, forward };

// ---- the three transforms: complex, from real, to real

Tensor c2c(const Tensor& x, IntList dims, Direction way, double scale);
Tensor r2c(const Tensor& x, int64_t dim, Direction way, double scale);

struct FftC2CBackward final : NodeOf<1> {
  Shape dims;
  Direction way;
  double scale;
  FftC2CBackward(const Tensor& x, IntList d, Direction w, double s) : NodeOf(x), dims(d), way(w), scale(s) {}
  const char* name() const override { return "FftC2CBackward0"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = c2c(g, dims, Direction(!way), scale); }
};
Tensor c2c(const Tensor& x, IntList dims, Direction way, double scale) {
  if (dims.empty()) return x;
  Tensor out = transformed(x, dims, way, scale);
  if (recording(x)) record<FftC2CBackward>(out, x, dims, way, scale);
  return out;
}

// The frequencies that were cut off come back as zeros.
struct FftR2CBackward final : NodeOf<1> {
  int64_t dim, n;
  Direction way;
  double scale;
  FftR2CBackward(const Tensor& x, int64_t d, Direction w, double s) : NodeOf(x), dim(d), n(x.size(d)), way(w), scale(s) {}
  const char* name() const override { return "FftR2CBackward0"; }
  void backward(Tensor g, Tensor* dx) override {
    Shape amounts(size_t(2 * (g.dim() - dim)), 0);
    amounts.back() = n - g.size(dim);
    dx[0] = real(c2c(pad(g, amounts), dim, Direction(!way), scale));
  }
};
Tensor r2c(const Tensor& x, int64_t dim, Direction way, double scale) {
  Tensor out;
  {
    NoGrad off;
    if (is_packed_real(x, dim, x.size(dim))) out = frequencies_of_real(detach(x), x.size(dim), way, scale);
    else out = contiguous(narrow(transformed(to(detach(x), complex_dtype(x.dtype())), dim, way, scale), dim, 0, x.size(dim) / 2 + 1));
  }
  if (recording(x)) record<FftR2CBackward>(out, x, dim, way, scale);
  return out;
}

// Each frequency but 0 and n / 2 stands for two.
struct FftC2RBackward final : NodeOf<1> {
  int64_t dim, n;
  Direction way;
  double scale;
  FftC2RBackward(const Tensor& x, int64_t d, int64_t size, Direction w, double s) : NodeOf(x), dim(d), n(size), way(w), scale(s) {}
  const char* name() const override { return "FftC2RBackward0"; }
  void backward(Tensor g, Tensor* dx) override {
    Shape size(size_t(g.dim() - dim), 1);
    size[0] = n / 2 + 1;
    Tensor twice = full(size, 2, g.dtype());
    const int64_t single = n % 2 ? 1 : 2;
    for (int64_t k = 0; k < single; k++) fill_(select(twice, 0, k * (n / 2)), 1);
    dx[0] = r2c(g, dim, Direction(!way), scale) * twice;
  }
};
/// n real numbers of their first n / 2 + 1 frequencies; imaginary parts that a real signal cannot have are ignored.
Tensor c2r(const Tensor& x, int64_t dim, int64_t n, Direction way, double scale) {
  Tensor out;
  {
    NoGrad off;
    if (is_packed_real(x, dim, n)) {
      out = real_of_frequencies(detach(x), n, way, scale);
    } else {
      const Tensor rest = flip(conj(narrow(detach(x), dim, 1, (n - 1) / 2)), dim);
      out = contiguous(real(transformed(cat({detach(x), rest}, dim), dim, way, scale)));
    }
  }
  if (recording(x)) record<FftC2RBackward>(out, x, dim, n, way, scale);
  return out;
}

// ---- arguments

double scale_of(Norm norm, Direction way, double n) {
  TG_CHECK(!norm || *norm == "backward" || *norm == "ortho" || *norm == "forward", ValueError,
      "norm must be 'backward', 'ortho' or 'forward', got '", *norm, "'");
  if (norm == "ortho") return 1 / std::sqrt(n);
  return (norm == "forward") == (way == forward) ? 1 / n : 1;
}
Tensor to_real(const Tensor& x) {
  TG_CHECK(!is_complex(x.dtype()), DtypeError, "input must be real, got ", x.dtype(), Named{"input", x});
  const Tensor f = is_floating(x.dtype()) ? x : to(x, default_dtype());
  TG_CHECK(f.dtype() == Dtype::Float32 || f.dtype() == Dtype::Float64, DtypeError,
      "16-bit floats are not supported: convert to float32 first", Named{"input", x});
  return f;
}
Tensor to_complex(const Tensor& x) {
  if (is_complex(x.dtype())) return x;
  const Tensor f = to_real(x);
  return to(f, complex_dtype(f.dtype()));
}
/// Cut or padded with zeros to n along dim.
Tensor resized(const Tensor& x, int64_t dim, int64_t n) {
  TG_CHECK(n >= 1, ValueError, "the number of data points must be positive, got ", n, Named{"input", x});
  const int64_t have = x.size(dim);
  if (have == n) return x;
  if (have > n) return narrow(x, dim, 0, n);
  Shape amounts(size_t(2 * (x.dim() - dim)), 0);
  amounts.back() = n - have;
  return pad(x, amounts);
}
/// The dims of an n-dimensional transform and their sizes. `last`: the size of the last one when s does not say.
struct Plan {
  Shape dims, sizes;
  Plan(const Tensor& x, Dims s, Dims dim, bool half = false) {
    if (dim) for (int64_t d : *dim) dims.push_back(wrap_dim(d, x.dim(), x));
    else for (int64_t d = s ? x.dim() - int64_t(s->size()) : 0; d < x.dim(); d++) dims.push_back(d);
    TG_CHECK(!s || s->size() == dims.size(), ShapeError, "s and dim must have one length, and not more than input has dimensions, got ",
        s ? *s : IntList(), " and ", IntList(dims), Named{"input", x});
    uint32_t seen = 0;
    for (size_t k = 0; k < dims.size(); k++) {
      TG_CHECK(!(seen >> dims[k] & 1), ValueError, "dim ", dims[k], " appears more than once", Named{"input", x});
      seen |= uint32_t(1) << dims[k];
      int64_t n = s ? (*s)[k] : -1;
      if (n == -1) n = half && k + 1 == dims.size() ? 2 * (x.size(dims[k]) - 1) : x.size(dims[k]);
      sizes.push_back(n);
      TG_CHECK(n >= 1, ValueError, "the number of data points must be positive, got ", n, Named{"input", x});
    }
  }
  void need_dims(const Tensor& x) const { TG_CHECK(!dims.empty(), ShapeError, "at least one dimension must be transformed", Named{"input", x}); }
  double count() const {
    double n = 1;
    for (int64_t s : sizes) n *= double(s);
    return n;
  }
  int64_t last() const { return dims[dims.size() - 1]; }
  IntList others() const { return {dims.data(), dims.size() - 1}; }
  Tensor resize(Tensor x, size_t count) const {
    for (size_t k = 0; k < count; k++) x = resized(x, dims[k], sizes[k]);
    return x;
  }
};

Tensor complex_nd(const Tensor& input, const Plan& p, Norm norm, Direction way) {
  return c2c(p.resize(to_complex(input), p.dims.size()), p.dims, way, scale_of(norm, way, p.count()));
}
Tensor real_nd(const Tensor& input, const Plan& p, Norm norm, Direction way) {  // real to half of the frequencies
  p.need_dims(input);
  const Tensor half = r2c(p.resize(to_real(input), p.dims.size()), p.last(), way, scale_of(norm, way, p.count()));
  return c2c(half, p.others(), way, 1);
}
Tensor half_nd(const Tensor& input, const Plan& p, Norm norm, Direction way) {  // half of the frequencies to real
  p.need_dims(input);
  const Tensor x = p.resize(to_complex(input), p.dims.size() - 1);
  const int64_t n = p.sizes[p.sizes.size() - 1];
  return c2r(c2c(resized(x, p.last(), n / 2 + 1), p.others(), way, 1), p.last(), n, way, scale_of(norm, way, p.count()));
}
Plan one_dim(const Tensor& x, std::optional<int64_t> n, int64_t dim, bool half = false) {
  TG_CHECK(x.dim() > 0, ShapeError, "input must have at least 1 dimension", Named{"input", x});
  return Plan(x, n ? Dims(IntList(*n)) : Dims(), IntList(dim), half);
}

}  // namespace

// ---- one dimension

Tensor fft(const Tensor& x, std::optional<int64_t> n, int64_t dim, Norm norm) {
  OpScope op("fft.fft");
  return complex_nd(x, one_dim(x, n, dim), norm, forward);
}
Tensor ifft(const Tensor& x, std::optional<int64_t> n, int64_t dim, Norm norm) {
  OpScope op("fft.ifft");
  return complex_nd(x, one_dim(x, n, dim), norm, inverse);
}
Tensor rfft(const Tensor& x, std::optional<int64_t> n, int64_t dim, Norm norm) {
  OpScope op("fft.rfft");
  return real_nd(x, one_dim(x, n, dim), norm, forward);
}
Tensor irfft(const Tensor& x, std::optional<int64_t> n, int64_t dim, Norm norm) {
  OpScope op("fft.irfft");
  return half_nd(x, one_dim(x, n, dim, true), norm, inverse);
}
Tensor hfft(const Tensor& x, std::optional<int64_t> n, int64_t dim, Norm norm) {
  OpScope op("fft.hfft");
  return half_nd(x, one_dim(x, n, dim, true), norm, forward);
}
Tensor ihfft(const Tensor& x, std::optional<int64_t> n, int64_t dim, Norm norm) {
  OpScope op("fft.ihfft");
  return real_nd(x, one_dim(x, n, dim), norm, inverse);
}

// ---- several

Tensor fftn(const Tensor& x, Dims s, Dims dim, Norm norm) {
  OpScope op("fft.fftn");
  return complex_nd(x, Plan(x, s, dim), norm, forward);
}
Tensor ifftn(const Tensor& x, Dims s, Dims dim, Norm norm) {
  OpScope op("fft.ifftn");
  return complex_nd(x, Plan(x, s, dim), norm, inverse);
}
Tensor rfftn(const Tensor& x, Dims s, Dims dim, Norm norm) {
  OpScope op("fft.rfftn");
  return real_nd(x, Plan(x, s, dim), norm, forward);
}
Tensor irfftn(const Tensor& x, Dims s, Dims dim, Norm norm) {
  OpScope op("fft.irfftn");
  return half_nd(x, Plan(x, s, dim, true), norm, inverse);
}
Tensor hfftn(const Tensor& x, Dims s, Dims dim, Norm norm) {
  OpScope op("fft.hfftn");
  return half_nd(x, Plan(x, s, dim, true), norm, forward);
}
Tensor ihfftn(const Tensor& x, Dims s, Dims dim, Norm norm) {
  OpScope op("fft.ihfftn");
  return real_nd(x, Plan(x, s, dim), norm, inverse);
}

// ---- frequencies

static Tensor frequencies(Tensor index, double n, double d, std::optional<Dtype> dtype, bool requires_grad) {
  NoGrad off;
  Tensor f = to(index, dtype.value_or(default_dtype())) * Tensor(1 / (n * d));
  if (requires_grad) f.set_requires_grad();
  return f;
}
static void positive_length(int64_t n) { TG_CHECK(n > 0, ValueError, "n must be positive, got ", n); }
Tensor fftfreq(int64_t n, double d, std::optional<Dtype> dtype, std::optional<Device> device, OnlyBool requires_grad) {
  OpScope op("fft.fftfreq");
  positive_length(n);
  return frequencies(cat({arange(0, (n + 1) / 2, 1, Dtype::Int64, device), arange(-(n / 2), 0, 1, Dtype::Int64, device)}), double(n), d, dtype,
      requires_grad);
}
Tensor rfftfreq(int64_t n, double d, std::optional<Dtype> dtype, std::optional<Device> device, OnlyBool requires_grad) {
  OpScope op("fft.rfftfreq");
  positive_length(n);
  return frequencies(arange(0, n / 2 + 1, 1, Dtype::Int64, device), double(n), d, dtype, requires_grad);
}
static Tensor shifted(const Tensor& x, Dims dim, bool back) {
  Shape dims, by;
  if (dim) dims = *dim;
  else for (int64_t d = 0; d < x.dim(); d++) dims.push_back(d);
  for (int64_t d : dims) by.push_back(back ? (x.size(d) + 1) / 2 : x.size(d) / 2);
  return roll(x, by, dims);
}
Tensor fftshift(const Tensor& x, Dims dim) {
  OpScope op("fft.fftshift");
  return shifted(x, dim, false);
}
Tensor ifftshift(const Tensor& x, Dims dim) {
  OpScope op("fft.ifftshift");
  return shifted(x, dim, true);
}

}  // namespace tapegrad::fft

// ---- rows

namespace tapegrad {

void fft_ops(OpTable& t) {
  using namespace fft;
#define TG_ONE "(Tensor input, int? n=None, int dim=-1, str? norm=None)"
#define TG_TWO "(Tensor input, int[]? s=None, int[] dim=(-2, -1), str? norm=None)"
#define TG_MANY "(Tensor input, int[]? s=None, int[]? dim=None, str? norm=None)"
  t.add("fft.fft" TG_ONE, &fft::fft, "X[k] = sum over j of x[j] exp(-2 pi i j k / n) along dim; n cuts or pads with zeros first.").with_out().complex()
      .samples({"T(8)", "T(3, 5), 7, 0", "T(2, 6), 4", "Z(3, 12), norm='ortho'", "Z(2, 37)", "T(2, 3, 4), dim=1, norm='forward'", "T(1)", "Z(2, 77)"});
  t.add("fft.ifft" TG_ONE, &ifft, "The inverse of fft: sum of X[k] exp(2 pi i j k / n), divided by n.").with_out().complex()
      .samples({"Z(8)", "Z(3, 5), 7, 0", "T(2, 6), 4", "Z(3, 15), norm='ortho'", "Z(2, 3, 4), dim=1, norm='forward'"});
  t.add("fft.rfft" TG_ONE, &rfft, "fft of real numbers: the first n / 2 + 1 frequencies, whose conjugates the others are.").with_out()
      .samples({"T(8)", "T(3, 5), dim=0", "T(2, 6), 4", "T(2, 6), 9, norm='ortho'", "T(2, 7), norm='forward'"});
  t.add("fft.irfft" TG_ONE, &irfft, "The inverse of rfft: n real numbers (by default 2 (m - 1) of m frequencies).").with_out().complex()
      .samples({"Z(5)", "Z(3, 5), 7, 0", "Z(2, 6), 11", "Z(2, 6), norm='ortho'", "Z(2, 4), 3, norm='forward'", "T(4)"});
  t.add("fft.hfft" TG_ONE, &hfft, "The real fft of a signal whose second half is the conjugate of the first, which is given.").with_out().complex()
      .samples({"Z(5)", "Z(3, 5), 7, 0", "Z(2, 6), norm='ortho'"});
  t.add("fft.ihfft" TG_ONE, &ihfft, "The inverse of hfft: the first half of a Hermitian signal.").with_out()
      .samples({"T(8)", "T(3, 5), 7, 0", "T(2, 6), norm='ortho'"});
  t.add("fft.fftn" TG_MANY, &fftn, "fft along several dimensions: those of dim, or the last len(s) ones, or all.").with_out().complex()
      .samples({"T(3, 4)", "Z(2, 3, 4), [5, 3]", "Z(2, 3, 4), dim=[0, 2], norm='ortho'", "T(2, 3, 4), [2, -1], [1, 2]"});
  t.add("fft.ifftn" TG_MANY, &ifftn, "The inverse of fftn.").with_out().complex()
      .samples({"Z(3, 4)", "Z(2, 3, 4), [5, 3]", "Z(2, 3, 4), dim=[0, 2], norm='ortho'"});
  t.add("fft.rfftn" TG_MANY, &rfftn, "fftn of real numbers: half of the frequencies along the last dimension.").with_out()
      .samples({"T(3, 4)", "T(2, 3, 4), [5, 3]", "T(2, 3, 4), dim=[0, 1], norm='ortho'"});
  t.add("fft.irfftn" TG_MANY, &irfftn, "The inverse of rfftn.").with_out().complex()
      .samples({"Z(3, 4)", "Z(2, 3, 4), [5, 3]", "Z(2, 3, 4), dim=[0, 1], norm='ortho'"});
  t.add("fft.hfftn" TG_MANY, &hfftn, "hfft along the last dimension and fft along the others.").with_out().complex()
      .samples({"Z(3, 4)", "Z(2, 3, 4), [5, 3]", "Z(2, 3, 4), dim=[0, 1], norm='ortho'"});
  t.add("fft.ihfftn" TG_MANY, &ihfftn, "The inverse of hfftn.").with_out()
      .samples({"T(3, 4)", "T(2, 3, 4), [5, 3]", "T(2, 3, 4), dim=[0, 1], norm='ortho'"});
  t.add("fft.fft2" TG_TWO, &fftn, "fftn along two dimensions, by default the last ones.").with_out().complex()
      .samples({"T(3, 4)", "Z(2, 3, 4), [5, 3]", "Z(2, 3, 4), dim=[0, 2]"});
  t.add("fft.ifft2" TG_TWO, &ifftn, "The inverse of fft2.").with_out().complex().samples({"Z(3, 4)", "Z(2, 3, 4), [5, 3], norm='ortho'"});
  t.add("fft.rfft2" TG_TWO, &rfftn, "rfftn along two dimensions, by default the last ones.").with_out().samples({"T(3, 4)", "T(2, 3, 4), [5, 3]"});
  t.add("fft.irfft2" TG_TWO, &irfftn, "The inverse of rfft2.").with_out().complex().samples({"Z(3, 4)", "Z(2, 3, 4), [5, 3]"});
  t.add("fft.hfft2" TG_TWO, &hfftn, "hfftn along two dimensions, by default the last ones.").with_out().complex().samples({"Z(3, 4)", "Z(2, 3, 4), [5, 3]"});
  t.add("fft.ihfft2" TG_TWO, &ihfftn, "The inverse of hfft2.").with_out().samples({"T(3, 4)", "T(2, 3, 4), [5, 3]"});
#define TG_OPTIONS "dtype? dtype=None, device? device=None, bool requires_grad=False)"
  t.add("fft.fftfreq(int n, float d=1.0, *, " TG_OPTIONS, &fftfreq, "0, 1, …, -2, -1 over n d: the frequencies of fft's results.")
      .no_grad().with_out().samples({"8", "7, 0.5", "1"});
  t.add("fft.rfftfreq(int n, float d=1.0, *, " TG_OPTIONS, &rfftfreq, "0, 1, …, n / 2 over n d: the frequencies of rfft's results.")
      .no_grad().with_out().samples({"8", "7, 0.5", "1"});
  t.add("fft.fftshift(Tensor input, int[]? dim=None)", &fftshift, "Frequency 0 to the middle of dim (all dimensions).").complex()
      .samples({"T(7)", "T(3, 4)", "T(3, 4), [1]"});
  t.add("fft.ifftshift(Tensor input, int[]? dim=None)", &ifftshift, "The inverse of fftshift.").complex().samples({"T(7)", "T(3, 4)", "T(3, 4), [1]"});
#undef TG_ONE
#undef TG_TWO
#undef TG_MANY
#undef TG_OPTIONS
}

}  // namespace tapegrad
