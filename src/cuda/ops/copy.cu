// Kernels that copy: casts, elements of one size over strides, transposed planes.
#include "src/cuda/kernel/elementwise.cuh"
#include "src/cuda/ops/copy_kernels.h"

namespace tapegrad::cuda {

namespace {

using AllTypes = Types<bool, uint8_t, int8_t, int16_t, int32_t, int64_t, Half, BFloat, float, double, Complex<float>, Complex<double>, uint16_t,
                       uint32_t, uint64_t>;
/// Any dtype, through a number of type C, to one of To.
template <class C, class To> struct Cast {
  using T = C;
  using Result = C;
  using In = AllTypes;
  using Out = To;
  static constexpr int inputs = 1, mask = -1, each = 4;
  __device__ explicit Cast(const Params&) {}
  __device__ C operator()(const C& x) const { return x; }
};
template <class B> struct Move {
  using T = B;
  using Result = B;
  using In = Types<B>;
  using Out = Types<B>;
  static constexpr int inputs = 1, mask = -1, each = kEach<B>;
  __device__ explicit Move(const Params&) {}
  __device__ B operator()(const B& x) const { return x; }
};

constexpr int kTile = kPlaneTile, kTileRows = 8;
template <class B> __global__ void __launch_bounds__(kTile * kTileRows) transpose_kernel(const __grid_constant__ Planes p) {
  __shared__ B tile[kTile][kTile + 1];
  const IntDivider::Result plane = p.tiles.split(blockIdx.x), place = p.across.split(plane.rest);
  const char* from = p.from;
  char* to = p.to;
  uint32_t rest = plane.quotient;
  for (int d = 0; d < p.dims; d++) {
    const IntDivider::Result r = p.size[d].split(rest);
    from += int64_t(r.rest) * p.from_stride[d], to += int64_t(r.rest) * p.to_stride[d];
    rest = r.quotient;
  }
  const uint32_t c0 = place.rest * kTile, r0 = place.quotient * kTile, x = threadIdx.x, y = threadIdx.y;
#pragma unroll
  for (uint32_t k = 0; k < kTile; k += kTileRows)
    if (c0 + y + k < p.cols && r0 + x < p.rows)
      tile[y + k][x] = *reinterpret_cast<const B*>(from + (c0 + y + k) * p.from_step + int64_t(r0 + x) * int64_t(sizeof(B)));
  __syncthreads();
#pragma unroll
  for (uint32_t k = 0; k < kTile; k += kTileRows)
    if (r0 + y + k < p.rows && c0 + x < p.cols)
      *reinterpret_cast<B*>(to + (r0 + y + k) * p.to_step + int64_t(c0 + x) * int64_t(sizeof(B))) = tile[x][y + k];
}

}  // namespace

KernelEntry cast_kernel(Compute c) {
  switch (c) {
    case Compute::F32: return entry_of<Cast<float, Stored<float>>>(0);
    case Compute::F64: return entry_of<Cast<double, Types<double>>>(0);
    case Compute::I64: return entry_of<Cast<int64_t, Types<int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t>>>(0);
    case Compute::I32: return entry_of<Cast<int32_t, Types<int32_t, uint8_t, int8_t, int16_t, uint16_t>>>(0);
    case Compute::Bool: return entry_of<Cast<bool, Types<bool>>>(0);
    case Compute::C64: return entry_of<Cast<Complex<float>, Types<Complex<float>>>>(0);
    case Compute::C128: return entry_of<Cast<Complex<double>, Types<Complex<double>>>>(0);
    default: return entry_of<Cast<uint64_t, Types<uint64_t>>>(0);
  }
}
KernelEntry move_kernel(size_t bytes) {
  switch (bytes) {
    case 1: return entry_of<Move<uint8_t>>(0);
    case 2: return entry_of<Move<uint16_t>>(0);
    case 4: return entry_of<Move<uint32_t>>(0);
    case 8: return entry_of<Move<uint64_t>>(0);
    default: return entry_of<Move<Complex<double>>>(0);
  }
}
void transpose(const Planes& p, int64_t tiles, size_t bytes) {
  by_size(bytes, [&](auto b) { launch(transpose_kernel<decltype(b)>, dim3(unsigned(tiles)), dim3(kTile, kTileRows), 0, p); });
}

}  // namespace tapegrad::cuda
