// Pruning: parameters times masks of zeros and ones. nn.h does not include it.
//   struct Net : nn::ModuleOf<Net> {
//     nn::Pruned<nn::Linear> fc = register_module("fc", nn::Pruned(nn::Linear(8, 4)));
//     Tensor forward(const Tensor& x) const { return fc(x); }
//   };
//   nn::utils::prune::l1_unstructured(net.fc, &nn::Linear::weight, 0.5);  // half of the weights are zero from now on
// weight_orig becomes the parameter, weight_mask a buffer, as in Python; each call of the layer multiplies them. Pruning again keeps what
// is pruned and chooses among the rest, by the present values (Python: by those of the last call). The masks are Python's to the bit.
#pragma once
#include "tapegrad/nn_container.h"

namespace tapegrad::nn {

namespace utils::prune {
/// How a mask is made. A method of your own derives from it.
struct TG_API BasePruningMethod {
  enum class Type : uint8_t {
    Unstructured,  ///< compute_mask gets what is not pruned yet as a list of numbers
    Structured,    ///< the slices along `dim` that have something left
    Global,        ///< everything
  };
  Type type;
  int64_t dim;
  explicit BasePruningMethod(Type t, int64_t d = -1) : type(t), dim(d) {}
  virtual ~BasePruningMethod();
  /// The new mask for the importance scores t: zeros at least where default_mask has them.
  virtual Tensor compute_mask(const Tensor& t, const Tensor& default_mask) const = 0;
};

// An amount is a number of elements or slices, as 3, or a fraction of them, as 0.3.
/// Prunes nothing; makes the mask.
struct TG_API Identity : BasePruningMethod {
  Identity() : BasePruningMethod(Type::Unstructured) {}
  Tensor compute_mask(const Tensor& t, const Tensor& default_mask) const override;
};
/// Any elements.
struct TG_API RandomUnstructured : BasePruningMethod {
  Scalar amount;
  explicit RandomUnstructured(Scalar amount);
  Tensor compute_mask(const Tensor& t, const Tensor& default_mask) const override;
};
/// The smallest elements by absolute value.
struct TG_API L1Unstructured : BasePruningMethod {
  Scalar amount;
  explicit L1Unstructured(Scalar amount);
  Tensor compute_mask(const Tensor& t, const Tensor& default_mask) const override;
};
/// Any slices along dim.
struct TG_API RandomStructured : BasePruningMethod {
  Scalar amount;
  explicit RandomStructured(Scalar amount, int64_t dim = -1);
  Tensor compute_mask(const Tensor& t, const Tensor& default_mask) const override;
};
/// The slices along dim of the smallest n-norm.
struct TG_API LnStructured : BasePruningMethod {
  Scalar amount, n;
  LnStructured(Scalar amount, Scalar n, int64_t dim = -1);
  Tensor compute_mask(const Tensor& t, const Tensor& default_mask) const override;
};
/// Where a given mask is zero.
struct TG_API CustomFromMask : BasePruningMethod {
  Tensor mask;
  explicit CustomFromMask(const Tensor& m) : BasePruningMethod(Type::Global), mask(m) {}
  Tensor compute_mask(const Tensor& t, const Tensor& default_mask) const override;
};
}  // namespace utils::prune

namespace detail {
/// One tensor of a module with its mask.
class TG_API PrunedTensor : public Counted {
  Ref<ModuleState> owner_;
  std::string name_;
  Tensor original_, mask_;
 public:
  /// `tensor`, a parameter of the module, is weight_orig from now on.
  PrunedTensor(Ref<ModuleState> owner, const Tensor& tensor);
  Tensor value() const;
  const Tensor& mask() const { return mask_; }
  /// By the present values, or by importance scores of their shape.
  void prune(const utils::prune::BasePruningMethod& method, const Tensor& importance_scores);
  /// Makes the pruned values the parameter.
  void remove();
  static void destroy(PrunedTensor* p) { delete p; }
};
}  // namespace detail

/// A layer whose tensors can be pruned; call it as the layer. Until then it has the layer's state_dict.
template <class Layer> class Pruned : public ModuleOf<Pruned<Layer>> {
  struct Part {
    Tensor Layer::*tensor;
    Ref<detail::PrunedTensor> value;
  };
  Layer layer_;
  Ref<detail::Shared<Part>> parts_ = Ref<detail::Shared<Part>>::steal(new detail::Shared<Part>);
  auto find(Tensor Layer::*tensor) const {
    auto p = parts_->items.begin();
    while (p != parts_->items.end() && p->tensor != tensor) ++p;
    return p;
  }
 public:
  explicit Pruned(const Layer& layer) : layer_(layer) { static_cast<Module&>(*this) = layer; }
  /// The tensor with its mask, of ones if it had none.
  Ref<detail::PrunedTensor> masked(Tensor Layer::*tensor) const {
    if (const auto p = find(tensor); p != parts_->items.end()) return p->value;
    parts_->items.push_back({tensor, Ref<detail::PrunedTensor>::steal(new detail::PrunedTensor(this->state_, layer_.*tensor))});
    return parts_->items.back().value;
  }
  bool is_pruned(Tensor Layer::*tensor) const { return find(tensor) != parts_->items.end(); }
  /// Makes the zeros permanent: the tensor is a parameter again.
  void remove(Tensor Layer::*tensor) const {
    masked(tensor)->remove();
    parts_->items.erase(find(tensor));
  }
  /// The layer with the present values: p.layer().weight.
  Layer layer() const {
    Layer layer = layer_;
    for (const Part& p : parts_->items) layer.*p.tensor = p.value->value();
    return layer;
  }
  template <class... A> auto forward(const A&... args) const { return layer().forward(args...); }
};

namespace utils::prune {
namespace detail {
template <class Layer> Pruned<Layer> pruned(const Layer& layer) { return Pruned<Layer>(layer); }
template <class Layer> Pruned<Layer> pruned(const Pruned<Layer>& layer) { return layer; }
template <class M, class Part> auto apply(const M& module, Part tensor, const BasePruningMethod& method, const Tensor& scores = {}) {
  const auto out = pruned(module);
  out.masked(tensor)->prune(method, scores);
  return out;
}
}  // namespace detail

// Each takes a layer or a Pruned one, and a tensor as &nn::Linear::weight, and returns the Pruned layer.
/// Makes weight_orig, weight_mask (ones) and their product.
template <class M, class Part> auto identity(const M& module, Part tensor) { return detail::apply(module, tensor, Identity()); }
/// Zeroes any elements: a number of them, or a fraction.
template <class M, class Part> auto random_unstructured(const M& module, Part tensor, Scalar amount) {
  return detail::apply(module, tensor, RandomUnstructured(amount));
}
/// Zeroes the smallest elements: a number of them, or a fraction.
/// Example: const auto fc = nn::utils::prune::l1_unstructured(nn::Linear(4, 5), &nn::Linear::weight, 0.3);
///   assert(sum(fc.layer().weight == 0).item<int>() == 6); assert(fc.get_buffer("weight_mask").sum().item() == 14);
template <class M, class Part> auto l1_unstructured(const M& module, Part tensor, Scalar amount, const Tensor& importance_scores = {}) {
  return detail::apply(module, tensor, L1Unstructured(amount), importance_scores);
}
/// Zeroes any slices along dim.
template <class M, class Part> auto random_structured(const M& module, Part tensor, Scalar amount, int64_t dim) {
  return detail::apply(module, tensor, RandomStructured(amount, dim));
}
/// Zeroes the slices along dim of the smallest n-norm.
template <class M, class Part>
auto ln_structured(const M& module, Part tensor, Scalar amount, Scalar n, int64_t dim, const Tensor& importance_scores = {}) {
  return detail::apply(module, tensor, LnStructured(amount, n, dim), importance_scores);
}
/// Zeroes where mask is zero.
template <class M, class Part> auto custom_from_mask(const M& module, Part tensor, const Tensor& mask) {
  return detail::apply(module, tensor, CustomFromMask(mask));
}
/// Makes the pruning of the tensor permanent.
template <class Layer> Pruned<Layer> remove(const Pruned<Layer>& module, Tensor Layer::*tensor) {
  TG_CHECK(module.is_pruned(tensor), ValueError, "remove: this tensor of ", module.name(), " is not pruned");
  module.remove(tensor);
  return module;
}
/// Is anything in it pruned? What is has a parameter x_orig and a buffer x_mask.
TG_API bool is_pruned(const Module& module);

/// A tensor of a Pruned layer: {net.fc, &nn::Linear::weight}.
struct Target {
  Ref<nn::detail::PrunedTensor> tensor;
  template <class Layer> Target(const Pruned<Layer>& module, Tensor Layer::*t) : tensor(module.masked(t)) {}
};
/// Zeroes elements chosen among all of the tensors together by an unstructured method; scores, if any, one for each tensor.
TG_API void global_unstructured(const std::vector<Target>& parameters, const BasePruningMethod& pruning_method,
                                const std::vector<Tensor>& importance_scores = {});
}  // namespace utils::prune

}  // namespace tapegrad::nn
