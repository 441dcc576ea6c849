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

// Rows are channels of the input, eight by eight, at each tap: a tap adds to what the one before it has just written, so the next
// row should be of another channel.
struct Row {
  long channel, tap;
  Row(const ConvShape& s, long taps, long r) {
    const long first = r / (8 * taps) * 8, together = least(8, s.rows - first), inside = r % (8 * taps);
    channel = first + inside % together, tap = inside / together;
  }
};
// [tile][channel of the result][row]
template <class T> void pack(const ConvShape& s, const T* w, T* to) {
  const long taps = volume(s.window.kernel), rows = s.rows * taps;
  for (long r = 0; r < rows; r += kRows, to += kRows * s.channels)
    for (long i = 0; i < kRows; i++) {
      const Row row(s, taps, r + i);
      const T* from = w + row.channel * taps + row.tap;
      for (long k = 0; k < s.channels; k++) to[k * kRows + i] = r + i < rows ? from[k * rows] : T(0);
    }
}

// A run of columns that add to numbers side by side, and its part that is shorter than a packet.
struct Run { long at, length, to; };
template <class T> TG_IN void add_rest(T* to, const T* from, long n) {
  constexpr long L = sizeof(Moved<T>) / sizeof(T) > 4 ? 4 : 1;
  using V = typename Packet<T, int(L)>::type;
  for (; n >= L; n -= L, to += L, from += L) put<V>(to, get<V>(to) + get<V>(from));
  for (; n > 0; n--) *to++ += *from++;
}

template <class T> void run(const ConvShape& s, const T* weights, const T* y, const T* bias, T* x, long c0, long c1, T* work) {
  using V = Moved<T>;
  constexpr long N = kColumns<T>, M = kRows, L = sizeof(V) / sizeof(T);
  const Window& w = s.window;
  const Target f(w);
  const long taps = volume(w.kernel), out = volume(w.out), in = volume(w.in), frame = f.rows * f.columns;
  const long panels = (out + N - 1) / N;
  T *panel = work, *sums = panel + s.channels * N, *frames = sums + M * N;
  __builtin_memset(frames, 0, size_t((c1 - c0) * frame) * sizeof(T));
  Run packets[N], rests[N];
  for (long p = 0; p < panels; p++) {
    const long begin = out * p / panels, columns = out * (p + 1) / panels - begin;
    long n_packets = 0, n_rests = 0;
    for (long q = 0, length; q < columns; q += length) {
      const long i = (begin + q) / w.out[2], j = (begin + q) % w.out[2], at = i * f.columns + j;
      length = least(columns - q, w.out[2] - j);
      for (long k = 0; k + L <= length; k += L) packets[n_packets++] = {q + k, L, at + k};
      if (const long rest = length % L) rests[n_rests++] = {q + length - rest, rest, at + length - rest};
    }
    for (long k = 0; k < s.channels; k++) copy_row(panel + k * N, y + k * out + begin, columns);
    for (long r = c0 * taps; r < c1 * taps; r += M) {
      tile<T>((columns + kLanes<T> - 1) / kLanes<T>, s.channels, weights + r * s.channels, panel, nullptr, sums, N, false, panel, 0);
      for (long m = r; m < least(c1 * taps, r + M); m++) {
        const Row row(s, taps, m);
        const long at = row.tap / w.kernel[2] * w.dilation[1] * f.columns + row.tap % w.kernel[2] * w.dilation[2];
        T* to = frames + (row.channel - c0) * frame + at;
        const T* from = sums + (m - r) * N;
        for (long i = 0; i < n_packets; i++) put<V>(to + packets[i].to, get<V>(to + packets[i].to) + get<V>(from + packets[i].at));
        for (long i = 0; i < n_rests; i++) add_rest(to + rests[i].to, from + rests[i].at, rests[i].length);
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
