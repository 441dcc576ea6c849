// Steps of the optimisers: the formulas of formulas_optim.h in plain loops that the compiler makes packets of; 16-bit values are computed
// in float. Compiled without fused multiply-adds, so the bits are the same for every instruction set.
#include "src/ops/cpu/optim.h"

#include "src/ops/cpu/table.h"
#include "src/ops/formulas_optim.h"

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

template <class T> struct Steps {
  using C = decltype(load(T{}));

  template <class M> static void run(const OptimPart& part, const M& formula) {
    T *p = static_cast<T*>(part.param), *a = static_cast<T*>(part.state[0]), *b = static_cast<T*>(part.state[1]), *c = static_cast<T*>(part.state[2]);
    const T* g = static_cast<const T*>(part.grad);
    for (int64_t i = 0, n = part.n; i < n; i++) {
      C to = load(p[i]), x = 0, y = 0, z = 0;
      if constexpr (M::states & 1) x = load(a[i]);
      if constexpr (M::states & 2) y = load(b[i]);
      if constexpr (M::states & 4) z = load(c[i]);
      formula(to, load(g[i]), x, y, z);
      if constexpr (M::states & 1) store(a[i], x);
      if constexpr (M::states & 2) store(b[i], y);
      if constexpr (M::states & 4) store(c[i], z);
      store(p[i], to);
    }
  }
  static int states(const OptimPart& part) { return (part.state[0] ? 1 : 0) | (part.state[1] ? 2 : 0) | (part.state[2] ? 4 : 0); }
  static void sgd(const OptimPart& part, const SgdStep& s) {
    sgd_formula<C>(s, states(part), [&](const auto& f) { run(part, f); });
  }
  static void adam(const OptimPart& part, const AdamStep& s) {
    adam_formula<C>(s, states(part), [&](const auto& f) { run(part, f); });
  }
  static void rmsprop(const OptimPart& part, const RmspropStep& s) {
    rmsprop_formula<C>(s, states(part), [&](const auto& f) { run(part, f); });
  }
  static void adagrad(const OptimPart& part, const AdagradStep& s) { run(part, AdagradFormula<C>(s)); }
  static void adadelta(const OptimPart& part, const AdadeltaStep& s) { run(part, AdadeltaFormula<C>(s)); }
  static void adamax(const OptimPart& part, const AdamaxStep& s) { run(part, AdamaxFormula<C>(s)); }
  static void nadam(const OptimPart& part, const NadamStep& s) { run(part, NadamFormula<C>(s)); }
  static void radam(const OptimPart& part, const RadamStep& s) { run(part, RadamFormula<C>(s)); }
};

}}  // namespace

extern "C" const OptimTable<SgdStep> TG_TABLE(sgd);
extern "C" const OptimTable<AdamStep> TG_TABLE(adam);
extern "C" const OptimTable<RmspropStep> TG_TABLE(rmsprop);
extern "C" const OptimTable<AdagradStep> TG_TABLE(adagrad);
extern "C" const OptimTable<AdadeltaStep> TG_TABLE(adadelta);
extern "C" const OptimTable<AdamaxStep> TG_TABLE(adamax);
extern "C" const OptimTable<NadamStep> TG_TABLE(nadam);
extern "C" const OptimTable<RadamStep> TG_TABLE(radam);
constinit const OptimTable<SgdStep> TG_TABLE(sgd) = {Steps<float>::sgd, Steps<double>::sgd, Steps<Half>::sgd, Steps<Brain>::sgd};
constinit const OptimTable<AdamStep> TG_TABLE(adam) = {Steps<float>::adam, Steps<double>::adam, Steps<Half>::adam, Steps<Brain>::adam};
constinit const OptimTable<RmspropStep> TG_TABLE(rmsprop) = {Steps<float>::rmsprop, Steps<double>::rmsprop, Steps<Half>::rmsprop, Steps<Brain>::rmsprop};
constinit const OptimTable<AdagradStep> TG_TABLE(adagrad) = {Steps<float>::adagrad, Steps<double>::adagrad, Steps<Half>::adagrad, Steps<Brain>::adagrad};
constinit const OptimTable<AdadeltaStep> TG_TABLE(adadelta) = {Steps<float>::adadelta, Steps<double>::adadelta, Steps<Half>::adadelta, Steps<Brain>::adadelta};
constinit const OptimTable<AdamaxStep> TG_TABLE(adamax) = {Steps<float>::adamax, Steps<double>::adamax, Steps<Half>::adamax, Steps<Brain>::adamax};
constinit const OptimTable<NadamStep> TG_TABLE(nadam) = {Steps<float>::nadam, Steps<double>::nadam, Steps<Half>::nadam, Steps<Brain>::nadam};
constinit const OptimTable<RadamStep> TG_TABLE(radam) = {Steps<float>::radam, Steps<double>::radam, Steps<Half>::radam, Steps<Brain>::radam};

}  // namespace tapegrad
