// How tensors get, change and lose their history: recording and in-place writes.
//
// Note [Views and in-place writes]
// A view knows its base (the tensor that is no view itself). When an op writes in place into a view, the base's new history is
// CopySlices(old base, new value of the view); when it writes into a base, the base's history is the op's node. Either way
// `base->history` goes up, and every view whose own count differs renews its node from the base when somebody asks for it.
#include "src/autograd/node.h"
#include "src/autograd/view.h"
#include "src/autograd/watch.h"
#include "src/tensor/places.h"

namespace tapegrad {

constinit thread_local TapeObserver* tape_observer = nullptr;
TapeObserver::~TapeObserver() = default;
TapeObserver* set_tape_observer(TapeObserver* observer) { return std::exchange(tape_observer, observer); }

// In ops, backwards and the bindings such modes are the library's own business.
static void note_mode(const char* mode, const void* return_address) {
  if (!tls.scope && !tls.differentiating && !tls.in_python) tls.origin = make_note(mode, caller_place(return_address));
}
NoGrad::NoGrad() {
  tls.no_grad = true;
  note_mode("no_grad", __builtin_return_address(0));
}
InferenceMode::InferenceMode(bool on) {
  tls.inference = on;
  if (!on) return;
  tls.no_grad = true;
  note_mode("inference_mode", __builtin_return_address(0));
}

bool recording(TensorList in) {
  if (!grad_enabled()) return false;
  for (const Tensor& t : in) if (needs_grad(t)) return true;
  return false;
}

// No gradient flows through integers: the node only lives until the caller is done with its pointer.
[[gnu::cold, gnu::noinline]] static void keep_for_caller(TensorImpl* out, Node* owned) {
  static thread_local Ref<Node> last;
  last = Ref<Node>::steal(owned);
  out->origin = make_note(called_op(), owned->place);
}
static void release(Node* old) {
  if (old && old->drop()) Node::destroy(old);
}
/// `owned` made `out` from now on; the node that did before.
[[gnu::always_inline]] static inline Node* link(TensorImpl* out, Node* owned, uint32_t output_nr) {
  Node* old = out->grad_fn;
  out->grad_fn = owned;
  out->output_nr = output_nr;
  out->requires_grad = true;
  if (out->base) out->history = out->base->history;
  return old;
}
void link_history(const Tensor& out, Node* owned, uint32_t output_nr) { release(link(out.get(), owned, output_nr)); }
void tell_listeners(const Tensor& out, Node& node, uint32_t output_nr) {
  if (is_watched()) detail::tell_recorded(node, out);
  if (tape_observer) tape_observer->recorded(out, node, output_nr);
}
// What few calls need stands apart, so that the others save no registers.
[[gnu::noinline, gnu::cold]] static void end_of_set_history(const Tensor& out, Node* old, Node& node, uint32_t output_nr) {
  release(old);
  tell_listeners(out, node, output_nr);
}
void set_history(const Tensor& out, Node* owned, uint32_t output_nr) {
  if (!is_differentiable(out->dtype)) [[unlikely]] return keep_for_caller(out.get(), owned);
  Node* old = link(out.get(), owned, output_nr);
  if (old || tape_observer || is_watched()) [[unlikely]] end_of_set_history(out, old, *owned, output_nr);
}

Node* grad_fn(const Tensor& t) {
  TensorImpl* i = t.get();
  if (i->base && i->history != i->base->history) [[unlikely]] renew_view(t);
  return i->grad_fn;
}

// ---- in place

InPlace::InPlace(const Tensor& self, bool will_record) : self_(self) {
  if (!grad_enabled()) return;
  TG_CHECK(!self->inference || tls.inference, GradError, "inplace update to an inference tensor outside inference_mode is not allowed", Named{"input", self});
  if (self->requires_grad || self->base) check_leaf(will_record);
  if (!will_record) return;
  before_ = alias(self, self.sizes(), self.strides(), 0, false);
  if (!needs_grad(self)) return;
  Node* n = tapegrad::grad_fn(self);
  n->retain();
  link_history(before_, n, self->output_nr);
}
void InPlace::check_leaf(bool will_record) const {
  const TensorImpl* base = self_->base;
  TG_CHECK(!(self_->requires_grad && !self_->grad_fn && !base), GradError, "a leaf Variable that requires grad is being used in an in-place operation", Named{"input", self_});
  if (!base) return;
  TG_CHECK(!(base->requires_grad && !base->grad_fn) && !(self_->requires_grad && !self_->grad_fn), GradError,
           "a view of a leaf Variable that requires grad is being used in an in-place operation", Named{"input", self_});
  TG_CHECK(!(will_record && self_->no_grad_view), GradError, "a view was created in no_grad mode and is being modified inplace with grad mode enabled", Named{"input", self_});
}
InPlace::~InPlace() { if (!bumped_) bump_version(self_); }

void InPlace::rebase(Node* owned) {
  bump_version(self_);
  bumped_ = true;
  if (!self_->base) {
    set_history(self_, owned, 0);
    self_->history++;
    return;
  }
  const Tensor value = alias(self_, self_.sizes(), self_.strides(), 0, false);
  set_history(value, owned, 0);
  write_into_base(self_, value);
}

void detach_(const Tensor& t) {
  OpScope op("detach_");
  TG_CHECK(!t->base, GradError, "views cannot be detached in place, use detach() instead", Named{"input", t});
  Node* old = t->grad_fn;
  if (needs_grad(t)) t->origin = make_note("detach_", place_now());
  t->grad_fn = nullptr, t->output_nr = 0, t->requires_grad = false;
  t->history++;
  if (old && old->drop()) Node::destroy(old);
}
const Tensor& Tensor::set_requires_grad(bool on) const {
  OpScope op("requires_grad_");
  TG_CHECK(on || is_leaf(), GradError, "you can only change requires_grad flags of leaf variables; use detach() to cut a computed tensor from the graph", Named{"input", *this});
  TG_CHECK(!on || is_differentiable(dtype()), GradError, "only Tensors of floating point and complex dtype can require gradients", Named{"input", *this});
  TG_CHECK(!on || !p_->inference || tls.inference, GradError, "setting requires_grad=True on inference tensor outside inference_mode is not allowed", Named{"input", *this});
  if (p_->requires_grad != on) p_->origin = on ? 0 : make_note("requires_grad_", place_now());
  p_->requires_grad = on;
  return *this;
}

}  // namespace tapegrad
