// Windows, and the short-time Fourier transform with its inverse: compositions of pad, unfold, index_add and torch.fft's transforms.
#include <cmath>

#include "src/ops/op_info.h"
#include "src/ops/view.h"
#include "tapegrad/fft.h"
#include "tapegrad/ops.h"

namespace tapegrad {

using OptDtype = std::optional<Dtype>;
using OptDevice = std::optional<Device>;
using OptInt = std::optional<int64_t>;

// ---- windows: f(t) for t from 0 to 1; a periodic one leaves the last point out

template <class F> static Tensor window_of(int64_t length, bool periodic, OptDtype dtype, OptDevice device, bool requires_grad, F f) {
  TG_CHECK(length >= 0, ValueError, "window_length must not be negative, got ", length);
  const Dtype d = dtype.value_or(default_dtype());
  TG_CHECK(is_floating(d), DtypeError, "dtype must be floating, got ", d);
  Tensor w = empty(length, Dtype::Float64);
  auto* p = w->host<double>();
  const double last = double(periodic ? length : length - 1);
  for (int64_t i = 0; i < length; i++) p[i] = length == 1 ? 1 : f(double(i) / last);
  w = to(w, device.value_or(default_device()), d);
  return requires_grad ? w.set_requires_grad() : w;
}
static double cosine(double t, int k) { return std::cos(k * 6.283185307179586476925 * t); }

Tensor hann_window(int64_t window_length, OnlyBool periodic, OptDtype dtype, OptDevice device, OnlyBool requires_grad) {
  OpScope op("hann_window");
  return window_of(window_length, periodic, dtype, device, requires_grad, [](double t) { return 0.5 - 0.5 * cosine(t, 1); });
}
Tensor hamming_window(int64_t window_length, OnlyBool periodic, double alpha, double beta, OptDtype dtype, OptDevice device, OnlyBool requires_grad) {
  OpScope op("hamming_window");
  return window_of(window_length, periodic, dtype, device, requires_grad, [=](double t) { return alpha - beta * cosine(t, 1); });
}
Tensor blackman_window(int64_t window_length, OnlyBool periodic, OptDtype dtype, OptDevice device, OnlyBool requires_grad) {
  OpScope op("blackman_window");
  return window_of(window_length, periodic, dtype, device, requires_grad, [](double t) { return 0.42 - 0.5 * cosine(t, 1) + 0.08 * cosine(t, 2); });
}
Tensor bartlett_window(int64_t window_length, OnlyBool periodic, OptDtype dtype, OptDevice device, OnlyBool requires_grad) {
  OpScope op("bartlett_window");
  return window_of(window_length, periodic, dtype, device, requires_grad, [](double t) { return 1 - std::abs(2 * t - 1); });
}
Tensor kaiser_window(int64_t window_length, OnlyBool periodic, double beta, OptDtype dtype, OptDevice device, OnlyBool requires_grad) {
  OpScope op("kaiser_window");
  return window_of(window_length, periodic, dtype, device, requires_grad, [=](double t) {
    const double u = 2 * t - 1;
    return std::cyl_bessel_i(0, beta * std::sqrt(std::max(0., 1 - u * u))) / std::cyl_bessel_i(0, beta);
  });
}

// ---- stft

namespace {
struct Frames {
  int64_t hop;
  Tensor window;  // n_fft numbers
  Frames(int64_t n_fft, OptInt hop_length, OptInt win_length, const Tensor& given, Dtype real, Device device) : hop(hop_length.value_or(n_fft / 4)) {
    const int64_t length = win_length.value_or(n_fft);
    TG_CHECK(n_fft > 0, ValueError, "n_fft must be positive, got ", n_fft);
    TG_CHECK(hop > 0, ValueError, "hop_length must be positive, got ", hop);
    TG_CHECK(length > 0 && length <= n_fft, ValueError, "win_length must be between 1 and n_fft, got ", length, " and ", n_fft);
    TG_CHECK(!given.defined() || (given.dim() == 1 && given.size(0) == length), ShapeError, "window must have win_length elements, got ",
        length, Named{"window", given});
    window = given.defined() ? given : ones(length, real, device);
    if (length < n_fft) window = pad(window, {(n_fft - length) / 2, n_fft - length - (n_fft - length) / 2});
  }
  /// Where in the signal the numbers of all frames belong.
  Tensor places(int64_t frames) const {
    return reshape(unsqueeze(arange(frames, {}, window.device()) * Tensor(Scalar(hop)), 1) + arange(window.size(0), {}, window.device()), {-1});
  }
};
std::string_view norm_of(bool normalized) { return normalized ? "ortho" : "backward"; }
}  // namespace

Tensor stft(const Tensor& input, int64_t n_fft, OptInt hop_length, OptInt win_length, const Tensor& window, bool center, std::string_view pad_mode,
    bool normalized, std::optional<bool> onesided, std::optional<bool> return_complex) {
  OpScope op("stft");
  TG_CHECK(is_differentiable(input.dtype()), DtypeError, "input must be of a floating or complex dtype, got ", input.dtype(), Named{"input", input});
  TG_CHECK(input.dim() == 1 || input.dim() == 2, ShapeError, "input must have 1 or 2 dimensions, got ", input.dim(), Named{"input", input});
  const bool from_complex = is_complex(input.dtype()) || (window.defined() && is_complex(window.dtype()));
  TG_CHECK(return_complex || from_complex, ValueError, "return_complex must be given for real input");
  TG_CHECK(!from_complex || !onesided.value_or(false), ValueError, "onesided is for real input and window");
  const Frames f(n_fft, hop_length, win_length, window, real_dtype(input.dtype()), input.device());
  Tensor x = input.dim() == 1 ? unsqueeze(input, 0) : input;
  if (center) x = squeeze(pad(unsqueeze(x, 0), {n_fft / 2, n_fft / 2}, pad_mode), 0);
  TG_CHECK(x.size(1) >= n_fft, ShapeError, "input must have at least n_fft samples, got ", x.size(1), " and ", n_fft, Named{"input", input});
  const Tensor frames = unfold(x, 1, n_fft, f.hop) * f.window;
  const bool half = onesided.value_or(!from_complex);
  const Tensor spectrum = half ? fft::rfft(frames, {}, -1, norm_of(normalized)) : fft::fft(frames, {}, -1, norm_of(normalized));
  Tensor out = transpose(spectrum, 1, 2);
  if (input.dim() == 1) out = squeeze(out, 0);
  return return_complex.value_or(true) ? out : view_as_real(out);
}

// The frames, windowed again, added where they overlap, over the sum of the squared windows: D. W. Griffin and J. S. Lim, IEEE
// Trans. ASSP 32 (1984).
Tensor istft(const Tensor& input, int64_t n_fft, OptInt hop_length, OptInt win_length, const Tensor& window, bool center, bool normalized,
    std::optional<bool> onesided, OptInt length, bool return_complex) {
  OpScope op("istft");
  TG_CHECK(is_complex(input.dtype()), DtypeError, "input must be complex, got ", input.dtype(), Named{"input", input});
  TG_CHECK(input.dim() == 2 || input.dim() == 3, ShapeError, "input must have 2 or 3 dimensions, got ", input.dim(), Named{"input", input});
  const Frames f(n_fft, hop_length, win_length, window, real_dtype(input.dtype()), input.device());
  const Tensor x = transpose(input.dim() == 2 ? unsqueeze(input, 0) : input, 1, 2);
  const bool half = onesided.value_or(x.size(2) != n_fft);
  TG_CHECK(x.size(2) == (half ? n_fft / 2 + 1 : n_fft), ShapeError, "input must have ", half ? n_fft / 2 + 1 : n_fft,
      " frequencies, got ", x.size(2), Named{"input", input});
  TG_CHECK(return_complex || !is_complex(f.window.dtype()), ValueError, "a complex window needs return_complex=True", Named{"window", window});
  TG_CHECK(!return_complex || !half, ValueError, "return_complex needs all frequencies: onesided=False");
  const int64_t batch = x.size(0), count = x.size(1), size = n_fft + f.hop * (count - 1);
  const Tensor frames = return_complex ? fft::ifft(x, {}, -1, norm_of(normalized)) : fft::irfft(narrow(x, 2, 0, n_fft / 2 + 1), n_fft, -1, norm_of(normalized));
  const Tensor at = f.places(count), weighted = frames * f.window;
  const Tensor sums = index_add(zeros({batch, size}, weighted.dtype(), weighted.device()), 1, at, reshape(weighted, {batch, -1}));
  const Tensor squares = reshape(expand(square(f.window), {count, n_fft}), {-1});
  const Tensor envelope = index_add(zeros({size}, squares.dtype(), squares.device()), 0, at, squares);
  const int64_t begin = center ? n_fft / 2 : 0, end = length ? std::min(begin + *length, size) : center ? size - n_fft / 2 : size;
  TG_CHECK(end > begin, ShapeError, "nothing is left between the borders: too few frames", Named{"input", input});
  const Tensor part = narrow(envelope, 0, begin, end - begin);
  TG_CHECK(min(abs(detach(part))).item<double>() > 1e-11, ValueError, "the windows' overlap must not vanish", Named{"window", window});
  Tensor out = narrow(sums, 1, begin, end - begin) / part;
  if (length && *length > end - begin) out = pad(out, {0, *length - (end - begin)});
  return input.dim() == 2 ? squeeze(out, 0) : out;
}

// ---- rows

void signal_ops(OpTable& t) {
#define TG_OPTIONS "dtype? dtype=None, device? device=None, bool requires_grad=False)"
  t.add("hann_window(int window_length, bool periodic=True, *, " TG_OPTIONS, &hann_window, "0.5 - 0.5 cos(2 pi t).")
      .no_grad().samples({"8", "7, False", "1", "0", "5, dtype=float64"});
  t.add("hamming_window(int window_length, bool periodic=True, float alpha=0.54, float beta=0.46, *, " TG_OPTIONS, &hamming_window,
      "alpha - beta cos(2 pi t).").no_grad().samples({"8", "7, False", "7, True, 0.6, 0.4", "1"});
  t.add("blackman_window(int window_length, bool periodic=True, *, " TG_OPTIONS, &blackman_window,
      "0.42 - 0.5 cos(2 pi t) + 0.08 cos(4 pi t).").no_grad().samples({"8", "7, False", "1"});
  t.add("bartlett_window(int window_length, bool periodic=True, *, " TG_OPTIONS, &bartlett_window, "The triangle 1 - |2 t - 1|.")
      .no_grad().samples({"8", "7, False", "1"});
  t.add("kaiser_window(int window_length, bool periodic=True, float beta=12.0, *, " TG_OPTIONS, &kaiser_window,
      "I0(beta sqrt(1 - (2 t - 1)^2)) / I0(beta), with the modified Bessel function I0.").no_grad().samples({"8", "7, False", "7, True, 5.0", "1"});
#undef TG_OPTIONS
  t.add("stft(Tensor input, int n_fft, int? hop_length=None, int? win_length=None, Tensor? window=None, bool center=True, str pad_mode=\"reflect\", "
        "bool normalized=False, bool? onesided=None, bool? return_complex=None)", &stft,
      "Fourier transforms of windowed frames of a signal, hop_length (n_fft / 4) apart: (…, samples) -> (…, frequencies, frames).")
      .method().samples({"T(2, 20), 8, return_complex=True", "T(17), 6, 2, 4, window=P(4), center=False, return_complex=True",
          "T(2, 20), 8, 3, normalized=True, onesided=False, return_complex=False", "Z(16), 4"});
  t.add("istft(Tensor input, int n_fft, int? hop_length=None, int? win_length=None, Tensor? window=None, bool center=True, bool normalized=False, "
        "bool? onesided=None, int? length=None, bool return_complex=False)", &istft,
      "The signal whose stft is nearest to input: windowed frames, added, over the sum of the squared windows.")
      .method().samples({"Z(2, 5, 6), 8", "Z(4, 7), 6, 2, 4, window=P(4), length=11", "Z(8, 5), 8, onesided=False, return_complex=True"});
}

}  // namespace tapegrad
