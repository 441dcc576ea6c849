// Casts that only complex and the wide unsigned dtypes need. A complex number loses its imaginary part as it becomes a real one.
#include "src/ops/cpu/table.h"
#include "src/ops/plain.h"
#include "src/ops/typed.h"

namespace tapegrad {

void refuse_dtype(Dtype d) { detail::fail<DtypeError>("not implemented for ", d); }

namespace {

template <class T> constexpr bool is_complex_type = false;
template <class R> constexpr bool is_complex_type<Complex<R>> = true;

/// To D from any number type: bools are "not zero", floats to integers go through int64 and wrap, as in PyTorch.
template <class D, class S> D converted(S v) {
  if constexpr (is_complex_type<S>) {
    if constexpr (is_complex_type<D>) return {typename D::value_type(v.re), typename D::value_type(v.im)};
    else if constexpr (std::is_same_v<D, bool>) return v.re != 0 || v.im != 0;
    else return converted<D>(v.re);
  } else if constexpr (is_complex_type<D>) {
    return D(typename D::value_type(Wide<S>(v)));
  } else if constexpr (is_real<S> && std::is_integral_v<D> && !std::is_same_v<D, bool>) {
    const Wide<S> x = v;
    return x < Wide<S>(0x1p63) ? D(int64_t(x)) : D(uint64_t(x));
  } else if constexpr (std::is_same_v<D, bool>) {
    return Wide<S>(v) != 0;
  } else {
    return D(Wide<D>(Wide<S>(v)));
  }
}
template <class S, class C> void load(const char* s, int64_t stride, int64_t n, char* dst) {
  C* d = reinterpret_cast<C*>(dst);
  for (int64_t i = 0; i < n; i++) d[i] = converted<C>(*reinterpret_cast<const S*>(s + i * stride));
}
template <class C, class D> void store(const char* src, char* d, int64_t stride, int64_t n) {
  const C* s = reinterpret_cast<const C*>(src);
  for (int64_t i = 0; i < n; i++) *reinterpret_cast<D*>(d + i * stride) = converted<D>(s[i]);
}

template <class... T> struct List {};
using Stored = List<bool, uint8_t, int8_t, int16_t, int32_t, int64_t, Half, BFloat, float, double, Complex<float>, Complex<double>,
                    uint16_t, uint32_t, uint64_t>;
using Computed = List<float, double, int64_t, int32_t, bool, Complex<float>, Complex<double>, uint64_t>;

struct Casts {
  LoadFn load[kDtypes][kAllComputes];
  StoreFn store[kDtypes][kAllComputes];
};
template <class S, class... C> constexpr void fill_row(Casts& t, int row, List<C...>) {
  int c = 0;
  auto fill = [&]<class X>() {
    if (row >= kStoredDtypes || c >= kComputes) t.load[row][c] = load<S, X>, t.store[row][c] = store<X, S>;
    c++;
  };
  (fill.template operator()<C>(), ...);
}
template <class... S> constexpr Casts make_casts(List<S...>) {
  Casts t{};
  int row = 0;
  (fill_row<S>(t, row++, Computed()), ...);
  return t;
}
constexpr Casts casts = make_casts(Stored());

}  // namespace

// 16-bit floats, moved as they are.
static void load_words(const char* s, int64_t stride, int64_t n, char* dst) {
  auto* d = reinterpret_cast<uint16_t*>(dst);
  for (int64_t i = 0; i < n; i++) d[i] = *reinterpret_cast<const uint16_t*>(s + i * stride);
}
static void store_words(const char* src, char* d, int64_t stride, int64_t n) {
  const auto* s = reinterpret_cast<const uint16_t*>(src);
  for (int64_t i = 0; i < n; i++) *reinterpret_cast<uint16_t*>(d + i * stride) = s[i];
}

LoadFn load_for(Dtype d, Compute c) {
  if (c >= Compute::F16) return load_words;
  return int(d) < kStoredDtypes && int(c) < kComputes ? casts_tables[kernel_set]->load[int(d)][int(c)] : casts.load[int(d)][int(c)];
}
StoreFn store_for(Compute c, Dtype d) {
  if (c >= Compute::F16) return store_words;
  return int(d) < kStoredDtypes && int(c) < kComputes ? casts_tables[kernel_set]->store[int(c)][int(d)] : casts.store[int(d)][int(c)];
}

}  // namespace tapegrad
