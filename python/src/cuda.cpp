// The module tapegrad._C._cuda: what python/tapegrad/cuda is made of. Streams and events are addresses; a device of -1 is the current
// one. Nothing here loads the CUDA plugin before it is called.
#include "src/tensor/cuda.h"

#include "py.h"
#include "src/ops/cuda/kernels.h"
#include "src/ops/gemm.h"
#include "tapegrad/ops.h"

namespace tapegrad::py {
namespace {

const CudaRuntime& runtime() { return cuda_runtime(); }
/// Lets other Python threads run while this one waits for the device.
struct Waiting : LongKernel {
  Waiting() : LongKernel(kLongKernel + 1) {}
};

// Every function takes positional arguments in a fixed order; the module in Python gives them names and defaults.
template <class... A> void read(PyObject* args, const char* format, A*... to) {
  if (!PyArg_ParseTuple(args, format, to...)) throw PythonError();
}
int read_device_index(PyObject* args) {
  int device = -1;
  read(args, "|i", &device);
  return device;
}
PyObject* none() { Py_RETURN_NONE; }
PyObject* address(const void* p) { return PyLong_FromVoidPtr(const_cast<void*>(p)); }
void* pointer(PyObject* o) {
  void* p = PyLong_AsVoidPtr(o);
  if (PyErr_Occurred()) throw PythonError();
  return p;
}
PyObject* text(char* made) {  // the plugin's
  PyObject* s = PyUnicode_FromString(made ? made : "");
  runtime().free_text(made);
  return s;
}
const Tensor& read_tensor(PyObject* o, const char* who) {
  if (!is_tensor(o)) raise(PyExc_TypeError, "%s() takes a Tensor, not %.200s", who, Py_TYPE(o)->tp_name);
  return unwrap(o);
}

// ---- devices
PyObject* why_not(PyObject*) {
  const char* reason;
  {
    Waiting unlocked;
    reason = cuda_why_not().c_str();
  }
  return PyUnicode_FromString(reason);
}
PyObject* device_count(PyObject*) { return PyLong_FromLong(runtime().device_count()); }
PyObject* current_device(PyObject*) { return PyLong_FromLong(runtime().current_device()); }
PyObject* set_device(PyObject* args) {
  runtime().set_device(cuda_device(Device(DeviceType::CUDA, read_device_index(args))).index);
  return none();
}
PyObject* properties(PyObject* args) {
  CudaProperties p;
  runtime().properties(read_device_index(args), &p);
  return Py_BuildValue("{sssisisisisisisKsKsKsKsisisisisisisisisy#}", "name", p.name, "major", p.major, "minor", p.minor,
      "multi_processor_count", p.multiprocessors, "warp_size", p.warp_size, "max_threads_per_multi_processor", p.max_threads_per_multiprocessor,
      "max_threads_per_block", p.max_threads_per_block, "total_memory", p.total_memory, "shared_memory_per_block", p.shared_per_block,
      "shared_memory_per_multiprocessor", p.shared_per_multiprocessor, "L2_cache_size", p.l2_bytes, "regs_per_multiprocessor",
      p.registers_per_multiprocessor, "is_integrated", p.integrated, "is_multi_gpu_board", p.multi_gpu_board, "pci_bus_id", p.pci_bus,
      "pci_device_id", p.pci_device, "pci_domain_id", p.pci_domain, "clock_rate", p.clock_khz, "memory_clock_rate", p.memory_clock_khz, "uuid",
      p.uuid, Py_ssize_t(sizeof p.uuid));
}
PyObject* can_access_peer(PyObject* args) {
  int device, peer;
  read(args, "ii", &device, &peer);
  return PyBool_FromLong(runtime().can_access_peer(device, peer));
}
PyObject* synchronize(PyObject* args) {
  const int device = read_device_index(args);
  Waiting unlocked;
  runtime().synchronize(device);
  return nullptr;
}
PyObject* libraries(PyObject*) { return text(runtime().libraries()); }

// ---- memory
PyObject* memory(PyObject* args) {
  CudaMemory m;
  runtime().memory(read_device_index(args), &m);
  return Py_BuildValue("{sKsKsKsKsKsKsKsKsKsKsKsKsKsK}", "asked", m.asked, "peak_asked", m.peak_asked, "used", m.used, "peak_used", m.peak_used,
      "reserved", m.reserved, "peak_reserved", m.peak_reserved, "largest_free", m.largest_free, "limit", m.limit, "allocations", m.allocations,
      "frees", m.frees, "hits", m.hits, "segments", m.segments, "retries", m.retries, "out_of_memory", m.out_of_memory);
}
PyObject* memory_info(PyObject* args) {
  uint64_t free, total;
  runtime().memory_info(read_device_index(args), &free, &total);
  return Py_BuildValue("KK", free, total);
}
PyObject* reset_peaks(PyObject* args) { return runtime().reset_peaks(read_device_index(args)), none(); }
PyObject* empty_cache(PyObject*) {
  Waiting unlocked;
  runtime().empty_cache();
  return nullptr;
}
PyObject* set_memory_limit(PyObject* args) {
  int device;
  unsigned long long limit;
  read(args, "iK", &device, &limit);
  return runtime().set_memory_limit(device, limit), none();
}
PyObject* snapshot(PyObject*) { return text(runtime().snapshot()); }

// ---- streams and events
PyObject* current_stream(PyObject* args) { return address(runtime().current_stream(read_device_index(args))); }
PyObject* default_stream(PyObject* args) { return address(runtime().default_stream(read_device_index(args))); }
PyObject* new_stream(PyObject* args) {
  int device, priority;
  read(args, "ii", &device, &priority);
  return address(runtime().new_stream(device, priority));
}
struct OnStream {
  int device;
  CudaStream stream;
  PyObject* event = nullptr;
  OnStream(PyObject* args, const char* format) {
    PyObject* s;
    read(args, format, &device, &s, &event);
    stream = pointer(s);
  }
};
PyObject* set_stream(PyObject* args) {
  const OnStream s(args, "iO|O");
  return runtime().set_stream(s.device, s.stream), none();
}
PyObject* stream_done(PyObject* args) {
  const OnStream s(args, "iO|O");
  return PyBool_FromLong(runtime().stream_done(s.device, s.stream));
}
PyObject* stream_synchronize(PyObject* args) {
  const OnStream s(args, "iO|O");
  Waiting unlocked;
  runtime().stream_synchronize(s.device, s.stream);
  return nullptr;
}
PyObject* stream_wait(PyObject* args) {
  const OnStream s(args, "iOO");
  return runtime().stream_wait(s.device, s.stream, pointer(s.event)), none();
}
PyObject* new_event(PyObject* args) {
  int device, timing;
  read(args, "ip", &device, &timing);
  return address(runtime().new_event(device, timing != 0));
}
PyObject* record_event(PyObject* args) {
  const OnStream s(args, "iOO");
  return runtime().record_event(pointer(s.event), s.device, s.stream), none();
}
PyObject* free_event(PyObject* event) { return runtime().free_event(pointer(event)), none(); }
PyObject* event_done(PyObject* event) { return PyBool_FromLong(runtime().event_done(pointer(event))); }
PyObject* event_synchronize(PyObject* event) {
  const CudaEvent e = pointer(event);
  Waiting unlocked;
  runtime().event_synchronize(e);
  return nullptr;
}
PyObject* event_ms(PyObject* args) {
  PyObject *from, *to;
  read(args, "OO", &from, &to);
  return PyFloat_FromDouble(double(runtime().event_ms(pointer(from), pointer(to))));
}

// ---- marks for profilers
const char* message(PyObject* o) {
  const char* text = PyUnicode_AsUTF8(o);
  if (!text) throw PythonError();
  return text;
}
PyObject* range_push(PyObject* o) { return runtime().range_push(message(o)), none(); }
PyObject* range_pop(PyObject*) { return runtime().range_pop(), none(); }
PyObject* mark(PyObject* o) { return runtime().mark(message(o)), none(); }

// ---- tensors
PyObject* record_stream(PyObject* args) {
  PyObject *tensor, *stream;
  read(args, "OO", &tensor, &stream);
  const Tensor& t = read_tensor(tensor, "record_stream");
  if (t.is_cuda() && t->storage->deleter == runtime().free) runtime().record_stream(t->storage->context, pointer(stream));
  return none();
}
// unscale(gradients, found, inv_scale): whether there was a way to do it in one launch for each dtype; all must be dense, on one device.
PyObject* unscale(PyObject* args) {
  PyObject *list, *found, *inv;
  read(args, "O!OO", &PyList_Type, &list, &found, &inv);
  const Tensor &f = read_tensor(found, "unscale"), &by = read_tensor(inv, "unscale");
  std::vector<CudaOptimItem> items[kDtypes];
  const Device device = f.device();
  bool fits = f.dtype() == float32 && by.dtype() == float32 && by.device() == device && f.is_cuda();
  for (Py_ssize_t k = 0; k < PyList_GET_SIZE(list) && fits; k++) {
    const Tensor& g = read_tensor(PyList_GET_ITEM(list, k), "unscale");
    fits = g.device() == device && g->contiguous && is_floating(g.dtype());
    items[int(g.dtype())].push_back({{g->data}, g->numel});
  }
  if (!fits) Py_RETURN_FALSE;
  const CudaGuard on(device);
  for (int d = 0; d < kDtypes; d++)
    if (!items[d].empty())
      cuda_kernels().optim.unscale(Dtype(d), items[d].data(), int64_t(items[d].size()), reinterpret_cast<float*>(by->data),
                                   reinterpret_cast<float*>(f->data));
  Py_RETURN_TRUE;
}
PyObject* set_tf32(PyObject* on) { return allow_tf32(on == Py_True), none(); }
PyObject* tf32(PyObject*) { return PyBool_FromLong(tf32_allowed()); }

/// A function for Python. Where it waits it may not touch Python, and gives a null pointer for None.
template <PyObject* (*f)(PyObject*)> PyObject* call(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject* r = f(args);
    return r || PyErr_Occurred() ? r : none();
  });
}
#define TG_PLAIN(name) {#name, call<name>, METH_NOARGS, nullptr}
#define TG_ONE(name) {#name, call<name>, METH_O, nullptr}
#define TG_MORE(name) {#name, call<name>, METH_VARARGS, nullptr}
PyMethodDef functions[] = {
    TG_PLAIN(why_not), TG_PLAIN(device_count), TG_PLAIN(current_device), TG_MORE(set_device), TG_MORE(properties), TG_MORE(can_access_peer),
    TG_MORE(synchronize), TG_PLAIN(libraries),
    TG_MORE(memory), TG_MORE(memory_info), TG_MORE(reset_peaks), TG_PLAIN(empty_cache), TG_MORE(set_memory_limit), TG_PLAIN(snapshot),
    TG_MORE(current_stream), TG_MORE(default_stream), TG_MORE(new_stream), TG_MORE(set_stream), TG_MORE(stream_done),
    TG_MORE(stream_synchronize), TG_MORE(stream_wait), TG_MORE(new_event), TG_ONE(free_event), TG_MORE(record_event), TG_ONE(event_done), TG_ONE(event_synchronize),
    TG_MORE(event_ms), TG_ONE(range_push), TG_PLAIN(range_pop), TG_ONE(mark), TG_MORE(record_stream), TG_MORE(unscale), TG_ONE(set_tf32), TG_PLAIN(tf32), {}};
#undef TG_PLAIN
#undef TG_ONE
#undef TG_MORE
PyModuleDef definition = {PyModuleDef_HEAD_INIT, "tapegrad._C._cuda", "CUDA's runtime.", -1, functions, nullptr, nullptr, nullptr, nullptr};

bool pins = false;  // has memory been pinned? Until then nobody needs the plugin to know

}  // namespace

Tensor pin_memory(const Tensor& x) {
  OpScope op("pin_memory");
  TG_CHECK(!x.is_cuda(), DeviceError, "only tensors on the CPU can be pinned", Named{"input", x});
  if (is_pinned(x)) return x;
  const Tensor like = empty_like(detach(x));  // its strides
  void* block;
  void* data = runtime().host_alloc(uint64_t(like.nbytes()), &block);
  const Tensor out = from_blob(data, like.sizes(), like.strides(), like.dtype(), runtime().host_free, block);
  pins = true;
  {
    const NoGrad off;
    copy_(out, x);
  }
  return out;
}
bool is_pinned(const Tensor& x) { return pins && !x.is_cuda() && x.numel() && runtime().is_pinned(x->data); }

void init_cuda(PyObject* module) {
  const Obj cuda = Obj::take(PyModule_Create(&definition));
  checked(PyModule_AddObjectRef(module, "_cuda", cuda.get()));
}

}  // namespace tapegrad::py
