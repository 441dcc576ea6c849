// gradcheck: the tape's gradients against central differences. A complex tensor counts as its real and imaginary parts.
// Where they differ, smaller and simpler inputs are tried for as long as they still differ.
#include <cmath>
#include <string>

#include "tapegrad/ops.h"

namespace tapegrad {
namespace {

Tensor parts(const Tensor& t) { return is_complex(t.dtype()) ? view_as_real(detach(t)) : detach(t); }
bool is_wide(Dtype d) { return real_dtype(d) == Dtype::Float64; }

// Fixed pseudo-random weights in [0.5, 1.5): a weighted sum of the outputs turns a Jacobian into one gradient.
Tensor weights_like(const Tensor& t, uint64_t seed) {
  Tensor w = empty(t.sizes(), is_complex(t.dtype()) ? Dtype::Complex128 : Dtype::Float64);
  auto* p = w->host<double>();
  for (int64_t k = 0; k < parts(w).numel(); k++) {
    uint64_t z = (seed + uint64_t(k) + 1) * 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9, z = (z ^ z >> 27) * 0x94d049bb133111eb;
    p[k] = 0.5 + double((z ^ z >> 31) >> 11) * 0x1p-53;
  }
  return w;
}
double weighted_sum(const std::vector<Tensor>& outs, const std::vector<Tensor>& w) {
  NoGrad guard;
  double total = 0;
  for (size_t k = 0; k < outs.size(); k++) {
    if (!w[k].defined()) continue;
    const Tensor dense = contiguous(to(parts(outs[k]), Dtype::Float64));
    const double *a = dense->host<double>(), *b = w[k]->host<const double>();
    for (int64_t i = 0; i < dense.numel(); i++) total += a[i] * b[i];
  }
  return total;
}
// Walks x element by element whatever its strides.
template <class F> void for_each_element(const Tensor& x, F f) {
  auto* p = x->host<double>();
  int64_t at[kMaxDims] = {};
  for (int64_t k = 0; k < x.numel(); k++) {
    f(*p, k);
    for (int d = int(x.dim()); d-- > 0; at[d] = 0) {
      p += x->strides[d];
      if (++at[d] < x->sizes[d]) break;
      p -= x->strides[d] * x->sizes[d];
    }
  }
}

std::string compare(detail::FunctionRef f, std::vector<Tensor> inputs, const GradcheckOptions& o) {
  auto call = [&] { return f.call(f.self, inputs); };
  EnableGrad recording_on;
  std::vector<Tensor> outs = call(), roots, seeds, checked;
  std::vector<Tensor> w(outs.size());
  for (size_t k = 0; k < outs.size(); k++) {
    if (!needs_grad(outs[k])) continue;
    w[k] = weights_like(outs[k], o.seed + k);
    roots.push_back(outs[k]);
    seeds.push_back(o.second_order ? detach(w[k]).set_requires_grad() : w[k]);
  }
  for (const Tensor& t : inputs) if (needs_grad(t) && is_wide(t.dtype())) checked.push_back(t);
  if (checked.empty()) return "gradcheck: no float64 or complex128 input requires grad";
  if (roots.empty()) return "gradcheck: no output requires grad";
  std::vector<Tensor> analytic = grad(roots, checked, seeds, {.create_graph = o.second_order, .allow_unused = true});
  for (size_t k = 0; k < checked.size(); k++) {
    const Tensor x = parts(checked[k]);
    const Tensor g = analytic[k].defined() ? contiguous(parts(to(detach(analytic[k]), checked[k].dtype()))) : zeros(x.sizes(), Dtype::Float64);
    if (!(g.sizes() == x.sizes())) return "gradcheck: the gradient of input " + std::to_string(k) + " has shape " + to_string(g.sizes());
    std::string wrong;
    for_each_element(x, [&](double& value, int64_t i) {
      if (!wrong.empty()) return;
      const double at = value;
      value = at + o.eps;
      const double up = weighted_sum(call(), w);
      value = at - o.eps;
      const double down = weighted_sum(call(), w);
      value = at;
      const double numeric = (up - down) / (2 * o.eps), tape = g->host<double>()[i];
      if (std::abs(numeric - tape) <= o.atol + o.rtol * std::abs(numeric)) return;
      wrong = "gradcheck: input " + std::to_string(k) + ", element " + std::to_string(i) + ": the tape gives " + std::to_string(tape) +
              ", central differences " + std::to_string(numeric);
    });
    if (!wrong.empty()) return wrong;
  }
  if (!o.second_order) return "";
  // The same for G(inputs, seeds) = gradient of f: its own tape must be right.
  std::vector<Tensor> all = inputs;
  const size_t first_seed = all.size();
  all.insert(all.end(), seeds.begin(), seeds.end());
  auto gradient = [&](const std::vector<Tensor>& in) {
    EnableGrad on;
    const std::vector<Tensor> x(in.begin(), in.begin() + int64_t(first_seed)), s(in.begin() + int64_t(first_seed), in.end());
    std::vector<Tensor> y, r, wanted;
    for (const Tensor& t : f.call(f.self, x)) if (needs_grad(t)) y.push_back(t);
    for (const Tensor& t : x) if (needs_grad(t) && is_wide(t.dtype())) wanted.push_back(t);
    for (Tensor& g : grad(y, wanted, s, {.create_graph = true, .allow_unused = true})) if (g.defined() && needs_grad(g)) r.push_back(g);
    return r;
  };
  if (gradient(all).empty()) return "";  // linear in nothing that requires grad
  GradcheckOptions first = o;
  first.second_order = false, first.seed += 1000;
  using Gradient = decltype(gradient);
  const auto run = [](void* self, const std::vector<Tensor>& in) { return (*static_cast<Gradient*>(self))(in); };
  const std::string wrong = compare({&gradient, run}, all, first);
  return wrong.empty() ? "" : "second order " + wrong;
}

// ---- smaller inputs that fail too

using Tensors = std::vector<Tensor>;

Tensor leaf_like(const Tensor& x, const Tensor& values) {
  const Tensor t = clone(detach(values), MemoryFormat::Contiguous);
  return needs_grad(x) ? t.set_requires_grad() : t;
}
/// Each dimension of size `from`, of all inputs, cut to `size`: most functions want some sizes to be equal.
Tensors cut(const Tensors& inputs, int64_t from, int64_t size) {
  Tensors out;
  for (const Tensor& x : inputs) {
    Tensor t = x;
    for (int64_t d = 0; d < x.dim(); d++)
      if (x.size(d) == from) t = narrow(t, d, 0, size);
    out.push_back(leaf_like(x, t));
  }
  return out;
}
/// Input k with its elements rounded; undefined where that makes zeros or equal elements, at which many functions have a kink.
Tensor rounded(const Tensor& x, int64_t digits) {
  const Tensor t = round(detach(x), digits);
  const double* p = t->host<double>();
  for (int64_t i = 0; i < t.numel(); i++) {
    if (p[i] == 0) return {};
    for (int64_t j = 0; j < i; j++) if (p[i] == p[j]) return {};
  }
  return leaf_like(x, t);
}

class Shrinking {
  detail::FunctionRef f_;
  GradcheckOptions options_;
  int tries_ = 200;

  bool fails(const Tensors& candidate) {
    if (tries_-- <= 0) return false;
    std::string wrong;
    try {
      wrong = compare(f_, candidate, options_);
    } catch (const std::exception&) {  // the function does not take such inputs
      return false;
    }
    if (wrong.find("central differences") == wrong.npos) return false;
    inputs = candidate, message = wrong;
    return true;
  }
  bool cut_somewhere() {
    for (size_t k = 0; k < inputs.size(); k++)
      for (const int64_t n : Shape(inputs[k].sizes()))
        for (const int64_t size : {int64_t(1), n / 2, n - 1})
          if (size > 0 && size < n && fails(cut(inputs, n, size))) return true;
    return false;
  }
 public:
  Tensors inputs;
  std::string message;

  Shrinking(detail::FunctionRef f, Tensors in, const GradcheckOptions& o) : f_(f), options_(o), inputs(std::move(in)) {
    while (cut_somewhere()) {}
    for (size_t k = 0; k < inputs.size(); k++)
      for (const int64_t digits : {0, 1, 2}) {
        if (inputs[k].dtype() != Dtype::Float64 || inputs[k].numel() > 64) break;
        Tensors candidate = inputs;
        candidate[k] = rounded(inputs[k], digits);
        if (candidate[k].defined() && fails(candidate)) break;
      }
  }
};

}  // namespace

std::string detail::gradcheck(FunctionRef f, std::vector<Tensor> inputs, GradcheckOptions o) {
  const std::string wrong = compare(f, inputs, o);
  if (wrong.find("central differences") == wrong.npos) return wrong;
  NoGrad no_grad;
  const Shrinking small(f, inputs, o);
  if (small.message.empty()) return wrong;
  std::string text = wrong + "\nsmallest inputs found that fail: " + small.message;
  for (size_t k = 0; k < small.inputs.size(); k++) text += "\n  input " + std::to_string(k) + ": " + to_string(detach(small.inputs[k]));
  return text;
}

}  // namespace tapegrad
