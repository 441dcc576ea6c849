// Maxima and means over the cells of planes, and their gradients. The gradient of a maximum is a scatter by saved places, whose
// own gradient gathers from them; that of a mean spreads evenly, and the gradient of spreading is the mean again.
#include <algorithm>

#include "src/ops/cpu/pool.h"
#include "src/ops/cpu/table.h"
#include "src/ops/pool.h"
#include "src/tensor/parallel.h"

namespace tapegrad {
namespace {

const PoolKernels<float>& kernels_for(float) { return pool_tables[kernel_set]->f32; }
const PoolKernels<double>& kernels_for(double) { return pool_tables[kernel_set]->f64; }
const PoolKernels<long>& kernels_for(long) { return pool_tables[kernel_set]->i64; }

// The cells as the kernels read them.
class Layout {
  std::vector<long> numbers_;
 public:
  Cells cells;
  explicit Layout(const PoolSpec& s) {
    const Window& w = s.window;
    cells.window = w, cells.regular = true, cells.divisor = s.divisor;
    for (int d = 0; d < 3 && s.adaptive; d++) {  // equal parts are windows
      if (w.out[d] == 0 || w.in[d] % w.out[d]) cells.regular = false;
      else cells.window.kernel[d] = cells.window.stride[d] = w.in[d] / w.out[d];
    }
    numbers_.resize(size_t(3 * (w.out[0] + w.out[1] + w.out[2])));
    long* p = numbers_.data();
    for (int d = 0; d < 3; d++) {
      const long n = w.out[d];
      long *start = p, *end = p + n, *count = p + 2 * n;
      p += 3 * n;
      for (long o = 0; o < n; o++) {
        if (s.adaptive) {
          start[o] = o * w.in[d] / n, end[o] = ((o + 1) * w.in[d] + n - 1) / n;
          count[o] = end[o] - start[o];
          continue;
        }
        const long first = o * w.stride[d] - w.pad[d], last = std::min(first + w.dilation[d] * (w.kernel[d] - 1) + 1, w.in[d] + w.pad[d]);
        start[o] = first >= 0 ? first : first + (-first + w.dilation[d] - 1) / w.dilation[d] * w.dilation[d];
        end[o] = std::min(last, w.in[d]);
        start[o] = std::min(start[o], w.in[d] - 1);  // a cell that sees nothing still names a place
        count[o] = s.include_pad ? last - first : std::max(end[o] - std::max(first, 0L), 0L);
      }
      cells.start[d] = start, cells.end[d] = end, cells.count[d] = count, cells.step[d] = s.adaptive ? 1 : w.dilation[d];
    }
  }
};

int64_t plane_of(const long* space) { return space[0] * space[1] * space[2]; }
Shape with_space(IntList size, const long* space, int dims) {
  Shape s = size;
  for (int d = 0; d < dims; d++) s[s.size() - size_t(dims - d)] = space[3 - dims + d];
  return s;
}
// f(plane) for all planes of x, in parallel
template <class F> void each_plane(int64_t planes, int64_t work, F&& f) {
  LongKernel release(planes * work);
  parallel_for(planes, std::max<int64_t>(1, 32768 / std::max<int64_t>(work, 1)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) f(i);
  });
}
// Calls f(T()) with the type to compute in; x must be of it already.
template <class F> void dispatch(Dtype d, F&& f) { d == float32 ? f(float()) : d == float64 ? f(double()) : f(long()); }
Dtype compute_dtype(Dtype d) { return d == float64 || d == float32 ? d : is_floating(d) ? float32 : int64; }
Tensor prepare(const Tensor& x) { return contiguous(to(x, compute_dtype(x.dtype()))); }

// ---- places: spread(y, index) puts numbers where pick(x, index) takes them from

Tensor spread(const Tensor& y, const Tensor& index, IntList size, int dims);
Tensor pick(const Tensor& x, const Tensor& index, int dims);

struct SpreadBackward final : NodeOf<1> {
  SavedTensor index;
  int dims;
  SpreadBackward(const Tensor& y, const Tensor& i, int d) : NodeOf(y), index(i), dims(d) {}
  const char* name() const override { return "MaxPoolSpreadBackward0"; }
  void backward(Tensor g, Tensor* dx) override { if (needs(0)) dx[0] = pick(g, index.unpack(*this), dims); }
  void free_saved() override { index.reset(); }
};
struct PickBackward final : NodeOf<1> {
  SavedTensor index;
  Shape size;  // x's
  int dims;
  PickBackward(const Tensor& x, const Tensor& i, int d) : NodeOf(x), index(i), size(x.sizes()), dims(d) {}
  const char* name() const override { return dims == 1 ? "MaxPool1DWithIndicesBackward0" : dims == 2
      ? "MaxPool2DWithIndicesBackward0" : "MaxPool3DWithIndicesBackward0"; }
  void backward(Tensor g, Tensor* dx) override { if (needs(0)) dx[0] = spread(g, index.unpack(*this), size, dims); }
  void free_saved() override { index.reset(); }
};
int64_t plane_size(IntList size, int dims) {
  int64_t n = 1;
  for (int d = 0; d < dims; d++) n *= size[size.size() - size_t(d) - 1];
  return n;
}
Tensor spread_numbers(const Tensor& y, const Tensor& index, IntList size, int dims) {
  NoGrad off;
  const Tensor from = prepare(y);
  Tensor x = empty(size, from.dtype(), from.device());
  const int64_t in = plane_size(size, dims), out = plane_size(index.sizes(), dims);
  if (x.numel() == 0) return to(x, y.dtype());
  dispatch(from.dtype(), [&](auto t) {
    using T = decltype(t);
    each_plane(x.numel() / in, in + out, [&](int64_t p) {
      T* to = x->host<T>() + p * in;
      const T* g = from->host<const T>() + p * out;
      const int64_t* at = index->host<const int64_t>() + p * out;
      std::fill_n(to, in, T(0));
      for (int64_t i = 0; i < out; i++) to[at[i]] += g[i];
    });
  });
  return to(x, y.dtype());
}
Tensor pick_numbers(const Tensor& x, const Tensor& index, int dims) {
  NoGrad off;
  const Tensor from = prepare(x);
  Tensor y = empty(index.sizes(), from.dtype(), from.device());
  const int64_t in = plane_size(x.sizes(), dims), out = plane_size(index.sizes(), dims);
  if (y.numel() == 0) return to(y, x.dtype());
  dispatch(from.dtype(), [&](auto t) {
    using T = decltype(t);
    each_plane(y.numel() / out, out, [&](int64_t p) {
      const T* g = from->host<const T>() + p * in;
      const int64_t* at = index->host<const int64_t>() + p * out;
      T* to = y->host<T>() + p * out;
      for (int64_t i = 0; i < out; i++) to[i] = g[at[i]];
    });
  });
  return to(y, x.dtype());
}
Tensor spread(const Tensor& y, const Tensor& index, IntList size, int dims) {
  Tensor x = spread_numbers(y, index, size, dims);
  if (recording(y)) record<SpreadBackward>(x, y, index, dims);
  return x;
}
Tensor pick(const Tensor& x, const Tensor& index, int dims) {
  Tensor y = pick_numbers(x, index, dims);
  if (recording(x)) record<PickBackward>(y, x, index, dims);
  return y;
}

// ---- means

Tensor spread_mean(const Tensor& y, const PoolSpec& s);

struct MeanCellsBackward final : NodeOf<1> {
  PoolSpec s;
  MeanCellsBackward(const Tensor& x, const PoolSpec& spec) : NodeOf(x), s(spec) {}
  const char* name() const override {
    static constexpr const char* fixed[] = {"AvgPool1DBackward0", "AvgPool2DBackward0", "AvgPool3DBackward0"};
    static constexpr const char* adaptive[] = {"AdaptiveAvgPool1DBackward0", "AdaptiveAvgPool2DBackward0", "AdaptiveAvgPool3DBackward0"};
    return (s.adaptive ? adaptive : fixed)[s.dims - 1];
  }
  void backward(Tensor g, Tensor* dx) override { if (needs(0)) dx[0] = spread_mean(g, s); }
};
struct SpreadMeanBackward final : NodeOf<1> {
  PoolSpec s;
  SpreadMeanBackward(const Tensor& y, const PoolSpec& spec) : NodeOf(y), s(spec) {}
  const char* name() const override { return "AvgPoolSpreadBackward0"; }
  void backward(Tensor g, Tensor* dx) override { if (needs(0)) dx[0] = mean_cells(g, s); }
};
Tensor spread_mean_numbers(const Tensor& y, const PoolSpec& s) {
  NoGrad off;
  const Tensor from = prepare(y);
  Tensor x = empty(with_space(y.sizes(), s.window.in, s.dims), from.dtype(), from.device());
  const int64_t in = plane_of(s.window.in), out = plane_of(s.window.out);
  const Layout layout(s);
  if (x.numel())
    dispatch(from.dtype(), [&](auto t) {
      using T = decltype(t);
      each_plane(x.numel() / in, in * 2, [&](int64_t p) {
        T* to = x->host<T>() + p * in;
        std::fill_n(to, in, T(0));
        kernels_for(T()).mean_spread(layout.cells, from->host<const T>() + p * out, to);
      });
    });
  return to(x, y.dtype());
}
Tensor spread_mean(const Tensor& y, const PoolSpec& s) {
  Tensor x = spread_mean_numbers(y, s);
  if (recording(y)) record<SpreadMeanBackward>(x, y, s);
  return x;
}
Tensor mean_numbers(const Tensor& x, const PoolSpec& s) {
  NoGrad off;
  const Tensor from = prepare(x);
  Tensor y = empty(with_space(x.sizes(), s.window.out, s.dims), from.dtype(), from.device());
  const int64_t in = plane_of(s.window.in), out = plane_of(s.window.out);
  const Layout layout(s);
  if (y.numel())
    dispatch(from.dtype(), [&](auto t) {
      using T = decltype(t);
      each_plane(y.numel() / out, in + out, [&](int64_t p) {
        kernels_for(T()).mean(layout.cells, from->host<const T>() + p * in, y->host<T>() + p * out);
      });
    });
  return to(y, x.dtype());
}

Tensor max_numbers(const Tensor& x, const PoolSpec& s, Tensor* index) {
  NoGrad off;
  const Tensor from = prepare(x);
  Tensor y = empty(with_space(x.sizes(), s.window.out, s.dims), from.dtype(), from.device());
  if (index) *index = empty(y.sizes(), int64, y.device());
  const int64_t in = plane_of(s.window.in), out = plane_of(s.window.out);
  TG_CHECK(in < (int64_t(1) << 31), ShapeError, "planes must have fewer than 2^31 elements, got ", in, Named{"input", x});
  const Layout layout(s);
  if (y.numel())
    dispatch(from.dtype(), [&](auto t) {
      using T = decltype(t);
      const Window& w = s.window;
      each_plane(y.numel() / out, out * (s.adaptive ? 1 : w.kernel[0] * w.kernel[1] * w.kernel[2]) + in, [&](int64_t p) {
        kernels_for(T()).max(layout.cells, from->host<const T>() + p * in, y->host<T>() + p * out,
                             index ? (*index)->host<long>() + p * out : nullptr);
      });
    });
  return to(y, x.dtype());
}

}  // namespace

Tensor max_cells(const Tensor& x, const PoolSpec& s, Tensor* index) {
  TG_CHECK(x.dtype() != bool_, DtypeError, "input must not be bool", Named{"input", x});
  const bool keep = recording(x);
  Tensor at;
  Tensor y = max_numbers(x, s, keep || index ? &at : nullptr);
  if (keep) record<PickBackward>(y, x, at, s.dims);
  if (index) *index = at;
  return y;
}
Tensor mean_cells(const Tensor& x, const PoolSpec& s) {
  TG_CHECK(is_floating(x.dtype()) || (x.dtype() == int64 && !s.adaptive), DtypeError, "input must be floating, got ",
      x.dtype(), Named{"input", x});
  Tensor y = mean_numbers(x, s);
  if (recording(x)) record<MeanCellsBackward>(y, x, s);
  return y;
}

void read_input(const Tensor& x, int dims, PoolSpec& s) {
  TG_CHECK(x.dim() == dims + 1 || x.dim() == dims + 2, ShapeError, "input must have ", dims + 2, " dimensions, or ", dims + 1,
      " without a batch, got ", x.sizes(), Named{"input", x});
  for (int64_t d = x.dim() == dims + 2; d < x.dim(); d++)
    TG_CHECK(x.size(d) > 0, ShapeError, "input may be empty in the batch dimension only, got ", x.sizes(), Named{"input", x});
  s.dims = dims;
  for (int d = 0; d < dims; d++) s.window.in[3 - dims + d] = x.size(x.dim() - dims + d);
}

}  // namespace tapegrad
