// Methods that only Python has and that fit into the op table: metadata, devices, recording.
// A row of the same name in the library's own table wins.
#include "binder.h"
#include "src/tensor/cuda.h"

namespace tapegrad::py {
namespace {

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
  t.add("is_complex(Tensor input)", +[](const Tensor& x) { return x.is_complex(); }, "Is its dtype complex?").method();
  t.add("is_signed(Tensor input)", +[](const Tensor& x) { return is_signed(x.dtype()); }, "Can its dtype be negative?").method();
  t.add("is_inference(Tensor input)", +[](const Tensor& x) { return x->inference; }, "Was it made in inference mode?").method();
  t.add("is_conj(Tensor input)", +[](const Tensor&) { return false; }, "Is it a lazy conjugate? Never.").method();
  t.add("is_neg(Tensor input)", +[](const Tensor&) { return false; }, "Is it a lazy negation? Never.").method();
  t.add("is_nonzero(Tensor input)", +[](const Tensor& x) {
    TG_CHECK(x.numel() == 1, ValueError, "input must have one element", Named{"input", x});
    return x.item().to_bool();
  }, "The truth of the one element.").method();
  t.add("is_pinned(Tensor input)", &is_pinned, "Is it in page-locked memory?").method_only();
  t.add("is_shared(Tensor input)", &is_shared, "Is it in memory that other processes can map?").method_only();
  t.add("is_same_size(Tensor input, Tensor other)", +[](const Tensor& x, const Tensor& y) { return x.sizes() == y.sizes(); }, "Have both the same shape?").method();
  t.add("is_set_to(Tensor input, Tensor tensor)",
        +[](const Tensor& x, const Tensor& y) { return x->data == y->data && x.sizes() == y.sizes() && x.strides() == y.strides(); },
        "Are both the same elements of one storage?").method_only();
  t.add("get_device(Tensor input)", +[](const Tensor& x) { return int64_t(x.is_cuda() ? x.device().index : -1); }, "The index of its GPU; -1 on the CPU.").method();
  t.add("is_distributed(Tensor input)", +[](const Tensor&) { return false; }, "Is it spread over processes? Never.").method();
  t.add("dense_dim(Tensor input)", +[](const Tensor& x) { return x.dim(); }, "How many of its dimensions are dense: all.").method_only();
  t.add("sparse_dim(Tensor input)", +[](const Tensor&) { return int64_t(0); }, "How many of its dimensions are sparse: none.").method_only();
  t.add("const_data_ptr(Tensor input)", +[](const Tensor& x) { return int64_t(x.numel() ? x->data : nullptr); }, "Address of the first element.").method_only();
}

void devices(OpTable& t) {
  t.add("cuda(Tensor input, device? device=None, bool non_blocking=False, *, memory_format? memory_format=None)",
        +[](const Tensor& x, std::optional<Device> d, bool non_blocking, std::optional<MemoryFormat> f) {
          const Device device = d.value_or(Device(DeviceType::CUDA));
          if (!non_blocking || x.is_cuda() || !x->contiguous || needs_grad(x) || f) return f ? contiguous(to(x, device), *f) : to(x, device);
          return copy_(empty(x.sizes(), x.dtype(), device), x, true);
        },
        "x on a GPU: the current one, unless said otherwise.").method_only();
  t.add("pin_memory(Tensor input, device? device=None)", +[](const Tensor& x, std::optional<Device>) { return cuda_why_not().empty() ? pin_memory(x) : x; },
        "A copy of x in page-locked memory, from which a GPU copies while other work goes on; x itself where there is no GPU.").method_only();
}

// conj is never lazy here, so there is nothing to resolve.
void complex_forms(OpTable& t) {
  t.add("conj_physical(Tensor input)", +[](const Tensor& x) { return conj(x); }, "The same as conj.").method();
  t.add("conj_physical_(Tensor input)", +[](const Tensor& x) -> Tensor { return x.is_complex() ? copy_(x, conj(x)) : x; },
        "Conjugates in place.").method();
  for (const char* signature : {"resolve_conj(Tensor input)", "resolve_neg(Tensor input)"})
    t.add(signature, +[](const Tensor& x) { return x; }, "input itself: conj and neg are never lazy here.").method();
  t.add("cfloat(Tensor input, *, memory_format? memory_format=None)", +[](const Tensor& x, std::optional<MemoryFormat>) { return to(x, Dtype::Complex64); }, "input as complex64.").method_only();
  t.add("cdouble(Tensor input, *, memory_format? memory_format=None)", +[](const Tensor& x, std::optional<MemoryFormat>) { return to(x, Dtype::Complex128); }, "input as complex128.").method_only();
  t.add("chalf(Tensor input)", +[](const Tensor& x) -> Tensor {
    detail::fail<NotImplementedError>("chalf: complex32 is not implemented, use cfloat()", Named{"input", x});
  }, "Raises: there is no complex32 here.").method_only();
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
  t.add("resize_as_(Tensor input, Tensor other)",
        +[](const Tensor& x, const Tensor& other) {
          TG_CHECK(!needs_grad(x), GradError, "cannot resize variables that require grad");
          resize(x, other.sizes());
          return x;
        },
        "Changes the shape to other's in place; new elements are uninitialised.").method_only();
  t.add("as_strided_(Tensor input, int[] size, int[] stride, int? storage_offset=None)",
        +[](const Tensor& x, IntList size, IntList stride, std::optional<int64_t> storage_offset) {
          TG_CHECK(!needs_grad(x), GradError, "cannot restride variables that require grad in place, use as_strided");
          swap_memory(x, as_strided(x, size, stride, storage_offset));
          return x;
        },
        "Gives x other sizes, strides and offset within its storage, in place.").method();
  t.add("to_dense(Tensor input, dtype? dtype=None, *, bool? masked_grad=None)",
        +[](const Tensor& x, std::optional<Dtype> d, std::optional<bool>) { return to(x, d.value_or(x.dtype())); },
        "x itself, or cast: all tensors are dense.").method_only();
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
    devices(t);
    complex_forms(t);
    tape(t);
    return t;
  }();
  return table.rows();
}

}  // namespace tapegrad::py
