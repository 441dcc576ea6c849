// Gradients of views from geometry alone: y's elements inside x's memory, whatever op made y.
#include "src/autograd/view.h"

#include <pthread.h>

#include <algorithm>
#include <mutex>

#include "src/autograd/node.h"
#include "tapegrad/ops.h"

namespace tapegrad {
namespace {

// Where one of x and y is complex and the other real (view_as_real), both are seen as reals.
struct Geometry {
  Shape sizes, strides;
  int64_t offset = 0;  // elements from the first of x
  bool in_reals = false;
  Geometry(const Tensor& t, const char* origin, bool reals = false)
      : sizes(t.sizes()), strides(t.strides()), offset((t->data - origin) / int64_t(item_size(reals ? real_dtype(t.dtype()) : t.dtype()))),
        in_reals(reals && is_complex(t.dtype())) {
    if (!in_reals) return;
    for (int64_t& s : strides) s *= 2;
    sizes.push_back(2), strides.push_back(1);
  }
  Tensor seen(const Tensor& t) const { return in_reals ? view_as_real(t) : t; }
  Tensor back(const Tensor& t) const { return in_reals ? view_as_complex(t) : t; }
};
bool mixed(const Tensor& a, const Tensor& b) { return is_complex(a.dtype()) != is_complex(b.dtype()); }

int64_t reach(IntList size, IntList stride) {  // one past the last element
  int64_t last = 0;
  for (size_t d = 0; d < size.size(); d++) {
    if (!size[d]) return 0;
    last += (size[d] - 1) * stride[d];
  }
  return last + 1;
}
// May two indices be the same element? Sorted by stride, each dim must step over all that the smaller ones reach.
bool overlaps(IntList size, IntList stride) {
  std::pair<int64_t, int64_t> d[kMaxDims];
  size_t n = 0;
  for (size_t k = 0; k < size.size(); k++) if (size[k] > 1) d[n++] = {stride[k], size[k]};
  std::sort(d, d + n);
  int64_t covered = 1;
  for (size_t k = 0; k < n; k++) {
    if (d[k].first < covered) return true;
    covered += d[k].first * (d[k].second - 1);
  }
  return false;
}
Tensor window(const Tensor& memory, IntList size, IntList stride, int64_t offset) { return alias(memory, size, stride, offset, false); }

Tensor memory_for(const Geometry& x, const Geometry& y, Dtype dtype, Device device) {  // zeroed; both geometries fit in
  return zero_(empty({std::max(reach(x.sizes, x.strides), y.offset + reach(y.sizes, y.strides))}, dtype, device));
}
void add_through(const Tensor& memory, const Geometry& y, const Tensor& g) {  // overlapping windows: one element at a time
  if (is_complex(g.dtype())) {
    const Tensor reals = view_as_real(window(memory, y.sizes, y.strides, y.offset));
    return add_through(view_as_real(memory).view({-1}), Geometry(reals, memory->data), view_as_real(g));
  }
  const Tensor dense = to(contiguous(g), Device(), Dtype::Float64), sums = to(memory, Device(), Dtype::Float64, true);
  const double* p = dense->host<double>();
  double* s = sums->host<double>() + y.offset;
  int64_t at[kMaxDims] = {};
  for (int64_t k = 0, n = dense.numel(); k < n; k++) {
    *s += p[k];
    for (size_t d = y.sizes.size(); d-- > 0; at[d] = 0) {
      s += y.strides[d];
      if (++at[d] < y.sizes[d]) break;
      s -= y.strides[d] * y.sizes[d];
    }
  }
  copy_(memory, sums);
}

Tensor gather_view(const Tensor& g, const Geometry& x, const Geometry& y);
Tensor scatter_view(const Tensor& g, const Geometry& x, const Geometry& y);

struct GatherViewBackward final : NodeOf<1> {
  Geometry x, y;
  GatherViewBackward(const Tensor& g, const Geometry& a, const Geometry& b) : NodeOf(g), x(a), y(b) {}
  const char* name() const override { return "AsStridedBackward0"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = scatter_view(g, x, y); }
};
struct ScatterViewBackward final : NodeOf<1> {
  Geometry x, y;
  ScatterViewBackward(const Tensor& g, const Geometry& a, const Geometry& b) : NodeOf(g), x(a), y(b) {}
  const char* name() const override { return "AsStridedScatterBackward0"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = gather_view(g, x, y); }
};
// g has x's shape: the part of it that y sees, as a new tensor of y's shape.
Tensor gather_view(const Tensor& g, const Geometry& x, const Geometry& y) {
  Tensor out;
  {
    NoGrad guard;
    const Tensor m = memory_for(x, y, g.dtype(), g.device());
    copy_(window(m, x.sizes, x.strides, 0), g);
    out = clone(window(m, y.sizes, y.strides, y.offset), MemoryFormat::Contiguous);
  }
  if (recording(g)) record<GatherViewBackward>(out, g, x, y);
  return out;
}
// g has y's shape: a tensor of x's shape with g where y sees it (summed where y sees an element twice), zero elsewhere.
// Where x itself shows an element several times, each showing gets its share, so that the sum over x is right.
Tensor scatter_view(const Tensor& g, const Geometry& x, const Geometry& y) {
  Tensor out;
  {
    NoGrad guard;
    Tensor m = memory_for(x, y, g.dtype(), g.device());
    if (overlaps(y.sizes, y.strides)) add_through(m, y, g);
    else copy_(window(m, y.sizes, y.strides, y.offset), g);
    if (overlaps(x.sizes, x.strides)) {
      Geometry whole = x;
      whole.offset = 0;
      const Dtype real = real_dtype(g.dtype());
      const Tensor count = zero_(empty_like(m, real));
      add_through(count, whole, fill_(empty(x.sizes, real, m.device()), 1));
      m = div(m, maximum(count, Tensor(1)));
    }
    out = window(m, x.sizes, x.strides, 0);
  }
  if (recording(g)) record<ScatterViewBackward>(out, g, x, y);
  return out;
}

// g has x's shape: g, and zero where y sees it. Not a difference: what y sees may be infinite.
Tensor hide_view(const Tensor& g, const Geometry& x, const Geometry& y);
struct HideViewBackward final : NodeOf<1> {
  Geometry x, y;
  HideViewBackward(const Tensor& g, const Geometry& a, const Geometry& b) : NodeOf(g), x(a), y(b) {}
  const char* name() const override { return "AsStridedScatterBackward0"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = hide_view(g, x, y); }
};
Tensor hide_view(const Tensor& g, const Geometry& x, const Geometry& y) {
  if (overlaps(x.sizes, x.strides)) return sub(g, scatter_view(gather_view(g, x, y), x, y));
  Tensor out;
  {
    NoGrad guard;
    const Tensor m = memory_for(x, y, g.dtype(), g.device());
    out = window(m, x.sizes, x.strides, 0);
    copy_(out, g);
    zero_(window(m, y.sizes, y.strides, y.offset));
  }
  if (recording(g)) record<HideViewBackward>(out, g, x, y);
  return out;
}

struct ViewNode final : NodeOf<1> {
  Geometry x, y;
  const char* title;
  ViewNode(const Tensor& base, const Tensor& view, const char* n)
      : NodeOf(base), x(base, base->data, mixed(base, view)), y(view, base->data, mixed(base, view)), title(n) {}
  const char* name() const override { return title; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = x.back(scatter_view(y.seen(g), x, y)); }
};

// The base after a write into one of its views: the old base where the view does not look, the view's new value where it does.
struct CopySlices final : NodeOf<2> {
  Geometry x, y;
  CopySlices(const Tensor& base, const Tensor& view, const Tensor& value)
      : NodeOf(base, value), x(base, base->data, mixed(base, view)), y(view, base->data, mixed(base, view)) {}
  const char* name() const override { return "CopySlices"; }
  void backward(Tensor g, Tensor* dx) override {
    const Tensor seen = x.seen(g);
    if (needs(0)) dx[0] = x.back(hide_view(seen, x, y));
    dx[1] = y.back(gather_view(seen, x, y));
  }
};
std::mutex renew_lock;  // a fork cannot wait for its holder, who may wait for the allocator: in the child it is free
[[maybe_unused]] const int at_fork = pthread_atfork(nullptr, nullptr, [] { new (&renew_lock) std::mutex; });

}  // namespace

Tensor record_view(const Tensor& x, Tensor out, const char* name) {
  if (recording(x)) record<ViewNode>(out, x, out, name);
  return out;
}
void renew_view(const Tensor& view) {
  Ref<Node> made, old;  // told of and let go of without the lock: both may run Python code
  {
    std::lock_guard g(renew_lock);
    old = Ref<Node>::share(view->grad_fn);
    const Tensor base = Tensor::share(view->base);
    if (!base->requires_grad || view->history == base->history) return;
    Node* n = detail::new_node<ViewNode>(base, view, "AsStridedBackward0");
    link_history(view, n, 0);
    if (base->grad_fn) n->place = base->grad_fn->place;
    made = Ref<Node>::share(n);
  }
  tell_listeners(view, *made, 0);
}
void write_into_base(const Tensor& view, const Tensor& value) {
  const Tensor base = Tensor::share(view->base);
  record<CopySlices>(base, base, view, value);
  base->history++;
  renew_view(view);  // now, so that requires_grad and grad_fn read right
}

}  // namespace tapegrad
