// Casting loads and stores: the only kernels that know all dtypes. The others compute in five types.
#include "src/ops/cpu/elementwise.h"
#include "src/ops/cpu/lanes.h"

namespace tapegrad { inline namespace TG_NS {

struct Boolean { uint8_t u; };

template <class S> requires is_half<S> inline float widen(S h) { return widened<float>(S{}, h.u); }
inline uint8_t widen(Boolean b) { return b.u; }
template <class T> inline T widen(T x) { return x; }

template <class X, class S> requires is_half<S> inline void narrow(X x, S& h) { h.u = narrowed(S{}, float(x)); }
template <class X> inline void narrow(X x, Boolean& b) { b.u = x != 0; }
template <class X, class T> inline void narrow(X x, T& t) {
  if constexpr (X(0.5) != 0 && sizeof(T) < 4) t = T(int64_t(x));  // float to small integer wraps, as in PyTorch
  else t = static_cast<T>(x);
}

template <class S, class C> void load(const char* s, int64_t stride, int64_t n, char* dst) {
  C* d = reinterpret_cast<C*>(dst);
  auto cast = [](S v) -> C { if constexpr (sizeof(C) == 1) return widen(v) != 0; else return static_cast<C>(widen(v)); };
  const S* x = reinterpret_cast<const S*>(s);
  if constexpr (is_half<S> && __is_same(C, float))
    if (stride == 2) return steps<float>(n, [=](int64_t i, auto at) { at.put(d + i, at.get(x + i)); });
  if (stride == int64_t(sizeof(S))) {
    for (int64_t i = 0; i < n; i++) d[i] = cast(x[i]);
  } else if (stride == 0) {
    const C v = n ? cast(*x) : C();
    for (int64_t i = 0; i < n; i++) d[i] = v;
  } else {
    for (int64_t i = 0; i < n; i++) d[i] = cast(*reinterpret_cast<const S*>(s + i * stride));
  }
}
template <class C, class D> void store(const char* src, char* d, int64_t stride, int64_t n) {
  const C* s = reinterpret_cast<const C*>(src);
  D* y = reinterpret_cast<D*>(d);
  if constexpr (is_half<D> && __is_same(C, float))
    if (stride == 2) return steps<float>(n, [=](int64_t i, auto at) { at.put(y + i, at.get(s + i)); });
  if (stride == int64_t(sizeof(D))) for (int64_t i = 0; i < n; i++) narrow(s[i], y[i]);
  else for (int64_t i = 0; i < n; i++) narrow(s[i], *reinterpret_cast<D*>(reinterpret_cast<char*>(y) + i * stride));
}

template <class S> constexpr void fill_row(LoadFn (&to)[kComputes]) {
  to[0] = load<S, float>, to[1] = load<S, double>, to[2] = load<S, int64_t>, to[3] = load<S, int32_t>, to[4] = load<S, uint8_t>;
}
template <class C> constexpr void fill_row(StoreFn (&to)[kStoredDtypes]) {
  to[0] = store<C, Boolean>, to[1] = store<C, uint8_t>, to[2] = store<C, int8_t>, to[3] = store<C, int16_t>,
      to[4] = store<C, int32_t>;
  to[5] = store<C, int64_t>, to[6] = store<C, Half>, to[7] = store<C, Brain>, to[8] = store<C, float>, to[9] = store<C, double>;
}
constexpr CastTable make_casts() {
  CastTable t{};
  fill_row<Boolean>(t.load[0]), fill_row<uint8_t>(t.load[1]), fill_row<int8_t>(t.load[2]), fill_row<int16_t>(t.load[3]);
  fill_row<int32_t>(t.load[4]), fill_row<int64_t>(t.load[5]), fill_row<Half>(t.load[6]), fill_row<Brain>(t.load[7]);
  fill_row<float>(t.load[8]), fill_row<double>(t.load[9]);
  fill_row<float>(t.store[0]), fill_row<double>(t.store[1]), fill_row<int64_t>(t.store[2]), fill_row<int32_t>(t.store[3]);
  fill_row<uint8_t>(t.store[4]);
  return t;
}

}

extern "C" const CastTable TG_TABLE(casts);
constinit const CastTable TG_TABLE(casts) = make_casts();

}  // namespace tapegrad
