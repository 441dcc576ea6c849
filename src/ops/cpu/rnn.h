// The arithmetic of recurrent cells, all gates of a step in one pass. For float and double; pointers are to elements of that
// type, matrices are row-major. The sums of the gates (W_ih x + W_hh h + biases) come from products outside.
#pragma once
#include <stdint.h>

namespace tapegrad {

struct RnnKernels {
  // gates (rows, 4 n), order i f g o: sums, then activations. c (rows, n): the cells, updated; kept, unless null, gets those
  // before. h (rows, n) = o tanh(c).
  void (*lstm)(void* gates, void* c, void* kept, void* h, int64_t rows, int64_t n);
  // From dh and dc of this step: d, the gradient of the sums, and in dc the gradient of the cells before. h, unless null,
  // gets o tanh(c) again.
  void (*lstm_backward)(const void* gates, const void* kept, const void* dh, void* dc, void* d, void* h, int64_t rows, int64_t n);
  // gates (rows, 3 n), order r z n: the input's sums, then activations. hidden (rows, 3 n): the sums from h. kept, unless null,
  // gets hidden's part for n. h (rows, n) is updated; y gets a copy.
  void (*gru)(void* gates, const void* hidden, void* kept, void* h, void* y, int64_t rows, int64_t n);
  // dh: the gradient of the new h, then its direct part for the h before. d and d_hidden (rows, 3 n): of the two sums.
  void (*gru_backward)(const void* gates, const void* kept, const void* before, void* dh, void* d, void* d_hidden, int64_t rows, int64_t n);
  // x = h = tanh(x), or relu; and d = dh (1 - h²), or dh where h > 0.
  void (*plain)(void* x, void* h, int64_t n, bool relu);
  void (*plain_backward)(const void* h, const void* dh, void* d, int64_t n, bool relu);

  // Products with a matrix that many steps share, so that it is brought into the kernel's order once: panels of `panel_width`
  // columns, row by row, the last one filled up with zeros. b (k, n) has any strides; panels is for k times n rounded up.
  int64_t panel_width;
  void (*pack)(const void* b, int64_t b_row, int64_t b_col, int64_t k, int64_t n, void* panels);
  // The columns of c (rows, n) = [c +] a b in the panels from begin to end; a (rows, k).
  void (*times_panels)(const void* a, const void* panels, void* c, int64_t rows, int64_t k, int64_t n, int64_t begin, int64_t end,
                       bool add);
};
struct RnnTable {
  RnnKernels f32, f64;
};

}  // namespace tapegrad
