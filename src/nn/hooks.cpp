// Hooks of modules. Forward hooks see the tensors on their way; for backward hooks inputs and outputs pass through an identity
// whose backward sees their gradients.
#include <algorithm>
#include <atomic>

#include "tapegrad/nn_module.h"

namespace tapegrad::nn {
namespace detail {

ModuleHook::~ModuleHook() = default;
Unsized::~Unsized() = default;

constinit Hooks* global_hooks = nullptr;
/// Where they are kept. Never destroyed: modules may be called while the process ends.
static Hooks& global_hooks_kept() {
  static Hooks& kept = *new Hooks;
  return kept;
}
static HookHandle append_hook(Hooks& hooks, ModuleHooks Hooks::*kind, Ref<ModuleHook> hook, bool prepend) {
  static std::atomic<uint64_t> ids{0};
  hook->id = ++ids;
  const HookHandle handle(Ref<Hooks>::share(&hooks), hook->id);
  ModuleHooks& list = hooks.*kind;
  list.insert(prepend ? list.begin() : list.end(), std::move(hook));
  return handle;
}
HookHandle add_global_hook(ModuleHooks Hooks::*kind, Ref<ModuleHook> hook) {
  global_hooks = &global_hooks_kept();
  return append_hook(*global_hooks, kind, std::move(hook), false);
}

/// Runs hooks that may write into a list, but not make it shorter or longer.
static void run_hooks(const ModuleHooks& hooks, const Module& m, std::vector<Tensor>& a, std::vector<Tensor>& b) {
  const size_t na = a.size(), nb = b.size();
  for (const Ref<ModuleHook>& h : hooks) {
    (*h)(m, a, b);
    TG_CHECK(a.size() == na && b.size() == nb, ValueError, m.name(), ": a hook made a list of ",
             a.size() == na ? nb : na, " tensors one of ", a.size() == na ? b.size() : a.size(),
             "; it may only write into it");
  }
}

/// The backward hooks of one call. The outputs' gradients arrive first and are kept; the hooks run when the inputs' arrive, or
/// at once when no input needs any.
struct BackwardHooks : Counted {
  Module module;
  ModuleHooks pre, post;
  size_t input_count = 0;
  std::vector<size_t> input_places, output_places;
  std::vector<Tensor> grad_outputs;
  bool input_watched = false;
  explicit BackwardHooks(const Module& m) : module(m) {}
  static void destroy(BackwardHooks* b) { delete b; }

  std::vector<Tensor> outputs_arrived(const std::vector<Tensor>& grads, size_t count) {
    grad_outputs = spread(grads, output_places, count);
    std::vector<Tensor> none, inputs(input_count);
    run_hooks(pre, module, grad_outputs, none);
    if (!input_watched) run_hooks(post, module, inputs, grad_outputs);
    return gather(grad_outputs, output_places);
  }
  std::vector<Tensor> inputs_arrived(const std::vector<Tensor>& grads) {
    TG_CHECK(!grad_outputs.empty(), GradError, module.name(),
             ": the gradients of the inputs came before those of the outputs: an output was changed in place, or takes "
             "no part in the graph");
    std::vector<Tensor> grad_inputs = spread(grads, input_places, input_count);
    run_hooks(post, module, grad_inputs, grad_outputs);
    grad_outputs.clear();
    return gather(grad_inputs, input_places);
  }

 private:
  static std::vector<Tensor> spread(const std::vector<Tensor>& values, const std::vector<size_t>& places, size_t count) {
    std::vector<Tensor> out(count);
    for (size_t i = 0; i < places.size(); i++) out[places[i]] = values[i];
    return out;
  }
  static std::vector<Tensor> gather(const std::vector<Tensor>& values, const std::vector<size_t>& places) {
    std::vector<Tensor> out;
    for (const size_t p : places) out.push_back(values[p]);
    return out;
  }
};

}  // namespace detail

namespace {

/// The identity on tensors, with arrived(gradients) on the way back.
template <class F> std::vector<Tensor> watch(const std::vector<Tensor>& tensors, F arrived) {
  struct Body final : tapegrad::detail::FunctionBody {
    F arrived;
    explicit Body(F f) : arrived(std::move(f)) {}
    std::vector<Tensor> backward(FunctionContext&, std::vector<Tensor> grads) override { return arrived(grads); }
  };
  const auto forward = [](void* self, FunctionContext& ctx) {
    ctx.set_materialize_grads(false);
    std::vector<Tensor> out;
    for (const Tensor& t : *static_cast<const std::vector<Tensor>*>(self)) out.push_back(view_as(t, t));
    return out;
  };
  return tapegrad::detail::apply_function("ModuleHookBackward", tensors,
                                          {const_cast<std::vector<Tensor>*>(&tensors), forward},
                                          new Body(std::move(arrived)), new FunctionContext);
}
/// Puts what watch() makes of the tensors that need a gradient in their places; which these were.
template <class F> std::vector<size_t> watch_in_place(std::vector<Tensor>& tensors, F arrived) {
  std::vector<size_t> places;
  std::vector<Tensor> chosen;
  for (size_t i = 0; i < tensors.size(); i++)
    if (recording(tensors[i])) places.push_back(i), chosen.push_back(tensors[i]);
  if (places.empty()) return places;
  const std::vector<Tensor> out = watch(chosen, std::move(arrived));
  for (size_t i = 0; i < places.size(); i++) tensors[places[i]] = out[i];
  return places;
}

}  // namespace

HookedCall::HookedCall(const Module& m) : module_(m), hooks_(m.state_->hooks) {
  detail::ModuleHooks pre = hooks(&detail::Hooks::backward_pre), post = hooks(&detail::Hooks::backward);
  if (pre.empty() && post.empty()) return;
  backward_ = Ref<detail::BackwardHooks>::steal(new detail::BackwardHooks(m));
  backward_->pre = std::move(pre);
  backward_->post = std::move(post);
}
// Those of all modules, then the module's own: a copy, because a hook may remove itself.
detail::ModuleHooks HookedCall::hooks(detail::ModuleHooks detail::Hooks::*kind) const {
  detail::ModuleHooks out;
  for (const detail::Hooks* h : {detail::global_hooks, hooks_.get()})
    if (h) out.insert(out.end(), (h->*kind).begin(), (h->*kind).end());
  return out;
}
HookedCall::~HookedCall() = default;

void HookedCall::before(std::vector<Tensor>& inputs) {
  std::vector<Tensor> none;
  if (const Ref<detail::Unsized> lazy = hooks_ ? hooks_->lazy : Ref<detail::Unsized>())
    lazy->size_from(inputs[0], true);
  detail::run_hooks(hooks(&detail::Hooks::forward_pre), module_, inputs, none);
  if (!backward_) return;
  backward_->input_count = inputs.size();
  if (backward_->post.empty()) return;
  backward_->input_places =
      watch_in_place(inputs, [b = backward_](const std::vector<Tensor>& grads) { return b->inputs_arrived(grads); });
  backward_->input_watched = !backward_->input_places.empty();
}
void HookedCall::after(std::vector<Tensor>& inputs, std::vector<Tensor>& outputs) {
  detail::run_hooks(hooks(&detail::Hooks::forward), module_, inputs, outputs);
  if (!backward_) return;
  backward_->output_places = watch_in_place(
      outputs,
      [b = backward_, n = outputs.size()](const std::vector<Tensor>& grads) { return b->outputs_arrived(grads, n); });
}

Tensor HookedCall::run(const Tensor& x, Tensor (*forward)(const Module&, const Tensor&)) {
  std::vector<Tensor> inputs = {x};
  before(inputs);
  std::vector<Tensor> outputs = {forward(module_, inputs[0])};
  after(inputs, outputs);
  return outputs[0];
}

HookHandle Module::add_hook(detail::ModuleHooks detail::Hooks::*kind, Ref<detail::ModuleHook> hook, bool prepend) const {
  TG_CHECK(state_->calls_hooks, NotImplementedError, state_->name,
           " defines operator() itself, which no hook can see: derive its class from nn::ModuleOf and call the "
           "function forward");
  if (!state_->hooks) state_->hooks = Ref<detail::Hooks>::steal(new detail::Hooks);
  return detail::append_hook(*state_->hooks, kind, std::move(hook), prepend);
}
void HookHandle::remove() {
  if (!hooks_) return;
  for (detail::ModuleHooks* list : {&hooks_->forward_pre, &hooks_->forward, &hooks_->backward_pre, &hooks_->backward})
    list->erase(
        std::remove_if(list->begin(), list->end(), [&](const Ref<detail::ModuleHook>& h) { return h->id == id_; }),
        list->end());
  if (hooks_.get() == detail::global_hooks && hooks_->empty()) detail::global_hooks = nullptr;
  hooks_ = {};
}

}  // namespace tapegrad::nn
