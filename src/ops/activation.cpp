// Activation functions and their rows. The maths is in formulas_activation.h.
#include <cmath>

#include "src/ops/elementwise.h"
#include "src/ops/op_info.h"

namespace tapegrad {

static constexpr double kSeluAlpha = 1.6732632423543772848, kSeluScale = 1.0507009873554804934;
static Number as_number(double v) { return {v, int64_t(v)}; }

Tensor relu(const Tensor& x) { OpScope op("relu"); return unary<Relu>(x); }
Tensor relu6(const Tensor& x) { OpScope op("relu6"); return unary(x, Hardtanh{as_number(0), as_number(6)}); }
Tensor hardtanh(const Tensor& x, double min_val, double max_val) {
  OpScope op("hardtanh");
  TG_CHECK(min_val <= max_val, ValueError, "min_val must not be above max_val, got ", min_val, " and ", max_val);
  return unary(x, Hardtanh{as_number(min_val), as_number(max_val)});
}
Tensor leaky_relu(const Tensor& x, double negative_slope) { OpScope op("leaky_relu"); return unary(x, LeakyRelu{negative_slope}); }
Tensor elu(const Tensor& x, double alpha) { OpScope op("elu"); return unary(x, Elu{alpha, 1, 1}); }
Tensor selu(const Tensor& x) { OpScope op("selu"); return unary(x, Elu{kSeluAlpha, kSeluScale, 1}); }
Tensor celu(const Tensor& x, double alpha) {
  OpScope op("celu");
  TG_CHECK(alpha != 0, ValueError, "alpha must not be 0");
  return unary(x, Elu{alpha, 1, 1 / alpha});
}
Tensor gelu(const Tensor& x, std::string_view approximate) {
  OpScope op("gelu");
  TG_CHECK(approximate == "none" || approximate == "tanh", ValueError, "approximate must be 'none' or 'tanh', got '",
      approximate, "'");
  return approximate == "tanh" ? unary<GeluTanh>(x) : unary<Gelu>(x);
}
Tensor silu(const Tensor& x) { OpScope op("silu"); return unary<Silu>(x); }
Tensor mish(const Tensor& x) { OpScope op("mish"); return unary<Mish>(x); }
Tensor softplus(const Tensor& x, double beta, double threshold) {
  OpScope op("softplus");
  return unary(x, Softplus{beta, threshold});
}
Tensor logsigmoid(const Tensor& x) { OpScope op("logsigmoid"); return unary<LogSigmoid>(x); }
Tensor softsign(const Tensor& x) {
  OpScope op("softsign");
  return x.is_complex() ? div(x, abs(x) + 1) : unary<Softsign>(x);
}
Tensor hardsigmoid(const Tensor& x) { OpScope op("hardsigmoid"); return unary<Hardsigmoid>(x); }
Tensor hardswish(const Tensor& x) { OpScope op("hardswish"); return unary<Hardswish>(x); }
Tensor tanhshrink(const Tensor& x) { OpScope op("tanhshrink"); return unary<Tanhshrink>(x); }
Tensor softshrink(const Tensor& x, double lambd) {
  OpScope op("softshrink");
  TG_CHECK(lambd >= 0, ValueError, "lambd must not be negative, got ", lambd);
  return unary(x, Softshrink{lambd});
}
Tensor hardshrink(const Tensor& x, double lambd) { OpScope op("hardshrink"); return unary(x, Hardshrink{lambd}); }
Tensor threshold(const Tensor& x, double threshold, double value) {
  OpScope op("threshold");
  return unary(x, Threshold{as_number(threshold), as_number(value)});
}

const Tensor& relu_(const Tensor& self) { OpScope op("relu_"); return unary_<Relu>(self); }
const Tensor& leaky_relu_(const Tensor& self, double negative_slope) {
  OpScope op("leaky_relu_");
  return unary_(self, LeakyRelu{negative_slope});
}
const Tensor& elu_(const Tensor& self, double alpha) { OpScope op("elu_"); return unary_(self, Elu{alpha, 1, 1}); }
const Tensor& selu_(const Tensor& self) { OpScope op("selu_"); return unary_(self, Elu{kSeluAlpha, kSeluScale, 1}); }
const Tensor& celu_(const Tensor& self, double alpha) { OpScope op("celu_"); return unary_(self, Elu{alpha, 1, 1 / alpha}); }
const Tensor& hardtanh_(const Tensor& self, double min_val, double max_val) {
  OpScope op("hardtanh_");
  return unary_(self, Hardtanh{as_number(min_val), as_number(max_val)});
}
const Tensor& threshold_(const Tensor& self, double threshold, double value) {
  OpScope op("threshold_");
  return unary_(self, Threshold{as_number(threshold), as_number(value)});
}

// ---- with a second tensor

Tensor prelu(const Tensor& x, const Tensor& weight) {
  OpScope op("prelu");
  const int64_t n = weight.numel(), channels = x.dim() > 1 ? x->sizes[1] : 1;
  TG_CHECK(weight.dim() <= 1, ShapeError, "weight must be 0-d or 1-d, got ", weight.dim(), " dimensions", Named{"weight", weight});
  TG_CHECK(n == 1 || n == channels, ShapeError, "weight must have 1 entry or one for each of the ", channels,
      " channels, got ", n, Named{"input", x}, Named{"weight", weight});
  Shape size(size_t(x.dim()), 1);
  if (n > 1) size[1] = n;
  return binary<Prelu>(x, view(weight, size));
}
Tensor rrelu(const Tensor& x, double lower, double upper, bool training) {
  OpScope op("rrelu");
  TG_CHECK(lower <= upper, ValueError, "lower must not be above upper, got ", lower, " and ", upper);
  if (!training) return unary(x, LeakyRelu{(lower + upper) / 2});
  Tensor slope;
  {
    NoGrad off;
    slope = uniform_(empty_like(x), lower, upper);
  }
  return binary<Prelu>(x, slope);
}
Tensor glu(const Tensor& x, int64_t dim) {
  OpScope op("glu");
  TG_CHECK(x.dim() > 0, ShapeError, "input must have a dimension", Named{"input", x});
  const int64_t n = x.size(dim);
  TG_CHECK(n % 2 == 0, ShapeError, "the size of dim ", dim, " must be even, got ", n, Named{"input", x});
  return mul(narrow(x, dim, 0, n / 2), sigmoid(narrow(x, dim, n / 2, n / 2)));
}

// ---- rows: PyTorch's functional forms take inplace

void activation_ops(OpTable& t) {
  t.add("relu(Tensor input)", &relu, Relu::doc).method().inplace(&relu_).samples({"T(2, 3)", "T()", "T(0, 3)", "I(3, lo=-3)"});
  t.add("relu(Tensor input, bool inplace=False)",
        +[](const Tensor& x, bool in) { return in ? Tensor(relu_(x)) : relu(x); }, Relu::doc)
      .functional_only().samples({"T(2, 3)", "T()"});
  t.add("relu6(Tensor input, bool inplace=False)", +[](const Tensor& x, bool in) { return in ? Tensor(hardtanh_(x, 0, 6))
      : relu6(x); },
        "input limited to [0, 6].").functional_only().samples({"T(2, 3, lo=-2, hi=8)", "T()"});
  t.add("hardtanh(Tensor input, float min_val=-1.0, float max_val=1.0, bool inplace=False)",
        +[](const Tensor& x, double a, double b, bool in) { return in ? Tensor(hardtanh_(x, a, b)) : hardtanh(x, a, b); },
            Hardtanh::doc)
      .functional_only().samples({"T(2, 3)", "T(2, 3), -0.5, 0.25"});
  t.add("leaky_relu(Tensor input, float negative_slope=0.01, bool inplace=False)",
        +[](const Tensor& x, double s, bool in) { return in ? Tensor(leaky_relu_(x, s)) : leaky_relu(x, s); }, LeakyRelu::doc)
      .functional_only().samples({"T(2, 3)", "T(2, 3), 0.2", "T()"});
  t.add("elu(Tensor input, float alpha=1.0, bool inplace=False)", +[](const Tensor& x, double a, bool in) { return in
      ? Tensor(elu_(x, a)) : elu(x, a); }, Elu::doc)
      .functional_only().samples({"T(2, 3)", "T(2, 3), 0.5", "T()"});
  t.add("selu(Tensor input, bool inplace=False)", +[](const Tensor& x, bool in) { return in ? Tensor(selu_(x)) : selu(x); },
        "elu with the alpha and scale that keep mean 0 and variance 1 through deep nets.").functional().samples({"T(2, 3)", "T()"});
  t.add("celu(Tensor input, float alpha=1.0, bool inplace=False)", +[](const Tensor& x, double a, bool in) { return in
      ? Tensor(celu_(x, a)) : celu(x, a); },
        "input where positive, alpha * (exp(input / alpha) - 1) elsewhere.").functional().samples({"T(2, 3)", "T(2, 3), 0.5"});
  t.add("gelu(Tensor input, *, str approximate='none')", &gelu, Gelu::doc)
      .functional_only().with_out().samples({"T(2, 3)", "T(2, 3), approximate='tanh'", "T()", "T(0, 3)"});
  t.add("silu(Tensor input, bool inplace=False)",
        +[](const Tensor& x, bool in) { OpScope op("silu"); return in ? Tensor(unary_<Silu>(x)) : silu(x); },
            Silu::doc).functional_only().samples({"T(2, 3)", "T()"});
  t.add("mish(Tensor input, bool inplace=False)",
        +[](const Tensor& x, bool in) { OpScope op("mish"); return in ? Tensor(unary_<Mish>(x)) : mish(x); },
            Mish::doc).functional_only().samples({"T(2, 3)", "T()"});
  t.add("softplus(Tensor input, float beta=1.0, float threshold=20.0)", &softplus, Softplus::doc)
      .functional_only().with_out().samples({"T(2, 3)", "T(2, 3, lo=-5, hi=25)", "T(2, 3), 2.0, 1.0"});
  t.add("logsigmoid(Tensor input)", &logsigmoid, LogSigmoid::doc).functional_only().with_out().samples({"T(2, 3)", "T(lo=-30, hi=30)"});
  t.add("softsign(Tensor input)", &softsign, Softsign::doc).functional_only().complex().samples({"T(2, 3)", "T()"});
  t.add("hardsigmoid(Tensor input, bool inplace=False)",
        +[](const Tensor& x, bool in) { OpScope op("hardsigmoid"); return in ? Tensor(unary_<Hardsigmoid>(x))
            : hardsigmoid(x); }, Hardsigmoid::doc)
      .functional_only().samples({"T(2, 3, lo=-4, hi=4)"});
  t.add("hardswish(Tensor input, bool inplace=False)",
        +[](const Tensor& x, bool in) { OpScope op("hardswish"); return in ? Tensor(unary_<Hardswish>(x))
            : hardswish(x); }, Hardswish::doc)
      .functional_only().samples({"T(2, 3, lo=-4, hi=4)"});
  t.add("tanhshrink(Tensor input)", &tanhshrink, Tanhshrink::doc).functional_only().complex().samples({"T(2, 3)"});
  t.add("softshrink(Tensor input, float lambd=0.5)", &softshrink, Softshrink::doc)
      .functional_only().with_out().samples({"T(2, 3)", "T(2, 3), 1.0"});
  t.add("hardshrink(Tensor input, float lambd=0.5)", &hardshrink, Hardshrink::doc)
      .method().functional().with_out().samples({"T(2, 3)", "T(2, 3), 1.0"});
  t.add("threshold(Tensor input, float threshold, float value, bool inplace=False)",
        +[](const Tensor& x, double a, double v, bool in) { return in ? Tensor(threshold_(x, a, v))
            : threshold(x, a, v); }, Threshold::doc)
      .functional().samples({"T(2, 3), 0.1, 2.0"});
  t.add("prelu(Tensor input, Tensor weight)", &prelu, Prelu::doc)
      .method().functional().samples({"T(2, 3), P(1)", "T(2, 3, 2), P(3)", "T(4), P(1)"});
  t.add("rrelu(Tensor input, float lower=0.125, float upper=0.3333333333333333, bool training=False, bool inplace=False)",
        +[](const Tensor& x, double a, double b, bool training, bool in) {
          const Tensor y = rrelu(x, a, b, training);
          return in ? Tensor(copy_(x, y)) : y;
        },
        "leaky_relu whose slope is drawn from [lower, upper) for each element; their mean when not training.").functional().samples({"T(2, 3)", "T(2, 3), 0.1, 0.5"});
  t.add("glu(Tensor input, int dim=-1)", &glu, "The first half of input along dim times the sigmoid of the second half.")
      .functional_only().samples({"T(2, 4)", "T(4, 3), 0"});
}

}  // namespace tapegrad
