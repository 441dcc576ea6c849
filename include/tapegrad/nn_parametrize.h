// Tensors of layers that are computed from others before each call: weight_norm, spectral_norm, orthogonal, and functions of your own.
// nn.h does not include it.
//   struct Net : nn::ModuleOf<Net> {
//     nn::Parametrized<nn::Conv2d> conv = register_module("conv", nn::utils::parametrizations::spectral_norm(nn::Conv2d(3, 16, 3)));
//     Tensor forward(const Tensor& x) const { return conv(x).relu(); }
//   };
// The layer's tensor moves to parametrizations.weight.original, and what it prints and saves is Python's.
#pragma once
#include <optional>

#include "tapegrad/nn_container.h"
#include "tapegrad/nn_conv.h"

namespace tapegrad::nn {

namespace detail {
/// The parametrizations of one tensor, applied in order, and what the first one starts from.
class TG_API ParametrizationList : public Module {
 public:
  struct TG_API Step : Counted {
    size_t inputs;  // originals that it takes
    explicit Step(size_t n) : inputs(n) {}
    virtual Tensor run(const std::vector<Tensor>& from) const = 0;
    virtual std::vector<Tensor> right_inverse(const Tensor& value) const = 0;
    virtual ~Step();
    static void destroy(Step* s) { delete s; }
  };
  /// For `tensor`, a parameter of `owner`.
  ParametrizationList(const Module& owner, const Tensor& tensor);
  /// `owner` loses the parameter and gets this list as parametrizations.<its name>.
  void put_into(Module& owner) const;
  void push_back(const Module& parametrization, Ref<Step> step);
  Tensor operator()() const;
  /// Makes the value a parameter of `owner` again.
  Tensor remove_from(Module& owner) const;

 private:
  struct Parts : Counted {
    std::string name;
    std::vector<Tensor> originals;
    std::vector<Ref<Step>> steps;
    static void destroy(Parts* p) { delete p; }
  };
  Ref<Parts> parts_;
};
/// P is a module with forward(original), or forward(original0, original1) and right_inverse(value), which gives both.
template <class P> struct StepOf final : ParametrizationList::Step {
  static constexpr bool two = requires(const P m, Tensor t) { m.forward(t, t); };
  P module;
  explicit StepOf(const P& m) : Step(two ? 2 : 1), module(m) {}
  Tensor run(const std::vector<Tensor>& from) const override {
    if constexpr (two) return module(from[0], from[1]);
    else return module(from[0]);
  }
  std::vector<Tensor> right_inverse(const Tensor& value) const override {
    if constexpr (requires { module.right_inverse(value); }) return module.right_inverse(value);
    else return {value};
  }
};
}  // namespace detail

/// A layer some of whose tensors are parametrized; call it as the layer.
template <class Layer> class Parametrized : public ModuleOf<Parametrized<Layer>> {
  struct Part {
    Tensor Layer::*tensor;
    detail::ParametrizationList value;
  };
  Layer layer_;
  Ref<detail::Shared<Part>> parts_ = Ref<detail::Shared<Part>>::steal(new detail::Shared<Part>);
 public:
  explicit Parametrized(const Layer& layer) : layer_(layer) { static_cast<Module&>(*this) = layer; }
  /// One more parametrization, after those that the tensor has.
  template <class P> void add(Tensor Layer::*tensor, const P& parametrization) {
    auto& parts = parts_->items;
    size_t k = 0;
    while (k < parts.size() && parts[k].tensor != tensor) k++;
    auto step = Ref<detail::ParametrizationList::Step>::steal(new detail::StepOf<P>(parametrization));
    if (k < parts.size()) return parts[k].value.push_back(parametrization, std::move(step));
    detail::ParametrizationList list(*this, layer_.*tensor);
    list.push_back(parametrization, std::move(step));  // when it is refused, the layer stays as it is
    list.put_into(*this);
    parts.push_back({tensor, list});
  }
  /// The layer with the present values: p.layer().weight.
  Layer layer() const {
    Layer layer = layer_;
    for (const Part& p : parts_->items) layer.*p.tensor = p.value();
    return layer;
  }
  template <class... A> auto forward(const A&... args) const { return layer().forward(args...); }
  /// The layer with the present values as ordinary parameters. This handle is used up.
  Layer remove() {
    for (const Part& p : parts_->items) layer_.*p.tensor = p.value.remove_from(*this);
    parts_->items.clear();
    return layer_;
  }
};

namespace utils::parametrize {
/// `tensor`, as &nn::Linear::weight, becomes what the parametrization, a module, makes of it.
/// Example: struct Symmetric : nn::ModuleOf<Symmetric> {
///     Tensor forward(const Tensor& x) const { return x.triu() + x.triu(1).mT(); }
///   };
///   const auto fc = nn::utils::parametrize::register_parametrization(nn::Linear(3, 3), &nn::Linear::weight, Symmetric());
///   const Tensor w = fc.layer().weight; assert(equal(w, w.mT()));
template <class Layer, class P>
Parametrized<Layer> register_parametrization(const Layer& layer, Tensor Layer::*tensor, const P& parametrization) {
  Parametrized<Layer> out(layer);
  out.add(tensor, parametrization);
  return out;
}
template <class Layer> Layer remove_parametrizations(Parametrized<Layer> layer) { return layer.remove(); }
}  // namespace utils::parametrize

namespace utils::parametrizations {
/// original0 · original1 / |original1|, the norm of each slice along dim, or of everything without one.
struct TG_API WeightNorm : ModuleOf<WeightNorm> {
  std::optional<int64_t> dim;
  explicit WeightNorm(std::optional<int64_t> dim);
  Tensor forward(const Tensor& length, const Tensor& direction) const;
  std::vector<Tensor> right_inverse(const Tensor& value) const;
};
/// The weight over its largest singular value, which power iterations follow while training.
struct TG_API SpectralNorm : ModuleOf<SpectralNorm> {
  Tensor u, v;
  int64_t n_power_iterations, dim;
  double eps;
  SpectralNorm(const Tensor& weight, int64_t n_power_iterations, double eps, int64_t dim);
  Tensor forward(const Tensor& weight) const;

 private:
  void iterate(const Tensor& matrix, int64_t times) const;
};
/// An orthogonal matrix of any one: "householder", or "matrix_exp" or "cayley" of a skew-symmetric matrix; times the buffer "base", the
/// value that it started from, with use_trivialization. An empty map is matrix_exp for squares, else householder.
class TG_API Orthogonal : public ModuleOf<Orthogonal> {
  std::string map_;
  bool use_trivialization_;
 public:
  Orthogonal(const Tensor& weight, std::string_view orthogonal_map, bool use_trivialization);
  Tensor forward(const Tensor& weight) const;
  std::vector<Tensor> right_inverse(const Tensor& value) const;
};
/// Where the outputs of a layer's weight are.
template <class Layer> inline constexpr int64_t output_dim = 0;
template <int N> inline constexpr int64_t output_dim<ConvTranspose<N>> = 1;

/// Salimans & Kingma 2016.
template <class Layer>
Parametrized<Layer> weight_norm(const Layer& layer, Tensor Layer::*tensor = &Layer::weight, std::optional<int64_t> dim = 0) {
  return parametrize::register_parametrization(layer, tensor, WeightNorm(dim));
}
/// Miyato et al. 2018.
template <class Layer>
Parametrized<Layer> spectral_norm(const Layer& layer, Tensor Layer::*tensor = &Layer::weight, int64_t n_power_iterations = 1,
                                  double eps = 1e-12, std::optional<int64_t> dim = {}) {
  return parametrize::register_parametrization(
      layer, tensor, SpectralNorm(layer.*tensor, n_power_iterations, eps, dim.value_or(output_dim<Layer>)));
}
/// A weight with orthonormal rows or columns, or a batch of them (Lezcano-Casado 2019).
/// Example: const auto fc = nn::utils::parametrizations::orthogonal(nn::Linear(3, 5));
///   const Tensor w = fc.layer().weight; assert(allclose(matmul(w.mT(), w), eye(3), 0, 1e-5));
template <class Layer>
Parametrized<Layer> orthogonal(const Layer& layer, Tensor Layer::*tensor = &Layer::weight, std::string_view orthogonal_map = {},
                               bool use_trivialization = true) {
  return parametrize::register_parametrization(layer, tensor, Orthogonal(layer.*tensor, orthogonal_map, use_trivialization));
}
}  // namespace utils::parametrizations

}  // namespace tapegrad::nn
