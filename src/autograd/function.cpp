// Custom functions in C++: a node whose backward is the user's.
#include <memory>

#include "src/autograd/node.h"
#include "tapegrad/ops.h"

namespace tapegrad {

detail::FunctionBody::~FunctionBody() = default;

static bool contains(const std::vector<Tensor>& list, const Tensor& t) {
  for (const Tensor& x : list) if (x.is_same(t)) return true;
  return false;
}

void FunctionContext::save_for_backward(TensorList tensors) { to_save.assign(tensors.begin(), tensors.end()); }
void FunctionContext::mark_dirty(TensorList tensors) { dirty.assign(tensors.begin(), tensors.end()); }
void FunctionContext::mark_non_differentiable(TensorList tensors) { non_differentiable.assign(tensors.begin(), tensors.end()); }
std::vector<Tensor> FunctionContext::saved_tensors() const {
  std::vector<Tensor> r;
  for (const SavedTensor& s : saved) r.push_back(s.unpack(*node));
  return r;
}
bool FunctionContext::needs_input_grad(size_t i) const {
  TG_CHECK(i < needs.size(), IndexError, "needs_input_grad: the function has ", needs.size(), " tensor inputs, asked for input ", i);
  return needs[i];
}

namespace {
struct FunctionNode final : NodeOfMany {
  const char* title;
  std::unique_ptr<detail::FunctionBody> body;
  std::unique_ptr<FunctionContext> ctx;
  std::vector<Shape> input_sizes, output_sizes;
  std::vector<Dtype> input_dtypes, output_dtypes;
  std::vector<std::optional<Device>> output_devices;  // none of an undefined output
  FunctionNode(TensorList inputs, const char* t, std::unique_ptr<detail::FunctionBody> b, std::unique_ptr<FunctionContext> c)
      : NodeOfMany(inputs), title(t), body(std::move(b)), ctx(std::move(c)) {
    for (const Tensor& x : inputs) {  // an undefined one has no edge, so nothing of it is asked for
      input_sizes.emplace_back(x.defined() ? x.sizes() : IntList());
      input_dtypes.push_back(x.defined() ? x.dtype() : float32);
    }
    ctx->node = this;
  }
  const char* name() const override { return title; }
  void backward_all(Tensor* g, Tensor* dx) override {
    std::vector<Tensor> grads(g, g + output_count);
    if (ctx->materialize)
      for (size_t k = 0; k < grads.size(); k++)
        if (!grads[k].defined() && output_devices[k]) grads[k] = zeros(output_sizes[k], output_dtypes[k], output_devices[k]);
    std::vector<Tensor> r;
    if (ctx->once_differentiable) {
      NoGrad guard;
      r = body->backward(*ctx, std::move(grads));
    } else {
      r = body->backward(*ctx, std::move(grads));
    }
    TG_CHECK(r.size() == edge_count, GradError, title, " returned an incorrect number of gradients (expected ", edge_count, ", got ", r.size(), ")");
    for (int k = 0; k < edge_count; k++) {
      Tensor& given = r[size_t(k)];
      if (!needs(k) || !given.defined()) continue;
      TG_CHECK(IntList(input_sizes[size_t(k)]) == given.sizes(), ShapeError, title, " returned an invalid gradient at index ", k, ": got ", given,
               " but expected shape ", input_sizes[size_t(k)]);
      const Dtype dtype = input_dtypes[size_t(k)];
      if (is_complex(given.dtype()) && !is_complex(dtype)) given = real(given);
      dx[k] = given.dtype() == dtype ? std::move(given) : to(given, dtype);
    }
  }
  void free_saved() override { for (SavedTensor& s : ctx->saved) s.reset(); }
};
}  // namespace

std::vector<Tensor> detail::apply_function(const char* name, TensorList inputs, ForwardCall forward, FunctionBody* owned_body, FunctionContext* owned_ctx) {
  std::unique_ptr<FunctionBody> body(owned_body);
  std::unique_ptr<FunctionContext> ctx(owned_ctx);
  OpScope op(name);
  const bool records = recording(inputs);
  for (const Tensor& t : inputs) ctx->needs.push_back(grad_enabled() && needs_grad(t));
  std::vector<Tensor> outs;
  {
    NoGrad guard;
    outs = forward.run(forward.self, *ctx);
  }
  for (const Tensor& d : ctx->dirty) bump_version(d);
  if (!records) return outs;
  FunctionContext* c = ctx.get();
  auto* n = new_node<FunctionNode>(inputs, name, std::move(body), std::move(ctx));
  const Ref<Node> ours = Ref<Node>::steal(n);
  n->set_output_count(int(outs.size()));
  for (size_t k = 0; k < outs.size(); k++) {
    Tensor& out = outs[k];
    if (!out.defined()) {
      n->output_sizes.emplace_back(), n->output_dtypes.push_back(float32), n->output_devices.emplace_back();
      continue;
    }
    n->output_sizes.emplace_back(out.sizes());
    n->output_dtypes.push_back(out.dtype());
    n->output_devices.push_back(out.device());
    const bool marked = contains(c->non_differentiable, out);
    if (marked || !is_differentiable(out.dtype())) out->origin = make_note(marked ? "mark_non_differentiable" : name, n->place);
    if (marked || !is_differentiable(out.dtype())) continue;
    const bool is_input = contains({inputs.begin(), inputs.end()}, out), is_dirty = contains(c->dirty, out);
    if (is_input && !is_dirty) out = alias(out, out.sizes(), out.strides(), 0, false);  // returned as it came: a new tensor for the tape
    TG_CHECK(!(is_dirty && out->requires_grad && !out->grad_fn), GradError, "a leaf Variable that requires grad is being used in an in-place operation", Named{"output", out});
    n->retain();
    set_history(out, n, uint32_t(k));
    if (is_dirty) out->history++;
  }
  for (const Tensor& t : c->to_save) c->saved.emplace_back(t, contains(outs, t) ? SavedTensor::output : SavedTensor::input);
  c->to_save.clear(), c->dirty.clear(), c->non_differentiable.clear();
  return outs;
}

}  // namespace tapegrad
