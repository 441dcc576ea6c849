// The elementwise driver: promotion, broadcasting, output; in-place and out= forms. run_kernel.cpp runs the kernels,
// elementwise_tape.cpp records.
#include "src/ops/elementwise.h"

#include "src/ops/cuda/launch.h"
#include "src/ops/op_info.h"
#include "src/tensor/align.h"
#include "src/tensor/make.h"
#include "src/tensor/places.h"

namespace tapegrad {

// ---- dtypes --------------------------------------------------------------------------------------------------------

// PyTorch's three ranks: tensors with dims, then 0-d tensors, then plain numbers. A lower rank matters only when it is of a
// higher kind (bool < integer < float < complex).
Dtype result_type(const Tensor* const* in, int count) {
  constexpr int none = -1;
  int rank[3] = {none, none, none};
  auto join = [](int a, int b) { return a < 0 ? b : b < 0 ? a : int(promote(Dtype(a), Dtype(b))); };
  for (int k = 0; k < count; k++) {
    const TensorImpl& t = *in[k]->get();
    const Dtype d = !t.wrapped_number ? t.dtype : is_floating(t.dtype) ? default_dtype()
        : is_complex(t.dtype) ? complex_dtype(default_dtype()) : t.dtype;
    int& r = rank[t.ndim ? 0 : t.wrapped_number ? 2 : 1];
    r = join(r, int(d));
  }
  auto floats = [](int d) { return d >= 0 && is_floating(Dtype(d)); };
  auto complex = [](int d) { return d >= 0 && is_complex(Dtype(d)); };
  auto combine = [&](int high, int low) {
    if (complex(high)) return high;
    if (floats(high)) return complex(low) ? int(complex_dtype(Dtype(high))) : high;
    if (high == int(Dtype::Bool) || floats(low) || complex(low)) return join(high, low);
    return high >= 0 ? high : low;
  };
  return Dtype(combine(rank[0], combine(rank[1], rank[2])));
}

Dtype result_type(const Tensor& a, const Tensor& b) {
  const Tensor* in[] = {&a, &b};
  return result_type(in, 2);
}

bool can_cast(Dtype from, Dtype to) {
  if (is_complex(from) && !is_complex(to)) return false;
  if (is_floating(from) && !is_differentiable(to)) return false;
  return from == Dtype::Bool || to != Dtype::Bool;
}

// ---- devices -------------------------------------------------------------------------------------------------------

Device common_device(const Tensor* const* in, int count) {
  const Tensor* first = nullptr;
  for (int k = 0; k < count; k++) {
    const Tensor& t = *in[k];
    if (t.dim() == 0 && !t.is_cuda()) continue;  // travels with the launch
    TG_CHECK(!first || first->device() == t.device(), DeviceError, "all tensors must be on one device, got ", first->device(), " and ", t.device(),
             Named{"input", *first}, Named{"other", t});
    first = &t;
  }
  for (int k = 0; k < count && !first; k++) if (in[k]->is_cuda()) first = in[k];
  return first ? first->device() : Device();
}

// ---- shapes --------------------------------------------------------------------------------------------------------

// The operands by the names that users know.
static std::array<const char*, 3> operand_names(int count) {
  struct Names { std::string_view op; std::array<const char*, 3> names; };
  static constexpr Names kNames[] = {{"where", {"condition", "input", "other"}}, {"pow", {"input", "exponent"}}, {"float_power", {"input", "exponent"}},
      {"heaviside", {"input", "values"}}, {"copy", {"input", "src"}}, {"lerp", {"input", "end", "weight"}}, {"masked_fill", {"input", "mask", "value"}},
      {"complex", {"real", "imag"}}, {"polar", {"abs", "angle"}}, {"clamp", {"input", "min", "max"}}, {"normal", {"mean", "std"}},
      {"mse_loss", {"input", "target"}}, {"l1_loss", {"input", "target"}}, {"prelu", {"input", "weight"}}};
  std::string_view op = called_op();
  if (op.ends_with('_')) op.remove_suffix(1);
  for (const Names& n : kNames) if (n.op == op && (count == 2 || n.names[2])) return n.names;
  if (count == 2) return {"input", "other"};
  return {"input", "tensor1", "tensor2"};
}
[[noreturn, gnu::cold, gnu::noinline]] static void do_not_broadcast(const Tensor* const* in, int count) {
  const auto name = operand_names(count);
  const Named a{name[0], *in[0]}, b{name[1], *in[1]};
  if (count == 2)
    detail::fail<ShapeError>("shapes must broadcast, got ", in[0]->sizes(), " and ", in[1]->sizes(), a, b,
                             aligned_at_end({{name[0], in[0]->sizes()}, {name[1], in[1]->sizes()}}));
  detail::fail<ShapeError>("shapes must broadcast, got ", in[0]->sizes(), ", ", in[1]->sizes(), " and ", in[2]->sizes(), a, b, Named{name[2], *in[2]},
                           aligned_at_end({{name[0], in[0]->sizes()}, {name[1], in[1]->sizes()}, {name[2], in[2]->sizes()}}));
}
Shape broadcast_shape(const Tensor* const* in, int count) {
  Shape out;
  for (int k = 0; k < count; k++) {
    const IntList s = in[k]->sizes();
    while (out.size() < s.size()) out.insert(0, 1);
    for (size_t i = 0; i < s.size(); i++) {
      int64_t& o = out[out.size() - s.size() + i];
      if (s[i] == o || s[i] == 1) continue;
      if (o != 1) {
        do_not_broadcast(in, count);
      }
      o = s[i];
    }
  }
  return out;
}

namespace {

// ---- checks --------------------------------------------------------------------------------------------------------

bool any_requires_grad(const OpEntry& op, const Tensor* const* in) {
  bool any = false;
  for (int k = 0; k < op.inputs; k++) any |= needs_grad(*in[k]);
  return any;
}
template <int N> [[gnu::always_inline]] inline bool any_requires_grad(const Tensor* const* in) {
  for (int k = 0; k < N; k++) if (needs_grad(*in[k])) return true;
  return false;
}

bool gives_bool(Types t) { return t == Types::Compare || t == Types::Logical; }

void check_defined(const OpEntry& op, const Tensor* const* in) {
  for (int k = 0; k < op.inputs; k++) TG_CHECK(in[k]->defined(), ValueError, "argument ", k + 1, " must be a tensor, got none");
}

Dtype common_dtype(const OpEntry& op, const Tensor* const* in) {
  const int first = op.traits.masked, n = op.inputs;
  const TensorImpl& a = *in[first]->get();
  bool same = !a.wrapped_number;
  for (int k = first + 1; k < n && same; k++) {
    const TensorImpl& t = *in[k]->get();
    same = t.dtype == a.dtype ? !t.wrapped_number || a.ndim
        : t.wrapped_number && is_differentiable(a.dtype) && (!is_complex(t.dtype) || is_complex(a.dtype));
  }
  Dtype common = same ? a.dtype : result_type(in + first, n - first);
  if (is_differentiable(common)) return common;
  TG_CHECK(op.traits.types != Types::FloatOnly, DtypeError, "input must be of a floating-point type, got ", common,
      Named{"input", *in[first]});
  TG_CHECK(op.traits.types != Types::NotBool || common != Dtype::Bool, DtypeError, "input must not be bool",
      Named{"input", *in[first]});
  return op.traits.types == Types::Float ? default_dtype() : common;
}

[[gnu::noinline]] void check_divisor(const Tensor& divisor) {
  const Tensor d = contiguous(to(divisor, Dtype::Int64));
  const auto* v = d->host<const int64_t>();
  for (int64_t i = 0; i < d->numel; i++) TG_CHECK(v[i] != 0, Error, "ZeroDivisionError: division of integers by zero");
}

/// What a kernel reads: the inputs, 0-d ones cast first where the common type is small, so that they wrap and round as
/// PyTorch's do: maximum(int8(-5), uint8) compares 251.
struct Inputs {
  Tensor cast[3];
  Operand arg[4];
  Compute compute;
  Dtype out_dtype;
  Kernel kernel;
  Inputs(const OpEntry& op, const Tensor* const* in, Dtype common) {
    const OpTraits& t = op.traits;
    TG_CHECK(t.types != Types::Bitwise || !is_differentiable(common), DtypeError,
        "input must be of an integer type or bool, got ", common);
    compute = t.types == Types::Logical ? Compute::Bool : compute_for(common);
    out_dtype = gives_bool(t.types) ? Dtype::Bool : common;
    kernel = op.forward(compute);
    TG_CHECK(kernel, DtypeError, "not implemented for ", common, Named{"input", *in[t.masked]});
    const bool small = item_size(common) < 4 && !(is_floating(common) && t.wide_number) && t.types != Types::Logical;
    for (int k = 0; k < op.inputs; k++) {
      const TensorImpl* x = in[k]->get();
      const bool mask = t.masked && k == 0;
      if (small && !mask && x->ndim == 0 && x->dtype != common) [[unlikely]] {
        NoGrad off;
        cast[k] = to(*in[k], common);
        x = cast[k].get();
      }
      arg[1 + k] = {x, mask ? Compute::Bool : compute};
    }
    if (t.divides && !is_differentiable(common) && !in[op.inputs - 1]->is_cuda()) [[unlikely]] check_divisor(*in[op.inputs - 1]);
  }
  void run(const Tensor& out, const OpEntry& op, const void* params) {
    arg[0] = {out.get(), gives_bool(op.traits.types) ? Compute::Bool : compute};
    if (out.is_cuda()) [[unlikely]] return cuda_forward(op, compute, params, arg);
    const Kernel half = half_kernel(op, arg, 1 + op.inputs);
    run_kernel(half ? half : kernel, params, arg, 1 + op.inputs, op.traits.costly);
  }
};

/// Would writing `out` spoil `in` before it is read? The very same view is fine.
bool overlaps(const TensorImpl& out, const TensorImpl& in) {
  if (out.storage != in.storage) return false;
  if (out.data == in.data && same_sizes(out, in) && IntList(out.strides, out.ndim) == IntList(in.strides, in.ndim)) return false;
  auto span = [](const TensorImpl& t) {
    int64_t reach = 1;
    for (int d = 0; d < t.ndim; d++) reach += (t.sizes[d] - 1) * t.strides[d];
    return std::pair(t.data, t.data + reach * int64_t(item_size(t.dtype)));
  };
  const auto [a, a_end] = span(out);
  const auto [b, b_end] = span(in);
  return a < b_end && b < a_end;
}

thread_local constinit const Tensor* out_target = nullptr;

/// The compute type in which tensors of this dtype can be read as they are; None when they need care.
constexpr Compute direct_compute(Types types, Dtype d) {
  switch (d) {
    case Dtype::Float32: return types <= Types::Compare ? Compute::F32 : Compute::None;
    case Dtype::Float64: return types <= Types::Compare ? Compute::F64 : Compute::None;
    case Dtype::Int64:
      return types == Types::Float || types == Types::FloatOnly || types == Types::Logical ? Compute::None : Compute::I64;
    case Dtype::Bool: return types == Types::Logical ? Compute::Bool : Compute::None;
    default: return Compute::None;
  }
}
struct DirectTable {
  Compute of[int(Types::Bitwise) + 1][kDtypes];
  constexpr DirectTable() : of() {
    for (int t = 0; t <= int(Types::Bitwise); t++)
      for (int d = 0; d < kDtypes; d++) of[t][d] = direct_compute(Types(t), Dtype(d));
  }
};
constexpr DirectTable direct;

constexpr int64_t kSmallBytes = 4096;

bool in_packets(Compute c) { return c == Compute::F32 || c == Compute::F64; }

/// What most calls are: small dense tensors of one dtype and shape, perhaps with numbers beside them.
struct SmallCall {
  const TensorImpl* like;  // has the result's sizes
  Compute compute;
  int64_t bytes, count;    // of a dense operand, and elements up to the end of its last packet

  /// False when the call is of another kind. The other inputs are still to be looked at.
  template <int N> [[gnu::always_inline]] bool fits(const OpTraits& traits, const Tensor* const* in) {
    like = in[N == 3 && traits.masked]->get();
    if (N > 1 && like->ndim == 0) like = in[N - 1]->get();  // 1 - x
    compute = direct.of[int(traits.types)][int(like->dtype)];
    if (compute == Compute::None || !like->contiguous || like->wrapped_number || out_target) return false;
    if (traits.divides && compute == Compute::I64) return false;
    const int shift = kComputeShift[int(compute)];
    bytes = like->numel << shift;
    if (uint64_t(bytes - 1) >= uint64_t(kSmallBytes)) return false;
    const int64_t packet = in_packets(compute) ? vector_bytes[kernel_set] : 1;
    count = ((bytes + packet - 1) & -packet) >> shift;
    return true;
  }
  /// Can t be handed to the kernel as it is? Dense, and readable up to the end of the last packet.
  [[gnu::always_inline]] bool takes(const TensorImpl& t, bool mask) const {
    const Dtype dtype = mask ? Dtype::Bool : like->dtype;
    const int64_t reach = mask ? count : count << kComputeShift[int(compute)];
    if (&t != like && (t.dtype != dtype || !t.contiguous || !same_sizes(t, *like))) return false;
    return t.data + reach <= t.storage->data + t.storage->capacity;
  }
  Tensor result(const OpTraits& traits) const {
    const IntList size(like->sizes, like->ndim);
    if (gives_bool(traits.types)) return empty(size, Dtype::Bool);
    return Tensor::adopt(new_dense(size, size_t(bytes), like->dtype));
  }
};

/// Runs a small call with plain numbers or 0-d tensors beside dense ones: they are splatted. Writes into `out`, or makes it when it
/// is undefined. False: a call of another kind.
template <int N> [[gnu::noinline]] bool run_with_numbers(const OpEntry& op, const void* params, const Tensor* const* in, SmallCall call, Tensor& out) {
  alignas(64) char numbers[2][kSmallBytes];
  int used = 0;
  char* p[1 + N];
  const Compute c = call.compute;
  for (int k = 0; k < N; k++) {
    const TensorImpl& t = *in[k]->get();
    const bool mask = op.traits.masked && k == 0;
    if (t.ndim == 0 && !mask) {
      if (used == 2 || (t.dtype != call.like->dtype && !(t.wrapped_number && in_packets(c) && t.dtype != Dtype::Bool && t.dtype < Dtype::Complex64))) return false;
      if (t.device.type != DeviceType::CPU) [[unlikely]] return false;
      casts_tables[kernel_set]->load[int(t.dtype)][int(c)](t.data, 0, call.count, numbers[used]);
      p[1 + k] = numbers[used++];
    } else {
      if (!call.takes(t, mask)) return false;
      p[1 + k] = t.data;
    }
  }
  std::optional<InPlace> guard;
  if (out.defined()) guard.emplace(out, false);
  else out = call.result(op.traits);
  p[0] = out->data;
  elementwise_tables[kernel_set]->by_inputs[N - 1]->op[op.index].forward[int(c)](params, p, call.count);
  return true;
}

/// Small calls in place, of which nothing is recorded. False: a call of another kind.
template <int N> bool run_small_in_place(const OpEntry& op, const void* params, const Tensor* const* in) {
  const TensorImpl& self = *in[0]->get();
  SmallCall call;
  if (!call.fits<N>(op.traits, in) || call.like != &self || gives_bool(op.traits.types)) return false;
  if (grad_enabled() && any_requires_grad<N>(in)) return false;
  if (self.data + call.bytes != self.storage->data + self.storage->bytes) return false;  // the last packet would overwrite what follows
  char* p[1 + N];
  bool numbers = false;
#pragma GCC unroll 3
  for (int k = 0; k < N; k++) {
    const TensorImpl& t = *in[k]->get();
    if (t.storage == self.storage && t.data != self.data) return false;
    numbers |= k && t.ndim == 0;
    if (!numbers && !call.takes(t, false)) return false;
    p[1 + k] = t.data;
  }
  Tensor& out = const_cast<Tensor&>(*in[0]);
  if (numbers) return run_with_numbers<N>(op, params, in, call, out);
  const InPlace guard(out, false);
  p[0] = self.data;
  elementwise_tables[kernel_set]->by_inputs[N - 1]->op[op.index].forward[int(call.compute)](params, p, call.count);
  return true;
}

/// The out= tensor, when it can be written directly; undefined otherwise.
Tensor take_out_target(const OpEntry& op, const Tensor* const* in, IntList size, Dtype dtype) {
  const Tensor out = *out_target;
  out_target = nullptr;
  TG_CHECK(!grad_enabled() || !(needs_grad(out) || any_requires_grad(op, in)), GradError,
           "out= has no gradient, but an argument requires one", Named{"out", out});
  TG_CHECK(can_cast(dtype, out->dtype), DtypeError, "result type ", dtype, " can't be cast to the type of out, ", out->dtype);
  if (out.sizes() != size) return {};
  for (int k = 0; k < op.inputs; k++) if (overlaps(*out.get(), *in[k]->get())) return {};
  return out;
}

/// A result has the order of strides of the first input that has its sizes, as PyTorch's does.
Tensor empty_result(const OpEntry& op, const Tensor* const* in, const Shape& size, Dtype dtype, Device device) {
  for (int k = 0; k < op.inputs; k++)
    if (in[k]->sizes() == size && in[k]->device() == device) return empty_like(*in[k], dtype);
  return empty(size, dtype, device);
}

}  // namespace

void set_out_target(const Tensor* out) { out_target = out; }

void check_writable(const Tensor& self) {
  if (!self->numel) return;
  for (int d = 0; d < self->ndim; d++)
    TG_CHECK(self->sizes[d] < 2 || self->strides[d], Error,
        "more than one element of the tensor written to refers to one place in memory; clone() it first",
             Named{"input", self});
}

// ---- the driver ----------------------------------------------------------------------------------------------------

static Tensor general(const OpEntry& op, const void* params, const Tensor* const* in, std::optional<Dtype> fixed) {
  check_defined(op, in);
  Inputs inputs(op, in, fixed ? *fixed : common_dtype(op, in));
  const TensorImpl& first = *in[0]->get();
  const Device device = any_cuda(in, op.inputs) ? common_device(in, op.inputs) : Device();
  bool plain = first.contiguous;
  for (int k = 1; k < op.inputs; k++) {
    const TensorImpl& t = *in[k]->get();
    plain &= t.contiguous && (t.ndim == 0 || same_sizes(t, first));
  }
  Tensor out;
  if (plain && !out_target) [[likely]] {
    out = empty({first.sizes, first.ndim}, inputs.out_dtype, device);
  } else {
    const Shape size = broadcast_shape(in, op.inputs);
    if (out_target) out = take_out_target(op, in, size, inputs.out_dtype);
    if (out.defined()) bump_version(out);
    else out = empty_result(op, in, size, inputs.out_dtype, device);
  }
  inputs.run(out, op, params);
  if (op.traits.node && grad_enabled() && is_differentiable(inputs.out_dtype) && any_requires_grad(op, in))
    record_elementwise(out, op, params, in, true);
  return out;
}

template <int N> Tensor elementwise(const OpEntry& op, const void* params, const Tensor* const* in, std::optional<Dtype> fixed) {
  SmallCall call;
  bool defined = true;
  for (int k = 0; k < N; k++) defined &= in[k]->defined();
  if (fixed || !defined || !call.fits<N>(op.traits, in)) return general(op, params, in, fixed);
  char* p[1 + N];
#pragma GCC unroll 3
  for (int k = 0; k < N; k++) {
    const TensorImpl& t = *in[k]->get();
    const bool mask = N == 3 && op.traits.masked && k == 0;
    if (N > 1 && t.ndim == 0 && call.like->ndim && !mask) {
      Tensor out;
      if (!run_with_numbers<N>(op, params, in, call, out)) return general(op, params, in, fixed);
      if (op.traits.node && grad_enabled() && any_requires_grad<N>(in)) record_elementwise(out, op, params, in, true);
      return out;
    }
    if (!call.takes(t, mask)) return general(op, params, in, fixed);
    p[1 + k] = t.data;
  }
  Tensor out = call.result(op.traits);
  p[0] = out->data;
  elementwise_tables[kernel_set]->by_inputs[N - 1]->op[op.index].forward[int(call.compute)](params, p, call.count);
  if (op.traits.node && grad_enabled() && any_requires_grad<N>(in)) record_elementwise(out, op, params, in, false);
  return out;
}
template Tensor elementwise<1>(const OpEntry&, const void*, const Tensor* const*, std::optional<Dtype>);
template Tensor elementwise<2>(const OpEntry&, const void*, const Tensor* const*, std::optional<Dtype>);
template Tensor elementwise<3>(const OpEntry&, const void*, const Tensor* const*, std::optional<Dtype>);

static void check_in_place_device(const Tensor& self, const Tensor* const* in, int count) {
  TG_CHECK(self.device() == common_device(in, count), DeviceError, "a CPU tensor cannot take the result of an op on CUDA", Named{"input", self});
}

static bool run_small_in_place(const OpEntry& op, const void* params, const Tensor* const* in) {
  switch (op.inputs) {
    case 1: return run_small_in_place<1>(op, params, in);
    case 2: return run_small_in_place<2>(op, params, in);
    default: return run_small_in_place<3>(op, params, in);
  }
}

const Tensor& elementwise_(const OpEntry& op, const void* params, const Tensor* const* in, std::optional<Dtype> fixed) {
  check_defined(op, in);
  if (!fixed && run_small_in_place(op, params, in)) return *in[0];
  const Tensor& self = *in[0];
  const TensorImpl& s = *self.get();
  Tensor copies[3];
  const Tensor* args[3];
  if (any_cuda(in, op.inputs)) check_in_place_device(self, in, op.inputs);
  bool plain = s.contiguous;
  for (int k = 0; k < op.inputs; k++) {
    const TensorImpl& t = *in[k]->get();
    args[k] = in[k];
    plain &= t.ndim == 0 || same_sizes(t, s);
    if (k && overlaps(s, t)) copies[k] = clone(*in[k]), args[k] = &copies[k];
  }
  if (!plain) {
    const Shape size = broadcast_shape(in, op.inputs);
    TG_CHECK(size == self.sizes(), ShapeError, "the result's shape ", size, " must be that of the tensor written to, ",
        self.sizes(), Named{"input", self});
    check_writable(self);
  }
  Inputs inputs(op, args, fixed ? *fixed : common_dtype(op, args));
  TG_CHECK(can_cast(inputs.out_dtype, s.dtype), DtypeError, "result type ", inputs.out_dtype,
      " can't be cast to the type of the tensor written to, ", s.dtype);
  const bool recorded = grad_enabled() && any_requires_grad(op, in) && is_differentiable(s.dtype);
  SavedTensor* keep = nullptr;
  {
    InPlace guard(self, recorded);
    const Tensor *old[3], *values[3];  // the operands with the history they had, and what backward may need of them
    Tensor kept;
    for (int k = 0; k < op.inputs; k++) old[k] = values[k] = recorded && args[k]->is_same(self) ? &guard.before() : args[k];
    if (recorded) {
      unsigned wanted = 0;
      for (int k = 0; k < op.inputs; k++) if (needs_grad(*in[k])) wanted |= op.traits.needs[k];
      for (int k = 0; k < op.inputs; k++) {  // the old values are about to be overwritten
        if (!(wanted >> k & 1) || !args[k]->is_same(self)) continue;
        if (!kept.defined()) kept = clone(guard.before());
        values[k] = &kept;
      }
    }
    inputs.run(self, op, params);
    if (recorded) keep = record_in_place(guard, self, op, params, old, values);
  }
  if (keep) keep->save(self, SavedTensor::output);
  return self;
}

}  // namespace tapegrad
