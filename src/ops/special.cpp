// torch.special beyond the common ones: each op is a function of one or two plain numbers (special_math.h) and, where PyTorch has
// it, the formula of its gradient on tensors. One driver and one node serve all; speed is that of the scalar function, which
// runs on CUDA too.
#include "tapegrad/special.h"

#include <cmath>

#include "src/ops/cuda/launch.h"
#include "src/ops/elementwise.h"
#include "src/ops/in_place.h"
#include "src/ops/op_info.h"
#include "src/ops/special_math.h"
#include "src/ops/typed.h"

namespace tapegrad {
namespace {

/// The gradient for one input, from the output's, the inputs (b undefined for functions of one number) and the output.
using Gradient = Tensor (*)(const Tensor& g, const Tensor& a, const Tensor& b, const Tensor& y);
struct Function {
  Special which;
  double (*f)(double, double);
  const char* node = nullptr;  // null: not differentiable
  Gradient gradient[2] = {};
};
template <Special f, class... G> constexpr Function function(const char* node, G... gradient) {
  return {f, special_function<f>, node, {gradient...}};
}

struct SpecialBackward final : NodeOf<2> {
  const Function& function;
  SavedTensor a, b, y;
  SpecialBackward(const Tensor& x, const Tensor& z, const Function& f) : NodeOf(x, z), function(f), a(x), b(z) {}
  const char* name() const override { return function.node; }
  void backward(Tensor g, Tensor* dx) override {
    const Tensor in[2] = {a.unpack(*this), b.unpack(*this)}, out = y.unpack(*this);
    for (int k = 0; k < 2; k++)
      if (needs(k)) dx[k] = reduce_gradient(function.gradient[k](g, in[0], in[1], out), in[k].sizes(), in[k].dtype());
  }
  void free_saved() override { a.reset(), b.reset(), y.reset(); }
};

/// f over a and b, broadcast, in their common float dtype; b may be undefined.
Tensor apply(const Function& function, const Tensor& a, const Tensor& b = {}) {
  const Tensor* in[] = {&a, &b};
  const int inputs = b.defined() ? 2 : 1;
  Dtype d = result_type(in, inputs);
  TG_CHECK(!is_complex(d), DtypeError, "not for complex tensors", Named{"input", a});
  if (!is_floating(d)) d = default_dtype();
  const Shape size = broadcast_shape(in, inputs);
  Tensor out;
  if (any_cuda(in, inputs)) {
    NoGrad off;
    out = empty(size, d, common_device(in, inputs));
    cuda_special(function.which, out, to(a, d), b.defined() ? to(b, d) : b);
  } else {
    NoGrad off;
    const Tensor x = expand(to(a, d), size), z = b.defined() ? expand(to(b, d), size) : x;
    out = a.sizes() == size ? empty_like(x) : empty(size, d);
    Walk<3> walk;
    for (size_t k = 0; k < size.size(); k++) walk.add(size[k], out->strides[k], x->strides[k], z->strides[k]);
    LongKernel unlocked(16 * out.numel());
    typed_real(d, [&](auto zero) {
      using T = decltype(zero);
      const T *p = x->host<const T>(), *q = z->host<const T>();
      T* o = out->host<T>();
      parallel_for(out.numel(), 512, [&](int64_t begin, int64_t end) {
        walk(begin, end, [&](const int64_t (&at)[3]) { o[at[0]] = T(Wide<T>(function.f(double(Wide<T>(p[at[1]])),
            double(Wide<T>(q[at[2]]))))); });
      });
    });
  }
  if (function.node && recording(a, b)) record<SpecialBackward>(out, a, b, function)->y = SavedTensor(out, SavedTensor::output);
  return out;
}

using T = const Tensor&;
constexpr double kSqrtTwoPi = 2.50662827463100050242;
// 1 / x with the pole taken out.
Tensor inverse_or_zero(T x) { return where(x == 0, Tensor(0.0), 1 / where(x == 0, Tensor(1.0), x)); }
Tensor refuse(T, T, T, T) { detail::fail<NotImplementedError>("the derivative for the first argument is not implemented; detach() it"); }

// ---- the functions

constexpr Function kNdtr = function<Special::Ndtr>("SpecialNdtrBackward0",
    [](T g, T x, T, T) { return g * (exp(x * x * -0.5) * (1 / kSqrtTwoPi)); });
constexpr Function kLogNdtr = function<Special::LogNdtr>("SpecialLogNdtrBackward0",
    [](T g, T x, T, T) { return g / special::erfcx(x * -M_SQRT1_2) * (2 / kSqrtTwoPi); });
constexpr Function kNdtri = function<Special::Ndtri>("SpecialNdtriBackward0",
    [](T g, T, T, T y) { return g * (exp(y * y * 0.5) * kSqrtTwoPi); });
constexpr Function kErfcx = function<Special::Erfcx>("SpecialErfcxBackward0",
    [](T g, T x, T, T y) { return g * (x * y * 2 - M_2_SQRTPI); });
constexpr Function kEntr = function<Special::Entr>("SpecialEntrBackward0", [](T g, T x, T, T) { return g * (-1 - log(x)); });
constexpr Function kXlog1py = function<Special::Xlog1py>("SpecialXlog1PyBackward0",
    [](T g, T x, T y, T) { return g * where(logical_and(x == 0, y <= -1), Tensor(0.0), log1p(y)); },
    [](T g, T x, T y, T) { return g * (x / (y + 1)); });

// d/dx P(a, x) = x^(a - 1) exp(-x) / gamma(a)
Tensor gamma_density(T a, T x) { return exp((a - 1) * log(x) - x - lgamma(a)); }
constexpr Function kIgamma = function<Special::GammaP>("IgammaBackward0", refuse,
    [](T g, T a, T x, T) { return g * gamma_density(a, x); });
constexpr Function kIgammac = function<Special::GammaQ>("IgammacBackward0", refuse,
    [](T g, T a, T x, T) { return -g * gamma_density(a, x); });
constexpr Function kZeta = function<Special::Zeta>("SpecialZetaBackward0", refuse,
    [](T g, T s, T q, T) { return -g * (s * special::zeta(s + 1, q)); });

constexpr Function kI0 = function<Special::I0>("I0Backward0", [](T g, T x, T, T) { return g * special::i1(x); });
constexpr Function kI0e = function<Special::I0e>("SpecialI0EBackward0",
    [](T g, T x, T, T y) { return g * (special::i1e(x) - sign(x) * y); });
// i1'(x) = i0(x) - i1(x) / x, 1/2 at 0
constexpr Function kI1 = function<Special::I1>("SpecialI1Backward0",
    [](T g, T x, T, T y) { return g * where(x == 0, Tensor(0.5), i0(x) - y * inverse_or_zero(x)); });
constexpr Function kI1e = function<Special::I1e>("SpecialI1EBackward0",
    [](T g, T x, T, T y) { return g * where(x == 0, Tensor(0.5), special::i0e(x) - y * (sign(x) + inverse_or_zero(x))); });
template <Special f> constexpr Function kPlain = {f, special_function<f>};

}  // namespace

namespace special {
Tensor ndtr(T x) { OpScope op("special_ndtr"); return apply(kNdtr, x); }
Tensor log_ndtr(T x) { OpScope op("special_log_ndtr"); return apply(kLogNdtr, x); }
Tensor ndtri(T x) { OpScope op("special_ndtri"); return apply(kNdtri, x); }
Tensor erfcx(T x) { OpScope op("special_erfcx"); return apply(kErfcx, x); }
Tensor entr(T x) { OpScope op("special_entr"); return apply(kEntr, x); }
Tensor xlog1py(T x, T other) { OpScope op("special_xlog1py"); return apply(kXlog1py, x, other); }
Tensor zeta(T x, T q) { OpScope op("special_zeta"); return apply(kZeta, x, q); }
Tensor i0e(T x) { OpScope op("special_i0e"); return apply(kI0e, x); }
Tensor i1(T x) { OpScope op("special_i1"); return apply(kI1, x); }
Tensor i1e(T x) { OpScope op("special_i1e"); return apply(kI1e, x); }
Tensor modified_bessel_i0(T x) { OpScope op("special_modified_bessel_i0"); return apply(kPlain<Special::I0>, x); }
Tensor modified_bessel_i1(T x) { OpScope op("special_modified_bessel_i1"); return apply(kPlain<Special::I1>, x); }
Tensor modified_bessel_k0(T x) { OpScope op("special_modified_bessel_k0"); return apply(kPlain<Special::K0>, x); }
Tensor modified_bessel_k1(T x) { OpScope op("special_modified_bessel_k1"); return apply(kPlain<Special::K1>, x); }
Tensor scaled_modified_bessel_k0(T x) { OpScope op("special_scaled_modified_bessel_k0"); return apply(kPlain<Special::ScaledK0>, x); }
Tensor scaled_modified_bessel_k1(T x) { OpScope op("special_scaled_modified_bessel_k1"); return apply(kPlain<Special::ScaledK1>, x); }
Tensor bessel_j0(T x) { OpScope op("special_bessel_j0"); return apply(kPlain<Special::J0>, x); }
Tensor bessel_j1(T x) { OpScope op("special_bessel_j1"); return apply(kPlain<Special::J1>, x); }
Tensor bessel_y0(T x) { OpScope op("special_bessel_y0"); return apply(kPlain<Special::Y0>, x); }
Tensor bessel_y1(T x) { OpScope op("special_bessel_y1"); return apply(kPlain<Special::Y1>, x); }
Tensor spherical_bessel_j0(T x) { OpScope op("special_spherical_bessel_j0"); return apply(kPlain<Special::SphericalJ0>, x); }
Tensor airy_ai(T x) { OpScope op("special_airy_ai"); return apply(kPlain<Special::Airy>, x); }
Tensor chebyshev_polynomial_t(T x, T n) {
  OpScope op("special_chebyshev_polynomial_t");
  return apply(kPlain<Special::ChebyshevT>, x, n);
}
Tensor chebyshev_polynomial_u(T x, T n) {
  OpScope op("special_chebyshev_polynomial_u");
  return apply(kPlain<Special::ChebyshevU>, x, n);
}
Tensor chebyshev_polynomial_v(T x, T n) {
  OpScope op("special_chebyshev_polynomial_v");
  return apply(kPlain<Special::ChebyshevV>, x, n);
}
Tensor chebyshev_polynomial_w(T x, T n) {
  OpScope op("special_chebyshev_polynomial_w");
  return apply(kPlain<Special::ChebyshevW>, x, n);
}
Tensor shifted_chebyshev_polynomial_t(T x, T n) {
  OpScope op("special_shifted_chebyshev_polynomial_t");
  return apply(kPlain<Special::ShiftedT>, x, n);
}
Tensor shifted_chebyshev_polynomial_u(T x, T n) {
  OpScope op("special_shifted_chebyshev_polynomial_u");
  return apply(kPlain<Special::ShiftedU>, x, n);
}
Tensor shifted_chebyshev_polynomial_v(T x, T n) {
  OpScope op("special_shifted_chebyshev_polynomial_v");
  return apply(kPlain<Special::ShiftedV>, x, n);
}
Tensor shifted_chebyshev_polynomial_w(T x, T n) {
  OpScope op("special_shifted_chebyshev_polynomial_w");
  return apply(kPlain<Special::ShiftedW>, x, n);
}
Tensor hermite_polynomial_h(T x, T n) { OpScope op("special_hermite_polynomial_h"); return apply(kPlain<Special::HermiteH>, x, n); }
Tensor hermite_polynomial_he(T x, T n) { OpScope op("special_hermite_polynomial_he"); return apply(kPlain<Special::HermiteHe>, x, n); }
Tensor laguerre_polynomial_l(T x, T n) { OpScope op("special_laguerre_polynomial_l"); return apply(kPlain<Special::Laguerre>, x, n); }
Tensor legendre_polynomial_p(T x, T n) { OpScope op("special_legendre_polynomial_p"); return apply(kPlain<Special::Legendre>, x, n); }
}  // namespace special

Tensor i0(T x) { OpScope op("i0"); return apply(kI0, x); }
Tensor igamma(T a, T x) { OpScope op("igamma"); return apply(kIgamma, a, x); }
Tensor igammac(T a, T x) { OpScope op("igammac"); return apply(kIgammac, a, x); }
// p (p - 1) / 4 log pi + the sum of lgamma(x - j / 2) for j below p.
Tensor mvlgamma(T x, int64_t p) {
  OpScope op("mvlgamma");
  TG_CHECK(p >= 1, ValueError, "p must be at least 1, got ", p);
  TG_CHECK(x.dtype() != Dtype::Bool && !is_complex(x.dtype()), DtypeError, "input must not be bool or complex", Named{"input", x});
  const Tensor in = is_floating(x.dtype()) ? x : to(x, default_dtype());
  const Tensor halves = arange(Scalar(0.0), Scalar(-0.5 * double(p)), Scalar(-0.5), in.dtype(), in.device());
  return sum(lgamma(unsqueeze(in, -1) + halves), -1) + 0.25 * double(p * (p - 1)) * std::log(M_PI);
}
const Tensor& i0_(T self) { OpScope op("i0_"); return replace(self, [](T x) { return i0(x); }); }
const Tensor& igamma_(T self, T x) { OpScope op("igamma_");
    return replace(self, [&](T a) { return igamma(a, x.is_same(self) ? a : x); }, x); }
const Tensor& igammac_(T self, T x) { OpScope op("igammac_");
    return replace(self, [&](T a) { return igammac(a, x.is_same(self) ? a : x); }, x); }
const Tensor& mvlgamma_(T self, int64_t p) { OpScope op("mvlgamma_"); return replace(self, [p](T x) { return mvlgamma(x, p); }); }
const Tensor& polygamma_(T self, int64_t n) { OpScope op("polygamma_"); return replace(self, [n](T x) { return polygamma(n, x); }); }

void special_ops(OpTable& t) {
  using namespace special;
  using Samples = std::initializer_list<std::string_view>;
  const auto one = [&](const char* signature, Tensor (*f)(T), const char* doc, Samples s) -> OpInfo& { return t.add(signature, f, doc)
      .with_out().samples(s); };
  const auto two = [&](const char* signature, Tensor (*f)(T, T), const char* doc, Samples s) -> OpInfo& { return t.add(signature, f, doc)
      .with_out().samples(s); };
  one("special_ndtr(Tensor input)", &ndtr, "The normal distribution function: erfc(-x / sqrt(2)) / 2.",
      {"T(2, 3)", "T()", "T(0, 3)", "C(-30.0, -8.0, 9.0)"});
  one("special_log_ndtr(Tensor input)", &log_ndtr, "log(ndtr(x)), exact far in both tails.", {"T(2, 3)", "T()", "C(-30.0, -8.0, 5.0)"});
  one("special_ndtri(Tensor input)", &ndtri, "The inverse of ndtr, on [0, 1].",
      {"T(2, 3, lo=0.05, hi=0.95)", "C(0.0, 1.0, 1e-20, 2.0)", "T(0)"});
  one("special_erfcx(Tensor input)", &erfcx, "exp(x^2) erfc(x).", {"T(2, 3)", "T()", "C(-30.0, 3.0, 50.0)"});
  one("special_entr(Tensor input)", &entr, "The entropy -x log(x): 0 at 0, -inf below.", {"P(2, 3)", "P()", "C(0.0, -1.0)"});
  two("special_xlog1py(Tensor|Number input, Tensor|Number other)", &xlog1py, "input log(1 + other), 0 where input is 0.",
      {"T(2, 3), P(2, 3)", "T(2, 1), P(3)", "T(3), 0.5", "0.5, P(3)", "C(0.0, 0.0), C(-1.0, 2.0)"});
  two("special_zeta(Tensor|Number input, Tensor|Number other)", &special::zeta,
      "Hurwitz's zeta function: the sum of (k + other)^-input over k from 0. Differentiable for other only.",
      {"T(2, 3, lo=1.5, hi=9, grad=False), P(3)", "2.5, P(3)", "C(1.0, 0.5, 3.0), C(2.0, 2.0, -1.0)"});
  one("i0(Tensor input)", &tapegrad::i0, "The modified Bessel function of the first kind of order 0.",
      {"T(2, 3)", "T()", "T(0, 3)", "C(0.0, 30.0, dtype=float64)"}).method().inplace(&i0_);
  one("special_i0e(Tensor input)", &i0e, "exp(-|x|) i0(x).", {"T(2, 3)", "T(3, lo=10, hi=40)"});
  one("special_i1(Tensor input)", &i1, "The modified Bessel function of the first kind of order 1.", {"T(2, 3)", "T(3, lo=-30, hi=10)"});
  one("special_i1e(Tensor input)", &i1e, "exp(-|x|) i1(x).", {"T(2, 3)", "T(3, lo=-30, hi=10)"});
  two("igamma(Tensor input, Tensor other)", &igamma,
      "The regularized lower incomplete gamma function P(input, other). Differentiable for other only.",
      {"P(2, 3, grad=False), P(3)", "P(3, lo=10, hi=200, grad=False), P(3, lo=10, hi=200)", "C(0.0, 1.0), C(1.0, 0.0)"}).method()
          .inplace(&igamma_);
  two("igammac(Tensor input, Tensor other)", &igammac,
      "The regularized upper incomplete gamma function Q(input, other) = 1 - P(input, other). Differentiable for other only.",
      {"P(2, 3, grad=False), P(3)", "P(3, lo=10, hi=200, grad=False), P(3, lo=10, hi=200)", "C(0.0, 1.0), C(1.0, 0.0)"}).method()
          .inplace(&igammac_);
  t.add("mvlgamma(Tensor input, int p)", &mvlgamma,
      "The log of the p-variate gamma function: p (p - 1) / 4 log(pi) + the sum of lgamma(x - j / 2) for j from 0 to p - 1.")
      .method().inplace(&mvlgamma_).with_out().samples({"P(2, 3, lo=2, hi=5), 3", "P(3), 1"});
  t.add("polygamma(Tensor input, int n)", +[](T x, int64_t n) { return polygamma(n, x); }, "The n-th derivative of digamma.")
      .method_only().inplace(&polygamma_).samples({"P(2, 3), 1", "P(2), 2"});

  const auto bare = [&](const char* signature, Tensor (*f)(T), const char* doc, Samples s) { one(signature, f, doc, s).no_grad(); };
  bare("special_modified_bessel_i0(Tensor input)", &modified_bessel_i0, "As i0, without a gradient.", {"T(2, 3)"});
  bare("special_modified_bessel_i1(Tensor input)", &modified_bessel_i1, "As special.i1, without a gradient.", {"T(2, 3)"});
  bare("special_modified_bessel_k0(Tensor input)", &modified_bessel_k0, "The modified Bessel function of the second kind of order 0.",
      {"P(2, 3)", "P(4, lo=1, hi=40)", "C(0.0, -1.0)"});
  bare("special_modified_bessel_k1(Tensor input)", &modified_bessel_k1, "The modified Bessel function of the second kind of order 1.",
      {"P(2, 3)", "P(4, lo=1, hi=40)", "C(0.0, -1.0)"});
  bare("special_scaled_modified_bessel_k0(Tensor input)", &scaled_modified_bessel_k0, "exp(x) modified_bessel_k0(x).",
      {"P(2, 3)", "P(4, lo=1, hi=40)"});
  bare("special_scaled_modified_bessel_k1(Tensor input)", &scaled_modified_bessel_k1, "exp(x) modified_bessel_k1(x).",
      {"P(2, 3)", "P(4, lo=1, hi=40)"});
  bare("special_bessel_j0(Tensor input)", &bessel_j0, "The Bessel function of the first kind of order 0.",
      {"T(2, 3)", "T(6, lo=-3.5, hi=3.5)", "T(6, lo=30, hi=60)", "C(0.0)"});
  bare("special_bessel_j1(Tensor input)", &bessel_j1, "The Bessel function of the first kind of order 1.",
      {"T(2, 3)", "T(6, lo=-3.5, hi=3.5)", "T(6, lo=30, hi=60)", "C(0.0)"});
  bare("special_bessel_y0(Tensor input)", &bessel_y0, "The Bessel function of the second kind of order 0.",
      {"P(2, 3)", "P(6, lo=0, hi=3.5)", "P(6, lo=30, hi=60)", "C(0.0, -1.0)"});
  bare("special_bessel_y1(Tensor input)", &bessel_y1, "The Bessel function of the second kind of order 1.",
      {"P(2, 3)", "P(6, lo=0, hi=3.5)", "P(6, lo=30, hi=60)", "C(0.0, -1.0)"});
  bare("special_spherical_bessel_j0(Tensor input)", &spherical_bessel_j0,
      "The spherical Bessel function of the first kind of order 0: sin(x) / x.", {"T(2, 3)", "C(0.0)"});
  bare("special_airy_ai(Tensor input)", &airy_ai, "Airy's function Ai.", {"T(2, 3)", "T(8, lo=-30, hi=10)"});

  const auto polynomial = [&](const char* signature, Tensor (*f)(T, T),
      const char* doc) { two(signature, f, doc, {"T(2, 3), I(2, 3, hi=9)", "T(4, lo=0, hi=1), 4", "0.5, I(3)"}).no_grad(); };
  polynomial("special_chebyshev_polynomial_t(Tensor|Number input, Tensor|Number n)", &chebyshev_polynomial_t,
      "Chebyshev's polynomial of the first kind T_n(x).");
  polynomial("special_chebyshev_polynomial_u(Tensor|Number input, Tensor|Number n)", &chebyshev_polynomial_u,
      "Chebyshev's polynomial of the second kind U_n(x).");
  polynomial("special_chebyshev_polynomial_v(Tensor|Number input, Tensor|Number n)", &chebyshev_polynomial_v,
      "Chebyshev's polynomial of the third kind V_n(x).");
  polynomial("special_chebyshev_polynomial_w(Tensor|Number input, Tensor|Number n)", &chebyshev_polynomial_w,
      "Chebyshev's polynomial of the fourth kind W_n(x).");
  polynomial("special_shifted_chebyshev_polynomial_t(Tensor|Number input, Tensor|Number n)", &shifted_chebyshev_polynomial_t,
      "T_n(2x - 1).");
  polynomial("special_shifted_chebyshev_polynomial_u(Tensor|Number input, Tensor|Number n)", &shifted_chebyshev_polynomial_u,
      "U_n(2x - 1).");
  polynomial("special_shifted_chebyshev_polynomial_v(Tensor|Number input, Tensor|Number n)", &shifted_chebyshev_polynomial_v,
      "V_n(2x - 1).");
  polynomial("special_shifted_chebyshev_polynomial_w(Tensor|Number input, Tensor|Number n)", &shifted_chebyshev_polynomial_w,
      "W_n(2x - 1).");
  polynomial("special_hermite_polynomial_h(Tensor|Number input, Tensor|Number n)", &hermite_polynomial_h,
      "Hermite's polynomial H_n(x), the physicists'.");
  polynomial("special_hermite_polynomial_he(Tensor|Number input, Tensor|Number n)", &hermite_polynomial_he,
      "Hermite's polynomial He_n(x), the probabilists'.");
  polynomial("special_laguerre_polynomial_l(Tensor|Number input, Tensor|Number n)", &laguerre_polynomial_l,
      "Laguerre's polynomial L_n(x).");
  polynomial("special_legendre_polynomial_p(Tensor|Number input, Tensor|Number n)", &legendre_polynomial_p,
      "Legendre's polynomial P_n(x).");
}

}  // namespace tapegrad
