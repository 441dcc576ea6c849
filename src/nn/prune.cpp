// Pruning: masks and how they are chosen.
#include "tapegrad/nn_prune.h"

#include <algorithm>
#include <cmath>

#include "src/nn/layer.h"

namespace tapegrad::nn {
namespace utils::prune {

BasePruningMethod::~BasePruningMethod() = default;

static bool is_count(Scalar amount) { return !amount.is_float() && !amount.is_complex(); }
static Scalar checked(Scalar amount) {
  TG_CHECK(is_count(amount) ? amount.to_int() >= 0 : amount.to_double() >= 0 && amount.to_double() <= 1, ValueError,
           "prune: amount has to be a number of elements or a fraction between 0.0 and 1.0, got ", to_string(amount));
  return amount;
}
/// How many of size: the amount itself, or that fraction.
static int64_t count_of(Scalar amount, int64_t size) {
  if (!is_count(amount)) return int64_t(std::nearbyint(amount.to_double() * double(size)));
  TG_CHECK(amount.to_int() <= size, ValueError, "prune: amount is ", amount.to_int(), ", but there are only ", size, " to prune");
  return amount.to_int();
}
static Shape all_but(int64_t dim, int64_t ndim) {
  Shape dims;
  for (int64_t d = 0; d < ndim; d++)
    if (d != (dim + ndim) % ndim) dims.push_back(d);
  return dims;
}
/// Zeroes the n elements of the lowest scores.
static Tensor without_lowest(const Tensor& scores, const Tensor& mask, int64_t n) {
  const Tensor out = flatten(mask).clone();
  if (n > 0) out.index_fill_(0, topk(flatten(scores), n, -1, false).indices, 0);
  return out.view(mask.sizes());
}
/// Zeroes the n slices along dim of the lowest scores.
static Tensor without_slices(const Tensor& scores, const Tensor& mask, int64_t n, int64_t dim) {
  return n > 0 ? index_fill(mask, dim, topk(scores, n, -1, false).indices, 0) : mask;
}

Tensor Identity::compute_mask(const Tensor&, const Tensor& mask) const { return mask; }

RandomUnstructured::RandomUnstructured(Scalar a) : BasePruningMethod(Type::Unstructured), amount(checked(a)) {}
Tensor RandomUnstructured::compute_mask(const Tensor& t, const Tensor& mask) const {
  const int64_t n = count_of(amount, t.numel());
  return n > 0 ? without_lowest(rand(t.sizes()), mask, n) : mask;
}
L1Unstructured::L1Unstructured(Scalar a) : BasePruningMethod(Type::Unstructured), amount(checked(a)) {}
Tensor L1Unstructured::compute_mask(const Tensor& t, const Tensor& mask) const {
  return without_lowest(abs(t), mask, count_of(amount, t.numel()));
}
RandomStructured::RandomStructured(Scalar a, int64_t d) : BasePruningMethod(Type::Structured, d), amount(checked(a)) {}
Tensor RandomStructured::compute_mask(const Tensor& t, const Tensor& mask) const {
  const int64_t n = count_of(amount, t.size(dim));
  return n > 0 ? without_slices(rand({t.size(dim)}), mask, n, dim) : mask;
}
LnStructured::LnStructured(Scalar a, Scalar norm, int64_t d)
    : BasePruningMethod(Type::Structured, d), amount(checked(a)), n(norm) {}
Tensor LnStructured::compute_mask(const Tensor& t, const Tensor& mask) const {
  return without_slices(norm(t, n, all_but(dim, t.dim())), mask, count_of(amount, t.size(dim)), dim);
}
Tensor CustomFromMask::compute_mask(const Tensor& t, const Tensor& default_mask) const {
  TG_CHECK(mask.sizes() == t.sizes(), ShapeError, "custom_from_mask: the mask has another shape", Named{"mask", mask},
           Named{"tensor", t});
  return default_mask * mask.to(default_mask.dtype());
}

/// The method's mask for what is not pruned yet.
static Tensor next_mask(const BasePruningMethod& method, const Tensor& scores, const Tensor& mask) {
  using Type = BasePruningMethod::Type;
  if (method.type == Type::Global) return method.compute_mask(scores, mask);
  const Tensor out = mask.clone();
  if (method.type == Type::Unstructured) {
    const Tensor left = mask == 1;
    out.index_put_({left}, method.compute_mask(masked_select(scores, left), masked_select(mask, left)));
    return out;
  }
  TG_CHECK(scores.dim() >= 2, ValueError, "prune: structured pruning needs two dimensions or more", Named{"tensor", scores});
  TG_CHECK(method.dim >= -scores.dim() && method.dim < scores.dim(), IndexError, "prune: dim ", method.dim, " is out of range",
           Named{"tensor", scores});
  const Tensor left = nonzero(sum(mask, all_but(method.dim, mask.dim()))).view({-1});
  const Tensor part = method.compute_mask(index_select(scores, method.dim, left), index_select(mask, method.dim, left));
  out.index_copy_(method.dim, left, part);
  return out;
}

bool is_pruned(const Module& module) {
  for (const auto& [path, m] : module.named_modules()) {
    const StateDict buffers = m.named_buffers();
    for (const auto& [name, t] : m.named_parameters()) {
      if (!name.ends_with("_orig")) continue;
      const std::string mask = name.substr(0, name.size() - 4) + "mask";
      if (std::any_of(buffers.begin(), buffers.end(), [&](auto& b) { return b.first == mask; })) return true;
    }
  }
  return false;
}

void global_unstructured(const std::vector<Target>& parameters, const BasePruningMethod& method, const std::vector<Tensor>& scores) {
  TG_CHECK(method.type == BasePruningMethod::Type::Unstructured, ValueError, "global_unstructured: the method has to be an unstructured one");
  TG_CHECK(scores.empty() || scores.size() == parameters.size(), ValueError, "global_unstructured: there are ",
           int64_t(scores.size()), " importance_scores for ", int64_t(parameters.size()), " tensors");
  std::vector<Tensor> all_scores, masks;
  for (size_t k = 0; k < parameters.size(); k++) {
    const Tensor value = detach(parameters[k].tensor->value());
    all_scores.push_back(flatten(!scores.empty() && scores[k].defined() ? detach(scores[k]) : value));
    masks.push_back(flatten(parameters[k].tensor->mask()));
    TG_CHECK(all_scores[k].numel() == masks[k].numel(), ShapeError,
             "global_unstructured: importance_scores need the shape of their tensor", Named{"importance_scores", all_scores[k]},
             Named{"tensor", value});
  }
  const Tensor mask = next_mask(method, cat(all_scores), cat(masks));
  int64_t start = 0;
  for (const Target& p : parameters) {
    const int64_t n = p.tensor->mask().numel();
    p.tensor->prune(CustomFromMask(narrow(mask, 0, start, n).view(p.tensor->mask().sizes())), {});
    start += n;
  }
}

}  // namespace utils::prune

namespace detail {

PrunedTensor::PrunedTensor(Ref<ModuleState> owner, const Tensor& tensor) : owner_(std::move(owner)) {
  auto& parameters = owner_->parameters;
  const auto p = std::find_if(parameters.begin(), parameters.end(), [&](auto& x) { return x.second.is_same(tensor); });
  TG_CHECK(p != parameters.end(), ValueError, owner_->name, " has no such parameter to prune");
  name_ = p->first;
  original_ = p->second;
  mask_ = ones_like(detach(original_));
  parameters.erase(p);
  parameters.emplace_back(name_ + "_orig", original_);
  owner_->buffers.push_back({name_ + "_mask", mask_, true});
}
Tensor PrunedTensor::value() const { return mask_.to(original_.dtype()) * original_; }
void PrunedTensor::prune(const utils::prune::BasePruningMethod& method, const Tensor& importance_scores) {
  const Tensor scores = detach(importance_scores.defined() ? importance_scores : value());
  TG_CHECK(scores.sizes() == original_.sizes(), ShapeError, "prune: importance_scores need the tensor's shape",
           Named{"importance_scores", scores}, Named{name_.c_str(), original_});
  mask_ = utils::prune::next_mask(method, scores, mask_);  // a new one: earlier calls may still need the old one for their gradient
  for (auto& b : owner_->buffers)
    if (b.name == name_ + "_mask") b.tensor = mask_;
}
void PrunedTensor::remove() {
  {
    const NoGrad no_grad;
    copy_(original_, value());
  }
  std::erase_if(owner_->buffers, [&](auto& b) { return b.name == name_ + "_mask"; });
  std::erase_if(owner_->parameters, [&](auto& p) { return p.first == name_ + "_orig"; });
  owner_->parameters.emplace_back(name_, original_);
}

}  // namespace detail
}  // namespace tapegrad::nn
