// How far the vector functions are from the exact result, in units of the last place (ulp) of a float: docs/accuracy.md has the table.
// Every 9973rd float is tried; all of them of the functions that TAPEGRAD_ALL_FLOATS names ("exp,log"; "all": the better part of an hour).
#include <gtest/gtest.h>

#include <atomic>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "tapegrad/tapegrad.h"

using namespace tapegrad;

namespace {

struct Sweep {
  const char* name;
  Tensor (*ours)(const Tensor&);
  double (*exact)(double);
  double ulp;                                // at most
  double low = -HUGE_VAL, high = HUGE_VAL;   // where that is promised
};
double ulp_of(double y) {  // 2^(e - 23), where 2^e <= |y| < 2^(e + 1), but never below the smallest float
  const int e = int(std::bit_cast<uint64_t>(y) >> 52 & 0x7ff) - 1023;
  return std::bit_cast<double>(uint64_t(std::max(e - 23, -149) + 1023) << 52);
}
bool asked_for(std::string_view name) {  // is it swept whole?
  const char* given = std::getenv("TAPEGRAD_ALL_FLOATS");
  if (!given) return false;
  const std::string names = std::string(",") + given + ",";
  return names == ",all," || names.find("," + std::string(name) + ",") != names.npos;
}
/// 0 when y is the float that stands for `exact`, among them NaN and infinities.
double error_in_ulp(float y, double exact) {
  const float nearest = float(exact);
  if (std::isnan(nearest)) return std::isnan(y) ? 0 : HUGE_VAL;
  if (y == nearest) return 0;
  if (std::isinf(nearest) && !std::isinf(y)) return (std::fabs(exact) - std::fabs(double(y))) / 0x1p104;
  return std::fabs(double(y) - exact) / ulp_of(exact);
}
double normal(double x) { return 0.5 * std::erfc(-x * M_SQRT1_2); }

const Sweep kFunctions[] = {
    {"exp", [](const Tensor& x) { return exp(x); }, std::exp, 1.1},
    {"exp2", [](const Tensor& x) { return exp2(x); }, std::exp2, 1.2},
    {"expm1", [](const Tensor& x) { return expm1(x); }, std::expm1, 1.5},
    {"log", [](const Tensor& x) { return log(x); }, std::log, 0.9},
    {"log2", [](const Tensor& x) { return log2(x); }, std::log2, 2},
    {"log10", [](const Tensor& x) { return log10(x); }, std::log10, 2},
    {"log1p", [](const Tensor& x) { return log1p(x); }, std::log1p, 2},
    {"sigmoid", [](const Tensor& x) { return sigmoid(x); }, [](double x) { return 1 / (1 + std::exp(-x)); }, 2, -87},
    {"tanh", [](const Tensor& x) { return tanh(x); }, std::tanh, 1.4},
    {"sin", [](const Tensor& x) { return sin(x); }, std::sin, 1.5},
    {"cos", [](const Tensor& x) { return cos(x); }, std::cos, 1.5},
    {"atan", [](const Tensor& x) { return atan(x); }, std::atan, 2},
    {"erf", [](const Tensor& x) { return erf(x); }, std::erf, 1.3},
    {"sqrt", [](const Tensor& x) { return sqrt(x); }, std::sqrt, 0.51},
    {"gelu where not negative", [](const Tensor& x) { return gelu(x); }, [](double x) { return x * normal(x); }, 2, 0},
    {"tan", [](const Tensor& x) { return tan(x); }, std::tan, 2},
    {"asin", [](const Tensor& x) { return asin(x); }, std::asin, 2},
    {"acos", [](const Tensor& x) { return acos(x); }, std::acos, 2},
    {"sinh", [](const Tensor& x) { return sinh(x); }, std::sinh, 2},
    {"cosh", [](const Tensor& x) { return cosh(x); }, std::cosh, 2},
    {"asinh", [](const Tensor& x) { return asinh(x); }, std::asinh, 2},
    {"acosh", [](const Tensor& x) { return acosh(x); }, std::acosh, 2},
    {"atanh", [](const Tensor& x) { return atanh(x); }, std::atanh, 2},
};

}  // namespace

TEST(Accuracy, OfFunctionsOfOneFloat) {
  double worst[std::size(kFunctions)] = {};
  float where[std::size(kFunctions)] = {};
  const auto sweep = [&](size_t f) {
    constexpr int64_t kCount = 1 << 18;
    const Sweep& fn = kFunctions[f];
    const uint64_t step = asked_for(fn.name) ? 1 : 9973;
    const Tensor x = empty({kCount}, Dtype::Float32);
    float* v = x.data_ptr<float>();
    for (uint64_t next = 0; next >> 32 == 0;) {
      for (int64_t i = 0; i < kCount; i++, next += step) v[i] = std::bit_cast<float>(uint32_t(next));  // past the end: the first ones again
      const Tensor y = fn.ours(x);
      const float* out = y.data_ptr<float>();
      for (int64_t i = 0; i < kCount; i++) {
        if (!(v[i] >= fn.low && v[i] <= fn.high) && !std::isnan(v[i])) continue;
        const double e = error_in_ulp(out[i], fn.exact(v[i]));
        if (e > worst[f]) worst[f] = e, where[f] = v[i];
      }
    }
  };
  std::vector<std::thread> threads;
  std::atomic<size_t> next = 0;
  for (unsigned t = 0; t < std::max(1u, std::thread::hardware_concurrency()); t++)
    threads.emplace_back([&] { for (size_t f; (f = next++) < std::size(kFunctions);) sweep(f); });
  for (std::thread& t : threads) t.join();
  for (size_t f = 0; f < std::size(kFunctions); f++) {
    EXPECT_LE(worst[f], kFunctions[f].ulp) << kFunctions[f].name << " at " << where[f];
    RecordProperty(kFunctions[f].name, std::to_string(worst[f]));
  }
}

TEST(Accuracy, NoElementsBitsDependOnItsNeighbours) {
  const Tensor x = linspace(-20, 20, 64, float32);
  for (const Sweep& fn : kFunctions) {
    const Tensor alone = fn.ours(x);
    for (const float other : {1e9f, 3e38f, 1e-42f, INFINITY, NAN})
      for (const int64_t first : {0, 1}) {
        const Tensor mixed = x.clone();
        for (int64_t i = first; i < 64; i += 2) mixed.span<float>()[size_t(i)] = other;
        const Tensor y = fn.ours(mixed);
        for (int64_t i = 1 - first; i < 64; i += 2)
          EXPECT_EQ(std::bit_cast<uint32_t>(alone.data_ptr<float>()[i]), std::bit_cast<uint32_t>(y.data_ptr<float>()[i])) << fn.name << " beside " << other;
      }
  }
}

TEST(Accuracy, OfGeluOfNegativeFloatsIsAbsolute) {  // x times a probability: what is lost is of the size of x 2^-24
  for (int64_t k = -80000; k < 0; k++) {
    const float x = float(k) / 8192;
    const double y = gelu(full({20}, x)).data_ptr<float>()[19];
    ASSERT_NEAR(y, double(x) * normal(x), -double(x) * 0x1p-24) << x;
  }
}

TEST(Accuracy, OfPowers) {
  const float values[] = {1.5f, -1.5f, 2, -2, 3, 0.1f, -7, 1e-30f, 3e30f, 1e-42f, 0.99999f, 1.00001f, 0, -0.f, 1, -1, INFINITY, -INFINITY, NAN};
  const float exponents[] = {0.5f, 1.5f, -2, 3, 7, -0.3f, 40.25f, -40, 1e5f, 16777217.f, 0, -0.f, 1, 101, -101, 1e-20f, INFINITY, -INFINITY, NAN};
  for (float a : values)
    for (float b : exponents) {
      const Tensor y = pow(full({40}, a), full({40}, b)), z = hypot(full({40}, a), full({40}, b));
      for (int64_t i : {0, 39}) {
        EXPECT_LE(error_in_ulp(y.data_ptr<float>()[i], std::pow(double(a), double(b))), 1) << a << " to the " << b;
        EXPECT_LE(error_in_ulp(z.data_ptr<float>()[i], std::hypot(double(a), double(b))), 1) << a << " and " << b;
      }
    }
}
