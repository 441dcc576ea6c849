// One recurrent layer in one direction over a whole sequence: what lstm, gru, rnn_tanh, rnn_relu and the cells are made of.
#pragma once
#include "tapegrad/ops.h"

namespace tapegrad {

enum class Cell : uint8_t { Tanh, Relu, Lstm, Gru };
inline int64_t gates_of(Cell cell) { return cell == Cell::Lstm ? 4 : cell == Cell::Gru ? 3 : 1; }

/// The rows of a packed sequence: those of step 0, then those of step 1 …. Later steps have as many rows or fewer.
struct Steps {
  int64_t count, batch, rows;  // steps; rows of the first one; rows of all
  Tensor sizes;                // int64[count]; undefined when each step has `batch` rows
  int64_t size(int64_t t) const { return sizes.defined() ? sizes->host<const int64_t>()[t] : batch; }
  /// f(first row, rows) in the order of time, or from the end.
  template <class F> void each(bool from_end, F f) const {
    int64_t at = from_end ? rows : 0;
    for (int64_t k = 0; k < count; k++) {
      const int64_t n = size(from_end ? count - 1 - k : k);
      if (from_end) at -= n;
      f(at, n);
      if (!from_end) at += n;
    }
  }
};
struct LayerWeights {
  Tensor w_ih, w_hh, b_ih, b_hh, w_hr;  // the biases, and the projection of an LSTM's h, may be undefined
};
struct LayerResult {
  Tensor y, h, c;  // (rows, out), the last states (batch, out) and, of an LSTM, (batch, hidden)
};
/// x (rows, in), h and c the first states. `reverse` goes through time from the end. All of one dtype, float32 or float64, and of
/// shapes that fit. Recorded as one node.
LayerResult rnn_layer(Cell cell, const Steps& steps, bool reverse, const Tensor& x, const Tensor& h, const Tensor& c,
                      const LayerWeights& w);

}  // namespace tapegrad
