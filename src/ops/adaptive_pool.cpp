// Pooling to a given size: cell o of n covers inputs from floor(o · in / n) to ceil((o + 1) · in / n).
#include "src/ops/op_info.h"
#include "src/ops/pool.h"

namespace tapegrad {
namespace {

PoolSpec parts(const Tensor& x, int dims, IntList output_size) {
  PoolSpec s;
  read_input(x, dims, s);
  s.adaptive = true;
  TG_CHECK(output_size.size() == 1 || output_size.size() == size_t(dims), ShapeError, "output_size must have 1 or ", dims,
      " entries, got ", output_size);
  for (int d = 0; d < dims; d++) {
    const int64_t n = output_size[output_size.size() == 1 ? 0 : size_t(d)];
    TG_CHECK(n >= 0, ValueError, "output_size must be 0 or more, got ", output_size);
    s.window.out[3 - dims + d] = n;
  }
  return s;
}
std::tuple<Tensor, Tensor> max_with_indices(const Tensor& x, int dims, IntList output_size) {
  Tensor index;
  Tensor y = max_cells(x, parts(x, dims, output_size), &index);
  return {y, index};
}
void check_floating(const Tensor& x) {
  TG_CHECK(is_floating(x.dtype()), DtypeError, "input must be floating, got ", x.dtype(), Named{"input", x});
}

}  // namespace

Tensor adaptive_avg_pool1d(const Tensor& x, IntList output_size) {
  OpScope op("adaptive_avg_pool1d");
  return mean_cells(x, parts(x, 1, output_size));
}
Tensor adaptive_avg_pool2d(const Tensor& x, IntList output_size) {
  OpScope op("adaptive_avg_pool2d");
  return mean_cells(x, parts(x, 2, output_size));
}
Tensor adaptive_avg_pool3d(const Tensor& x, IntList output_size) {
  OpScope op("adaptive_avg_pool3d");
  return mean_cells(x, parts(x, 3, output_size));
}
std::tuple<Tensor, Tensor> adaptive_max_pool1d_with_indices(const Tensor& x, IntList output_size) {
  OpScope op("adaptive_max_pool1d");
  check_floating(x);
  return max_with_indices(x, 1, output_size);
}
std::tuple<Tensor, Tensor> adaptive_max_pool2d_with_indices(const Tensor& x, IntList output_size) {
  OpScope op("adaptive_max_pool2d");
  check_floating(x);
  return max_with_indices(x, 2, output_size);
}
std::tuple<Tensor, Tensor> adaptive_max_pool3d_with_indices(const Tensor& x, IntList output_size) {
  OpScope op("adaptive_max_pool3d");
  check_floating(x);
  return max_with_indices(x, 3, output_size);
}
Tensor adaptive_max_pool1d(const Tensor& x, IntList output_size) {
  OpScope op("adaptive_max_pool1d");
  check_floating(x);
  return max_cells(x, parts(x, 1, output_size), nullptr);
}
Tensor adaptive_max_pool2d(const Tensor& x, IntList output_size) {
  OpScope op("adaptive_max_pool2d");
  check_floating(x);
  return max_cells(x, parts(x, 2, output_size), nullptr);
}
Tensor adaptive_max_pool3d(const Tensor& x, IntList output_size) {
  OpScope op("adaptive_max_pool3d");
  check_floating(x);
  return max_cells(x, parts(x, 3, output_size), nullptr);
}

// ---- rows
void adaptive_pool_ops(OpTable& t) {
  constexpr const char* mean_doc =
      "Means of output_size equal (or overlapping by one) parts of each plane of the input (N, C, …) or (C, …).";
  constexpr const char* max_doc =
      "Maxima of output_size equal (or overlapping by one) parts of each plane of the input (N, C, …) or (C, …).";
  constexpr const char* index_doc = "As adaptive_max_pool, with the place of each maximum in its plane.";
  t.add("adaptive_avg_pool1d(Tensor input, int[1] output_size)", &adaptive_avg_pool1d, mean_doc)
      .functional().samples({"T(2, 3, 7), 3", "T(3, 4), 6", "T(2, 2, 5), 1"});
  t.add("adaptive_avg_pool2d(Tensor input, int[2] output_size)", &adaptive_avg_pool2d, mean_doc)
      .functional().samples({"T(2, 3, 7, 5), (3, 2)", "T(3, 4, 6), 1", "T(2, 2, 3, 20), (5, 7)", "T(0, 2, 4, 4), 2"});
  t.add("adaptive_avg_pool3d(Tensor input, int[3] output_size)", &adaptive_avg_pool3d, mean_doc)
      .functional().samples({"T(1, 2, 4, 3, 5), 2", "T(2, 3, 4, 4), (1, 2, 3)"});
  t.add("adaptive_max_pool1d(Tensor input, int[1] output_size)", &adaptive_max_pool1d, max_doc)
      .functional_only().samples({"T(2, 3, 7), 3", "T(3, 4), 6"});
  t.add("adaptive_max_pool2d(Tensor input, int[2] output_size)", &adaptive_max_pool2d, max_doc)
      .functional_only().samples({"T(2, 3, 7, 5), (3, 2)", "T(3, 4, 6), 1"});
  t.add("adaptive_max_pool3d(Tensor input, int[3] output_size)", &adaptive_max_pool3d, max_doc)
      .functional_only().samples({"T(1, 2, 4, 3, 5), 2"});
  t.add("adaptive_max_pool1d_with_indices(Tensor input, int[1] output_size)", &adaptive_max_pool1d_with_indices, index_doc)
      .functional_only().returns("values indices").samples({"T(2, 3, 7), 3"});
  t.add("adaptive_max_pool2d_with_indices(Tensor input, int[2] output_size)", &adaptive_max_pool2d_with_indices, index_doc)
      .functional_only().returns("values indices").samples({"T(2, 3, 7, 5), (3, 2)"});
  t.add("adaptive_max_pool3d_with_indices(Tensor input, int[3] output_size)", &adaptive_max_pool3d_with_indices, index_doc)
      .functional_only().returns("values indices").samples({"T(1, 2, 4, 3, 5), 2"});
}

}  // namespace tapegrad
