// The elementwise driver: promotion, broadcasting, output, kernel, tape; in-place and out= forms.
#include "src/ops/elementwise.h"

#include <algorithm>
#include <cstring>

#include "src/ops/op_info.h"
#include "src/tensor/parallel.h"

namespace tapegrad {

static_assert(kStoredDtypes == kDtypes);

// ---- dtypes --------------------------------------------------------------------------------------------------------

// PyTorch's three ranks: tensors with dims, then 0-d tensors, then plain numbers. A lower rank matters only when it is of a
// higher kind (bool < integer < float).
Dtype result_type(const Tensor* const* in, int count) {
  constexpr int none = -1;
  int rank[3] = {none, none, none};
  auto join = [](int a, int b) { return a < 0 ? b : b < 0 ? a : int(promote(Dtype(a), Dtype(b))); };
  for (int k = 0; k < count; k++) {
    const TensorImpl& t = *in[k]->get();
    const Dtype d = t.wrapped_number && is_floating(t.dtype) ? default_dtype() : t.dtype;
    int& r = rank[t.ndim ? 0 : t.wrapped_number ? 2 : 1];
    r = join(r, int(d));
  }
  auto floats = [](int d) { return d >= 0 && is_floating(Dtype(d)); };
  auto combine = [&](int high, int low) {
    if (floats(high)) return high;
    if (high == int(Dtype::Bool) || floats(low)) return join(high, low);
    return high >= 0 ? high : low;
  };
  return Dtype(combine(rank[0], combine(rank[1], rank[2])));
}

Dtype result_type(const Tensor& a, const Tensor& b) {
  const Tensor* in[] = {&a, &b};
  return result_type(in, 2);
}

bool can_cast(Dtype from, Dtype to) {
  if (is_floating(from) && !is_floating(to)) return false;
  return from == Dtype::Bool || to != Dtype::Bool;
}

static Compute compute_for(Dtype d) {
  return d == Dtype::Float64 ? Compute::F64 : is_floating(d) ? Compute::F32 : d == Dtype::Int64 ? Compute::I64 : Compute::I32;
}

// ---- shapes --------------------------------------------------------------------------------------------------------

static bool same_sizes(const TensorImpl& a, const TensorImpl& b) {
  if (a.ndim != b.ndim) return false;
  for (int d = 0; d < a.ndim; d++) if (a.sizes[d] != b.sizes[d]) return false;
  return true;
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
        if (count == 2) detail::fail<ShapeError>("shapes must broadcast, got ", in[0]->sizes(), " and ", in[1]->sizes(), Named{"input", *in[0]}, Named{"other", *in[1]});
        detail::fail<ShapeError>("shapes must broadcast, got ", in[0]->sizes(), ", ", in[1]->sizes(), " and ", in[2]->sizes());
      }
      o = s[i];
    }
  }
  return out;
}

// ---- running a kernel ----------------------------------------------------------------------------------------------

namespace {

constexpr int64_t kCheapGrain = 32768, kCostlyGrain = 8192;  // elements worth about 10 µs

// A 0-d operand beside dense ones: splatted into a block, over which the others are walked.
[[gnu::noinline]] void run_splat(Kernel kernel, const void* params, const Operand* arg, int args, unsigned splats, int lanes, int64_t grain) {
  constexpr int64_t kBlock = 1024;
  alignas(64) char block[3][kBlock * 8];
  const int64_t n = arg[0].t->numel, whole = n - n % lanes;
  char* p[kMaxArgs];
  int size[kMaxArgs], used = 0;
  const CastTable& casts = *kernels().casts;
  for (int k = 0; k < args; k++) {
    size[k] = kComputeSize[int(arg[k].compute)];
    p[k] = arg[k].t->data;
    if (!(splats >> k & 1)) continue;
    casts.load[int(arg[k].t->dtype)][int(arg[k].compute)](p[k], 0, std::min(kBlock, (n + lanes - 1) / lanes * lanes), block[used]);
    p[k] = block[used++];
    size[k] = 0;
  }
  parallel_for(whole, grain, [&](int64_t begin, int64_t end) {
    char* q[kMaxArgs];
    for (int64_t i = begin; i < end; i += kBlock) {
      for (int k = 0; k < args; k++) q[k] = p[k] + i * size[k];
      kernel(params, q, std::min(kBlock, end - i));
    }
  });
  if (whole == n) return;
  alignas(64) char tail[kMaxArgs][64];
  char* q[kMaxArgs];
  for (int k = 0; k < args; k++) {
    q[k] = size[k] ? tail[k] : p[k];
    if (k && size[k])
      for (int64_t i = 0; i < lanes; i++) std::memcpy(tail[k] + i * size[k], p[k] + std::min(whole + i, n - 1) * size[k], size_t(size[k]));
  }
  kernel(params, q, lanes);
  std::memcpy(p[0] + whole * size[0], tail[0], size_t((n - whole) * size[0]));
}

[[gnu::noinline]] void run_strided(Kernel kernel, const void* params, const Operand* arg, int args, int lanes, int64_t grain) {
  const Plan plan({arg[0].t->sizes, arg[0].t->ndim}, arg, args, lanes);
  const Plan::Cut cut = plan.cut(grain);
  parallel_for(plan.shape[cut.dim], plan.numel <= grain ? plan.shape[cut.dim] : cut.piece, [&](int64_t begin, int64_t end) {
    Runs runs(plan, cut.dim, begin, end);
    while (runs.next()) kernel(params, runs.p, runs.n);
  });
}

// The ragged end of dense operands through padded copies.
[[gnu::noinline]] void run_tail(Kernel kernel, const void* params, const Operand* arg, int args, int lanes, int64_t done) {
  alignas(64) char tail[kMaxArgs][64];
  char* q[kMaxArgs];
  const int64_t n = arg[0].t->numel;
  for (int k = 0; k < args; k++) {
    q[k] = tail[k];
    const size_t size = size_t(kComputeSize[int(arg[k].compute)]);
    const char* from = arg[k].t->data + size_t(done) * size;
    if (k == 0) continue;
    std::memcpy(tail[k], from, size_t(n - done) * size);
    for (int64_t i = n - done; i < lanes; i++) std::memcpy(tail[k] + size_t(i) * size, arg[k].t->data + size_t(n - 1) * size, size);
  }
  kernel(params, q, lanes);
  const size_t size = size_t(kComputeSize[int(arg[0].compute)]);
  std::memcpy(arg[0].t->data + size_t(done) * size, tail[0], size_t(n - done) * size);
}

}  // namespace

void run_kernel(Kernel kernel, const void* params, const Operand* arg, int args, bool costly) {
  const TensorImpl& out = *arg[0].t;
  const int64_t n = out.numel;
  if (!n) return;
  const int64_t grain = costly ? kCostlyGrain : kCheapGrain;
  LongKernel unlocked(costly ? n * 4 : n);
  int lanes = 1;
  unsigned splats = 0;
  bool dense = true;
  for (int k = 0; k < args; k++) {
    const TensorImpl& t = *arg[k].t;
    if (arg[k].compute == Compute::F32) lanes = kernels().vector_bytes / 4;
    else if (arg[k].compute == Compute::F64) lanes = kernels().vector_bytes / 8;
    if (t.contiguous && stored_as(t.dtype, arg[k].compute) && same_sizes(t, out)) continue;
    if (k && t.numel == 1) splats |= 1u << k; else dense = false;
  }
  if (lanes < 1) lanes = 1;
  if (!dense || (splats && __builtin_popcount(splats) > 3)) return run_strided(kernel, params, arg, args, lanes, grain);
  if (splats) return run_splat(kernel, params, arg, args, splats, lanes, grain);

  // Storages end in padding: the last packet may reach into it.
  const int64_t whole = n - n % lanes;
  int64_t count = whole == n ? n : whole + lanes;
  char* p[kMaxArgs];
  for (int k = 0; k < args; k++) {
    const TensorImpl& t = *arg[k].t;
    const int64_t size = kComputeSize[int(arg[k].compute)];
    p[k] = t.data;
    if (count == n) continue;
    const char* end = t.storage->data + t.storage->capacity;
    if (t.data + count * size > end || (k == 0 && t.data + n * size != t.storage->data + t.storage->bytes)) count = n;
  }
  const bool tail = count == n && whole != n;
  if (tail) count = whole;
  if (count <= grain) {
    if (count) kernel(params, p, count);
  } else {
    parallel_for(count, grain, [&](int64_t begin, int64_t end) {
      char* q[kMaxArgs];
      for (int k = 0; k < args; k++) q[k] = p[k] + begin * kComputeSize[int(arg[k].compute)];
      kernel(params, q, end - begin);
    });
  }
  if (tail) run_tail(kernel, params, arg, args, lanes, whole);
}

// ---- tape ----------------------------------------------------------------------------------------------------------

Tensor reduce_gradient(Tensor g, IntList size, Dtype dtype) {
  if (!g.defined()) return g;
  if (g.sizes() != size) g = sum_to_size(g, size);
  return g->dtype == dtype ? g : to(g, dtype);
}

namespace {

int slot_of(unsigned saves, unsigned bit) { return __builtin_popcount(saves & (bit - 1)); }

/// Parameters and, when something was broadcast, the inputs' sizes: a pool block of a node that needs either.
struct Extras {
  char* block = nullptr;
  uint16_t bytes = 0, sizes_at = 0;  // sizes_at: 0 when all inputs have the output's sizes
  Extras() = default;
  Extras(const Extras&) = delete;
  ~Extras() { if (block) pool_free(block, bytes); }
  void fill(const OpEntry& op, const void* params, const Tensor* const* in, bool broadcast) {
    const int head = (op.params + 7) / 8 * 8;
    int total = head;
    if (broadcast) for (int k = 0; k < op.inputs; k++) total += 8 * (1 + int((*in[k])->ndim));
    if (!total) return;
    block = static_cast<char*>(pool_alloc(size_t(total)));
    bytes = uint16_t(total);
    if (op.params) std::memcpy(block, params, op.params);
    if (!broadcast) return;
    sizes_at = uint16_t(head + 1);
    auto* to = reinterpret_cast<int64_t*>(block + head);
    for (int k = 0; k < op.inputs; k++) {
      const IntList s = in[k]->sizes();
      *to++ = int64_t(s.size());
      for (int64_t v : s) *to++ = v;
    }
  }
  IntList sizes(int k) const {
    auto* from = reinterpret_cast<const int64_t*>(block + sizes_at - 1);
    while (k--) from += 1 + *from;
    return {from + 1, size_t(*from)};
  }
};

void differentiate(Node& node, const OpEntry& op, const Extras& extras, const SavedTensor* saved, const Dtype* dtypes, Tensor g, Tensor* dx) {
  const OpTraits& t = op.traits;
  Tensor all[4];
  int last = -1;
  for (int k = 0; k < op.inputs; k++) if (node.needs(k) && op.formula[k]) last = k;
  for (unsigned bit = A; bit <= Out; bit <<= 1)
    if (op.saves & bit)
      if (const int s = slot_of(op.saves, bit); saved[s].defined()) all[s] = saved[s].unpack(node);
  const Shape size = g.sizes();
  for (int k = 0; k < op.inputs; k++) {
    if (!node.needs(k) || !op.formula[k]) continue;
    Tensor values[3];
    int count = 0;
    for (unsigned bit = A; bit <= Out; bit <<= 1) if (t.needs[k] & bit) values[count++] = all[slot_of(op.saves, bit)];
    Tensor d;
    if (t.fused && !grad_enabled()) {
      // Nobody else looks at g: write the last gradient over it.
      const bool reuse = k == last && g->contiguous && g->unique() && g->storage->unique();
      d = reuse ? g : empty(size, g->dtype);
      const Compute c = compute_for(g->dtype);
      Operand arg[kMaxArgs] = {{d.get(), c}, {g.get(), c}};
      for (int i = 0; i < count; i++) arg[2 + i] = {values[i].get(), t.masked && i == 0 && (t.needs[k] & A) ? Compute::Bool : c};
      const OpKernels& table = kernels().elementwise[op.inputs - 1]->op[op.index];
      run_kernel(table.backward[k][c == Compute::F64], extras.block, arg, 2 + count, t.costly);
    } else {
      d = op.formula[k](extras.block, g, values);
    }
    dx[k] = reduce_gradient(static_cast<Tensor&&>(d), extras.sizes_at ? extras.sizes(k) : IntList(size), dtypes[k]);
  }
}

/// The node of every elementwise op: N inputs, S saved tensors.
template <int N, int S> struct ElementwiseNode final : NodeOf<N> {
  const OpEntry* op;
  Extras extras;
  Dtype dtypes[N];
  SavedTensor saved[S ? S : 1];
  template <class... T>
  ElementwiseNode(const OpEntry& e, const void* params, bool broadcast, const Tensor* const* in, const T&... inputs) : NodeOf<N>(inputs...), op(&e) {
    extras.fill(e, params, in, broadcast);
    unsigned wanted = 0;
    for (int k = 0; k < N; k++) {
      dtypes[k] = (*in[k])->dtype;
      if (this->needs(k)) wanted |= e.traits.needs[k];
    }
    if constexpr (S > 0)
      for (int k = 0; k < N; k++) if (wanted >> k & 1) saved[slot_of(e.saves, 1u << k)] = SavedTensor(*in[k]);
  }
  const char* name() const override { return op->traits.node; }
  void backward(Tensor g, Tensor* dx) override { differentiate(*this, *op, extras, saved, dtypes, static_cast<Tensor&&>(g), dx); }
  void free_saved() override { for (SavedTensor& s : saved) s.reset(); }
};

/// Makes the node of the right size through `make`, which is record() or InPlace::record(); returns where the output is saved.
template <int N, int S, class Make> SavedTensor* make_node(const OpEntry& op, Make&& make) {
  auto* n = make.template operator()<ElementwiseNode<N, S>>();
  return op.saves & Out ? &n->saved[slot_of(op.saves, Out)] : nullptr;
}
template <int N, class Make> SavedTensor* make_node(const OpEntry& op, Make&& make) {
  switch (__builtin_popcount(op.saves)) {
    case 0: return make_node<N, 0>(op, make);
    case 1: return make_node<N, 1>(op, make);
    case 2: return make_node<N, 2>(op, make);
    default: return make_node<N, 4>(op, make);
  }
}
template <class Make> SavedTensor* make_node_for(const OpEntry& op, const Tensor* const* in, Make make) {
  switch (op.inputs) {
    case 1: return make_node<1>(op, [&]<class Node>() { return make.template operator()<Node>(*in[0]); });
    case 2: return make_node<2>(op, [&]<class Node>() { return make.template operator()<Node>(*in[0], *in[1]); });
    default: return make_node<3>(op, [&]<class Node>() { return make.template operator()<Node>(*in[0], *in[1], *in[2]); });
  }
}

[[gnu::noinline]] void record_elementwise(const Tensor& out, const OpEntry& op, const void* params, const Tensor* const* in) {
  bool broadcast = false;
  for (int k = 0; k < op.inputs; k++) broadcast |= !same_sizes(*in[k]->get(), *out.get());
  SavedTensor* keep = make_node_for(op, in, [&]<class N>(const auto&... inputs) { return record<N>(out, op, params, broadcast, in, inputs...); });
  if (keep) *keep = SavedTensor(out, SavedTensor::output);
}

bool any_requires_grad(const OpEntry& op, const Tensor* const* in) {
  bool any = false;
  for (int k = 0; k < op.inputs; k++) any |= needs_grad(*in[k]);
  return any;
}

// ---- checks --------------------------------------------------------------------------------------------------------

Dtype common_dtype(const OpEntry& op, const Tensor* const* in) {
  const int first = op.traits.masked, n = op.inputs;
  const TensorImpl& a = *in[first]->get();
  bool same = !a.wrapped_number;
  for (int k = first + 1; k < n && same; k++) {
    const TensorImpl& t = *in[k]->get();
    same = t.dtype == a.dtype ? !t.wrapped_number || a.ndim : t.wrapped_number && is_floating(a.dtype);
  }
  Dtype common = same ? a.dtype : result_type(in + first, n - first);
  if (is_floating(common)) return common;
  TG_CHECK(op.traits.types != Types::FloatOnly, DtypeError, "input must be of a floating-point type, got ", common, Named{"input", *in[first]});
  TG_CHECK(op.traits.types != Types::NotBool || common != Dtype::Bool, DtypeError, "input must not be bool", Named{"input", *in[first]});
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
    TG_CHECK(t.types != Types::Bitwise || !is_floating(common), DtypeError, "input must be of an integer type or bool, got ", common);
    compute = t.types == Types::Logical ? Compute::Bool : compute_for(common);
    out_dtype = t.types == Types::Compare || t.types == Types::Logical ? Dtype::Bool : common;
    kernel = kernels().elementwise[op.inputs - 1]->op[op.index].forward[int(compute)];
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
    if (t.divides && !is_floating(common)) [[unlikely]] check_divisor(*in[op.inputs - 1]);
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

/// What most calls are: small dense float tensors of one dtype and shape, the last one perhaps a plain number. Straight to the
/// kernel; undefined when the call is of another kind.
Tensor quick_forward(const OpEntry& op, const void* params, const Tensor* const* in) {
  constexpr int64_t kQuickBytes = 4096;
  const TensorImpl& a = *in[0]->get();
  const Dtype dtype = a.dtype;
  const Types types = op.traits.types;
  const bool single = dtype == Dtype::Float32;
  if (!(single || dtype == Dtype::Float64) || !a.contiguous || a.wrapped_number || types >= Types::Compare || op.traits.masked || out_target) return {};
  const int64_t size = single ? 4 : 8, bytes = a.numel * size;
  const int64_t packet = kernels().vector_bytes, whole = (bytes + packet - 1) / packet * packet;  // into the padding
  if (bytes > kQuickBytes || bytes == 0) return {};
  alignas(64) char number[kQuickBytes];
  char* p[4];
  for (int k = 0; k < op.inputs; k++) {
    const TensorImpl& t = *in[k]->get();
    if (k && t.wrapped_number) {
      if (t.dtype == Dtype::Bool || k + 1 < op.inputs) return {};
      const double v = t.dtype == Dtype::Int64 ? double(*reinterpret_cast<const int64_t*>(t.data)) : *reinterpret_cast<const double*>(t.data);
      if (single) for (int64_t i = 0; i < whole; i += 4) *reinterpret_cast<float*>(number + i) = float(v);
      else for (int64_t i = 0; i < whole; i += 8) *reinterpret_cast<double*>(number + i) = v;
      p[1 + k] = number;
      break;
    }
    if (t.dtype != dtype || !t.contiguous || !same_sizes(t, a) || t.data + whole > t.storage->data + t.storage->capacity) return {};
    p[1 + k] = t.data;
  }
  Tensor out = empty({a.sizes, a.ndim}, dtype);
  p[0] = out->data;
  kernels().elementwise[op.inputs - 1]->op[op.index].forward[int(single ? Compute::F32 : Compute::F64)](params, p, whole / size);
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
  for (int d = 0; d < self->ndim; d++)
    TG_CHECK(self->sizes[d] < 2 || self->strides[d], Error, "more than one element of the tensor written to refers to one place in memory; clone() it first",
             Named{"input", self});
}

// ---- the driver ----------------------------------------------------------------------------------------------------

Tensor elementwise(const OpEntry& op, const void* params, const Tensor* const* in, std::optional<Dtype> fixed) {
  if (!fixed) {
    if (Tensor out = quick_forward(op, params, in); out.defined()) [[likely]] {
      if (grad_enabled() && op.traits.node && any_requires_grad(op, in)) record_elementwise(out, op, params, in);
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
  const bool to_bool = op.traits.types == Types::Compare || op.traits.types == Types::Logical;
  inputs.arg[0] = {out.get(), to_bool ? Compute::Bool : inputs.compute};
  run_kernel(inputs.kernel, params, inputs.arg, 1 + op.inputs, op.traits.costly);
  if (op.traits.node && grad_enabled() && any_requires_grad(op, in) && is_floating(inputs.out_dtype)) record_elementwise(out, op, params, in);
  return out;
}

const Tensor& elementwise_(const OpEntry& op, const void* params, const Tensor* const* in, std::optional<Dtype> fixed) {
  const Tensor& self = *in[0];
  const TensorImpl& s = *self.get();
  const Shape size = broadcast_shape(in, op.inputs);
  TG_CHECK(size == self.sizes(), ShapeError, "the result's shape ", size, " must be that of the tensor written to, ", self.sizes(), Named{"input", self});
  check_writable(self);
  Tensor copies[3];
  const Tensor* args[3];
  for (int k = 0; k < op.inputs; k++) {
    args[k] = in[k];
    if (k && overlaps(s, *in[k]->get())) copies[k] = clone(*in[k]), args[k] = &copies[k];
  }
  Inputs inputs(op, args, fixed ? *fixed : common_dtype(op, args));
  TG_CHECK(can_cast(inputs.out_dtype, s.dtype), DtypeError, "result type ", inputs.out_dtype, " can't be cast to the type of the tensor written to, ", s.dtype);
  const bool recorded = grad_enabled() && any_requires_grad(op, in) && is_floating(s.dtype);
  SavedTensor* keep = nullptr;
  {
    InPlace guard(self, recorded);
    const bool to_bool = op.traits.types == Types::Compare || op.traits.types == Types::Logical;
    inputs.arg[0] = {&s, to_bool ? Compute::Bool : inputs.compute};
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
    bool broadcast = false;
    for (int k = 1; k < op.inputs; k++) broadcast |= !same_sizes(*args[k]->get(), s);
    run_kernel(inputs.kernel, params, inputs.arg, 1 + op.inputs, op.traits.costly);
    if (recorded)
      keep = make_node_for(op, old, [&]<class N>(const auto&... x) { return guard.record<N>(op, params, broadcast, values, x...); });
  }
  if (keep) *keep = SavedTensor(self, SavedTensor::output);
  return self;
}

}  // namespace tapegrad
