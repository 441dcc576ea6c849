// explain(): reads what the tape noted on the way, TensorImpl::origin, Node::freed and the last backward, and puts it into words.
#include "tapegrad/explain.h"

#include <string>

#include "src/autograd/engine.h"
#include "src/tensor/places.h"
#include "tapegrad/ops.h"

namespace tapegrad {
namespace {

// What was noted, and how it is told; the place follows. An op that is not listed has a result without a gradient.
struct Reason {
  std::string_view noted;
  const char* text;
};
constexpr Reason kReasons[] = {
    {"detach", "it was cut from the graph by detach()"},
    {"detach_", "it was cut from the graph by detach_()"},
    {"data", "it was cut from the graph by .data"},
    {"tensor", "tensor() copies values and leaves the graph behind"},
    {"requires_grad_", "its requires_grad was set to False"},
    {"no_grad", "it was made while recording was off: inside no_grad, entered"},
    {"inference_mode", "it was made while recording was off: inside inference_mode, entered"},
    {"set_grad_enabled", "it was made while recording was off: after set_grad_enabled(False)"},
    {"@no_grad", "it was made while recording was off: inside a function decorated with no_grad"},
    {"@inference_mode", "it was made while recording was off: inside a function decorated with inference_mode"},
    {"@set_grad_enabled", "it was made while recording was off: inside a function decorated with set_grad_enabled(False)"},
    {"backward", "it comes from gradients that backward() made without create_graph=True"},
    {"backward(inputs=)", "it comes from gradients that backward() made without create_graph=True"},
    {"grad", "it comes from gradients that grad() made without create_graph=True"},
    {"mark_non_differentiable", "its custom Function marked it with mark_non_differentiable(), called"},
};
std::string tell(const std::string& text, const Note& n) {
  const std::string line = place_line("at", n.place);
  return text + (line.empty() ? "" : " " + line.substr(3));
}

std::string why_cut(const Tensor& t) {
  std::string type;
  if (!is_differentiable(t.dtype())) type = std::string("tensors of ") + name(t.dtype()) + " have no gradient";
  if (!t->origin) {
    if (!type.empty()) return type;
    return "it was not made from a tensor that requires grad while recording was on, and requires_grad_() was not called on it";
  }
  const Note n = note(t->origin);
  for (const Reason& r : kReasons) if (n.op == r.noted) return (type.empty() ? "" : type + "; ") + tell(r.text, n);
  return (type.empty() ? "" : type + "; ") + tell(std::string("no gradient flows through ") + n.op + ", called", n);
}

// A tensor whose .grad a backward would write, when it reached it.
std::string why_unreached(const Tensor& t) {
  std::string cleared;
  if (const Note n = note(t->origin); n.op == std::string_view(kGradCleared)) cleared = tell("its .grad was set to None", n) + "\n  and no backward has reached it since; ";
  const LastBackward last = last_backward();
  if (!last.note) return cleared + "backward() has not been called yet";
  const Note n = note(last.note);
  if (last.failed) return cleared + tell("the last backward raised an error", n);
  if (n.op == std::string_view("grad")) return cleared + tell("the last one was grad(), which returns gradients and writes no .grad", n);
  if (n.op == std::string_view("backward(inputs=)")) return cleared + tell("the last backward wrote only into its inputs=, and it is none of them", n);
  return cleared + tell("the last backward did not reach it: what it started from was not computed from this tensor, or only through values cut from the graph", n);
}
std::string why_no_grad(const Tensor& t) {
  const Node* n = grad_fn(t);
  if (!n) return why_unreached(t);
  const bool retains = t->extra && t->extra->retains_grad;
  if (retains && n->freed) return tell("retain_grad() was called on it only after the backward", note(n->freed));
  if (retains) return why_unreached(t);
  const std::string made = place_line((std::string("made by ") + n->name() + " at").c_str(), n->place);
  const std::string freed = n->freed ? place_line("its graph was freed by the backward at", note(n->freed).place) : "";
  return "it is not a leaf, and backward() keeps .grad of leaves only; call retain_grad() on it before backward()" + made + freed;
}

}  // namespace

std::string explain(const Tensor& t) {
  if (!t.defined()) return "there is no tensor";
  std::string text;
  detail::put(text, t);
  if (!needs_grad(t)) return text + " does not require grad: " + why_cut(t);
  if (!t.grad().defined()) return text + " requires grad and has no .grad: " + why_no_grad(t);
  const NoGrad off;
  const bool zero = !any(ne(t.grad(), Tensor(0))).item<bool>();
  return text + " requires grad and has a .grad" + (zero ? ", all of it zero: a backward reached it, and every term was multiplied by zero or cancelled" : "");
}

}  // namespace tapegrad
