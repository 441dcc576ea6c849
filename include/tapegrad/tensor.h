// Tensor: a refcounted handle to sizes, strides, dtype and a piece of storage. Knows no op and no tape.
// The structs are public because a debugger, Eigen and the Python bindings read them; treat fields as read-only.
#pragma once
#include <tuple>

#include "tapegrad/error.h"
#include "tapegrad/memory.h"
#include "tapegrad/types.h"

namespace tapegrad {

struct Extra;          // autograd.h: gradient, hooks; only for tensors that have some
struct TensorImpl;
struct ValuesIndices; struct Index;  // ops.h
class TensorList; class Generator;   // below; random.h
inline void bump_version(const Tensor& x);

// ---- the tensor itself ---------------------------------------------------------------------------------------------

struct TG_API TensorImpl : Counted {
  Dtype dtype = Dtype::Float32;
  uint8_t ndim = 0;
  Device device;
  bool requires_grad = false;
  bool contiguous = true;      // row-major without gaps
  bool wrapped_number = false; // a 0-d stand-in for a Python or C++ number: weak in promotion
  bool inference = false;      // made in inference mode: may never be recorded
  bool untracked = false;      // made by .data: writes through it do not count as versions
  bool owns_py = false;        // `py` is owned, not borrowed
  bool no_grad_view = false;   // a view made while recording was off
  uint16_t output_nr = 0;      // which output of grad_fn this is
  uint16_t origin = 0;         // note (autograd.h) of what cut it off from the tape
  uint32_t history = 0;        // base: times in-place ops rewrote its history; view: the base's count its grad_fn fits
  Storage* storage = nullptr;  // owned
  char* data = nullptr;        // first element
  int64_t numel = 1;
  int64_t *sizes = inline_dims, *strides = inline_dims + kInlineDims;  // strides in elements
  Node* grad_fn = nullptr;     // owned
  TensorImpl* base = nullptr;  // owned; the tensor this one is a view of, never itself a view
  Extra* extra = nullptr;      // owned
  void* py = nullptr;          // the one Python object, borrowed unless owns_py
  static constexpr int kInlineDims = 6;
  int64_t inline_dims[2 * kInlineDims];
  static void destroy(TensorImpl*);
  /// The first element, for code that runs on the CPU. Throws NotImplementedError for a CUDA tensor, of which `data` is a device address.
  char* host() const { if (device.type != DeviceType::CPU) [[unlikely]] not_on_cpu(); return data; }
  template <class T> T* host() const { return reinterpret_cast<T*>(host()); }
  [[noreturn]] static void not_on_cpu();
};

/// Example: const Tensor x = tensor({{1.0, 2.0}, {3.0, 4.0}}), same = x;
///   assert(x.dim() == 2 && x.size(-1) == 2 && x.dtype() == float32); x.fill_(2);
///   assert(same.is_same(x) && x.sum().item<double>() == 8);
class TG_API Tensor {
  TensorImpl* p_ = nullptr;
 public:
  Tensor() noexcept {}                               ///< undefined: stands for "no tensor"
  explicit Tensor(Scalar number);                    ///< a wrapped number: 0-d, weak in promotion
  explicit Tensor(double number) : Tensor(Scalar(number)) {}
  explicit Tensor(int number) : Tensor(Scalar(number)) {}
  Tensor(const Tensor& o) : p_(o.p_) { if (p_) p_->retain(); }
  Tensor(Tensor&& o) noexcept : p_(o.p_) { o.p_ = nullptr; }
  Tensor& operator=(Tensor o) & noexcept { TensorImpl* t = p_; p_ = o.p_; o.p_ = t; return *this; }
  ~Tensor() { if (p_ && p_->drop()) TensorImpl::destroy(p_); }
  static Tensor adopt(TensorImpl* p) { Tensor t; t.p_ = p; return t; }               // takes over one count
  static Tensor share(TensorImpl* p) { if (p) p->retain(); return adopt(p); }
  TensorImpl* release() { TensorImpl* p = p_; p_ = nullptr; return p; }
  TensorImpl* get() const { return p_; }
  TensorImpl* operator->() const { return p_; }
  bool defined() const { return p_; }
  bool is_same(const Tensor& o) const { return p_ == o.p_; }

  int64_t dim() const { return p_->ndim; }
  int64_t ndim() const { return p_->ndim; }
  int64_t numel() const { return p_->numel; }
  IntList sizes() const { return {p_->sizes, p_->ndim}; }
  IntList shape() const { return sizes(); }
  IntList strides() const { return {p_->strides, p_->ndim}; }
  int64_t size(int64_t d) const { return p_->sizes[checked_dim(d)]; }
  int64_t stride(int64_t d) const { return p_->strides[checked_dim(d)]; }
  int64_t storage_offset() const { return (p_->data - p_->storage->data) / int64_t(item_size(p_->dtype)); }
  Dtype dtype() const { return p_->dtype; }
  size_t element_size() const { return item_size(p_->dtype); }
  int64_t nbytes() const { return p_->numel * int64_t(item_size(p_->dtype)); }
  Device device() const { return p_->device; }
  bool is_cuda() const { return p_->device.type == DeviceType::CUDA; }
  bool is_floating_point() const { return is_floating(p_->dtype); }
  bool is_complex() const { return tapegrad::is_complex(p_->dtype); }
  bool is_contiguous(MemoryFormat f = MemoryFormat::Contiguous) const;
  bool is_view() const { return p_->base; }
  uint32_t version() const { return p_->storage->version; }
  bool requires_grad() const { return p_->requires_grad; }
  bool is_leaf() const { return !p_->grad_fn; }

  /// Typed pointer to the first element, in device memory when is_cuda(). Throws DtypeError when T is not the dtype.
  /// Example: assert(tensor({1.0, 2.0}).data_ptr<float>()[1] == 2);
  template <class T> T* data_ptr() const {
    if (p_->dtype != DtypeOf<T>::value) [[unlikely]] wrong_dtype(DtypeOf<T>::value);
    return reinterpret_cast<T*>(p_->data);
  }
  /// The elements of a contiguous CPU tensor: span<const float>() to read, span<float>() to write, which counts as an in-place op.
  template <class T> std::span<T> span() const {
    T* data = data_ptr<std::remove_const_t<T>>();
    if (!p_->contiguous || is_cuda()) [[unlikely]] not_contiguous();
    if (!std::is_const_v<T>) bump_version(*this);
    return {data, size_t(p_->numel)};
  }
  /// The one element as a number. Throws ValueError when there are several.
  Scalar item() const;
  template <class T> T item() const {
    const Scalar s = item();
    if constexpr (ComplexNumber<T>) return T(s.to_complex().re, s.to_complex().im);
    else return T(s);
  }
  /// x(i, j) is one element as a number: an index for each dimension, negative ones from the end. Throws IndexError.
  template <class... I> requires(std::is_integral_v<I> && ...) Scalar operator()(I... i) const { return element({int64_t(i)...}); }

  Tensor grad() const;                                ///< undefined when there is none
  void set_grad(const Tensor& g) const;
  const Tensor& set_requires_grad(bool on = true) const;
  void backward() const;
  void backward(const Tensor& gradient, bool retain_graph = false, bool create_graph = false) const;

  // Ops as methods, by family: x.sum(1) is sum(x, 1). ops.h says what each does.
  // elementwise_unary
  Tensor neg() const;
  const Tensor& neg_() const;
  Tensor abs() const;
  const Tensor& abs_() const;
  Tensor sign() const;
  const Tensor& sign_() const;
  Tensor sgn() const;
  const Tensor& sgn_() const;
  Tensor floor() const;
  const Tensor& floor_() const;
  Tensor ceil() const;
  const Tensor& ceil_() const;
  Tensor trunc() const;
  const Tensor& trunc_() const;
  Tensor frac() const;
  const Tensor& frac_() const;
  Tensor square() const;
  const Tensor& square_() const;
  Tensor sqrt() const;
  const Tensor& sqrt_() const;
  Tensor rsqrt() const;
  const Tensor& rsqrt_() const;
  Tensor reciprocal() const;
  const Tensor& reciprocal_() const;
  Tensor exp() const;
  const Tensor& exp_() const;
  Tensor exp2() const;
  const Tensor& exp2_() const;
  Tensor expm1() const;
  const Tensor& expm1_() const;
  Tensor log() const;
  const Tensor& log_() const;
  Tensor log2() const;
  const Tensor& log2_() const;
  Tensor log10() const;
  const Tensor& log10_() const;
  Tensor log1p() const;
  const Tensor& log1p_() const;
  Tensor sin() const;
  const Tensor& sin_() const;
  Tensor cos() const;
  const Tensor& cos_() const;
  Tensor tan() const;
  const Tensor& tan_() const;
  Tensor asin() const;
  const Tensor& asin_() const;
  Tensor acos() const;
  const Tensor& acos_() const;
  Tensor atan() const;
  const Tensor& atan_() const;
  Tensor sinh() const;
  const Tensor& sinh_() const;
  Tensor cosh() const;
  const Tensor& cosh_() const;
  Tensor tanh() const;
  const Tensor& tanh_() const;
  Tensor asinh() const;
  const Tensor& asinh_() const;
  Tensor acosh() const;
  const Tensor& acosh_() const;
  Tensor atanh() const;
  const Tensor& atanh_() const;
  Tensor sinc() const;
  const Tensor& sinc_() const;
  Tensor deg2rad() const;
  const Tensor& deg2rad_() const;
  Tensor rad2deg() const;
  const Tensor& rad2deg_() const;
  Tensor sigmoid() const;
  const Tensor& sigmoid_() const;
  Tensor erf() const;
  const Tensor& erf_() const;
  Tensor erfc() const;
  const Tensor& erfc_() const;
  Tensor erfinv() const;
  const Tensor& erfinv_() const;
  Tensor lgamma() const;
  const Tensor& lgamma_() const;
  Tensor digamma() const;
  const Tensor& digamma_() const;
  Tensor round(int64_t decimals = 0) const;
  const Tensor& round_(int64_t decimals = 0) const;
  Tensor logit(std::optional<double> eps = {}) const;
  const Tensor& logit_(std::optional<double> eps = {}) const;
  Tensor nan_to_num(std::optional<double> nan = {}, std::optional<double> posinf = {}, std::optional<double> neginf = {}) const;
  const Tensor& nan_to_num_(std::optional<double> nan = {}, std::optional<double> posinf = {}, std::optional<double> neginf = {}) const;
  Tensor positive() const;
  Tensor isnan() const;
  Tensor isinf() const;
  Tensor isposinf() const;
  Tensor isneginf() const;
  Tensor isfinite() const;
  Tensor signbit() const;
  Tensor logical_not() const;
  const Tensor& logical_not_() const;
  Tensor bitwise_not() const;
  const Tensor& bitwise_not_() const;
  // activation
  Tensor relu() const;
  const Tensor& relu_() const;
  Tensor hardshrink(double lambd = 0.5) const;
  Tensor prelu(const Tensor& weight) const;
  // elementwise_binary
  Tensor add(const Tensor& b, Scalar alpha = 1) const;
  const Tensor& add_(const Tensor& other, Scalar alpha = 1) const;
  Tensor sub(const Tensor& b, Scalar alpha = 1) const;
  const Tensor& sub_(const Tensor& other, Scalar alpha = 1) const;
  Tensor mul(const Tensor& b) const;
  const Tensor& mul_(const Tensor& other) const;
  Tensor div(const Tensor& b, std::optional<std::string_view> rounding_mode = {}) const;
  const Tensor& div_(const Tensor& other, std::optional<std::string_view> rounding_mode = {}) const;
  Tensor floor_divide(const Tensor& b) const;
  const Tensor& floor_divide_(const Tensor& other) const;
  Tensor remainder(const Tensor& b) const;
  const Tensor& remainder_(const Tensor& other) const;
  Tensor fmod(const Tensor& b) const;
  const Tensor& fmod_(const Tensor& other) const;
  Tensor pow(Scalar exponent) const;
  Tensor pow(const Tensor& exponent) const;
  const Tensor& pow_(Scalar exponent) const;
  const Tensor& pow_(const Tensor& exponent) const;
  Tensor atan2(const Tensor& b) const;
  const Tensor& atan2_(const Tensor& other) const;
  Tensor hypot(const Tensor& b) const;
  const Tensor& hypot_(const Tensor& other) const;
  Tensor copysign(const Tensor& b) const;
  const Tensor& copysign_(const Tensor& other) const;
  Tensor logaddexp(const Tensor& b) const;
  Tensor logaddexp2(const Tensor& b) const;
  Tensor xlogy(const Tensor& b) const;
  const Tensor& xlogy_(const Tensor& other) const;
  Tensor maximum(const Tensor& b) const;
  Tensor minimum(const Tensor& b) const;
  Tensor fmax(const Tensor& b) const;
  Tensor fmin(const Tensor& b) const;
  Tensor heaviside(const Tensor& values) const;
  const Tensor& heaviside_(const Tensor& values) const;
  Tensor bitwise_and(const Tensor& b) const;
  const Tensor& bitwise_and_(const Tensor& other) const;
  Tensor bitwise_or(const Tensor& b) const;
  const Tensor& bitwise_or_(const Tensor& other) const;
  Tensor bitwise_xor(const Tensor& b) const;
  const Tensor& bitwise_xor_(const Tensor& other) const;
  Tensor bitwise_left_shift(const Tensor& b) const;
  const Tensor& bitwise_left_shift_(const Tensor& other) const;
  Tensor bitwise_right_shift(const Tensor& b) const;
  const Tensor& bitwise_right_shift_(const Tensor& other) const;
  // comparison
  Tensor eq(const Tensor& b) const;
  const Tensor& eq_(const Tensor& other) const;
  Tensor ne(const Tensor& b) const;
  const Tensor& ne_(const Tensor& other) const;
  Tensor lt(const Tensor& b) const;
  const Tensor& lt_(const Tensor& other) const;
  Tensor le(const Tensor& b) const;
  const Tensor& le_(const Tensor& other) const;
  Tensor gt(const Tensor& b) const;
  const Tensor& gt_(const Tensor& other) const;
  Tensor ge(const Tensor& b) const;
  const Tensor& ge_(const Tensor& other) const;
  Tensor logical_and(const Tensor& b) const;
  const Tensor& logical_and_(const Tensor& other) const;
  Tensor logical_or(const Tensor& b) const;
  const Tensor& logical_or_(const Tensor& other) const;
  Tensor logical_xor(const Tensor& b) const;
  const Tensor& logical_xor_(const Tensor& other) const;
  // elementwise_ternary
  Tensor where(const Tensor& a, const Tensor& b) const;
  Tensor lerp(const Tensor& end, const Tensor& weight) const;
  Tensor lerp(const Tensor& end, double weight) const;
  const Tensor& lerp_(const Tensor& end, const Tensor& weight) const;
  const Tensor& lerp_(const Tensor& end, double weight) const;
  Tensor addcmul(const Tensor& tensor1, const Tensor& tensor2, Scalar value = 1) const;
  const Tensor& addcmul_(const Tensor& tensor1, const Tensor& tensor2, Scalar value = 1) const;
  Tensor addcdiv(const Tensor& tensor1, const Tensor& tensor2, Scalar value = 1) const;
  const Tensor& addcdiv_(const Tensor& tensor1, const Tensor& tensor2, Scalar value = 1) const;
  Tensor clamp(std::optional<Scalar> min, std::optional<Scalar> max = {}) const;
  Tensor clamp(const Tensor& min, const Tensor& max = {}) const;
  const Tensor& clamp_(std::optional<Scalar> min, std::optional<Scalar> max = {}) const;
  const Tensor& clamp_(const Tensor& min, const Tensor& max = {}) const;
  Tensor clamp_min(Scalar min) const;
  Tensor clamp_min(const Tensor& min) const;
  Tensor clamp_max(Scalar max) const;
  Tensor clamp_max(const Tensor& max) const;
  const Tensor& clamp_min_(Scalar min) const;
  const Tensor& clamp_min_(const Tensor& min) const;
  const Tensor& clamp_max_(Scalar max) const;
  const Tensor& clamp_max_(const Tensor& max) const;
  // copy
  Tensor to(Dtype dtype, bool copy = false) const;
  Tensor to(Device device, std::optional<Dtype> dtype = {}, bool copy = false) const;
  Tensor clone(MemoryFormat format = MemoryFormat::Preserve) const;
  Tensor contiguous(MemoryFormat format = MemoryFormat::Contiguous) const;
  const Tensor& copy_(const Tensor& src, bool non_blocking = false) const;
  const Tensor& fill_(Scalar value) const;
  const Tensor& fill_(const Tensor& value) const;
  const Tensor& zero_() const;
  // random
  Tensor bernoulli(const Generator* generator = nullptr) const;
  Tensor multinomial(int64_t num_samples, OnlyBool replacement = false, const Generator* generator = nullptr) const;
  const Tensor& uniform_(double low = 0, double high = 1, const Generator* generator = nullptr) const;
  const Tensor& normal_(double mean = 0, double std = 1, const Generator* generator = nullptr) const;
  const Tensor& bernoulli_(double p = 0.5, const Generator* generator = nullptr) const;
  const Tensor& bernoulli_(const Tensor& p, const Generator* generator = nullptr) const;
  const Tensor& random_(std::optional<int64_t> low = {}, std::optional<int64_t> high = {}, const Generator* generator = nullptr) const;
  const Tensor& exponential_(double lambd = 1, const Generator* generator = nullptr) const;
  // complex
  Tensor conj() const;
  Tensor angle() const;
  Tensor isreal() const;
  Tensor adjoint() const;
  // signal
  Tensor stft(int64_t n_fft, std::optional<int64_t> hop_length = {}, std::optional<int64_t> win_length = {}, const Tensor& window = {}, bool center = true, std::string_view pad_mode = "reflect", bool normalized = false, std::optional<bool> onesided = {}, std::optional<bool> return_complex = {}) const;
  Tensor istft(int64_t n_fft, std::optional<int64_t> hop_length = {}, std::optional<int64_t> win_length = {}, const Tensor& window = {}, bool center = true, bool normalized = false, std::optional<bool> onesided = {}, std::optional<int64_t> length = {}, bool return_complex = false) const;
  // reduce
  Tensor sum(IntList dim = {}, bool keepdim = false, std::optional<Dtype> dtype = {}) const;
  Tensor sum_to_size(IntList size) const;
  Tensor mean(IntList dim = {}, bool keepdim = false, std::optional<Dtype> dtype = {}) const;
  Tensor prod(std::optional<Dtype> dtype = {}) const;
  Tensor prod(int64_t dim, bool keepdim = false, std::optional<Dtype> dtype = {}) const;
  Tensor max() const;
  ValuesIndices max(int64_t dim, bool keepdim = false) const;
  Tensor min() const;
  ValuesIndices min(int64_t dim, bool keepdim = false) const;
  Tensor argmax(std::optional<int64_t> dim = {}, bool keepdim = false) const;
  Tensor argmin(std::optional<int64_t> dim = {}, bool keepdim = false) const;
  Tensor amax(IntList dim = {}, bool keepdim = false) const;
  Tensor amin(IntList dim = {}, bool keepdim = false) const;
  std::tuple<Tensor, Tensor> aminmax(std::optional<int64_t> dim = {}, bool keepdim = false) const;
  Tensor var(IntList dim = {}, Scalar correction = 1, bool keepdim = false) const;
  Tensor std(IntList dim = {}, Scalar correction = 1, bool keepdim = false) const;
  Tensor norm(Scalar p = 2, IntList dim = {}, bool keepdim = false, std::optional<Dtype> dtype = {}) const;
  Tensor logsumexp(IntList dim, bool keepdim = false) const;
  Tensor all(IntList dim = {}, bool keepdim = false) const;
  Tensor any(IntList dim = {}, bool keepdim = false) const;
  Tensor count_nonzero(IntList dim = {}) const;
  Tensor nansum(IntList dim = {}, bool keepdim = false, std::optional<Dtype> dtype = {}) const;
  Tensor nanmean(IntList dim = {}, bool keepdim = false, std::optional<Dtype> dtype = {}) const;
  bool equal(const Tensor& b) const;
  bool allclose(const Tensor& b, double rtol = 1e-5, double atol = 1e-8, bool equal_nan = false) const;
  Tensor isclose(const Tensor& b, double rtol = 1e-5, double atol = 1e-8, bool equal_nan = false) const;
  // scan
  Tensor cumsum(int64_t dim, std::optional<Dtype> dtype = {}) const;
  Tensor cumprod(int64_t dim, std::optional<Dtype> dtype = {}) const;
  ValuesIndices cummax(int64_t dim) const;
  ValuesIndices cummin(int64_t dim) const;
  Tensor logcumsumexp(int64_t dim) const;
  // softmax
  Tensor softmax(int64_t dim, std::optional<Dtype> dtype = {}) const;
  Tensor log_softmax(int64_t dim, std::optional<Dtype> dtype = {}) const;
  // view
  Tensor view(IntList shape) const;
  Tensor view(Dtype dtype) const;
  Tensor view_as(const Tensor& other) const;
  Tensor reshape(IntList shape) const;
  Tensor reshape_as(const Tensor& other) const;
  Tensor ravel() const;
  Tensor flatten(int64_t start_dim = 0, int64_t end_dim = -1) const;
  Tensor unflatten(int64_t dim, IntList sizes) const;
  Tensor transpose(int64_t dim0, int64_t dim1) const;
  Tensor t() const;
  Tensor mT() const;
  Tensor permute(IntList dims) const;
  Tensor movedim(IntList source, IntList destination) const;
  Tensor squeeze() const;
  Tensor squeeze(IntList dim) const;
  Tensor unsqueeze(int64_t dim) const;
  Tensor expand(IntList size) const;
  Tensor expand_as(const Tensor& other) const;
  Tensor broadcast_to(IntList size) const;
  const Tensor& transpose_(int64_t dim0, int64_t dim1) const;
  const Tensor& t_() const;
  const Tensor& squeeze_() const;
  const Tensor& squeeze_(IntList dim) const;
  const Tensor& unsqueeze_(int64_t dim) const;
  // slice
  Tensor narrow(int64_t dim, int64_t start, int64_t length) const;
  Tensor select(int64_t dim, int64_t index) const;
  Tensor diagonal(int64_t offset = 0, int64_t dim1 = 0, int64_t dim2 = 1) const;
  Tensor unfold(int64_t dim, int64_t size, int64_t step) const;
  Tensor as_strided(IntList size, IntList stride, std::optional<int64_t> storage_offset = {}) const;
  std::vector<Tensor> split(int64_t split_size, int64_t dim = 0) const;
  std::vector<Tensor> split(IntList split_sizes, int64_t dim = 0) const;
  std::vector<Tensor> chunk(int64_t chunks, int64_t dim = 0) const;
  std::vector<Tensor> tensor_split(int64_t sections, int64_t dim = 0) const;
  std::vector<Tensor> tensor_split(IntList indices, int64_t dim = 0) const;
  std::vector<Tensor> unbind(int64_t dim = 0) const;
  // shape
  Tensor repeat(IntList repeats) const;
  Tensor tile(IntList dims) const;
  Tensor repeat_interleave(int64_t repeats, std::optional<int64_t> dim = {}) const;
  Tensor repeat_interleave(const Tensor& repeats, std::optional<int64_t> dim = {}) const;
  Tensor repeat_interleave(std::optional<int64_t> output_size = {}) const;
  Tensor flip(IntList dims) const;
  Tensor fliplr() const;
  Tensor flipud() const;
  Tensor roll(IntList shifts, IntList dims = {}) const;
  Tensor rot90(int64_t k = 1, IntList dims = {0, 1}) const;
  // triangle
  Tensor tril(int64_t diagonal = 0) const;
  Tensor triu(int64_t diagonal = 0) const;
  const Tensor& tril_(int64_t diagonal = 0) const;
  const Tensor& triu_(int64_t diagonal = 0) const;
  Tensor diag(int64_t diagonal = 0) const;
  Tensor diag_embed(int64_t offset = 0, int64_t dim1 = -2, int64_t dim2 = -1) const;
  Tensor diagflat(int64_t offset = 0) const;
  Tensor select_scatter(const Tensor& src, int64_t dim, int64_t index) const;
  Tensor slice_scatter(const Tensor& src, int64_t dim = 0, std::optional<int64_t> start = {}, std::optional<int64_t> end = {}, int64_t step = 1) const;
  Tensor diagonal_scatter(const Tensor& src, int64_t offset = 0, int64_t dim1 = 0, int64_t dim2 = 1) const;
  // index
  Tensor index_put(TensorList indices, const Tensor& value, bool accumulate = false) const;
  Tensor take(const Tensor& index) const;
  // gather
  Tensor gather(int64_t dim, const Tensor& index) const;
  Tensor scatter(int64_t dim, const Tensor& index, const Tensor& src) const;
  Tensor scatter_add(int64_t dim, const Tensor& index, const Tensor& src) const;
  const Tensor& scatter_(int64_t dim, const Tensor& index, const Tensor& src) const;
  const Tensor& scatter_add_(int64_t dim, const Tensor& index, const Tensor& src) const;
  Tensor scatter(int64_t dim, const Tensor& index, Scalar value) const;
  const Tensor& scatter_(int64_t dim, const Tensor& index, Scalar value) const;
  Tensor scatter_reduce(int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce, bool include_self = true) const;
  const Tensor& scatter_reduce_(int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce, bool include_self = true) const;
  Tensor take_along_dim(const Tensor& indices, std::optional<int64_t> dim = {}) const;
  // index_select
  Tensor index_select(int64_t dim, const Tensor& index) const;
  Tensor index_add(int64_t dim, const Tensor& index, const Tensor& source, Scalar alpha = 1) const;
  const Tensor& index_add_(int64_t dim, const Tensor& index, const Tensor& source, Scalar alpha = 1) const;
  Tensor index_fill(int64_t dim, const Tensor& index, const Tensor& value) const;
  Tensor index_fill(int64_t dim, const Tensor& index, Scalar value) const;
  const Tensor& index_fill_(int64_t dim, const Tensor& index, const Tensor& value) const;
  const Tensor& index_fill_(int64_t dim, const Tensor& index, Scalar value) const;
  Tensor index_copy(int64_t dim, const Tensor& index, const Tensor& source) const;
  const Tensor& index_copy_(int64_t dim, const Tensor& index, const Tensor& source) const;
  // masked
  Tensor nonzero() const;
  Tensor masked_select(const Tensor& mask) const;
  Tensor masked_fill(const Tensor& mask, const Tensor& value) const;
  Tensor masked_fill(const Tensor& mask, Scalar value) const;
  const Tensor& masked_fill_(const Tensor& mask, const Tensor& value) const;
  const Tensor& masked_fill_(const Tensor& mask, Scalar value) const;
  Tensor masked_scatter(const Tensor& mask, const Tensor& source) const;
  const Tensor& masked_scatter_(const Tensor& mask, const Tensor& source) const;
  // sort
  ValuesIndices sort(int64_t dim = -1, bool descending = false, bool stable = false) const;
  Tensor argsort(int64_t dim = -1, bool descending = false, bool stable = false) const;
  Tensor msort() const;
  ValuesIndices topk(int64_t k, int64_t dim = -1, bool largest = true, bool sorted = true) const;
  ValuesIndices kthvalue(int64_t k, int64_t dim = -1, bool keepdim = false) const;
  Tensor median() const;
  ValuesIndices median(int64_t dim, bool keepdim = false) const;
  Tensor nanmedian() const;
  ValuesIndices nanmedian(int64_t dim, bool keepdim = false) const;
  ValuesIndices mode(int64_t dim = -1, bool keepdim = false) const;
  // unique
  std::tuple<Tensor, Tensor, Tensor> unique(bool sorted = true, bool return_inverse = false, bool return_counts = false, std::optional<int64_t> dim = {}) const;
  std::tuple<Tensor, Tensor, Tensor> unique_consecutive(bool return_inverse = false, bool return_counts = false, std::optional<int64_t> dim = {}) const;
  Tensor bincount(const Tensor& weights = {}, int64_t minlength = 0) const;
  Tensor histc(int64_t bins = 100, double min = 0, double max = 0) const;
  // matmul
  Tensor matmul(const Tensor& b) const;
  Tensor mm(const Tensor& b) const;
  Tensor bmm(const Tensor& b) const;
  Tensor mv(const Tensor& v) const;
  Tensor dot(const Tensor& b) const;
  Tensor vdot(const Tensor& b) const;
  Tensor inner(const Tensor& b) const;
  Tensor outer(const Tensor& b) const;
  Tensor addr(const Tensor& a, const Tensor& b, Scalar beta = 1, Scalar alpha = 1) const;
  Tensor addmm(const Tensor& a, const Tensor& b, Scalar beta = 1, Scalar alpha = 1) const;
  Tensor addmv(const Tensor& a, const Tensor& v, Scalar beta = 1, Scalar alpha = 1) const;
  Tensor addbmm(const Tensor& a, const Tensor& b, Scalar beta = 1, Scalar alpha = 1) const;
  Tensor baddbmm(const Tensor& a, const Tensor& b, Scalar beta = 1, Scalar alpha = 1) const;
  const Tensor& addmm_(const Tensor& a, const Tensor& b, Scalar beta = 1, Scalar alpha = 1) const;
  const Tensor& addmv_(const Tensor& a, const Tensor& v, Scalar beta = 1, Scalar alpha = 1) const;
  const Tensor& addr_(const Tensor& a, const Tensor& b, Scalar beta = 1, Scalar alpha = 1) const;
  const Tensor& addbmm_(const Tensor& a, const Tensor& b, Scalar beta = 1, Scalar alpha = 1) const;
  const Tensor& baddbmm_(const Tensor& a, const Tensor& b, Scalar beta = 1, Scalar alpha = 1) const;
  // linalg
  Tensor cholesky(bool upper = false) const;
  Tensor cholesky_inverse(bool upper = false) const;
  Tensor cholesky_solve(const Tensor& L, bool upper = false) const;
  Tensor det() const;
  Tensor logdet() const;
  std::tuple<Tensor, Tensor> slogdet() const;
  Tensor inverse() const;
  Tensor pinverse(double rcond = 1e-15) const;
  std::tuple<Tensor, Tensor> qr(bool some = true) const;
  std::tuple<Tensor, Tensor, Tensor> svd(bool some = true, bool compute_uv = true) const;
  std::tuple<Tensor, Tensor> triangular_solve(const Tensor& A, bool upper = true, bool transpose = false, bool unitriangular = false) const;
  Tensor lu_solve(const Tensor& LU, const Tensor& pivots) const;
  Tensor matrix_exp() const;
  Tensor matrix_power(int64_t n) const;
  Tensor orgqr(const Tensor& tau) const;
  std::tuple<Tensor, Tensor> geqrf() const;
  Tensor ormqr(const Tensor& tau, const Tensor& other, bool left = true, bool transpose = false) const;
  // numeric
  Tensor trace() const;
  Tensor cross(const Tensor& other, std::optional<int64_t> dim = {}) const;
  Tensor kron(const Tensor& other) const;
  Tensor cov(int64_t correction = 1, const Tensor& fweights = {}, const Tensor& aweights = {}) const;
  Tensor corrcoef() const;
  Tensor diff(int64_t n = 1, int64_t dim = -1, const Tensor& prepend = {}, const Tensor& append = {}) const;
  // distance
  Tensor dist(const Tensor& other, Scalar p = 2) const;
  Tensor renorm(Scalar p, int64_t dim, Scalar maxnorm) const;
  const Tensor& renorm_(Scalar p, int64_t dim, Scalar maxnorm) const;
  // Indexing: x[2], x[mask], x[{Slice(0, 2), None, Ellipsis}]; to write, x[2].fill_(0) or x.index_put_({mask}, value)
  Tensor operator[](int64_t i) const;
  Tensor operator[](const Tensor& mask_or_indices) const;
  Tensor operator[](const Index& one) const;
  Tensor operator[](std::initializer_list<Index> indices) const;
  Tensor index(std::initializer_list<Index> indices) const;
  const Tensor& index_put_(std::initializer_list<Index> indices, const Tensor& value) const;
  const Tensor& index_put_(std::initializer_list<Index> indices, Scalar value) const;

 private:
  int64_t checked_dim(int64_t d) const {
    const int64_t n = p_->ndim;
    if (d < -n || d >= n) [[unlikely]] wrong_dim(d);
    return d < 0 ? d + n : d;
  }
  [[noreturn]] void wrong_dim(int64_t d) const;
  [[noreturn]] void wrong_dtype(Dtype wanted) const; [[noreturn]] void not_contiguous() const;
  Scalar element(IntList at) const;
};

/// A view of some tensors; as IntList, does not own.
class TensorList {
  const Tensor* data_ = nullptr; size_t size_ = 0;
 public:
  TensorList() = default;
  TensorList(const Tensor* data, size_t size) : data_(data), size_(size) {}
  TensorList(std::initializer_list<Tensor> l) { data_ = l.begin(), size_ = l.size(); }
  TensorList(const Tensor& one) : data_(&one), size_(1) {}
  TensorList(const std::vector<Tensor>& v) : data_(v.data()), size_(v.size()) {}
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const Tensor* begin() const { return data_; } const Tensor* end() const { return data_ + size_; }
  const Tensor& operator[](size_t i) const { return data_[i]; }
};

// ---- making tensors without an op ----------------------------------------------------------------------------------

/// Uninitialised memory, row-major. Throws ShapeError (negative size, too many dims) and OutOfMemoryError.
TG_API Tensor empty(IntList size, Dtype dtype, Device device = {});
TG_API Tensor empty_strided(IntList size, IntList stride, Dtype dtype, Device device = {});
/// Same sizes; `Preserve` keeps the order of the strides (dense, no gaps), as PyTorch.
TG_API Tensor empty_like(const Tensor& x, MemoryFormat f = MemoryFormat::Preserve);
TG_API Tensor empty_like(const Tensor& x, Dtype dtype, MemoryFormat f = MemoryFormat::Preserve);
/// Memory of yours as a tensor, no copy. `deleter(context)` runs when the last tensor over it dies. Strides in elements.
TG_API Tensor from_blob(void* data, IntList size, IntList stride, Dtype dtype, void (*deleter)(void*) = nullptr, void* context = nullptr, Device device = {});
/// The same storage through other sizes, strides (elements) and offset from x's first element. No history and no checks.
/// `x` becomes its base when `view` is set, so in-place writes are seen by the tape.
TG_API Tensor alias(const Tensor& x, IntList size, IntList stride, int64_t offset, bool view);
TG_API Tensor detach(const Tensor& x);  ///< same data, no history, same version counter
/// tensor({{1, 2}, {3, 4}}). Without a dtype: that of the numbers, as in Python. Throws ShapeError for rows of unequal lengths.
TG_API Tensor tensor(const Numbers& values, std::optional<Dtype> dtype = {});
template <class T> Tensor tensor(const std::vector<T>& values) {
  Tensor t = empty({int64_t(values.size())}, DtypeOf<T>::value);
  for (T* p = t.data_ptr<T>(); const T& v : values) *p++ = v;
  return t;
}
/// PyTorch's text: "tensor([[1., 2.]], requires_grad=True)".
TG_API std::string to_string(const Tensor& x);
TG_API std::ostream& operator<<(std::ostream& out, const Tensor& x);
struct PrintOptions { int precision = 4, threshold = 1000, edgeitems = 3, linewidth = 80; std::optional<bool> sci_mode; };
TG_API PrintOptions& print_options();
/// Threads that kernels may use. The default: TAPEGRAD_NUM_THREADS, else the cores this process may run on.
TG_API int num_threads(); TG_API void set_num_threads(int n);
/// Writes go through here: makes saved values that were overwritten detectable.
inline void bump_version(const Tensor& x) {
  if (!x->untracked && (x->storage->version++, x->storage->saved)) [[unlikely]] detail::note_write(*x->storage);
}

}  // namespace tapegrad
