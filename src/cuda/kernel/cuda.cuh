// The one header that kernels include: CUDA (in tests the simulator of tests/cuda/simulator), number types, launches, shared memory.
// Reductions over warps and blocks are in reduce.cuh.
#pragma once
#include <cuda_runtime.h>

#include <tuple>
#include <type_traits>

#include "src/cuda/kernel/access.cuh"
#include "src/cuda/kernel/number.cuh"
#include "src/cuda/runtime/error.h"
#include "src/cuda/runtime/stream.h"

namespace tapegrad::cuda {

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffff;
constexpr size_t kSharedByDefault = 48 << 10;
constexpr int64_t kMaxGridX = 0x7fffffff, kMaxGridYZ = 65535;

constexpr int64_t divide_up(int64_t n, int64_t by) { return (n + by - 1) / by; }

#ifdef TG_SIMULATED
template <class T> T* dynamic_shared() { return static_cast<T*>(simulator::dynamic_shared()); }
#else
/// Dynamic shared memory, aligned to 16 bytes: as much as the launch asked for.
template <class T> __device__ T* dynamic_shared() {
  extern __shared__ __align__(16) unsigned char dynamic_shared_bytes[];
  return reinterpret_cast<T*>(dynamic_shared_bytes);
}
#endif

/// Puts a kernel into the current stream; arguments are converted to the kernel's types. An empty grid does nothing.
template <class... P, class... A> void launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, A&&... args) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  const void* f = reinterpret_cast<const void*>(kernel);
  if (shared > kSharedByDefault) TG_CUDA(cudaFuncSetAttribute(f, cudaFuncAttributeMaxDynamicSharedMemorySize, int(shared)));
  std::tuple<std::remove_cv_t<P>...> values(static_cast<P>(args)...);
#ifdef TG_SIMULATED
  auto thread = [&] { std::apply(kernel, values); };
  TG_CUDA(simulator::launch(f, grid, block, shared, thread));
  launched(current_stream());
#else
  void* at[sizeof...(P) + 1];
  std::apply([&](auto&... value) { int i = 0; ((at[i++] = &value), ...); }, values);
  const cudaStream_t stream = current_stream();
  TG_CUDA(cudaLaunchKernel(f, grid, block, at, shared, stream));
  launched(stream);
#endif
}
/// The same for `threads` of a line of work, `block` to a block.
template <class... P, class... A> void launch_line(void (*kernel)(P...), int64_t threads, int block, A&&... args) {
  launch(kernel, dim3(unsigned(divide_up(threads, block))), dim3(unsigned(block)), 0, static_cast<A&&>(args)...);
}

}  // namespace tapegrad::cuda
