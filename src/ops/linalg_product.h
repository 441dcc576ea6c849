// The products inside factorizations.
#pragma once
#include "src/ops/gemm.h"
#include "src/ops/linalg.h"

namespace tapegrad {

/// c -= a b: of real numbers with the library's own products, which know more instructions than Eigen is compiled for.
template <class T> void subtract_product(Eigen::Ref<Matrix<T>> c, const Eigen::Ref<const Matrix<T>>& a, const Eigen::Ref<const Matrix<T>>& b) {
  if constexpr (Eigen::NumTraits<T>::IsComplex) {
    c.noalias() -= a * b;
  } else {  // column-major, so cᵀ -= bᵀ aᵀ
    const Matrix<T> minus = -b;
    gemm(Gemm<T>{c.cols(), c.rows(), a.cols(), minus.data(), minus.outerStride(), 1, a.data(), a.outerStride(), 1, c.data(), c.outerStride(),
        nullptr, true});
  }
}

}  // namespace tapegrad
