// Reading the tape: its steps in the order of recording, a backward on the side for the sizes that nodes do not keep, the table.
#include "tapegrad/tape.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "src/autograd/node.h"
#include "src/tensor/ledger.h"
#include "src/tensor/places.h"
#include "tapegrad/ops.h"

namespace tapegrad {

TapeVisitor::~TapeVisitor() = default;

std::vector<TapeStep::Saved> saved_tensors(Node& n) {
  SavedReader reader(n);
  n.free_saved();
  return std::move(reader.found);
}

std::vector<Tensor> run_node(Node& n, TensorList grad_outputs) {
  TG_CHECK(grad_outputs.size() == n.output_count, ValueError, n.name(), " has ", int64_t(n.output_count),
           " outputs, got ", int64_t(grad_outputs.size()), " gradients");
  const bool any = std::any_of(grad_outputs.begin(), grad_outputs.end(), [](const Tensor& g) { return g.defined(); });
  TG_CHECK(any, ValueError, n.name(), " got no gradient");
  struct Aside {  // what the engine sets; anomaly mode keeps a node from adding to a leaf's .grad itself
    Node* outer = tls.differentiating;
    uint32_t unwanted = tls.unwanted;
    AnomalyMode alone;
    explicit Aside(Node* now) { tls.differentiating = now, tls.unwanted = 0; }
    ~Aside() { tls.differentiating = outer, tls.unwanted = unwanted; }
  } aside(&n);
  std::vector<Tensor> g(grad_outputs.begin(), grad_outputs.end()), dx(n.edge_count);
  if (n.output_count == 1) n.backward(std::move(g[0]), dx.data());
  else n.backward_all(g.data(), dx.data());
  for (int k = 0; k < n.edge_count; k++) if (!n.edges[k]) dx[size_t(k)] = {};
  return dx;
}

namespace {

std::vector<Node*> nodes_behind(Node* root) {
  std::vector<Node*> found{root};
  std::unordered_set<const Node*> seen{root};
  for (size_t at = 0; at < found.size(); at++)
    for (int k = 0; k < found[at]->edge_count; k++)
      if (const Edge& e = found[at]->edges[k]; e && !e.leaf() && seen.insert(e.node()).second) found.push_back(e.node());
  std::sort(found.begin(), found.end(), [](const Node* a, const Node* b) { return a->sequence < b->sequence; });
  return found;
}

/// Where an op was called: the text of a place and its parts.
struct Origin {
  std::string text, file, function, source;
  int line = 0;
  // "train.py:12 in step", then perhaps the source in a line of its own; anything else has no parts.
  explicit Origin(const Place& p) : text(quote(p)) {
    if (const size_t end = text.find('\n'); end != std::string::npos) {
      source = text.substr(text.find_first_not_of(" \n", end));
      text.resize(end);
    }
    const size_t in = text.rfind(" in "), colon = text.rfind(':', in);
    if (colon == std::string::npos || colon + 1 >= text.size() || text[colon + 1] < '0' || text[colon + 1] > '9') return;
    file = text.substr(0, colon);
    line = std::atoi(text.c_str() + colon + 1);
    if (in != std::string::npos && in > colon) function = text.substr(in + 4);
  }
};

class Reader {
  Tape& tape_;
  std::unordered_map<const Node*, size_t> steps_;
  std::unordered_map<const TensorImpl*, size_t> leaves_;
  std::unordered_set<const Storage*> counted_;
  std::map<std::pair<const void*, int32_t>, Origin> places_;  // many steps come from few lines

  size_t leaf(TensorImpl* t) {
    auto [it, fresh] = leaves_.try_emplace(t, tape_.leaves.size());
    if (fresh) {
      tape_.leaves.push_back({Tensor::share(t), ""});
      counted_.insert(t->storage);
    }
    return it->second;
  }
  void add(Node* n) {
    TapeStep s;
    s.node = n, s.op = n->name(), s.module = module_path_text(n->module);
    const Origin& at = places_.try_emplace({n->place.where, n->place.offset}, n->place).first->second;
    s.place = at.text, s.file = at.file, s.function = at.function, s.line = at.line, s.source = at.source;
    s.outputs.resize(n->output_count);
    for (int k = 0; k < n->edge_count; k++) {
      const Edge& e = n->edges[k];
      if (!e) s.inputs.push_back({});
      else if (e.leaf()) s.inputs.push_back({TapeStep::Input::leaf, 0, leaf(e.tensor())});
      else s.inputs.push_back({TapeStep::Input::step, e.output_nr(), steps_.at(e.node())});
    }
    s.saved = saved_tensors(*n);
    for (const auto& v : s.saved) if (v.tensor.defined()) s.saved_bytes += v.tensor.nbytes();
    tape_.steps.push_back(std::move(s));
  }
  void name(const std::string& name, const Tensor& t) {
    if (!t.defined()) return;
    if (const Node* n = grad_fn(t)) {
      auto it = steps_.find(n);
      if (it == steps_.end()) return;
      TapeStep::Output& out = tape_.steps[it->second].outputs[t->output_nr];
      out = {true, Shape(t.sizes()), t.dtype(), name};
    } else if (auto it = leaves_.find(t.get()); it != leaves_.end()) {
      tape_.leaves[it->second].name = name;
    }
  }

 public:
  explicit Reader(Tape& tape) : tape_(tape) {}
  void read(const TapeNames& names) {
    if (Node* root = grad_fn(tape_.root)) {
      const std::vector<Node*> nodes = nodes_behind(root);
      for (size_t k = 0; k < nodes.size(); k++) steps_[nodes[k]] = k;
      for (Node* n : nodes) add(n);
    } else {
      leaf(tape_.root.get());
    }
    for (const TapeStep& s : tape_.steps)
      for (const auto& v : s.saved)
        if (v.tensor.defined() && counted_.insert(v.tensor->storage).second) tape_.saved_bytes += int64_t(v.tensor->storage->bytes);
    name("", tape_.root);
    for (auto it = names.rbegin(); it != names.rend(); ++it) name(it->first, it->second);  // of two names the first stays
  }
  // The engine's loop without its leaves and hooks: the steps are already in its order.
  void run_aside(TapeVisitor* visitor) {
    const NoGrad off;
    std::vector<std::vector<Tensor>> pending(tape_.steps.size());
    std::vector<Tensor> leaves(tape_.leaves.size());
    auto give = [](Tensor& into, const Tensor& g) { into = into.defined() ? into + g : g; };
    const Tensor one = ones_like(tape_.root);
    if (tape_.steps.empty()) leaves[0] = one;
    else pending.back().resize(tape_.steps.back().outputs.size()), pending.back()[tape_.root->output_nr] = one;
    for (size_t k = tape_.steps.size(); k-- > 0;) {
      TapeStep& s = tape_.steps[k];
      const std::vector<Tensor> g = std::move(pending[k]);
      if (g.empty()) continue;
      for (size_t i = 0; i < g.size(); i++)
        if (g[i].defined()) s.outputs[i].known = true, s.outputs[i].sizes = Shape(g[i].sizes()), s.outputs[i].dtype = g[i].dtype();
      const std::vector<Tensor> dx = run_node(*s.node, g);
      if (visitor) visitor->step(tape_, k, g, dx);
      for (size_t i = 0; i < dx.size(); i++) {
        if (!dx[i].defined()) continue;
        const TapeStep::Input& in = s.inputs[i];
        if (in.kind == in.leaf) { give(leaves[in.index], dx[i]); continue; }
        auto& to = pending[in.index];
        to.resize(tape_.steps[in.index].outputs.size());
        give(to[in.output_nr], dx[i]);
      }
    }
    if (visitor)
      for (size_t k = 0; k < leaves.size(); k++) if (leaves[k].defined()) visitor->leaf(tape_, k, leaves[k]);
  }
};

}  // namespace

Tape read_tape(const Tensor& root, const TapeNames& names, TapeVisitor* visitor) {
  OpScope op("tape");
  TG_CHECK(root.defined() && needs_grad(root), GradError, "the tensor has no tape: it neither requires grad nor has a grad_fn",
           Named{"input", root});
  Tape tape;
  tape.root = root;
  Reader reader(tape);
  reader.read(names);
  try {
    reader.run_aside(visitor);
  } catch (const Error& e) {
    tape.problem = e.what();
  }
  return tape;
}

// ---- the table

namespace {

std::string sizes_text(Dtype dtype, IntList sizes) { return std::string(name(dtype)) + to_string(sizes); }
std::string leaf_text(const Tape& t, size_t k) { return t.leaves[k].name.empty() ? "leaf " + std::to_string(k) : t.leaves[k].name; }
std::string input_text(const Tape& t, const TapeStep::Input& in) {
  if (in.kind == in.constant) return "-";
  if (in.kind == in.leaf) return leaf_text(t, in.index);
  return "#" + std::to_string(in.index) + (t.steps[in.index].outputs.size() > 1 ? "." + std::to_string(in.output_nr) : "");
}
std::string outputs_text(const TapeStep& s) {
  std::string r;
  for (const auto& o : s.outputs) {
    if (!r.empty()) r += "; ";
    if (!o.name.empty()) r += o.name + " ";
    r += o.known ? sizes_text(o.dtype, {o.sizes.data(), o.sizes.size()}) : "?";
  }
  return r;
}
std::string inputs_text(const Tape& t, const TapeStep& s) {
  std::string r;
  for (const auto& in : s.inputs) r += (r.empty() ? "" : ", ") + input_text(t, in);
  return r;
}
std::string saved_text(const TapeStep& s) {
  if (s.saved.empty()) return "";
  const bool freed = std::all_of(s.saved.begin(), s.saved.end(), [](const auto& v) { return v.state == v.freed; });
  return freed ? "freed" : readable(s.saved_bytes);
}
std::string line_text(const TapeStep& s) {
  if (s.file.empty()) return s.place;
  return s.file.substr(s.file.rfind('/') + 1) + ":" + std::to_string(s.line) + (s.source.empty() ? "" : "  " + s.source);
}
// Characters, not bytes: names may be in any script.
size_t width_of(const std::string& s) { return size_t(std::count_if(s.begin(), s.end(), [](char c) { return (c & 0xC0) != 0x80; })); }

constexpr int kColumns = 7;
struct TableRow { std::string cell[kColumns]; };
std::string aligned(const std::vector<TableRow>& rows) {
  size_t width[kColumns] = {};
  for (const TableRow& r : rows) for (int c = 0; c < kColumns; c++) width[c] = std::max(width[c], width_of(r.cell[c]));
  std::string text;
  for (const TableRow& r : rows) {
    for (int c = 0; c < kColumns; c++) {
      const std::string pad(width[c] - width_of(r.cell[c]), ' ');
      const bool right = c == 0 || c == 4;
      if (width[c]) text += (right ? pad + r.cell[c] : r.cell[c] + pad) + "  ";
    }
    text.erase(text.find_last_not_of(' ') + 1);
    text += '\n';
  }
  return text;
}

}  // namespace

std::string Tape::text() const {
  const bool modules = std::any_of(steps.begin(), steps.end(), [](const TapeStep& s) { return !s.module.empty(); });
  std::vector<TableRow> rows{{{"step", "op", "output", "inputs", "saved", modules ? "module" : "", "line"}}};
  for (size_t k = 0; k < steps.size(); k++) {
    const TapeStep& s = steps[k];
    rows.push_back({{std::to_string(k), s.op, outputs_text(s), inputs_text(*this, s), saved_text(s), s.module, line_text(s)}});
  }
  std::string text = aligned(rows) + std::to_string(steps.size()) + (steps.size() == 1 ? " step; " : " steps; ") + readable(saved_bytes) +
                     " saved for backward, leaves not counted\nleaves: ";
  for (size_t k = 0; k < leaves.size(); k++)
    text += (k ? ", " : "") + leaf_text(*this, k) + " " + sizes_text(leaves[k].tensor.dtype(), leaves[k].tensor.sizes());
  text += '\n';
  if (!problem.empty()) text += "sizes are missing: " + problem + "\n";
  return text;
}
std::string tape(const Tensor& root, const TapeNames& names) { return read_tape(root, names).text(); }

}  // namespace tapegrad
