// Parametrizations of layers' tensors.
#include <algorithm>

#include "src/nn/layer.h"
#include "tapegrad/linalg.h"
#include "tapegrad/nn_parametrize.h"

namespace tapegrad::nn {

namespace detail {

static constexpr const char *kPrefix = "Parametrized", *kChild = "parametrizations";

ParametrizationList::Step::~Step() = default;

ParametrizationList::ParametrizationList(const Module& owner, const Tensor& tensor)
    : Module("ParametrizationList"), parts_(Ref<Parts>::steal(new Parts)) {
  const auto& parameters = owner.state_->parameters;
  const auto it = std::find_if(parameters.begin(), parameters.end(), [&](auto& p) { return p.second.is_same(tensor); });
  TG_CHECK(it != parameters.end(), ValueError, owner.name(), " has no such parameter to parametrize");
  parts_->name = it->first;
  parts_->originals = {it->second};
}
/// Where a module has its parametrizations.
static auto lists_of(ModuleState& s) {
  return std::find_if(s.children.begin(), s.children.end(), [](auto& c) { return c.first == kChild; });
}
void ParametrizationList::put_into(Module& owner) const {
  ModuleState& s = *owner.state_;
  if (lists_of(s) == s.children.end()) {
    owner.add_child(kChild, Module("ModuleDict"));
    s.name.insert(0, kPrefix);
  }
  Module(lists_of(s)->second).add_child(parts_->name, *this);
  std::erase_if(s.parameters, [&](auto& p) { return p.first == parts_->name; });
}

void ParametrizationList::push_back(const Module& parametrization, Ref<Step> step) {
  Parts& p = *parts_;
  NoGrad no_grad;
  const bool first = p.steps.empty();
  TG_CHECK(first || step->inputs == 1, ValueError, parametrization.name(), ": it takes ", int64_t(step->inputs),
           " tensors, so it can only be the first parametrization of ", p.name);
  const Tensor before = first ? p.originals[0] : (*this)();
  const std::vector<Tensor> start = first ? step->right_inverse(before) : std::vector{before};
  const Tensor after = step->run(start);
  const bool trained = before.requires_grad();
  TG_CHECK(after.sizes() == before.sizes() && after.dtype() == before.dtype(), ShapeError, parametrization.name(),
           ": a parametrization may not change shape or dtype", Named{"before", before}, Named{"after", after});
  if (first && start.size() == 1) {
    if (!start[0].is_same(before)) copy_(before, start[0]);
    register_parameter("original", before).set_requires_grad(trained);
  } else if (first) {
    p.originals.clear();
    for (const Tensor& t : start) {
      const std::string name = "original" + std::to_string(p.originals.size());
      p.originals.push_back(register_parameter(name, detach(t)).set_requires_grad(trained));
    }
  }
  add_child(std::to_string(p.steps.size()), parametrization);
  p.steps.push_back(std::move(step));
}

Tensor ParametrizationList::operator()() const {
  Tensor t = parts_->steps[0]->run(parts_->originals);
  for (size_t k = 1; k < parts_->steps.size(); k++) t = parts_->steps[k]->run({t});
  return t;
}

Tensor ParametrizationList::remove_from(Module& owner) const {
  ModuleState& s = *owner.state_;
  ModuleState& dict = *lists_of(s)->second;
  const Tensor value = detach((*this)());
  std::erase_if(dict.children, [&](auto& c) { return c.first == parts_->name; });
  if (dict.children.empty()) {
    s.children.erase(lists_of(s));
    s.name.erase(0, std::string_view(kPrefix).size());
  }
  const bool trained = parts_->originals[0].requires_grad();
  return owner.register_parameter(parts_->name, value).set_requires_grad(trained);
}

}  // namespace detail

namespace utils::parametrizations {

WeightNorm::WeightNorm(std::optional<int64_t> d) : ModuleOf("_WeightNorm", ""), dim(d) {}
/// Euclidean, of each slice along dim, which keeps its size; of all of x without one or with -1, as in Python.
static Tensor norms_along(const Tensor& x, std::optional<int64_t> dim) {
  if (!dim || *dim == -1) return norm(x);
  TG_CHECK(*dim >= -x.dim() && *dim < x.dim(), IndexError, "weight_norm: dim ", *dim, " is out of range", Named{"weight", x});
  if (x.dim() <= 1) return abs(x);
  Shape others;
  for (int64_t d = 0; d < x.dim(); d++)
    if (d != (*dim + x.dim()) % x.dim()) others.push_back(d);
  return sqrt(sum(square(x), others, true));
}
Tensor WeightNorm::forward(const Tensor& length, const Tensor& direction) const {
  return direction * (length / norms_along(direction, dim));
}
std::vector<Tensor> WeightNorm::right_inverse(const Tensor& value) const { return {norms_along(value, dim), value}; }

/// A matrix whose rows are the slices along dim.
static Tensor rows_along(Tensor weight, int64_t dim) {
  if (dim != 0) {
    Shape order{dim};
    for (int64_t d = 0; d < weight.dim(); d++)
      if (d != dim) order.push_back(d);
    weight = permute(weight, order);
  }
  return flatten(weight, 1);
}
SpectralNorm::SpectralNorm(const Tensor& weight, int64_t n, double e, int64_t d)
    : ModuleOf("_SpectralNorm", ""), n_power_iterations(n), dim(d < 0 ? d + weight.dim() : d), eps(e) {
  TG_CHECK(dim >= 0 && dim < weight.dim(), IndexError, "spectral_norm: dim is out of range", Named{"weight", weight});
  TG_CHECK(n > 0, ValueError, "spectral_norm: n_power_iterations must be positive, got ", n);
  if (weight.dim() == 1) return;
  NoGrad no_grad;
  const Tensor matrix = rows_along(weight, dim);
  const auto start = [&](const char* buffer, int64_t size) {
    return register_buffer(buffer, normalize(empty({size}, weight.dtype()).normal_(), 2, 0, eps));
  };
  u = start("_u", matrix.size(0));
  v = start("_v", matrix.size(1));
  iterate(matrix, 15);
}
void SpectralNorm::iterate(const Tensor& matrix, int64_t times) const {
  NoGrad no_grad;
  for (int64_t i = 0; i < times; i++) {
    copy_(u, normalize(mv(matrix, v), 2, 0, eps));
    copy_(v, normalize(mv(t(matrix), u), 2, 0, eps));
  }
}
Tensor SpectralNorm::forward(const Tensor& weight) const {
  if (weight.dim() == 1) return normalize(weight, 2, 0, eps);
  const Tensor matrix = rows_along(weight, dim);
  if (is_training()) iterate(matrix, n_power_iterations);
  return weight / dot(clone(u), mv(matrix, clone(v)));  // copies: the next call changes them in place
}

Orthogonal::Orthogonal(const Tensor& weight, std::string_view orthogonal_map, bool use_trivialization)
    : ModuleOf("_Orthogonal", ""), map_(orthogonal_map), use_trivialization_(use_trivialization) {
  TG_CHECK(weight.dim() >= 2, ValueError, "orthogonal: expected a matrix or a batch of matrices", Named{"weight", weight});
  if (map_.empty()) map_ = weight.size(-2) == weight.size(-1) ? "matrix_exp" : "householder";
  TG_CHECK(map_ == "matrix_exp" || map_ == "cayley" || map_ == "householder", ValueError,
           "orthogonal: orthogonal_map has to be \"matrix_exp\", \"cayley\" or \"householder\", got \"", map_, "\"");
}
static bool is_wide(const Tensor& x) { return x.size(-2) < x.size(-1); }
static Tensor main_diagonal(const Tensor& x) { return diagonal(x, 0, -2, -1); }
/// x and `columns` more.
static Tensor widened(const Tensor& x, int64_t columns, Tensor (*make)(IntList, Dtype)) {
  Shape more = x.sizes();
  more.back() = columns;
  return cat({x, make(more, x.dtype())}, -1);
}
/// Q of the QR decomposition whose R has a positive diagonal, which makes it the only one.
static Tensor orthonormal(const Tensor& a) {
  const auto [q, r] = linalg::qr(a);
  return q * main_diagonal(r).sgn().unsqueeze(-2);
}

Tensor Orthogonal::forward(const Tensor& weight) const {
  const bool wide = is_wide(weight);
  Tensor x = wide ? weight.mT() : weight, q;
  const int64_t n = x.size(-2), k = x.size(-1);
  if (map_ == "householder") {
    const Tensor a = tril(x, -1);
    q = linalg::householder_product(a, 2 / (1 + a.square().sum(-2)));
    q = q * detach(main_diagonal(x)).trunc().unsqueeze(-2);
  } else {
    x = tril(x);
    if (n != k) x = widened(x, n - k, [](IntList size, Dtype d) { return zeros(size, d); });
    const Tensor a = x - x.mT();
    if (map_ == "matrix_exp") {
      q = matrix_exp(a);
    } else {
      const Tensor one = eye(n, {}, a.dtype());
      q = linalg::solve(one - 0.5 * a, one + 0.5 * a);
    }
    q = narrow(q, -1, 0, k);
  }
  if (!state_->buffers.empty()) q = matmul(state_->buffers[0].tensor, q);
  return wide ? q.mT() : q;
}
std::vector<Tensor> Orthogonal::right_inverse(const Tensor& value) const {
  const NoGrad no_grad;
  const bool wide = is_wide(value);
  const Tensor m = wide ? value.mT() : value;
  const int64_t n = m.size(-2), k = m.size(-1);
  if (!use_trivialization_) {
    if (map_ != "householder") return {value};  // no matrix is known to give it: it is where the search begins
    const auto [a, tau] = geqrf(m);
    const Tensor d = main_diagonal(a);
    copy_(d, where(tau == 0, -d.sign(), d.sign()));
    return {wide ? a.mT() : a};
  }
  const double epsilon = m.dtype() == float64 ? 0x1p-52 : 0x1p-23;
  Tensor base;
  if (n != k) base = orthonormal(widened(m, n - k, [](IntList size, Dtype d) { return randn(size, d); }));
  else if (allclose(matmul(m.mT(), m), eye(k, {}, m.dtype()), 1e-5, 10.0 * double(n) * epsilon)) base = clone(m);
  else base = orthonormal(m);
  Module(*this).register_buffer("base", base);
  const Tensor start = zeros_like(value);
  main_diagonal(start).fill_(-1);
  return {start};
}

}  // namespace utils::parametrizations
}  // namespace tapegrad::nn
