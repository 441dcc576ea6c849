// Lazy layers: the ordinary layer, made for the smallest size, whose tensors are empty until a tensor shows the real one.
#include "src/nn/layer.h"
#include "tapegrad/nn_lazy.h"

namespace tapegrad::nn {

namespace {

/// Each layer prints its input size first: "in_features=1, …", "1, 4, kernel_size=…".
void print_size(ModuleState& s, int64_t size) {
  const size_t first = s.details.find_first_of("0123456789"), last = s.details.find_first_not_of("0123456789", first);
  s.details.replace(first, last - first, std::to_string(size));
}

/// size_of(t, is_input) is the layer's size, make(size) the ordinary layer, drawn from the default generator as always.
template <class SizeOf, class Make> struct Waiting final : detail::Unsized {
  ModuleState& state;  // owns this
  SizeOf size_of;
  Make make;
  Waiting(ModuleState& s, SizeOf f, Make g) : state(s), size_of(std::move(f)), make(std::move(g)) {}

  void size_from(const Tensor& t, bool is_input) override {
    const int64_t size = size_of(t, is_input);
    const auto layer = make(size);
    for (auto& [name, p] : state.parameters) fill(p, layer.get_parameter(name));
    for (auto& b : state.buffers) fill(b.tensor, layer.get_buffer(b.name));
    state.name = layer.name();
    print_size(state, size);
    state.hooks->lazy = {};
    if (state.hooks->empty()) state.hooks = {};
  }
  /// Of number of batches there is one, always.
  static void fill(const Tensor& t, const Tensor& value) {
    if (t.dim() != 0) detail::become(t, to(detach(value), t.dtype()));
  }
};

template <class SizeOf, class Make> void wait_for_size(ModuleState& s, SizeOf size_of, Make make) {
  s.name = "Lazy" + s.name;
  print_size(s, 0);
  for (auto& [name, p] : s.parameters) detail::become(p, empty({0}, p.dtype()));
  for (auto& b : s.buffers)
    if (b.tensor.dim() != 0) detail::become(b.tensor, empty({0}, b.tensor.dtype()));
  s.hooks = Ref<detail::Hooks>::steal(new detail::Hooks);
  s.hooks->lazy = Ref<detail::Unsized>::steal(new Waiting<SizeOf, Make>(s, std::move(size_of), std::move(make)));
}

/// t's size in `dim`; t must have `least` to `most` dimensions.
int64_t size_in(const ModuleState& s, const Tensor& t, int64_t dim, int64_t least, int64_t most) {
  TG_CHECK(t.dim() >= least && t.dim() <= most, ShapeError, s.name, ": a tensor of ", least, " to ", most,
           " dimensions shows its size", Named{"it", t});
  return t.size(dim);
}

}  // namespace

LazyLinear::LazyLinear(int64_t out, bool with_bias) : Linear(1, out, with_bias) {
  wait_for_size(
      *state_,
      [&s = *state_](const Tensor& t, bool is_input) {
        return is_input ? size_in(s, t, -1, 1, kMaxDims) : size_in(s, t, 1, 2, 2);
      },
      [out, with_bias](int64_t in) { return Linear(in, out, with_bias); });
}

template <int N> LazyConv<N>::LazyConv(int64_t out, Dims kernel, ConvOptions o) : Conv<N>(o.groups, out, kernel, o) {
  wait_for_size(
      *this->state_,
      [&s = *this->state_, groups = o.groups](const Tensor& t, bool is_input) {
        return is_input ? size_in(s, t, -N - 1, N + 1, N + 2) : size_in(s, t, 1, N + 2, N + 2) * groups;
      },
      [out, kernel, o](int64_t in) { return Conv<N>(in, out, kernel, o); });
}
template <int N> LazyConvTranspose<N>::LazyConvTranspose(int64_t out, Dims kernel, ConvTransposeOptions o)
    : ConvTranspose<N>(o.groups, out, kernel, o) {
  wait_for_size(
      *this->state_,
      [&s = *this->state_](const Tensor& t, bool is_input) {
        return is_input ? size_in(s, t, -N - 1, N + 1, N + 2) : size_in(s, t, 0, N + 2, N + 2);
      },
      [out, kernel, o](int64_t in) { return ConvTranspose<N>(in, out, kernel, o); });
}

template <int N> LazyBatchNorm<N>::LazyBatchNorm(BatchNormOptions o) : BatchNorm<N>(1, o) {
  wait_for_size(
      *this->state_,
      [&s = *this->state_](const Tensor& t, bool is_input) {
        return is_input ? size_in(s, t, 1, N == 1 ? 2 : N + 2, N + 2) : size_in(s, t, 0, 1, 1);
      },
      [o](int64_t n) { return BatchNorm<N>(n, o); });
}
template <int N> LazyInstanceNorm<N>::LazyInstanceNorm(InstanceNormOptions o) : InstanceNorm<N>(1, o) {
  wait_for_size(
      *this->state_,
      [&s = *this->state_](const Tensor& t, bool is_input) {
        return is_input ? size_in(s, t, -N - 1, N + 1, N + 2) : size_in(s, t, 0, 1, 1);
      },
      [o](int64_t n) { return InstanceNorm<N>(n, o); });
}

template struct LazyConv<1>;
template struct LazyConv<2>;
template struct LazyConv<3>;
template struct LazyConvTranspose<1>;
template struct LazyConvTranspose<2>;
template struct LazyConvTranspose<3>;
template struct LazyBatchNorm<1>;
template struct LazyBatchNorm<2>;
template struct LazyBatchNorm<3>;
template struct LazyInstanceNorm<1>;
template struct LazyInstanceNorm<2>;
template struct LazyInstanceNorm<3>;

}  // namespace tapegrad::nn
