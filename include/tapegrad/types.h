// The plain values of the library: element types, devices, shapes, numbers. Knows no tensor.
// Everything here is cheap to copy and allocates nothing.
#pragma once
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>  // declares std::string; its definition would be a quarter of this library's include cost
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#define TG_API __attribute__((visibility("default")))

namespace tapegrad {

// ---- element types -------------------------------------------------------------------------------------------------

/// Element type. The first ten work everywhere; complex ones where complex numbers make sense; UInt16 and wider have PyTorch's
/// few ops. An op that does not take a dtype raises DtypeError.
enum class Dtype : uint8_t {
  Bool, UInt8, Int8, Int16, Int32, Int64, Float16, BFloat16, Float32, Float64,
  Complex64, Complex128, UInt16, UInt32, UInt64,
};
inline constexpr int kDtypes = 15;

inline constexpr Dtype bool_ = Dtype::Bool, uint8 = Dtype::UInt8, int8 = Dtype::Int8, int16 = Dtype::Int16,
                       int32 = Dtype::Int32, int64 = Dtype::Int64, float16 = Dtype::Float16,
                       bfloat16 = Dtype::BFloat16, float32 = Dtype::Float32, float64 = Dtype::Float64,
                       complex64 = Dtype::Complex64, complex128 = Dtype::Complex128, uint16 = Dtype::UInt16,
                       uint32 = Dtype::UInt32, uint64 = Dtype::UInt64;

inline constexpr uint8_t kItemSizes[kDtypes] = {1, 1, 1, 2, 4, 8, 2, 2, 4, 8, 8, 16, 2, 4, 8};
/// Bytes of one element.
constexpr size_t item_size(Dtype d) { return kItemSizes[int(d)]; }
constexpr bool is_floating(Dtype d) { return d >= Dtype::Float16 && d <= Dtype::Float64; }
constexpr bool is_complex(Dtype d) { return d == Dtype::Complex64 || d == Dtype::Complex128; }
constexpr bool is_differentiable(Dtype d) { return d >= Dtype::Float16 && d <= Dtype::Complex128; }  ///< floating or complex
constexpr bool is_integral(Dtype d) { return (d >= Dtype::UInt8 && d <= Dtype::Int64) || d >= Dtype::UInt16; }  ///< without bool
constexpr bool is_signed(Dtype d) { return d > Dtype::UInt8 && d < Dtype::UInt16; }
/// The dtype of a complex dtype's parts; of a complex number with parts of a float dtype (complex64 for 16-bit floats).
constexpr Dtype real_dtype(Dtype d) { return d == Dtype::Complex64 ? Dtype::Float32 : d == Dtype::Complex128 ? Dtype::Float64 : d; }
constexpr Dtype complex_dtype(Dtype d) { return d == Dtype::Float64 || d == Dtype::Complex128 ? Dtype::Complex128 : Dtype::Complex64; }
/// "float32", as PyTorch prints it after "torch.".
TG_API const char* name(Dtype d);

/// A complex number, laid out as std::complex<T>, whose header would be a third of this library's include cost.
template <class T> struct Complex {
  using value_type = T;
  T re = 0, im = 0;
  constexpr Complex(T real = 0, T imag = 0) : re(real), im(imag) {}
  constexpr T real() const { return re; }
  constexpr T imag() const { return im; }
  friend constexpr bool operator==(Complex, Complex) = default;
};
/// tapegrad::Complex and std::complex of float or double.
template <class Z> concept ComplexNumber = requires(const Z& z) {
  requires std::is_same_v<decltype(z.real()), typename Z::value_type> && std::is_same_v<decltype(z.imag()), typename Z::value_type>;
} && sizeof(Z) == 2 * sizeof(typename Z::value_type) && sizeof(Z) >= 8;

template <class T> struct DtypeOf;  // DtypeOf<float>::value == Dtype::Float32
template <ComplexNumber Z> struct DtypeOf<Z> { static constexpr Dtype value = sizeof(Z) == 8 ? Dtype::Complex64 : Dtype::Complex128; };
template <> struct DtypeOf<uint16_t> { static constexpr Dtype value = Dtype::UInt16; };
template <> struct DtypeOf<uint32_t> { static constexpr Dtype value = Dtype::UInt32; };
template <> struct DtypeOf<uint64_t> { static constexpr Dtype value = Dtype::UInt64; };
template <> struct DtypeOf<bool> { static constexpr Dtype value = Dtype::Bool; };
template <> struct DtypeOf<uint8_t> { static constexpr Dtype value = Dtype::UInt8; };
template <> struct DtypeOf<int8_t> { static constexpr Dtype value = Dtype::Int8; };
template <> struct DtypeOf<int16_t> { static constexpr Dtype value = Dtype::Int16; };
template <> struct DtypeOf<int32_t> { static constexpr Dtype value = Dtype::Int32; };
template <> struct DtypeOf<int64_t> { static constexpr Dtype value = Dtype::Int64; };
template <> struct DtypeOf<float> { static constexpr Dtype value = Dtype::Float32; };
template <> struct DtypeOf<double> { static constexpr Dtype value = Dtype::Float64; };

// ---- devices -------------------------------------------------------------------------------------------------------

enum class DeviceType : uint8_t { CPU, CUDA };
struct Device {
  DeviceType type = DeviceType::CPU;
  int8_t index = -1;  ///< -1: the current one
  constexpr Device(DeviceType t = DeviceType::CPU, int i = -1) : type(t), index(int8_t(i)) {}
  /// From "cpu", "cuda" or "cuda:1". Throws DeviceError.
  TG_API Device(std::string_view text);
  Device(const char* text) : Device(std::string_view(text)) {}
  friend constexpr bool operator==(Device, Device) = default;
};
TG_API std::string to_string(Device d);

enum class MemoryFormat : uint8_t { Contiguous, Preserve, ChannelsLast, ChannelsLast3d };

// ---- shapes --------------------------------------------------------------------------------------------------------

inline constexpr int kMaxDims = 16;  ///< a tensor with more is refused with a ShapeError

/// A view of some integers: how shapes, strides and dims are passed. `f({2, 3})`, `f(shape)`, `f(vector)` all work.
/// Does not own: never keep one longer than the call.
class IntList {
  const int64_t* data_ = nullptr;
  size_t size_ = 0;
 public:
  constexpr IntList() = default;
  constexpr IntList(const int64_t* data, size_t size) : data_(data), size_(size) {}
  constexpr IntList(const int64_t& one) : data_(&one), size_(1) {}
  constexpr IntList(std::initializer_list<int64_t> list) { data_ = list.begin(), size_ = list.size(); }
  constexpr IntList(std::span<const int64_t> s) : data_(s.data()), size_(s.size()) {}
  IntList(const std::vector<int64_t>& v) : data_(v.data()), size_(v.size()) {}
  constexpr const int64_t* data() const { return data_; }
  constexpr size_t size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr const int64_t* begin() const { return data_; }
  constexpr const int64_t* end() const { return data_ + size_; }
  constexpr int64_t operator[](size_t i) const { return data_[i]; }
  constexpr int64_t front() const { return data_[0]; }
  constexpr int64_t back() const { return data_[size_ - 1]; }
  friend constexpr bool operator==(IntList a, IntList b) {
    if (a.size_ != b.size_) return false;
    for (size_t i = 0; i < a.size_; i++) if (a.data_[i] != b.data_[i]) return false;
    return true;
  }
};

/// Owned sizes or strides, at most kMaxDims of them, no allocation. Throws ShapeError beyond.
class TG_API Shape {
  uint8_t size_ = 0;
  int64_t v_[kMaxDims];
  [[noreturn]] static void too_many(size_t n);
 public:
  Shape() {}
  Shape(IntList l) { assign(l); }
  Shape(std::initializer_list<int64_t> l) : Shape(IntList(l)) {}
  Shape(size_t n, int64_t value) { resize(n, value); }
  Shape(const Shape& o) { copy(o); }
  Shape& operator=(const Shape& o) { copy(o); return *this; }
  operator IntList() const { return {v_, size_}; }
  void assign(IntList l) {
    if (l.size() > kMaxDims) [[unlikely]] too_many(l.size());
    size_ = uint8_t(l.size());
    for (size_t i = 0; i < l.size(); i++) v_[i] = l[i];
  }
  void resize(size_t n, int64_t value = 0) {
    if (n > kMaxDims) [[unlikely]] too_many(n);
    for (size_t i = size_; i < n; i++) v_[i] = value;
    size_ = uint8_t(n);
  }
  void push_back(int64_t x) { resize(size_ + size_t(1), x); }
  void pop_back() { size_--; }
  void insert(size_t at, int64_t x) {
    push_back(0);
    for (size_t i = size_ - size_t(1); i > at; i--) v_[i] = v_[i - 1];
    v_[at] = x;
  }
  void erase(size_t at) {
    for (size_t i = at; i + 1 < size_; i++) v_[i] = v_[i + 1];
    size_--;
  }
  int64_t* data() { return v_; }
  const int64_t* data() const { return v_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  int64_t& operator[](size_t i) { return v_[i]; }
  int64_t operator[](size_t i) const { return v_[i]; }
  int64_t& back() { return v_[size_ - 1]; }
  int64_t* begin() { return v_; }
  int64_t* end() { return v_ + size_; }
  const int64_t* begin() const { return v_; }
  const int64_t* end() const { return v_ + size_; }
 private:
  void copy(const Shape& o) {
    size_ = o.size_;
    for (int i = 0; i < size_; i++) v_[i] = o.v_[i];
  }
};
inline bool operator==(const Shape& a, const Shape& b) { return IntList(a) == IntList(b); }
inline bool operator==(const Shape& a, IntList b) { return IntList(a) == b; }

/// "[2, 3]"
TG_API std::string to_string(IntList l);

// ---- numbers -------------------------------------------------------------------------------------------------------

/// A number that remembers whether it was a bool, an integer, a float or complex; integers keep all 64 bits.
/// Beside tensors it is weak: it never changes their dtype within a kind.
class Scalar {
 public:
  enum class Kind : uint8_t { Bool, Int, Float, Complex };
  constexpr Scalar(bool v) : kind_(Kind::Bool), i_(v) {}
  constexpr Scalar(int v) : kind_(Kind::Int), i_(v) {}
  constexpr Scalar(unsigned v) : kind_(Kind::Int), i_(v) {}
  constexpr Scalar(long v) : kind_(Kind::Int), i_(v) {}
  constexpr Scalar(long long v) : kind_(Kind::Int), i_(v) {}
  constexpr Scalar(unsigned long v) : kind_(Kind::Int), i_(int64_t(v)) {}
  constexpr Scalar(float v) : kind_(Kind::Float), d_(v) {}
  constexpr Scalar(double v) : kind_(Kind::Float), d_(v) {}
  template <class T> Scalar(T*) = delete;  // would be a bool
  template <ComplexNumber Z> constexpr Scalar(const Z& z) : kind_(Kind::Complex), d_(z.real()), imag_(z.imag()) {}
  constexpr Kind kind() const { return kind_; }
  constexpr bool is_float() const { return kind_ == Kind::Float; }
  constexpr bool is_complex() const { return kind_ == Kind::Complex; }
  constexpr double to_double() const { return kind_ < Kind::Float ? double(i_) : d_; }  ///< of a complex number, the real part
  constexpr int64_t to_int() const { return kind_ < Kind::Float ? i_ : int64_t(d_); }
  constexpr bool to_bool() const { return kind_ < Kind::Float ? i_ != 0 : d_ != 0 || imag_ != 0; }
  constexpr Complex<double> to_complex() const { return {to_double(), imag_}; }
  /// float(s), int(s), bool(s)
  template <class T> requires std::is_arithmetic_v<T> constexpr explicit operator T() const {
    if constexpr (std::is_same_v<T, bool>) return to_bool();
    else if constexpr (std::is_floating_point_v<T>) return T(to_double());
    else return T(to_int());
  }
  friend constexpr bool operator==(Scalar a, Scalar b) {
    return a.kind_ < Kind::Float && b.kind_ < Kind::Float ? a.i_ == b.i_ : a.to_complex() == b.to_complex();
  }
  /// The dtype a Python number of this kind has by itself: bool, int64, the default float type or complex of it.
  TG_API Dtype dtype() const;
 private:
  Kind kind_;
  union { int64_t i_; double d_; };
  double imag_ = 0;
};
TG_API std::string to_string(Scalar s);

/// A bool parameter that takes no pointer: in rand({2}, float32, "cpu", &generator) the generator would have been requires_grad, true.
class OnlyBool {
  bool value_;
 public:
  constexpr OnlyBool(bool value) : value_(value) {}
  template <class T> OnlyBool(T*) = delete;
  constexpr operator bool() const { return value_; }
};

/// A number, or numbers in braces to any depth. Does not own: only for passing to tensor().
struct Numbers {
  Scalar number = 0;
  const Numbers* items = nullptr;
  size_t count = 0;
  bool list = false;
  template <class T> requires(std::is_arithmetic_v<T> || ComplexNumber<T>) Numbers(T v) : number(v) {}
  Numbers(std::initializer_list<Numbers> l) : list(true) { items = l.begin(), count = l.size(); }
};

TG_API std::ostream& operator<<(std::ostream& out, Dtype d);
TG_API std::ostream& operator<<(std::ostream& out, Device d);
TG_API std::ostream& operator<<(std::ostream& out, IntList l);
TG_API std::ostream& operator<<(std::ostream& out, Scalar s);

/// The float dtype of `tensor(1.0)` and of factories without a dtype: float32 unless changed.
TG_API Dtype default_dtype();
TG_API void set_default_dtype(Dtype d);
/// Where factories put tensors when they are not told. The CPU, unless set. Throws DeviceError when there is no such device.
TG_API Device default_device();
TG_API void set_default_device(Device d);
/// PyTorch's promotion table for two tensor dtypes of equal standing.
TG_API Dtype promote(Dtype a, Dtype b);

}  // namespace tapegrad
