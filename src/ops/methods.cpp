// The ops as methods of Tensor, one line each; tests/python/test_cpp_methods.py counts them. Out of the headers, where they
// would cost 0.05 s of every user's compile; each opens a scope, so that errors name the user's line and not this file's.
#include "tapegrad/linalg.h"

namespace tapegrad {

// elementwise_unary
Tensor Tensor::neg() const { OpScope op("neg"); return tapegrad::neg(*this); }
const Tensor& Tensor::neg_() const { OpScope op("neg_"); return tapegrad::neg_(*this); }
Tensor Tensor::abs() const { OpScope op("abs"); return tapegrad::abs(*this); }
const Tensor& Tensor::abs_() const { OpScope op("abs_"); return tapegrad::abs_(*this); }
Tensor Tensor::sign() const { OpScope op("sign"); return tapegrad::sign(*this); }
const Tensor& Tensor::sign_() const { OpScope op("sign_"); return tapegrad::sign_(*this); }
Tensor Tensor::sgn() const { OpScope op("sgn"); return tapegrad::sgn(*this); }
const Tensor& Tensor::sgn_() const { OpScope op("sgn_"); return tapegrad::sgn_(*this); }
Tensor Tensor::floor() const { OpScope op("floor"); return tapegrad::floor(*this); }
const Tensor& Tensor::floor_() const { OpScope op("floor_"); return tapegrad::floor_(*this); }
Tensor Tensor::ceil() const { OpScope op("ceil"); return tapegrad::ceil(*this); }
const Tensor& Tensor::ceil_() const { OpScope op("ceil_"); return tapegrad::ceil_(*this); }
Tensor Tensor::trunc() const { OpScope op("trunc"); return tapegrad::trunc(*this); }
const Tensor& Tensor::trunc_() const { OpScope op("trunc_"); return tapegrad::trunc_(*this); }
Tensor Tensor::frac() const { OpScope op("frac"); return tapegrad::frac(*this); }
const Tensor& Tensor::frac_() const { OpScope op("frac_"); return tapegrad::frac_(*this); }
Tensor Tensor::square() const { OpScope op("square"); return tapegrad::square(*this); }
const Tensor& Tensor::square_() const { OpScope op("square_"); return tapegrad::square_(*this); }
Tensor Tensor::sqrt() const { OpScope op("sqrt"); return tapegrad::sqrt(*this); }
const Tensor& Tensor::sqrt_() const { OpScope op("sqrt_"); return tapegrad::sqrt_(*this); }
Tensor Tensor::rsqrt() const { OpScope op("rsqrt"); return tapegrad::rsqrt(*this); }
const Tensor& Tensor::rsqrt_() const { OpScope op("rsqrt_"); return tapegrad::rsqrt_(*this); }
Tensor Tensor::reciprocal() const { OpScope op("reciprocal"); return tapegrad::reciprocal(*this); }
const Tensor& Tensor::reciprocal_() const { OpScope op("reciprocal_"); return tapegrad::reciprocal_(*this); }
Tensor Tensor::exp() const { OpScope op("exp"); return tapegrad::exp(*this); }
const Tensor& Tensor::exp_() const { OpScope op("exp_"); return tapegrad::exp_(*this); }
Tensor Tensor::exp2() const { OpScope op("exp2"); return tapegrad::exp2(*this); }
const Tensor& Tensor::exp2_() const { OpScope op("exp2_"); return tapegrad::exp2_(*this); }
Tensor Tensor::expm1() const { OpScope op("expm1"); return tapegrad::expm1(*this); }
const Tensor& Tensor::expm1_() const { OpScope op("expm1_"); return tapegrad::expm1_(*this); }
Tensor Tensor::log() const { OpScope op("log"); return tapegrad::log(*this); }
const Tensor& Tensor::log_() const { OpScope op("log_"); return tapegrad::log_(*this); }
Tensor Tensor::log2() const { OpScope op("log2"); return tapegrad::log2(*this); }
const Tensor& Tensor::log2_() const { OpScope op("log2_"); return tapegrad::log2_(*this); }
Tensor Tensor::log10() const { OpScope op("log10"); return tapegrad::log10(*this); }
const Tensor& Tensor::log10_() const { OpScope op("log10_"); return tapegrad::log10_(*this); }
Tensor Tensor::log1p() const { OpScope op("log1p"); return tapegrad::log1p(*this); }
const Tensor& Tensor::log1p_() const { OpScope op("log1p_"); return tapegrad::log1p_(*this); }
Tensor Tensor::sin() const { OpScope op("sin"); return tapegrad::sin(*this); }
const Tensor& Tensor::sin_() const { OpScope op("sin_"); return tapegrad::sin_(*this); }
Tensor Tensor::cos() const { OpScope op("cos"); return tapegrad::cos(*this); }
const Tensor& Tensor::cos_() const { OpScope op("cos_"); return tapegrad::cos_(*this); }
Tensor Tensor::tan() const { OpScope op("tan"); return tapegrad::tan(*this); }
const Tensor& Tensor::tan_() const { OpScope op("tan_"); return tapegrad::tan_(*this); }
Tensor Tensor::asin() const { OpScope op("asin"); return tapegrad::asin(*this); }
const Tensor& Tensor::asin_() const { OpScope op("asin_"); return tapegrad::asin_(*this); }
Tensor Tensor::acos() const { OpScope op("acos"); return tapegrad::acos(*this); }
const Tensor& Tensor::acos_() const { OpScope op("acos_"); return tapegrad::acos_(*this); }
Tensor Tensor::atan() const { OpScope op("atan"); return tapegrad::atan(*this); }
const Tensor& Tensor::atan_() const { OpScope op("atan_"); return tapegrad::atan_(*this); }
Tensor Tensor::sinh() const { OpScope op("sinh"); return tapegrad::sinh(*this); }
const Tensor& Tensor::sinh_() const { OpScope op("sinh_"); return tapegrad::sinh_(*this); }
Tensor Tensor::cosh() const { OpScope op("cosh"); return tapegrad::cosh(*this); }
const Tensor& Tensor::cosh_() const { OpScope op("cosh_"); return tapegrad::cosh_(*this); }
Tensor Tensor::tanh() const { OpScope op("tanh"); return tapegrad::tanh(*this); }
const Tensor& Tensor::tanh_() const { OpScope op("tanh_"); return tapegrad::tanh_(*this); }
Tensor Tensor::asinh() const { OpScope op("asinh"); return tapegrad::asinh(*this); }
const Tensor& Tensor::asinh_() const { OpScope op("asinh_"); return tapegrad::asinh_(*this); }
Tensor Tensor::acosh() const { OpScope op("acosh"); return tapegrad::acosh(*this); }
const Tensor& Tensor::acosh_() const { OpScope op("acosh_"); return tapegrad::acosh_(*this); }
Tensor Tensor::atanh() const { OpScope op("atanh"); return tapegrad::atanh(*this); }
const Tensor& Tensor::atanh_() const { OpScope op("atanh_"); return tapegrad::atanh_(*this); }
Tensor Tensor::sinc() const { OpScope op("sinc"); return tapegrad::sinc(*this); }
const Tensor& Tensor::sinc_() const { OpScope op("sinc_"); return tapegrad::sinc_(*this); }
Tensor Tensor::deg2rad() const { OpScope op("deg2rad"); return tapegrad::deg2rad(*this); }
const Tensor& Tensor::deg2rad_() const { OpScope op("deg2rad_"); return tapegrad::deg2rad_(*this); }
Tensor Tensor::rad2deg() const { OpScope op("rad2deg"); return tapegrad::rad2deg(*this); }
const Tensor& Tensor::rad2deg_() const { OpScope op("rad2deg_"); return tapegrad::rad2deg_(*this); }
Tensor Tensor::sigmoid() const { OpScope op("sigmoid"); return tapegrad::sigmoid(*this); }
const Tensor& Tensor::sigmoid_() const { OpScope op("sigmoid_"); return tapegrad::sigmoid_(*this); }
Tensor Tensor::erf() const { OpScope op("erf"); return tapegrad::erf(*this); }
const Tensor& Tensor::erf_() const { OpScope op("erf_"); return tapegrad::erf_(*this); }
Tensor Tensor::erfc() const { OpScope op("erfc"); return tapegrad::erfc(*this); }
const Tensor& Tensor::erfc_() const { OpScope op("erfc_"); return tapegrad::erfc_(*this); }
Tensor Tensor::erfinv() const { OpScope op("erfinv"); return tapegrad::erfinv(*this); }
const Tensor& Tensor::erfinv_() const { OpScope op("erfinv_"); return tapegrad::erfinv_(*this); }
Tensor Tensor::lgamma() const { OpScope op("lgamma"); return tapegrad::lgamma(*this); }
const Tensor& Tensor::lgamma_() const { OpScope op("lgamma_"); return tapegrad::lgamma_(*this); }
Tensor Tensor::digamma() const { OpScope op("digamma"); return tapegrad::digamma(*this); }
const Tensor& Tensor::digamma_() const { OpScope op("digamma_"); return tapegrad::digamma_(*this); }
Tensor Tensor::round(int64_t decimals) const { OpScope op("round"); return tapegrad::round(*this, decimals); }
const Tensor& Tensor::round_(int64_t decimals) const { OpScope op("round_"); return tapegrad::round_(*this, decimals); }
Tensor Tensor::logit(std::optional<double> eps) const { OpScope op("logit"); return tapegrad::logit(*this, eps); }
const Tensor& Tensor::logit_(std::optional<double> eps) const { OpScope op("logit_"); return tapegrad::logit_(*this, eps); }
Tensor Tensor::nan_to_num(std::optional<double> nan, std::optional<double> posinf, std::optional<double> neginf) const { OpScope op("nan_to_num"); return tapegrad::nan_to_num(*this, nan, posinf, neginf); }
const Tensor& Tensor::nan_to_num_(std::optional<double> nan, std::optional<double> posinf, std::optional<double> neginf) const { OpScope op("nan_to_num_"); return tapegrad::nan_to_num_(*this, nan, posinf, neginf); }
Tensor Tensor::positive() const { OpScope op("positive"); return tapegrad::positive(*this); }
Tensor Tensor::isnan() const { OpScope op("isnan"); return tapegrad::isnan(*this); }
Tensor Tensor::isinf() const { OpScope op("isinf"); return tapegrad::isinf(*this); }
Tensor Tensor::isposinf() const { OpScope op("isposinf"); return tapegrad::isposinf(*this); }
Tensor Tensor::isneginf() const { OpScope op("isneginf"); return tapegrad::isneginf(*this); }
Tensor Tensor::isfinite() const { OpScope op("isfinite"); return tapegrad::isfinite(*this); }
Tensor Tensor::signbit() const { OpScope op("signbit"); return tapegrad::signbit(*this); }
Tensor Tensor::logical_not() const { OpScope op("logical_not"); return tapegrad::logical_not(*this); }
const Tensor& Tensor::logical_not_() const { OpScope op("logical_not_"); return tapegrad::logical_not_(*this); }
Tensor Tensor::bitwise_not() const { OpScope op("bitwise_not"); return tapegrad::bitwise_not(*this); }
const Tensor& Tensor::bitwise_not_() const { OpScope op("bitwise_not_"); return tapegrad::bitwise_not_(*this); }

// activation
Tensor Tensor::relu() const { OpScope op("relu"); return tapegrad::relu(*this); }
const Tensor& Tensor::relu_() const { OpScope op("relu_"); return tapegrad::relu_(*this); }
Tensor Tensor::hardshrink(double lambd) const { OpScope op("hardshrink"); return tapegrad::hardshrink(*this, lambd); }
Tensor Tensor::prelu(const Tensor& weight) const { OpScope op("prelu"); return tapegrad::prelu(*this, weight); }

// elementwise_binary
Tensor Tensor::add(const Tensor& b, Scalar alpha) const { OpScope op("add"); return tapegrad::add(*this, b, alpha); }
const Tensor& Tensor::add_(const Tensor& other, Scalar alpha) const { OpScope op("add_"); return tapegrad::add_(*this, other, alpha); }
Tensor Tensor::sub(const Tensor& b, Scalar alpha) const { OpScope op("sub"); return tapegrad::sub(*this, b, alpha); }
const Tensor& Tensor::sub_(const Tensor& other, Scalar alpha) const { OpScope op("sub_"); return tapegrad::sub_(*this, other, alpha); }
Tensor Tensor::mul(const Tensor& b) const { OpScope op("mul"); return tapegrad::mul(*this, b); }
const Tensor& Tensor::mul_(const Tensor& other) const { OpScope op("mul_"); return tapegrad::mul_(*this, other); }
Tensor Tensor::div(const Tensor& b, std::optional<std::string_view> rounding_mode) const { OpScope op("div"); return tapegrad::div(*this, b, rounding_mode); }
const Tensor& Tensor::div_(const Tensor& other, std::optional<std::string_view> rounding_mode) const { OpScope op("div_"); return tapegrad::div_(*this, other, rounding_mode); }
Tensor Tensor::floor_divide(const Tensor& b) const { OpScope op("floor_divide"); return tapegrad::floor_divide(*this, b); }
const Tensor& Tensor::floor_divide_(const Tensor& other) const { OpScope op("floor_divide_"); return tapegrad::floor_divide_(*this, other); }
Tensor Tensor::remainder(const Tensor& b) const { OpScope op("remainder"); return tapegrad::remainder(*this, b); }
const Tensor& Tensor::remainder_(const Tensor& other) const { OpScope op("remainder_"); return tapegrad::remainder_(*this, other); }
Tensor Tensor::fmod(const Tensor& b) const { OpScope op("fmod"); return tapegrad::fmod(*this, b); }
const Tensor& Tensor::fmod_(const Tensor& other) const { OpScope op("fmod_"); return tapegrad::fmod_(*this, other); }
Tensor Tensor::pow(Scalar exponent) const { OpScope op("pow"); return tapegrad::pow(*this, exponent); }
Tensor Tensor::pow(const Tensor& exponent) const { OpScope op("pow"); return tapegrad::pow(*this, exponent); }
const Tensor& Tensor::pow_(Scalar exponent) const { OpScope op("pow_"); return tapegrad::pow_(*this, exponent); }
const Tensor& Tensor::pow_(const Tensor& exponent) const { OpScope op("pow_"); return tapegrad::pow_(*this, exponent); }
Tensor Tensor::atan2(const Tensor& b) const { OpScope op("atan2"); return tapegrad::atan2(*this, b); }
const Tensor& Tensor::atan2_(const Tensor& other) const { OpScope op("atan2_"); return tapegrad::atan2_(*this, other); }
Tensor Tensor::hypot(const Tensor& b) const { OpScope op("hypot"); return tapegrad::hypot(*this, b); }
const Tensor& Tensor::hypot_(const Tensor& other) const { OpScope op("hypot_"); return tapegrad::hypot_(*this, other); }
Tensor Tensor::copysign(const Tensor& b) const { OpScope op("copysign"); return tapegrad::copysign(*this, b); }
const Tensor& Tensor::copysign_(const Tensor& other) const { OpScope op("copysign_"); return tapegrad::copysign_(*this, other); }
Tensor Tensor::logaddexp(const Tensor& b) const { OpScope op("logaddexp"); return tapegrad::logaddexp(*this, b); }
Tensor Tensor::logaddexp2(const Tensor& b) const { OpScope op("logaddexp2"); return tapegrad::logaddexp2(*this, b); }
Tensor Tensor::xlogy(const Tensor& b) const { OpScope op("xlogy"); return tapegrad::xlogy(*this, b); }
const Tensor& Tensor::xlogy_(const Tensor& other) const { OpScope op("xlogy_"); return tapegrad::xlogy_(*this, other); }
Tensor Tensor::maximum(const Tensor& b) const { OpScope op("maximum"); return tapegrad::maximum(*this, b); }
Tensor Tensor::minimum(const Tensor& b) const { OpScope op("minimum"); return tapegrad::minimum(*this, b); }
Tensor Tensor::fmax(const Tensor& b) const { OpScope op("fmax"); return tapegrad::fmax(*this, b); }
Tensor Tensor::fmin(const Tensor& b) const { OpScope op("fmin"); return tapegrad::fmin(*this, b); }
Tensor Tensor::heaviside(const Tensor& values) const { OpScope op("heaviside"); return tapegrad::heaviside(*this, values); }
const Tensor& Tensor::heaviside_(const Tensor& values) const { OpScope op("heaviside_"); return tapegrad::heaviside_(*this, values); }
Tensor Tensor::bitwise_and(const Tensor& b) const { OpScope op("bitwise_and"); return tapegrad::bitwise_and(*this, b); }
const Tensor& Tensor::bitwise_and_(const Tensor& other) const { OpScope op("bitwise_and_"); return tapegrad::bitwise_and_(*this, other); }
Tensor Tensor::bitwise_or(const Tensor& b) const { OpScope op("bitwise_or"); return tapegrad::bitwise_or(*this, b); }
const Tensor& Tensor::bitwise_or_(const Tensor& other) const { OpScope op("bitwise_or_"); return tapegrad::bitwise_or_(*this, other); }
Tensor Tensor::bitwise_xor(const Tensor& b) const { OpScope op("bitwise_xor"); return tapegrad::bitwise_xor(*this, b); }
const Tensor& Tensor::bitwise_xor_(const Tensor& other) const { OpScope op("bitwise_xor_"); return tapegrad::bitwise_xor_(*this, other); }
Tensor Tensor::bitwise_left_shift(const Tensor& b) const { OpScope op("bitwise_left_shift"); return tapegrad::bitwise_left_shift(*this, b); }
const Tensor& Tensor::bitwise_left_shift_(const Tensor& other) const { OpScope op("bitwise_left_shift_"); return tapegrad::bitwise_left_shift_(*this, other); }
Tensor Tensor::bitwise_right_shift(const Tensor& b) const { OpScope op("bitwise_right_shift"); return tapegrad::bitwise_right_shift(*this, b); }
const Tensor& Tensor::bitwise_right_shift_(const Tensor& other) const { OpScope op("bitwise_right_shift_"); return tapegrad::bitwise_right_shift_(*this, other); }

// comparison
Tensor Tensor::eq(const Tensor& b) const { OpScope op("eq"); return tapegrad::eq(*this, b); }
const Tensor& Tensor::eq_(const Tensor& other) const { OpScope op("eq_"); return tapegrad::eq_(*this, other); }
Tensor Tensor::ne(const Tensor& b) const { OpScope op("ne"); return tapegrad::ne(*this, b); }
const Tensor& Tensor::ne_(const Tensor& other) const { OpScope op("ne_"); return tapegrad::ne_(*this, other); }
Tensor Tensor::lt(const Tensor& b) const { OpScope op("lt"); return tapegrad::lt(*this, b); }
const Tensor& Tensor::lt_(const Tensor& other) const { OpScope op("lt_"); return tapegrad::lt_(*this, other); }
Tensor Tensor::le(const Tensor& b) const { OpScope op("le"); return tapegrad::le(*this, b); }
const Tensor& Tensor::le_(const Tensor& other) const { OpScope op("le_"); return tapegrad::le_(*this, other); }
Tensor Tensor::gt(const Tensor& b) const { OpScope op("gt"); return tapegrad::gt(*this, b); }
const Tensor& Tensor::gt_(const Tensor& other) const { OpScope op("gt_"); return tapegrad::gt_(*this, other); }
Tensor Tensor::ge(const Tensor& b) const { OpScope op("ge"); return tapegrad::ge(*this, b); }
const Tensor& Tensor::ge_(const Tensor& other) const { OpScope op("ge_"); return tapegrad::ge_(*this, other); }
Tensor Tensor::logical_and(const Tensor& b) const { OpScope op("logical_and"); return tapegrad::logical_and(*this, b); }
const Tensor& Tensor::logical_and_(const Tensor& other) const { OpScope op("logical_and_"); return tapegrad::logical_and_(*this, other); }
Tensor Tensor::logical_or(const Tensor& b) const { OpScope op("logical_or"); return tapegrad::logical_or(*this, b); }
const Tensor& Tensor::logical_or_(const Tensor& other) const { OpScope op("logical_or_"); return tapegrad::logical_or_(*this, other); }
Tensor Tensor::logical_xor(const Tensor& b) const { OpScope op("logical_xor"); return tapegrad::logical_xor(*this, b); }
const Tensor& Tensor::logical_xor_(const Tensor& other) const { OpScope op("logical_xor_"); return tapegrad::logical_xor_(*this, other); }

// elementwise_ternary
Tensor Tensor::where(const Tensor& a, const Tensor& b) const { OpScope op("where"); return tapegrad::where(*this, a, b); }
Tensor Tensor::lerp(const Tensor& end, const Tensor& weight) const { OpScope op("lerp"); return tapegrad::lerp(*this, end, weight); }
Tensor Tensor::lerp(const Tensor& end, double weight) const { OpScope op("lerp"); return tapegrad::lerp(*this, end, weight); }
const Tensor& Tensor::lerp_(const Tensor& end, const Tensor& weight) const { OpScope op("lerp_"); return tapegrad::lerp_(*this, end, weight); }
const Tensor& Tensor::lerp_(const Tensor& end, double weight) const { OpScope op("lerp_"); return tapegrad::lerp_(*this, end, weight); }
Tensor Tensor::addcmul(const Tensor& tensor1, const Tensor& tensor2, Scalar value) const { OpScope op("addcmul"); return tapegrad::addcmul(*this, tensor1, tensor2, value); }
const Tensor& Tensor::addcmul_(const Tensor& tensor1, const Tensor& tensor2, Scalar value) const { OpScope op("addcmul_"); return tapegrad::addcmul_(*this, tensor1, tensor2, value); }
Tensor Tensor::addcdiv(const Tensor& tensor1, const Tensor& tensor2, Scalar value) const { OpScope op("addcdiv"); return tapegrad::addcdiv(*this, tensor1, tensor2, value); }
const Tensor& Tensor::addcdiv_(const Tensor& tensor1, const Tensor& tensor2, Scalar value) const { OpScope op("addcdiv_"); return tapegrad::addcdiv_(*this, tensor1, tensor2, value); }
Tensor Tensor::clamp(std::optional<Scalar> min, std::optional<Scalar> max) const { OpScope op("clamp"); return tapegrad::clamp(*this, min, max); }
Tensor Tensor::clamp(const Tensor& min, const Tensor& max) const { OpScope op("clamp"); return tapegrad::clamp(*this, min, max); }
const Tensor& Tensor::clamp_(std::optional<Scalar> min, std::optional<Scalar> max) const { OpScope op("clamp_"); return tapegrad::clamp_(*this, min, max); }
const Tensor& Tensor::clamp_(const Tensor& min, const Tensor& max) const { OpScope op("clamp_"); return tapegrad::clamp_(*this, min, max); }
Tensor Tensor::clamp_min(Scalar min) const { OpScope op("clamp_min"); return tapegrad::clamp_min(*this, min); }
Tensor Tensor::clamp_min(const Tensor& min) const { OpScope op("clamp_min"); return tapegrad::clamp_min(*this, min); }
Tensor Tensor::clamp_max(Scalar max) const { OpScope op("clamp_max"); return tapegrad::clamp_max(*this, max); }
Tensor Tensor::clamp_max(const Tensor& max) const { OpScope op("clamp_max"); return tapegrad::clamp_max(*this, max); }
const Tensor& Tensor::clamp_min_(Scalar min) const { OpScope op("clamp_min_"); return tapegrad::clamp_min_(*this, min); }
const Tensor& Tensor::clamp_min_(const Tensor& min) const { OpScope op("clamp_min_"); return tapegrad::clamp_min_(*this, min); }
const Tensor& Tensor::clamp_max_(Scalar max) const { OpScope op("clamp_max_"); return tapegrad::clamp_max_(*this, max); }
const Tensor& Tensor::clamp_max_(const Tensor& max) const { OpScope op("clamp_max_"); return tapegrad::clamp_max_(*this, max); }

// copy
Tensor Tensor::to(Dtype dtype, bool copy) const { OpScope op("to"); return tapegrad::to(*this, dtype, copy); }
Tensor Tensor::to(Device device, std::optional<Dtype> dtype, bool copy) const { OpScope op("to"); return tapegrad::to(*this, device, dtype, copy); }
Tensor Tensor::clone(MemoryFormat format) const { OpScope op("clone"); return tapegrad::clone(*this, format); }
Tensor Tensor::contiguous(MemoryFormat format) const { OpScope op("contiguous"); return tapegrad::contiguous(*this, format); }
const Tensor& Tensor::copy_(const Tensor& src, bool non_blocking) const { OpScope op("copy_"); return tapegrad::copy_(*this, src, non_blocking); }
const Tensor& Tensor::fill_(Scalar value) const { OpScope op("fill_"); return tapegrad::fill_(*this, value); }
const Tensor& Tensor::fill_(const Tensor& value) const { OpScope op("fill_"); return tapegrad::fill_(*this, value); }
const Tensor& Tensor::zero_() const { OpScope op("zero_"); return tapegrad::zero_(*this); }

// random
Tensor Tensor::bernoulli(const Generator* generator) const { OpScope op("bernoulli"); return tapegrad::bernoulli(*this, generator); }
Tensor Tensor::multinomial(int64_t num_samples, OnlyBool replacement, const Generator* generator) const { OpScope op("multinomial"); return tapegrad::multinomial(*this, num_samples, replacement, generator); }
const Tensor& Tensor::uniform_(double low, double high, const Generator* generator) const { OpScope op("uniform_"); return tapegrad::uniform_(*this, low, high, generator); }
const Tensor& Tensor::normal_(double mean, double std, const Generator* generator) const { OpScope op("normal_"); return tapegrad::normal_(*this, mean, std, generator); }
const Tensor& Tensor::bernoulli_(double p, const Generator* generator) const { OpScope op("bernoulli_"); return tapegrad::bernoulli_(*this, p, generator); }
const Tensor& Tensor::bernoulli_(const Tensor& p, const Generator* generator) const { OpScope op("bernoulli_"); return tapegrad::bernoulli_(*this, p, generator); }
const Tensor& Tensor::random_(std::optional<int64_t> low, std::optional<int64_t> high, const Generator* generator) const { OpScope op("random_"); return tapegrad::random_(*this, low, high, generator); }
const Tensor& Tensor::exponential_(double lambd, const Generator* generator) const { OpScope op("exponential_"); return tapegrad::exponential_(*this, lambd, generator); }

// complex
Tensor Tensor::conj() const { OpScope op("conj"); return tapegrad::conj(*this); }
Tensor Tensor::angle() const { OpScope op("angle"); return tapegrad::angle(*this); }
Tensor Tensor::isreal() const { OpScope op("isreal"); return tapegrad::isreal(*this); }
Tensor Tensor::adjoint() const { OpScope op("adjoint"); return tapegrad::adjoint(*this); }
// signal
Tensor Tensor::stft(int64_t n_fft, std::optional<int64_t> hop_length, std::optional<int64_t> win_length, const Tensor& window, bool center, std::string_view pad_mode, bool normalized, std::optional<bool> onesided, std::optional<bool> return_complex) const { OpScope op("stft"); return tapegrad::stft(*this, n_fft, hop_length, win_length, window, center, pad_mode, normalized, onesided, return_complex); }
Tensor Tensor::istft(int64_t n_fft, std::optional<int64_t> hop_length, std::optional<int64_t> win_length, const Tensor& window, bool center, bool normalized, std::optional<bool> onesided, std::optional<int64_t> length, bool return_complex) const { OpScope op("istft"); return tapegrad::istft(*this, n_fft, hop_length, win_length, window, center, normalized, onesided, length, return_complex); }
// reduce
Tensor Tensor::sum(IntList dim, bool keepdim, std::optional<Dtype> dtype) const { OpScope op("sum"); return tapegrad::sum(*this, dim, keepdim, dtype); }
Tensor Tensor::sum_to_size(IntList size) const { OpScope op("sum_to_size"); return tapegrad::sum_to_size(*this, size); }
Tensor Tensor::mean(IntList dim, bool keepdim, std::optional<Dtype> dtype) const { OpScope op("mean"); return tapegrad::mean(*this, dim, keepdim, dtype); }
Tensor Tensor::prod(std::optional<Dtype> dtype) const { OpScope op("prod"); return tapegrad::prod(*this, dtype); }
Tensor Tensor::prod(int64_t dim, bool keepdim, std::optional<Dtype> dtype) const { OpScope op("prod"); return tapegrad::prod(*this, dim, keepdim, dtype); }
Tensor Tensor::max() const { OpScope op("max"); return tapegrad::max(*this); }
ValuesIndices Tensor::max(int64_t dim, bool keepdim) const { OpScope op("max"); return tapegrad::max(*this, dim, keepdim); }
Tensor Tensor::min() const { OpScope op("min"); return tapegrad::min(*this); }
ValuesIndices Tensor::min(int64_t dim, bool keepdim) const { OpScope op("min"); return tapegrad::min(*this, dim, keepdim); }
Tensor Tensor::argmax(std::optional<int64_t> dim, bool keepdim) const { OpScope op("argmax"); return tapegrad::argmax(*this, dim, keepdim); }
Tensor Tensor::argmin(std::optional<int64_t> dim, bool keepdim) const { OpScope op("argmin"); return tapegrad::argmin(*this, dim, keepdim); }
Tensor Tensor::amax(IntList dim, bool keepdim) const { OpScope op("amax"); return tapegrad::amax(*this, dim, keepdim); }
Tensor Tensor::amin(IntList dim, bool keepdim) const { OpScope op("amin"); return tapegrad::amin(*this, dim, keepdim); }
std::tuple<Tensor, Tensor> Tensor::aminmax(std::optional<int64_t> dim, bool keepdim) const { OpScope op("aminmax"); return tapegrad::aminmax(*this, dim, keepdim); }
Tensor Tensor::var(IntList dim, Scalar correction, bool keepdim) const { OpScope op("var"); return tapegrad::var(*this, dim, correction, keepdim); }
Tensor Tensor::std(IntList dim, Scalar correction, bool keepdim) const { OpScope op("std"); return tapegrad::std(*this, dim, correction, keepdim); }
Tensor Tensor::norm(Scalar p, IntList dim, bool keepdim, std::optional<Dtype> dtype) const { OpScope op("norm"); return tapegrad::norm(*this, p, dim, keepdim, dtype); }
Tensor Tensor::logsumexp(IntList dim, bool keepdim) const { OpScope op("logsumexp"); return tapegrad::logsumexp(*this, dim, keepdim); }
Tensor Tensor::all(IntList dim, bool keepdim) const { OpScope op("all"); return tapegrad::all(*this, dim, keepdim); }
Tensor Tensor::any(IntList dim, bool keepdim) const { OpScope op("any"); return tapegrad::any(*this, dim, keepdim); }
Tensor Tensor::count_nonzero(IntList dim) const { OpScope op("count_nonzero"); return tapegrad::count_nonzero(*this, dim); }
Tensor Tensor::nansum(IntList dim, bool keepdim, std::optional<Dtype> dtype) const { OpScope op("nansum"); return tapegrad::nansum(*this, dim, keepdim, dtype); }
Tensor Tensor::nanmean(IntList dim, bool keepdim, std::optional<Dtype> dtype) const { OpScope op("nanmean"); return tapegrad::nanmean(*this, dim, keepdim, dtype); }
bool Tensor::equal(const Tensor& b) const { OpScope op("equal"); return tapegrad::equal(*this, b); }
bool Tensor::allclose(const Tensor& b, double rtol, double atol, bool equal_nan) const { OpScope op("allclose"); return tapegrad::allclose(*this, b, rtol, atol, equal_nan); }
Tensor Tensor::isclose(const Tensor& b, double rtol, double atol, bool equal_nan) const { OpScope op("isclose"); return tapegrad::isclose(*this, b, rtol, atol, equal_nan); }

// scan
Tensor Tensor::cumsum(int64_t dim, std::optional<Dtype> dtype) const { OpScope op("cumsum"); return tapegrad::cumsum(*this, dim, dtype); }
Tensor Tensor::cumprod(int64_t dim, std::optional<Dtype> dtype) const { OpScope op("cumprod"); return tapegrad::cumprod(*this, dim, dtype); }
ValuesIndices Tensor::cummax(int64_t dim) const { OpScope op("cummax"); return tapegrad::cummax(*this, dim); }
ValuesIndices Tensor::cummin(int64_t dim) const { OpScope op("cummin"); return tapegrad::cummin(*this, dim); }
Tensor Tensor::logcumsumexp(int64_t dim) const { OpScope op("logcumsumexp"); return tapegrad::logcumsumexp(*this, dim); }

// softmax
Tensor Tensor::softmax(int64_t dim, std::optional<Dtype> dtype) const { OpScope op("softmax"); return tapegrad::softmax(*this, dim, dtype); }
Tensor Tensor::log_softmax(int64_t dim, std::optional<Dtype> dtype) const { OpScope op("log_softmax"); return tapegrad::log_softmax(*this, dim, dtype); }

// view
Tensor Tensor::view(IntList shape) const { OpScope op("view"); return tapegrad::view(*this, shape); }
Tensor Tensor::view(Dtype dtype) const { OpScope op("view"); return tapegrad::view(*this, dtype); }
Tensor Tensor::view_as(const Tensor& other) const { OpScope op("view_as"); return tapegrad::view_as(*this, other); }
Tensor Tensor::reshape(IntList shape) const { OpScope op("reshape"); return tapegrad::reshape(*this, shape); }
Tensor Tensor::reshape_as(const Tensor& other) const { OpScope op("reshape_as"); return tapegrad::reshape_as(*this, other); }
Tensor Tensor::ravel() const { OpScope op("ravel"); return tapegrad::ravel(*this); }
Tensor Tensor::flatten(int64_t start_dim, int64_t end_dim) const { OpScope op("flatten"); return tapegrad::flatten(*this, start_dim, end_dim); }
Tensor Tensor::unflatten(int64_t dim, IntList sizes) const { OpScope op("unflatten"); return tapegrad::unflatten(*this, dim, sizes); }
Tensor Tensor::transpose(int64_t dim0, int64_t dim1) const { OpScope op("transpose"); return tapegrad::transpose(*this, dim0, dim1); }
Tensor Tensor::t() const { OpScope op("t"); return tapegrad::t(*this); }
Tensor Tensor::mT() const { OpScope op("mT"); return tapegrad::mT(*this); }
Tensor Tensor::permute(IntList dims) const { OpScope op("permute"); return tapegrad::permute(*this, dims); }
Tensor Tensor::movedim(IntList source, IntList destination) const { OpScope op("movedim"); return tapegrad::movedim(*this, source, destination); }
Tensor Tensor::squeeze() const { OpScope op("squeeze"); return tapegrad::squeeze(*this); }
Tensor Tensor::squeeze(IntList dim) const { OpScope op("squeeze"); return tapegrad::squeeze(*this, dim); }
Tensor Tensor::unsqueeze(int64_t dim) const { OpScope op("unsqueeze"); return tapegrad::unsqueeze(*this, dim); }
Tensor Tensor::expand(IntList size) const { OpScope op("expand"); return tapegrad::expand(*this, size); }
Tensor Tensor::expand_as(const Tensor& other) const { OpScope op("expand_as"); return tapegrad::expand_as(*this, other); }
Tensor Tensor::broadcast_to(IntList size) const { OpScope op("broadcast_to"); return tapegrad::broadcast_to(*this, size); }
const Tensor& Tensor::transpose_(int64_t dim0, int64_t dim1) const { OpScope op("transpose_"); return tapegrad::transpose_(*this, dim0, dim1); }
const Tensor& Tensor::t_() const { OpScope op("t_"); return tapegrad::t_(*this); }
const Tensor& Tensor::squeeze_() const { OpScope op("squeeze_"); return tapegrad::squeeze_(*this); }
const Tensor& Tensor::squeeze_(IntList dim) const { OpScope op("squeeze_"); return tapegrad::squeeze_(*this, dim); }
const Tensor& Tensor::unsqueeze_(int64_t dim) const { OpScope op("unsqueeze_"); return tapegrad::unsqueeze_(*this, dim); }

// slice
Tensor Tensor::narrow(int64_t dim, int64_t start, int64_t length) const { OpScope op("narrow"); return tapegrad::narrow(*this, dim, start, length); }
Tensor Tensor::select(int64_t dim, int64_t index) const { OpScope op("select"); return tapegrad::select(*this, dim, index); }
Tensor Tensor::diagonal(int64_t offset, int64_t dim1, int64_t dim2) const { OpScope op("diagonal"); return tapegrad::diagonal(*this, offset, dim1, dim2); }
Tensor Tensor::unfold(int64_t dim, int64_t size, int64_t step) const { OpScope op("unfold"); return tapegrad::unfold(*this, dim, size, step); }
Tensor Tensor::as_strided(IntList size, IntList stride, std::optional<int64_t> storage_offset) const { OpScope op("as_strided"); return tapegrad::as_strided(*this, size, stride, storage_offset); }
std::vector<Tensor> Tensor::split(int64_t split_size, int64_t dim) const { OpScope op("split"); return tapegrad::split(*this, split_size, dim); }
std::vector<Tensor> Tensor::split(IntList split_sizes, int64_t dim) const { OpScope op("split"); return tapegrad::split(*this, split_sizes, dim); }
std::vector<Tensor> Tensor::chunk(int64_t chunks, int64_t dim) const { OpScope op("chunk"); return tapegrad::chunk(*this, chunks, dim); }
std::vector<Tensor> Tensor::tensor_split(int64_t sections, int64_t dim) const { OpScope op("tensor_split"); return tapegrad::tensor_split(*this, sections, dim); }
std::vector<Tensor> Tensor::tensor_split(IntList indices, int64_t dim) const { OpScope op("tensor_split"); return tapegrad::tensor_split(*this, indices, dim); }
std::vector<Tensor> Tensor::unbind(int64_t dim) const { OpScope op("unbind"); return tapegrad::unbind(*this, dim); }

// shape
Tensor Tensor::repeat(IntList repeats) const { OpScope op("repeat"); return tapegrad::repeat(*this, repeats); }
Tensor Tensor::tile(IntList dims) const { OpScope op("tile"); return tapegrad::tile(*this, dims); }
Tensor Tensor::repeat_interleave(int64_t repeats, std::optional<int64_t> dim) const { OpScope op("repeat_interleave"); return tapegrad::repeat_interleave(*this, repeats, dim); }
Tensor Tensor::repeat_interleave(const Tensor& repeats, std::optional<int64_t> dim) const { OpScope op("repeat_interleave"); return tapegrad::repeat_interleave(*this, repeats, dim); }
Tensor Tensor::repeat_interleave(std::optional<int64_t> output_size) const { OpScope op("repeat_interleave"); return tapegrad::repeat_interleave(*this, output_size); }
Tensor Tensor::flip(IntList dims) const { OpScope op("flip"); return tapegrad::flip(*this, dims); }
Tensor Tensor::fliplr() const { OpScope op("fliplr"); return tapegrad::fliplr(*this); }
Tensor Tensor::flipud() const { OpScope op("flipud"); return tapegrad::flipud(*this); }
Tensor Tensor::roll(IntList shifts, IntList dims) const { OpScope op("roll"); return tapegrad::roll(*this, shifts, dims); }
Tensor Tensor::rot90(int64_t k, IntList dims) const { OpScope op("rot90"); return tapegrad::rot90(*this, k, dims); }

// triangle
Tensor Tensor::tril(int64_t diagonal) const { OpScope op("tril"); return tapegrad::tril(*this, diagonal); }
Tensor Tensor::triu(int64_t diagonal) const { OpScope op("triu"); return tapegrad::triu(*this, diagonal); }
const Tensor& Tensor::tril_(int64_t diagonal) const { OpScope op("tril_"); return tapegrad::tril_(*this, diagonal); }
const Tensor& Tensor::triu_(int64_t diagonal) const { OpScope op("triu_"); return tapegrad::triu_(*this, diagonal); }
Tensor Tensor::diag(int64_t diagonal) const { OpScope op("diag"); return tapegrad::diag(*this, diagonal); }
Tensor Tensor::diag_embed(int64_t offset, int64_t dim1, int64_t dim2) const { OpScope op("diag_embed"); return tapegrad::diag_embed(*this, offset, dim1, dim2); }
Tensor Tensor::diagflat(int64_t offset) const { OpScope op("diagflat"); return tapegrad::diagflat(*this, offset); }
Tensor Tensor::select_scatter(const Tensor& src, int64_t dim, int64_t index) const { OpScope op("select_scatter"); return tapegrad::select_scatter(*this, src, dim, index); }
Tensor Tensor::slice_scatter(const Tensor& src, int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end, int64_t step) const { OpScope op("slice_scatter"); return tapegrad::slice_scatter(*this, src, dim, start, end, step); }
Tensor Tensor::diagonal_scatter(const Tensor& src, int64_t offset, int64_t dim1, int64_t dim2) const { OpScope op("diagonal_scatter"); return tapegrad::diagonal_scatter(*this, src, offset, dim1, dim2); }

// index
Tensor Tensor::index_put(TensorList indices, const Tensor& value, bool accumulate) const { OpScope op("index_put"); return tapegrad::index_put(*this, indices, value, accumulate); }
Tensor Tensor::take(const Tensor& index) const { OpScope op("take"); return tapegrad::take(*this, index); }

// gather
Tensor Tensor::gather(int64_t dim, const Tensor& index) const { OpScope op("gather"); return tapegrad::gather(*this, dim, index); }
Tensor Tensor::scatter(int64_t dim, const Tensor& index, const Tensor& src) const { OpScope op("scatter"); return tapegrad::scatter(*this, dim, index, src); }
Tensor Tensor::scatter_add(int64_t dim, const Tensor& index, const Tensor& src) const { OpScope op("scatter_add"); return tapegrad::scatter_add(*this, dim, index, src); }
const Tensor& Tensor::scatter_(int64_t dim, const Tensor& index, const Tensor& src) const { OpScope op("scatter_"); return tapegrad::scatter_(*this, dim, index, src); }
const Tensor& Tensor::scatter_add_(int64_t dim, const Tensor& index, const Tensor& src) const { OpScope op("scatter_add_"); return tapegrad::scatter_add_(*this, dim, index, src); }
Tensor Tensor::scatter(int64_t dim, const Tensor& index, Scalar value) const { OpScope op("scatter"); return tapegrad::scatter(*this, dim, index, value); }
const Tensor& Tensor::scatter_(int64_t dim, const Tensor& index, Scalar value) const { OpScope op("scatter_"); return tapegrad::scatter_(*this, dim, index, value); }
Tensor Tensor::scatter_reduce(int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce, bool include_self) const { OpScope op("scatter_reduce"); return tapegrad::scatter_reduce(*this, dim, index, src, reduce, include_self); }
const Tensor& Tensor::scatter_reduce_(int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce, bool include_self) const { OpScope op("scatter_reduce_"); return tapegrad::scatter_reduce_(*this, dim, index, src, reduce, include_self); }
Tensor Tensor::take_along_dim(const Tensor& indices, std::optional<int64_t> dim) const { OpScope op("take_along_dim"); return tapegrad::take_along_dim(*this, indices, dim); }

// index_select
Tensor Tensor::index_select(int64_t dim, const Tensor& index) const { OpScope op("index_select"); return tapegrad::index_select(*this, dim, index); }
Tensor Tensor::index_add(int64_t dim, const Tensor& index, const Tensor& source, Scalar alpha) const { OpScope op("index_add"); return tapegrad::index_add(*this, dim, index, source, alpha); }
const Tensor& Tensor::index_add_(int64_t dim, const Tensor& index, const Tensor& source, Scalar alpha) const { OpScope op("index_add_"); return tapegrad::index_add_(*this, dim, index, source, alpha); }
Tensor Tensor::index_fill(int64_t dim, const Tensor& index, const Tensor& value) const { OpScope op("index_fill"); return tapegrad::index_fill(*this, dim, index, value); }
Tensor Tensor::index_fill(int64_t dim, const Tensor& index, Scalar value) const { OpScope op("index_fill"); return tapegrad::index_fill(*this, dim, index, value); }
const Tensor& Tensor::index_fill_(int64_t dim, const Tensor& index, const Tensor& value) const { OpScope op("index_fill_"); return tapegrad::index_fill_(*this, dim, index, value); }
const Tensor& Tensor::index_fill_(int64_t dim, const Tensor& index, Scalar value) const { OpScope op("index_fill_"); return tapegrad::index_fill_(*this, dim, index, value); }
Tensor Tensor::index_copy(int64_t dim, const Tensor& index, const Tensor& source) const { OpScope op("index_copy"); return tapegrad::index_copy(*this, dim, index, source); }
const Tensor& Tensor::index_copy_(int64_t dim, const Tensor& index, const Tensor& source) const { OpScope op("index_copy_"); return tapegrad::index_copy_(*this, dim, index, source); }

// masked
Tensor Tensor::nonzero() const { OpScope op("nonzero"); return tapegrad::nonzero(*this); }
Tensor Tensor::masked_select(const Tensor& mask) const { OpScope op("masked_select"); return tapegrad::masked_select(*this, mask); }
Tensor Tensor::masked_fill(const Tensor& mask, const Tensor& value) const { OpScope op("masked_fill"); return tapegrad::masked_fill(*this, mask, value); }
Tensor Tensor::masked_fill(const Tensor& mask, Scalar value) const { OpScope op("masked_fill"); return tapegrad::masked_fill(*this, mask, value); }
const Tensor& Tensor::masked_fill_(const Tensor& mask, const Tensor& value) const { OpScope op("masked_fill_"); return tapegrad::masked_fill_(*this, mask, value); }
const Tensor& Tensor::masked_fill_(const Tensor& mask, Scalar value) const { OpScope op("masked_fill_"); return tapegrad::masked_fill_(*this, mask, value); }
Tensor Tensor::masked_scatter(const Tensor& mask, const Tensor& source) const { OpScope op("masked_scatter"); return tapegrad::masked_scatter(*this, mask, source); }
const Tensor& Tensor::masked_scatter_(const Tensor& mask, const Tensor& source) const { OpScope op("masked_scatter_"); return tapegrad::masked_scatter_(*this, mask, source); }

// sort
ValuesIndices Tensor::sort(int64_t dim, bool descending, bool stable) const { OpScope op("sort"); return tapegrad::sort(*this, dim, descending, stable); }
Tensor Tensor::argsort(int64_t dim, bool descending, bool stable) const { OpScope op("argsort"); return tapegrad::argsort(*this, dim, descending, stable); }
Tensor Tensor::msort() const { OpScope op("msort"); return tapegrad::msort(*this); }
ValuesIndices Tensor::topk(int64_t k, int64_t dim, bool largest, bool sorted) const { OpScope op("topk"); return tapegrad::topk(*this, k, dim, largest, sorted); }
ValuesIndices Tensor::kthvalue(int64_t k, int64_t dim, bool keepdim) const { OpScope op("kthvalue"); return tapegrad::kthvalue(*this, k, dim, keepdim); }
Tensor Tensor::median() const { OpScope op("median"); return tapegrad::median(*this); }
ValuesIndices Tensor::median(int64_t dim, bool keepdim) const { OpScope op("median"); return tapegrad::median(*this, dim, keepdim); }
Tensor Tensor::nanmedian() const { OpScope op("nanmedian"); return tapegrad::nanmedian(*this); }
ValuesIndices Tensor::nanmedian(int64_t dim, bool keepdim) const { OpScope op("nanmedian"); return tapegrad::nanmedian(*this, dim, keepdim); }
ValuesIndices Tensor::mode(int64_t dim, bool keepdim) const { OpScope op("mode"); return tapegrad::mode(*this, dim, keepdim); }

// unique
std::tuple<Tensor, Tensor, Tensor> Tensor::unique(bool sorted, bool return_inverse, bool return_counts, std::optional<int64_t> dim) const { OpScope op("unique"); return tapegrad::unique(*this, sorted, return_inverse, return_counts, dim); }
std::tuple<Tensor, Tensor, Tensor> Tensor::unique_consecutive(bool return_inverse, bool return_counts, std::optional<int64_t> dim) const { OpScope op("unique_consecutive"); return tapegrad::unique_consecutive(*this, return_inverse, return_counts, dim); }
Tensor Tensor::bincount(const Tensor& weights, int64_t minlength) const { OpScope op("bincount"); return tapegrad::bincount(*this, weights, minlength); }
Tensor Tensor::histc(int64_t bins, double min, double max) const { OpScope op("histc"); return tapegrad::histc(*this, bins, min, max); }

// matmul
Tensor Tensor::matmul(const Tensor& b) const { OpScope op("matmul"); return tapegrad::matmul(*this, b); }
Tensor Tensor::mm(const Tensor& b) const { OpScope op("mm"); return tapegrad::mm(*this, b); }
Tensor Tensor::bmm(const Tensor& b) const { OpScope op("bmm"); return tapegrad::bmm(*this, b); }
Tensor Tensor::mv(const Tensor& v) const { OpScope op("mv"); return tapegrad::mv(*this, v); }
Tensor Tensor::vdot(const Tensor& b) const { OpScope op("vdot"); return tapegrad::vdot(*this, b); }
Tensor Tensor::dot(const Tensor& b) const { OpScope op("dot"); return tapegrad::dot(*this, b); }
Tensor Tensor::inner(const Tensor& b) const { OpScope op("inner"); return tapegrad::inner(*this, b); }
Tensor Tensor::outer(const Tensor& b) const { OpScope op("outer"); return tapegrad::outer(*this, b); }
Tensor Tensor::addr(const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) const { OpScope op("addr"); return tapegrad::addr(*this, a, b, beta, alpha); }
Tensor Tensor::addmm(const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) const { OpScope op("addmm"); return tapegrad::addmm(*this, a, b, beta, alpha); }
Tensor Tensor::addmv(const Tensor& a, const Tensor& v, Scalar beta, Scalar alpha) const { OpScope op("addmv"); return tapegrad::addmv(*this, a, v, beta, alpha); }
Tensor Tensor::addbmm(const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) const { OpScope op("addbmm"); return tapegrad::addbmm(*this, a, b, beta, alpha); }
Tensor Tensor::baddbmm(const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) const { OpScope op("baddbmm"); return tapegrad::baddbmm(*this, a, b, beta, alpha); }
const Tensor& Tensor::addmm_(const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) const { OpScope op("addmm_"); return tapegrad::addmm_(*this, a, b, beta, alpha); }
const Tensor& Tensor::addmv_(const Tensor& a, const Tensor& v, Scalar beta, Scalar alpha) const { OpScope op("addmv_"); return tapegrad::addmv_(*this, a, v, beta, alpha); }
const Tensor& Tensor::addr_(const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) const { OpScope op("addr_"); return tapegrad::addr_(*this, a, b, beta, alpha); }
const Tensor& Tensor::addbmm_(const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) const { OpScope op("addbmm_"); return tapegrad::addbmm_(*this, a, b, beta, alpha); }
const Tensor& Tensor::baddbmm_(const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) const { OpScope op("baddbmm_"); return tapegrad::baddbmm_(*this, a, b, beta, alpha); }

// linalg
Tensor Tensor::cholesky(bool upper) const { OpScope op("cholesky"); return tapegrad::cholesky(*this, upper); }
Tensor Tensor::cholesky_inverse(bool upper) const { OpScope op("cholesky_inverse"); return tapegrad::cholesky_inverse(*this, upper); }
Tensor Tensor::cholesky_solve(const Tensor& L, bool upper) const { OpScope op("cholesky_solve"); return tapegrad::cholesky_solve(*this, L, upper); }
Tensor Tensor::det() const { OpScope op("det"); return tapegrad::det(*this); }
Tensor Tensor::logdet() const { OpScope op("logdet"); return tapegrad::logdet(*this); }
std::tuple<Tensor, Tensor> Tensor::slogdet() const { OpScope op("slogdet"); return tapegrad::slogdet(*this); }
Tensor Tensor::inverse() const { OpScope op("inverse"); return tapegrad::inverse(*this); }
Tensor Tensor::pinverse(double rcond) const { OpScope op("pinverse"); return tapegrad::pinverse(*this, rcond); }
std::tuple<Tensor, Tensor> Tensor::qr(bool some) const { OpScope op("qr"); return tapegrad::qr(*this, some); }
std::tuple<Tensor, Tensor, Tensor> Tensor::svd(bool some, bool compute_uv) const { OpScope op("svd"); return tapegrad::svd(*this, some, compute_uv); }
std::tuple<Tensor, Tensor> Tensor::triangular_solve(const Tensor& A, bool upper, bool transpose, bool unitriangular) const { OpScope op("triangular_solve"); return tapegrad::triangular_solve(*this, A, upper, transpose, unitriangular); }
Tensor Tensor::lu_solve(const Tensor& LU, const Tensor& pivots) const { OpScope op("lu_solve"); return tapegrad::lu_solve(*this, LU, pivots); }
Tensor Tensor::matrix_exp() const { OpScope op("matrix_exp"); return tapegrad::matrix_exp(*this); }
Tensor Tensor::matrix_power(int64_t n) const { OpScope op("matrix_power"); return tapegrad::matrix_power(*this, n); }
Tensor Tensor::orgqr(const Tensor& tau) const { OpScope op("orgqr"); return tapegrad::orgqr(*this, tau); }
std::tuple<Tensor, Tensor> Tensor::geqrf() const { OpScope op("geqrf"); return tapegrad::geqrf(*this); }
Tensor Tensor::ormqr(const Tensor& tau, const Tensor& other, bool left, bool transpose) const { OpScope op("ormqr"); return tapegrad::ormqr(*this, tau, other, left, transpose); }

// numeric
Tensor Tensor::trace() const { OpScope op("trace"); return tapegrad::trace(*this); }
Tensor Tensor::cross(const Tensor& other, std::optional<int64_t> dim) const { OpScope op("cross"); return tapegrad::cross(*this, other, dim); }
Tensor Tensor::kron(const Tensor& other) const { OpScope op("kron"); return tapegrad::kron(*this, other); }
Tensor Tensor::cov(int64_t correction, const Tensor& fweights, const Tensor& aweights) const { OpScope op("cov"); return tapegrad::cov(*this, correction, fweights, aweights); }
Tensor Tensor::corrcoef() const { OpScope op("corrcoef"); return tapegrad::corrcoef(*this); }
Tensor Tensor::diff(int64_t n, int64_t dim, const Tensor& prepend, const Tensor& append) const { OpScope op("diff"); return tapegrad::diff(*this, n, dim, prepend, append); }

// distance
Tensor Tensor::dist(const Tensor& other, Scalar p) const { OpScope op("dist"); return tapegrad::dist(*this, other, p); }
Tensor Tensor::renorm(Scalar p, int64_t dim, Scalar maxnorm) const { OpScope op("renorm"); return tapegrad::renorm(*this, p, dim, maxnorm); }
const Tensor& Tensor::renorm_(Scalar p, int64_t dim, Scalar maxnorm) const { OpScope op("renorm_"); return tapegrad::renorm_(*this, p, dim, maxnorm); }

// indexing
Tensor Tensor::operator[](int64_t i) const { OpScope op("select"); return tapegrad::select(*this, 0, i); }
Tensor Tensor::operator[](const Tensor& mask_or_indices) const { OpScope op("index"); return index({mask_or_indices}); }
Tensor Tensor::operator[](const Index& one) const { OpScope op("index"); return index({one}); }
Tensor Tensor::operator[](std::initializer_list<Index> indices) const { OpScope op("index"); return index(indices); }
Tensor Tensor::index(std::initializer_list<Index> indices) const { OpScope op("index"); return tapegrad::index(*this, {indices.begin(), indices.size()}); }
const Tensor& Tensor::index_put_(std::initializer_list<Index> indices, const Tensor& value) const {
  OpScope op("index_put_");
  tapegrad::index_set(*this, {indices.begin(), indices.size()}, value);
  return *this;
}
const Tensor& Tensor::index_put_(std::initializer_list<Index> indices, Scalar value) const { OpScope op("index_put_"); return index_put_(indices, Tensor(value)); }

}  // namespace tapegrad
