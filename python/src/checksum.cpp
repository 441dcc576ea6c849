// crc32c, the checksum of TensorBoard's event files.
#include <array>

#include "py.h"

namespace tapegrad::py {
namespace {

constexpr std::array<uint32_t, 256> kTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t k = 0; k < 256; k++) {
    uint32_t c = k;
    for (int bit = 0; bit < 8; bit++) c = c & 1 ? c >> 1 ^ 0x82F63B78u : c >> 1;  // Castagnoli's polynomial, bits reversed
    table[k] = c;
  }
  return table;
}();

PyObject* crc32c(PyObject*, PyObject* data) {
  Py_buffer b;
  if (PyObject_GetBuffer(data, &b, PyBUF_SIMPLE)) return nullptr;
  uint32_t c = ~0u;
  for (Py_ssize_t k = 0; k < b.len; k++) c = c >> 8 ^ kTable[(c ^ static_cast<uint8_t*>(b.buf)[k]) & 255];
  PyBuffer_Release(&b);
  return PyLong_FromUnsignedLong(~c);
}
PyMethodDef functions[] = {{"crc32c", crc32c, METH_O, "crc32c(bytes): the Castagnoli checksum."}, {}};

}  // namespace

PyMethodDef* checksum_functions() { return functions; }

}  // namespace tapegrad::py
