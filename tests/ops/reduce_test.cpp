#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "src/tensor/parallel.h"
#include "tapegrad/tapegrad.h"

using namespace tapegrad;

// Numbers in [-1, 1) that no summation order finds easy.
static Tensor noise(IntList size, Dtype dtype = Dtype::Float32, uint32_t seed = 1) {
  Tensor t = empty(size, Dtype::Float64);
  for (int64_t i = 0; i < t.numel(); i++) {
    seed = seed * 1664525u + 1013904223u;
    t.data_ptr<double>()[i] = double(seed >> 8) / (1 << 23) - 1;
  }
  return to(t, dtype);
}
static double at(const Tensor& t, int64_t i) { return to(contiguous(t), Dtype::Float64).data_ptr<double>()[i]; }

TEST(Sum, AgreesWithALoopOverAllDimsAndLayouts) {
  for (Dtype d : {Dtype::Float32, Dtype::Float64, Dtype::Float16, Dtype::BFloat16, Dtype::Int64, Dtype::Int32, Dtype::UInt8}) {
    Tensor base = is_floating(d) ? noise({5, 33, 70}, d) : to(noise({5, 33, 70}, Dtype::Float64) * Scalar(50), d);
    if (d == Dtype::UInt8) base = to(base == Tensor(3), d);
    for (const Tensor& x : {base, transpose(base, 0, 2), transpose(base, 1, 2), slice(base, 2, 1, 60, 3), expand(select(base, 1, 0), {4, 5, 70})})
      for (uint32_t mask = 0; mask < 8; mask++) {
        Shape dims, left;
        for (int k = 0; k < 3; k++) (mask >> k & 1 ? dims : left).push_back(k);
        const Tensor s = mask ? sum(x, dims) : sum(x);
        const Tensor wide = contiguous(to(x, Dtype::Float64));
        std::vector<double> want(size_t(s.numel()), 0.0);
        int64_t index = 0;
        for (int64_t i = 0; i < x.size(0); i++)
          for (int64_t j = 0; j < x.size(1); j++)
            for (int64_t k = 0; k < x.size(2); k++) {
              int64_t o = 0;
              const int64_t place[3] = {i, j, k};
              if (mask) for (int64_t l : left) o = o * x.size(l) + place[l];
              want[size_t(o)] += wide.data_ptr<double>()[index++];
            }
        for (int64_t o = 0; o < s.numel(); o++) {
          const double tol = d == Dtype::Float16 ? 2e-2 : d == Dtype::BFloat16 ? 0.3 : 1e-3;
          ASSERT_NEAR(at(s, o), want[size_t(o)], tol + std::fabs(want[size_t(o)]) * tol) << name(d) << " mask " << mask << " at " << o;
        }
      }
  }
}
TEST(Sum, HasTheSameBitsForAnyNumberOfThreads) {
  const Tensor x = noise({300, 1000}), y = noise({3000000});
  const int before = num_threads();
  std::vector<float> first;
  for (int n : {1, 2, 5}) {
    set_num_threads(n);
    std::vector<float> v;
    for (const Tensor& s : {sum(x), sum(x, 0), sum(x, 1), sum(y), sum(transpose(x, 0, 1), 1)})
      for (int64_t i = 0; i < s.numel(); i++) v.push_back(s.data_ptr<float>()[i]);
    if (first.empty()) first = v;
    EXPECT_EQ(first, v) << n << " threads";
  }
  set_num_threads(before);
}
TEST(Sum, KeepsPrecisionOverManyElements) {
  const Tensor x = noise({3000000});
  EXPECT_NEAR(sum(x).item<float>(), sum(to(x, Dtype::Float64)).item<double>(), 0.02);
  EXPECT_NEAR(sum(reshape(x, {1000000, 3}), 0).data_ptr<float>()[1], sum(to(reshape(x, {1000000, 3}), Dtype::Float64), 0).data_ptr<double>()[1], 0.02);
}
TEST(Sum, EmptyAndZeroDimensional) {
  EXPECT_EQ(sum(zeros({0, 3})).item<float>(), 0);
  EXPECT_EQ(sum(zeros({0, 3}), 0).shape(), IntList({3}));
  EXPECT_EQ(sum(zeros({0, 3}), 1).shape(), IntList({0}));
  EXPECT_EQ(sum(full({}, 2.5)).item<float>(), 2.5f);
  EXPECT_EQ(sum(full({}, 2.5), -1).item<float>(), 2.5f);
  EXPECT_TRUE(std::isnan(mean(zeros({0})).item<float>()));
  EXPECT_EQ(sum(full({3}, true)).dtype(), Dtype::Int64);
  EXPECT_EQ(sum(full({3}, true)).item<int64_t>(), 3);
}
TEST(Sum, RefusesBadDims) {
  EXPECT_THROW(sum(zeros({2, 3}), 2), IndexError);
  EXPECT_THROW(sum(zeros({2, 3}), {0, -2}), ValueError);
  EXPECT_THROW(mean(zeros({2}, Dtype::Int64)), DtypeError);
  EXPECT_THROW(sum_to_size(zeros({2, 3}), {2}), ShapeError);
}
TEST(Sum, Gradients) {
  const GradcheckOptions twice{.second_order = true};
  auto square = [](const Tensor& t) { return t * t; };
  for (const Tensor& x : {noise({2, 3, 4}, Dtype::Float64), transpose(noise({4, 3, 2}, Dtype::Float64), 0, 2), noise({}, Dtype::Float64), noise({0, 3}, Dtype::Float64)}) {
    x.set_requires_grad();
    EXPECT_EQ(gradcheck([&](const std::vector<Tensor>& in) { return square(sum(in[0])); }, {x}, twice), "");
    EXPECT_EQ(gradcheck([&](const std::vector<Tensor>& in) { return square(mean(in[0], -1, true)); }, {x}, twice), "");
    EXPECT_EQ(gradcheck([&](const std::vector<Tensor>& in) { return square(sum(in[0], 0)); }, {x}, twice), "");
  }
  const Tensor x = noise({2, 3, 4}, Dtype::Float64).set_requires_grad();
  EXPECT_EQ(gradcheck([&](const std::vector<Tensor>& in) { return square(sum_to_size(in[0], {3, 1})); }, {x}, twice), "");
  EXPECT_EQ(gradcheck([&](const std::vector<Tensor>& in) { return square(sum(in[0], {0, 2})); }, {x}, twice), "");
}

// ---- the other reductions
static const GradcheckOptions kTwice{.second_order = true};
using In = const std::vector<Tensor>&;
template <class F> static void check(F f, const Tensor& x) {
  const Tensor t = detach(x).set_requires_grad();
  EXPECT_EQ(gradcheck(f, {t}, kTwice), "");
}

TEST(Reduce, Gradients) {
  for (const Tensor& x : {noise({2, 3, 4}, Dtype::Float64), transpose(noise({4, 3, 2}, Dtype::Float64), 0, 2)}) {
    check([](In in) { return prod(in[0]); }, x);
    check([](In in) { return prod(in[0], 1); }, x);
    check([](In in) { return prod(in[0], -1, true); }, x);
    check([](In in) { return var(in[0], {0, 2}); }, x);
    check([](In in) { return tapegrad::std(in[0], 1, 0, true); }, x);
    check([](In in) { return norm(in[0]); }, x);
    for (double p : {0.0, 0.5, 1.0, 1.5, 2.0, 3.0, double(INFINITY), double(-INFINITY)}) check([p](In in) { return norm(in[0], p, {0, 1}, true); }, x);
    check([](In in) { return logsumexp(in[0], {0, 2}); }, x);
    check([](In in) { return max(in[0]); }, x);
    check([](In in) { return min(in[0], 1).values; }, x);
    check([](In in) { return max(in[0], -1, true).values; }, x);
    check([](In in) { return amax(in[0], {0, 2}); }, x);
    check([](In in) { return amin(in[0]); }, x);
    check([](In in) { return nansum(in[0], 1); }, x);
    for (int64_t d : {0, 1, -1}) {
      check([d](In in) { return cumsum(in[0], d); }, x);
      check([d](In in) { return cumprod(in[0], d); }, x);
      check([d](In in) { return logcumsumexp(in[0], d); }, x);
      check([d](In in) { return cummax(in[0], d).values; }, x);
    }
  }
  const Tensor zeros_in = tensor({1, 0, 2, 0, 3}, Dtype::Float64), one_zero = tensor({2, 0, 3}, Dtype::Float64);
  for (const Tensor& x : {zeros_in, one_zero}) {
    check([](In in) { return prod(in[0]); }, x);
    check([](In in) { return cumprod(in[0], 0); }, x);
  }
  for (const Tensor& x : {full({}, 1.5, Dtype::Float64)}) {
    check([](In in) { return prod(in[0]); }, x);
    check([](In in) { return cumsum(in[0], 0) * in[0]; }, x);
    check([](In in) { return cumprod(in[0], 0) * in[0]; }, x);
    check([](In in) { return logcumsumexp(in[0], 0) * in[0]; }, x);
    check([](In in) { return max(in[0], 0).values * in[0]; }, x);
    check([](In in) { return logsumexp(in[0], 0) * in[0]; }, x);
  }
}
TEST(Reduce, GradientsAreSafeAtZero) {
  const Tensor x = zeros({3}, Dtype::Float64).set_requires_grad();
  for (double p : {1.0, 1.5, 2.0, 3.0}) {
    x.set_grad(Tensor());
    norm(x, p).backward();
    EXPECT_TRUE(all(x.grad() == Tensor(0.0)).item<bool>()) << p;
  }
  x.set_grad(Tensor());
  tapegrad::std(x).backward();
  EXPECT_TRUE(all(x.grad() == Tensor(0.0)).item<bool>());
}
TEST(Reduce, ExtremesShareAmongEqualsOrGoToTheIndex) {
  const Tensor x = tensor({3, 1, 3}, Dtype::Float64).set_requires_grad();
  max(x).backward();
  EXPECT_EQ(at(x.grad(), 0), 0.5);
  x.set_grad(Tensor());
  max(x, 0).values.backward();
  EXPECT_EQ(at(x.grad(), 0), 1);
  EXPECT_EQ(at(x.grad(), 2), 0);
}
TEST(Reduce, NanWinsAndTheFirstOfEqualsIsFound) {
  const Tensor x = tensor({1, NAN, 5, NAN}, Dtype::Float32);
  EXPECT_TRUE(std::isnan(max(x).item<float>()) && std::isnan(min(x).item<float>()));
  EXPECT_EQ(argmax(x).item<int64_t>(), 1);
  EXPECT_EQ(argmin(x).item<int64_t>(), 1);
  EXPECT_EQ(argmax(tensor({2, 7, 7}, Dtype::Int32)).item<int64_t>(), 1);
  EXPECT_EQ(at(cummax(tensor({2, 7, 7, 1}, Dtype::Float32), 0).indices, 2), 2);
}
TEST(Reduce, PlacesAgreeOverLayouts) {
  for (Dtype d : {Dtype::Float32, Dtype::Float64, Dtype::BFloat16, Dtype::Int64, Dtype::Int16, Dtype::UInt8}) {
    const Tensor base = to(abs(noise({9, 70, 5}, Dtype::Float64) * Tensor(100.0)), d);
    for (const Tensor& x : {base, transpose(base, 0, 2), slice(base, 1, 3, 60, 2)})
      for (int64_t dim = 0; dim < 3; dim++) {
        const ValuesIndices r = max(x, dim, true);
        EXPECT_TRUE(equal(r.values, amax(x, dim, true)));
        const Tensor wide = contiguous(transpose(to(x, Dtype::Float64), dim, 2)), index = contiguous(transpose(r.indices, dim, 2)), value = contiguous(transpose(to(r.values, Dtype::Float64), dim, 2));
        const int64_t n = x.size(dim);
        for (int64_t row = 0; row < index.numel(); row++) {
          const double* p = wide.data_ptr<double>() + row * n;
          int64_t best = 0;
          for (int64_t i = 1; i < n; i++) if (p[i] > p[best]) best = i;
          ASSERT_EQ(index.data_ptr<int64_t>()[row], best);
          ASSERT_EQ(value.data_ptr<double>()[row], p[best]);
        }
      }
  }
}
TEST(Reduce, EmptyInputs) {
  const Tensor e = zeros({0, 3});
  EXPECT_EQ(prod(e).item<float>(), 1);
  EXPECT_TRUE(all(e).item<bool>());
  EXPECT_FALSE(any(e).item<bool>());
  EXPECT_THROW(max(e), IndexError);
  EXPECT_THROW(max(e, 0), IndexError);
  EXPECT_THROW(argmax(e), IndexError);
  EXPECT_EQ(max(e, 1).values.shape(), IntList({0}));
  EXPECT_THROW(norm(e, INFINITY), IndexError);
  EXPECT_EQ(at(logsumexp(e, 0), 0), -INFINITY);
  EXPECT_TRUE(std::isnan(var(e).item<float>()));
}
TEST(Reduce, VarianceOfLargeNumbers) {
  const Tensor x = noise({4, 100000}) + Tensor(1000.0);
  const Tensor wide = to(x, Dtype::Float64);
  for (const Tensor& d : {var(x, 1) / to(var(wide, 1), Dtype::Float32), var(transpose(x, 0, 1), 0) / to(var(wide, 1), Dtype::Float32), reshape(var(x) / to(var(wide), Dtype::Float32), 1)})
    for (int64_t i = 0; i < d.numel(); i++) EXPECT_NEAR(at(d, i), 1, 1e-4);
}
TEST(Reduce, ComparesWholeTensors) {
  const Tensor a = tensor({1, NAN, INFINITY}, Dtype::Float32);
  EXPECT_FALSE(equal(a, a));
  EXPECT_TRUE(allclose(a, a, 1e-5, 1e-8, true));
  EXPECT_FALSE(allclose(a, a));
  EXPECT_FALSE(equal(zeros({2}), zeros({3})));
}
