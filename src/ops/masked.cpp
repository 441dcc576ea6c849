// Ops over a bool mask: nonzero, masked_select, masked_fill, masked_scatter.
#include "src/ops/copy.h"
#include "src/ops/cuda/launch.h"
#include "src/ops/elementwise.h"
#include "src/ops/op_info.h"
#include "src/ops/index_rows.h"

namespace tapegrad {

Tensor nonzero(const Tensor& x) {
  OpScope op("nonzero");
  return transpose(nonzero_columns(x), 0, 1);
}

static void check_mask(const Tensor& mask) {
  TG_CHECK(mask.dtype() == Dtype::Bool, DtypeError, "mask must be a bool tensor, got ", mask.dtype(), Named{"mask", mask});
}
static Tensor as_shape(const Tensor& t, const Shape& size) { return t.sizes() == size ? t : expand(t, size); }

struct SelectBackward final : NodeOf<1> {
  const char* title;
  SavedTensor mask;
  SelectBackward(const Tensor& x, const Tensor& m, const char* t) : NodeOf(x), title(t), mask(m) {}
  const char* name() const override { return title; }
  void backward(Tensor g, Tensor* dx) override {
    const Tensor m = mask.unpack(*this);
    dx[0] = masked_scatter(zeros(m.sizes(), g.dtype(), g.device()), m, g);
  }
  void free_saved() override { mask.reset(); }
};
Tensor select_set(const Tensor& x, const Tensor& mask, const char* title) {
  Tensor out = get_set(x, mask);
  if (recording(x)) record<SelectBackward>(out, x, to(mask, Dtype::Bool), title);
  return out;
}
Tensor masked_select(const Tensor& x, const Tensor& mask) {
  OpScope op("masked_select");
  check_mask(mask);
  const Shape size = broadcast_sizes({x, mask});
  return select_set(as_shape(x, size), as_shape(mask, size), "MaskedSelectBackward0");
}

// ---- masked_fill

// One element, `value`, wherever mask (broadcast to x) is set.
static void fill_where(const Tensor& x, const Tensor& mask, const Tensor& value) {
  if (!x.numel()) return;
  if (x.is_cuda()) {
    NoGrad off;
    return cuda_copy(x, where(mask, value, detach(x)));
  }
  Walk<2> walk;
  const Tensor m = as_shape(mask, x.sizes());
  const int last = int(x.dim()) - 1;
  for (int d = 0; d < last; d++) walk.add(x->sizes[d], x->strides[d], m->strides[d]);
  int64_t n = last < 0 ? 1 : x->sizes[last], step = last < 0 ? 1 : x->strides[last], mask_step = last < 0 ? 1 : m->strides[last];
  if (x->contiguous && m->contiguous) walk = {}, n = 1, step = mask_step = 1, walk.add(x.numel(), int64_t(1), int64_t(1));
  const bool flat = x->contiguous && m->contiguous;
  LongKernel unlock(x.numel());
  by_size(x.element_size(), [&](auto zero) {
    using T = decltype(zero);
    T* o = x->host<T>();
    const T v = *value->host<const T>();
    const uint8_t* p = m->host<const uint8_t>();
    if (flat) {
      parallel_for(x.numel(), int64_t(1) << 15, [&](int64_t begin, int64_t end) { for (int64_t i = begin; i < end; i++) o[i] = p[i] ? v : o[i]; });
      return;
    }
    parallel_for(walk.count, grain_for(n), [&](int64_t begin, int64_t end) {
      walk(begin, end, [&](const int64_t (&at)[2]) {
        T* row = o + at[0];
        const uint8_t* flags = p + at[1];
        if (step == 1 && mask_step == 1) for (int64_t i = 0; i < n; i++) row[i] = flags[i] ? v : row[i];
        else for (int64_t i = 0; i < n; i++) if (flags[i * mask_step]) row[i * step] = v;
      });
    });
  });
}
struct MaskedFillBackward final : NodeOf<2> {
  Shape sizes;
  SavedTensor mask;
  MaskedFillBackward(const Tensor& x, const Tensor& value, const Tensor& m) : NodeOf(x, value), sizes(x.sizes()), mask(m) {}
  const char* name() const override { return "MaskedFillBackward0"; }
  void backward(Tensor g, Tensor* dx) override {
    const Tensor m = mask.unpack(*this);
    if (needs(0)) dx[0] = sum_to_size(masked_fill(g, m, Scalar(0)), sizes);
    if (needs(1)) dx[1] = sum(masked_select(g, m));
  }
  void free_saved() override { mask.reset(); }
};
static Tensor fill_number(const Tensor& x, const Tensor& value) {
  TG_CHECK(value.dim() == 0, ShapeError, "value must be a number or a 0-d tensor, got ", value.sizes(), Named{"value", value});
  if (!value.is_cuda() && is_integral(x.dtype())) check_fits(value.item(), x.dtype());
  return to(value, x.dtype());
}
Tensor masked_fill(const Tensor& x, const Tensor& mask, const Tensor& value) {
  OpScope op("masked_fill");
  check_mask(mask);
  const Tensor v = fill_number(x, value);
  Tensor out;
  {
    NoGrad guard;
    out = clone(as_shape(detach(x), broadcast_sizes({x, mask})));
    fill_where(out, mask, v);
  }
  if (recording(x, v)) record<MaskedFillBackward>(out, x, v, mask);
  return out;
}
const Tensor& masked_fill_(const Tensor& self, const Tensor& mask, const Tensor& value) {
  OpScope op("masked_fill_");
  check_mask(mask);
  check_writable(self);
  const Tensor v = fill_number(self, value);
  const Tensor m = as_shape(mask, self.sizes());
  InPlace guard(self, recording(self, v));
  fill_where(self, m->storage == self->storage ? clone(m) : m, v);
  if (recording(self, v)) guard.record<MaskedFillBackward>(guard.before(), v, mask);
  return self;
}
Tensor masked_fill(const Tensor& x, const Tensor& mask, Scalar value) { return masked_fill(x, mask, Tensor(value)); }
const Tensor& masked_fill_(const Tensor& self, const Tensor& mask, Scalar value) { return masked_fill_(self, mask, Tensor(value)); }

// ---- masked_scatter

static Tensor first_values(const Tensor& x, const Tensor& mask, const Tensor& source, std::vector<Tensor>& at) {
  check_mask(mask);
  TG_CHECK(source.dtype() == x.dtype(), DtypeError, "source must have the dtype of input, got ", source.dtype(), Named{"input", x}, Named{"source", source});
  at = integer_indices(x, {mask});
  const int64_t n = at[0].numel();
  TG_CHECK(source.numel() >= n, ShapeError, "source must have at least the ", n, " elements that mask selects, got ", source.numel(), Named{"source", source});
  return narrow(reshape(source, {-1}), 0, 0, n);
}
Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& source) {
  OpScope op("masked_scatter");
  const Shape size = broadcast_sizes({x, mask});
  if (size.empty()) return reshape(masked_scatter(reshape(x, {1}), reshape(mask, {1}), source), {});
  const Tensor wide = as_shape(x, size);
  std::vector<Tensor> at;
  const Tensor values = first_values(wide, as_shape(mask, size), source, at);
  return index_put(wide, at, values);
}
const Tensor& masked_scatter_(const Tensor& self, const Tensor& mask, const Tensor& source) {
  OpScope op("masked_scatter_");
  const Tensor target = self.dim() ? self : reshape(self, {1});
  std::vector<Tensor> at;
  const Tensor values = first_values(target, as_shape(mask, target.sizes()), source, at);
  index_put_(target, at, values);
  return self;
}

namespace {
struct Positions {  // a tensor, or a tuple with a vector per dimension
  std::vector<Tensor> tensors;
  bool tuple;
};
void box(Result& r, Positions p) {
  if (p.tuple) r.kind = Result::Kind::List, r.tensors = std::move(p.tensors);
  else r.kind = Result::Kind::Tensor, r.tensor = p.tensors[0];
}
Positions nonzero_row(const Tensor& x, bool as_tuple) {
  OpScope op("nonzero");
  if (!as_tuple) return {{nonzero(x)}, false};
  return {unbind(nonzero_columns(x.dim() ? x : reshape(x, {1})), 0), true};
}
Positions where_row(const Tensor& condition) { return nonzero_row(condition, true); }
}  // namespace

void masked_ops(OpTable& t) {
  t.add("where(Tensor condition)", &where_row, "Positions where the condition holds, a vector per dimension: nonzero with as_tuple.").no_grad().samples({"B(3, 4)"});
  t.add("nonzero(Tensor input, *, bool as_tuple=False)", &nonzero_row, "Positions of the elements that are not zero, int64[n, input.dim()], in row-major order; with as_tuple a vector per dimension.")
      .method().no_grad().with_out().samples({"C(0, 1, 2, 0)", "B(3, 4)", "C(3)[0]", "B(3, 4), as_tuple=True"});
  t.add("argwhere(Tensor input)", &nonzero, "The positions of all nonzero elements, one row each: (how many, dim).").method().no_grad().samples({"B(3, 4)"});
  t.add("masked_select(Tensor input, Tensor mask)", &masked_select, "The elements where mask is set, as a vector; input and mask broadcast.")
      .method().complex().with_out().samples({"T(3, 4), B(3, 4)", "T(3, 4), B(4)", "T(3, 1), B(4)", "T(), B()"});
  t.add("masked_fill(Tensor input, Tensor mask, Tensor|Number value)", static_cast<Tensor (*)(const Tensor&, const Tensor&, const Tensor&)>(&masked_fill),
        "value where mask is set, input elsewhere; value is a number or a 0-d tensor.")
      .method().inplace(static_cast<const Tensor& (*)(const Tensor&, const Tensor&, const Tensor&)>(&masked_fill_))
      .complex().samples({"T(3, 4), B(3, 4), 1.5", "T(3, 4), B(4), T()", "T(3, 4), B(3, 1), -2", "T(), B(), 0", "T(0, 3), B(3), 1.0"});
  t.add("masked_scatter(Tensor input, Tensor mask, Tensor source)", &masked_scatter, "The elements of source, in order, where mask is set; input elsewhere.")
      .method().inplace(&masked_scatter_).complex().samples({"T(3, 4), B(3, 4), T(12)", "T(3, 4), B(4), T(3, 4)"});
}

}  // namespace tapegrad
