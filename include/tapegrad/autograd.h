// The tape: nodes, edges, saved tensors, recording, the engine, hooks, custom functions. Knows no op.
//
// A Node is one recorded op. It is kept alive by its outputs, knows where each input's gradient goes (edges, straight into
// a leaf's .grad), and has a sequence number larger than its inputs'. backward() pops the largest number first, which is a
// topological order, so it needs neither a graph walk nor dependency counts.
#pragma once
#include <tuple>

#include <type_traits>

#include "tapegrad/tensor.h"

namespace tapegrad {

// ---- where the user called an op -----------------------------------------------------------------------------------

/// 16 bytes a node: a Python code entry and instruction offset, or a C++ return address. Text only when an error needs it.
struct Place {
  const void* where = nullptr;
  int32_t offset = -1;  // -1: `where` is a C++ return address
};
TG_API std::string describe(const Place& p);  ///< "train.py:12 in step" or "app+0x1234"
// Set by the Python bindings; called with the GIL held.
extern TG_API Place (*python_place)();
extern TG_API std::string (*python_place_text)(const Place&);
extern TG_API void (*release_python_object)(void* py);
extern TG_API void* (*unlock_python)();
extern TG_API void (*relock_python)(void*);

/// What a line of the program did to tensors. Notes are kept for good and have a number; there are as many as such lines.
struct Note {
  const char* op = "";
  Place place;
};
TG_API uint16_t make_note(const char* op, const Place& place);  ///< the same one for the same arguments; 0 when 65,535 have been made
TG_API Note note(uint16_t number);

/// First line of each public op: `OpScope op("matmul");`. Names the op for errors and keeps the caller's place.
/// Scopes nest; errors name the innermost, places are the outermost caller's.
struct OpScope {
  const char* name;
  OpScope* outer;
  const void* caller;
  [[gnu::always_inline]] explicit OpScope(const char* n) : name(n), outer(tls.scope) {
    caller = outer ? outer->caller : __builtin_extract_return_addr(__builtin_return_address(0));
    tls.scope = this;
    if (__atomic_load_n(&tls.watched, __ATOMIC_RELAXED)) [[unlikely]] opened();
  }
  ~OpScope() {
    if (__atomic_load_n(&tls.watched, __ATOMIC_RELAXED)) [[unlikely]] closed();
    tls.scope = outer;
  }
  OpScope(const OpScope&) = delete;
 private:
  TG_API void opened() noexcept;
  TG_API void closed() noexcept;
};

/// Lets other Python threads run during a long kernel and nothing else (work in cheap elements or flops / 8).
/// Put it round the kernel, after outputs are made and before anything is recorded.
inline constexpr int64_t kLongKernel = 1 << 15;
struct LongKernel {
  void* saved = nullptr;
  explicit LongKernel(int64_t work) {
    if (work > kLongKernel && tls.in_python) [[unlikely]] { tls.in_python = false; saved = unlock_python(); }
  }
  ~LongKernel() { if (saved) [[unlikely]] { relock_python(saved); tls.in_python = true; } }
  LongKernel(const LongKernel&) = delete;
};

// ---- nodes ---------------------------------------------------------------------------------------------------------

/// Where a gradient goes: output `output_nr` of a node, or a leaf's .grad (low bit set), or nowhere.
class Edge {
  uintptr_t bits_ = 0;
  uint32_t output_nr_ = 0;
 public:
  Edge() = default;
  Edge(Edge&& o) noexcept : bits_(o.bits_), output_nr_(o.output_nr_) { o.bits_ = 0; }
  Edge& operator=(Edge&& o) noexcept { uintptr_t b = bits_; bits_ = o.bits_; o.bits_ = b; uint32_t n = output_nr_; output_nr_ = o.output_nr_; o.output_nr_ = n; return *this; }
  explicit TG_API Edge(const Tensor& t);  // no edge when t is undefined or needs no gradient
  ~Edge() { if (bits_) drop(); }
  explicit operator bool() const { return bits_; }
  bool leaf() const { return bits_ & 1; }
  Node* node() const { return reinterpret_cast<Node*>(bits_); }
  TensorImpl* tensor() const { return reinterpret_cast<TensorImpl*>(bits_ & ~uintptr_t(1)); }
  uint32_t output_nr() const { return output_nr_; }
 private:
  TG_API void drop();
};

/// A callback on a gradient: returns a replacement, or an undefined tensor to leave it as it is.
struct TG_API Hook : Counted {
  uint64_t id = 0;
  virtual Tensor operator()(const Tensor& g) = 0;
  virtual ~Hook();
  static void destroy(Hook* h) { delete h; }
};
/// A callback on a node: pre-hooks see the gradients of the outputs, post-hooks also those of the inputs.
struct TG_API NodeHook : Counted {
  uint64_t id = 0;
  virtual void operator()(Tensor* grad_inputs, int n_inputs, Tensor* grad_outputs, int n_outputs) = 0;
  virtual ~NodeHook();
  static void destroy(NodeHook* h) { delete h; }
};
struct NodeExtra;  // hooks, retained outputs: only nodes that have some

struct TG_API Node : Counted {
  uint16_t edge_count = 0, output_count = 1;
  bool queued = false;
  uint64_t sequence = tls.sequence++;
  Edge* edges = nullptr;
  Tensor first_pending;               // gradients gathered so far by the running backward: of output 0 …
  Tensor* pending = &first_pending;   // … and of all, an array of output_count
  void* owner = nullptr;              // the running backward that uses `pending`
  Place place;
  uint32_t block = 0;
  uint16_t freed = 0;                 // note of the backward that dropped what was saved
  uint16_t module = tls.module;       // path of the nn module that made it
  Node* next_dead = nullptr;
  NodeExtra* extra = nullptr;

  Node() { ++tls.nodes; }
  virtual ~Node() {
    --tls.nodes;
    if (extra || pending != &first_pending) [[unlikely]] drop_extra();
  }
  /// As PyTorch's: "AddBackward0".
  virtual const char* name() const = 0;
  /// g is the output's gradient, owned: a formula may write into it when it is unique. Fill dx[k] for each input k with
  /// needs(k); leave it undefined for "zero".
  virtual void backward(Tensor g, Tensor* dx);
  /// Called instead when the node has several outputs; an undefined g[k] stands for zero.
  virtual void backward_all(Tensor* g, Tensor* dx);
  /// Drops what was saved; a second backward then says so.
  virtual void free_saved() {}
  /// Is input k's gradient of use? Asked in backward's own thread, not inside parallel_for.
  bool needs(int k) const { return edges[k] && !(tls.unwanted && unwanted(k)); }
  bool unwanted(int k) const { return this == tls.differentiating && k < 32 && (tls.unwanted >> k & 1); }
  void set_output_count(int n);       // before the node is given to tensors
  static void destroy(Node*);         // iterative: deep graphs do not recurse
 private:
  void drop_extra();
};

/// A node with N inputs: `struct MulBackward final : NodeOf<2> { MulBackward(const Tensor& a, const Tensor& b) : NodeOf(a, b) … }`.
template <int N> struct NodeOf : Node {
  Edge slots[N];
  template <class... T> explicit NodeOf(const T&... inputs) : slots{Edge(inputs)...} {
    static_assert(sizeof...(T) == N);
    edges = slots, edge_count = N;
    follow_inputs(*this);
  }
};
/// A node whose number of inputs is known at run time (cat, stack, custom functions).
struct TG_API NodeOfMany : Node {
  explicit NodeOfMany(TensorList inputs);
  ~NodeOfMany() override;
};
inline void follow_inputs(Node& n) {  // a Lamport clock: later than every input, whichever thread recorded it
  for (int k = 0; k < n.edge_count; k++)
    if (const Edge& e = n.edges[k]; e && !e.leaf() && e.node()->sequence >= n.sequence) [[unlikely]]
      n.sequence = e.node()->sequence + 1, tls.sequence = n.sequence + 1;
}

/// A tensor kept for backward: data and version. An output is kept without its node (else node and output would own each
/// other) and gets it back at unpack.
class TG_API SavedTensor {
  Tensor t_;
  uint32_t version_ = 0;
  bool output_ = false, was_defined_ = false;
  uint32_t output_nr_ = 0;
  void* hook_state_ = nullptr;
 public:
  enum Kind { input, output };
  SavedTensor() = default;
  SavedTensor(const Tensor& t, Kind k = input) { save(t, k); }
  SavedTensor(SavedTensor&& o) noexcept;
  SavedTensor& operator=(SavedTensor&& o) noexcept;
  ~SavedTensor() { if (hook_state_) [[unlikely]] reset(); }
  void save(const Tensor& t, Kind k = input);  // into one that holds nothing yet
  /// Throws GradError when it was freed by an earlier backward or overwritten since. Undefined if it was saved undefined.
  Tensor unpack(Node& by) const;
  /// The same without a new reference where it can be: the tensor kept here, or one that `made` then holds.
  const Tensor& peek(Node& by, Tensor& made) const;
  void reset();
  bool defined() const { return was_defined_; }
 private:
  void check(Node& by) const;
  Tensor unpack_hooked(Node& by) const;
};

// ---- recording -----------------------------------------------------------------------------------------------------

inline bool grad_enabled() { return !tls.no_grad; }
/// A view whose base got a history after it was made needs a gradient too (Note [Views and in-place writes] in record.cpp).
inline bool needs_grad(const Tensor& t) {
  if (!t.defined()) return false;
  return t->requires_grad || (t->base && t->history != t->base->history && t->base->requires_grad);
}
/// Is any of these to be differentiated?
template <class... T> bool recording(const T&... in) { return grad_enabled() && (needs_grad(in) || ...); }
TG_API bool recording(TensorList in);

TG_API Place place_slow();
inline Place place_now() {
  if (tls.differentiating) [[unlikely]] return place_slow();
  if (tls.in_python) return python_place();
  return {tls.scope ? tls.scope->caller : nullptr, -1};
}
namespace detail {
struct NodeRoom {  // goes back when the node's constructor throws
  void* room;
  size_t bytes;
  ~NodeRoom() { if (room) pool_free(room, bytes); }
};
template <class N, class... A> N* new_node(A&&... a) {
  NodeRoom r{pool_alloc(sizeof(N)), sizeof(N)};
  N* n = new (r.room) N(static_cast<A&&>(a)...);
  r.room = nullptr;
  n->block = sizeof(N);
  n->place = place_now();
  return n;
}
}  // namespace detail
/// Makes a node, notes the caller's place and gives it to `out`. Call under `if (recording(inputs…))`.
/// Integer and bool outputs are left without a node.
template <class N, class... A> N* record(const Tensor& out, A&&... a) {
  N* n = detail::new_node<N>(static_cast<A&&>(a)...);
  set_history(out, n, 0);
  return n;
}
/// The same for several outputs. `outs` of integer dtype or undefined are skipped but keep their number.
template <class N, class... A> N* record_many(TensorList outs, A&&... a) {
  N* n = detail::new_node<N>(static_cast<A&&>(a)...);
  const Ref<Node> ours = Ref<Node>::steal(n);
  n->set_output_count(int(outs.size()));
  for (size_t k = 0; k < outs.size(); k++)
    if (outs[k].defined() && is_differentiable(outs[k].dtype())) n->retain(), set_history(outs[k], n, uint32_t(k));
  return n;
}
TG_API void set_history(const Tensor& out, Node* owned, uint32_t output_nr);

/// In-place ops, in this order:
///   InPlace guard(self);                      // checks leaf, view and inference rules; throws GradError
///   … compute into self's memory …
///   if (recording(self, others…)) guard.record<AddBackward>(self_before, others…)   // guard.before() is self with its old history
///   (the guard's destructor bumps the version)
class TG_API InPlace {
  const Tensor& self_;
  Tensor before_;
  bool bumped_ = false;
 public:
  /// `will_record`: does the op's result need a gradient?
  InPlace(const Tensor& self, bool will_record);
  ~InPlace();
  /// What self was for the tape: same memory, old history. Undefined when not recording.
  const Tensor& before() const { return before_; }
  /// before() when `other` is self (x.mul_(x)), else other: what a node may save without owning itself.
  const Tensor& old(const Tensor& other) const { return other.is_same(self_) && before_.defined() ? before_ : other; }
  template <class N, class... A> N* record(A&&... a) {
    N* n = detail::new_node<N>(static_cast<A&&>(a)...);
    rebase(n);
    return n;
  }
 private:
  void check_leaf(bool will_record) const;
  void rebase(Node* owned);
};

/// Called at the end of every view op: makes `out` (from alias(x, …, true)) part of the graph. The gradient is scattered back
/// through the same strides unless the op records a node of its own.
TG_API Tensor record_view(const Tensor& x, Tensor out, const char* name);

// ---- running backward ----------------------------------------------------------------------------------------------

struct BackwardOptions {
  bool retain_graph = false, create_graph = false, allow_unused = false, materialize_grads = false;
};
/// d(sum of roots · gradients) accumulated into the leaves' .grad (or only into `inputs`). A missing gradient means 1, and
/// the root must then have one element.
/// Example: const Tensor x = tensor({1.0, 2.0}).set_requires_grad(); backward((x * x).sum());
///   assert(equal(x.grad(), tensor({2.0, 4.0})));
TG_API void backward(TensorList roots, TensorList gradients = {}, BackwardOptions options = {}, TensorList inputs = {});
/// The gradients themselves; no .grad is touched. Undefined where unused (with allow_unused).
/// Example: const Tensor x = tensor(3.0).set_requires_grad(); const Tensor y = grad(x * x * x, x, {}, {.create_graph = true})[0];
///   assert(grad(y, x)[0].item<int>() == 18);
TG_API std::vector<Tensor> grad(TensorList outputs, TensorList inputs, TensorList grad_outputs = {}, BackwardOptions options = {});

/// Example: const Tensor x = ones({2}).set_requires_grad(); { const NoGrad off; assert(!(x * 2).requires_grad()); }
///   assert((x * 2).requires_grad());
struct NoGrad {  // RAII: nothing is recorded in this thread while it lives
  bool before = tls.no_grad;
  uint16_t origin = tls.origin;
  TG_API NoGrad();  // notes its caller for the tensors made meanwhile
  ~NoGrad() { tls.no_grad = before, tls.origin = origin; }
};
struct EnableGrad {
  bool before = tls.no_grad;
  uint16_t origin = tls.origin;
  EnableGrad() { tls.no_grad = false, tls.origin = 0; }
  ~EnableGrad() { tls.no_grad = before, tls.origin = origin; }
};
struct GradMode {
  bool before = tls.no_grad;
  explicit GradMode(bool on) { tls.no_grad = !on; }
  ~GradMode() { tls.no_grad = before; }
};
/// Example: const InferenceMode on; const Tensor y = ones({2}) * 2; assert(!y.requires_grad());
struct InferenceMode {  // as NoGrad, and what is made may never be recorded later
  bool before = tls.inference, grad_before = tls.no_grad;
  uint16_t origin = tls.origin;
  TG_API explicit InferenceMode(bool on = true);
  ~InferenceMode() { tls.inference = before, tls.no_grad = grad_before, tls.origin = origin; }
};
/// In anomaly mode backward checks each gradient for NaN and names the forward op and its place.
struct AnomalyMode {
  bool before = tls.anomaly;
  explicit AnomalyMode(bool on = true) { tls.anomaly = on; }
  ~AnomalyMode() { tls.anomaly = before; }
};

/// While it lives, the first op, forward or backward, that makes a NaN or an infinity of finite numbers throws a GradError that
/// names it, its place and what went in (docs/insight.md says what is looked at). In all threads.
/// Example: const DetectNonfinite on; const Tensor x = tensor({0.0, 1.0}).set_requires_grad(); std::string what;
///   try { x.log(); } catch (const GradError& e) { what = e.what(); } assert(what.find("log") != std::string::npos);
struct TG_API DetectNonfinite {
  DetectNonfinite();
  ~DetectNonfinite();
  DetectNonfinite(const DetectNonfinite&) = delete;
};

/// Leaf gradient, hooks: allocated when first needed.
struct TG_API Extra {
  Tensor grad;
  bool retains_grad = false;
  std::vector<Ref<Hook>> hooks;                  // leaf: before accumulation
  std::vector<Ref<Hook>> post_accumulate_hooks;  // leaf: called with the tensor itself after .grad was written
};
TG_API Extra& extra_of(const Tensor& t);
namespace detail {
void drop_extra(TensorImpl* i);
}

/// The node that made t (null for leaves). Views whose base was changed in place get theirs renewed here.
TG_API Node* grad_fn(const Tensor& t);
/// Keeps .grad of a non-leaf too.
/// Example: const Tensor x = ones({2}).set_requires_grad(), y = x * 3; retain_grad(y); y.sum().backward();
///   assert(equal(y.grad(), ones({2})));
TG_API void retain_grad(const Tensor& t);
/// Cuts t from its history, in place.
TG_API void detach_(const Tensor& t);
/// Calls the hook with each gradient of t; returns an id for remove_hook.
/// Example: const Tensor x = ones({2}).set_requires_grad(); register_hook(x, make_hook([](const Tensor& g) { return g * 10; }));
///   x.sum().backward(); assert(equal(x.grad(), full({2}, 10.0)));
TG_API uint64_t register_hook(const Tensor& t, Ref<Hook> hook);
TG_API uint64_t register_post_accumulate_hook(const Tensor& leaf, Ref<Hook> hook);
TG_API uint64_t register_node_hook(Node& n, Ref<NodeHook> hook, bool before);
TG_API void remove_hook(uint64_t id, const Tensor& t);
TG_API void remove_hook(uint64_t id, Node& n);
template <class F> Ref<Hook> make_hook(F f) {
  struct Lambda final : Hook {
    F f;
    explicit Lambda(F x) : f(static_cast<F&&>(x)) {}
    Tensor operator()(const Tensor& g) override {
      if constexpr (std::is_void_v<decltype(f(g))>) { f(g); return {}; } else return f(g);
    }
  };
  return Ref<Hook>::steal(new Lambda(static_cast<F&&>(f)));
}

/// Pack and unpack of every saved tensor in this thread while it lives (saved_tensors_hooks).
struct TG_API SavedTensorHooks {
  virtual void* pack(const Tensor& t) = 0;   // returns a state the tape keeps
  virtual Tensor unpack(void* state) = 0;
  virtual void release(void* state) = 0;
  virtual ~SavedTensorHooks();
};
TG_API void push_saved_tensor_hooks(SavedTensorHooks* hooks);  // not owned; must outlive the nodes made under it
TG_API void pop_saved_tensor_hooks();

// ---- custom functions ----------------------------------------------------------------------------------------------

/// What a custom function's forward leaves for its backward.
struct TG_API FunctionContext {
  std::vector<SavedTensor> saved;
  Node* node = nullptr;
  void save_for_backward(TensorList tensors);
  std::vector<Tensor> saved_tensors() const;
  void mark_dirty(TensorList tensors);                ///< inputs that forward changed in place and returns
  void mark_non_differentiable(TensorList tensors);
  void set_materialize_grads(bool on) { materialize = on; }
  bool needs_input_grad(size_t i) const;
  bool materialize = true, once_differentiable = false;
  std::vector<Tensor> dirty, non_differentiable, to_save;
  std::vector<bool> needs;
};
namespace detail {
struct TG_API FunctionBody {
  virtual std::vector<Tensor> backward(FunctionContext& ctx, std::vector<Tensor> grads) = 0;
  virtual ~FunctionBody();
};
/// Runs f under no_grad and records one node over `inputs` whose backward is body's. Owns body.
struct ForwardCall { void* self; std::vector<Tensor> (*run)(void* self, FunctionContext& ctx); };
TG_API std::vector<Tensor> apply_function(const char* name, TensorList inputs, ForwardCall forward, FunctionBody* body, FunctionContext* ctx);
}  // namespace detail
/// User's own op: derive `struct Cube : Function<Cube>` with
///   static std::vector<Tensor> forward(FunctionContext& ctx, const Tensor& x);
///   static std::vector<Tensor> backward(FunctionContext& ctx, std::vector<Tensor> grads);
/// and call `Cube::apply(x)`. Arguments that are not tensors pass through to forward; backward returns one gradient per
/// tensor argument.
/// Example: struct Cube : Function<Cube> {
///     static std::vector<Tensor> forward(FunctionContext& ctx, const Tensor& x) {
///       ctx.save_for_backward({x});
///       return {x * x * x};
///     }
///     static std::vector<Tensor> backward(FunctionContext& ctx, std::vector<Tensor> grads) {
///       const Tensor x = ctx.saved_tensors()[0];
///       return {3 * x * x * grads[0]};
///     }
///   };
///   const Tensor x = tensor({1.0, 2.0}).set_requires_grad();
///   Cube::apply(x)[0].sum().backward();
///   assert(equal(x.grad(), tensor({3.0, 12.0})));
template <class F> struct Function {
  template <class... A> [[gnu::noinline]] static std::vector<Tensor> apply(const A&... args) {
    const OpScope op("CppFunctionBackward");  // keeps the place of the user's call
    std::vector<Tensor> inputs;
    auto collect = [&](const auto& a) { if constexpr (std::is_same_v<std::remove_cvref_t<decltype(a)>, Tensor>) inputs.push_back(a); };
    (collect(args), ...);
    struct Body final : detail::FunctionBody {
      std::vector<Tensor> backward(FunctionContext& ctx, std::vector<Tensor> grads) override { return F::backward(ctx, static_cast<std::vector<Tensor>&&>(grads)); }
    };
    auto call = [&](FunctionContext& ctx) { return F::forward(ctx, args...); };
    using Call = decltype(call);
    return detail::apply_function("CppFunctionBackward", inputs,
                                  {&call, [](void* self, FunctionContext& ctx) { return (*static_cast<Call*>(self))(ctx); }}, new Body, new FunctionContext);
  }
};

// ---- checking gradients --------------------------------------------------------------------------------------------

struct GradcheckOptions { double eps = 1e-6, atol = 1e-5, rtol = 1e-3; bool second_order = false; uint64_t seed = 0; };
namespace detail {
struct FunctionRef { void* self; std::vector<Tensor> (*call)(void*, const std::vector<Tensor>&); };
TG_API std::string gradcheck(FunctionRef f, std::vector<Tensor> inputs, GradcheckOptions o);
}
/// Compares the tape's Jacobian with central differences for each float64 or complex128 input that requires grad; with second_order also
/// the gradient of the gradient. Returns a std::string: "" or what differs, where and by how much.
/// Example: assert(gradcheck([](const std::vector<Tensor>& in) { return in[0].sin();
///   }, {randn({3}, float64).set_requires_grad()}) == "");
template <class F> auto gradcheck(F&& f, std::vector<Tensor> inputs, GradcheckOptions o = {}) {
  using G = std::remove_reference_t<F>;
  auto call = [](void* self, const std::vector<Tensor>& in) -> std::vector<Tensor> {
    auto r = (*static_cast<G*>(self))(in);
    if constexpr (std::is_same_v<decltype(r), Tensor>) return {r}; else return r;
  };
  return detail::gradcheck({const_cast<void*>(static_cast<const void*>(&f)), call}, static_cast<std::vector<Tensor>&&>(inputs), o);
}

}  // namespace tapegrad
