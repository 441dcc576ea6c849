// Values and tensors into C++ streams.
#include <ostream>

#include "tapegrad/tensor.h"

namespace tapegrad {

std::ostream& operator<<(std::ostream& out, Dtype d) { return out << name(d); }
std::ostream& operator<<(std::ostream& out, Device d) { return out << to_string(d); }
std::ostream& operator<<(std::ostream& out, IntList l) { return out << to_string(l); }
std::ostream& operator<<(std::ostream& out, Scalar s) { return out << to_string(s); }
std::ostream& operator<<(std::ostream& out, const Tensor& x) { return out << to_string(x); }

}  // namespace tapegrad
