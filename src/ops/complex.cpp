// Complex tensors: made of parts and taken apart, conjugate, angle, absolute value. Arithmetic is the elementwise driver's.
// Gradients are dL/d(re) + i dL/d(im), which is twice the conjugate Wirtinger derivative: W. Wirtinger, Math. Ann. 97 (1927).
#include "src/ops/complex.h"

#include "src/ops/complex_number.h"
#include "src/ops/cuda/launch.h"
#include "src/ops/elementwise.h"
#include "src/ops/op_info.h"

namespace tapegrad {

static void complex_only(const Tensor& x) {
  TG_CHECK(is_complex(x->dtype), DtypeError, "input must be complex, got ", x->dtype, Named{"input", x});
}

// ---- views of the parts

static Tensor floats_of(const Tensor& x, bool view) {
  Shape size(x.sizes()), stride(x.strides());
  for (int64_t& s : stride) s *= 2;
  size.push_back(2), stride.push_back(1);
  Tensor out = alias(x, size, stride, 0, view);
  out->dtype = real_dtype(x->dtype);
  return out;
}
Tensor as_floats(const Tensor& x) { return floats_of(x, false); }

struct ViewAsRealBackward final : NodeOf<1> {
  using NodeOf::NodeOf;
  const char* name() const override { return "ViewAsRealBackward0"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = view_as_complex(contiguous(g)); }
};
Tensor view_as_real(const Tensor& x) {
  OpScope op("view_as_real");
  complex_only(x);
  Tensor out = floats_of(x, true);
  if (recording(x)) record<ViewAsRealBackward>(out, x);
  return out;
}
struct ViewAsComplexBackward final : NodeOf<1> {
  using NodeOf::NodeOf;
  const char* name() const override { return "ViewAsComplexBackward0"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = view_as_real(g); }
};
Tensor view_as_complex(const Tensor& x) {
  OpScope op("view_as_complex");
  TG_CHECK(x->dtype == Dtype::Float32 || x->dtype == Dtype::Float64, DtypeError, "input must be float32 or float64, got ", x->dtype,
      Named{"input", x});
  TG_CHECK(x.dim() > 0 && x.size(-1) == 2, ShapeError, "the last dimension must have size 2, got ", x.sizes(), Named{"input", x});
  TG_CHECK(x.stride(-1) == 1, ShapeError, "the last dimension must have stride 1, got strides ", x.strides(), Named{"input", x});
  Shape size(x.sizes()), stride(x.strides());
  size.pop_back(), stride.pop_back();
  for (size_t d = 0; d < stride.size(); d++) {
    TG_CHECK(stride[d] % 2 == 0 || size[d] <= 1, ShapeError, "strides but the last must be even, got ", x.strides(), Named{"input", x});
    stride[d] /= 2;
  }
  TG_CHECK(x.storage_offset() % 2 == 0, ShapeError, "the storage offset must be even, got ", x.storage_offset(), Named{"input", x});
  Tensor out = alias(x, size, stride, 0, true);
  out->dtype = complex_dtype(x->dtype);
  if (recording(x)) record<ViewAsComplexBackward>(out, x);
  return out;
}
Tensor real(const Tensor& x) {
  OpScope op("real");
  return is_complex(x->dtype) ? select(view_as_real(x), -1, 0) : x;
}
Tensor imag(const Tensor& x) {
  OpScope op("imag");
  complex_only(x);
  return select(view_as_real(x), -1, 1);
}

// ---- from parts

struct ComplexBackward final : NodeOf<2> {
  Shape real_size, imag_size;
  ComplexBackward(const Tensor& re, const Tensor& im) : NodeOf(re, im), real_size(re.sizes()), imag_size(im.sizes()) {}
  const char* name() const override { return "ComplexBackward0"; }
  void backward(Tensor g, Tensor* dx) override {
    if (needs(0)) dx[0] = sum_to_size(real(g), real_size);
    if (needs(1)) dx[1] = sum_to_size(imag(g), imag_size);
  }
};
Tensor complex(const Tensor& re, const Tensor& im) {
  OpScope op("complex");
  TG_CHECK(re->dtype == im->dtype && (re->dtype == Dtype::Float32 || re->dtype == Dtype::Float64), DtypeError,
      "real and imag must both be float32 or both float64", Named{"real", re}, Named{"imag", im});
  check_same_device("real", re, "imag", im);
  const Tensor* both[] = {&re, &im};
  Tensor out = empty(broadcast_shape(both, 2), complex_dtype(re->dtype), re.device());
  {
    NoGrad off;
    const Tensor floats = as_floats(out);
    copy_(select(floats, -1, 0), re);
    copy_(select(floats, -1, 1), im);
  }
  if (recording(re, im)) record<ComplexBackward>(out, re, im);
  return out;
}
Tensor polar(const Tensor& abs, const Tensor& angle) {
  OpScope op("polar");
  TG_CHECK(abs->dtype == angle->dtype && is_floating(abs->dtype), DtypeError, "abs and angle must have one floating-point dtype",
      Named{"abs", abs}, Named{"angle", angle});
  return complex(mul(abs, cos(angle)), mul(abs, sin(angle)));
}

// ---- functions that have no complex derivative: kernels of their own

template <class R, class Out, Out (*f)(Complex<R>)> static void loop(const void*, char* const* p, int64_t n) {
  const auto* x = reinterpret_cast<const Complex<R>*>(p[1]);
  auto* y = reinterpret_cast<Out*>(p[0]);
  for (int64_t i = 0; i < n; i++) y[i] = f(x[i]);
}
template <class R> static Complex<R> unit(Complex<R> z) {  // z / |z|
  const R r = abs(z);
  return r == 0 ? Complex<R>() : Complex<R>(z.re / r, z.im / r);
}
template <class R> static R argument(Complex<R> z) { return std::atan2(z.im, z.re); }

static Tensor part(const Tensor& x, int64_t k) { return select(as_floats(x), -1, k); }  // 0: real, 1: imaginary

static Tensor mapped(const Tensor& x, Dtype dtype, Kernel single, Kernel wide) {
  Tensor out = empty_like(x, dtype);
  const bool is_wide = x->dtype == Dtype::Complex128;
  const Operand arg[] = {{out.get(), compute_for(dtype)}, {x.get(), compute_for(x->dtype)}};
  run_kernel(is_wide ? wide : single, nullptr, arg, 2, true);
  return out;
}

struct ConjBackward final : NodeOf<1> {
  using NodeOf::NodeOf;
  const char* name() const override { return "ConjBackward0"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = conj(g); }
};
Tensor conj(const Tensor& x) {
  OpScope op("conj");
  if (!is_complex(x->dtype)) return x;
  Tensor out;
  if (x.is_cuda()) {
    NoGrad off;
    out = clone(x);
    neg_(part(out, 1));
  } else {
    out = mapped(x, x->dtype, loop<float, Complex<float>, conj<float>>, loop<double, Complex<double>, conj<double>>);
  }
  if (recording(x)) record<ConjBackward>(out, x);
  return out;
}

struct ComplexAbsBackward final : NodeOf<1> {
  SavedTensor saved;
  explicit ComplexAbsBackward(const Tensor& x) : NodeOf(x), saved(x) {}
  const char* name() const override { return "AbsBackward0"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = mul(g, complex_sgn(saved.unpack(*this))); }
  void free_saved() override { saved.reset(); }
};
static Tensor absolute(const Tensor& x) {
  if (!x.is_cuda()) return mapped(x, real_dtype(x->dtype), loop<float, float, abs<float>>, loop<double, double, abs<double>>);
  NoGrad off;
  return hypot(part(x, 0), part(x, 1));
}
Tensor complex_abs(const Tensor& x) {
  Tensor out = absolute(x);
  if (recording(x)) record<ComplexAbsBackward>(out, x);
  return out;
}

// With s = z / |z|: ds = (dz - s Re(conj(s) dz)) / |z|, which is its own adjoint.
struct SgnBackward final : NodeOf<1> {
  SavedTensor saved;
  explicit SgnBackward(const Tensor& x) : NodeOf(x), saved(x) {}
  const char* name() const override { return "SgnBackward0"; }
  void backward(Tensor g, Tensor* dx) override {
    const Tensor x = saved.unpack(*this), s = complex_sgn(x), r = complex_abs(x);
    const Tensor along = mul(s, real(mul(conj(s), g)));
    dx[0] = where(eq(r, Tensor(0)), Tensor(0), div(sub(g, along), r));
  }
  void free_saved() override { saved.reset(); }
};
static Tensor direction(const Tensor& x) {
  if (!x.is_cuda()) return mapped(x, x->dtype, loop<float, Complex<float>, unit<float>>, loop<double, Complex<double>, unit<double>>);
  NoGrad off;
  const Tensor r = unsqueeze(absolute(x), -1), floats = as_floats(x);
  return detach(view_as_complex(contiguous(where(eq(r, Tensor(0)), Tensor(0), div(floats, r)))));
}
Tensor complex_sgn(const Tensor& x) {
  Tensor out = direction(x);
  if (recording(x)) record<SgnBackward>(out, x);
  return out;
}

struct AngleBackward final : NodeOf<1> {
  SavedTensor saved;
  explicit AngleBackward(const Tensor& x) : NodeOf(x), saved(x) {}
  const char* name() const override { return "AngleBackward0"; }
  void backward(Tensor g, Tensor* dx) override {  // d atan2(im, re) = (-im, re) / |z|^2 = i z / |z|^2
    const Tensor x = saved.unpack(*this);
    if (!is_complex(x->dtype)) dx[0] = zeros_like(x);
    else dx[0] = where(eq(x, Tensor(0)), Tensor(0), mul(div(mul(g, x), square(complex_abs(x))), Tensor(Complex<double>(0, 1))));
  }
  void free_saved() override { saved.reset(); }
};
Tensor angle(const Tensor& x) {
  OpScope op("angle");
  Tensor out;
  if (is_complex(x->dtype) && !x.is_cuda()) {
    out = mapped(x, real_dtype(x->dtype), loop<float, float, argument<float>>, loop<double, double, argument<double>>);
  } else if (is_complex(x->dtype)) {
    NoGrad off;
    out = atan2(part(x, 1), part(x, 0));
  } else {
    NoGrad off;
    const Tensor f = is_floating(x->dtype) ? x : to(x, default_dtype());
    out = where(isnan(f), f, mul(to(lt(f, Tensor(0)), f->dtype), Tensor(3.14159265358979323846)));
  }
  if (recording(x)) record<AngleBackward>(out, x);
  return out;
}

Tensor isreal(const Tensor& x) {
  OpScope op("isreal");
  NoGrad off;
  return is_complex(x->dtype) ? eq(imag(x), Tensor(0)) : ones(x.sizes(), Dtype::Bool, x.device());
}
Tensor adjoint(const Tensor& x) {
  OpScope op("adjoint");
  TG_CHECK(x.dim() >= 2, ShapeError, "input must have at least 2 dimensions, got ", x.dim(), Named{"input", x});
  return conj(transpose(x, -2, -1));
}

// ---- rows

void complex_ops(OpTable& t) {
  using Unary = Tensor (*)(const Tensor&);
  t.add("complex(Tensor real, Tensor imag)", &complex, "real + i imag, broadcast; both float32 or both float64.")
      .with_out().samples({"T(2, 3), T(2, 3)", "T(2, 3), T(3)", "T(), T()", "T(0, 3), T(0, 3)"});
  t.add("polar(Tensor abs, Tensor angle)", &polar, "abs (cos angle + i sin angle), broadcast.")
      .with_out().samples({"P(2, 3), T(2, 3)", "P(), T()"});
  t.add("view_as_real(Tensor input)", &view_as_real, "A complex tensor's memory as floats, with a last dimension of 2: a view.")
      .complex().samples({"Z(2, 3)", "Z()", "Z(0, 3)"});
  t.add("view_as_complex(Tensor input)", &view_as_complex,
      "Floats whose last dimension has size 2 as complex numbers: a view. Its stride must be 1, the others even.")
      .samples({"T(2, 3, 2)", "T(2)"});
  t.add("real(Tensor input)", static_cast<Unary>(&real), "The real part, as a view; a real tensor itself.").complex().samples({"Z(2, 3)", "T(2, 3)", "Z()"});
  t.add("imag(Tensor input)", &imag, "The imaginary part of a complex tensor, as a view.").complex().samples({"Z(2, 3)", "Z()", "Z(0, 3)"});
  t.add("conj(Tensor input)", static_cast<Unary>(&conj),
      "input with its imaginary part negated, in memory of its own; a real tensor itself.")
      .method().complex().samples({"Z(2, 3)", "T(2, 3)", "Z()"});
  t.add("angle(Tensor input)", &angle, "atan2(imag, real) in (-pi, pi]; of a real number 0 or pi. NaN stays.")
      .method().with_out().complex().samples({"Z(2, 3)", "T(2, 3)", "Z()", "I(3, lo=-3)", "Z(0, 3)"});
  t.add("isreal(Tensor input)", &isreal, "True where the imaginary part is 0.").method().no_grad().complex().samples({"Z(2, 3)", "T(2, 3)"});
  t.add("adjoint(Tensor input)", &adjoint, "The last two dimensions transposed, and conjugated.")
      .method().complex().samples({"Z(2, 3)", "T(2, 3)", "Z(2, 3, 4)"});
}

}  // namespace tapegrad
