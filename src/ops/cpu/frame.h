// Planes with their padding, as convolution kernels read them: every tap of every stride meets its numbers side by side.
#pragma once
#include "src/ops/cpu/lanes.h"
#include "src/ops/cpu/window.h"

namespace tapegrad { inline namespace TG_NS {

#define TG_EACH(i, n) _Pragma("GCC unroll 32") for (int i = 0; i < int(n); i++)

TG_IN long least(long a, long b) { return a < b ? a : b; }
TG_IN long most(long a, long b) { return a > b ? a : b; }
TG_IN long up(long a, long b) { return (a + b - 1) / b * b; }
TG_IN long volume(const long* s) { return s[0] * s[1] * s[2]; }
template <class T> TG_IN Wide<T> splat(T x) { return x - Wide<T>{}; }

// What rows are moved in: at most 32 bytes. A load of 64 waits on Zen 4 for a store, not aligned, to the same place in another page.
template <class T> using Moved = typename Packet<T, kLanes<T> * sizeof(T) == 64 ? kLanes<T> / 2 : kLanes<T>>::type;
// A row, without a library call: whole packets, the last one overlapping.
template <class T> TG_IN void copy_row(T* to, const T* from, long n) {
  using V = Moved<T>;
  constexpr long L = sizeof(V) / sizeof(T);
  long i = 0;
  for (; i + L <= n; i += L) put<V>(to + i, get<V>(from + i));
  if (i == n) return;
  if (n >= L) put<V>(to + n - L, get<V>(from + n - L));
  else for (; i < n; i++) to[i] = from[i];
}

// even[i] = from[2 i], odd[i] = from[2 i + 1]
template <class T> TG_IN void split_row(T* even, T* odd, const T* from, long n) {
  constexpr int L = kLanes<T>;
  using V = Wide<T>;
  long i = 0;
  for (bool last = n < L; !last;) {
    const V a = get<V>(from + 2 * i), b = get<V>(from + 2 * i + L);
    put<V>(even + i, every_second<0>(a, b)), put<V>(odd + i, every_second<1>(a, b));
    if (i == n - L) return;
    i = least(i + L, n - L);
  }
  for (; i < n; i++) even[i] = from[2 * i], odd[i] = from[2 * i + 1];
}

/// A frame keeps coordinate q of dimension d, element (q - low) / step of the plane where that is whole and inside, else 0, in
/// phase q % phases at place q / phases. Phases follow one another, each a block of part[0] x part[1] x part[2].
/// Of a plane of size[d] numbers it takes in[d]: skip, skip + take, skip + 2 take …
struct Frame {
  long size[3], in[3], skip[3] = {0, 0, 0}, take[3] = {1, 1, 1};
  long low[3], step[3], phases[3], part[3];

  /// What a convolution reads of its input: steps of the window's stride stay within one phase.
  static Frame strided(const Window& w) {
    Frame f;
    for (int d = 0; d < 3; d++) {
      const long s = w.stride[d];
      f.size[d] = f.in[d] = w.in[d], f.low[d] = w.pad[d], f.step[d] = 1, f.phases[d] = s;
      f.part[d] = ((w.out[d] - 1) * s + (w.kernel[d] - 1) * w.dilation[d]) / s + 1;
      if (w.kernel[d] > 1 || s == 1) continue;
      f.skip[d] = (s - w.pad[d] % s) % s, f.take[d] = s;  // one tap: nothing between its steps is read
      f.in[d] = w.in[d] > f.skip[d] ? (w.in[d] - f.skip[d] - 1) / s + 1 : 0;
      f.low[d] = (f.skip[d] + w.pad[d]) / s, f.phases[d] = 1;
    }
    return f;
  }
  /// Of its output, to get back to the input with the taps in reverse order: the output's numbers a stride apart.
  static Frame spread(const Window& w) {
    Frame f;
    for (int d = 0; d < 3; d++) {
      const long reach = w.dilation[d] * (w.kernel[d] - 1);
      f.size[d] = f.in[d] = w.out[d], f.low[d] = reach - w.pad[d], f.step[d] = w.stride[d], f.phases[d] = 1, f.part[d] = w.in[d] + reach;
    }
    return f;
  }
  long row() const { return part[2]; }
  long numbers() const { return volume(part) * volume(phases); }
  long line(long a, long b) const { return (a * part[1] + b) * part[2]; }
  /// Where coordinate (a, b, c) lies.
  long at(long a, long b, long c) const {
    if (volume(phases) == 1) return line(a, b) + c;
    const long phase = (a % phases[0] * phases[1] + b % phases[1]) * phases[2] + c % phases[2];
    return phase * volume(part) + line(a / phases[0], b / phases[1]) + c / phases[2];
  }
  /// Where tap t of the window is, for the first output.
  long tap(const Window& w, long t) const {
    const long c = t % w.kernel[2], b = t / w.kernel[2] % w.kernel[1], a = t / w.kernel[2] / w.kernel[1];
    return at(a * w.dilation[0], b * w.dilation[1], c * w.dilation[2]);
  }

  /// Writes the plane's numbers; the zeros around them must be there, and stay.
  template <class T> void place(const T* plane, T* to) const {
    const Frame f = *this;  // a copy that no store of a packet can change, so that the loop need not read it again
    const long begin = f.first(2), end = f.last(2), b0 = f.first(1), b1 = f.last(1), s = f.phases[2], part = volume(f.part);
    if (begin >= end) return;
    const long q = f.low[2] + begin * f.step[2], columns = end - begin;
    for (long a = f.first(0); a < f.last(0); a++)
      for (long b = b0; b < b1; b++) {
        const long line = (a * f.take[0] + f.skip[0]) * f.size[1] + b * f.take[1] + f.skip[1];
        const T* from = plane + line * f.size[2] + begin * f.take[2] + f.skip[2];
        T* row = to + f.at(f.low[0] + a * f.step[0], f.low[1] + b * f.step[1], 0);
        if (s == 1) {
          copy_line(from, f.take[2], row + q, f.step[2], columns);
        } else if (s == 2) {
          const long odd = q % 2;
          T *even_to = row + odd * part + q / 2, *odd_to = row + (1 - odd) * part + (q + 1) / 2;
          split_row(even_to, odd_to, from, columns / 2);
          if (columns % 2) even_to[columns / 2] = from[columns - 1];
        } else {
          for (long c = 0; c < columns; c++) row[(q + c) % s * part + (q + c) / s] = from[c];
        }
      }
  }

 private:
  // Elements [first, last) of dimension d lie inside.
  long first(int d) const { return low[d] >= 0 ? 0 : (-low[d] + step[d] - 1) / step[d]; }
  long last(int d) const { return least(in[d], (part[d] * phases[d] - low[d] + step[d] - 1) / step[d]); }
  template <class T> static void copy_line(const T* from, long from_step, T* to, long to_step, long n) {
    if (from_step == 1 && to_step == 1) copy_row(to, from, n);
    else if (from_step == 2 && to_step == 1) for (long i = 0; i < n; i++) to[i] = from[2 * i];
    else if (from_step == 1 && to_step == 2) for (long i = 0; i < n; i++) to[2 * i] = from[i];
    else for (long i = 0; i < n; i++) to[i * to_step] = from[i * from_step];
  }
};

}}  // namespace tapegrad
