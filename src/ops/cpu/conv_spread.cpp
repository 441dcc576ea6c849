// From the result of a convolution of stride 1 back to a clearly larger input: where frames of the result would be mostly padding,
// products of its columns are added up in frames of the input instead.
#include "src/ops/cpu/conv.h"
#include "src/ops/cpu/conv_tile.h"

namespace tapegrad { inline namespace TG_NS { namespace {

// The frame of a channel of the input: all that the taps of all outputs see.
struct Target {
  long rows, columns;
  explicit Target(const Window& w) {
    rows = most(w.out[1] + (w.kernel[1] - 1) * w.dilation[1], w.in[1] + w.pad[1]);
    columns = most(w.out[2] + (w.kernel[2] - 1) * w.dilation[2], w.in[2] + w.pad[2]);
  }
};

long weight_numbers(const ConvShape& s) { return up(s.rows * volume(s.window.kernel), kRows) * s.channels; }
template <class T> long workspace(const ConvShape& s, long rows) {
  const Target f(s.window);
  return s.channels * kColumns<T> + kRows * kColumns<T> + rows * f.rows * f.columns;
}

// Rows are channels and taps of the input: [tile][channel of the result][row]
template <class T> void pack(const ConvShape& s, const T* w, T* to) {
  const long rows = s.rows * volume(s.window.kernel);
  for (long r = 0; r < rows; r += kRows)
    for (long k = 0; k < s.channels; k++, to += kRows)
      for (long i = 0; i < kRows; i++) to[i] = r + i < rows ? w[k * rows + r + i] : T(0);
}

template <class T> TG_IN void add_run(T* to, const T* from, long n) {
  constexpr long L = kLanes<T>;
  using V = Wide<T>;
  using Half = typename Packet<T, int(L / 2)>::type;
  using Quarter = typename Packet<T, int(L > 4 ? L / 4 : 1)>::type;
  for (; n >= L; n -= L, to += L, from += L) put<V>(to, get<V>(to) + get<V>(from));
  for (; n >= L / 2; n -= L / 2, to += L / 2, from += L / 2) put<Half>(to, get<Half>(to) + get<Half>(from));
  if constexpr (L > 4) for (; n >= L / 4; n -= L / 4, to += L / 4, from += L / 4) put<Quarter>(to, get<Quarter>(to) + get<Quarter>(from));
  for (; n > 0; n--) *to++ += *from++;
}

template <class T> void run(const ConvShape& s, const T* weights, const T* y, const T* bias, T* x, long c0, long c1, T* work) {
  constexpr long N = kColumns<T>, M = kRows;
  const Window& w = s.window;
  const Target f(w);
  const long taps = volume(w.kernel), out = volume(w.out), in = volume(w.in), frame = f.rows * f.columns;
  const long panels = (out + N - 1) / N;
  T *panel = work, *sums = panel + s.channels * N, *frames = sums + M * N;
  __builtin_memset(frames, 0, size_t((c1 - c0) * frame) * sizeof(T));
  struct { long at, length, to; } runs[N];
  for (long p = 0; p < panels; p++) {
    const long begin = out * p / panels, columns = out * (p + 1) / panels - begin;
    long n = 0;
    for (long q = 0; q < columns; q += runs[n++].length) {
      const long i = (begin + q) / w.out[2], j = (begin + q) % w.out[2];
      runs[n] = {q, least(columns - q, w.out[2] - j), i * f.columns + j};
    }
    for (long k = 0; k < s.channels; k++) copy_row(panel + k * N, y + k * out + begin, columns);
    for (long r = c0 * taps; r < c1 * taps; r += M) {
      tile<T>((columns + kLanes<T> - 1) / kLanes<T>, s.channels, weights + r * s.channels, panel, nullptr, sums, N, false, panel, 0);
      for (long m = r; m < least(c1 * taps, r + M); m++) {
        const long t = m % taps, at = t / w.kernel[2] * w.dilation[1] * f.columns + t % w.kernel[2] * w.dilation[2];
        T* to = frames + (m / taps - c0) * frame + at;
        for (long i = 0; i < n; i++) add_run(to + runs[i].to, sums + (m - r) * N + runs[i].at, runs[i].length);
      }
    }
  }
  for (long c = c0; c < c1; c++)
    for (long h = 0; h < w.in[1]; h++) {
      const T* from = frames + (c - c0) * frame + (h + w.pad[1]) * f.columns + w.pad[2];
      T* to = x + c * in + h * w.in[2];
      if (bias) for (long i = 0; i < w.in[2]; i++) to[i] = from[i] + bias[c];
      else copy_row(to, from, w.in[2]);
    }
}

}  // namespace

extern const SpreadKernels<float> spread_f32 = {weight_numbers, workspace<float>, pack<float>, run<float>};
extern const SpreadKernels<double> spread_f64 = {weight_numbers, workspace<double>, pack<double>, run<double>};

}}  // namespace tapegrad
