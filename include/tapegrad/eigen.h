// Tensors and Eigen matrices in the same memory, and Eigen code as a differentiable op. Never included by tapegrad.h: a program that
// includes it brings Eigen (3.4 or later) itself, find_package(Eigen3).
//
//   const auto a = eigen::map<const Eigen::MatrixXd>(x);   // x's memory, any strides, no copy
//   Tensor y = eigen::tensor(Eigen::MatrixXd(a * 2));      // the matrix moves into the tensor
//   Tensor z = eigen::view(m);                             // the memory of m, which stays yours and must live longer
#pragma once
#include <Eigen/Core>
#include <memory>
#include <utility>

#include "tapegrad/tapegrad.h"

namespace tapegrad::eigen {

using Strides = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
/// An Eigen::Map of any strides. Eigen::Ref<M, 0, eigen::Strides> takes it without a copy.
template <class M> using Map = Eigen::Map<M, Eigen::Unaligned, Strides>;

namespace detail {

struct Geometry {
  Eigen::Index rows, cols, row_stride, col_stride;
};
/// x as a matrix of type M: one dimension is a vector (a column where M is no vector), none is 1 x 1.
template <class M> Geometry geometry(const Tensor& x) {
  using T = typename M::Scalar;
  TG_CHECK(x.dtype() == DtypeOf<T>::value, DtypeError, "eigen::map: a matrix of ", DtypeOf<T>::value, " cannot show ", x.dtype(), Named{"x", x});
  TG_CHECK(x.dim() <= 2, ShapeError, "eigen::map: a matrix has at most 2 dimensions", Named{"x", x});
  Geometry g{1, 1, 1, 1};
  if (x.dim() == 2) g = {x.size(0), x.size(1), x.stride(0), x.stride(1)};
  else if (x.dim() == 1 && M::RowsAtCompileTime == 1) g = {1, x.size(0), 1, x.stride(0)};
  else if (x.dim() == 1) g = {x.size(0), 1, x.stride(0), 1};
  constexpr int rows = M::RowsAtCompileTime, cols = M::ColsAtCompileTime;
  TG_CHECK((rows == Eigen::Dynamic || g.rows == rows) && (cols == Eigen::Dynamic || g.cols == cols), ShapeError, "eigen::map: expected a matrix of ",
           rows == Eigen::Dynamic ? g.rows : rows, " x ", cols == Eigen::Dynamic ? g.cols : cols, ", got ", g.rows, " x ", g.cols, Named{"x", x});
  return g;
}
template <class M> Strides strides(const Geometry& g) {
  return M::IsRowMajor ? Strides(g.row_stride, g.col_stride) : Strides(g.col_stride, g.row_stride);
}
/// A map of M that is not const is for writing: it counts as an in-place op.
template <class M> auto memory(const Tensor& x) {
  if constexpr (!std::is_const_v<M>) bump_version(x);
  return x.data_ptr<typename M::Scalar>();
}

template <class D> Tensor over(const D& m, void (*deleter)(void*), void* context) {
  using T = typename D::Scalar;
  T* data = const_cast<T*>(m.data());
  if constexpr (D::IsVectorAtCompileTime) {
    TG_CHECK(m.innerStride() >= 0, ValueError, "eigen::view: a tensor has no negative strides");
    return from_blob(data, {m.size()}, {m.innerStride()}, DtypeOf<T>::value, deleter, context);
  } else {
    const int64_t row = D::IsRowMajor ? m.outerStride() : m.innerStride(), col = D::IsRowMajor ? m.innerStride() : m.outerStride();
    TG_CHECK(row >= 0 && col >= 0, ValueError, "eigen::view: a tensor has no negative strides");
    return from_blob(data, {m.rows(), m.cols()}, {row, col}, DtypeOf<T>::value, deleter, context);
  }
}
template <class D> inline constexpr bool is_plain = std::is_base_of_v<Eigen::PlainObjectBase<D>, D>;

}  // namespace detail

/// x's memory as a matrix, whatever its strides (transposed and sliced tensors too): map<const Eigen::MatrixXd>(x) to read,
/// map<Eigen::MatrixXd>(x) to write; sizes may be fixed, as in map<const Eigen::Matrix3d>. Valid as long as x's memory. Throws
/// DtypeError and ShapeError.
template <class M> Map<M> map(const Tensor& x) {
  using Plain = std::remove_const_t<M>;
  const detail::Geometry g = detail::geometry<Plain>(x);
  return Map<M>(detail::memory<M>(x), g.rows, g.cols, detail::strides<Plain>(g));
}

/// The same where the elements lie one after another in M's order, which lets Eigen use whole registers. ValueError otherwise: a
/// contiguous tensor is row-major, so M is Eigen::Matrix<T, Dynamic, Dynamic, RowMajor>, or x.t() is meant.
template <class M> Eigen::Map<M> dense_map(const Tensor& x) {
  using Plain = std::remove_const_t<M>;
  const detail::Geometry g = detail::geometry<Plain>(x);
  const auto [inner, outer, inner_stride, outer_stride] =
      Plain::IsRowMajor ? detail::Geometry{g.cols, g.rows, g.col_stride, g.row_stride} : detail::Geometry{g.rows, g.cols, g.row_stride, g.col_stride};
  TG_CHECK((inner <= 1 || inner_stride == 1) && (outer <= 1 || outer_stride == inner), ValueError, "eigen::dense_map: the elements do not lie ",
           Plain::IsRowMajor ? "row by row" : "column by column", " without gaps", Named{"x", x});
  return Eigen::Map<M>(detail::memory<M>(x), g.rows, g.cols);
}

/// A matrix, vector or array as a tensor of two dimensions or one. A temporary or std::move(m) moves in: the tensor owns it and
/// nothing is copied; of anything else, expressions too, it gets a copy.
template <class M> Tensor tensor(M&& m) {
  using D = std::remove_cvref_t<M>;
  if constexpr (detail::is_plain<D> && !std::is_reference_v<M> && !std::is_const_v<M>) {
    auto box = std::make_unique<D>(std::move(m));
    Tensor t = detail::over(*box, [](void* p) { delete static_cast<D*>(p); }, box.get());
    box.release();
    return t;
  } else {
    return tensor(typename D::PlainObject(m));
  }
}

/// The memory of a matrix, block or map of yours as a tensor: writes to either are seen by both. It must outlive the tensor and what
/// shares memory with it.
template <class M> Tensor view(M&& m) {
  using D = std::remove_cvref_t<M>;
  static_assert(bool(D::Flags & Eigen::DirectAccessBit), "an expression has no memory: use eigen::tensor");
  static_assert(!detail::is_plain<D> || std::is_lvalue_reference_v<M>, "this matrix is about to die: use eigen::tensor");
  static_assert(bool(D::Flags & Eigen::LvalueBit) && !(detail::is_plain<D> && std::is_const_v<std::remove_reference_t<M>>),
                "a tensor may be written to, this matrix not: use eigen::tensor");
  return detail::over(m, nullptr, nullptr);
}

// ---- ops of Eigen code -----------------------------------------------------------------------------------------------

/// A backward that is written with tensors, and so can be differentiated again: eigen::of_tensors([](const Tensor& x, const Tensor&
/// out, const Tensor& grad) { return … }).
template <class F> struct OfTensors { F f; };
template <class F> OfTensors<F> of_tensors(F f) { return {std::move(f)}; }

namespace detail {

// What a lambda gets for a tensor: a map, or a number where its type is one.
template <class In> auto argument(const Tensor& x) {
  if constexpr (std::is_arithmetic_v<In>) {
    TG_CHECK(x.dtype() == DtypeOf<In>::value, DtypeError, "expected a number of ", DtypeOf<In>::value, ", got ", x.dtype(), Named{"x", x});
    return x.item<In>();
  } else {
    return map<const In>(x);
  }
}
template <class R> Tensor result(R&& r) {
  using D = std::remove_cvref_t<R>;
  if constexpr (std::is_same_v<D, Tensor>) {
    return r;
  } else if constexpr (std::is_arithmetic_v<D>) {
    static_assert(requires { DtypeOf<D>::value; }, "no tensor has numbers of this type: return a double");
    return tapegrad::tensor(r, DtypeOf<D>::value);
  } else {
    static_assert(is_plain<D>, "return a matrix, not an expression, which refers to what is gone by then: (…).eval()");
    return eigen::tensor(std::move(r));
  }
}
template <class R> std::vector<Tensor> results(R&& r) {
  if constexpr (requires { std::tuple_size<std::remove_cvref_t<R>>::value; })
    return std::apply([](auto&&... each) { return std::vector<Tensor>{result(std::move(each))...}; }, std::move(r));
  else if constexpr (std::is_same_v<std::remove_cvref_t<R>, std::vector<Tensor>>) return r;
  else return {result(std::move(r))};
}
template <class F> std::vector<Tensor> apply(const char* name, TensorList inputs, F f, tapegrad::detail::FunctionBody* body) {
  return tapegrad::detail::apply_function(name, inputs, {&f, [](void* self, FunctionContext& ctx) { return (*static_cast<F*>(self))(ctx); }}, body, new FunctionContext);
}
struct OnceOnly final : tapegrad::detail::FunctionBody {
  const char* name;
  explicit OnceOnly(const char* n) : name(n) {}
  std::vector<Tensor> backward(FunctionContext&, std::vector<Tensor>) override {
    tapegrad::detail::fail<NotImplementedError>(name, ": its backward works on Eigen matrices, so it cannot be differentiated again; give it as eigen::of_tensors(…)");
  }
};
template <class> using TensorFor = Tensor;

}  // namespace detail

template <class Forward, class Backward, class... In> class CustomOp {
  const char* name_;
  Forward forward_;
  Backward backward_;
  using Out = std::remove_cvref_t<decltype(std::declval<const Forward&>()(detail::argument<In>(std::declval<const Tensor&>())...))>;

  template <size_t... i> std::vector<Tensor> gradients(const std::vector<Tensor>& saved, const Tensor& g, std::index_sequence<i...>) const {
    constexpr size_t n = sizeof...(In);
    if constexpr (requires { backward_.f(saved[i]..., saved[n], g); }) {
      return detail::results(backward_.f(saved[i]..., saved[n], g));
    } else {
      return detail::apply(name_, {saved[i]..., g}, [&](FunctionContext&) {
        std::vector<Tensor> r = detail::results(backward_(detail::argument<In>(saved[i])..., detail::argument<Out>(saved[n]), detail::argument<Out>(g)));
        TG_CHECK(r.size() == n, GradError, "backward must return a gradient for each of the ", n, " inputs, got ", r.size());
        for (size_t k = 0; k < n; k++)
          if (r[k].defined() && r[k].numel() == saved[k].numel() && r[k].dim() != saved[k].dim()) r[k] = reshape(r[k], saved[k].sizes());
        return r;
      }, new detail::OnceOnly(name_));
    }
  }
 public:
  CustomOp(const char* name, Forward f, Backward b) : name_(name), forward_(std::move(f)), backward_(std::move(b)) {}
  [[gnu::noinline]] Tensor operator()(const detail::TensorFor<In>&... x) const {
    const OpScope scope(name_);  // keeps the place of the user's call
    struct Body final : tapegrad::detail::FunctionBody {
      CustomOp op;
      explicit Body(const CustomOp& o) : op(o) {}
      std::vector<Tensor> backward(FunctionContext& ctx, std::vector<Tensor> grads) override {
        return op.gradients(ctx.saved_tensors(), grads[0], std::index_sequence_for<In...>());
      }
    };
    return detail::apply(name_, {x...}, [&](FunctionContext& ctx) {
      const Tensor out = detail::result(forward_(detail::argument<In>(x)...));
      ctx.save_for_backward({x..., out});
      return std::vector<Tensor>{out};
    }, new Body(*this))[0];
  }
};

/// An op whose inputs are matrices of these types (or numbers: double), from two lambdas:
///   const auto logdet = eigen::custom_op<Eigen::MatrixXd>("logdet",
///       [](const auto& a) { return std::log(a.determinant()); },
///       [](const auto& a, double out, double grad) { return (grad * a.inverse().transpose()).eval(); });
///   Tensor y = logdet(x);
/// forward gets maps of the inputs and returns a matrix or a number. backward gets the inputs, the output and its gradient, and returns
/// the gradient of the input, or a std::tuple with one for each; an undefined Tensor stands for zero. A second derivative raises
/// NotImplementedError unless backward is given as of_tensors(f). `name` must live as long as the op: use a literal.
template <class... In, class Forward, class Backward> CustomOp<Forward, Backward, In...> custom_op(const char* name, Forward forward, Backward backward) {
  return {name, std::move(forward), std::move(backward)};
}

}  // namespace tapegrad::eigen

namespace tapegrad {
using eigen::custom_op;
}  // namespace tapegrad
