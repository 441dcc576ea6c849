// interpolate: every mode is a sparse matrix along each spatial dimension in turn (Taps), and its gradient the transposed one,
// so one kernel serves forward, backward and all further orders, and each result is a sum in a fixed order.
// Also the rearrangements between pixels, patches and channels.
#include <algorithm>
#include <cmath>

#include "src/ops/op_info.h"
#include "src/ops/typed.h"
#include "src/ops/view.h"

namespace tapegrad {
namespace {

/// Row o is the sum of weight[k] · input[index[k]] for k from start[o] to start[o + 1].
struct Taps {
  int64_t inputs = 0;
  std::vector<int64_t> start{0}, index;
  std::vector<double> weight;
  int64_t outputs() const { return int64_t(start.size()) - 1; }
  void tap(int64_t i, double w) { index.push_back(i), weight.push_back(w); }
  void end_row() { start.push_back(int64_t(index.size())); }
};
Taps transposed(const Taps& t) {
  Taps r;
  r.inputs = t.outputs();
  r.start.assign(size_t(t.inputs) + 1, 0);
  r.index.resize(t.index.size()), r.weight.resize(t.weight.size());
  for (int64_t i : t.index) r.start[size_t(i) + 1]++;
  for (size_t k = 1; k < r.start.size(); k++) r.start[k] += r.start[k - 1];
  std::vector<int64_t> at(r.start.begin(), r.start.end() - 1);
  for (int64_t o = 0; o < t.outputs(); o++)
    for (int64_t k = t.start[size_t(o)]; k < t.start[size_t(o) + 1]; k++) {
      const size_t to = size_t(at[size_t(t.index[size_t(k)])]++);
      r.index[to] = o, r.weight[to] = t.weight[size_t(k)];
    }
  return r;
}

Tensor resample(const Tensor& x, int64_t dim, const Taps& taps, const char* title);
struct ResampleBackward final : NodeOf<1> {
  int64_t dim;
  Taps taps;
  const char* title;
  ResampleBackward(const Tensor& x, int64_t d, const Taps& t, const char* n) : NodeOf(x), dim(d), taps(t), title(n) {}
  const char* name() const override { return title; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = resample(g, dim, transposed(taps), title); }
};
template <class T, class W> void resample_line(const Taps& taps, const W* weight, const T* from, T* to) {
  for (int64_t o = 0, n = taps.outputs(); o < n; o++) {
    W sum = 0;
    for (int64_t k = taps.start[size_t(o)]; k < taps.start[size_t(o) + 1]; k++) sum += weight[k] * W(from[taps.index[size_t(k)]]);
    to[o] = T(sum);
  }
}
// Row o of the result, which has rows of n.
template <class T, class W> void resample_row(const Taps& taps, const W* weight, int64_t o, const T* from, int64_t n, T* to) {
  constexpr int64_t kBlock = 512;
  const int64_t k0 = taps.start[size_t(o)], k1 = taps.start[size_t(o) + 1];
  for (int64_t at = 0; at < n; at += kBlock) {
    const int64_t count = std::min(kBlock, n - at);
    W sum[kBlock];
    std::fill_n(sum, count, W(0));
    for (int64_t k = k0; k < k1; k++) {
      const W w = weight[k];
      const T* p = from + taps.index[size_t(k)] * n + at;
      for (int64_t i = 0; i < count; i++) sum[i] += w * W(p[i]);
    }
    for (int64_t i = 0; i < count; i++) to[at + i] = T(sum[i]);
  }
}
Tensor resample(const Tensor& x_in, int64_t dim, const Taps& taps, const char* title) {
  Tensor x;
  {
    NoGrad guard;
    x = contiguous(x_in);
  }
  Shape size(x.sizes());
  size[size_t(dim)] = taps.outputs();
  Tensor out = empty(size, x.dtype(), x.device());
  if (out.numel()) {
    const int64_t inner = product({x->sizes + dim + 1, size_t(x.dim() - dim - 1)}), n = taps.outputs();
    LongKernel unlock(2 * out.numel());
    typed_real(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      using W = Wide<T>;
      const T* from = x->host<const T>();
      T* to = out->host<T>();
      const std::vector<W> weight(taps.weight.begin(), taps.weight.end());
      if (inner == 1) {
        parallel_for(out.numel() / n, grain_for(4 * n), [&](int64_t begin, int64_t end) {
          for (int64_t r = begin; r < end; r++) resample_line(taps, weight.data(), from + r * taps.inputs, to + r * n);
        });
        return;
      }
      parallel_for(out.numel() / inner, grain_for(4 * inner), [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; r++)  // row r is (outer, o)
          resample_row(taps, weight.data(), r % n, from + r / n * taps.inputs * inner, inner, to + r * inner);
      });
    });
  }
  if (recording(x_in)) record<ResampleBackward>(out, x_in, dim, taps, title);
  return out;
}

// ---- the taps of each mode; `scale` is input pixels per output pixel

Taps linear_taps(int64_t in, int64_t out, double scale, bool align) {
  Taps t;
  t.inputs = in;
  for (int64_t o = 0; o < out; o++, t.end_row()) {
    const double at = align ? scale * double(o) : std::max(0.0, scale * (double(o) + 0.5) - 0.5);
    const int64_t i = std::min(int64_t(at), in - 1);
    const double right = std::clamp(at - double(i), 0.0, 1.0);
    t.tap(i, 1 - right);
    if (right > 0 && i + 1 < in) t.tap(i + 1, right);
    else if (right > 0) t.weight.back() = 1;
  }
  return t;
}
// Keys' cubic; PyTorch takes a = -0.75, and -0.5 when antialiasing.
double cubic(double x, double a) {
  x = std::fabs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}
Taps cubic_taps(int64_t in, int64_t out, double scale, bool align) {
  Taps t;
  t.inputs = in;
  for (int64_t o = 0; o < out; o++, t.end_row()) {
    const double at = align ? scale * double(o) : scale * (double(o) + 0.5) - 0.5, floor = std::floor(at);
    for (int64_t k = -1; k <= 2; k++) t.tap(std::clamp(int64_t(floor) + k, int64_t(0), in - 1), cubic(at - floor - double(k), -0.75));
  }
  return t;
}
Taps area_taps(int64_t in, int64_t out) {
  Taps t;
  t.inputs = in;
  for (int64_t o = 0; o < out; o++, t.end_row()) {
    const int64_t begin = o * in / out, end = ((o + 1) * in + out - 1) / out;
    for (int64_t i = begin; i < end; i++) t.tap(i, 1.0 / double(end - begin));
  }
  return t;
}
// The filter is stretched over all the input pixels that one output pixel covers.
Taps antialias_taps(int64_t in, int64_t out, double scale, bool is_cubic) {
  Taps t;
  t.inputs = in;
  const double stretch = std::max(scale, 1.0), support = (is_cubic ? 2.0 : 1.0) * stretch;
  for (int64_t o = 0; o < out; o++, t.end_row()) {
    const double center = scale * (double(o) + 0.5);
    const int64_t begin = std::max(int64_t(center - support + 0.5), int64_t(0)), end = std::min(int64_t(center + support + 0.5), in);
    double total = 0;
    for (int64_t i = begin; i < end; i++) {
      const double x = (double(i) - center + 0.5) / stretch;
      t.tap(i, is_cubic ? cubic(x, -0.5) : std::max(0.0, 1 - std::fabs(x)));
      total += t.weight.back();
    }
    for (size_t k = size_t(t.start.back()); k < t.weight.size(); k++) t.weight[k] /= total;
  }
  return t;
}
// In float, as PyTorch, so that the same pixels are taken.
Tensor nearest_index(int64_t in, int64_t out, float scale, bool exact) {
  Tensor index = empty({out}, Dtype::Int64);
  for (int64_t o = 0; o < out; o++) index->host<int64_t>()[o] = std::min(int64_t(std::floor((float(o) + (exact ? 0.5f : 0.0f)) * scale)), in - 1);
  return index;
}

}  // namespace

Tensor interpolate(const Tensor& x, IntList size, std::span<const double> scale_factor, std::string_view mode, std::optional<bool> align_corners,
                   std::optional<bool> recompute_scale_factor, bool antialias) {
  OpScope op("interpolate");
  const int64_t spatial = x.dim() - 2;
  const bool nearest = mode == "nearest" || mode == "nearest-exact", area = mode == "area", is_cubic = mode == "bicubic";
  const int64_t wants = mode == "linear" ? 1 : mode == "bilinear" || is_cubic ? 2 : mode == "trilinear" ? 3 : 0;
  TG_CHECK(nearest || area || wants, ValueError, "mode must be 'nearest', 'nearest-exact', 'linear', 'bilinear', 'bicubic', 'trilinear' or 'area', got '", mode, "'");
  TG_CHECK(wants ? spatial == wants : spatial >= 1 && spatial <= 3, NotImplementedError, "mode '", mode, "' needs an input of (N, C) and ", wants ? wants : int64_t(1), wants ? "" : " to 3", " spatial dimensions", Named{"input", x});
  TG_CHECK(wants || !align_corners, ValueError, "align_corners is for the modes 'linear', 'bilinear', 'bicubic' and 'trilinear' only");
  TG_CHECK(!antialias || (wants == 2), ValueError, "antialias is for the modes 'bilinear' and 'bicubic' only");
  TG_CHECK(size.empty() != scale_factor.empty(), ValueError, "exactly one of size and scale_factor must be given");
  TG_CHECK(nearest || is_floating(x.dtype()), DtypeError, "mode '", mode, "' needs a float input, got ", x.dtype(), Named{"input", x});
  const size_t given = size.empty() ? scale_factor.size() : size.size();
  TG_CHECK(given == 1 || int64_t(given) == spatial, ValueError, size.empty() ? "scale_factor" : "size", " must have one number or one for each of the ", spatial, " spatial dimensions", Named{"input", x});
  TG_CHECK(!recompute_scale_factor.value_or(false) || size.empty(), ValueError, "recompute_scale_factor needs scale_factor, not size");
  const bool align = align_corners.value_or(false);
  static constexpr const char* titles[] = {"UpsampleLinear1DBackward0", "UpsampleBilinear2DBackward0", "UpsampleTrilinear3DBackward0"};
  Tensor out = x;
  for (int64_t k = spatial; k-- > 0;) {
    const int64_t d = k + 2, in = x->sizes[d];
    const size_t at = given == 1 ? 0 : size_t(k);
    const int64_t n = size.empty() ? int64_t(std::floor(double(in) * scale_factor[at])) : size[at];
    TG_CHECK(n > 0 && in > 0, ShapeError, "input and output sizes must be positive, got ", in, " and ", n, Named{"input", x});
    const bool use_factor = size.empty() && !recompute_scale_factor.value_or(false);
    const double scale = use_factor ? 1 / scale_factor[at] : double(in) / double(n);
    if (nearest) {
      if (n != in || scale != 1) out = index_select(out, d, to(nearest_index(in, n, use_factor ? float(scale) : float(in) / float(n), mode == "nearest-exact"), x.device()));
      continue;
    }
    const double step = align ? n > 1 ? double(in - 1) / double(n - 1) : 0 : scale;
    out = resample(out, d, area ? area_taps(in, n) : antialias ? antialias_taps(in, n, step, is_cubic) : is_cubic ? cubic_taps(in, n, step, align) : linear_taps(in, n, step, align),
                   area ? "AdaptiveAvgPoolBackward0" : is_cubic ? "UpsampleBicubic2DBackward0" : titles[spatial - 1]);
  }
  const MemoryFormat last = x.dim() == 5 ? MemoryFormat::ChannelsLast3d : MemoryFormat::ChannelsLast;
  if (spatial >= 2 && !x->contiguous && x.is_contiguous(last)) out = contiguous(out, last);
  return out.is_same(x) ? clone(x) : out;
}

// ---- pixels and channels

// (…, C r², H, W) ↔ (…, C, H r, W r)
Tensor pixel_shuffle(const Tensor& x, int64_t upscale_factor) {
  OpScope op("pixel_shuffle");
  const int64_t r = upscale_factor, n = x.dim();
  TG_CHECK(n >= 3, ShapeError, "input must have at least 3 dimensions, got ", n, Named{"input", x});
  TG_CHECK(r > 0 && r < int64_t(1) << 31 && x->sizes[n - 3] % (r * r) == 0, ShapeError, "the channels must be a multiple of upscale_factor squared, got ", x->sizes[n - 3], " and ", r, Named{"input", x});
  const int64_t c = x->sizes[n - 3] / (r * r), h = x->sizes[n - 2], w = x->sizes[n - 1], b = product({x->sizes, size_t(n - 3)});
  Shape size({x->sizes, size_t(n - 3)});
  size.push_back(c), size.push_back(h * r), size.push_back(w * r);
  return reshape(permute(reshape(x, {b, c, r, r, h, w}), {0, 1, 4, 2, 5, 3}), size);
}
Tensor pixel_unshuffle(const Tensor& x, int64_t downscale_factor) {
  OpScope op("pixel_unshuffle");
  const int64_t r = downscale_factor, n = x.dim();
  TG_CHECK(n >= 3, ShapeError, "input must have at least 3 dimensions, got ", n, Named{"input", x});
  TG_CHECK(r > 0 && x->sizes[n - 2] % r == 0 && x->sizes[n - 1] % r == 0, ShapeError, "height and width must be multiples of downscale_factor, got ", x->sizes[n - 2], ", ", x->sizes[n - 1], " and ", r, Named{"input", x});
  const int64_t c = x->sizes[n - 3], h = x->sizes[n - 2] / r, w = x->sizes[n - 1] / r, b = product({x->sizes, size_t(n - 3)});
  Shape size({x->sizes, size_t(n - 3)});
  size.push_back(c * r * r), size.push_back(h), size.push_back(w);
  return reshape(permute(reshape(x, {b, c, h, r, w, r}), {0, 1, 3, 5, 2, 4}), size);
}
Tensor channel_shuffle(const Tensor& x, int64_t groups) {
  OpScope op("channel_shuffle");
  TG_CHECK(x.dim() >= 3, ShapeError, "input must have at least 3 dimensions, got ", x.dim(), Named{"input", x});
  TG_CHECK(groups > 0 && x->sizes[1] % groups == 0, ShapeError, "the channels must be a multiple of groups, got ", x->sizes[1], " and ", groups, Named{"input", x});
  return reshape(transpose(unflatten(x, 1, {groups, -1}), 1, 2), x.sizes());
}

void interpolate_ops(OpTable& t) {
  t.add("interpolate(Tensor input, int[]? size=None, float[]? scale_factor=None, str mode=\"nearest\", bool? align_corners=None, bool? recompute_scale_factor=None, bool antialias=False)", &interpolate,
        "The spatial dimensions of (N, C, …) resampled to size, or by scale_factor. mode: \"nearest\", \"nearest-exact\", \"linear\" (1-d), \"bilinear\", \"bicubic\" (2-d), \"trilinear\" (3-d), \"area\".")
      .functional_only().samples({"T(1, 2, 5), size=7", "T(2, 1, 4, 5), scale_factor=2.0, mode='bilinear'", "T(1, 2, 4, 5), [3, 8], mode='bilinear', align_corners=True", "T(1, 1, 4, 5), (6, 3), mode='bicubic'",
                                  "T(1, 1, 3, 2, 4), 5, mode='trilinear'", "T(1, 2, 5, 7), (2, 3), mode='area'", "T(1, 2, 5), scale_factor=1.5, mode='nearest-exact'", "T(1, 1, 9, 8), (4, 3), mode='bilinear', antialias=True"});
  t.add("pixel_shuffle(Tensor input, int upscale_factor)", &pixel_shuffle, "(…, C r², H, W) to (…, C, H r, W r): channels become pixels.").functional().complex().samples({"T(1, 8, 2, 3), 2", "T(4, 2, 2), 2"});
  t.add("pixel_unshuffle(Tensor input, int downscale_factor)", &pixel_unshuffle, "(…, C, H r, W r) to (…, C r², H, W): pixels become channels.").functional().complex().samples({"T(1, 2, 4, 6), 2"});
  t.add("channel_shuffle(Tensor input, int groups)", &channel_shuffle, "(N, C, …) with channels (groups, C / groups) transposed.").functional().complex().samples({"T(1, 6, 2), 3"});
}

}  // namespace tapegrad
