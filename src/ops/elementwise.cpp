// The elementwise driver: promotion, broadcasting, output; in-place and out= forms. run_kernel.cpp runs the kernels,
// elementwise_tape.cpp records.
#include "src/ops/elementwise.h"

#include "src/ops/op_info.h"

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

// ---- shapes --------------------------------------------------------------------------------------------------------

Shape broadcast_shape(const Tensor* const* in, int count) {
  Shape out;
  for (int k = 0; k < count; k++) {
    const IntList s = in[k]->sizes();
    while (out.size() < s.size()) out.insert(0, 1);
    for (size_t i = 0; i < s.size(); i++) {
      int64_t& o = out[out.size() - s.size() + i];
      if (s[i] == o || s[i] == 1) continue;
      if (o != 1) {
        if (count == 2) detail::fail<ShapeError>("shapes must broadcast, got ", in[0]->sizes(), " and ", in[1]->sizes(),
            Named{"input", *in[0]}, Named{"other", *in[1]});
        detail::fail<ShapeError>("shapes must broadcast, got ", in[0]->sizes(), ", ", in[1]->sizes(), " and ", in[2]->sizes());
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
  const int64_t* v = reinterpret_cast<const int64_t*>(d->data);
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
    if (t.divides && !is_differentiable(common)) [[unlikely]] check_divisor(*in[op.inputs - 1]);
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

/// The compute type when tensors of this dtype can be read as they are; None when they need care.
Compute direct_compute(Types types, Dtype d) {
  switch (d) {
    case Dtype::Float32: return types <= Types::Compare ? Compute::F32 : Compute::None;
    case Dtype::Float64: return types <= Types::Compare ? Compute::F64 : Compute::None;
    case Dtype::Int64:
      return types == Types::Float || types == Types::FloatOnly || types == Types::Logical ? Compute::None : Compute::I64;
    case Dtype::Bool: return types == Types::Logical ? Compute::Bool : Compute::None;
    default: return Compute::None;
  }
}

constexpr int64_t kQuickBytes = 4096;

bool in_packets(Compute c) { return c == Compute::F32 || c == Compute::F64; }

/// A quick call's operand as the kernel wants it, when it is dense, of a's shape, and may be read up to the end of the packet.
bool usable(const TensorImpl& t, const TensorImpl& a, Dtype dtype, int64_t reach) {
  return t.dtype == dtype && t.contiguous && same_sizes(t, a) && t.data + reach <= t.storage->data + t.storage->capacity;
}

/// quick_forward with plain numbers or 0-d tensors beside a: they are splatted.
[[gnu::noinline]] Tensor quick_with_numbers(const OpEntry& op, const void* params, const Tensor* const* in,
    const TensorImpl& a, Compute c, int64_t count) {
  alignas(64) char numbers[2][kQuickBytes];
  int used = 0;
  char* p[4];
  for (int k = 0; k < op.inputs; k++) {
    const TensorImpl& t = *in[k]->get();
    const bool mask = op.traits.masked && k == 0;
    if (t.ndim == 0 && !mask) {
      if (used == 2 || (t.dtype != a.dtype && !(t.wrapped_number && in_packets(c) && t.dtype != Dtype::Bool && !is_complex(t.dtype)))) return {};
      kernels().casts->load[int(t.dtype)][int(c)](t.data, 0, count, numbers[used]);
      p[1 + k] = numbers[used++];
    } else {
      if (!usable(t, a, mask ? Dtype::Bool : a.dtype, mask ? count : count << kComputeShift[int(c)])) return {};
      p[1 + k] = t.data;
    }
  }
  Tensor out = empty({a.sizes, a.ndim}, gives_bool(op.traits.types) ? Dtype::Bool : a.dtype);
  p[0] = out->data;
  kernels().elementwise[op.inputs - 1]->op[op.index].forward[int(c)](params, p, count);
  return out;
}

/// What most calls are: small dense tensors of one dtype and shape, perhaps with numbers beside them. Straight to the kernel;
/// undefined when the call is of another kind.
[[gnu::always_inline]] inline Tensor quick_forward(const OpEntry& op, const void* params, const Tensor* const* in) {
  const OpTraits& traits = op.traits;
  const int inputs = op.inputs;
  const TensorImpl* a = in[traits.masked]->get();
  if (a->ndim == 0 && inputs > 1) a = in[inputs - 1]->get();  // 1 - x
  const Compute c = direct_compute(traits.types, a->dtype);
  if (c == Compute::None || !a->contiguous || a->wrapped_number || out_target || (traits.divides && c == Compute::I64)) return {};
  const int64_t bytes = a->numel << kComputeShift[int(c)];
  if (bytes > kQuickBytes || bytes == 0) return {};
  const int64_t packet = in_packets(c) ? kernels().vector_bytes : 1;
  const int64_t whole = (bytes + packet - 1) & -packet;  // into the padding
  const int64_t count = whole >> kComputeShift[int(c)];
  char* p[4];
  for (int k = 0; k < inputs; k++) {
    const TensorImpl& t = *in[k]->get();
    const bool mask = traits.masked && k == 0;
    if (t.ndim == 0 && a->ndim && !mask) return quick_with_numbers(op, params, in, *a, c, count);
    if (!usable(t, *a, mask ? Dtype::Bool : a->dtype, mask ? count : whole)) return {};
    p[1 + k] = t.data;
  }
  Tensor out = empty({a->sizes, a->ndim}, gives_bool(traits.types) ? Dtype::Bool : a->dtype);
  p[0] = out->data;
  kernels().elementwise[inputs - 1]->op[op.index].forward[int(c)](params, p, count);
  return out;
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
Tensor empty_result(const OpEntry& op, const Tensor* const* in, const Shape& size, Dtype dtype) {
  for (int k = 0; k < op.inputs; k++)
    if (in[k]->sizes() == size) return empty_like(*in[k], dtype);
  return empty(size, dtype);
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

Tensor elementwise(const OpEntry& op, const void* params, const Tensor* const* in, std::optional<Dtype> fixed) {
  check_defined(op, in);
  if (!fixed) {
    if (Tensor out = quick_forward(op, params, in); out.defined()) [[likely]] {
      if (op.traits.node && grad_enabled() && any_requires_grad(op, in)) record_elementwise(out, op, params, in);
      return out;
    }
  }
  Inputs inputs(op, in, fixed ? *fixed : common_dtype(op, in));
  const TensorImpl& first = *in[0]->get();
  bool plain = first.contiguous;
  for (int k = 1; k < op.inputs; k++) {
    const TensorImpl& t = *in[k]->get();
    plain &= t.contiguous && (t.ndim == 0 || same_sizes(t, first));
  }
  Tensor out;
  if (plain && !out_target) [[likely]] {
    out = empty({first.sizes, first.ndim}, inputs.out_dtype);
  } else {
    const Shape size = broadcast_shape(in, op.inputs);
    if (out_target) out = take_out_target(op, in, size, inputs.out_dtype);
    if (out.defined()) bump_version(out);
    else out = empty_result(op, in, size, inputs.out_dtype);
  }
  inputs.arg[0] = {out.get(), gives_bool(op.traits.types) ? Compute::Bool : inputs.compute};
  run_kernel(inputs.kernel, params, inputs.arg, 1 + op.inputs, op.traits.costly);
  if (op.traits.node && grad_enabled() && is_differentiable(inputs.out_dtype) && any_requires_grad(op, in))
    record_elementwise(out, op, params, in);
  return out;
}

const Tensor& elementwise_(const OpEntry& op, const void* params, const Tensor* const* in, std::optional<Dtype> fixed) {
  check_defined(op, in);
  const Tensor& self = *in[0];
  const TensorImpl& s = *self.get();
  const Shape size = broadcast_shape(in, op.inputs);
  TG_CHECK(size == self.sizes(), ShapeError, "the result's shape ", size, " must be that of the tensor written to, ",
      self.sizes(), Named{"input", self});
  check_writable(self);
  Tensor copies[3];
  const Tensor* args[3];
  for (int k = 0; k < op.inputs; k++) {
    args[k] = in[k];
    if (k && overlaps(s, *in[k]->get())) copies[k] = clone(*in[k]), args[k] = &copies[k];
  }
  Inputs inputs(op, args, fixed ? *fixed : common_dtype(op, args));
  TG_CHECK(can_cast(inputs.out_dtype, s.dtype), DtypeError, "result type ", inputs.out_dtype,
      " can't be cast to the type of the tensor written to, ", s.dtype);
  const bool recorded = grad_enabled() && any_requires_grad(op, in) && is_differentiable(s.dtype);
  SavedTensor* keep = nullptr;
  {
    InPlace guard(self, recorded);
    inputs.arg[0] = {&s, gives_bool(op.traits.types) ? Compute::Bool : inputs.compute};
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
    run_kernel(inputs.kernel, params, inputs.arg, 1 + op.inputs, op.traits.costly);
    if (recorded) keep = record_in_place(guard, self, op, params, old, values);
  }
  if (keep) *keep = SavedTensor(self, SavedTensor::output);
  return self;
}

}  // namespace tapegrad
