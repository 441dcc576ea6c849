// Steps of the optimisers. Plain loops that the compiler makes packets of; 16-bit values are computed in float. Compiled without
// fused multiply-adds, so the bits are the same for every instruction set.
#include "src/ops/cpu/optim.h"

#include "src/ops/cpu/table.h"

namespace tapegrad { inline namespace TG_NS { namespace {

// 16-bit floats as they lie in memory.
struct Half { uint16_t bits; };
struct Brain { uint16_t bits; };

inline uint32_t bits_of(float x) {
  uint32_t u;
  __builtin_memcpy(&u, &x, 4);
  return u;
}
inline float float_of(uint32_t u) {
  float x;
  __builtin_memcpy(&x, &u, 4);
  return x;
}
inline float load(float x) { return x; }
inline double load(double x) { return x; }
inline float load(Brain x) { return float_of(uint32_t(x.bits) << 16); }
inline float load(Half x) {
  const uint32_t sign = uint32_t(x.bits & 0x8000) << 16, rest = x.bits & 0x7fff;
  if (rest >= 0x7c00) return float_of(sign | 0x7f800000 | (rest & 0x3ff) << 13);
  const float magnitude = float_of(rest << 13) * 0x1p112f;  // the bias of 127 against 15; subnormals come out right
  return float_of(sign | bits_of(magnitude));
}
inline void store(float& to, float x) { to = x; }
inline void store(double& to, double x) { to = x; }
inline void store(Brain& to, float x) {
  const uint32_t u = bits_of(x);
  to.bits = x != x ? 0x7fc0 : uint16_t((u + 0x7fff + (u >> 16 & 1)) >> 16);
}
inline void store(Half& to, float x) {
  const uint32_t u = bits_of(x), sign = u >> 16 & 0x8000, a = u & 0x7fffffff;
  if (a > 0x7f800000) to.bits = 0x7e00;
  else if (a >= 0x477ff000) to.bits = uint16_t(sign | 0x7c00);
  else if (a >= 0x38800000) to.bits = uint16_t(sign | (a - 0x38000000 + 0xfff + (a >> 13 & 1)) >> 13);
  else to.bits = uint16_t(sign | (bits_of(float_of(a) + 0.5f) - 0x3f000000));  // adds in units of 2^-24
}
inline float root(float x) { return __builtin_sqrtf(x); }
inline double root(double x) { return __builtin_sqrt(x); }
inline float magnitude(float x) { return __builtin_fabsf(x); }
inline double magnitude(double x) { return __builtin_fabs(x); }

template <class T> struct Steps {
  using C = decltype(load(T{}));

  // The gradient, or its negative when maximizing, plus weight decay: what every method starts from.
  struct Gradient {
    C sign, decay;
    Gradient(bool maximize, double weight_decay) : sign(C(maximize ? -1 : 1)), decay(C(weight_decay)) {}
    C operator()(T g, C p) const { return load(g) * sign + decay * p; }
  };
  struct Part {
    T* p;
    const T* g;
    T *a, *b, *c;
    int64_t n;
    explicit Part(const OptimPart& o)
        : p(static_cast<T*>(o.param)), g(static_cast<const T*>(o.grad)), a(static_cast<T*>(o.state[0])), b(static_cast<T*>(o.state[1])),
          c(static_cast<T*>(o.state[2])), n(o.n) {}
  };

  static void sgd(const OptimPart& part, const SgdStep& s) {
    const auto [p, g, buf, b_, c_, n] = Part(part);
    const Gradient gradient(s.maximize, s.weight_decay);
    const C step = C(-s.lr), mu = C(s.momentum), keep = C(1 - s.dampening);
    if (!buf) {
      for (int64_t i = 0; i < n; i++) store(p[i], load(p[i]) + step * gradient(g[i], load(p[i])));
    } else if (s.first) {  // the buffer starts as the gradient itself
      for (int64_t i = 0; i < n; i++) {
        const C d = gradient(g[i], load(p[i]));
        store(buf[i], d);
        store(p[i], load(p[i]) + step * (s.nesterov ? d + mu * d : d));
      }
    } else {
      for (int64_t i = 0; i < n; i++) {
        const C d = gradient(g[i], load(p[i])), b = mu * load(buf[i]) + keep * d;
        store(buf[i], b);
        store(p[i], load(p[i]) + step * (s.nesterov ? d + mu * b : b));
      }
    }
  }

  static void adam(const OptimPart& part, const AdamStep& s) {
    const auto [p, g, m, v, top, n] = Part(part);
    const Gradient gradient(s.maximize, s.decoupled ? 0 : s.weight_decay);
    const C shrink = C(s.decoupled ? 1 - s.lr * s.weight_decay : 1), w1 = C(1 - s.beta1), b2 = C(s.beta2), w2 = C(1 - s.beta2);
    const C size = C(-s.lr / s.correction1), scale = C(1 / s.correction2), e = C(s.eps);
    if (!top) {
      for (int64_t i = 0; i < n; i++) {
        const C p0 = load(p[i]), d = gradient(g[i], p0), m0 = load(m[i]), m1 = m0 + w1 * (d - m0), v1 = load(v[i]) * b2 + w2 * d * d;
        store(m[i], m1);
        store(v[i], v1);
        store(p[i], p0 * shrink + size * (m1 / (root(v1) * scale + e)));
      }
      return;
    }
    for (int64_t i = 0; i < n; i++) {
      const C p0 = load(p[i]), d = gradient(g[i], p0), m0 = load(m[i]), m1 = m0 + w1 * (d - m0), v1 = load(v[i]) * b2 + w2 * d * d;
      const C before = load(top[i]), most = before < v1 ? v1 : before;
      store(m[i], m1);
      store(v[i], v1);
      store(top[i], most);
      store(p[i], p0 * shrink + size * (m1 / (root(most) * scale + e)));
    }
  }

  static void rmsprop(const OptimPart& part, const RmspropStep& o) {
    const auto [p, g, square, mean, buf, n] = Part(part);
    const Gradient gradient(o.maximize, o.weight_decay);
    const C a = C(o.alpha), w = C(1 - o.alpha), e = C(o.eps), step = C(-o.lr), mu = C(o.momentum);
    for (int64_t i = 0; i < n; i++) {
      const C p0 = load(p[i]), d = gradient(g[i], p0), s = load(square[i]) * a + w * d * d;
      store(square[i], s);
      C around = s;
      if (mean) {
        const C m0 = load(mean[i]), m1 = m0 + w * (d - m0);
        store(mean[i], m1);
        around = s - m1 * m1;
      }
      C move = d / (root(around) + e);
      if (buf) {
        move = mu * load(buf[i]) + move;
        store(buf[i], move);
      }
      store(p[i], p0 + step * move);
    }
  }

  static void adagrad(const OptimPart& part, const AdagradStep& o) {
    const auto [p, g, sum, b_, c_, n] = Part(part);
    const Gradient gradient(o.maximize, o.weight_decay);
    const C step = C(-o.lr), e = C(o.eps);
    for (int64_t i = 0; i < n; i++) {
      const C p0 = load(p[i]), d = gradient(g[i], p0), s = load(sum[i]) + d * d;
      store(sum[i], s);
      store(p[i], p0 + step * (d / (root(s) + e)));
    }
  }

  static void adadelta(const OptimPart& part, const AdadeltaStep& o) {
    const auto [p, g, square, acc, c_, n] = Part(part);
    const Gradient gradient(o.maximize, o.weight_decay);
    const C step = C(-o.lr), e = C(o.eps), r = C(o.rho), w = C(1 - o.rho);
    for (int64_t i = 0; i < n; i++) {
      const C p0 = load(p[i]), d = gradient(g[i], p0), s = load(square[i]) * r + w * d * d, a0 = load(acc[i]);
      const C delta = root(a0 + e) / root(s + e) * d;
      store(square[i], s);
      store(acc[i], a0 * r + w * delta * delta);
      store(p[i], p0 + step * delta);
    }
  }

  static void adamax(const OptimPart& part, const AdamaxStep& o) {
    const auto [p, g, m, most, c_, n] = Part(part);
    const Gradient gradient(o.maximize, o.weight_decay);
    const C w1 = C(1 - o.beta1), b2 = C(o.beta2), e = C(o.eps), move = C(-o.size);
    for (int64_t i = 0; i < n; i++) {
      const C p0 = load(p[i]), d = gradient(g[i], p0), m0 = load(m[i]), m1 = m0 + w1 * (d - m0);
      const C decayed = load(most[i]) * b2, now = magnitude(d) + e, u = decayed < now ? now : decayed;
      store(m[i], m1);
      store(most[i], u);
      store(p[i], p0 + move * (m1 / u));
    }
  }

  static void nadam(const OptimPart& part, const NadamStep& o) {
    const auto [p, g, m, v, c_, n] = Part(part);
    const Gradient gradient(o.maximize, o.decoupled ? 0 : o.weight_decay);
    const C shrink = C(o.decoupled ? 1 - o.lr * o.weight_decay : 1), w1 = C(1 - o.beta1), b2 = C(o.beta2), w2 = C(1 - o.beta2);
    const C scale = C(1 / o.correction2), e = C(o.eps), a = C(o.from_grad), b = C(o.from_mean);
    for (int64_t i = 0; i < n; i++) {
      const C p0 = load(p[i]), d = gradient(g[i], p0), m0 = load(m[i]), m1 = m0 + w1 * (d - m0), v1 = load(v[i]) * b2 + w2 * d * d;
      const C under = root(v1 * scale) + e;
      store(m[i], m1);
      store(v[i], v1);
      store(p[i], p0 * shrink + a * (d / under) + b * (m1 / under));
    }
  }

  static void radam(const OptimPart& part, const RadamStep& o) {
    const auto [p, g, m, v, c_, n] = Part(part);
    const Gradient gradient(o.maximize, o.decoupled ? 0 : o.weight_decay);
    const C shrink = C(o.decoupled ? 1 - o.lr * o.weight_decay : 1), w1 = C(1 - o.beta1), b2 = C(o.beta2), w2 = C(1 - o.beta2);
    const C move = C(o.move), e = C(o.eps);
    for (int64_t i = 0; i < n; i++) {
      const C p0 = load(p[i]), d = gradient(g[i], p0), m0 = load(m[i]), m1 = m0 + w1 * (d - m0), v1 = load(v[i]) * b2 + w2 * d * d;
      store(m[i], m1);
      store(v[i], v1);
      store(p[i], p0 * shrink + move * (o.adapt ? m1 / (root(v1) + e) : m1));
    }
  }
  static constexpr OptimKernels table = {sgd, adam, rmsprop, adagrad, adadelta, adamax, nadam, radam};
};

}}  // namespace

extern "C" const OptimTable TG_TABLE(optim);
constinit const OptimTable TG_TABLE(optim) = {Steps<float>::table, Steps<double>::table, Steps<Half>::table, Steps<Brain>::table};

}  // namespace tapegrad
