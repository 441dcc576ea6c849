// The functions of special_math.h, in double whatever is stored. They are called, not inlined: they are long.
#include "src/ops/special_math.h"

#include "src/cuda/ops/elementwise.cuh"

namespace tapegrad::cuda {

template <Special f> [[gnu::noinline]] __device__ double called(double a, double b) { return special_function<f>(a, b); }
template <Special f> struct SpecialFunction {
  using T = double;
  using Result = double;
  using In = AnyFloat;
  using Out = AnyFloat;
  static constexpr int inputs = 2, mask = -1, each = kEach<double>;
  __device__ explicit SpecialFunction(const Params&) {}
  __device__ double operator()(double a, double b) const { return called<f>(a, b); }
};

void add_special(ElementwiseTable& t) {
  const auto add = [&]<int... f>(std::integer_sequence<int, f...>) { ((t.special[f] = entry_of<SpecialFunction<Special(f)>>(0)), ...); };
  add(std::make_integer_sequence<int, int(Special::Count)>());
}

}  // namespace tapegrad::cuda
