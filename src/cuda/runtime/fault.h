// What a kernel finds wrong with its data, an index out of bounds say, cannot be thrown from where it is found. It is noted in one record
// in pinned memory, and thrown on the host by raise_fault() wherever the host has waited for the device.
#pragma once
#include <stdint.h>

namespace tapegrad::cuda {

struct Fault {
  enum Kind : int { kNone, kIndex, kClass, kProbability, kOffsets };
  int taken;       // by the first thread that has something to note; it alone writes the rest
  int kind, dim;
  const char* op;  // a literal of the core's, or null
  int64_t value, size;
};
/// The process's one record, which kernels of all devices write to.
Fault* fault_record();
/// Throws what has been noted, as IndexError or ValueError naming the op. Cheap when nothing has been.
void raise_fault();
/// The op that runs now, to go with a kernel's arguments.
const char* running_op();

}  // namespace tapegrad::cuda
