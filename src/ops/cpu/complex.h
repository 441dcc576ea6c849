// Complex arithmetic over dense runs; pointers as in elementwise.h, n complex numbers. Plain C types only.
#pragma once
#include <stdint.h>

namespace tapegrad {

struct ComplexKernels {
  void (*add)(char* const* p, int64_t n);
  void (*sub)(char* const* p, int64_t n);
  void (*mul)(char* const* p, int64_t n);
};
struct ComplexTable {
  ComplexKernels c64, c128;
};

}  // namespace tapegrad
