// Complex tensors from C++: std::complex in and out, gradients of complex functions against differences.
#include <complex>

#include <gtest/gtest.h>

#include "tapegrad/fft.h"
#include "tapegrad/linalg.h"
#include "tapegrad/special.h"
#include "tapegrad/tapegrad.h"

namespace tapegrad {
namespace {

using Z = std::complex<double>;

Tensor values(std::initializer_list<Z> list) {
  Tensor t = empty(int64_t(list.size()), complex128);
  Z* p = t.data_ptr<Z>();
  for (Z z : list) *p++ = z;
  return t;
}

TEST(Complex, NumbersInAndOut) {
  const Tensor x = values({{1, 2}, {-3, 0.5}});
  EXPECT_EQ(x.data_ptr<Z>()[1], Z(-3, 0.5));
  EXPECT_EQ(x[0].item<Z>(), Z(1, 2));
  EXPECT_EQ((x * Scalar(Z(0, 1)))[0].item<Z>(), Z(-2, 1));
  EXPECT_EQ(full({2}, Z(1, -1)).dtype(), complex64);
  EXPECT_EQ(to_string(x), "tensor([ 1.+2.0000j, -3.+0.5000j], dtype=tapegrad.complex128)");
  EXPECT_THROW(x.data_ptr<double>(), DtypeError);
}
TEST(Complex, ProductsAndDivisionKeepRange) {
  const Tensor big = values({{1e200, 1e200}, {1e-200, 1e-200}});
  EXPECT_EQ((big / big)[0].item<Z>(), Z(1, 0));
  EXPECT_EQ((big / big)[1].item<Z>(), Z(1, 0));
  EXPECT_NEAR(big.abs()[0].item<double>(), 1.41421356e200, 1e193);
}
TEST(Complex, Gradients) {
  const Tensor x = values({{0.3, 0.4}, {-1, 0.2}}).set_requires_grad(), r = tensor({0.5, 2.}, float64).set_requires_grad();
  EXPECT_EQ(gradcheck([](const std::vector<Tensor>& in) { return exp(in[0] * in[1]) + conj(in[0]); }, {x, r}, {.second_order = true}), "");
  EXPECT_EQ(gradcheck([](const std::vector<Tensor>& in) { return matmul(outer(in[0], in[1]), in[0]); }, {x, r * Scalar(Z(1, 0))}, {.second_order = true}), "");
  EXPECT_EQ(gradcheck([](const std::vector<Tensor>& in) { return abs(fft::fft(in[0])) + angle(in[0]); }, {x}, {.second_order = true}), "");
  EXPECT_NE(gradcheck([](const std::vector<Tensor>& in) { return in[0] * detach(in[0]); }, {x}), "");
}
TEST(Complex, FourierTransformsOfAnyLength) {
  for (int64_t n : {1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 30, 31, 37, 64, 74, 97, 100, 1009}) {
    const Tensor x = randn({3, n}, complex128), k = arange(n, std::nullopt).to(float64);
    const Tensor turns = outer(k, k) * (-6.283185307179586476925 / double(n));
    EXPECT_TRUE(allclose(fft::fft(x), matmul(x, complex(cos(turns), sin(turns))), 1e-8, 1e-8 * double(n))) << n;
    EXPECT_TRUE(allclose(fft::ifft(fft::fft(x, {}, 0), {}, 0), x)) << n;
    EXPECT_TRUE(allclose(fft::irfft(fft::rfft(real(x)), n), real(x))) << n;
  }
}

}  // namespace
}  // namespace tapegrad
