// Views: new sizes and strides over the same memory, O(1) and without a copy. Each has a node whose gradient is the inverse
// view where there is one; the rest (diagonal, unfold, as_strided) let the tape scatter the gradient through the strides.
// In-place forms (transpose_ …) change the tensor's own geometry; see change_geometry.
#include "src/ops/view.h"

#include <algorithm>
#include <utility>

#include "src/ops/op_info.h"
#include "src/tensor/make.h"

namespace tapegrad {

// ---- view, reshape, flatten

[[gnu::cold, gnu::noinline]] static void wrong_size(const Tensor& x, IntList size) {
  detail::fail<ShapeError>("shape ", size, " is invalid for input of size ", x.numel(), Named{"input", x});
}
Shape infer_size(const Tensor& x, IntList size) {
  Shape s(size);
  int64_t known = 1;
  int unknown = -1;
  for (size_t d = 0; d < size.size(); d++) {
    if (size[d] == -1) {
      TG_CHECK(unknown < 0, ShapeError, "only one dimension can be inferred, got ", size);
      unknown = int(d);
      continue;
    }
    TG_CHECK(size[d] >= 0, ShapeError, "sizes must be -1 or more, got ", size);
    if (__builtin_mul_overflow(known, size[d], &known)) wrong_size(x, size);
  }
  if (unknown >= 0) {
    TG_CHECK(known != 0 || x.numel() != 0, ShapeError, "cannot infer the size of dimension ", unknown, " of shape ", size,
             ": with no elements any value fits", Named{"input", x});
    if (known == 0 || x.numel() % known) wrong_size(x, size);
    s[size_t(unknown)] = x.numel() / known;
  } else if (known != x.numel()) {
    wrong_size(x, size);
  }
  return s;
}

// Strides that show x's elements in row-major order as `size`; false when no strides do.
static bool view_strides(const Tensor& x, const Shape& size, Shape& strides) {
  strides = row_major_strides(size);
  if (x->contiguous) return true;
  // x as runs: dimensions that follow each other in memory merged into one, sizes of 1 left out.
  std::pair<int64_t, int64_t> runs[kMaxDims];  // (elements, stride)
  size_t n = 0;
  for (int d = 0; d < x.dim(); d++) {
    const int64_t count = x->sizes[d], stride = x->strides[d];
    if (count == 1) continue;
    if (n && runs[n - 1].second == count * stride) runs[n - 1] = {runs[n - 1].first * count, stride};
    else runs[n++] = {count, stride};
  }
  // Each run must be filled by some of the new dimensions exactly; taken from the last.
  size_t d = size.size();
  while (n-- > 0) {
    int64_t filled = 1;
    while (d > 0 && filled < runs[n].first) {
      d--;
      strides[d] = runs[n].second * filled;
      filled *= size[d];
    }
    if (filled != runs[n].first) return false;
  }
  return true;
}

struct ViewBackward final : NodeOf<1> {
  Shape sizes;
  const char* title;
  ViewBackward(const Tensor& x, const char* t) : NodeOf(x), sizes(x.sizes()), title(t) {}
  const char* name() const override { return title; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = reshape(g, sizes); }
};
// The view op `title` with known geometry whose gradient is a reshape.
static Tensor reshaped(const Tensor& x, const Shape& size, const Shape& strides, const char* title) {
  Tensor out = alias(x, size, strides, 0, true);
  if (recording(x)) record<ViewBackward>(out, x, title);
  return out;
}
// Is `size` what most calls of view and reshape give: all sizes known, of a contiguous tensor?
static bool plain_size(const Tensor& x, IntList size) {
  if (!x->contiguous) return false;
  int64_t n = 1;
  bool known = true;
  for (int64_t s : size) known &= s > 0 && !__builtin_mul_overflow(n, s, &n);
  return known && n == x->numel;
}
static Tensor reshaped_plain(const Tensor& x, IntList size) {
  TensorImpl* i = new_alias(*x.get(), x->data, true);
  int64_t step = 1;
  set_dims(i, size.size(), [&](size_t d) { return Dim{size[d], std::exchange(step, step * size[d])}; });
  Tensor out = Tensor::adopt(i);
  if (recording(x)) record<ViewBackward>(out, x, "ViewBackward0");
  return out;
}

Tensor view(const Tensor& x, IntList shape) {
  OpScope op("view");
  if (plain_size(x, shape)) return reshaped_plain(x, shape);
  const Shape size = infer_size(x, shape);
  Shape strides;
  if (!view_strides(x, size, strides)) [[unlikely]]
    detail::fail<ShapeError>("no strides can show input of strides ", x.strides(), " as shape ", size, Named{"input", x},
                             "\n  hint: reshape copies where it must");
  return reshaped(x, size, strides, "ViewBackward0");
}
Tensor view(const Tensor& x, Dtype dtype) {
  OpScope op("view");
  const int64_t from = int64_t(x.element_size()), to = int64_t(item_size(dtype));
  Shape size(x.sizes()), strides(x.strides());
  if (from != to) {
    TG_CHECK(x.dim() > 0, ShapeError, "a 0-d tensor can be viewed only as a dtype of the same item size, got ", dtype, Named{"input", x});
    const size_t last = size.size() - 1;
    TG_CHECK(strides[last] == 1 || size[last] == 1, ShapeError, "the last dimension must have stride 1 to be viewed as ", dtype, ", got strides ", x.strides(), Named{"input", x});
    TG_CHECK(size[last] * from % to == 0, ShapeError, "the last dimension must hold whole elements of ", dtype, ", got ", size[last] * from, " bytes", Named{"input", x});
    for (size_t d = 0; d < last; d++) {
      TG_CHECK(strides[d] * from % to == 0 || size[d] == 1, ShapeError, "strides must be whole elements of ", dtype, ", got ", x.strides(), Named{"input", x});
      strides[d] = strides[d] * from / to;
    }
    TG_CHECK((x->data - x->storage->data) % to == 0, ShapeError, "the storage offset must be a whole number of elements of ", dtype, Named{"input", x});
    size[last] = size[last] * from / to;
    strides[last] = 1;
  }
  Tensor out = alias(x, size, strides, 0, false);  // bits have no gradient, so the tape does not follow
  out->dtype = dtype;
  return out;
}
Tensor view_as(const Tensor& x, const Tensor& other) { return view(x, other.sizes()); }

Tensor reshape(const Tensor& x, IntList shape) {
  OpScope op("reshape");
  if (plain_size(x, shape)) return reshaped_plain(x, shape);
  const Shape size = infer_size(x, shape);
  Shape strides;
  if (view_strides(x, size, strides)) return reshaped(x, size, strides, "ViewBackward0");
  const Tensor copy = clone(x, MemoryFormat::Contiguous);
  Tensor out = alias(copy, size, row_major_strides(size), 0, false);  // nobody sees the copy, so the result is no view of it
  if (recording(copy)) record<ViewBackward>(out, copy, "UnsafeViewBackward0");
  return out;
}
Tensor reshape_as(const Tensor& x, const Tensor& other) { return reshape(x, other.sizes()); }

Tensor ravel(const Tensor& x) {
  OpScope op("ravel");
  return reshape(x, {-1});
}
Tensor flatten(const Tensor& x, int64_t start_dim, int64_t end_dim) {
  OpScope op("flatten");
  const int64_t from = wrap_dim(start_dim, x.dim(), x), to = wrap_dim(end_dim, x.dim(), x);
  TG_CHECK(from <= to, ShapeError, "start_dim must not come after end_dim, got ", start_dim, " and ", end_dim, Named{"input", x});
  if (x.dim() == 0) return reshape(x, {1});
  if (from == to) return x;
  Shape size;
  for (int64_t d = 0; d < x.dim(); d++) {
    if (d > from && d <= to) size.back() *= x->sizes[d];
    else size.push_back(x->sizes[d]);
  }
  return reshape(x, size);
}
Tensor unflatten(const Tensor& x, int64_t dim, IntList sizes) {
  OpScope op("unflatten");
  const int64_t at = wrap_dim(dim, x.dim(), x);
  TG_CHECK(!sizes.empty(), ShapeError, "sizes must not be empty", Named{"input", x});
  int64_t known = 1, unknown = 0;
  for (int64_t s : sizes) s == -1 ? unknown++ : known *= s;
  const int64_t n = size_of(x, at);
  TG_CHECK(unknown <= 1 && (unknown ? known > 0 && n % known == 0 : known == n), ShapeError, "sizes must multiply to the ", n,
           " of dimension ", dim, ", got ", sizes, Named{"input", x});
  Shape size;
  for (int64_t d = 0; d < at; d++) size.push_back(x->sizes[d]);
  for (int64_t s : sizes) size.push_back(s == -1 ? n / known : s);
  for (int64_t d = at + 1; d < x.dim(); d++) size.push_back(x->sizes[d]);
  return view(x, size);
}

// ---- transpose, permute

struct TransposeBackward final : NodeOf<1> {
  int64_t a, b;
  const char* title;
  TransposeBackward(const Tensor& x, int64_t i, int64_t j, const char* t) : NodeOf(x), a(i), b(j), title(t) {}
  const char* name() const override { return title; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = transpose(g, a, b); }
};
static Tensor swapped(const Tensor& x, int64_t a, int64_t b, const char* title) {
  TensorImpl* i = new_alias(*x.get(), x->data, true);
  set_dims(i, size_t(x.dim()), [&](size_t d) {
    const size_t from = d == size_t(a) ? size_t(b) : d == size_t(b) ? size_t(a) : d;
    return Dim{x->sizes[from], x->strides[from]};
  });
  Tensor out = Tensor::adopt(i);
  if (recording(x)) record<TransposeBackward>(out, x, a, b, title);
  return out;
}
Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1) {
  OpScope op("transpose");
  return swapped(x, wrap_dim(dim0, x.dim(), x), wrap_dim(dim1, x.dim(), x), "TransposeBackward0");
}
Tensor t(const Tensor& x) {
  OpScope op("t");
  TG_CHECK(x.dim() <= 2, ShapeError, "input must have at most 2 dimensions, got ", x.dim(), Named{"input", x});
  return swapped(x, 0, x.dim() == 2 ? 1 : 0, "TBackward0");
}
Tensor mT(const Tensor& x) {
  OpScope op("mT");
  TG_CHECK(x.dim() >= 2, ShapeError, "input must have at least 2 dimensions, got ", x.dim(), Named{"input", x});
  return swapped(x, x.dim() - 2, x.dim() - 1, "TransposeBackward0");
}

struct PermuteBackward final : NodeOf<1> {
  Shape inverse;
  PermuteBackward(const Tensor& x, const Shape& dims) : NodeOf(x), inverse(dims.size(), 0) {
    for (size_t d = 0; d < dims.size(); d++) inverse[size_t(dims[d])] = int64_t(d);
  }
  const char* name() const override { return "PermuteBackward0"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = permute(g, inverse); }
};
Tensor permute(const Tensor& x, IntList dims) {
  OpScope op("permute");
  const size_t n = size_t(x.dim());
  TG_CHECK(dims.size() == n, ShapeError, "dims must name each of the ", n, " dimensions once, got ", dims, Named{"input", x});
  Shape order, size, strides;
  uint32_t seen = 0;
  for (int64_t given : dims) {
    const int64_t d = wrap_dim(given, x.dim(), x);
    TG_CHECK(!(seen >> d & 1), ShapeError, "dims must name each of the ", n, " dimensions once, got ", dims, Named{"input", x});
    seen |= uint32_t(1) << d;
    order.push_back(d), size.push_back(x->sizes[d]), strides.push_back(x->strides[d]);
  }
  Tensor out = alias(x, size, strides, 0, true);
  if (recording(x)) record<PermuteBackward>(out, x, order);
  return out;
}
Tensor movedim(const Tensor& x, IntList source, IntList destination) {
  OpScope op("movedim");
  TG_CHECK(source.size() == destination.size(), ShapeError, "source and destination must have the same length, got ", source, " and ", destination, Named{"input", x});
  const size_t n = size_t(x.dim());
  Shape order(n, -1);
  uint32_t moved = 0;
  for (size_t k = 0; k < source.size(); k++) {
    const int64_t from = wrap_dim(source[k], x.dim(), x), to = wrap_dim(destination[k], x.dim(), x);
    TG_CHECK(!(moved >> from & 1) && (n == 0 || order[size_t(to)] < 0), ShapeError, "source and destination must each name a dimension only once, got ", source, " and ", destination, Named{"input", x});
    moved |= uint32_t(1) << from;
    if (n) order[size_t(to)] = from;
  }
  int64_t next = 0;
  for (size_t k = 0; k < n; k++) {
    if (order[k] >= 0) continue;
    while (moved >> next & 1) next++;
    order[k] = next++;
  }
  return permute(x, order);
}

// ---- squeeze, unsqueeze

static Tensor without_dims(const Tensor& x, uint32_t drop) {
  Shape size, strides;
  for (int d = 0; d < x.dim(); d++) {
    if ((drop >> d & 1) && x->sizes[d] == 1) continue;
    size.push_back(x->sizes[d]), strides.push_back(x->strides[d]);
  }
  return reshaped(x, size, strides, "SqueezeBackward0");
}
static uint32_t dims_mask(const Tensor& x, IntList dims) {
  uint32_t mask = 0;
  for (int64_t given : dims) {
    const int64_t d = wrap_dim(given, x.dim(), x);
    TG_CHECK(!(mask >> d & 1), ShapeError, "dimension ", d, " appears several times in dim, got ", dims, Named{"input", x});
    mask |= uint32_t(1) << d;
  }
  return mask;
}
Tensor squeeze(const Tensor& x) {
  OpScope op("squeeze");
  return without_dims(x, ~uint32_t(0));
}
Tensor squeeze(const Tensor& x, IntList dim) {
  OpScope op("squeeze");
  return without_dims(x, dims_mask(x, dim));
}
struct UnsqueezeBackward final : NodeOf<1> {
  int64_t dim;
  UnsqueezeBackward(const Tensor& x, int64_t d) : NodeOf(x), dim(d) {}
  const char* name() const override { return "UnsqueezeBackward0"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = squeeze(g, {dim}); }
};
Tensor unsqueeze(const Tensor& x, int64_t dim) {
  OpScope op("unsqueeze");
  const size_t at = size_t(wrap_dim(dim, x.dim() + 1, x)), n = size_t(x.dim());
  Shape size(x.sizes()), strides(x.strides());
  const int64_t stride = at < n ? size[at] * strides[at] : 1;
  size.insert(at, 1), strides.insert(at, stride);
  Tensor out = alias(x, size, strides, 0, true);
  if (recording(x)) record<UnsqueezeBackward>(out, x, int64_t(at));
  return out;
}

// ---- expand

struct ExpandBackward final : NodeOf<1> {
  Shape sizes;
  explicit ExpandBackward(const Tensor& x) : NodeOf(x), sizes(x.sizes()) {}
  const char* name() const override { return "ExpandBackward0"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = sum_to_size(g, sizes); }
};
Tensor expand(const Tensor& x, IntList size) {
  OpScope op("expand");
  const size_t n = size.size(), have = size_t(x.dim());
  TG_CHECK(n >= have, ShapeError, "size must have at least the ", have, " dimensions of input, got ", size, Named{"input", x});
  Shape out_size(size), strides(n, 0);
  for (size_t d = 0; d < n; d++) {
    const bool is_new = d < n - have;
    const size_t from = d - (n - have);
    const int64_t s = is_new ? 1 : x->sizes[from];
    if (size[d] == -1) {
      TG_CHECK(!is_new, ShapeError, "-1 is not allowed in a new leading dimension, got ", size, Named{"input", x});
      out_size[d] = s;
    } else {
      TG_CHECK(size[d] == s || (s == 1 && size[d] >= 0), ShapeError, "dimension ", d, " of size must be ", s == 1 ? int64_t(0) : s,
               s == 1 ? " or more" : " as in input", ", got ", size, Named{"input", x});
    }
    strides[d] = is_new || (s == 1 && out_size[d] != 1) ? 0 : x->strides[from];
  }
  Tensor out = alias(x, out_size, strides, 0, true);
  if (recording(x)) record<ExpandBackward>(out, x);
  return out;
}
Tensor expand_as(const Tensor& x, const Tensor& other) { return expand(x, other.sizes()); }
Tensor broadcast_to(const Tensor& x, IntList size) {
  OpScope op("broadcast_to");
  return expand(x, size);
}
Shape broadcast_sizes(TensorList tensors) {
  Shape out;
  for (const Tensor& t : tensors) {
    while (out.size() < size_t(t.dim())) out.insert(0, 1);
    const size_t lead = out.size() - size_t(t.dim());
    for (int64_t d = 0; d < t.dim(); d++) {
      int64_t& o = out[lead + size_t(d)];
      if (o == 1) o = t->sizes[d];
      else TG_CHECK(t->sizes[d] == 1 || t->sizes[d] == o, ShapeError, "shapes do not broadcast, dimension ", d - t.dim(), " is ", t->sizes[d], " in one tensor and ", o, " in those before", Named{"tensor", t});
    }
  }
  return out;
}
std::vector<Tensor> broadcast_tensors(TensorList tensors) {
  OpScope op("broadcast_tensors");
  const Shape size = broadcast_sizes(tensors);
  std::vector<Tensor> out;
  for (const Tensor& t : tensors) out.push_back(expand(t, size));
  return out;
}

// ---- in place: the tensor itself gets the view's geometry

// Same memory, so for the tape this is an ordinary in-place op: old value, view of it, new value.
template <class Node, class... A> static const Tensor& change_geometry(const Tensor& self, const Tensor& shown, A... a) {
  InPlace guard(self, recording(self));
  TensorImpl *to = self.get(), *from = shown.get();
  if (to->sizes != to->inline_dims) pool_free(to->sizes, 2 * size_t(to->ndim) * sizeof(int64_t));
  std::copy_n(from->inline_dims, 2 * TensorImpl::kInlineDims, to->inline_dims);
  const bool fits = from->sizes == from->inline_dims;
  to->sizes = fits ? to->inline_dims : from->sizes;
  to->strides = fits ? to->inline_dims + TensorImpl::kInlineDims : from->strides;
  to->ndim = from->ndim, to->contiguous = from->contiguous;
  if (!fits) from->sizes = from->inline_dims, from->ndim = 0;  // its long lists are self's now
  if (recording(self)) guard.record<Node>(guard.before(), a...);
  return self;
}
static Tensor shown_as(const Tensor& x, Tensor (*f)(const Tensor&, IntList), IntList l) {
  NoGrad guard;
  return f(detach(x), l);
}
const Tensor& transpose_(const Tensor& self, int64_t dim0, int64_t dim1) {
  OpScope op("transpose_");
  const int64_t a = wrap_dim(dim0, self.dim(), self), b = wrap_dim(dim1, self.dim(), self);
  return change_geometry<TransposeBackward>(self, shown_as(self, [](const Tensor& x, IntList d) { return transpose(x, d[0], d[1]); }, {a, b}), a, b, "TransposeBackward0");
}
const Tensor& t_(const Tensor& self) {
  OpScope op("t_");
  TG_CHECK(self.dim() <= 2, ShapeError, "input must have at most 2 dimensions, got ", self.dim(), Named{"input", self});
  return transpose_(self, 0, self.dim() == 2 ? 1 : 0);
}
const Tensor& squeeze_(const Tensor& self) {
  OpScope op("squeeze_");
  return change_geometry<ViewBackward>(self, shown_as(self, [](const Tensor& x, IntList) { return squeeze(x); }, {}), "SqueezeBackward0");
}
const Tensor& squeeze_(const Tensor& self, IntList dim) {
  OpScope op("squeeze_");
  return change_geometry<ViewBackward>(self, shown_as(self, [](const Tensor& x, IntList d) { return squeeze(x, d); }, dim), "SqueezeBackward0");
}
const Tensor& unsqueeze_(const Tensor& self, int64_t dim) {
  OpScope op("unsqueeze_");
  const int64_t at = wrap_dim(dim, self.dim() + 1, self);
  return change_geometry<UnsqueezeBackward>(self, shown_as(self, [](const Tensor& x, IntList d) { return unsqueeze(x, d[0]); }, {at}), at);
}

void view_ops(OpTable& t) {
  t.add("view(Tensor input, int[] size)", static_cast<Tensor (*)(const Tensor&, IntList)>(&view),
        "The same elements in row-major order under another shape, without a copy; one size may be -1. Raises ShapeError when no strides can show it: reshape copies then.")
      .method_only().complex().samples({"T(2, 6), [3, 4]", "T(2, 3, 4), [-1, 4]", "T(), [1, 1]", "T(0, 3), [3, 0]", "T(1), []"});
  t.add("view(Tensor input, dtype dtype)", static_cast<Tensor (*)(const Tensor&, Dtype)>(&view),
        "The same bits read as another dtype; the last dimension grows or shrinks with the item size. Has no gradient.")
      .method_only().no_grad().samples({"T(2, 3, dtype=float32, grad=False), int32", "I(2, 3), int16"});
  t.add("view_as(Tensor input, Tensor other)", &view_as, "view(input, other.shape).").method_only().complex().samples({"T(2, 6), T(3, 4)"});
  t.add("reshape(Tensor input, int[] shape)", &reshape,
        "The same elements in row-major order under another shape: a view where strides allow, else a copy. One size may be -1.")
      .method().complex().samples({"T(2, 6), [3, 4]", "T(2, 3, 4).transpose(0, 1), [-1]", "T(), [1, 1]", "T(0, 3), [-1, 3]"});
  t.add("reshape_as(Tensor input, Tensor other)", &reshape_as, "reshape(input, other.shape).").method_only().complex().samples({"T(2, 6), T(3, 4)"});
  t.add("ravel(Tensor input)", &ravel, "All elements as one dimension; a view where possible.").method().complex().samples({"T(2, 3)", "T()", "T(0, 3)"});
  t.add("flatten(Tensor input, int start_dim=0, int end_dim=-1)", &flatten, "Dimensions start_dim to end_dim (included) joined to one; a view where possible.")
      .method().complex().samples({"T(2, 3, 4)", "T(2, 3, 4), 1", "T(2, 3, 4), 0, -2", "T()", "T(0, 3)"});
  t.add("unflatten(Tensor input, int dim, int[] sizes)", &unflatten, "Dimension dim split into several; one of sizes may be -1.")
      .method().complex().samples({"T(2, 12), 1, [3, -1]", "T(6), -1, [2, 3]", "T(0, 4), 1, [2, 2]"});

  t.add("transpose(Tensor input, int dim0, int dim1)", &transpose, "A view with two dimensions swapped.")
      .method().inplace(&transpose_).complex().samples({"T(2, 3), 0, 1", "T(2, 3, 4), -1, 0", "T(), 0, -1", "T(0, 3), 0, 1"});
  t.add("swapaxes(Tensor input, int axis0, int axis1)", &transpose, "transpose, in NumPy's words.").method().inplace(&transpose_).complex().samples({"T(2, 3, 4), 0, 2"});
  t.add("swapdims(Tensor input, int dim0, int dim1)", &transpose, "Another name of transpose: dim0 and dim1 change places.").method().inplace(&transpose_).complex().samples({"T(2, 3, 4), 1, 2"});
  t.add("t(Tensor input)", &tapegrad::t, "The transpose of a matrix; vectors and 0-d tensors stay as they are.").method().inplace(&t_).complex().samples({"T(2, 3)", "T(3)", "T()"});
  t.add("permute(Tensor input, int[] dims)", &permute, "A view whose dimension k is input's dimension dims[k].")
      .method().complex().samples({"T(2, 3, 4), [2, 0, 1]", "T(2, 3), [-1, 0]", "T(), []", "T(0, 3), [1, 0]"});
  t.add("movedim(Tensor input, int[] source, int[] destination)", &movedim, "A view with the dimensions source moved to the positions destination; the others keep their order.")
      .method().complex().samples({"T(2, 3, 4), 0, -1", "T(2, 3, 4), [0, 1], [2, 0]"});
  t.add("moveaxis(Tensor input, int[] source, int[] destination)", &movedim, "Dimensions moved to other positions, the rest in order.").method().complex().samples({"T(2, 3, 4), 0, -1"});
  t.add("squeeze(Tensor input)", static_cast<Tensor (*)(const Tensor&)>(&squeeze), "A view without the dimensions of size 1.")
      .method().inplace(static_cast<const Tensor& (*)(const Tensor&)>(&squeeze_)).complex().samples({"T(1, 2, 1, 3)", "T(1)", "T()", "T(0, 1)"});
  t.add("squeeze(Tensor input, int[] dim)", static_cast<Tensor (*)(const Tensor&, IntList)>(&squeeze), "A view without those dimensions in dim that have size 1.")
      .method().inplace(static_cast<const Tensor& (*)(const Tensor&, IntList)>(&squeeze_)).complex().samples({"T(1, 2, 1), 0", "T(1, 2, 1), [0, -1]", "T(2, 3), 1"});
  t.add("unsqueeze(Tensor input, int dim)", &unsqueeze, "A view with a new dimension of size 1 at dim.")
      .method().inplace(&unsqueeze_).complex().samples({"T(2, 3), 0", "T(2, 3), -1", "T(), 0", "T(0, 3), 1"});
  t.add("expand(Tensor input, int[] size)", &expand, "A view with dimensions of size 1 repeated (stride 0) and new leading ones; -1 keeps a size.")
      .method_only().complex().samples({"T(1, 3), [2, 3]", "T(3), [2, -1]", "T(), [2, 2]", "T(1, 3), [0, 3]"});
  t.add("expand_as(Tensor input, Tensor other)", &expand_as, "expand(input, other.shape).").method_only().complex().samples({"T(1, 3), T(2, 3)"});
  t.add("broadcast_to(Tensor input, int[] size)", &broadcast_to, "expand, as a function.").method().complex().samples({"T(3), [2, 3]"});
  t.add("broadcast_tensors(Tensor[] tensors)", &broadcast_tensors, "All expanded to the shape they broadcast to.").complex().samples({"T(2, 1), T(3)"});
}

}  // namespace tapegrad
