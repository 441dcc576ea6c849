// Elementwise ops on plain numbers of one dtype that have no packet kernel: gcd, lcm, nextafter, frexp; and a few that are
// formulas over others.
#include <cmath>

#include "src/ops/cuda/launch.h"
#include "src/ops/elementwise.h"
#include "src/ops/formulas_plain.h"
#include "src/ops/in_place.h"
#include "src/ops/op_info.h"
#include "src/ops/typed.h"
#include "tapegrad/ops_more.h"

namespace tapegrad {
namespace {

using T = const Tensor&;

/// op over numbers of the common dtype, which must be of a kind that it takes.
template <class Op> Tensor pairwise(T a, T b) {
  const Tensor* in[] = {&a, &b};
  const Dtype d = result_type(in, 2);
  const Shape size = broadcast_shape(in, 2);
  const bool cuda = any_cuda(in, 2);
  NoGrad off;
  const Tensor x = cuda ? to(a, d) : expand(to(a, d), size), y = cuda ? to(b, d) : expand(to(b, d), size);
  const Tensor out = cuda ? empty(size, d, common_device(in, 2)) : a.sizes() == size ? empty_like(x) : empty(size, d);
  Op op;
  if constexpr (std::is_same_v<Op, Nextafter>) op.dtype = d;
  typed(d, [&](auto zero) {
    using E = decltype(zero);
    using W = Wide<E>;
    if constexpr (requires { op.forward(W(), W()); }) {
      if (cuda) return cuda_plain(2, IndexIn<Op, PlainBinaryOps>::value, &op, out, x, y);
      Walk<3> walk;
      for (size_t k = 0; k < size.size(); k++) walk.add(size[k], out->strides[k], x->strides[k], y->strides[k]);
      LongKernel unlocked(8 * out.numel());
      const E *p = x->host<const E>(), *q = y->host<const E>();
      E* o = out->host<E>();
      parallel_for(out.numel(), 2048, [&](int64_t begin, int64_t end) {
        walk(begin, end, [&](const int64_t (&at)[3]) { o[at[0]] = E(op.forward(W(p[at[1]]), W(q[at[2]]))); });
      });
    } else {
      detail::fail<DtypeError>("not for ", d, Named{"input", a}, Named{"other", b});
    }
  });
  return out;
}

struct NextafterBackward final : NodeOf<2> {
  Shape sizes[2];
  NextafterBackward(T a, T b) : NodeOf(a, b), sizes{a.sizes(), b.sizes()} {}
  const char* name() const override { return "NextafterBackward0"; }
  void backward(Tensor g, Tensor* dx) override {  // it moves with a, whatever b is
    if (needs(0)) dx[0] = sum_to_size(g, sizes[0]);
    if (needs(1)) dx[1] = zeros(sizes[1], g.dtype(), g.device());
  }
};

struct FrexpBackward final : NodeOf<1> {
  SavedTensor exponent;
  FrexpBackward(T x, T e) : NodeOf(x), exponent(e) {}
  const char* name() const override { return "FrexpBackward0"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = ldexp(g, -exponent.unpack(*this)); }
  void free_saved() override { exponent.reset(); }
};

}  // namespace

Tensor gcd(T a, T b) { OpScope op("gcd"); return pairwise<Gcd>(a, b); }
const Tensor& gcd_(T self, T b) { OpScope op("gcd_"); return replace(self, [&](T a) { return gcd(a, b); }); }
Tensor lcm(T a, T b) { OpScope op("lcm"); return pairwise<Lcm>(a, b); }
const Tensor& lcm_(T self, T b) { OpScope op("lcm_"); return replace(self, [&](T a) { return lcm(a, b); }); }

Tensor nextafter(T a, T b) {
  OpScope op("nextafter");
  const Tensor out = pairwise<Nextafter>(a, b);
  if (recording(a, b)) record<NextafterBackward>(out, a, b);
  return out;
}
const Tensor& nextafter_(T self, T b) { OpScope op("nextafter_"); return replace(self, [&](T a) { return nextafter(a, b); }, b); }

std::tuple<Tensor, Tensor> frexp(T x) {
  OpScope op("frexp");
  TG_CHECK(is_floating(x.dtype()), DtypeError, "input must be of a floating dtype, got ", x.dtype(), Named{"input", x});
  const Tensor mantissa = empty(x.sizes(), x.dtype(), x.device()), exponent = empty(x.sizes(), Dtype::Int32, x.device());
  {
    NoGrad off;
    const Tensor from = contiguous(x);
    if (x.is_cuda()) {
      cuda_plain(1, IndexIn<FrexpMantissa, PlainUnaryOps>::value, nullptr, mantissa, from);
      cuda_plain(1, IndexIn<FrexpExponent, PlainUnaryOps>::value, nullptr, exponent, from);
    } else typed_real(x.dtype(), [&](auto zero) {
      using E = decltype(zero);
      const E* p = from->host<const E>();
      E* m = mantissa->host<E>();
      int32_t* e = exponent->host<int32_t>();
      for (int64_t i = 0; i < x.numel(); i++) m[i] = E(tapegrad::mantissa(Wide<E>(p[i]), e[i]));
    });
  }
  if (recording(x)) record<FrexpBackward>(mantissa, x, exponent);
  return {mantissa, exponent};
}
Tensor ldexp(T x, T other) {
  OpScope op("ldexp");
  return mul(x, pow(Scalar(2.0), is_floating(x.dtype()) && !is_floating(other.dtype()) ? to(other, x.dtype()) : other));
}
const Tensor& ldexp_(T self, T other) { OpScope op("ldexp_"); return replace(self, [&](T x) { return ldexp(x, other); }, other); }

static Dtype widest(T x, T exponent) { return is_complex(x.dtype()) || is_complex(exponent.dtype()) ? Dtype::Complex128 : Dtype::Float64; }
Tensor float_power(T x, T exponent) {
  OpScope op("float_power");
  const Dtype d = widest(x, exponent);
  return pow(to(x, d), to(exponent, d));
}
const Tensor& float_power_(T self, T exponent) {
  OpScope op("float_power_");
  const Dtype d = widest(self, exponent);
  TG_CHECK(self.dtype() == d, DtypeError, "the result is ", d, ", which the tensor written to cannot hold", Named{"input", self});
  return pow_(self, to(exponent, d));
}

void elementwise_more_ops(OpTable& t) {
  t.add("gcd(Tensor input, Tensor other)", &gcd, "The greatest common divisor of integers; gcd(0, 0) is 0.").method().inplace(&gcd_)
      .with_out().no_grad()
      .samples({"I(2, 3, lo=-30, hi=30), I(2, 3, lo=-30, hi=30)", "C(12, 0, 18), C([4], [9])",
          "C(-128, 5, dtype=int8), C(-1, 0, dtype=int8)", "I(0), I(0)"});
  t.add("lcm(Tensor input, Tensor other)", &lcm, "The least common multiple of integers, not negative; 0 when one of them is 0.").method()
      .inplace(&lcm_).with_out().no_grad()
      .samples({"I(2, 3, lo=-30, hi=30), I(2, 3, lo=-30, hi=30)", "C(12, 0, 18), C([4], [9])"});
  t.add("nextafter(Tensor input, Tensor other)", &nextafter,
      "The next number that the dtype can hold after input, towards other. Has no derivative.").method().inplace(&nextafter_).with_out()
      .no_grad()
      .samples({"T(2, 3, grad=False), T(3, grad=False)", "C(0.0, 1.0, 1.0, -1.0), C(-1.0, 2.0, 1.0, 0.0)", "C(nan, inf), C(1.0, 0.0)"});
  t.add("frexp(Tensor input)", &frexp, "input as mantissa times 2^exponent, the mantissa in [0.5, 1) but for its sign, or 0; the exponent "
      "is int32.").method().returns("mantissa exponent").with_out()
      .samples({"T(2, 3)", "C(0.0, 8.0, -0.3)", "T()"});
  t.add("ldexp(Tensor input, Tensor|Number other)", &ldexp, "input times 2^other.").method().inplace(&ldexp_).with_out()
      .samples({"T(2, 3), I(3)", "T(3), T(2, 1)", "I(3), I(3)"});
  t.add("float_power(Tensor input, Tensor|Number exponent)", &float_power,
      "pow in float64 (complex128 for complex tensors), whatever the dtypes are.").method().inplace(&float_power_).with_out()
      .samples({"P(2, 3), 2", "P(2, 3), T(3)", "I(3), 3"});
  t.add("float_power(Scalar input, Tensor exponent)", +[](Scalar x, T exponent) { return float_power(Tensor(x), exponent); },
      "A number's powers in float64.").with_out().samples({"2, T(3)"});
}

}  // namespace tapegrad
