// Copies on one device: which kernel, or none.
#include "src/cuda/ops/copy.h"

#include <cstring>

#include "src/cuda/kernel/convert.cuh"
#include "src/cuda/ops/copy_kernels.h"
#include "src/cuda/ops/elementwise.h"
#include "src/ops/cast_path.h"

namespace tapegrad::cuda {

namespace {

template <class F> void with_type(Dtype d, F&& f) {
  switch (d) {
    case Dtype::Complex64: return f(Complex<float>());
    case Dtype::Complex128: return f(Complex<double>());
    case Dtype::UInt16: return f(uint16_t());
    case Dtype::UInt32: return f(uint32_t());
    case Dtype::UInt64: return f(uint64_t());
    default: return typed(d, f);
  }
}

bool is_dense(const CudaWalk& w, int k) {
  return w.dims == 0 || (w.dims == 1 && (w.numel == 1 || w.arg[k].stride[0] == int64_t(item_size(w.arg[k].dtype))));
}
/// Zeros and the like.
bool is_one_byte(const char* v, size_t size) {
  for (size_t i = 1; i < size; i++) if (v[i] != v[0]) return false;
  return true;
}
/// Is it a transposed plane, big enough for tiles? *rows: the dim along which the source is dense.
bool is_transposed(const CudaWalk& w, int64_t size, int* rows) {
  if (w.dims < 2 || w.arg[0].stride[0] != size || w.arg[1].stride[0] == size || w.arg[1].stride[0] == 0 || w.shape[0] < kPlaneTile / 2) return false;
  for (int d = 1; d < w.dims; d++)
    if (w.arg[1].stride[d] == size && w.shape[d] >= kPlaneTile / 2) return *rows = d, true;
  return false;
}
bool copy_planes(const CudaWalk& w, int rows, size_t size) {
  Planes p;
  p.from = w.arg[1].data, p.to = w.arg[0].data;
  p.cols = uint32_t(w.shape[0]), p.rows = uint32_t(w.shape[rows]);
  p.from_step = w.arg[1].stride[0], p.to_step = w.arg[0].stride[rows];
  const int64_t across = divide_up(w.shape[0], kPlaneTile), tiles = across * divide_up(w.shape[rows], kPlaneTile);
  const int64_t all = w.numel / w.shape[0] / w.shape[rows] * tiles;
  if (all > kMaxGridX) return false;
  p.across = IntDivider(uint32_t(across)), p.tiles = IntDivider(uint32_t(tiles));
  p.dims = 0;
  for (int d = 1; d < w.dims; d++) {
    if (d == rows) continue;
    p.size[p.dims] = IntDivider(uint32_t(w.shape[d]));
    p.from_stride[p.dims] = w.arg[1].stride[d], p.to_stride[p.dims] = w.arg[0].stride[d];
    p.dims++;
  }
  transpose(p, all, size);
  return true;
}
void copy_bytes(CudaWalk w) {
  const size_t size = item_size(w.arg[0].dtype);
  int rows;
  if (w.arg[1].data && is_dense(w, 0) && is_dense(w, 1)) {
    TG_CUDA(cudaMemcpyAsync(w.arg[0].data, w.arg[1].data, size_t(w.numel) * size, cudaMemcpyDeviceToDevice, current_stream()));
  } else if (!w.arg[1].data && is_dense(w, 0) && is_one_byte(w.arg[1].number, size)) {
    TG_CUDA(cudaMemsetAsync(w.arg[0].data, static_cast<unsigned char>(w.arg[1].number[0]), size_t(w.numel) * size, current_stream()));
  } else if (!(w.arg[1].data && is_transposed(w, int64_t(size), &rows) && copy_planes(w, rows, size))) {
    const Dtype plain = size == 1 ? Dtype::UInt8 : size == 2 ? Dtype::UInt16 : size == 4 ? Dtype::UInt32 : size == 8 ? Dtype::UInt64 : Dtype::Complex128;
    w.arg[0].dtype = w.arg[1].dtype = plain;
    run_elementwise(move_kernel(size), Params(), w);
  }
}

}  // namespace

void convert_number(CudaArg& a, Dtype to) {
  with_type(a.dtype, [&]<class S>(S v) {
    std::memcpy(&v, a.number, sizeof v);
    with_type(to, [&]<class D>(D d) {
      d = converted<D>(v);
      std::memcpy(a.number, &d, sizeof d);
    });
  });
  a.dtype = to;
}
void copy_elements(const CudaWalk& walk) {
  if (!walk.numel) return;
  CudaWalk w = walk;
  if (!w.arg[1].data) convert_number(w.arg[1], w.arg[0].dtype);
  if (w.arg[0].dtype == w.arg[1].dtype) return copy_bytes(w);
  run_elementwise(cast_kernel(path_between(w.arg[1].dtype, w.arg[0].dtype)), Params(), w);
}

}  // namespace tapegrad::cuda
