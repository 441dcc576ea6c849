// Triangles, diagonals and grids.
#include <algorithm>
#include <cstring>

#include "src/ops/op_info.h"
#include "src/ops/typed.h"
#include "src/ops/view.h"

namespace tapegrad {

// ---- tril, triu

// Zeroes what lies above (lower) or below (!lower) the diagonal of each matrix of a row-major tensor.
static void clear_triangle(const Tensor& x, int64_t diagonal, bool lower) {
  if (!x.numel()) return;
  const int64_t rows = x->sizes[x.dim() - 2], columns = x->sizes[x.dim() - 1], item = int64_t(x.element_size());
  if (x.is_cuda()) {
    const Tensor row = arange(0, rows, 1, int64, x.device()).view({rows, 1}) + diagonal, column = arange(0, columns, 1, int64, x.device());
    copy_(detach(x), where(lower ? le(column, row) : ge(column, row), detach(x), Tensor(Scalar(0))));
    return;
  }
  LongKernel unlock(x.numel());
  parallel_for(x.numel() / columns, grain_for(columns), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++) {
      const int64_t edge = std::clamp<int64_t>(r % rows + diagonal + lower, 0, columns);
      char* row = x->host() + r * columns * item;
      if (lower) std::memset(row + edge * item, 0, size_t((columns - edge) * item));
      else std::memset(row, 0, size_t(edge * item));
    }
  });
}
struct TriangleBackward final : NodeOf<1> {
  int64_t diagonal;
  bool lower;
  TriangleBackward(const Tensor& x, int64_t d, bool l) : NodeOf(x), diagonal(d), lower(l) {}
  const char* name() const override { return lower ? "TrilBackward0" : "TriuBackward0"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = lower ? tril(g, diagonal) : triu(g, diagonal); }
};
static Tensor triangle_values(const Tensor& x, int64_t diagonal, bool lower) {
  TG_CHECK(x.dim() >= 2, ShapeError, "input must have at least 2 dimensions, got ", x.dim(), Named{"input", x});
  NoGrad guard;
  Tensor out = clone(x, MemoryFormat::Contiguous);
  clear_triangle(out, diagonal, lower);
  return out;
}
static Tensor triangle(const Tensor& x, int64_t diagonal, bool lower) {
  Tensor out = triangle_values(x, diagonal, lower);
  if (recording(x)) record<TriangleBackward>(out, x, diagonal, lower);
  return out;
}
static const Tensor& triangle_(const Tensor& self, int64_t diagonal, bool lower) {
  InPlace guard(self, recording(self));
  if (self->contiguous && self.dim() >= 2) {
    clear_triangle(self, diagonal, lower);
  } else {
    NoGrad no_grad;
    copy_(detach(self), triangle_values(self, diagonal, lower));
  }
  if (recording(self)) guard.record<TriangleBackward>(guard.before(), diagonal, lower);
  return self;
}
Tensor tril(const Tensor& x, int64_t diagonal) {
  OpScope op("tril");
  return triangle(x, diagonal, true);
}
Tensor triu(const Tensor& x, int64_t diagonal) {
  OpScope op("triu");
  return triangle(x, diagonal, false);
}
const Tensor& tril_(const Tensor& self, int64_t diagonal) {
  OpScope op("tril_");
  return triangle_(self, diagonal, true);
}
const Tensor& triu_(const Tensor& self, int64_t diagonal) {
  OpScope op("triu_");
  return triangle_(self, diagonal, false);
}

// ---- diagonals

struct DiagEmbedBackward final : NodeOf<1> {
  int64_t offset, a, b;
  DiagEmbedBackward(const Tensor& x, int64_t o, int64_t i, int64_t j) : NodeOf(x), offset(o), a(i), b(j) {}
  const char* name() const override { return "DiagEmbedBackward0"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = diagonal(g, offset, a, b); }
};
Tensor diag_embed(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2) {
  OpScope op("diag_embed");
  TG_CHECK(x.dim() >= 1, ShapeError, "input must have at least 1 dimension, got 0", Named{"input", x});
  const int64_t a = wrap_dim(dim1, x.dim() + 1, x), b = wrap_dim(dim2, x.dim() + 1, x);
  TG_CHECK(a != b, ShapeError, "dim1 and dim2 must differ, got ", dim1, " and ", dim2, Named{"input", x});
  Shape size(x.sizes());
  const int64_t n = size.back() + std::abs(offset);
  size.pop_back();
  size.insert(size_t(std::min(a, b)), n), size.insert(size_t(std::max(a, b)), n);
  Tensor out;
  {
    NoGrad guard;
    out = zeros(size, x.dtype(), x.device());
    copy_(diagonal(out, offset, a, b), x);
  }
  if (recording(x)) record<DiagEmbedBackward>(out, x, offset, a, b);
  return out;
}
Tensor diag(const Tensor& x, int64_t diagonal) {
  OpScope op("diag");
  TG_CHECK(x.dim() == 1 || x.dim() == 2, ShapeError, "input must have 1 or 2 dimensions, got ", x.dim(), Named{"input", x});
  return x.dim() == 1 ? diag_embed(x, diagonal) : clone(tapegrad::diagonal(x, diagonal));
}
Tensor diagflat(const Tensor& x, int64_t offset) {
  OpScope op("diagflat");
  return diag_embed(reshape(x, {-1}), offset);
}

// ---- one tensor written into a part of another's copy

// src into its place in a copy: the shapes must be equal, nothing is broadcast.
static void put(const Tensor& place, const Tensor& src) {
  TG_CHECK(place.sizes() == src.sizes(), ShapeError, "src must have the shape ", place.sizes(), ", got ", src.sizes(), Named{"src", src});
  copy_(place, src);
}
Tensor select_scatter(const Tensor& x, const Tensor& src, int64_t dim, int64_t index) {
  OpScope op("select_scatter");
  Tensor out = clone(x);
  put(select(out, dim, index), src);
  return out;
}
Tensor slice_scatter(const Tensor& x, const Tensor& src, int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end, int64_t step) {
  OpScope op("slice_scatter");
  Tensor out = clone(x);
  put(slice(out, dim, start, end, step), src);
  return out;
}
Tensor diagonal_scatter(const Tensor& x, const Tensor& src, int64_t offset, int64_t dim1, int64_t dim2) {
  OpScope op("diagonal_scatter");
  Tensor out = clone(x);
  put(diagonal(out, offset, dim1, dim2), src);
  return out;
}

// ---- grids

std::vector<Tensor> meshgrid(TensorList tensors, std::string_view indexing) {
  OpScope op("meshgrid");
  TG_CHECK(!tensors.empty(), ValueError, "expected a non-empty list of tensors");
  TG_CHECK(indexing == "ij" || indexing == "xy", ValueError, "indexing must be 'ij' or 'xy', got '", indexing, "'");
  const bool swap = indexing == "xy" && tensors.size() > 1;
  const size_t n = tensors.size();
  Shape size;
  for (const Tensor& t : tensors) {
    TG_CHECK(t.dim() <= 1, ShapeError, "each tensor must have at most 1 dimension, got ", t.dim(), Named{"tensors", t});
    size.push_back(t.numel());
  }
  if (swap) std::swap(size[0], size[1]);
  std::vector<Tensor> out;
  for (size_t k = 0; k < n; k++) {
    Shape one(n, 1);
    one[swap && k < 2 ? 1 - k : k] = tensors[k].numel();
    out.push_back(expand(reshape(tensors[k], one), size));
  }
  return out;
}
Tensor cartesian_prod(TensorList tensors) {
  OpScope op("cartesian_prod");
  for (const Tensor& t : tensors) TG_CHECK(t.dim() == 1, ShapeError, "each tensor must have 1 dimension, got ", t.dim(), Named{"tensors", t});
  if (tensors.size() == 1) return tensors[0];
  std::vector<Tensor> flat = meshgrid(tensors);
  for (Tensor& t : flat) t = reshape(t, {-1});
  return stack(flat, 1);
}
Tensor block_diag(TensorList tensors) {
  OpScope op("block_diag");
  int64_t columns = 0;
  std::vector<Tensor> blocks;
  for (const Tensor& t : tensors) {
    TG_CHECK(t.dim() <= 2, ShapeError, "each tensor must have at most 2 dimensions, got ", t.dim(), Named{"tensors", t});
    blocks.push_back(atleast_2d(t));
    columns += blocks.back()->sizes[1];
  }
  if (blocks.empty()) return empty({1, 0}, default_dtype());
  std::vector<Tensor> lines;
  int64_t at = 0;
  for (const Tensor& b : blocks) {
    const int64_t h = b->sizes[0], w = b->sizes[1];
    lines.push_back(cat({zeros({h, at}, b.dtype(), b.device()), b, zeros({h, columns - at - w}, b.dtype(), b.device())}, 1));
    at += w;
  }
  return cat(lines, 0);
}

void triangle_ops(OpTable& t) {
  t.add("tril(Tensor input, int diagonal=0)", &tril, "Each matrix with zeros above a diagonal; diagonal > 0 keeps more.")
      .method().inplace(&tril_).complex().with_out().samples({"T(3, 4)", "T(3, 3), 1", "T(2, 3, 3), -1", "T(0, 3)", "T(3, 4).t(), 9"});
  t.add("triu(Tensor input, int diagonal=0)", &triu, "Each matrix with zeros below a diagonal; diagonal > 0 keeps less.")
      .method().inplace(&triu_).complex().with_out().samples({"T(3, 4)", "T(3, 3), 1", "T(2, 3, 3), -1", "T(0, 3)"});
  t.add("diag(Tensor input, int diagonal=0)", &diag, "A vector as the diagonal of a matrix of zeros, or the diagonal of a matrix as a vector.")
      .method().complex().with_out().samples({"T(3)", "T(3), -1", "T(3, 4), 1", "T(0)"});
  t.add("diag_embed(Tensor input, int offset=0, int dim1=-2, int dim2=-1)", &diag_embed, "The last dimension as the diagonal of matrices of zeros.")
      .method().complex().samples({"T(2, 3)", "T(3), 1", "T(2, 3), 0, 0, 2", "T(2, 0)"});
  t.add("diagflat(Tensor input, int offset=0)", &diagflat, "All elements as the diagonal of a matrix of zeros.").method().complex().samples({"T(2, 2)", "T(3), 1", "T()"});
  t.add("select_scatter(Tensor input, Tensor src, int dim, int index)", &select_scatter, "A copy of input with src at one index along dim.").method().samples({"T(2, 3), T(3), 0, 1"});
  t.add("slice_scatter(Tensor input, Tensor src, int dim=0, int? start=None, int? end=None, int step=1)", &slice_scatter, "A copy of input with src in a slice along dim.").method().samples({"T(4, 3), T(2, 3), 0, 1, 3"});
  t.add("diagonal_scatter(Tensor input, Tensor src, int offset=0, int dim1=0, int dim2=1)", &diagonal_scatter, "A copy of input with src on a diagonal.").method().complex().samples({"T(3, 3), T(3)", "T(3, 3), T(2), 1"});
  t.add("meshgrid(Tensor[] tensors, *, str indexing=\"ij\")", &meshgrid, "Views of the vectors, each spread over the grid of all; \"xy\" swaps the first two dimensions.")
      .samples({"T(2), T(3), indexing='ij'", "[T(2), T(3)], indexing='xy'", "[T(2), T(), T(3)], indexing='ij'"});
  t.add("cartesian_prod(Tensor[] tensors)", &cartesian_prod, "All combinations of one element from each vector, one row each.").complex().samples({"T(2), T(3)", "T(2)"});
  t.add("block_diag(Tensor[] tensors)", &block_diag, "Matrices along the diagonal of a matrix of zeros.").complex().samples({"T(2, 2), T(1, 3)", "T(), T(3)"});
}

}  // namespace tapegrad
