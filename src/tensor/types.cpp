// Names, promotion and text of the plain values.
#include "tapegrad/types.h"

#include <cstdio>
#include <string>

#include "src/tensor/cuda.h"
#include "tapegrad/error.h"

namespace tapegrad {

const char* name(Dtype d) {
  static constexpr const char* names[kDtypes] = {"bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16",
                                                     "float32", "float64", "complex64", "complex128", "uint16", "uint32", "uint64"};
  return int(d) < kDtypes ? names[int(d)] : "unknown dtype";
}

static Dtype the_default = Dtype::Float32;
Dtype default_dtype() { return the_default; }
void set_default_dtype(Dtype d) {
  TG_CHECK(is_floating(d), DtypeError, "set_default_dtype: only floating-point dtypes can be the default, got ", d);
  the_default = d;
}
static Device the_default_device;
Device default_device() { return the_default_device; }
void set_default_device(Device d) { the_default_device = d.type == DeviceType::CUDA ? cuda_device(d) : Device(); }
Dtype Scalar::dtype() const {
  return kind_ == Kind::Bool ? Dtype::Bool : kind_ == Kind::Int ? Dtype::Int64
      : kind_ == Kind::Float ? default_dtype() : complex_dtype(default_dtype());
}

Dtype promote(Dtype a, Dtype b) {
  if (a == b) return a;
  if (a > b) std::swap(a, b);
  if (b >= Dtype::UInt16) {  // with integers PyTorch refuses these; here they promote as in the array API
    if (is_floating(a) || is_complex(a)) return a;
    if (a == Dtype::Bool || a == Dtype::UInt8 || a >= Dtype::UInt16) return b;
    TG_CHECK(b != Dtype::UInt64, DtypeError, "no integer dtype holds both ", a, " and uint64");
    return std::max(a, b == Dtype::UInt16 ? Dtype::Int32 : Dtype::Int64);
  }
  if (is_complex(b)) return a == Dtype::Float64 ? Dtype::Complex128 : b;
  if (is_floating(b)) return a == Dtype::Float16 && b == Dtype::BFloat16 ? Dtype::Float32 : b;
  return a == Dtype::UInt8 && b == Dtype::Int8 ? Dtype::Int16 : b;
}

Device::Device(std::string_view text) {
  const size_t colon = text.find(':');
  const std::string_view kind = text.substr(0, colon);
  TG_CHECK(kind == "cpu" || kind == "cuda", DeviceError, "device must be 'cpu', 'cuda' or 'cuda:<index>', got '", text, "'");
  type = kind == "cpu" ? DeviceType::CPU : DeviceType::CUDA;
  if (colon == text.npos) return;
  int n = 0;
  const std::string_view digits = text.substr(colon + 1);
  for (char c : digits) {
    TG_CHECK(c >= '0' && c <= '9' && n < 13, DeviceError, "device index must be a small number, got '", text, "'");
    n = n * 10 + (c - '0');
  }
  TG_CHECK(!digits.empty() && n < 128, DeviceError, "device index must be a small number, got '", text, "'");
  index = int8_t(n);
}
std::string to_string(Device d) {
  std::string s = d.type == DeviceType::CPU ? "cpu" : "cuda";
  return d.index < 0 ? s : s + ":" + std::to_string(d.index);
}

void Shape::too_many(size_t n) {
  detail::fail<ShapeError>("a tensor can have at most ", kMaxDims, " dimensions, got ", n);
}
std::string to_string(IntList l) {
  std::string s = "[";
  for (size_t i = 0; i < l.size(); i++) s += (i ? ", " : "") + std::to_string(l[i]);
  return s + "]";
}
std::string to_string(Scalar v) {
  if (v.kind() == Scalar::Kind::Bool) return v.to_bool() ? "True" : "False";
  if (v.kind() == Scalar::Kind::Int) return std::to_string(v.to_int());
  char text[80];
  if (v.is_complex()) std::snprintf(text, sizeof text, "(%.6g%+.6gj)", v.to_double(), v.to_complex().im);
  else std::snprintf(text, sizeof text, "%.6g", v.to_double());
  return text;
}

}  // namespace tapegrad
