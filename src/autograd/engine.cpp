// backward(): pops the node with the largest sequence number, runs it, hands its gradients to its inputs.
//
// Note [Two backwards over one graph]
// `pending` and `queued` of a node belong to the backward that put its own address into `owner` at the first push; another one
// keeps its gradients in a side map and, when it pops the node, waits until nobody owns it and takes it. All pop in the same order,
// so such waits cannot block each other. A backward started from inside a node waits for none: it may run under the owner.
#include "src/autograd/engine.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "src/autograd/watch.h"
#include "src/tensor/cuda.h"
#include "src/tensor/interrupt.h"
#include "src/tensor/ledger.h"
#include "tapegrad/explain.h"
#include "tapegrad/ops.h"

namespace tapegrad {

thread_local Backward* Backward::current_ = nullptr;
static thread_local std::vector<Node*> spare_heap;  // keeps its memory from one backward to the next
static constexpr Scalar kOnce = 1;  // to be copied: a number made for the call is read before its parts have arrived in the cache (4 ns)

// ---- adding gradients

static bool owned(const Tensor& g) { return g->unique() && g->storage->unique() && !is_foreign(*g->storage); }

[[gnu::noinline]] static void add_to(Tensor& into, Tensor g) {
  if (!grad_enabled() && owned(into) && into->contiguous && into.dtype() == g.dtype()) add_(into, g, kOnce);
  else into = add(into, g);
}
static void accumulate(Tensor& into, Tensor g) {
  if (into.defined()) [[unlikely]] return add_to(into, std::move(g));
  into = std::move(g);
}

// Concurrent backwards may meet in one leaf. They seldom do, so a lock is one exchange: a mutex takes two, and two calls.
namespace {
struct alignas(64) Taken : std::atomic<bool> {};
Taken locks[64];
// A fork must not wait for their holders, who may need the forking thread to go on: in the child they are free.
[[maybe_unused]] const int at_fork = pthread_atfork(nullptr, nullptr, [] { for (Taken& l : locks) l.store(false, std::memory_order_relaxed); });
Taken& lock_of(const TensorImpl* leaf) { return locks[reinterpret_cast<uintptr_t>(leaf) / sizeof(TensorImpl) % 64]; }
// Its holder may wait for the GIL behind a long kernel, so nobody waits for it who has the GIL.
class LeafLock {
  Taken& lock_;
 public:
  explicit LeafLock(const TensorImpl* leaf) : lock_(lock_of(leaf)) {
    if (!lock_.exchange(true, std::memory_order_acquire)) [[likely]] return;
    void* python = tls.in_python ? unlock_python() : nullptr;
    while (lock_.exchange(true, std::memory_order_acquire)) std::this_thread::yield();
    if (python) relock_python(python);
  }
  ~LeafLock() { lock_.store(false, std::memory_order_release); }
  LeafLock(const LeafLock&) = delete;
};
}  // namespace
static void accumulate_grad(const Tensor& leaf, Tensor g) {
  if (g.dtype() != leaf.dtype()) g = to(g, leaf.dtype());
  const LeafLock guard(leaf.get());
  Tensor& grad = extra_of(leaf).grad;
  if (grad.defined()) {
    if (grad_enabled()) grad = add(grad, g);
    else add_(grad, g, kOnce);
  } else if (grad_enabled()) {
    grad = clone(g);
  } else {
    grad = owned(g) && g->contiguous && !g->requires_grad ? std::move(g) : detach(clone(g, leaf->contiguous ? MemoryFormat::Contiguous : MemoryFormat::Preserve));
    own_with(*grad->storage, *leaf->storage, MemoryRole::Gradient);
  }
}
Tensor lend_gradient(const Node& n, int k) {
  const Edge& e = n.edges[k];
  if (!e || !e.leaf() || grad_enabled() || tls.anomaly || Backward::captures()) return {};
  if (n.extra && !n.extra->after.empty()) return {};
  const TensorImpl* leaf = e.tensor();
  Extra* x = leaf->extra;
  if (!x || !x->hooks.empty() || !x->post_accumulate_hooks.empty()) return {};
  const LeafLock guard(leaf);
  Tensor& grad = x->grad;
  if (!grad.defined() || !owned(grad) || !grad->contiguous || grad.dtype() != leaf->dtype || grad->requires_grad) return {};
  Backward::lent(k);
  return std::move(grad);
}
void give_back_gradient(const Node& n, int k, Tensor lent) { accumulate_grad(Tensor::share(n.edges[k].tensor()), std::move(lent)); }

// ---- the run

static bool earlier(const Node* a, const Node* b) { return a->sequence < b->sequence; }  // the heap's top was recorded last

static std::atomic<LastBackward> last;
LastBackward last_backward() { return last.load(std::memory_order_relaxed); }

Backward::Backward(BackwardOptions options, const char* called) : options_(options), outer_(current_), note_(make_note(called, place_now())) {
  current_ = this;
  tls.origin = options.create_graph ? 0 : note_;
  if (!outer_) last.store({note_, true}, std::memory_order_relaxed);  // until run() comes to its end
}
Backward::~Backward() {
  current_ = outer_, tls.origin = outer_origin_;
  while (Node* n = pop()) {  // only after an exception
    if (__atomic_load_n(&n->owner, __ATOMIC_RELAXED) != this) continue;
    for (int k = 0; k < n->output_count; k++) n->pending[k] = {};
    n->queued = false;
    __atomic_store_n(&n->owner, nullptr, __ATOMIC_RELEASE);
  }
  if (heap_.capacity()) spare_heap = std::move(heap_);
}
Node* Backward::pop() {
  Node* n = std::exchange(next_, nullptr);
  if (!heap_.empty()) next_from_heap();
  return n;
}
void Backward::next_from_heap() {
  std::pop_heap(heap_.begin(), heap_.end(), earlier);
  next_ = heap_.back();
  heap_.pop_back();
}
void Backward::keep_in_heap(Node* n) {
  if (!heap_.capacity()) heap_ = std::move(spare_heap);
  heap_.push_back(n);
  std::push_heap(heap_.begin(), heap_.end(), earlier);
}

void Backward::push(Node* n, uint32_t output_nr, Tensor g) {
  if (needed_ && !needed_->count(n)) return;
  bool mine = __atomic_load_n(&n->owner, __ATOMIC_RELAXED) == this;
  if (!mine) {
    void* nobody = nullptr;
    mine = __atomic_compare_exchange_n(&n->owner, &nobody, static_cast<void*>(this), false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
  }
  if (mine) [[likely]] {
    accumulate(n->pending[output_nr], std::move(g));
    if (n->queued) return;
    n->queued = true;
  } else {
    if (!side_) side_.emplace();
    auto [it, fresh] = side_->try_emplace(n);
    if (fresh) it->second.resize(n->output_count);
    accumulate(it->second[output_nr], std::move(g));
    if (!fresh) return;
  }
  if (!next_) {
    next_ = n;
    return;
  }
  if (earlier(next_, n)) std::swap(next_, n);
  keep_in_heap(n);
}

void Backward::give(const Edge& e, Tensor g) {
  if (!e.leaf()) return push(e.node(), e.output_nr(), std::move(g));
  TensorImpl* leaf = e.tensor();  // the edge keeps it: no new reference
  static_assert(sizeof(Tensor) == sizeof(TensorImpl*));
  give_leaf(reinterpret_cast<const Tensor&>(leaf), std::move(g));
}
void Backward::give_leaf(const Tensor& leaf, Tensor g) {
  if (capture_) {
    if (auto it = capture_->leaves.find(leaf.get()); it != capture_->leaves.end()) accumulate(it->second, std::move(g));
    return;
  }
  const Extra* x = leaf->extra;
  if (x && (!x->hooks.empty() || !x->post_accumulate_hooks.empty())) [[unlikely]] {  // hooks want the whole gradient, once
    for (auto& [t, sum] : with_hooks_)
      if (t.is_same(leaf)) return accumulate(sum, std::move(g));
    with_hooks_.emplace_back(leaf, std::move(g));
    return;
  }
  accumulate_grad(leaf, std::move(g));
}

bool Backward::take_over(Node* n) {
  if (outer_) return false;
  const auto free = [&] {
    void* nobody = nullptr;
    return __atomic_compare_exchange_n(&n->owner, &nobody, static_cast<void*>(this), false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
  };
  if (free()) return true;
  void* python = nullptr;
  if (tls.in_python) tls.in_python = false, python = unlock_python();
  while (!free()) std::this_thread::yield();
  if (python) relock_python(python), tls.in_python = true;
  return true;
}

static void check_nan(Node& n, const Tensor* dx) {
  for (int k = 0; k < n.edge_count; k++) {
    if (!dx[k].defined() || !is_differentiable(dx[k].dtype())) continue;
    NoGrad guard;
    if (any(ne(dx[k], dx[k])).item<bool>())
      detail::fail<GradError>("backward: ", n.name(), " returned nan values in its output ", k, "\n  gradient: ", dx[k]);
  }
}

namespace {
/// What a node leaves behind when it has run, also when its backward threw.
struct Running {
  Node* n;
  bool mine;
  Tensor* dx;
  uint32_t& lent;  // bit k: dx[k] is to hold what was the gradient of the leaf behind input k
  Node* outer = tls.differentiating;
  uint32_t outer_unwanted = tls.unwanted;
  ~Running() {
    for (int k = 0; lent; k++, lent >>= 1)
      if (lent & 1 && dx[k].defined()) [[unlikely]] give_back_gradient(*n, k, std::move(dx[k]));
    tls.differentiating = outer, tls.unwanted = outer_unwanted;
    if (!mine) return;
    for (int k = 0; k < n->output_count; k++) n->pending[k] = {};
    __atomic_store_n(&n->owner, nullptr, __ATOMIC_RELEASE);
  }
};
}  // namespace

// The gradients gathered for a node that another backward owns.
Tensor* Backward::gathered(Node* n, std::vector<Tensor>& side) {
  side = std::move((*side_)[n]);
  side_->erase(n);
  return side.data();
}

// Hooks and captures come first. False: the node need not run.
bool Backward::prepare(Node* n, Tensor* g) {
  if (n->extra) run_hooks_before(n, g);
  if (capture_ && capture_->node_outputs.count(n)) [[unlikely]] {
    for (auto& [nr, into] : capture_->node_outputs[n]) accumulate(into, g[nr]);
    return needed_->at(n).runs;
  }
  return true;
}
// Formulas rely on what a gradient is like.
static void check_replaced(const Tensor& was, const Tensor& is) {
  if (!is.defined() || is.is_same(was)) return;
  TG_CHECK(was.defined(), GradError, "a hook gave a gradient where there was none", Named{"after", is});
  TG_CHECK(is.sizes() == was.sizes(), ShapeError, "a hook has changed the size of a gradient", Named{"before", was}, Named{"after", is});
  TG_CHECK(is.dtype() == was.dtype() && is.device() == was.device(), DtypeError, "a hook has changed the type of a gradient", Named{"before", was}, Named{"after", is});
}
static void call_hook(Hook& hook, Tensor& g) {
  Tensor r = hook(g);
  if (!r.defined()) return;
  check_replaced(g, r);
  g = std::move(r);
}
// Before the node's backward, without dx, it may change g; afterwards dx.
static void call_hook(NodeHook& hook, Tensor* dx, int inputs, Tensor* g, int outputs) {
  Tensor* changes = dx ? dx : g;
  const std::vector<Tensor> was(changes, changes + (dx ? inputs : outputs));
  hook(dx, inputs, g, outputs);
  for (size_t k = 0; k < was.size(); k++) check_replaced(was[k], changes[k]);
}
static bool any_defined(const Tensor* g, int n) {
  for (int k = 0; k < n; k++) if (g[k].defined()) return true;
  return false;
}

// The whole loop in one function: from backward() to a node's backward is a step for who comes by with a debugger.
void Backward::run() {
  Tensor few[8];  // the gradients of a node's inputs; all undefined between two nodes
  std::vector<Tensor> side, seen_by_hooks, many;
  for (unsigned ran = 0; Node* n = pop(); ran++) {
    bool mine = __atomic_load_n(&n->owner, __ATOMIC_RELAXED) == this;
    Tensor* g = n->pending;
    if (mine) [[likely]] n->queued = false;
    else g = gathered(n, side), mine = take_over(n);
    Running running{.n = n, .mine = mine, .dx = few, .lent = lent_};
    tls.differentiating = n, tls.unwanted = needed_ ? needed_->at(n).unwanted : 0;
    if ((n->extra || capture_) && !prepare(n, g)) continue;
    if (!any_defined(g, n->output_count)) continue;
    if (ran % 8 == 7) ask_for_interrupt();

    Tensor* dx = few;
    const int inputs = n->edge_count;
    if (inputs > 8) [[unlikely]] many.resize(size_t(inputs)), running.dx = dx = many.data();
    const bool after = n->extra && !n->extra->after.empty();
    if (after) [[unlikely]] seen_by_hooks.assign(g, g + n->output_count);
    if (is_watched()) [[unlikely]] detail::tell_node_opened(*n, g);
    if (n->output_count == 1) n->backward(std::move(g[0]), dx);
    else n->backward_all(g, dx);
    if (is_watched()) [[unlikely]] detail::tell_node_closed(*n, dx);
    if (after) [[unlikely]]
      for (auto& h : std::vector(n->extra->after)) call_hook(*h, dx, inputs, seen_by_hooks.data(), n->output_count);
    if (tls.anomaly) [[unlikely]] check_nan(*n, dx);
    if (!options_.retain_graph) n->free_saved(), n->freed = note_;
    lent_ = 0;
    for (int k = 0; k < inputs; k++) {
      if (!dx[k].defined()) continue;
      Tensor given = std::move(dx[k]);
      if (n->edges[k]) give(n->edges[k], std::move(given));
    }
  }
  for (auto& [leaf, g] : with_hooks_) {
    for (auto& h : std::vector(leaf->extra->hooks)) call_hook(*h, g);
    accumulate_grad(leaf, std::move(g));
    for (auto& h : std::vector(leaf->extra->post_accumulate_hooks)) (*h)(leaf);
  }
  if (!outer_) last.store({note_, false}, std::memory_order_relaxed);
}

void Backward::run_hooks_before(Node* n, Tensor* g) {
  for (auto& h : std::vector(n->extra->tensor_hooks))
    if (g[h.output_nr].defined()) call_hook(*h.hook, g[h.output_nr]);
  for (auto& r : n->extra->retained)
    if (g[r.output_nr].defined()) {
      Tensor& grad = extra_of(Tensor::share(r.tensor)).grad;
      grad = grad.defined() ? add(grad, g[r.output_nr]) : g[r.output_nr];
    }
  for (auto& h : std::vector(n->extra->before)) call_hook(*h, nullptr, 0, g, n->output_count);
}

// ---- which nodes lie on a path to the wanted inputs

// Iterative depth-first search. A node whose gradient is wanted need not run itself.
void Backward::find_needed(const std::vector<Node*>& roots) {
  needed_.emplace();
  std::unordered_map<Node*, bool> reaches;  // finished nodes: does a path from here reach a wanted input?
  std::unordered_map<Node*, Need> found;    // in work
  std::vector<std::pair<Node*, int>> stack;
  for (Node* root : roots) stack.emplace_back(root, 0);
  while (!stack.empty()) {
    auto& [n, k] = stack.back();
    if (reaches.count(n)) { stack.pop_back(); continue; }
    if (k < n->edge_count) {
      const Edge& e = n->edges[k++];
      if (!e) continue;
      bool wanted;
      if (e.leaf()) {
        wanted = capture_->leaves.count(e.tensor()) > 0;
      } else {
        auto it = reaches.find(e.node());
        if (it == reaches.end()) { k--, stack.emplace_back(e.node(), 0); continue; }
        wanted = it->second;
      }
      Need& need = found[n];
      need.runs |= wanted;
      if (!wanted && k <= 32) need.unwanted |= 1u << (k - 1);
      continue;
    }
    const Need need = found[n];
    const bool wanted = need.runs || capture_->node_outputs.count(n) > 0;
    reaches[n] = wanted;
    if (wanted) (*needed_)[n] = need;
    stack.pop_back();
  }
}

// ---- entry points

static Tensor one_like(const Tensor& root, size_t k) {
  TG_CHECK(root.numel() == 1, GradError, "grad can be implicitly created only for scalar outputs, output ", k, " is ", root);
  TG_CHECK(!is_complex(root.dtype()), GradError, "grad can be implicitly created only for real scalar outputs but got ", root.dtype());
  Tensor one = empty(root.sizes(), root.dtype(), root.device());
  NoGrad guard;
  if (root.dtype() == Dtype::Float32 && !root.is_cuda()) *one->host<float>() = 1;
  else fill_(one, 1);
  return one;
}
static Tensor checked_gradient(const Tensor& root, const Tensor& g, size_t k) {
  if (!g.defined()) return one_like(root, k);
  TG_CHECK(g.device() == root.device(), DeviceError, "gradient ", k, " must be on the device of its output", Named{"gradient", g}, Named{"output", root});
  TG_CHECK(g.sizes() == root.sizes(), ShapeError, "gradient ", k, " must have the shape of its output", Named{"gradient", g}, Named{"output", root});
  TG_CHECK(is_differentiable(g.dtype()), DtypeError, "gradient ", k, " must be floating point or complex", Named{"gradient", g});
  TG_CHECK(is_complex(g.dtype()) <= is_complex(root.dtype()), DtypeError, "gradient ", k, " must be real as its output is",
           Named{"gradient", g}, Named{"output", root});
  return g.dtype() == root.dtype() ? g : to(g, root.dtype());
}

// The gradients that a backward starts with, one a root; a single one needs no memory.
namespace {
class Seeds {
  Tensor one_;
  std::vector<Tensor> many_;
 public:
  Seeds(TensorList roots, TensorList gradients, bool create_graph) {
    TG_CHECK(gradients.empty() || gradients.size() == roots.size(), ValueError, "got ", roots.size(), " tensors and ", gradients.size(), " gradients");
    if (roots.size() > 1) many_.resize(roots.size());
    for (size_t k = 0; k < roots.size(); k++) {
      TG_CHECK(roots[k].defined() && needs_grad(roots[k]), GradError, "element ", k, " of tensors does not require grad and does not have a grad_fn\n  ", explain(roots[k]));
      Tensor g = gradients.empty() ? one_like(roots[k], k) : checked_gradient(roots[k], gradients[k], k);
      if (!create_graph && g->requires_grad) g = detach(g);
      (roots.size() > 1 ? many_[k] : one_) = std::move(g);
    }
  }
  void push_into(Backward& run, TensorList roots) {
    for (size_t k = 0; k < roots.size(); k++) {
      Tensor& g = roots.size() > 1 ? many_[k] : one_;
      if (Node* n = grad_fn(roots[k])) run.push(n, roots[k]->output_nr, std::move(g));
      else run.give_leaf(roots[k], std::move(g));
    }
  }
};
}  // namespace

void Backward::want(TensorList inputs, const std::vector<Node*>& roots) {
  capture_.emplace();
  for (const Tensor& t : inputs) {
    if (Node* n = grad_fn(t)) capture_->node_outputs[n].emplace(t->output_nr, Tensor());
    else capture_->leaves.emplace(t.get(), Tensor());
  }
  find_needed(roots);
}
Tensor Backward::captured(const Tensor& input) {
  if (Node* n = grad_fn(input)) return capture_->node_outputs[n][input->output_nr];
  return capture_->leaves[input.get()];
}
static std::vector<Node*> nodes_of(TensorList roots) {
  std::vector<Node*> nodes;
  for (const Tensor& t : roots) if (Node* n = grad_fn(t)) nodes.push_back(n);
  return nodes;
}

void backward(TensorList roots, TensorList gradients, BackwardOptions o, TensorList inputs) {
  OpScope op("backward");
  Seeds seeds(roots, gradients, o.create_graph);
  if (o.create_graph) o.retain_graph = true;
  GradMode mode(o.create_graph);
  Backward run(o, inputs.empty() ? "backward" : "backward(inputs=)");
  if (!inputs.empty()) {
    for (size_t k = 0; k < inputs.size(); k++) TG_CHECK(inputs[k].defined() && needs_grad(inputs[k]), GradError, "input ", k, " does not require grad");
    run.want(inputs, nodes_of(roots));
  }
  seeds.push_into(run, roots);
  run.run();
  for (const Tensor& t : inputs)
    if (Tensor g = run.captured(t); g.defined()) accumulate_grad(t, std::move(g));
}

std::vector<Tensor> grad(TensorList outputs, TensorList inputs, TensorList grad_outputs, BackwardOptions o) {
  OpScope op("grad");
  TG_CHECK(!inputs.empty(), ValueError, "grad requires non-empty inputs");
  for (size_t k = 0; k < inputs.size(); k++)
    TG_CHECK(inputs[k].defined() && needs_grad(inputs[k]), GradError, "one of the differentiated Tensors does not require grad: input ", k, Named{"input", inputs[k]});
  Seeds seeds(outputs, grad_outputs, o.create_graph);
  if (o.create_graph) o.retain_graph = true;
  GradMode mode(o.create_graph);
  Backward run(o, "grad");
  run.want(inputs, nodes_of(outputs));
  seeds.push_into(run, outputs);
  run.run();
  std::vector<Tensor> result;
  for (size_t k = 0; k < inputs.size(); k++) {
    Tensor g = run.captured(inputs[k]);
    if (!g.defined()) {
      TG_CHECK(o.allow_unused || o.materialize_grads, GradError, "one of the differentiated Tensors appears to not have been used in the graph: input ", k,
               "; set allow_unused=True if this is the desired behavior", Named{"input", inputs[k]});
      if (o.materialize_grads) g = zero_(empty_like(inputs[k]));
    }
    result.push_back(std::move(g));
  }
  return result;
}

// Scopes of their own, so that notes name these functions' callers.
void Tensor::backward() const {
  OpScope op("backward");
  tapegrad::backward(*this);
}
void Tensor::backward(const Tensor& gradient, bool retain_graph, bool create_graph) const {
  OpScope op("backward");
  tapegrad::backward(*this, gradient, {.retain_graph = retain_graph, .create_graph = create_graph});
}

}  // namespace tapegrad
