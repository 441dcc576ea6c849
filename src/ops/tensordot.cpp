// Products over chosen dimensions: inner, tensordot, bilinear, chains of matrices. All fold their operands into matrices.
#include "src/ops/matmul.h"
#include "src/ops/op_info.h"

namespace tapegrad {

Tensor inner(const Tensor& a, const Tensor& b) {
  OpScope op("inner");
  if (a.dim() == 0 || b.dim() == 0) return mul(a, b);
  check_product_dtypes(a, b, "input", "other");
  TG_CHECK(a.size(-1) == b.size(-1), ShapeError, "input and other must have the same last dimension, got ", a.size(-1), " and ",
      b.size(-1), Named{"input", a}, Named{"other", b});
  if (a.dim() == 1 && b.dim() == 1) return dot(a, b);
  return tensordot(a, b, -1, -1);
}
Tensor bilinear(const Tensor& a, const Tensor& b, const Tensor& weight, const Tensor& bias) {
  OpScope op("bilinear");
  TG_CHECK(weight.dim() == 3, ShapeError, "weight must have 3 dimensions, got ", weight.dim(), Named{"weight", weight});
  TG_CHECK(a.dim() > 0 && a.dim() == b.dim(), ShapeError, "input1 and input2 must have the same number of dimensions, got ",
      a.dim(), " and ", b.dim(), Named{"input1", a}, Named{"input2", b});
  for (int d = 0; d + 1 < a.dim(); d++)
    TG_CHECK(a.size(d) == b.size(d), ShapeError, "input1 and input2 must agree in all but the last dimension, got ", a.sizes(),
        " and ", b.sizes(), Named{"input1", a}, Named{"input2", b});
  TG_CHECK(a.size(-1) == weight.size(1) && b.size(-1) == weight.size(2), ShapeError, "weight must be (out, ", a.size(-1), ", ",
      b.size(-1), "), got ", weight.sizes(),
           Named{"input1", a}, Named{"input2", b}, Named{"weight", weight});
  const int64_t k = weight.size(0);
  const Tensor x = fold(a.dim() == 1 ? unsqueeze(a, 0) : a), y = fold(b.dim() == 1 ? unsqueeze(b, 0) : b);
  // (rows, in1) x (in1, out · in2) -> (rows, out, in2), then with y over in2
  const Tensor left = reshape(product(x, false, reshape(transpose(weight, 0, 1), {x.size(1), k * y.size(1)}), false),
      {x.size(0), k, y.size(1)});
  Shape size = a.sizes();
  size.back() = k;
  Tensor out = reshape(product(left, false, unsqueeze(y, 2), false), size);
  return bias.defined() ? add(out, bias) : out;
}

Tensor tensordot(const Tensor& a_in, const Tensor& b_in, IntList dims_a, IntList dims_b) {
  OpScope op("tensordot");
  TG_CHECK(dims_a.size() == dims_b.size(), ShapeError, "both lists of dims must have the same length, got ", dims_a, " and ",
      dims_b, Named{"a", a_in}, Named{"b", b_in});
  Tensor a = a_in, b = b_in;
  for (size_t i = 0; i < dims_a.size(); i++) {  // a size of 1 stands for any: the other operand is summed
    const int64_t x = a.size(dims_a[i]), y = b.size(dims_b[i]);
    if (x == 1 && y > 1) b = sum(b, dims_b[i], true, b.dtype());
    if (y == 1 && x > 1) a = sum(a, dims_a[i], true, a.dtype());
  }
  check_product_dtypes(a, b);
  Shape left, right, size;  // permutations: kept dims, then summed (a); summed, then kept (b)
  bool in_a[kMaxDims] = {}, in_b[kMaxDims] = {};
  int64_t m = 1, n = 1, k = 1;
  for (size_t i = 0; i < dims_a.size(); i++) {
    const int64_t p = dims_a[i] < 0 ? dims_a[i] + a.dim() : dims_a[i], q = dims_b[i] < 0 ? dims_b[i] + b.dim() : dims_b[i];
    const int64_t x = a.size(p), y = b.size(q);
    TG_CHECK(x == y, ShapeError, "summed dimensions must have equal sizes, got ", x, " (dim ", p, " of a) and ", y, " (dim ",
        q, " of b)", Named{"a", a}, Named{"b", b});
    TG_CHECK(!in_a[p] && !in_b[q], ShapeError, "dims must not repeat, got ", dims_a, " and ", dims_b, Named{"a", a}, Named{"b", b});
    in_a[p] = in_b[q] = true;
    k *= x;
    right.push_back(q);
  }
  for (int64_t d = 0; d < a.dim(); d++) if (!in_a[d]) left.push_back(d), size.push_back(a.size(d)), m *= a.size(d);
  for (int64_t d : dims_a) left.push_back(d < 0 ? d + a.dim() : d);
  for (int64_t d = 0; d < b.dim(); d++) if (!in_b[d]) right.push_back(d), size.push_back(b.size(d)), n *= b.size(d);
  return reshape(product(reshape(permute(a, left), {m, k}), false, reshape(permute(b, right), {k, n}), false), size);
}
Tensor tensordot(const Tensor& a, const Tensor& b, int64_t dims) {
  OpScope op("tensordot");
  TG_CHECK(dims >= 0 && dims <= a.dim() && dims <= b.dim(), ShapeError,
      "dims must lie between 0 and the number of dimensions of a and b, got ", dims, Named{"a", a}, Named{"b", b});
  Shape x, y;
  for (int64_t d = 0; d < dims; d++) x.push_back(a.dim() - dims + d), y.push_back(d);
  return tensordot(a, b, x, y);
}

Tensor multi_dot(TensorList matrices) {
  OpScope op("multi_dot");
  const size_t n = matrices.size();
  TG_CHECK(n >= 2, ValueError, "at least 2 matrices are needed, got ", n);
  std::vector<Tensor> x(matrices.begin(), matrices.end());
  const bool row_first = x.front().dim() == 1, column_last = x.back().dim() == 1;
  if (row_first) x.front() = unsqueeze(x.front(), 0);
  if (column_last) x.back() = unsqueeze(x.back(), 1);
  for (const Tensor& t : x) TG_CHECK(t.dim() == 2, ShapeError, "each matrix must have 2 dimensions, got ", t.dim(), Named{"matrix", t});
  for (size_t i = 0; i + 1 < n; i++) check_product(x[i], x[i + 1]);
  // cost[i][j]: multiply-adds of the best order of x[i..j]; at[i][j]: where it splits
  std::vector<double> cost(n * n);
  std::vector<size_t> at(n * n);
  for (size_t len = 1; len < n; len++)
    for (size_t i = 0; i + len < n; i++) {
      const size_t j = i + len;
      for (size_t s = i; s < j; s++) {
        const double c = cost[i * n + s] + cost[(s + 1) * n + j] + double(x[i].size(0)) * double(x[s].size(1)) * double(x[j].size(1));
        if (s == i || c < cost[i * n + j]) cost[i * n + j] = c, at[i * n + j] = s;
      }
    }
  const auto chain = [&](auto&& self, size_t i, size_t j) -> Tensor {
    return i == j ? x[i] : product(self(self, i, at[i * n + j]), false, self(self, at[i * n + j] + 1, j), false);
  };
  Tensor out = chain(chain, 0, n - 1);
  if (row_first) out = squeeze(out, 0);
  return column_last ? squeeze(out, -1) : out;
}

// ---- rows
void tensordot_ops(OpTable& t) {
  t.add("inner(Tensor input, Tensor other)", &inner, "Sums of products over the last dimension of both; with a 0-d tensor, the product.")
      .method().with_out().complex().samples({"T(3), T(3)", "T(2, 3), T(4, 3)", "T(2, 3), T(3)", "T(), T(2)"});
  t.add("bilinear(Tensor input1, Tensor input2, Tensor weight, Tensor? bias=None)", &bilinear,
        "input1ᵀ weight[o] input2 + bias[o] for each output o: (…, i), (…, j), (out, i, j), (out) -> (…, out).")
      .functional().samples({"T(2, 3), T(2, 4), T(5, 3, 4), T(5)", "T(2, 2, 3), T(2, 2, 4), T(5, 3, 4)"});
  t.add("tensordot(Tensor a, Tensor b, int dims=2)", static_cast<Tensor (*)(const Tensor&, const Tensor&, int64_t)>(&tensordot),
        "Sums of products over the last `dims` dimensions of a and the first of b.")
      .complex().samples({"T(2, 3, 4), T(3, 4, 2)", "T(2, 3), T(3, 2), 1", "T(2), T(3), 0"});
  t.add("tensordot(Tensor a, Tensor b, int[] dims_self, int[] dims_other)", static_cast<Tensor (*)(const Tensor&,
      const Tensor&, IntList, IntList)>(&tensordot),
        "Sums of products over dims_self of a, paired with dims_other of b.")
      .complex().samples({"T(2, 3, 4), T(4, 3, 2), [1, 2], [1, 0]"});
  t.add("chain_matmul(Tensor[] matrices)", &multi_dot,
      "Product of a chain of matrices in the cheapest order.").complex().samples({"[T(2, 3), T(3, 4), T(4, 2)]"});
}

}  // namespace tapegrad
