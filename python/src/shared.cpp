// Memory that several processes map: share_memory_(), and what the DataLoader's workers send. It has no name, only file
// descriptors that travel between processes, so nothing stays behind when a process is killed.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "py.h"
#include "tapegrad/ops.h"

namespace tapegrad::py {
namespace {

struct Mapping {
  void* data;
  size_t bytes;
  int fd;  // -1 when it was not kept
};
void unmap(void* context) {
  auto* m = static_cast<Mapping*>(context);
  munmap(m->data, m->bytes);
  if (m->fd >= 0) close(m->fd);
  delete m;
}

[[noreturn]] void failed(const char* what, size_t bytes) {
  PyErr_Format(PyExc_RuntimeError, "shared memory: cannot %s %zu bytes: %s", what, bytes, std::strerror(errno));
  throw PythonError();
}
int anonymous_file(size_t bytes) {
#ifdef __linux__
  const int fd = memfd_create("tapegrad", MFD_CLOEXEC);
#else
  const std::string name = "/tapegrad" + std::to_string(getpid());
  const int fd = shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
  if (fd >= 0) shm_unlink(name.c_str());
#endif
  if (fd < 0) failed("make a file of", bytes);
  if (ftruncate(fd, off_t(bytes))) {
    close(fd);
    failed("make a file of", bytes);
  }
  return fd;
}
// The file's memory as a 1-d uint8 tensor; it takes over the descriptor, and closes it at once unless `keep`.
Tensor map_file(int fd, size_t bytes, bool keep) {
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) {
    close(fd);
    failed("map", bytes);
  }
  if (!keep) close(fd);
  return from_blob(data, int64_t(bytes), int64_t(1), Dtype::UInt8, unmap, new Mapping{data, bytes, keep ? fd : -1});
}
const Mapping* mapping_of(const Tensor& t) {
  return t->storage->deleter == unmap ? static_cast<const Mapping*>(t->storage->context) : nullptr;
}
const Tensor& tensor_argument(PyObject* o, const char* who) {
  if (!is_tensor(o)) raise(PyExc_TypeError, "%s() takes a Tensor, not %.200s", who, Py_TYPE(o)->tp_name);
  return unwrap(o);
}

PyObject* shared_empty(PyObject*, PyObject* size) {
  return guarded([&]() -> PyObject* {
    const size_t bytes = PyLong_AsSize_t(size);
    if (PyErr_Occurred()) return nullptr;
    if (!bytes) raise(PyExc_ValueError, "shared_empty(): 0 bytes");
    return wrap(map_file(anonymous_file(bytes), bytes, true));
  });
}
PyObject* shared_map(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    int fd, keep;
    Py_ssize_t bytes;
    if (!PyArg_ParseTuple(args, "inp:shared_map", &fd, &bytes, &keep)) return nullptr;
    const off_t end = lseek(fd, 0, SEEK_END);
    if (bytes <= 0 || end < bytes) raise(PyExc_ValueError, "shared_map(): %zd bytes of a file of %lld", bytes, (long long)end);
    return wrap(map_file(fd, size_t(bytes), keep));
  });
}
PyObject* shared_fd(PyObject*, PyObject* tensor) {
  return guarded([&] {
    const Mapping* m = mapping_of(tensor_argument(tensor, "shared_fd"));
    return PyLong_FromLong(m ? m->fd : -1);
  });
}

PyMethodDef functions[] = {
    {"shared_empty", shared_empty, METH_O, "A uint8 tensor of so many bytes in memory that other processes can map."},
    {"shared_map", shared_map, METH_VARARGS, "shared_map(fd, bytes, keep): the memory behind a descriptor, which it takes over."},
    {"shared_fd", shared_fd, METH_O, "The descriptor of a tensor's shared memory, or -1."},
    {}};

}  // namespace

bool is_shared(const Tensor& t) { return mapping_of(t); }

// Moves the whole storage and lets t stand for the copy. Other tensors over the old storage stay where they are, a base too.
void share_memory(const Tensor& t) {
  const Storage& old = *t->storage;
  if (is_shared(t) || !old.bytes || t.is_cuda()) return;
  TG_CHECK(t.is_leaf(), GradError, "share_memory_: x has a history, and what it was made of would stay behind; call it on x.detach()",
           Named{"input", t});
  const Tensor bytes = map_file(anonymous_file(old.bytes), old.bytes, true);
  std::memcpy(bytes->data, old.data, old.bytes);
  const NoGrad off;
  const Tensor whole = detach(view(bytes.narrow(0, 0, int64_t(old.bytes / t.element_size() * t.element_size())), t.dtype()));
  swap_memory(t, alias(whole, t.sizes(), t.strides(), t.storage_offset(), false));
  Tensor::adopt(std::exchange(t->base, nullptr));
}

PyMethodDef* shared_functions() { return functions; }

}  // namespace tapegrad::py
