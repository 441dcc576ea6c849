// Methods that only Python has and that fit into the op table: metadata, casts by name, x.new_zeros(), x.view_as() …
// A row of the same name in the library's own table wins.
#include "binder.h"

namespace tapegrad::py {
namespace {

using OptDtype = std::optional<Dtype>;
using OptDevice = std::optional<Device>;

template <Dtype D> Tensor cast(const Tensor& x, std::optional<MemoryFormat> format) {
  const Tensor t = to(x, D);
  return format && *format != MemoryFormat::Preserve ? contiguous(t, *format) : t;
}
template <Dtype D> void add_cast(OpTable& t, std::string_view signature) {
  t.add(signature, &cast<D>, "x in another dtype; x itself when it has it already.").method_only();
}
Tensor with_grad(Tensor t, bool requires_grad) {
  if (requires_grad) t.set_requires_grad();
  return t;
}
Device device_or(const Tensor& x, OptDevice d) { return d.value_or(x.device()); }

void metadata(OpTable& t) {
  t.add("dim(Tensor input)", +[](const Tensor& x) { return x.dim(); }, "How many dimensions it has.").method_only().alias("ndimension");
  t.add("numel(Tensor input)", +[](const Tensor& x) { return x.numel(); }, "How many elements it has.").method().alias("nelement");
  t.add("element_size(Tensor input)", +[](const Tensor& x) { return int64_t(x.element_size()); }, "Bytes of one element.").method_only();
  t.add("data_ptr(Tensor input)", +[](const Tensor& x) { return int64_t(x.numel() ? x->data : nullptr); }, "Address of the first element.").method_only();
  t.add("storage_offset(Tensor input)", +[](const Tensor& x) { return x.storage_offset(); }, "Elements between the storage's start and the first element.").method_only();
  t.add("is_contiguous(Tensor input, *, memory_format? memory_format=None)",
        +[](const Tensor& x, std::optional<MemoryFormat> f) { return x.is_contiguous(f.value_or(MemoryFormat::Contiguous)); },
        "Is it row-major (or dense in the format) without gaps?").method_only();
  t.add("is_floating_point(Tensor input)", +[](const Tensor& x) { return is_floating(x.dtype()); }, "Is its dtype a float?").method();
  t.add("is_complex(Tensor input)", +[](const Tensor&) { return false; }, "Is its dtype complex? None is yet.").method();
  t.add("is_signed(Tensor input)", +[](const Tensor& x) { return is_signed(x.dtype()); }, "Can its dtype be negative?").method();
  t.add("is_inference(Tensor input)", +[](const Tensor& x) { return x->inference; }, "Was it made in inference mode?").method();
  t.add("is_conj(Tensor input)", +[](const Tensor&) { return false; }, "Is it a lazy conjugate? Never.").method();
  t.add("is_pinned(Tensor input)", +[](const Tensor&) { return false; }, "Is it in page-locked memory?").method_only();
  t.add("is_shared(Tensor input)", +[](const Tensor&) { return false; }, "Is it in shared memory?").method_only();
  t.add("is_same_size(Tensor input, Tensor other)", +[](const Tensor& x, const Tensor& y) { return x.sizes() == y.sizes(); }, "Have both the same shape?").method();
  t.add("is_set_to(Tensor input, Tensor tensor)",
        +[](const Tensor& x, const Tensor& y) { return x->data == y->data && x.sizes() == y.sizes() && x.strides() == y.strides(); },
        "Are both the same elements of one storage?").method_only();
  t.add("get_device(Tensor input)", +[](const Tensor& x) { return int64_t(x.is_cuda() ? x.device().index : -1); }, "The index of its GPU; -1 on the CPU.").method_only();
}

void casts(OpTable& t) {
  add_cast<Dtype::Float32>(t, "float(Tensor input, *, memory_format? memory_format=None)");
  add_cast<Dtype::Float64>(t, "double(Tensor input, *, memory_format? memory_format=None)");
  add_cast<Dtype::Float16>(t, "half(Tensor input, *, memory_format? memory_format=None)");
  add_cast<Dtype::BFloat16>(t, "bfloat16(Tensor input, *, memory_format? memory_format=None)");
  add_cast<Dtype::Int32>(t, "int(Tensor input, *, memory_format? memory_format=None)");
  add_cast<Dtype::Int64>(t, "long(Tensor input, *, memory_format? memory_format=None)");
  add_cast<Dtype::Int16>(t, "short(Tensor input, *, memory_format? memory_format=None)");
  add_cast<Dtype::Int8>(t, "char(Tensor input, *, memory_format? memory_format=None)");
  add_cast<Dtype::UInt8>(t, "byte(Tensor input, *, memory_format? memory_format=None)");
  add_cast<Dtype::Bool>(t, "bool(Tensor input, *, memory_format? memory_format=None)");
  t.add("type_as(Tensor input, Tensor other)", +[](const Tensor& x, const Tensor& y) { return to(x, y.device(), y.dtype()); }, "x in other's dtype and device.").method_only();
  t.add("cpu(Tensor input, *, memory_format? memory_format=None)",
        +[](const Tensor& x, std::optional<MemoryFormat>) { return to(x, Device()); }, "x in main memory.").method_only();
  t.add("cuda(Tensor input, device? device=None, bool non_blocking=False, *, memory_format? memory_format=None)",
        +[](const Tensor& x, OptDevice d, bool, std::optional<MemoryFormat>) { return to(x, d.value_or(Device(DeviceType::CUDA))); },
        "x on a GPU.").method_only();
  t.add("pin_memory(Tensor input, device? device=None)", +[](const Tensor& x, OptDevice) { return x; },
        "x itself: without a GPU, page-locked memory means nothing.").method_only();
}

void shapes(OpTable& t) {
  t.add("view_as(Tensor input, Tensor other)", +[](const Tensor& x, const Tensor& y) { return view(x, y.sizes()); }, "x.view(other.shape)").method_only();
  t.add("reshape_as(Tensor input, Tensor other)", +[](const Tensor& x, const Tensor& y) { return reshape(x, y.sizes()); }, "x.reshape(other.shape)").method_only();
  t.add("expand_as(Tensor input, Tensor other)", +[](const Tensor& x, const Tensor& y) { return expand(x, y.sizes()); }, "x.expand(other.shape)").method_only();
}

void factories(OpTable& t) {
  t.add("new_empty(Tensor input, int[] size, *, dtype? dtype=None, device? device=None, bool requires_grad=False)",
        +[](const Tensor& x, IntList size, OptDtype d, OptDevice where, bool grad) { return with_grad(empty(size, d.value_or(x.dtype()), device_or(x, where)), grad); },
        "An uninitialised tensor of x's dtype and device.").method_only();
  t.add("new_zeros(Tensor input, int[] size, *, dtype? dtype=None, device? device=None, bool requires_grad=False)",
        +[](const Tensor& x, IntList size, OptDtype d, OptDevice where, bool grad) { return zeros(size, d.value_or(x.dtype()), device_or(x, where), grad); },
        "Zeros of x's dtype and device.").method_only();
  t.add("new_ones(Tensor input, int[] size, *, dtype? dtype=None, device? device=None, bool requires_grad=False)",
        +[](const Tensor& x, IntList size, OptDtype d, OptDevice where, bool grad) { return ones(size, d.value_or(x.dtype()), device_or(x, where), grad); },
        "Ones of x's dtype and device.").method_only();
  t.add("new_full(Tensor input, int[] size, Scalar fill_value, *, dtype? dtype=None, device? device=None, bool requires_grad=False)",
        +[](const Tensor& x, IntList size, Scalar v, OptDtype d, OptDevice where, bool grad) { return full(size, v, d.value_or(x.dtype()), device_or(x, where), grad); },
        "A constant of x's dtype and device.").method_only();
  t.add("empty(int[] size, *, dtype? dtype=None, device? device=None, bool requires_grad=False, memory_format? memory_format=None)",
        +[](IntList size, OptDtype d, OptDevice where, bool grad, std::optional<MemoryFormat> f) {
          const Tensor t = empty(size, d.value_or(default_dtype()), where.value_or(Device()));
          return with_grad(f && *f != MemoryFormat::Preserve ? empty_like(t, *f) : t, grad);
        },
        "An uninitialised tensor.");
  t.add("empty_like(Tensor input, *, dtype? dtype=None, device? device=None, bool requires_grad=False, memory_format? memory_format=None)",
        +[](const Tensor& x, OptDtype d, OptDevice, bool grad, std::optional<MemoryFormat> f) {
          return with_grad(empty_like(x, d.value_or(x.dtype()), f.value_or(MemoryFormat::Preserve)), grad);
        },
        "An uninitialised tensor of x's shape and dtype.");
  t.add("empty_strided(int[] size, int[] stride, *, dtype? dtype=None, device? device=None, bool requires_grad=False)",
        +[](IntList size, IntList stride, OptDtype d, OptDevice where, bool grad) {
          return with_grad(empty_strided(size, stride, d.value_or(default_dtype()), where.value_or(Device())), grad);
        },
        "An uninitialised tensor with given strides, in elements.");
}

void tape(OpTable& t) {
  t.add("detach(Tensor input)", +[](const Tensor& x) { return detach(x); }, "The same memory without history.").method();
  t.add("detach_(Tensor input)", +[](const Tensor& x) { detach_(x); return x; }, "Cuts x from its history, in place.").method();
  t.add("requires_grad_(Tensor input, bool requires_grad=True)",
        +[](const Tensor& x, bool on) { return Tensor(x.set_requires_grad(on)); }, "Switches recording of operations on x.").method_only();
  t.add("retain_grad(Tensor input)", +[](const Tensor& x) { retain_grad(x); return Tensor(); }, "Keeps .grad of a tensor that is no leaf.").method_only();
  t.add("resize_(Tensor input, int[] size, *, memory_format? memory_format=None)",
        +[](const Tensor& x, IntList size, std::optional<MemoryFormat>) {
          TG_CHECK(!needs_grad(x), GradError, "cannot resize variables that require grad");
          resize(x, size);
          return x;
        },
        "Changes the shape in place; new elements are uninitialised.").method_only();
  t.add("set_(Tensor input, Tensor source)",
        +[](const Tensor& x, const Tensor& source) {
          TG_CHECK(x.dtype() == source.dtype(), DtypeError, "set_ needs one dtype", Named{"input", x}, Named{"source", source});
          swap_memory(x, detach(source));
          return x;
        },
        "Makes x stand for source's memory.").method_only();
}

}  // namespace

std::span<const OpInfo> extra_ops() {
  static const OpTable& table = []() -> OpTable& {
    auto& t = *new OpTable;
    metadata(t);
    casts(t);
    shapes(t);
    factories(t);
    tape(t);
    return t;
  }();
  return table.rows();
}

}  // namespace tapegrad::py
