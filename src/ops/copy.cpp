// Copies: to, clone, contiguous, copy_, fill_, zero_, and the element movers of copy.h.
#include "src/ops/copy.h"

#include <algorithm>
#include <cstring>

#include "src/ops/cast_path.h"
#include "src/ops/cuda/launch.h"
#include "src/ops/elementwise.h"
#include "src/ops/op_info.h"
#include "src/ops/stream.h"
#include "src/tensor/align.h"
#include "src/tensor/make.h"
#include "src/tensor/parallel.h"

namespace tapegrad {

namespace {

constexpr int64_t kGrain = 32768, kTileRows = 128;

// ---- the same dtype: bytes, by width

template <class T> void copy_row(char* d, const char* s, int64_t n, int64_t to, int64_t from, Streamed* out = nullptr) {
  if (to == sizeof(T) && from == sizeof(T)) {
    const int64_t bytes = n * int64_t(sizeof(T));
    out ? out->copy(d, s, bytes) : void(std::memcpy(d, s, size_t(bytes)));
  } else if (to == sizeof(T) && from == 0) {
    std::fill_n(reinterpret_cast<T*>(d), n, *reinterpret_cast<const T*>(s));
  } else {
    for (int64_t i = 0; i < n; i++) *reinterpret_cast<T*>(d + i * to) = *reinterpret_cast<const T*>(s + i * from);
  }
}
/// A plane that is dense in d along its rows and in s across them: transposed in L2, by tiles, whose rows do not all begin in the
/// same set of L1.
template <class T> void copy_across(char* d, const char* s, const int64_t* shape, int64_t to, int64_t from, Streamed& out) {
  constexpr int64_t kRows = kTileRows, kItem = sizeof(T), kCols = 2048 / kItem, kTileRow = 2048 + 64;
  alignas(64) char tile[kRows * kTileRow];
  for (int64_t r = 0; r < shape[1]; r += kRows)
    for (int64_t c = 0; c < shape[0]; c += kCols) {
      const int64_t rows = std::min(kRows, shape[1] - r), cols = std::min(kCols, shape[0] - c);
      moves_tables[kernel_set]->transpose[kItem == 8](s + c * from + r * kItem, from, tile, kTileRow, cols, rows);
      for (int64_t k = 0; k < rows; k++) out.copy(d + (r + k) * to + c * kItem, tile + k * kTileRow, cols * kItem);
    }
}
/// Dims [0, dims) of a plan; a transposed plane goes by tiles, so that each cache line is used while it is there.
template <class T> void copy_box(const Plan& plan, int dims, const int64_t* shape, char* d, const char* s, Streamed& out) {
  const int64_t *to = plan.arg[0].stride, *from = plan.arg[1].stride;
  if (dims == 1) return copy_row<T>(d, s, shape[0], to[0], from[0], &out);
  if (dims == 2 && from[0] != sizeof(T) && from[0] != 0 && from[1] == sizeof(T)) {
    if constexpr (sizeof(T) == 4 || sizeof(T) == 8)
      if (to[0] == sizeof(T)) return copy_across<T>(d, s, shape, to[1], from[0], out);
    constexpr int64_t kTile = 32;
    for (int64_t j = 0; j < shape[1]; j += kTile)
      for (int64_t i = 0; i < shape[0]; i += kTile)
        for (int64_t y = j; y < std::min(j + kTile, shape[1]); y++)
          copy_row<T>(d + y * to[1] + i * to[0], s + y * from[1] + i * from[0], std::min(kTile, shape[0] - i), to[0], from[0]);
    return;
  }
  for (int64_t i = 0; i < shape[dims - 1]; i++) copy_box<T>(plan, dims - 1, shape, d + i * to[dims - 1], s + i * from[dims - 1], out);
}

// ---- another dtype

void cast_box(const Plan& plan, int dims, const int64_t* shape, char* d, const char* s, Streamed& out) {
  const Plan::Arg &to = plan.arg[0], &from = plan.arg[1];
  if (dims > 1) {
    for (int64_t i = 0; i < shape[dims - 1]; i++)
      cast_box(plan, dims - 1, shape, d + i * to.stride[dims - 1], s + i * from.stride[dims - 1], out);
    return;
  }
  constexpr int64_t kBlock = 512;
  alignas(64) char buffer[kBlock * 16];
  const bool direct = to.plain && to.stride[0] == to.size;
  for (int64_t i = 0; i < shape[0]; i += kBlock) {
    const int64_t n = std::min(kBlock, shape[0] - i);
    char* y = d + i * to.stride[0];
    const char* x = s + i * from.stride[0];
    if (direct) {
      out.put(y, n * to.size, [&](char* where) { from.load(x, from.stride[0], n, where); });
      continue;
    }
    if (!from.plain || from.stride[0] != from.size) from.load(x, from.stride[0], n, buffer), x = buffer;
    if (to.stride[0] != to.item) to.store(x, y, to.stride[0], n);
    else out.put(y, n * to.item, [&](char* where) { to.store(x, where, to.item, n); });
  }
}

}  // namespace

void copy_elements(const Tensor& dst, const Tensor& src) {
  const int64_t n = dst->numel;
  if (!n) return;
  if (dst.is_cuda() || src.is_cuda()) [[unlikely]] return cuda_copy(dst, src);
  const bool same = dst->dtype == src->dtype;
  if (same && dst->contiguous && src->contiguous && src->numel == n && n <= kGrain) {
    std::memmove(dst->host(), src->host(), size_t(n) * item_size(dst->dtype));
    return;
  }
  const Compute c = same ? Compute::None : path_between(src->dtype, dst->dtype);
  const Operand arg[] = {{dst.get(), c}, {src.get(), c}};
  const Plan plan(dst.sizes(), arg, 2, 1);
  Plan::Cut cut = plan.cut(kGrain);
  if (cut.dim == 1) cut.piece = (cut.piece + kTileRows - 1) / kTileRows * kTileRows;
  const bool past = is_past_caches(n * int64_t(item_size(dst->dtype)));
  LongKernel unlocked(n);
  parallel_for(plan.shape[cut.dim], n <= kGrain ? plan.shape[cut.dim] : cut.piece, [&](int64_t begin, int64_t end) {
    int64_t shape[kMaxDims];
    for (int d = 0; d < plan.dims; d++) shape[d] = plan.shape[d];
    shape[cut.dim] = end - begin;
    char* d = plan.arg[0].base + begin * plan.arg[0].stride[cut.dim];
    const char* s = plan.arg[1].base + begin * plan.arg[1].stride[cut.dim];
    Streamed out(past);
    if (!same) return cast_box(plan, plan.dims, shape, d, s, out);
    switch (item_size(dst->dtype)) {
      case 1: return copy_box<uint8_t>(plan, plan.dims, shape, d, s, out);
      case 2: return copy_box<uint16_t>(plan, plan.dims, shape, d, s, out);
      case 4: return copy_box<uint32_t>(plan, plan.dims, shape, d, s, out);
      case 8: return copy_box<uint64_t>(plan, plan.dims, shape, d, s, out);
      default: return copy_box<Complex<double>>(plan, plan.dims, shape, d, s, out);
    }
  });
}

void check_fits(Scalar value, Dtype dtype) {
  if (value.kind() != Scalar::Kind::Float || !is_integral(dtype)) return;
  const double v = value.to_double();
  TG_CHECK(v >= -0x1p63 && v < 0x1p64, ValueError, "value ", v, " cannot be converted to ", dtype, " without overflow");
}
void write_scalar(Scalar value, Dtype d, char* out) {
  if (value.is_complex()) {
    const Complex<double> v = value.to_complex();
    TG_CHECK(is_complex(d) || v.im == 0, ValueError, "value must fit ", d, ", got ", value);
    store_for(Compute::C128, d)(reinterpret_cast<const char*>(&v), out, 16, 1);
    return;
  }
  if (value.is_float()) {
    check_fits(value, d);
    const double v = value.to_double();
    store_for(Compute::F64, d)(reinterpret_cast<const char*>(&v), out, 8, 1);
    return;
  }
  const int64_t v = value.to_int();
  if (is_integral(d) && d != Dtype::Int64 && d != Dtype::UInt64) {
    const int bits = int(item_size(d)) * 8;
    const int64_t low = is_signed(d) ? -(int64_t(1) << (bits - 1)) : -(int64_t(1) << bits) + 1;  // PyTorch lets -1 into uint8
    const int64_t high = (int64_t(1) << (is_signed(d) ? bits - 1 : bits)) - 1;
    TG_CHECK(v >= low && v <= high, ValueError, "value must fit ", d, ", got ", v);
  }
  store_for(Compute::I64, d)(reinterpret_cast<const char*>(&v), out, 8, 1);
}

void fill_elements(const Tensor& dst, Scalar value) {
  const int64_t n = dst->numel;
  const size_t item = item_size(dst->dtype);
  if (value.kind() == Scalar::Kind::Int && value.to_int() == 0 && dst->contiguous && n <= 1024 && !dst.is_cuda())
    return void(std::memset(dst->host(), 0, size_t(n) * item));
  alignas(16) char v[16];
  write_scalar(value, dst->dtype, v);
  if (dst->contiguous && !dst.is_cuda()) {
    bool zero = true;
    for (size_t i = 0; i < item; i++) zero &= v[i] == 0;
    LongKernel unlocked(n);
    parallel_for(n, kGrain * 4, [&](int64_t begin, int64_t end) {
      char* d = dst->host() + size_t(begin) * item;
      const int64_t count = end - begin;
      if (zero || item == 1) return void(std::memset(d, v[0], size_t(count) * item));
      const int64_t first = std::min<int64_t>(count, 1024);  // the rest by memcpy, which has the wider stores
      switch (item) {
        case 2: copy_row<uint16_t>(d, v, first, 2, 0); break;
        case 4: copy_row<uint32_t>(d, v, first, 4, 0); break;
        case 8: copy_row<uint64_t>(d, v, first, 8, 0); break;
        default: copy_row<Complex<double>>(d, v, first, 16, 0);
      }
      for (int64_t i = first; i < count; i += first)
        std::memcpy(d + size_t(i) * item, d, size_t(std::min(first, count - i)) * item);
    });
    return;
  }
  Tensor one = empty({}, dst->dtype);
  std::memcpy(one->host(), v, item);
  copy_elements(dst, one);
}

// ---- to

struct ToCopyBackward final : NodeOf<1> {
  Dtype dtype;
  Device device;
  explicit ToCopyBackward(const Tensor& x) : NodeOf(x), dtype(x->dtype), device(x->device) {}
  const char* name() const override { return "ToCopyBackward0"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = to(g, device, dtype); }
};
Tensor to(const Tensor& x, Dtype dtype, bool copy) {
  if (x->dtype == dtype && !copy) return x;
  OpScope op("to");
  if (x->wrapped_number && is_complex(x->dtype) && !is_complex(dtype)) [[unlikely]]  // a plain number is not cut
    TG_CHECK(x.item().to_complex().im == 0, ValueError, "value must fit ", dtype, ", got ", x.item());
  Tensor out = empty_like(x, dtype);
  copy_elements(out, x);
  if (recording(x)) record<ToCopyBackward>(out, x);
  return out;
}
static Tensor to_place(const Tensor& x, Device device, Dtype dtype, bool copy, bool non_blocking) {
  if (device.type == DeviceType::CUDA) device = cuda_device(device);
  else device = Device();
  if (device == x->device) return to(x, dtype, copy);
  const Tensor out = empty_like(x, dtype, MemoryFormat::Preserve, device);
  cuda_copy(out, x, non_blocking);
  if (recording(x)) record<ToCopyBackward>(out, x);
  return out;
}
Tensor to(const Tensor& x, Device device, std::optional<Dtype> dtype, bool copy) {
  OpScope op("to");
  return to_place(x, device, dtype.value_or(x->dtype), copy, false);
}

// ---- clone

struct CloneBackward final : NodeOf<1> {
  using NodeOf::NodeOf;
  const char* name() const override { return "CloneBackward0"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = static_cast<Tensor&&>(g); }
};
Tensor clone(const Tensor& x, MemoryFormat format) {
  OpScope op("clone");
  Tensor out = empty_like(x, format);
  copy_elements(out, x);
  if (recording(x)) record<CloneBackward>(out, x);
  return out;
}
Tensor contiguous(const Tensor& x, MemoryFormat format) {
  if (format == MemoryFormat::Contiguous ? x->contiguous : x.is_contiguous(format)) return x;
  return clone(x, format);
}

// ---- copy_

struct CopyBackwards final : NodeOf<2> {
  Shape size;
  Dtype dtype;
  CopyBackwards(const Tensor& self, const Tensor& src) : NodeOf(self, src), size(src.sizes()), dtype(src->dtype) {}
  const char* name() const override { return "CopyBackwards"; }
  void backward(Tensor g, Tensor* dx) override {
    if (needs(0)) dx[0] = zeros_like(g);
    if (needs(1)) dx[1] = reduce_gradient(static_cast<Tensor&&>(g), size, dtype);
  }
};
const Tensor& copy_(const Tensor& self, const Tensor& src, bool non_blocking) {
  OpScope op("copy_");
  if (self.is_same(src)) return self;
  const Tensor* both[] = {&self, &src};
  TG_CHECK(broadcast_shape(both, 2) == self.sizes(), ShapeError, "src must broadcast to ", self.sizes(),
      Named{"input", self}, Named{"src", src}, aligned_at_end({{"input", self.sizes()}, {"src", src.sizes()}}));
  check_writable(self);
  InPlace guard(self, recording(self, src));
  const bool shared = self->storage == src->storage;
  if (self.is_cuda() || src.is_cuda()) [[unlikely]] cuda_copy(self, shared ? clone(detach(src)) : src, non_blocking);
  else copy_elements(self, shared ? clone(detach(src)) : src);
  if (recording(self, src) && is_differentiable(self->dtype)) guard.record<CopyBackwards>(guard.before(), src);
  return self;
}

// ---- fill_, zero_

struct FillBackward final : NodeOf<2> {
  explicit FillBackward(const Tensor& self, const Tensor& value) : NodeOf(self, value) {}
  const char* name() const override { return "FillBackward0"; }
  void backward(Tensor g, Tensor* dx) override {
    if (needs(0)) dx[0] = zeros_like(g);
    if (needs(1)) dx[1] = sum(g);
  }
};
const Tensor& fill_(const Tensor& self, Scalar value) {
  OpScope op("fill_");
  check_writable(self);
  InPlace guard(self, recording(self));
  fill_elements(self, value);
  if (recording(self)) guard.record<FillBackward>(guard.before(), Tensor());
  return self;
}
const Tensor& fill_(const Tensor& self, const Tensor& value) {
  OpScope op("fill_");
  TG_CHECK(value.dim() == 0, ShapeError, "value must be a number or a 0-d tensor, got ", value.dim(), " dimensions",
      Named{"value", value});
  check_writable(self);
  InPlace guard(self, recording(self, value));
  copy_elements(self, value);
  if (recording(self, value)) guard.record<FillBackward>(guard.before(), value);
  return self;
}
struct ZeroBackward final : NodeOf<1> {
  using NodeOf::NodeOf;
  const char* name() const override { return "ZeroBackward0"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = zeros_like(g); }
};
const Tensor& zero_(const Tensor& self) {
  OpScope op("zero_");
  check_writable(self);
  InPlace guard(self, recording(self));
  fill_elements(self, 0);
  if (recording(self)) guard.record<ZeroBackward>(guard.before());
  return self;
}

// ---- rows

static Tensor to_dtype(const Tensor& x, Dtype dtype, bool, bool copy, std::optional<MemoryFormat> format) {
  return format ? clone(to(x, dtype), *format) : to(x, dtype, copy);
}
static Tensor to_device(const Tensor& x, std::optional<Device> device, std::optional<Dtype> dtype, bool non_blocking, bool copy,
    std::optional<MemoryFormat> format) {
  OpScope op("to");
  const Tensor y = to_place(x, device.value_or(x->device), dtype.value_or(x->dtype), copy && !format, non_blocking);
  return format && (copy || !y.is_contiguous(*format)) ? clone(y, *format) : y;
}
static Tensor to_other(const Tensor& x, const Tensor& other, bool non_blocking, bool copy, std::optional<MemoryFormat> format) {
  return to_device(x, other->device, other->dtype, non_blocking, copy, format);
}
static Tensor type_as(const Tensor& x, const Tensor& other) { return to(x, other->device, other->dtype); }
static Tensor in_format(const Tensor& x, std::optional<MemoryFormat> format) {
  return format && *format != MemoryFormat::Preserve ? contiguous(x, *format) : x;
}
template <Dtype d> static Tensor cast_to(const Tensor& x, std::optional<MemoryFormat> format) { return in_format(to(x, d), format); }
static Tensor to_cpu(const Tensor& x, std::optional<MemoryFormat> format) { return in_format(to(x, Device(DeviceType::CPU)), format); }
static Tensor clone_row(const Tensor& x, std::optional<MemoryFormat> f) { return clone(x, f.value_or(MemoryFormat::Preserve)); }
static Tensor contiguous_row(const Tensor& x, std::optional<MemoryFormat> f) {
  return contiguous(x, f.value_or(MemoryFormat::Contiguous));
}
static Tensor fill_scalar(const Tensor& x, Scalar v) { return Tensor(fill_(clone(x), v)); }
static Tensor fill_tensor(const Tensor& x, const Tensor& v) { return Tensor(fill_(clone(x), v)); }

void copy_ops(OpTable& t) {
  t.add("to(Tensor input, Tensor other, bool non_blocking=False, bool copy=False, *, memory_format? memory_format=None)", &to_other,
      "input with other's dtype and device; input itself when nothing changes.")
      .method_only().complex().samples({"T(2, 3), C(1, 2)"});
  t.add("to(Tensor input, dtype dtype, bool non_blocking=False, bool copy=False, *, memory_format? memory_format=None)", &to_dtype,
        "input in another dtype; input itself when nothing changes, unless copy.").method_only().complex().samples({"T(2, 3), float64", "T(), float16"});
  t.add("to(Tensor input, device? device=None, dtype? dtype=None, bool non_blocking=False, bool copy=False, *, memory_format? memory_format=None)", &to_device,
        "input on another device and in another dtype; input itself when nothing changes, unless copy.")
      .method_only().complex().samples({"T(2, 3), 'cpu'", "T(2, 3), 'cpu', float64", "T(0, 3), dtype=float64"});
  t.add("type_as(Tensor input, Tensor other)", &type_as, "input in other's dtype, on its device.").method_only().complex().samples({"T(2, 3), C(1, 2)"});
  t.add("float(Tensor input, *, memory_format? memory_format=None)", &cast_to<Dtype::Float32>, "input as float32.").method_only().complex().samples({"T(2, 3)", "I(3)"});
  t.add("double(Tensor input, *, memory_format? memory_format=None)", &cast_to<Dtype::Float64>, "input as float64.").method_only().complex().samples({"T(2, 3)", "I(3)"});
  t.add("half(Tensor input, *, memory_format? memory_format=None)", &cast_to<Dtype::Float16>, "input as float16.").method_only().complex().samples({"C(1.5, 2)"});
  t.add("bfloat16(Tensor input, *, memory_format? memory_format=None)", &cast_to<Dtype::BFloat16>, "input as bfloat16.").method_only().complex().samples({"C(1.5, 2)"});
  t.add("long(Tensor input, *, memory_format? memory_format=None)", &cast_to<Dtype::Int64>, "input as int64, truncated.")
      .method_only().no_grad().complex().samples({"T(2, 3)", "B(3)"});
  t.add("int(Tensor input, *, memory_format? memory_format=None)", &cast_to<Dtype::Int32>, "input as int32, truncated.")
      .method_only().no_grad().complex().samples({"T(2, 3)", "B(3)"});
  t.add("short(Tensor input, *, memory_format? memory_format=None)", &cast_to<Dtype::Int16>, "input as int16, truncated.")
      .method_only().no_grad().complex().samples({"T(2, 3)"});
  t.add("char(Tensor input, *, memory_format? memory_format=None)", &cast_to<Dtype::Int8>, "input as int8, truncated.").method_only().no_grad().complex().samples({"T(2, 3)"});
  t.add("byte(Tensor input, *, memory_format? memory_format=None)", &cast_to<Dtype::UInt8>, "input as uint8, truncated.")
      .method_only().no_grad().complex().samples({"P(2, 3)"});
  t.add("bool(Tensor input, *, memory_format? memory_format=None)", &cast_to<Dtype::Bool>, "input as bool: whether each element is not zero.")
      .method_only().no_grad().complex().samples({"T(2, 3)", "I(3)"});
  t.add("cpu(Tensor input, *, memory_format? memory_format=None)", &to_cpu, "input in the host's memory.").method_only().complex().samples({"T(2, 3)"});
  t.add("clone(Tensor input, *, memory_format? memory_format=None)", &clone_row,
        "A copy of input with memory of its own. Keeps the order of dense strides unless memory_format says otherwise.")
      .method().complex().samples({"T(2, 3)", "T()", "T(0, 3)"});
  t.add("contiguous(Tensor input, memory_format? memory_format=None)", &contiguous_row,
      "input itself when it is row-major already, else a row-major copy.")
      .method_only().complex().samples({"T(2, 3)", "T(0, 3)"});
  t.add("copy_(Tensor self, Tensor src, bool non_blocking=False)",
        &copy_, "Writes src, broadcast and cast, into self and returns self.")
      .method_only().complex().samples({"C(1., 2., 3.), C(4., 5., 6.)", "C(1., 2.), C(3)"});
  t.add("fill(Tensor input, Scalar value)", &fill_scalar, "A tensor like input that holds value everywhere.")
      .method().inplace(static_cast<const Tensor& (*)(const Tensor&, Scalar)>(&fill_)).complex().samples({"T(2, 3), 2.5"});
  t.add("fill(Tensor input, Tensor value)", &fill_tensor, "A tensor like input that holds the 0-d value everywhere.")
      .method().inplace(static_cast<const Tensor& (*)(const Tensor&, const Tensor&)>(&fill_)).complex().samples({"T(2, 3), T()"});
  t.add("zero_(Tensor self)", &zero_, "Writes zeros into self and returns self.").method_only().complex().samples({"C(1., 2.)"});
}

}  // namespace tapegrad
