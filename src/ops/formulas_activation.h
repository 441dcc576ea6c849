// Formulas of activation functions. See formulas.h for the rules.
#pragma once
#include "src/ops/formulas.h"

namespace tapegrad { inline namespace TG_NS {

struct Relu {
  static constexpr OpTraits traits = {"relu", "ReluBackward0", Types::NotBool, fused, cheap, {Out}};
  static constexpr const char* doc = "max(input, 0).";
  template <class T> TG_HD T forward(const T& x) const { return maximum(x, T(0)); }
  template <class T> TG_HD T backward(const T& g, const T& y) const { return where(y <= T(0), T(0), g); }
};
struct Hardtanh {
  static constexpr OpTraits traits = {"hardtanh", "HardtanhBackward0", Types::NotBool, fused, cheap, {A}};
  static constexpr const char* doc = "input limited to [min_val, max_val]; the gradient is 0 at and beyond the limits.";
  Number low, high;
  template <class T> TG_HD T forward(const T& x) const { return minimum(maximum(x, number<T>(low)), number<T>(high)); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return where((x <= T(low.d)) | (x >= T(high.d)), T(0), g); }
};
struct LeakyRelu {
  static constexpr OpTraits traits = {"leaky_relu", "LeakyReluBackward0", Types::FloatOnly, fused, cheap, {A}};
  static constexpr const char* doc = "input where positive, negative_slope * input elsewhere.";
  double slope;
  template <class T> TG_HD T forward(const T& x) const { return where(x > T(0), x, x * T(slope)); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return where(x > T(0), g, g * T(slope)); }
};
/// elu, celu and selu: scale * (x where positive, else alpha * (exp(inner * x) - 1)).
struct Elu {
  static constexpr OpTraits traits = {"elu", "EluBackward0", Types::FloatOnly, fused, costly, {A}};
  static constexpr const char* doc = "input where positive, alpha * (exp(input) - 1) elsewhere.";
  double alpha, scale, inner;
  template <class T> TG_HD T forward(const T& x) const {
    return where(x > T(0), x * T(scale), expm1(minimum(x, T(0)) * T(inner)) * T(alpha * scale));
  }
  template <class T> TG_HD T backward(const T& g, const T& x) const {
    return where(x > T(0), g * T(scale), g * (exp(minimum(x, T(0)) * T(inner)) * T(alpha * scale * inner)));
  }
};
struct Gelu {
  static constexpr OpTraits traits = {"gelu", "GeluBackward0", Types::FloatOnly, fused, costly, {A}};
  static constexpr const char* doc =
      "input times the normal distribution function; approximate='tanh' uses its tanh approximation.";
  template <class T> TG_HD T forward(const T& x) const { return x * ndtr(x); }
  template <class T> TG_HD T backward(const T& g, const T& x) const {
    return g * (ndtr(x) + x * (exp(x * x * T(-0.5)) * T(0.39894228040143267794)));
  }
};
struct GeluTanh {
  static constexpr OpTraits traits = {"gelu", "GeluBackward0", Types::FloatOnly, fused, costly, {A}};
  template <class T> TG_HD T forward(const T& x) const {
    return T(0.5) * x * (T(1) + tanh(T(0.79788456080286535588) * (x + T(0.044715) * (x * x * x))));
  }
  template <class T> TG_HD T backward(const T& g, const T& x) const {
    const T t = tanh(T(0.79788456080286535588) * (x + T(0.044715) * (x * x * x)));
    const T slope = T(0.79788456080286535588) * (T(1) + T(3 * 0.044715) * (x * x));
    return g * (T(0.5) * (T(1) + t) + T(0.5) * x * ((T(1) - t * t) * slope));
  }
};
struct Silu {
  static constexpr OpTraits traits = {"silu", "SiluBackward0", Types::FloatOnly, fused, costly, {A}};
  static constexpr const char* doc = "input * sigmoid(input), also called swish.";
  template <class T> TG_HD T forward(const T& x) const { return x / (T(1) + exp(-x)); }
  template <class T> TG_HD T backward(const T& g, const T& x) const {
    const T s = sigmoid(x);
    return g * (s * (T(1) + x * (T(1) - s)));
  }
};
struct Mish {
  static constexpr OpTraits traits = {"mish", "MishBackward0", Types::FloatOnly, fused, costly, {A}};
  static constexpr const char* doc = "input * tanh(softplus(input)).";
  template <class T> TG_HD T forward(const T& x) const { return x * tanh(log1p(exp(-abs(x))) + maximum(x, T(0))); }
  template <class T> TG_HD T backward(const T& g, const T& x) const {
    const T t = tanh(log1p(exp(-abs(x))) + maximum(x, T(0)));
    return g * (t + x * ((T(1) - t * t) * sigmoid(x)));
  }
};
struct Softplus {
  static constexpr OpTraits traits = {"softplus", "SoftplusBackward0", Types::FloatOnly, fused, costly, {A}};
  static constexpr const char* doc =
      "log(1 + exp(beta * input)) / beta, a smooth relu; input itself where beta * input > threshold.";
  double beta, threshold;
  template <class T> TG_HD T forward(const T& x) const {
    const T z = x * T(beta);
    return where(z > T(threshold), x, (log1p(exp(-abs(z))) + maximum(z, T(0))) / T(beta));
  }
  template <class T> TG_HD T backward(const T& g, const T& x) const {
    const T z = x * T(beta);
    return where(z > T(threshold), g, g * sigmoid(z));
  }
};
struct LogSigmoid {
  static constexpr OpTraits traits = {"logsigmoid", "LogSigmoidBackward0", Types::FloatOnly, fused, costly, {A}};
  static constexpr const char* doc = "log(sigmoid(input)), without overflow.";
  template <class T> TG_HD T forward(const T& x) const { return minimum(x, T(0)) - log1p(exp(-abs(x))); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return g * sigmoid(-x); }
};
struct Softsign {
  static constexpr OpTraits traits = {"softsign", "DivBackward0", Types::Float, fused, cheap, {A}};
  static constexpr const char* doc = "input / (1 + |input|).";
  template <class T> TG_HD T forward(const T& x) const { return x / (T(1) + abs(x)); }
  template <class T> TG_HD T backward(const T& g, const T& x) const {
    const T d = T(1) + abs(x);
    return g / (d * d);
  }
};
struct Hardsigmoid {
  static constexpr OpTraits traits = {"hardsigmoid", "HardsigmoidBackward0", Types::FloatOnly, fused, cheap, {A}};
  static constexpr const char* doc = "min(max(input + 3, 0), 6) / 6.";
  template <class T> TG_HD T forward(const T& x) const { return minimum(maximum(x + T(3), T(0)), T(6)) / T(6); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return where((x > T(-3)) & (x < T(3)), g / T(6), T(0)); }
};
struct Hardswish {
  static constexpr OpTraits traits = {"hardswish", "HardswishBackward0", Types::FloatOnly, fused, cheap, {A}};
  static constexpr const char* doc = "input * min(max(input + 3, 0), 6) / 6.";
  template <class T> TG_HD T forward(const T& x) const { return x * minimum(maximum(x + T(3), T(0)), T(6)) / T(6); }
  template <class T> TG_HD T backward(const T& g, const T& x) const {
    return where(x <= T(-3), T(0), where(x < T(3), g * (x / T(3) + T(0.5)), g));
  }
};
struct Tanhshrink {
  static constexpr OpTraits traits = {"tanhshrink", "SubBackward0", Types::Float, fused, costly, {A}};
  static constexpr const char* doc = "input - tanh(input).";
  template <class T> TG_HD T forward(const T& x) const { return x - tanh(x); }
  template <class T> TG_HD T backward(const T& g, const T& x) const {
    const T t = tanh(x);
    return g * (t * t);
  }
};
struct Softshrink {
  static constexpr OpTraits traits = {"softshrink", "SoftshrinkBackward0", Types::FloatOnly, fused, cheap, {A}};
  static constexpr const char* doc = "input moved by lambd towards 0, and 0 within [-lambd, lambd].";
  double lambd;
  template <class T> TG_HD T forward(const T& x) const {
    return where(x > T(lambd), x - T(lambd), where(x < T(-lambd), x + T(lambd), x * T(0)));
  }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return where((x >= T(-lambd)) & (x <= T(lambd)), T(0), g); }
};
struct Hardshrink {
  static constexpr OpTraits traits = {"hardshrink", "HardshrinkBackward0", Types::FloatOnly, fused, cheap, {A}};
  static constexpr const char* doc = "input, but 0 within [-lambd, lambd].";
  double lambd;
  template <class T> TG_HD T forward(const T& x) const { return where((x >= T(-lambd)) & (x <= T(lambd)), T(0), x); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return where((x >= T(-lambd)) & (x <= T(lambd)), T(0), g); }
};
struct Threshold {
  static constexpr OpTraits traits = {"threshold", "ThresholdBackward0", Types::NotBool, fused, cheap, {A}};
  static constexpr const char* doc = "input where it is above threshold, value elsewhere.";
  Number threshold, value;
  template <class T> TG_HD T forward(const T& x) const { return where(x <= number<T>(threshold), number<T>(value), x); }
  template <class T> TG_HD T backward(const T& g, const T& x) const { return where(x <= T(threshold.d), T(0), g); }
};
/// leaky_relu with a tensor of slopes.
struct Prelu {
  static constexpr OpTraits traits = {"prelu", "PreluKernelBackward0", Types::FloatOnly, fused, cheap, {A | B, A}};
  static constexpr const char* doc =
      "input where positive, weight * input elsewhere; weight has one entry, or one for each channel (dimension 1).";
  template <class T> TG_HD T forward(const T& x, const T& w) const { return where(x > T(0), x, w * x); }
  template <class T> TG_HD T backward_a(const T& g, const T& x, const T& w) const { return where(x > T(0), g, w * g); }
  template <class T> TG_HD T backward_b(const T& g, const T& x) const { return where(x > T(0), T(0), x * g); }
};

}}  // namespace tapegrad
