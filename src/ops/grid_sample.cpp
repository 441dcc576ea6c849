// grid_sample: each point of the grid reads a few pixels with weights that are polynomials in its coordinates. The pixels are
// chosen without the tape, the weights are ordinary tensor arithmetic and the reading is read_taps, so every derivative follows.
#include "tapegrad/ops_more.h"

#include <cmath>

#include "src/ops/op_info.h"
#include "src/ops/taps.h"
#include "src/ops/typed.h"
#include "src/ops/view.h"
#include "src/tensor/parallel.h"

namespace tapegrad {
namespace {

enum class Outside { Zeros, Border, Reflection };
enum class Mode { Linear, Nearest, Cubic };

Tensor number(double v) { return Tensor(v); }
// v where inside (0, most), else the nearer end, where the gradient is 0.
Tensor limited(const Tensor& v, double most) {
  const Tensor d = detach(v);
  return where(logical_and(d > 0.0, d < most), v, clamp(d, Scalar(0.0), Scalar(most)));
}
// Coordinates folded back at both ends of [low, low + span].
Tensor reflected(const Tensor& v, double low, double span) {
  if (span == 0) return zeros_like(v);
  const Tensor away = abs(v - low), flips = floor(detach(away) / span), rest = away - flips * span;
  return where(eq(remainder(flips, number(2)), number(0)), rest, span - rest) + low;
}
Tensor padded(const Tensor& v, Outside outside, int64_t n, bool align) {
  if (outside == Outside::Zeros) return v;
  const Tensor inside = outside == Outside::Reflection ? reflected(v, align ? 0 : -0.5, double(align ? n - 1 : n)) : v;
  return limited(inside, double(n - 1));
}

/// Along one dimension: `taps` pixels for each point, index (taps, N, P) with -1 for none, and their weights.
struct Line {
  int64_t taps = 0;
  Tensor index, weight;
};
// index[k] = bases[k], where that is one of n pixels.
Tensor pixels(const std::vector<Tensor>& bases, int64_t n) {
  NoGrad off;
  const Tensor all = stack(bases, 0);
  Tensor index = empty(all.sizes(), Dtype::Int64);
  int64_t* to = index->host<int64_t>();
  const auto fill = [&](const auto* from) {
    using T = std::remove_cvref_t<decltype(*from)>;
    parallel_for(all.numel(), 1 << 14, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) to[i] = from[i] >= T(0) && from[i] < T(n) ? int64_t(from[i]) : -1;
    });
  };
  all.dtype() == Dtype::Float64 ? fill(all->host<double>()) : fill(all->host<float>());
  return index;
}
Tensor cubic_near(const Tensor& t) { return ((t * 1.25 - 2.25) * t) * t + 1.0; }                      // |distance| <= 1, a = -0.75
Tensor cubic_far(const Tensor& t) { return ((t * -0.75 + 3.75) * t - 6.0) * t + 3.0; }                // 1 < |distance| < 2
Line line(const Tensor& at, Mode mode, Outside outside, int64_t n, bool align) {
  if (mode == Mode::Cubic) {  // each pixel is padded by itself
    const Tensor base = floor(detach(at)), t = at - base, s = 1.0 - t;
    std::vector<Tensor> bases;
    for (int k = -1; k <= 2; k++) bases.push_back(round(padded(base + double(k), outside, n, align)));
    return {4, pixels(bases, n), stack({cubic_far(t + 1.0), cubic_near(t), cubic_near(s), cubic_far(s + 1.0)}, 0)};
  }
  const Tensor v = padded(at, outside, n, align);
  if (mode == Mode::Nearest) return {1, pixels({round(detach(v))}, n), unsqueeze(v * 0.0 + 1.0, 0)};  // a gradient of zeros
  const Tensor base = floor(detach(v)), t = v - base;
  return {2, pixels({base, base + 1.0}, n), stack({1.0 - t, t}, 0)};
}
// Every pixel of `outer` with every pixel of `inner`, a line of n pixels.
Line crossed(const Line& outer, const Line& inner, int64_t n) {
  Line r{outer.taps * inner.taps, empty({outer.taps * inner.taps, outer.index.size(1), outer.index.size(2)}, Dtype::Int64), {}};
  const int64_t *a = outer.index->host<int64_t>(), *b = inner.index->host<int64_t>(), points = outer.index.numel() / outer.taps;
  int64_t* to = r.index->host<int64_t>();
  parallel_for(r.taps, 1, [=, inner_taps = inner.taps](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; k++)
      for (int64_t p = 0; p < points; p++) {
        const int64_t x = a[k / inner_taps * points + p], y = b[k % inner_taps * points + p];
        to[k * points + p] = x < 0 || y < 0 ? -1 : x * n + y;
      }
  });
  r.weight = reshape(unsqueeze(outer.weight, 1) * unsqueeze(inner.weight, 0), r.index.sizes());
  return r;
}

}  // namespace

Tensor grid_sample(const Tensor& x, const Tensor& grid, std::string_view mode, std::string_view padding_mode, bool align_corners) {
  OpScope op("grid_sample");
  TG_CHECK(mode == "bilinear" || mode == "nearest" || mode == "bicubic", ValueError,
      "mode must be 'bilinear', 'nearest' or 'bicubic', got '", mode, "'");
  TG_CHECK(padding_mode == "zeros" || padding_mode == "border" || padding_mode == "reflection", ValueError,
      "padding_mode must be 'zeros', 'border' or 'reflection', got '", padding_mode, "'");
  const int64_t dims = x.dim() - 2;
  TG_CHECK((dims == 2 || dims == 3) && grid.dim() == x.dim(), ShapeError,
      "input must be (N, C, H, W) or (N, C, D, H, W) and grid have as many dimensions", Named{"input", x}, Named{"grid", grid});
  TG_CHECK(grid.size(-1) == dims && grid.size(0) == x.size(0), ShapeError, "grid must have input's batch size and ", dims,
      " coordinates in its last dimension", Named{"input", x}, Named{"grid", grid});
  TG_CHECK(is_floating(x.dtype()) && x.dtype() == grid.dtype(), DtypeError, "input and grid must be of one floating dtype",
      Named{"input", x}, Named{"grid", grid});
  if (x.element_size() < 4) return to(grid_sample(to(x, Dtype::Float32), to(grid, Dtype::Float32), mode, padding_mode, align_corners),
      x.dtype());
  for (int64_t d = 2; d < x.dim(); d++) TG_CHECK(x->sizes[d] > 0, ShapeError, "input must not be empty but in the batch and channels",
      Named{"input", x});
  TG_CHECK(mode != "bicubic" || dims == 2, NotImplementedError, "mode 'bicubic' is for inputs (N, C, H, W) only", Named{"input", x});
  const Mode how = mode == "bilinear" ? Mode::Linear : mode == "nearest" ? Mode::Nearest : Mode::Cubic;
  const Outside outside = padding_mode == "zeros" ? Outside::Zeros : padding_mode == "border" ? Outside::Border : Outside::Reflection;
  const int64_t batch = x->sizes[0], points = product({grid->sizes + 1, size_t(dims)});
  const Tensor places = reshape(grid, {batch, points, dims});
  Line all;
  for (int64_t k = dims; k-- > 0;) {  // the last coordinate belongs to the first spatial dimension
    const int64_t n = x->sizes[x.dim() - 1 - k];
    const Tensor u = select(places, -1, k), at = align_corners ? (u + 1.0) * (double(n - 1) / 2) : (u + 1.0) * (double(n) / 2) - 0.5;
    const Line next = line(at, how, outside, n, align_corners);
    all = all.taps ? crossed(all, next, n) : next;
  }
  Shape size({batch, x->sizes[1]});
  for (int64_t d = 1; d <= dims; d++) size.push_back(grid->sizes[d]);
  return reshape(read_taps(reshape(x, {batch, x->sizes[1], product({x->sizes + 2, size_t(dims)})}), all.weight, all.index), size);
}

Tensor affine_grid(const Tensor& theta, IntList size, bool align_corners) {
  OpScope op("affine_grid");
  const int64_t dims = int64_t(size.size()) - 2;
  TG_CHECK(dims == 2 || dims == 3, NotImplementedError, "size must be (N, C, H, W) or (N, C, D, H, W), got ", size);
  TG_CHECK(is_floating(theta.dtype()), DtypeError, "theta must be of a floating dtype, got ", theta.dtype(), Named{"theta", theta});
  TG_CHECK(theta.sizes() == IntList({size[0], dims, dims + 1}), ShapeError, "theta must be (", size[0], ", ", dims, ", ", dims + 1, ")",
      Named{"theta", theta});
  for (int64_t n : size) TG_CHECK(n > 0, ValueError, "size must be positive, got ", size);
  std::vector<Tensor> lines;
  for (int64_t d = 0; d < dims; d++) {
    const int64_t n = size[size_t(2 + d)];
    const double end = n == 1 ? 0 : align_corners ? 1 : double(n - 1) / double(n);
    lines.push_back(linspace(-end, end, n, theta.dtype(), theta.device()));
  }
  std::vector<Tensor> columns = meshgrid(lines);
  std::vector<Tensor> base(columns.rbegin(), columns.rend());  // x first
  base.push_back(ones_like(base[0]));
  const Tensor points = reshape(stack(base, -1), {1, -1, dims + 1});
  Shape out({size[0]});
  for (int64_t d = 0; d < dims; d++) out.push_back(size[size_t(2 + d)]);
  out.push_back(dims);
  return reshape(matmul(points, transpose(theta, 1, 2)), out);
}

static Tensor grid_sample_row(const Tensor& x, const Tensor& grid, std::string_view mode, std::string_view padding_mode,
    std::optional<bool> align) {
  return grid_sample(x, grid, mode, padding_mode, align.value_or(false));
}
static Tensor affine_grid_row(const Tensor& theta, IntList size, std::optional<bool> align) {
  return affine_grid(theta, size, align.value_or(false));
}

void grid_sample_ops(OpTable& t) {
  t.add("grid_sample(Tensor input, Tensor grid, str mode='bilinear', str padding_mode='zeros', bool? align_corners=None)", &grid_sample_row,
        "input (N, C, H, W) read at the points of grid (N, H', W', 2), or (N, C, D, H, W) at (N, D', H', W', 3). Points are x, y(, z) "
            "from -1 to 1: the centres of the corner "
        "pixels with align_corners, else their outer edges. mode: 'bilinear', 'nearest', 'bicubic'; outside, padding_mode 'zeros', "
            "'border' or 'reflection'.")
      .functional_only().samples({"T(2, 3, 4, 5), T(2, 3, 2, 2, lo=-1.3, hi=1.3)",
          "T(1, 2, 4, 5), T(1, 3, 2, 2, lo=-1.3, hi=1.3), padding_mode='border', align_corners=True",
        "T(1, 2, 4, 5), T(1, 3, 2, 2, lo=-2.7, hi=2.7), padding_mode='reflection'",
            "T(1, 2, 4, 5), T(1, 3, 2, 2, lo=-2.7, hi=2.7), padding_mode='reflection', align_corners=True",
        "T(1, 2, 4, 5), T(1, 3, 2, 2, lo=-1.3, hi=1.3), 'nearest'", "T(1, 2, 5, 4), T(1, 3, 2, 2, lo=-1.3, hi=1.3), 'bicubic'",
        "T(1, 2, 5, 4), T(1, 3, 2, 2, lo=-1.3, hi=1.3), 'bicubic', 'border'",
            "T(1, 2, 5, 4), T(1, 3, 2, 2, lo=-1.3, hi=1.3), 'bicubic', 'reflection', True",
        "T(1, 2, 3, 4, 5), T(1, 2, 2, 2, 3, lo=-1.3, hi=1.3)",
            "T(1, 2, 3, 4, 5), T(1, 2, 2, 2, 3, lo=-1.3, hi=1.3), 'nearest', 'border'", "T(0, 2, 3, 3), T(0, 2, 2, 2)"});
  t.add("affine_grid(Tensor theta, int[] size, bool? align_corners=None)", &affine_grid_row,
        "The grid (N, H, W, 2) for grid_sample that maps a result of size (N, C, H, W) through the affine maps theta (N, 2, 3); 3-d with "
            "(N, C, D, H, W) and (N, 3, 4).")
      .functional_only().samples({"T(2, 2, 3), [2, 3, 4, 5]", "T(1, 2, 3), [1, 1, 3, 1], align_corners=True",
          "T(1, 3, 4), [1, 2, 2, 3, 2]"});
}

}  // namespace tapegrad
