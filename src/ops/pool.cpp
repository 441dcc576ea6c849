// Pooling with fixed windows: maxima, means, p-norms and the inverse of a maximum pool. The work is done in pool_cells.cpp.
#include "src/ops/pool.h"

#include "src/ops/op_info.h"
#include "src/ops/window_list.h"

namespace tapegrad {
namespace {

PoolSpec windows(const Tensor& x, int dims, IntList kernel, IntList stride, IntList padding, IntList dilation, bool ceil_mode) {
  PoolSpec s;
  Window& w = s.window;
  read_input(x, dims, s);
  spread_list(kernel, dims, "kernel_size", 1, w.kernel + 3 - dims);
  spread_list(stride.empty() ? kernel : stride, dims, "stride", 1, w.stride + 3 - dims);
  spread_list(padding, dims, "padding", 0, w.pad + 3 - dims);
  spread_list(dilation, dims, "dilation", 1, w.dilation + 3 - dims);
  for (int d = 3 - dims; d < 3; d++) {
    const int64_t reach = w.dilation[d] * (w.kernel[d] - 1) + 1;
    TG_CHECK(w.pad[d] <= reach / 2, ShapeError, "padding must be at most half of the kernel, got padding=", padding,
        ", kernel_size=", kernel, " and dilation=", dilation, Named{"input", x});
    const int64_t room = w.in[d] + 2 * w.pad[d] - reach;
    int64_t out = room < 0 && !(ceil_mode && room > -w.stride[d]) ? 0 : (room + (ceil_mode ? w.stride[d] - 1 : 0)) / w.stride[d] + 1;
    if (ceil_mode && (out - 1) * w.stride[d] >= w.in[d] + w.pad[d]) out--;  // the last window must start inside
    TG_CHECK(out > 0, ShapeError, "the result would be empty: the window spans ", reach, " and the padded input has ",
        w.in[d] + 2 * w.pad[d], " in dimension ", d - 3, ", got kernel_size=", kernel, Named{"input", x});
    w.out[d] = out;
  }
  return s;
}
std::tuple<Tensor, Tensor> max_with_indices(const Tensor& x, int dims, IntList kernel, IntList stride, IntList padding,
    IntList dilation, bool ceil_mode) {
  Tensor index;
  Tensor y = max_cells(x, windows(x, dims, kernel, stride, padding, dilation, ceil_mode), &index);
  return {y, index};
}
Tensor mean(const Tensor& x, int dims, IntList kernel, IntList stride, IntList padding, bool ceil_mode, bool include_pad,
    std::optional<int64_t> divisor) {
  TG_CHECK(!divisor || *divisor != 0, ValueError, "divisor_override must not be 0");
  PoolSpec s = windows(x, dims, kernel, stride, padding, 1, ceil_mode);
  s.include_pad = include_pad;
  if (divisor) s.divisor = double(*divisor);
  return mean_cells(x, s);
}

}  // namespace

Tensor max_pool1d(const Tensor& x, IntList kernel_size, IntList stride, IntList padding, IntList dilation, bool ceil_mode) {
  OpScope op("max_pool1d");
  TG_CHECK(is_floating(x.dtype()), DtypeError, "input must be floating, got ", x.dtype(), Named{"input", x});
  return max_cells(x, windows(x, 1, kernel_size, stride, padding, dilation, ceil_mode), nullptr);
}
Tensor max_pool2d(const Tensor& x, IntList kernel_size, IntList stride, IntList padding, IntList dilation, bool ceil_mode) {
  OpScope op("max_pool2d");
  return max_cells(x, windows(x, 2, kernel_size, stride, padding, dilation, ceil_mode), nullptr);
}
Tensor max_pool3d(const Tensor& x, IntList kernel_size, IntList stride, IntList padding, IntList dilation, bool ceil_mode) {
  OpScope op("max_pool3d");
  return max_cells(x, windows(x, 3, kernel_size, stride, padding, dilation, ceil_mode), nullptr);
}
std::tuple<Tensor, Tensor> max_pool1d_with_indices(const Tensor& x, IntList kernel_size, IntList stride, IntList padding,
    IntList dilation, bool ceil_mode) {
  OpScope op("max_pool1d");
  return max_with_indices(x, 1, kernel_size, stride, padding, dilation, ceil_mode);
}
std::tuple<Tensor, Tensor> max_pool2d_with_indices(const Tensor& x, IntList kernel_size, IntList stride, IntList padding,
    IntList dilation, bool ceil_mode) {
  OpScope op("max_pool2d");
  return max_with_indices(x, 2, kernel_size, stride, padding, dilation, ceil_mode);
}
std::tuple<Tensor, Tensor> max_pool3d_with_indices(const Tensor& x, IntList kernel_size, IntList stride, IntList padding,
    IntList dilation, bool ceil_mode) {
  OpScope op("max_pool3d");
  return max_with_indices(x, 3, kernel_size, stride, padding, dilation, ceil_mode);
}
Tensor avg_pool1d(const Tensor& x, IntList kernel_size, IntList stride, IntList padding, bool ceil_mode, bool count_include_pad) {
  OpScope op("avg_pool1d");
  return mean(x, 1, kernel_size, stride, padding, ceil_mode, count_include_pad, {});
}
Tensor avg_pool2d(const Tensor& x, IntList kernel_size, IntList stride, IntList padding, bool ceil_mode,
    bool count_include_pad, std::optional<int64_t> divisor_override) {
  OpScope op("avg_pool2d");
  return mean(x, 2, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override);
}
Tensor avg_pool3d(const Tensor& x, IntList kernel_size, IntList stride, IntList padding, bool ceil_mode,
    bool count_include_pad, std::optional<int64_t> divisor_override) {
  OpScope op("avg_pool3d");
  return mean(x, 3, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override);
}

// ---- rows
void pool_ops(OpTable& t) {
  constexpr const char* max_doc =
      "Largest number of each window of the input (N, C, …) or (C, …); NaN counts as largest. stride defaults to kernel_size; "
      "padding adds numbers smaller than all.";
  constexpr const char* index_doc = "As max_pool, with the place of each maximum in its plane.";
  constexpr const char* mean_doc =
      "Mean of each window of the input (N, C, …) or (C, …). Padding zeros count unless count_include_pad is False; "
      "divisor_override replaces the number of elements.";
  t.add("max_pool1d(Tensor input, int[1] kernel_size, int[1]? stride=None, int[1] padding=0, int[1] dilation=1, bool "
      "ceil_mode=False)", &max_pool1d, max_doc)
      .functional().samples({"T(2, 3, 7), 2", "T(3, 8), 3, 2, 1", "T(2, 2, 9), 3, 2, 1, 2, True", "T(0, 2, 4), 2"});
  t.add("max_pool2d(Tensor input, int[2] kernel_size, int[2]? stride=None, int[2] padding=0, int[2] dilation=1, bool "
      "ceil_mode=False)", &max_pool2d, max_doc)
      .functional().samples({"T(2, 3, 6, 8), 2", "T(2, 3, 7, 9), (3, 2), (2, 1), (1, 0)", "T(3, 7, 12), 3, 2, 1, (1, 2), True",
      "T(1, 2, 5, 5), 2, ceil_mode=True", "T(0, 2, 4, 4), 2"});
  t.add("max_pool3d(Tensor input, int[3] kernel_size, int[3]? stride=None, int[3] padding=0, int[3] dilation=1, bool "
      "ceil_mode=False)", &max_pool3d, max_doc)
      .functional().samples({"T(1, 2, 4, 4, 5), 2", "T(2, 3, 4, 6), (1, 3, 2), 1, (0, 1, 1)"});
  t.add("max_pool1d_with_indices(Tensor input, int[1] kernel_size, int[1]? stride=None, int[1] padding=0, int[1] dilation=1, "
      "bool ceil_mode=False)", &max_pool1d_with_indices, index_doc)
      .functional().returns("values indices").samples({"T(2, 3, 7), 2"});
  t.add("max_pool2d_with_indices(Tensor input, int[2] kernel_size, int[2]? stride=None, int[2] padding=0, int[2] dilation=1, "
      "bool ceil_mode=False)", &max_pool2d_with_indices, index_doc)
      .functional().returns("values indices").samples({"T(2, 3, 6, 8), 2", "T(2, 3, 9, 8), 3, 1, 1"});
  t.add("max_pool3d_with_indices(Tensor input, int[3] kernel_size, int[3]? stride=None, int[3] padding=0, int[3] dilation=1, "
      "bool ceil_mode=False)", &max_pool3d_with_indices, index_doc)
      .functional().returns("values indices").samples({"T(1, 2, 4, 4, 4), 2"});
  t.add("avg_pool1d(Tensor input, int[1] kernel_size, int[1]? stride=None, int[1] padding=0, bool ceil_mode=False, bool "
      "count_include_pad=True)", &avg_pool1d, mean_doc)
      .functional().samples({"T(2, 3, 7), 2", "T(3, 8), 3, 2, 1, False, False", "T(2, 2, 8), 3, 2, 1, True"});
  t.add("avg_pool2d(Tensor input, int[2] kernel_size, int[2]? stride=None, int[2] padding=0, bool ceil_mode=False, bool "
      "count_include_pad=True, int? divisor_override=None)", &avg_pool2d, mean_doc)
      .functional().with_out().samples({"T(2, 3, 6, 8), 2", "T(2, 3, 7, 9), (3, 2), (2, 1), (1, 0), count_include_pad=False",
      "T(3, 7, 12), 3, 2, 1, True", "T(1, 2, 5, 5), 2, divisor_override=3", "T(0, 2, 4, 4), 2"});
  t.add("avg_pool3d(Tensor input, int[3] kernel_size, int[3]? stride=None, int[3] padding=0, bool ceil_mode=False, bool "
      "count_include_pad=True, int? divisor_override=None)", &avg_pool3d, mean_doc)
      .functional().with_out().samples({"T(1, 2, 4, 4, 5), 2", "T(2, 3, 4, 6), (1, 3, 2), 1, (0, 1, 1), count_include_pad=False"});
}

}  // namespace tapegrad
