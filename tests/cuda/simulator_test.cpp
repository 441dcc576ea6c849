// The simulator itself: that kernels give what they would on a device, and that it refuses what is not defined there.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "src/tensor/half.h"
#include "tapegrad/types.h"
#include "tests/cuda/simulator/simulator.h"
#include "tests/cuda/simulator_kernels.h"

namespace tapegrad::cuda {
namespace {

template <class T> struct OnDevice {
  T* p = nullptr;
  size_t n;
  explicit OnDevice(size_t n) : n(n) { EXPECT_EQ(cudaMalloc(reinterpret_cast<void**>(&p), n * sizeof(T)), cudaSuccess); }
  OnDevice(const std::vector<T>& v) : OnDevice(v.size()) { EXPECT_EQ(cudaMemcpy(p, v.data(), n * sizeof(T), cudaMemcpyHostToDevice), cudaSuccess); }
  OnDevice(const OnDevice&) = delete;
  ~OnDevice() { cudaFree(p); }
  std::vector<T> host() const {
    std::vector<T> v(n);
    EXPECT_EQ(cudaMemcpy(v.data(), p, n * sizeof(T), cudaMemcpyDeviceToHost), cudaSuccess);
    return v;
  }
};
template <class T> std::vector<T> counted(size_t n, T first = 0) {
  std::vector<T> v(n);
  std::iota(v.begin(), v.end(), first);
  return v;
}

TEST(Simulator, PacksAndTails) {
  for (size_t n : {1, 3, 4, 1023, 5000}) {
    OnDevice<float> a(counted<float>(n)), b(counted<float>(n, 10)), out(n);
    add(a.p, b.p, out.p, int64_t(n));
    const auto got = out.host();
    for (size_t i = 0; i < n; i++) ASSERT_EQ(got[i], float(2 * i + 10)) << i;
  }
}
TEST(Simulator, BlockReductions) {
  for (int columns : {1, 100, 256, 1000}) {
    OnDevice<float> x(counted<float>(size_t(3 * columns))), out(6);
    row_sums(x.p, out.p, 3, columns);
    const auto got = out.host();
    for (int r = 0; r < 3; r++) {
      const double first = r * columns, last = first + columns - 1;
      EXPECT_FLOAT_EQ(got[size_t(2 * r)], float((first + last) * columns / 2));
      EXPECT_EQ(got[size_t(2 * r + 1)], float(first + (columns > 256 ? 255 : columns - 1)));
    }
  }
}
TEST(Simulator, SharedMemory) {
  OnDevice<float> x(counted<float>(70 * 45)), out(70 * 45);
  transpose(x.p, out.p, 70, 45);
  const auto got = out.host();
  for (size_t r = 0; r < 70; r++)
    for (size_t c = 0; c < 45; c++) ASSERT_EQ(got[c * 70 + r], float(r * 45 + c));
  for (int n : {10, 40000}) {  // the second needs more than a launch gets by default
    OnDevice<int> in(counted<int>(size_t(n))), reversed{size_t(n)};
    reverse_in_dynamic_shared(in.p, reversed.p, n);
    const auto back = reversed.host();
    for (int i = 0; i < n; i++) ASSERT_EQ(back[size_t(i)], n - 1 - i);
  }
}
TEST(Simulator, WarpOperations) {
  OnDevice<unsigned> out(256);
  warp_operations(out.p);
  const auto got = out.host();
  for (unsigned lane = 0; lane < 32; lane++) {
    const unsigned* o = got.data() + lane * 8;
    EXPECT_EQ(o[0], 5u);
    EXPECT_EQ(o[1], lane < 3 ? lane : lane - 3);
    EXPECT_EQ(o[2], lane % 16 < 13 ? lane + 3 : lane);
    EXPECT_EQ(o[3], 0x49249249u);
    EXPECT_EQ(o[4], 1u);
    EXPECT_EQ(o[5], 6u);
    EXPECT_EQ(o[6], lane / 8 * 64 + 28);
    EXPECT_EQ(o[7], lane < 16 ? lane ^ 8 : lane);
  }
}
TEST(Simulator, HalfNumbers) {
  std::vector<uint16_t> all(1 << 16);
  for (size_t i = 0; i < all.size(); i++) all[i] = uint16_t(i);
  for (bool bfloat : {false, true}) {
    OnDevice<uint16_t> x(all), out(all.size());
    double_halves(x.p, out.p, int(all.size()), bfloat);
    const auto got = out.host();
    for (size_t i = 0; i < all.size(); i++) {
      const float in = bfloat ? bfloat_to_float(all[i]) : half_to_float(all[i]);
      ASSERT_EQ(got[i], bfloat ? float_to_bfloat(in * 2) : float_to_half(in * 2)) << i;
    }
  }
}
TEST(Simulator, EveryDtype) {
  for (int d = 0; d <= int(Dtype::Float64); d++) {
    const size_t size = item_size(Dtype(d));
    OnDevice<char> out(100 * size);
    by_dtype(d, out.p, 100);
    const auto got = out.host();
    const char* last = &got[99 * size];
    const auto as = [&]<class T>(T v) { return std::memcpy(&v, last, sizeof(T)), double(v); };
    switch (Dtype(d)) {
      case Dtype::Float16: EXPECT_EQ(half_to_float(uint16_t(as(uint16_t()))), 99); break;
      case Dtype::BFloat16: EXPECT_EQ(bfloat_to_float(uint16_t(as(uint16_t()))), 99); break;
      case Dtype::Float32: EXPECT_EQ(as(float()), 99); break;
      case Dtype::Float64: EXPECT_EQ(as(double()), 99); break;
      case Dtype::Bool: EXPECT_EQ(*last, 1); break;
      default: EXPECT_EQ(*last, 99);
    }
  }
}
TEST(Simulator, Atomics) {
  std::vector<int> v(1000);
  for (int i = 0; i < 1000; i++) v[size_t(i)] = i * i % 10;
  OnDevice<int> x(v), counts(10);
  histogram(x.p, 1000, counts.p, 10);
  EXPECT_EQ(counts.host(), (std::vector<int>{100, 200, 0, 0, 200, 100, 200, 0, 0, 200}));
}
TEST(Simulator, Division) {
  std::vector<uint32_t> n;
  uint64_t state = 1;
  for (int i = 0; i < 4000; i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    n.push_back(uint32_t(state >> 33) >> (i % 31));
  }
  for (uint32_t edge : {0u, 1u, 2u, 0x7ffffffeu, 0x7fffffffu}) n.push_back(edge);
  for (uint32_t d : {1u, 2u, 3u, 7u, 10u, 64u, 641u, 65535u, 65537u, 1000003u, 0x40000001u, 0x7fffffffu}) {
    OnDevice<uint32_t> in(n), q(n.size()), r(n.size());
    divide(in.p, d, q.p, r.p, int(n.size()));
    const auto quotient = q.host(), rest = r.host();
    for (size_t i = 0; i < n.size(); i++) ASSERT_TRUE(quotient[i] == n[i] / d && rest[i] == n[i] % d) << n[i] << " / " << d;
  }
}
TEST(Simulator, Positions) {
  OnDevice<int> out(12 * 60);
  positions(out.p);
  EXPECT_EQ(out.host(), counted<int>(12 * 60));
}

TEST(Simulator, OrderShowsMissingBarriers) {
  struct Restore {
    bool was = simulator::reversed;
    ~Restore() { simulator::reversed = was; }
  } restore;
  OnDevice<int> x(counted<int>(100)), out(100);
  for (bool barrier : {true, false}) {
    simulator::reversed = false;
    neighbours(x.p, out.p, 100, barrier);
    auto forward = out.host();
    simulator::reversed = true;
    neighbours(x.p, out.p, 100, barrier);
    auto backward = out.host();
    forward.pop_back(), backward.pop_back();
    EXPECT_EQ(forward == counted<int>(99, 1), barrier);
    EXPECT_EQ(forward == backward, barrier);
  }
}
TEST(Simulator, Faults) {
  GTEST_FLAG_SET(death_test_style, "fast");
  EXPECT_DEATH(divergent_barrier(), "divergent_barrier_kernel.*thread 10: .*reduce.cuh.*divergent: waits at __shfl_xor_sync for thread 0, "
                                    "which waits at __syncthreads .*simulator_kernels.cu");
  EXPECT_DEATH(barrier_after_return(), "barrier_after_return_kernel.*waits at __syncthreads for thread 41, which has ended");
  EXPECT_DEATH(two_barriers(), "two_barriers_kernel.*waits at __syncthreads for thread 32, which waits at __syncthreads");
  EXPECT_DEATH(shuffle_in_branch(), "waits at __shfl_xor_sync for thread 7, which has ended");
  EXPECT_DEATH(shuffle_from_outside(), "lane [0-9]+ reads lane 20, which its mask 0000ffff leaves out");
  EXPECT_DEATH(beyond_shared(), "wrote beyond its 128 bytes of dynamic shared memory");
  OnDevice<float> x(8), out(8);
  EXPECT_DEATH(misaligned(x.p, out.p), "");
  EXPECT_DEATH(beyond_array(4, reinterpret_cast<int*>(out.p)), "");
}
TEST(Simulator, MemoryIsTheDevices) {
  int here = 0;
  OnDevice<int> p(4);
  EXPECT_DEATH(p.p[0] = 1, "");                      // the host, in device memory
  follow(p.p);
  EXPECT_EQ(p.host()[0], 1);
  EXPECT_DEATH({ int* q = p.p; cudaFree(q); follow(q); }, "");
  EXPECT_EQ(cudaMemcpy(&here, p.p + 4, 4, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(p.p, &here, 20, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(p.p, &here, 4, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  EXPECT_TRUE(std::isnan(OnDevice<float>(3).host()[1]));  // not what happens to be there
}
TEST(Simulator, MemoryIsLimited) {
  size_t free = 0, total = 0;
  void *p = nullptr, *q = nullptr;
  ASSERT_EQ(cudaMemGetInfo(&free, &total), cudaSuccess);
  EXPECT_EQ(cudaMalloc(&q, total + 1), cudaErrorMemoryAllocation);
  EXPECT_EQ(q, nullptr);
  ASSERT_EQ(cudaMalloc(&p, 10 << 20), cudaSuccess);
  size_t less = 0;
  ASSERT_EQ(cudaMemGetInfo(&less, &total), cudaSuccess);
  EXPECT_EQ(free - less, size_t(10) << 20);
  EXPECT_EQ(cudaFree(p), cudaSuccess);
  EXPECT_EQ(cudaFree(p), cudaErrorInvalidValue);
  cudaGetLastError();
}

}  // namespace
}  // namespace tapegrad::cuda
