// Leaf gradients and hooks: what tensors keep beside their data.
#include <algorithm>
#include <atomic>

#include "src/autograd/node.h"

namespace tapegrad {

Extra& extra_of(const Tensor& t) {
  if (!t->extra) t->extra = new (pool_alloc(sizeof(Extra))) Extra;
  return *t->extra;
}
void detail::drop_extra(TensorImpl* i) {
  if (i->extra->retains_grad && i->grad_fn && i->grad_fn->extra)
    std::erase_if(i->grad_fn->extra->retained, [&](const NodeExtra::Retained& r) { return r.tensor == i; });
  i->extra->~Extra();
  pool_free(i->extra, sizeof(Extra));
  i->extra = nullptr;
}

Tensor Tensor::grad() const { return p_->extra ? p_->extra->grad : Tensor(); }
void Tensor::set_grad(const Tensor& g) const {
  OpScope op("grad");
  if (!g.defined()) {
    if (p_->extra && p_->extra->grad.defined()) {
      p_->extra->grad = {};
      if (p_->requires_grad && !p_->grad_fn) p_->origin = make_note(kGradCleared, place_now());
    }
    return;
  }
  TG_CHECK(g.get() != p_, GradError, "a tensor cannot be its own gradient");
  TG_CHECK(g.sizes() == sizes(), ShapeError, "assigned grad has a different size", Named{"grad", g}, Named{"tensor", *this});
  TG_CHECK(g.dtype() == dtype(), DtypeError, "assigned grad has a different dtype", Named{"grad", g}, Named{"tensor", *this});
  TG_CHECK(g.device() == device(), DeviceError, "assigned grad is on another device", Named{"grad", g}, Named{"tensor", *this});
  extra_of(*this).grad = g;
}
void retain_grad(const Tensor& t) {
  OpScope op("retain_grad");
  TG_CHECK(needs_grad(t), GradError, "can't retain_grad on Tensor that has requires_grad=False", Named{"input", t});
  Node* n = grad_fn(t);
  if (!n || extra_of(t).retains_grad) return;
  extra_of(t).retains_grad = true;
  extra_of(*n).retained.push_back({t->output_nr, t.get()});
}

static uint64_t next_id() {
  static std::atomic<uint64_t> id{0};
  return ++id;
}
uint64_t register_hook(const Tensor& t, Ref<Hook> hook) {
  OpScope op("register_hook");
  TG_CHECK(needs_grad(t), GradError, "cannot register a hook on a tensor that doesn't require gradient", Named{"input", t});
  const uint64_t id = hook->id = next_id();
  if (Node* n = grad_fn(t)) extra_of(*n).tensor_hooks.push_back({t->output_nr, std::move(hook)});
  else extra_of(t).hooks.push_back(std::move(hook));
  return id;
}
uint64_t register_post_accumulate_hook(const Tensor& leaf, Ref<Hook> hook) {
  OpScope op("register_post_accumulate_grad_hook");
  TG_CHECK(needs_grad(leaf), GradError, "cannot register a hook on a tensor that doesn't require gradient", Named{"input", leaf});
  TG_CHECK(!grad_fn(leaf), GradError, "post accumulate grad hooks cannot be registered on non-leaf tensors", Named{"input", leaf});
  const uint64_t id = hook->id = next_id();
  extra_of(leaf).post_accumulate_hooks.push_back(std::move(hook));
  return id;
}
uint64_t register_node_hook(Node& n, Ref<NodeHook> hook, bool before) {
  const uint64_t id = hook->id = next_id();
  (before ? extra_of(n).before : extra_of(n).after).push_back(std::move(hook));
  return id;
}
void remove_hook(uint64_t id, const Tensor& t) {
  auto same = [&](const Ref<Hook>& h) { return h->id == id; };
  if (t->extra) {
    std::erase_if(t->extra->hooks, same);
    std::erase_if(t->extra->post_accumulate_hooks, same);
  }
  if (t->grad_fn) remove_hook(id, *t->grad_fn);
}
void remove_hook(uint64_t id, Node& n) {
  if (!n.extra) return;
  std::erase_if(n.extra->tensor_hooks, [&](const NodeExtra::TensorHook& h) { return h.hook->id == id; });
  auto same = [&](const Ref<NodeHook>& h) { return h->id == id; };
  std::erase_if(n.extra->before, same);
  std::erase_if(n.extra->after, same);
}

}  // namespace tapegrad
