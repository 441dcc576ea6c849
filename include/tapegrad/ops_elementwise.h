// The elementwise ops and the operators; ops.h includes this and has the others and the conventions.
#pragma once
#include "tapegrad/tensor.h"

namespace tapegrad {

// ## elementwise_unary: f(x) element by element; f_ writes into self
/// -x
TG_API Tensor neg(const Tensor& x);
TG_API const Tensor& neg_(const Tensor& self);
/// |x|
TG_API Tensor abs(const Tensor& x);
TG_API const Tensor& abs_(const Tensor& self);
/// -1, 0 or 1
TG_API Tensor sign(const Tensor& x);
TG_API const Tensor& sign_(const Tensor& self);
/// as sign
TG_API Tensor sgn(const Tensor& x);
TG_API const Tensor& sgn_(const Tensor& self);
/// Rounds down.
TG_API Tensor floor(const Tensor& x);
TG_API const Tensor& floor_(const Tensor& self);
/// Rounds up.
TG_API Tensor ceil(const Tensor& x);
TG_API const Tensor& ceil_(const Tensor& self);
/// Rounds towards 0.
TG_API Tensor trunc(const Tensor& x);
TG_API const Tensor& trunc_(const Tensor& self);
/// x - trunc(x)
TG_API Tensor frac(const Tensor& x);
TG_API const Tensor& frac_(const Tensor& self);
/// x * x
TG_API Tensor square(const Tensor& x);
TG_API const Tensor& square_(const Tensor& self);
/// The square root.
TG_API Tensor sqrt(const Tensor& x);
TG_API const Tensor& sqrt_(const Tensor& self);
/// 1 / sqrt(x)
TG_API Tensor rsqrt(const Tensor& x);
TG_API const Tensor& rsqrt_(const Tensor& self);
/// 1 / x
TG_API Tensor reciprocal(const Tensor& x);
TG_API const Tensor& reciprocal_(const Tensor& self);
/// e^x
TG_API Tensor exp(const Tensor& x);
TG_API const Tensor& exp_(const Tensor& self);
/// 2^x
TG_API Tensor exp2(const Tensor& x);
TG_API const Tensor& exp2_(const Tensor& self);
/// e^x - 1, exact near 0.
TG_API Tensor expm1(const Tensor& x);
TG_API const Tensor& expm1_(const Tensor& self);
/// The natural logarithm.
TG_API Tensor log(const Tensor& x);
TG_API const Tensor& log_(const Tensor& self);
/// To base 2.
TG_API Tensor log2(const Tensor& x);
TG_API const Tensor& log2_(const Tensor& self);
/// To base 10.
TG_API Tensor log10(const Tensor& x);
TG_API const Tensor& log10_(const Tensor& self);
/// log(1 + x), exact near 0.
TG_API Tensor log1p(const Tensor& x);
TG_API const Tensor& log1p_(const Tensor& self);
/// In radians, as all angles here.
TG_API Tensor sin(const Tensor& x);
TG_API const Tensor& sin_(const Tensor& self);
/// The cosine.
TG_API Tensor cos(const Tensor& x);
TG_API const Tensor& cos_(const Tensor& self);
/// The tangent.
TG_API Tensor tan(const Tensor& x);
TG_API const Tensor& tan_(const Tensor& self);
/// The inverse of sin.
TG_API Tensor asin(const Tensor& x);
TG_API const Tensor& asin_(const Tensor& self);
/// The inverse of cos.
TG_API Tensor acos(const Tensor& x);
TG_API const Tensor& acos_(const Tensor& self);
/// The inverse of tan.
TG_API Tensor atan(const Tensor& x);
TG_API const Tensor& atan_(const Tensor& self);
/// (e^x - e^-x) / 2
TG_API Tensor sinh(const Tensor& x);
TG_API const Tensor& sinh_(const Tensor& self);
/// (e^x + e^-x) / 2
TG_API Tensor cosh(const Tensor& x);
TG_API const Tensor& cosh_(const Tensor& self);
/// sinh(x) / cosh(x)
TG_API Tensor tanh(const Tensor& x);
TG_API const Tensor& tanh_(const Tensor& self);
/// The inverse of sinh.
TG_API Tensor asinh(const Tensor& x);
TG_API const Tensor& asinh_(const Tensor& self);
/// The inverse of cosh.
TG_API Tensor acosh(const Tensor& x);
TG_API const Tensor& acosh_(const Tensor& self);
/// The inverse of tanh.
TG_API Tensor atanh(const Tensor& x);
TG_API const Tensor& atanh_(const Tensor& self);
/// sin(pi x) / (pi x), 1 at 0.
TG_API Tensor sinc(const Tensor& x);
TG_API const Tensor& sinc_(const Tensor& self);
/// x pi / 180
TG_API Tensor deg2rad(const Tensor& x);
TG_API const Tensor& deg2rad_(const Tensor& self);
/// x 180 / pi
TG_API Tensor rad2deg(const Tensor& x);
TG_API const Tensor& rad2deg_(const Tensor& self);
/// 1 / (1 + e^-x)
TG_API Tensor sigmoid(const Tensor& x);
TG_API const Tensor& sigmoid_(const Tensor& self);
/// The error function.
TG_API Tensor erf(const Tensor& x);
TG_API const Tensor& erf_(const Tensor& self);
/// 1 - erf(x)
TG_API Tensor erfc(const Tensor& x);
TG_API const Tensor& erfc_(const Tensor& self);
/// The inverse of erf.
TG_API Tensor erfinv(const Tensor& x);
TG_API const Tensor& erfinv_(const Tensor& self);
/// log |gamma(x)|
TG_API Tensor lgamma(const Tensor& x);
TG_API const Tensor& lgamma_(const Tensor& self);
/// lgamma's derivative.
TG_API Tensor digamma(const Tensor& x);
TG_API const Tensor& digamma_(const Tensor& self);
/// To the nearest whole number, ties to even, or to so many decimals.
TG_API Tensor round(const Tensor& x, int64_t decimals = 0);
TG_API const Tensor& round_(const Tensor& self, int64_t decimals = 0);
/// log(x / (1 - x)), x limited to [eps, 1 - eps] first if given.
TG_API Tensor logit(const Tensor& x, std::optional<double> eps = {});
TG_API const Tensor& logit_(const Tensor& self, std::optional<double> eps = {});
/// The n-th derivative of digamma.
TG_API Tensor polygamma(int64_t n, const Tensor& x);
/// NaN and infinities replaced: by 0 and the largest finite numbers unless given.
TG_API Tensor nan_to_num(const Tensor& x, std::optional<double> nan = {}, std::optional<double> posinf = {}, std::optional<double> neginf = {});
TG_API const Tensor& nan_to_num_(const Tensor& self, std::optional<double> nan = {}, std::optional<double> posinf = {}, std::optional<double> neginf = {});
/// x itself.
TG_API Tensor positive(const Tensor& x);
TG_API Tensor isnan(const Tensor& x);
TG_API Tensor isinf(const Tensor& x);
TG_API Tensor isposinf(const Tensor& x);
TG_API Tensor isneginf(const Tensor& x);
TG_API Tensor isfinite(const Tensor& x);
TG_API Tensor signbit(const Tensor& x);
TG_API Tensor logical_not(const Tensor& x);
TG_API const Tensor& logical_not_(const Tensor& self);
/// ~x
TG_API Tensor bitwise_not(const Tensor& x);
TG_API const Tensor& bitwise_not_(const Tensor& self);

// ## activation
/// max(x, 0)
TG_API Tensor relu(const Tensor& x);
TG_API const Tensor& relu_(const Tensor& self);
/// x limited to [0, 6].
TG_API Tensor relu6(const Tensor& x);
TG_API Tensor hardtanh(const Tensor& x, double min_val = -1, double max_val = 1);
TG_API const Tensor& hardtanh_(const Tensor& self, double min_val = -1, double max_val = 1);
/// x where positive, negative_slope * x elsewhere.
TG_API Tensor leaky_relu(const Tensor& x, double negative_slope = 0.01);
TG_API const Tensor& leaky_relu_(const Tensor& self, double negative_slope = 0.01);
/// x where positive, alpha (e^x - 1) elsewhere.
TG_API Tensor elu(const Tensor& x, double alpha = 1);
TG_API const Tensor& elu_(const Tensor& self, double alpha = 1);
TG_API Tensor selu(const Tensor& x);
TG_API const Tensor& selu_(const Tensor& self);
TG_API Tensor celu(const Tensor& x, double alpha = 1);
TG_API const Tensor& celu_(const Tensor& self, double alpha = 1);
/// x times the normal distribution function; approximate is "none" or "tanh".
TG_API Tensor gelu(const Tensor& x, std::string_view approximate = "none");
/// x sigmoid(x)
TG_API Tensor silu(const Tensor& x);
/// x tanh(softplus(x))
TG_API Tensor mish(const Tensor& x);
/// log(1 + e^(beta x)) / beta; x itself where beta x > threshold.
TG_API Tensor softplus(const Tensor& x, double beta = 1, double threshold = 20);
/// log(sigmoid(x))
TG_API Tensor logsigmoid(const Tensor& x);
/// x / (1 + |x|)
TG_API Tensor softsign(const Tensor& x);
/// x + 3 limited to [0, 6], over 6.
TG_API Tensor hardsigmoid(const Tensor& x);
/// x hardsigmoid(x)
TG_API Tensor hardswish(const Tensor& x);
/// x - tanh(x)
TG_API Tensor tanhshrink(const Tensor& x);
/// x moved by lambd towards 0.
TG_API Tensor softshrink(const Tensor& x, double lambd = 0.5);
/// x, but 0 within [-lambd, lambd].
TG_API Tensor hardshrink(const Tensor& x, double lambd = 0.5);
/// x where above threshold, value elsewhere.
TG_API Tensor threshold(const Tensor& x, double threshold, double value);
TG_API const Tensor& threshold_(const Tensor& self, double threshold, double value);
/// leaky_relu with one learnt slope, or one for each channel (dimension 1).
TG_API Tensor prelu(const Tensor& x, const Tensor& weight);
/// leaky_relu with random slopes while training, their mean otherwise.
TG_API Tensor rrelu(const Tensor& x, double lower = 0.125, double upper = 1. / 3, bool training = false);
/// The first half along dim times the sigmoid of the second.
TG_API Tensor glu(const Tensor& x, int64_t dim = -1);

// ## elementwise_binary: shapes broadcast, dtypes promote
/// The dtype of an op on a and b, by PyTorch's rules.
TG_API Dtype result_type(const Tensor& a, const Tensor& b);
/// May a result of type `from` be stored in a tensor of type `to`? Not floats in integers, nor numbers in bools.
TG_API bool can_cast(Dtype from, Dtype to);
/// a + alpha b
TG_API Tensor add(const Tensor& a, const Tensor& b, Scalar alpha = 1);
TG_API const Tensor& add_(const Tensor& self, const Tensor& other, Scalar alpha = 1);
/// a - alpha b
TG_API Tensor sub(const Tensor& a, const Tensor& b, Scalar alpha = 1);
TG_API const Tensor& sub_(const Tensor& self, const Tensor& other, Scalar alpha = 1);
/// b - alpha a
TG_API Tensor rsub(const Tensor& a, const Tensor& b, Scalar alpha = 1);
TG_API Tensor mul(const Tensor& a, const Tensor& b);
TG_API const Tensor& mul_(const Tensor& self, const Tensor& other);
/// a / b; rounding_mode "floor" or "trunc" keeps integers.
TG_API Tensor div(const Tensor& a, const Tensor& b, std::optional<std::string_view> rounding_mode = {});
TG_API const Tensor& div_(const Tensor& self, const Tensor& other, std::optional<std::string_view> rounding_mode = {});
TG_API Tensor floor_divide(const Tensor& a, const Tensor& b);
TG_API const Tensor& floor_divide_(const Tensor& self, const Tensor& other);
/// a modulo b with the sign of b.
TG_API Tensor remainder(const Tensor& a, const Tensor& b);
TG_API const Tensor& remainder_(const Tensor& self, const Tensor& other);
/// a modulo b with the sign of a.
TG_API Tensor fmod(const Tensor& a, const Tensor& b);
TG_API const Tensor& fmod_(const Tensor& self, const Tensor& other);
TG_API Tensor pow(const Tensor& x, Scalar exponent);
TG_API Tensor pow(const Tensor& x, const Tensor& exponent);
TG_API Tensor pow(Scalar base, const Tensor& exponent);
TG_API const Tensor& pow_(const Tensor& self, Scalar exponent);
TG_API const Tensor& pow_(const Tensor& self, const Tensor& exponent);
/// The angle of the point (b, a).
TG_API Tensor atan2(const Tensor& a, const Tensor& b);
TG_API const Tensor& atan2_(const Tensor& self, const Tensor& other);
/// sqrt(a² + b²)
TG_API Tensor hypot(const Tensor& a, const Tensor& b);
TG_API const Tensor& hypot_(const Tensor& self, const Tensor& other);
/// |a| with the sign of b.
TG_API Tensor copysign(const Tensor& a, const Tensor& b);
TG_API const Tensor& copysign_(const Tensor& self, const Tensor& other);
/// log(e^a + e^b)
TG_API Tensor logaddexp(const Tensor& a, const Tensor& b);
/// log2(2^a + 2^b)
TG_API Tensor logaddexp2(const Tensor& a, const Tensor& b);
/// a log(b), 0 where a is 0.
TG_API Tensor xlogy(const Tensor& a, const Tensor& b);
TG_API const Tensor& xlogy_(const Tensor& self, const Tensor& other);
TG_API Tensor maximum(const Tensor& a, const Tensor& b);
TG_API Tensor minimum(const Tensor& a, const Tensor& b);
/// As maximum, but NaN loses.
TG_API Tensor fmax(const Tensor& a, const Tensor& b);
TG_API Tensor fmin(const Tensor& a, const Tensor& b);
/// 0 below 0, values at 0, 1 above.
TG_API Tensor heaviside(const Tensor& x, const Tensor& values);
TG_API const Tensor& heaviside_(const Tensor& self, const Tensor& values);
TG_API Tensor bitwise_and(const Tensor& a, const Tensor& b);
TG_API const Tensor& bitwise_and_(const Tensor& self, const Tensor& other);
TG_API Tensor bitwise_or(const Tensor& a, const Tensor& b);
TG_API const Tensor& bitwise_or_(const Tensor& self, const Tensor& other);
TG_API Tensor bitwise_xor(const Tensor& a, const Tensor& b);
TG_API const Tensor& bitwise_xor_(const Tensor& self, const Tensor& other);
TG_API Tensor bitwise_left_shift(const Tensor& a, const Tensor& b);
TG_API const Tensor& bitwise_left_shift_(const Tensor& self, const Tensor& other);
TG_API Tensor bitwise_right_shift(const Tensor& a, const Tensor& b);
TG_API const Tensor& bitwise_right_shift_(const Tensor& self, const Tensor& other);

// ## comparison: the result is bool
TG_API Tensor eq(const Tensor& a, const Tensor& b);
TG_API const Tensor& eq_(const Tensor& self, const Tensor& other);
TG_API Tensor ne(const Tensor& a, const Tensor& b);
TG_API const Tensor& ne_(const Tensor& self, const Tensor& other);
TG_API Tensor lt(const Tensor& a, const Tensor& b);
TG_API const Tensor& lt_(const Tensor& self, const Tensor& other);
TG_API Tensor le(const Tensor& a, const Tensor& b);
TG_API const Tensor& le_(const Tensor& self, const Tensor& other);
TG_API Tensor gt(const Tensor& a, const Tensor& b);
TG_API const Tensor& gt_(const Tensor& self, const Tensor& other);
TG_API Tensor ge(const Tensor& a, const Tensor& b);
TG_API const Tensor& ge_(const Tensor& self, const Tensor& other);
TG_API Tensor logical_and(const Tensor& a, const Tensor& b);
TG_API const Tensor& logical_and_(const Tensor& self, const Tensor& other);
TG_API Tensor logical_or(const Tensor& a, const Tensor& b);
TG_API const Tensor& logical_or_(const Tensor& self, const Tensor& other);
TG_API Tensor logical_xor(const Tensor& a, const Tensor& b);
TG_API const Tensor& logical_xor_(const Tensor& self, const Tensor& other);

// ## elementwise_ternary
/// a where the bool condition holds, b elsewhere.
TG_API Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
/// input + weight (end - input)
TG_API Tensor lerp(const Tensor& input, const Tensor& end, const Tensor& weight);
TG_API Tensor lerp(const Tensor& input, const Tensor& end, double weight);
TG_API const Tensor& lerp_(const Tensor& self, const Tensor& end, const Tensor& weight);
TG_API const Tensor& lerp_(const Tensor& self, const Tensor& end, double weight);
/// input + value tensor1 tensor2
TG_API Tensor addcmul(const Tensor& input, const Tensor& tensor1, const Tensor& tensor2, Scalar value = 1);
TG_API const Tensor& addcmul_(const Tensor& self, const Tensor& tensor1, const Tensor& tensor2, Scalar value = 1);
/// input + value tensor1 / tensor2
TG_API Tensor addcdiv(const Tensor& input, const Tensor& tensor1, const Tensor& tensor2, Scalar value = 1);
TG_API const Tensor& addcdiv_(const Tensor& self, const Tensor& tensor1, const Tensor& tensor2, Scalar value = 1);
/// x limited to [min, max], either of which may be missing.
TG_API Tensor clamp(const Tensor& x, std::optional<Scalar> min, std::optional<Scalar> max = {});
TG_API Tensor clamp(const Tensor& x, const Tensor& min, const Tensor& max = {});
TG_API const Tensor& clamp_(const Tensor& self, std::optional<Scalar> min, std::optional<Scalar> max = {});
TG_API const Tensor& clamp_(const Tensor& self, const Tensor& min, const Tensor& max = {});
TG_API Tensor clamp_min(const Tensor& x, Scalar min);
TG_API Tensor clamp_min(const Tensor& x, const Tensor& min);
TG_API Tensor clamp_max(const Tensor& x, Scalar max);
TG_API Tensor clamp_max(const Tensor& x, const Tensor& max);
TG_API const Tensor& clamp_min_(const Tensor& self, Scalar min);
TG_API const Tensor& clamp_min_(const Tensor& self, const Tensor& min);
TG_API const Tensor& clamp_max_(const Tensor& self, Scalar max);
TG_API const Tensor& clamp_max_(const Tensor& self, const Tensor& max);

// ## operators: tensors and numbers on either side
TG_API Tensor operator-(const Tensor& x);
TG_API Tensor operator+(const Tensor& a, const Tensor& b);
TG_API Tensor operator-(const Tensor& a, const Tensor& b);
TG_API Tensor operator*(const Tensor& a, const Tensor& b);
TG_API Tensor operator/(const Tensor& a, const Tensor& b);
TG_API Tensor operator==(const Tensor& a, const Tensor& b);
TG_API Tensor operator!=(const Tensor& a, const Tensor& b);
TG_API Tensor operator<(const Tensor& a, const Tensor& b);
TG_API Tensor operator<=(const Tensor& a, const Tensor& b);
TG_API Tensor operator>(const Tensor& a, const Tensor& b);
TG_API Tensor operator>=(const Tensor& a, const Tensor& b);
TG_API Tensor operator+(const Tensor& a, Scalar b);
TG_API Tensor operator-(const Tensor& a, Scalar b);
TG_API Tensor operator*(const Tensor& a, Scalar b);
TG_API Tensor operator/(const Tensor& a, Scalar b);
TG_API Tensor operator==(const Tensor& a, Scalar b);
TG_API Tensor operator!=(const Tensor& a, Scalar b);
TG_API Tensor operator<(const Tensor& a, Scalar b);
TG_API Tensor operator<=(const Tensor& a, Scalar b);
TG_API Tensor operator>(const Tensor& a, Scalar b);
TG_API Tensor operator>=(const Tensor& a, Scalar b);
TG_API Tensor operator+(Scalar a, const Tensor& b);
TG_API Tensor operator-(Scalar a, const Tensor& b);
TG_API Tensor operator*(Scalar a, const Tensor& b);
TG_API Tensor operator/(Scalar a, const Tensor& b);
TG_API Tensor operator&(const Tensor& a, const Tensor& b);
TG_API Tensor operator&(const Tensor& a, Scalar b);
TG_API Tensor operator|(const Tensor& a, const Tensor& b);
TG_API Tensor operator|(const Tensor& a, Scalar b);
TG_API Tensor operator^(const Tensor& a, const Tensor& b);
TG_API Tensor operator^(const Tensor& a, Scalar b);
TG_API Tensor operator~(const Tensor& x);
TG_API Tensor operator==(Scalar a, const Tensor& b);
TG_API Tensor operator!=(Scalar a, const Tensor& b);
TG_API Tensor operator<(Scalar a, const Tensor& b);
TG_API Tensor operator<=(Scalar a, const Tensor& b);
TG_API Tensor operator>(Scalar a, const Tensor& b);
TG_API Tensor operator>=(Scalar a, const Tensor& b);
TG_API const Tensor& operator+=(const Tensor& a, const Tensor& b);
TG_API const Tensor& operator-=(const Tensor& a, const Tensor& b);
TG_API const Tensor& operator*=(const Tensor& a, const Tensor& b);
TG_API const Tensor& operator/=(const Tensor& a, const Tensor& b);
TG_API const Tensor& operator+=(const Tensor& a, Scalar b);
TG_API const Tensor& operator-=(const Tensor& a, Scalar b);
TG_API const Tensor& operator*=(const Tensor& a, Scalar b);
TG_API const Tensor& operator/=(const Tensor& a, Scalar b);

}  // namespace tapegrad
