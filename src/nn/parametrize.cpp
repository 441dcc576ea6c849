// Parametrizations of layers' tensors.
#include <algorithm>

#include "src/nn/layer.h"
#include "tapegrad/nn_parametrize.h"

namespace tapegrad::nn {

namespace detail {

static constexpr const char *kPrefix = "Parametrized", *kChild = "parametrizations";

ParametrizationList::Step::~Step() = default;

ParametrizationList::ParametrizationList(Module& owner, const Tensor& tensor)
    : Module("ParametrizationList"), parts_(Ref<Parts>::steal(new Parts)) {
  ModuleState& s = *owner.state_;
  const auto it =
      std::find_if(s.parameters.begin(), s.parameters.end(), [&](auto& p) { return p.second.is_same(tensor); });
  TG_CHECK(it != s.parameters.end(), ValueError, owner.name(), " has no such parameter to parametrize");
  parts_->name = it->first;
  parts_->originals = {it->second};
  s.parameters.erase(it);
  if (s.children.empty() || s.children.back().first != kChild) {
    owner.add_child(kChild, Module("ModuleDict"));
    s.name.insert(0, kPrefix);
  }
  Module(s.children.back().second).add_child(parts_->name, *this);
}

void ParametrizationList::push_back(const Module& parametrization, Ref<Step> step) {
  Parts& p = *parts_;
  NoGrad no_grad;
  const bool first = p.steps.empty();
  const Tensor before = first ? p.originals[0] : (*this)();
  const std::vector<Tensor> start = step->right_inverse(before);
  const Tensor after = step->run(start);
  TG_CHECK(after.sizes() == before.sizes() && after.dtype() == before.dtype(), ShapeError, parametrization.name(),
           ": a parametrization may not change shape or dtype", Named{"before", before}, Named{"after", after});
  if (first && start.size() == 1) {
    if (!start[0].is_same(before)) copy_(before, start[0]);
    register_parameter("original", before);
  } else if (first) {
    p.originals.clear();
    for (const Tensor& t : start) {
      const Tensor original = detach(t).set_requires_grad(before.requires_grad());
      p.originals.push_back(register_parameter("original" + std::to_string(p.originals.size()), original));
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
  ModuleState& dict = *s.children.back().second;
  const Tensor value = detach((*this)());
  std::erase_if(dict.children, [&](auto& c) { return c.first == parts_->name; });
  if (dict.children.empty()) {
    s.children.pop_back();
    s.name.erase(0, std::string_view(kPrefix).size());
  }
  const bool trained = parts_->originals[0].requires_grad();
  return owner.register_parameter(parts_->name, value).set_requires_grad(trained);
}

}  // namespace detail

namespace utils::parametrizations {

WeightNorm::WeightNorm(std::optional<int64_t> d) : ModuleOf("_WeightNorm", ""), dim(d) {}
/// Euclidean, of each slice along dim, which keeps its size.
static Tensor norms_along(const Tensor& x, std::optional<int64_t> dim) {
  if (!dim) return norm(x);
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

}  // namespace utils::parametrizations
}  // namespace tapegrad::nn
