// Saved tensors: version checks, outputs without cycles, pack and unpack hooks.
#include <string>
#include <utility>

#include "src/autograd/node.h"
#include "src/tensor/places.h"

namespace tapegrad {

SavedTensorHooks::~SavedTensorHooks() = default;
static thread_local std::vector<SavedTensorHooks*> hook_stack;
static thread_local bool have_hooks = false;  // read on every save
void push_saved_tensor_hooks(SavedTensorHooks* hooks) {
  hook_stack.push_back(hooks);
  have_hooks = true;
}
void pop_saved_tensor_hooks() {
  TG_CHECK(!hook_stack.empty(), GradError, "saved_tensors_hooks: nothing to leave");
  hook_stack.pop_back();
  have_hooks = !hook_stack.empty();
}
namespace {
// What a hook keeps for us, and where the tensor stood in the graph: the hook may give back other memory without history.
struct Packed {
  SavedTensorHooks* hooks;
  void* state;
  Tensor leaf;           // the saved input, when it was a leaf that needs a gradient
  Node* node = nullptr;  // owned: the saved input's node, when it had one
  Shape sizes;           // of the tensor, and of what comes back
  Dtype dtype;
  Device device;
};
/// Stands between an unpacked copy of a leaf and the leaf.
struct LeafAlias final : NodeOf<1> {
  using NodeOf::NodeOf;
  const char* name() const override { return "AliasBackward0"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = g; }
};
}  // namespace

// The state that the innermost hooks make of t.
static Packed* packed(const Tensor& t, bool output) {
  SavedTensorHooks* h = hook_stack.back();
  auto* p = new Packed{h, nullptr, {}, nullptr, t.sizes(), t.dtype(), t.device()};
  if (!output && t->requires_grad) {
    if (Node* n = grad_fn(t)) n->retain(), p->node = n;
    else p->leaf = t;
  }
  try {
    p->state = h->pack(output ? detach(t) : t);
  } catch (...) {
    if (p->node && p->node->drop()) Node::destroy(p->node);
    delete p;
    throw;
  }
  return p;
}
void SavedTensor::save(const Tensor& t, Kind k) {
  output_ = k == output, was_defined_ = t.defined();
  if (!was_defined_) return;
  TG_CHECK(!t->inference, GradError, "inference tensors cannot be saved for backward; clone() it outside of inference mode first", Named{"tensor", t});
  output_nr_ = t->output_nr;
  version_ = t->storage->version;
  __atomic_store_n(&t->storage->saved, true, __ATOMIC_RELAXED);
  if (have_hooks) [[unlikely]] hook_state_ = packed(t, output_);
  else t_ = output_ ? detach(t) : t;
}
SavedTensor::SavedTensor(SavedTensor&& o) noexcept { *this = std::move(o); }
SavedTensor& SavedTensor::operator=(SavedTensor&& o) noexcept {
  std::swap(t_, o.t_);
  std::swap(version_, o.version_);
  std::swap(output_, o.output_);
  std::swap(was_defined_, o.was_defined_);
  std::swap(output_nr_, o.output_nr_);
  std::swap(hook_state_, o.hook_state_);
  return *this;
}
constinit thread_local SavedReader* saved_reader = nullptr;
SavedReader::SavedReader(Node& n) : node(n) { saved_reader = this; }
SavedReader::~SavedReader() { saved_reader = nullptr; }

void SavedReader::see(const Tensor& t, TapeStep::Saved::State state, bool output, uint32_t output_nr) {
  TapeStep::Saved s{{}, t, state};
  if (output) s.role = "output " + std::to_string(output_nr);
  for (int k = 0; k < node.edge_count && t.defined() && s.role.empty(); k++) {
    const Edge& e = node.edges[k];
    if (e && (e.leaf() ? e.tensor() == t.get() : e.node() == t->grad_fn && e.output_nr() == t->output_nr)) s.role = "input " + std::to_string(k);
  }
  if (s.role.empty()) s.role = "saved " + std::to_string(found.size());
  found.push_back(std::move(s));
}
void SavedTensor::reset() {
  if (saved_reader) [[unlikely]] {
    if (!was_defined_) return;
    using S = TapeStep::Saved;
    const bool changed = t_.defined() && t_->storage->version != version_;
    return saved_reader->see(t_, hook_state_ ? S::packed : !t_.defined() ? S::freed : changed ? S::changed : S::kept, output_, output_nr_);
  }
  t_ = {};
  if (!hook_state_) return;
  auto* p = static_cast<Packed*>(hook_state_);
  hook_state_ = nullptr;
  p->hooks->release(p->state);
  if (p->node && p->node->drop()) Node::destroy(p->node);
  delete p;
}

// An output gets its node back, so that the gradient of the gradient finds its way.
static Tensor relinked(const Tensor& data, Node& by, uint32_t output_nr) {
  Tensor y = detach(data);
  by.retain();
  link_history(y, &by, output_nr);
  return y;
}
static std::string freed_line(const Node& n) {
  const Note by = note(n.freed);
  return n.freed ? place_line((std::string("freed by ") + by.op + " at").c_str(), by.place) : "";
}
static std::string changed_line(const Storage& s) {
  const Note by = note(s.written);
  return s.written ? place_line((std::string("changed by ") + by.op + " at").c_str(), by.place) : "";
}
Tensor SavedTensor::unpack_hooked(Node& by) const {
  auto* p = static_cast<Packed*>(hook_state_);
  Tensor t = p->hooks->unpack(p->state);
  TG_CHECK(t.defined() && t.sizes() == IntList(p->sizes) && t.dtype() == p->dtype && t.device() == p->device, GradError,
           "saved_tensors_hooks: unpack must give back a tensor like the one that was packed, ", p->dtype, IntList(p->sizes), " ", p->device,
           Named{"it gave", t});
  if (!grad_enabled() || !t.defined()) return t;
  if (output_) return relinked(t, by, output_nr_);
  if (p->node) return relinked(t, *p->node, output_nr_);
  if (!p->leaf.defined()) return t;
  const Tensor y = detach(t);
  record<LeafAlias>(y, p->leaf);
  return y;
}
void SavedTensor::check(Node& by) const {
  if (!t_.defined()) [[unlikely]]
    detail::fail<GradError>("trying to backward through the graph a second time: the saved tensors of ", by.name(), " were freed by the first backward",
                            place_line("recorded at", by.place), freed_line(by), "\n  hint: pass retain_graph=True to the first backward to keep them");
  if (t_->storage->version != version_) [[unlikely]]
    detail::fail<GradError>("one of the variables needed for gradient computation has been modified by an inplace operation: ", by.name(), " saved its ",
                            output_ ? "output" : "input", " ", t_, " at version ", version_, ", which is now at version ", t_->storage->version,
                            place_line("saved at", by.place), changed_line(*t_->storage),
                            "\n  hint: use the operation without the trailing underscore, or clone first");
}
const Tensor& SavedTensor::peek(Node& by, Tensor& made) const {
  if (!was_defined_) return made = {};
  if (hook_state_) [[unlikely]] return made = unpack_hooked(by);
  check(by);
  return output_ && grad_enabled() ? made = relinked(t_, by, output_nr_) : t_;
}
Tensor SavedTensor::unpack(Node& by) const {
  Tensor made;
  return peek(by, made);
}

}  // namespace tapegrad
