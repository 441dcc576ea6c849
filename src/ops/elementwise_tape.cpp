// The tape of elementwise ops: one node for all of them, whose backward is a fused kernel pass or, when the gradient itself is to
// be differentiated, the op's formula on Tensors.
#include <cstddef>
#include <cstring>

#include "src/autograd/debug_layout.h"
#include "src/ops/cuda/launch.h"
#include "src/ops/elementwise.h"
#include "src/tensor/make.h"

namespace tapegrad {

Tensor reduce_gradient(Tensor g, IntList size, Dtype dtype) {
  if (!g.defined()) return g;
  if (is_complex(g->dtype) && !is_complex(dtype)) g = real(g);  // a real input moves along the real axis only
  if (g.sizes() != size) g = sum_to_size(g, size);
  return g->dtype == dtype ? g : to(g, dtype);
}

namespace {

/// Where the value of this Needs bit is among those that the op saves.
int slot_of(unsigned saves, unsigned bit) {
  int slot = 0;
  for (unsigned b = 1; b < bit; b <<= 1) slot += (saves & b) != 0;
  return slot;
}

/// Parameters and, when something was broadcast, the inputs' sizes: a pool block of a node that needs either.
struct Extras {
  char* block = nullptr;
  uint16_t bytes = 0, sizes_at = 0;  // sizes_at: 0 when all inputs have the output's sizes
  Extras() = default;
  Extras(const Extras&) = delete;
  ~Extras() { if (block) pool_free(block, bytes); }
  void fill(const OpEntry& op, const void* params, const Tensor* const* in, bool broadcast) {
    const int head = (op.params + 7) / 8 * 8;
    int total = head;
    if (broadcast) for (int k = 0; k < op.inputs; k++) total += 8 * (1 + int((*in[k])->ndim));
    block = static_cast<char*>(pool_alloc(size_t(total)));
    bytes = uint16_t(total);
    if (op.params) std::memcpy(block, params, op.params);
    if (!broadcast) return;
    sizes_at = uint16_t(head + 1);
    auto* to = reinterpret_cast<int64_t*>(block + head);
    for (int k = 0; k < op.inputs; k++) {
      const IntList s = in[k]->sizes();
      *to++ = int64_t(s.size());
      for (int64_t v : s) *to++ = v;
    }
  }
  IntList sizes(int k) const {
    auto* from = reinterpret_cast<const int64_t*>(block + sizes_at - 1);
    while (k--) from += 1 + *from;
    return {from + 1, size_t(*from)};
  }
};

/// The node of every elementwise op, but for the arrays whose length depends on the op.
struct ElementwiseNode : Node {
  const OpEntry& op;
  SavedTensor* saved = nullptr;
  Extras extras;
  Dtype dtypes[3];
  explicit ElementwiseNode(const OpEntry& e) : op(e) {}
  const char* name() const override { return op.traits.node; }
  const void* params() const { return extras.block ? static_cast<const void*>(extras.block) : &op; }  // never null: it becomes a reference
  void backward(Tensor g, Tensor* dx) override;
  Tensor by_formula(int k, const Tensor& g);
  [[gnu::always_inline]] inline Tensor finished(int k, Tensor d);
  void free_saved() override { for (int s = 0; s < op.slots; s++) saved[s].reset(); }
};

/// What the gradient of an input wants of what was saved; tensors that had to be made for it live here.
struct Values {
  Tensor made[3];
  const Tensor* of[3];
  int count = 0;
  [[gnu::always_inline]] Values(ElementwiseNode& n, unsigned needs) {
    for (unsigned bit = A; bit <= Out; bit <<= 1)
      if (needs & bit) of[count] = &n.saved[slot_of(n.op.saves, bit)].peek(n, made[count]), count++;
  }
};

void ElementwiseNode::backward(Tensor g, Tensor* dx) {
  const OpTraits& traits = op.traits;
  const bool by_kernel = traits.fused && !grad_enabled();
  int last = op.inputs - 1;  // nobody looks at g after its gradient
  while (last >= 0 && !(needs(last) && op.formula[last])) last--;
  for (int k = 0; k <= last; k++) {
    if (!needs(k) || !op.formula[k]) continue;
    Tensor d;
    if (traits.passes >> k & 1) {
      d = k == last ? static_cast<Tensor&&>(g) : g;
    } else if (by_kernel) {
      const Values values(*this, traits.needs[k]);
      const Compute c = compute_for(g->dtype);
      const bool reuse = k == last && g->contiguous && g->unique() && g->storage->unique();
      Operand arg[kMaxArgs];  // all of it set to 0 would cost 3 ns
      arg[1] = {g.get(), c};
      const bool mask = traits.masked && (traits.needs[k] & A);
      for (int i = 0; i < values.count; i++) arg[2 + i] = {values.of[i]->get(), mask && i == 0 ? Compute::Bool : c};
      if (reuse) d = static_cast<Tensor&&>(g);
      else if (g->numel > 0 && g->numel <= SmallOperands::kFew && !g.is_cuda()) d = Tensor::adopt(new_dense(g.sizes(), size_t(g.nbytes()), g->dtype));
      else d = empty(g.sizes(), g->dtype, g->device);
      arg[0] = {d.get(), c};
      if (d.is_cuda()) [[unlikely]] {
        cuda_backward(op, k, c, params(), arg, 2 + values.count);
        dx[k] = finished(k, static_cast<Tensor&&>(d));
        continue;
      }
      const Kernel half = item_size(d->dtype) == 2 ? half_kernel(op, arg, 2 + values.count, k) : nullptr, kernel = half ? half : op.backward(k, c);
      if (const SmallOperands small(arg, 2 + values.count); small.count) kernel(params(), small.p, small.count);
      else run_kernel(kernel, params(), arg, 2 + values.count, traits.costly);
    } else {
      d = by_formula(k, g);
    }
    dx[k] = finished(k, static_cast<Tensor&&>(d));
  }
}
// In the sizes and dtype of input k.
Tensor ElementwiseNode::finished(int k, Tensor d) {
  if (!extras.sizes_at && d->dtype == dtypes[k]) return d;
  return reduce_gradient(d, extras.sizes_at ? extras.sizes(k) : d.sizes(), dtypes[k]);
}
Tensor ElementwiseNode::by_formula(int k, const Tensor& g) {  // of complex numbers: g conj(derivative), as in cpu/loops.h
  const Values values(*this, op.traits.needs[k]);
  Tensor v[3];
  for (int i = 0; i < values.count; i++) v[i] = *values.of[i];
  return is_complex(g->dtype) ? conj(op.formula[k](params(), conj(g), v)) : op.formula[k](params(), g, v);
}

template <int S> struct Slots { SavedTensor v[S]; };
template <> struct Slots<0> { static constexpr SavedTensor* v = nullptr; };

/// N inputs, S saved tensors.
template <int N, int S> struct ElementwiseNodeOf final : ElementwiseNode {
  Edge slots[N];
  [[no_unique_address]] Slots<S> values;
  template <class... T>
  ElementwiseNodeOf(const OpEntry& e, const void* params, bool broadcast, const Tensor* const* in, const T&... inputs)
      : ElementwiseNode(e), slots{needs_grad(inputs) ? Edge(inputs) : Edge()...} {
    edges = slots, edge_count = N, saved = values.v;
    follow_inputs(*this);
    if (e.params || broadcast) extras.fill(e, params, in, broadcast);
    unsigned wanted = 0;
    for (int k = 0; k < N; k++) {
      dtypes[k] = (*in[k])->dtype;
      if (needs(k)) wanted |= e.traits.needs[k];
    }
    if constexpr (S > 0)
      for (int k = 0; k < N; k++) if (wanted >> k & 1) saved[slot_of(e.saves, 1u << k)].save(*in[k]);
  }
};

/// Makes the node of the right size through `make`, which is record() or InPlace::record(); returns where the output is saved.
template <int N, int S, class Make> SavedTensor* make_node(const OpEntry& op, Make&& make) {
  auto* n = make.template operator()<ElementwiseNodeOf<N, S>>();
  return op.saves & Out ? &n->saved[slot_of(op.saves, Out)] : nullptr;
}
template <int N, class Make> SavedTensor* make_node(const OpEntry& op, Make&& make) {
  switch (op.slots) {
    case 0: return make_node<N, 0>(op, make);
    case 1: return make_node<N, 1>(op, make);
    case 2: return make_node<N, 2>(op, make);
    default: return make_node<N, 4>(op, make);
  }
}
template <class Make> SavedTensor* make_node_for(const OpEntry& op, const Tensor* const* in, Make make) {
  switch (op.inputs) {
    case 1: return make_node<1>(op, [&]<class Node>() { return make.template operator()<Node>(*in[0]); });
    case 2: return make_node<2>(op, [&]<class Node>() { return make.template operator()<Node>(*in[0], *in[1]); });
    default: return make_node<3>(op, [&]<class Node>() { return make.template operator()<Node>(*in[0], *in[1], *in[2]); });
  }
}

}  // namespace

// Sizes are kept only for inputs that get a gradient of another shape than the output's.
static bool needs_sizes(const OpEntry& op, const Tensor* const* in, const TensorImpl& out) {
  for (int k = 0; k < op.inputs; k++) if (needs_grad(*in[k]) && !same_sizes(*in[k]->get(), out)) return true;
  return false;
}

void record_elementwise(const Tensor& out, const OpEntry& op, const void* params, const Tensor* const* in, bool broadcast) {
  broadcast = broadcast && needs_sizes(op, in, *out.get());
  SavedTensor* keep = make_node_for(op, in, [&]<class N>(const auto&... inputs) {
    return record<N>(out, op, params, broadcast, in, inputs...);
  });
  if (keep) keep->save(out, SavedTensor::output);
}

SavedTensor* record_in_place(InPlace& guard, const Tensor& self, const OpEntry& op, const void* params,
    const Tensor* const* in, const Tensor* const* values) {
  const bool broadcast = needs_sizes(op, in, *self.get());
  return make_node_for(op, in, [&]<class N>(const auto&... inputs) {
    return guard.record<N>(op, params, broadcast, values, inputs...);
  });
}

// `op` is a reference, which offsetof refuses: it lies before `saved`.
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
[[gnu::used, gnu::retain]] constexpr DebugField debug_layout_elementwise[] = {
    {"ElementwiseNode.op", offsetof(ElementwiseNode, saved) - sizeof(SavedTensor*)},
    {"Op.node", offsetof(OpEntry, traits) + offsetof(OpTraits, node)},
    {"", 0},
};

}  // namespace tapegrad
