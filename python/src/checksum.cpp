// crc32c, the checksum of TensorBoard's event files.
#include "src/io/checksum.h"

#include "py.h"

namespace tapegrad::py {
namespace {

PyObject* crc32c(PyObject*, PyObject* data) {
  Py_buffer b;
  if (PyObject_GetBuffer(data, &b, PyBUF_SIMPLE)) return nullptr;
  const uint32_t c = io::crc32c({static_cast<const char*>(b.buf), size_t(b.len)});
  PyBuffer_Release(&b);
  return PyLong_FromUnsignedLong(c);
}
PyMethodDef functions[] = {{"crc32c", crc32c, METH_O, "crc32c(bytes): the Castagnoli checksum."}, {}};

}  // namespace

PyMethodDef* checksum_functions() { return functions; }

}  // namespace tapegrad::py
