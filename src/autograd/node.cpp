// Nodes and edges: life and death.
#include "src/autograd/node.h"

#include "src/autograd/debug_layout.h"
#include "src/autograd/view.h"

namespace tapegrad {

// Brings the debuggers' table out of a static library.
[[gnu::used, gnu::retain]] static const DebugField* const table_for_debuggers = debug_layout;

Place (*python_place)() = nullptr;
std::string (*python_place_text)(const Place&) = nullptr;
void (*release_python_object)(void*) = nullptr;
void* (*unlock_python)() = nullptr;
void (*relock_python)(void*) = nullptr;

Hook::~Hook() = default;
NodeHook::~NodeHook() = default;

// ---- edges

Edge::Edge(const Tensor& t) {
  if (!needs_grad(t)) return;
  TensorImpl* i = t.get();
  if (i->base && i->history != i->base->history) [[unlikely]] renew_view(t);
  if (Node* n = i->grad_fn) {
    n->retain();
    bits_ = reinterpret_cast<uintptr_t>(n);
    output_nr_ = i->output_nr;
  } else {
    i->retain();
    bits_ = reinterpret_cast<uintptr_t>(i) | 1;
  }
}
void Edge::drop() {
  if (leaf()) {
    if (tensor()->drop()) TensorImpl::destroy(tensor());
  } else if (node()->drop()) {
    Node::destroy(node());
  }
}

// ---- nodes

void Node::drop_extra() {
  if (pending != &first_pending) {
    for (int k = 0; k < output_count; k++) pending[k].~Tensor();
    pool_free(pending, output_count * sizeof(Tensor));
  }
  delete extra;
}
void Node::backward(Tensor g, Tensor* dx) { backward_all(&g, dx); }
void Node::backward_all(Tensor*, Tensor*) { TG_ASSERT(!"a node must override backward or backward_all"); }
void Node::set_output_count(int n) {
  output_count = uint16_t(n);
  if (n <= 1) return;
  pending = static_cast<Tensor*>(pool_alloc(size_t(n) * sizeof(Tensor)));
  for (int k = 0; k < n; k++) new (&pending[k]) Tensor;
}
NodeExtra& extra_of(Node& n) {
  if (!n.extra) n.extra = new NodeExtra;
  return *n.extra;
}
// Destroying a node drops its inputs' nodes, and so on down a graph of any depth: a worklist instead of recursion.
void Node::destroy(Node* n) {
  ThreadState& t = tls;
  if (!t.counted) [[unlikely]] detail::meet_thread();
  n->next_dead = t.graveyard, t.graveyard = n;
  if (t.draining) return;
  t.draining = true;
  while (Node* d = t.graveyard) {
    t.graveyard = d->next_dead;
    const size_t block = d->block;
    d->~Node();
    pool_free(d, block);
  }
  t.draining = false;
}
NodeOfMany::NodeOfMany(TensorList inputs) {
  TG_CHECK(inputs.size() < 65536, ValueError, "at most 65535 inputs can be recorded, got ", inputs.size());
  edges = static_cast<Edge*>(::operator new(sizeof(Edge) * (inputs.size() + 1)));
  for (const Tensor& t : inputs) new (&edges[edge_count++]) Edge(t);
  follow_inputs(*this);
}
NodeOfMany::~NodeOfMany() {
  for (int k = 0; k < edge_count; k++) edges[k].~Edge();
  ::operator delete(edges);
}

}  // namespace tapegrad
