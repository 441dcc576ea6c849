// Forward: one product makes the gates' sums of all inputs, then each step adds the product of the state before and runs the fused
// arithmetic of its gates. Backward: the same loop the other way, which leaves the gradient of all sums in one matrix; the
// gradients of weights and inputs are products of that matrix. The outputs are not saved: they may be changed in place.
// The states live in one matrix (batch, out) that each step updates in its first rows: in a packed sequence the others have ended,
// or, from the end, not begun, so what the matrix holds last are the final states, whatever the lengths and the direction.
#include "src/ops/rnn_layer.h"

#include <algorithm>
#include <cstring>

#include "src/ops/cpu/rnn.h"
#include "src/ops/gemm.h"
#include "src/ops/matmul.h"
#include "src/ops/rows.h"
#include "src/tensor/parallel.h"

namespace tapegrad {
namespace {

template <class T> T* data(const Tensor& t) { return t.defined() ? t->host<T>() : nullptr; }
template <class T> T* at_row(const Tensor& t, int64_t r) { return t.defined() ? data<T>(t) + r * t->sizes[1] : nullptr; }
template <class T> const RnnKernels& cells() { return sizeof(T) == 4 ? rnn_tables[kernel_set]->f32 : rnn_tables[kernel_set]->f64; }

// f(first, count) for pieces of the rows of one step.
template <class F> void pieces(int64_t rows, int64_t width, F f) {
  const int64_t grain = std::max<int64_t>(1, (1 << 12) / std::max<int64_t>(1, width));
  parallel_for(rows, grain, [&](int64_t begin, int64_t end) { f(begin, end - begin); });
}
// c (m, w.rows) = a wᵀ [+ bias]; a and c row-major, m rows.
template <class T> void times_transposed(int64_t m, const T* a, const Tensor& w, T* c, const T* bias) {
  gemm(Gemm<T>{m, w->sizes[0], w->sizes[1], a, w->sizes[1], 1, data<T>(w), 1, w->sizes[1], c, w->sizes[0], bias, false});
}
// The factor w, or wᵀ, of every step's product. For several steps it is packed once.
template <class T> class Factor {
  const Tensor& w_;
  int64_t k_, n_, row_, col_;
  Tensor panels_;
 public:
  Factor(const Tensor& w, bool transposed, int64_t steps) : w_(w) {
    if (!w.defined()) return;
    k_ = w->sizes[transposed], n_ = w->sizes[!transposed], row_ = transposed ? 1 : n_, col_ = transposed ? k_ : 1;
    if (steps == 1) return;
    const RnnKernels& kernels = cells<T>();
    panels_ = empty({k_, (n_ + kernels.panel_width - 1) / kernels.panel_width * kernels.panel_width}, w.dtype());
    kernels.pack(w->host(), row_, col_, k_, n_, panels_->host());
  }
  // c (m, n) = [c +] a w
  void times(int64_t m, const T* a, T* c, bool add) const {
    if (!panels_.defined()) return gemm(Gemm<T>{m, n_, k_, a, k_, 1, data<T>(w_), row_, col_, c, n_, nullptr, add});
    const RnnKernels& kernels = cells<T>();
    const int64_t panel = std::max<int64_t>(1, m * k_ * kernels.panel_width);
    parallel_for(panels_->sizes[1] / kernels.panel_width, std::max<int64_t>(1, 400'000 / panel), [&](int64_t begin, int64_t end) {
      kernels.times_panels(a, panels_->host(), c, m, k_, n_, begin, end, add);
    });
  }
};

// What a forward makes, all row-major. The last two only when it is recorded.
struct Run {
  Tensor y, h, c;
  Tensor gates;     // (rows, gates · hidden), activated
  Tensor h_before;  // (rows, out): the state that each step began with
  Tensor kept;      // (rows, hidden): the same of an LSTM's cells; a GRU's sums of the new gate from the hidden side
};

template <class T> Run forward_steps(Cell cell, const Steps& s, bool reverse, const Tensor& x, const Tensor& h0,
    const Tensor& c0, const LayerWeights& w, bool keep) {
  const int64_t out = h0->sizes[1], hidden = w.w_hh->sizes[0] / gates_of(cell);
  const Dtype d = x.dtype();
  Tensor bias = w.b_ih;  // of a GRU the hidden side's has a place of its own
  if (cell != Cell::Gru && w.b_hh.defined()) bias = bias.defined() ? bias + w.b_hh : w.b_hh;
  Run r;
  r.gates = empty({s.rows, w.w_ih->sizes[0]}, d);
  r.y = empty({s.rows, out}, d);
  r.h = clone(h0);
  if (cell == Cell::Lstm) r.c = clone(c0);
  if (keep) r.h_before = empty({s.rows, out}, d);
  if (keep && gates_of(cell) > 1) r.kept = empty({s.rows, hidden}, d);
  const Tensor from_hidden = cell == Cell::Gru ? empty({s.batch, 3 * hidden}, d) : Tensor();
  const Tensor whole = w.w_hr.defined() ? empty({s.batch, hidden}, d) : Tensor();  // h before its projection
  const Factor<T> recurrent(w.w_hh, true, s.count), project(w.w_hr, true, s.count);
  const RnnKernels& k = cells<T>();

  LongKernel unlocked(s.rows * (x->sizes[1] + out) * gates_of(cell) * hidden / 4);
  times_transposed<T>(s.rows, data<T>(x), w.w_ih, data<T>(r.gates), data<T>(bias));
  s.each(reverse, [&](int64_t at, int64_t n) {
    T *y = at_row<T>(r.y, at), *h = data<T>(r.h);
    const size_t bytes = size_t(n * out) * sizeof(T);
    if (keep) std::memcpy(at_row<T>(r.h_before, at), h, bytes);
    if (cell == Cell::Gru) {
      const size_t row = size_t(3 * hidden) * sizeof(T);
      for (int64_t i = 0; w.b_hh.defined() && i < n; i++) std::memcpy(at_row<T>(from_hidden, i), data<T>(w.b_hh), row);
      recurrent.times(n, h, data<T>(from_hidden), w.b_hh.defined());
    } else {
      recurrent.times(n, h, at_row<T>(r.gates, at), true);
    }
    pieces(n, hidden, [&](int64_t i, int64_t m) {
      T *gates = at_row<T>(r.gates, at + i), *kept = at_row<T>(r.kept, at + i);
      if (cell == Cell::Lstm) k.lstm(gates, at_row<T>(r.c, i), kept, whole.defined() ? at_row<T>(whole, i) : y + i * out, m, hidden);
      else if (cell == Cell::Gru) k.gru(gates, at_row<T>(from_hidden, i), kept, h + i * out, y + i * out, m, hidden);
      else k.plain(gates, y + i * out, m * hidden, cell == Cell::Relu);
    });
    if (whole.defined()) project.times(n, data<T>(whole), y, false);
    if (cell != Cell::Gru) std::memcpy(h, y, bytes);
  });
  return r;
}

struct Gradients {
  Tensor sums, hidden_sums;  // (rows, gates · hidden); for all but a GRU the two sides are one tensor
  Tensor h, c;               // of the states: given those of the last, it ends as those of the first
  Tensor outputs, whole;     // with a projection: (rows, out) and (rows, hidden), gradient and input of its product
};
template <class T> void backward_steps(Cell cell, const Steps& s, bool reverse, const Run& r, const LayerWeights& w,
    const Tensor& dy, Gradients& g) {
  const int64_t out = r.h_before->sizes[1], hidden = w.w_hh->sizes[0] / gates_of(cell);
  const Dtype d = r.gates.dtype();
  g.sums = empty(r.gates.sizes(), d);
  g.hidden_sums = cell == Cell::Gru ? empty(r.gates.sizes(), d) : g.sums;
  Tensor whole;  // the gradient of h before its projection
  if (w.w_hr.defined()) g.outputs = empty({s.rows, out}, d), g.whole = empty({s.rows, hidden}, d), whole = empty({s.batch, hidden}, d);
  const Factor<T> recurrent(w.w_hh, false, s.count), project(w.w_hr, false, s.count);
  const RnnKernels& k = cells<T>();

  LongKernel unlocked(s.rows * out * gates_of(cell) * hidden / 4);
  s.each(!reverse, [&](int64_t at, int64_t n) {
    T* dh = data<T>(g.h);
    if (const T* from = at_row<T>(dy, at)) for (int64_t i = 0; i < n * out; i++) dh[i] += from[i];
    if (whole.defined()) {
      std::memcpy(at_row<T>(g.outputs, at), dh, size_t(n * out) * sizeof(T));
      project.times(n, dh, data<T>(whole), false);
    }
    pieces(n, hidden, [&](int64_t i, int64_t m) {
      const T *gates = at_row<T>(r.gates, at + i), *kept = at_row<T>(r.kept, at + i);
      T *to = at_row<T>(g.sums, at + i), *mine = whole.defined() ? at_row<T>(whole, i) : dh + i * out;
      if (cell == Cell::Lstm) k.lstm_backward(gates, kept, mine, at_row<T>(g.c, i), to, at_row<T>(g.whole, at + i), m, hidden);
      else if (cell == Cell::Gru)
        k.gru_backward(gates, kept, at_row<T>(r.h_before, at + i), mine, to, at_row<T>(g.hidden_sums, at + i), m, hidden);
      else k.plain_backward(gates, mine, to, m * hidden, cell == Cell::Relu);
    });
    recurrent.times(n, at_row<T>(g.hidden_sums, at), dh, cell == Cell::Gru);
  });
}

// The same layer as a composition of differentiable ops, for gradients of gradients.
LayerResult composed(Cell cell, const Steps& s, bool reverse, const Tensor& x, Tensor h, Tensor c, const LayerWeights& w) {
  const Tensor sums = linear(x, w.w_ih, w.b_ih);
  std::vector<Tensor> ys;
  auto first = [&](const Tensor& state, int64_t n) { return n == s.batch ? state : narrow(state, 0, 0, n); };
  auto advance = [&](Tensor& state, const Tensor& next) {
    const int64_t n = next.size(0);
    state = n == s.batch ? next : cat({next, narrow(state, 0, n, s.batch - n)}, 0);
  };
  s.each(reverse, [&](int64_t at, int64_t n) {
    const Tensor from_x = narrow(sums, 0, at, n), h_now = first(h, n), from_h = linear(h_now, w.w_hh, w.b_hh);
    const int64_t hidden = from_x.size(1) / gates_of(cell);
    auto gate = [&](const Tensor& t, int64_t k) { return narrow(t, 1, k * hidden, hidden); };
    Tensor y;
    if (cell == Cell::Lstm) {
      const Tensor g = from_x + from_h;
      const Tensor next = sigmoid(gate(g, 1)) * first(c, n) + sigmoid(gate(g, 0)) * tanh(gate(g, 2));
      y = sigmoid(gate(g, 3)) * tanh(next);
      if (w.w_hr.defined()) y = linear(y, w.w_hr);
      advance(c, next);
    } else if (cell == Cell::Gru) {
      const Tensor z = sigmoid(gate(from_x, 1) + gate(from_h, 1)), reset = sigmoid(gate(from_x, 0) + gate(from_h, 0));
      const Tensor next = tanh(gate(from_x, 2) + reset * gate(from_h, 2));
      y = next + z * (h_now - next);
    } else {
      y = cell == Cell::Tanh ? tanh(from_x + from_h) : relu(from_x + from_h);
    }
    advance(h, y);
    ys.push_back(y);
  });
  if (reverse) std::reverse(ys.begin(), ys.end());
  return {cat(ys, 0), h, c};
}

struct RnnBackward final : NodeOf<8> {
  Cell cell;
  bool reverse;
  Steps steps;
  SavedTensor in[8], gates, h_before, kept;
  RnnBackward(Cell k, bool back, const Steps& s, const Tensor& x, const Tensor& h, const Tensor& c, const LayerWeights& w, const Run& r)
      : NodeOf(x, h, c, w.w_ih, w.w_hh, w.b_ih, w.b_hh, w.w_hr), cell(k), reverse(back), steps(s), gates(r.gates),
          h_before(r.h_before), kept(r.kept) {
    const Tensor* all[8] = {&x, &h, &c, &w.w_ih, &w.w_hh, &w.b_ih, &w.b_hh, &w.w_hr};
    for (int i = 0; i < 8; i++) in[i] = SavedTensor(*all[i]);
  }
  const char* name() const override {
    static constexpr const char* names[] = {"RnnTanhBackward0", "RnnReluBackward0", "LstmBackward0", "GruBackward0"};
    return names[int(cell)];
  }
  void free_saved() override {
    for (SavedTensor& t : in) t.reset();
    gates.reset(), h_before.reset(), kept.reset();
  }

  // Differentiable: runs the composition on stand-ins for the inputs and differentiates that.
  void through_composition(const Tensor* values, Tensor* g, Tensor* dx) {
    Tensor v[8];
    for (int k = 0; k < 8; k++)
      if (values[k].defined()) v[k] = needs(k) ? view_as(values[k], values[k]) : values[k];
    const LayerResult r = composed(cell, steps, reverse, v[0], v[1], v[2], {v[3], v[4], v[5], v[6], v[7]});
    const Tensor outs[3] = {r.y, r.h, r.c};
    std::vector<Tensor> roots, grads, inputs;
    for (int k = 0; k < 3; k++) if (g[k].defined() && needs_grad(outs[k])) roots.push_back(outs[k]), grads.push_back(g[k]);
    for (int k = 0; k < 8; k++) if (needs(k)) inputs.push_back(v[k]);
    std::vector<Tensor> found = tapegrad::grad(roots, inputs, grads, {.create_graph = true, .allow_unused = true});
    for (int k = 0, i = 0; k < 8; k++) if (needs(k)) dx[k] = std::move(found[size_t(i++)]);
  }
  void fused(const Tensor* v, Tensor* g, Tensor* dx) {
    const Dtype d = v[0].dtype();
    const Tensor x = row_major(v[0], d), dy = row_major(g[0], d);
    const LayerWeights w{row_major(v[3], d), row_major(v[4], d), {}, {}, row_major(v[7], d)};
    const Run r{{}, {}, {}, gates.unpack(*this), h_before.unpack(*this), kept.unpack(*this)};
    Gradients q;
    q.h = g[1].defined() ? clone(row_major(g[1], d)) : zeros(v[1].sizes(), d);
    if (v[2].defined()) q.c = g[2].defined() ? clone(row_major(g[2], d)) : zeros(v[2].sizes(), d);
    if (d == Dtype::Float32) backward_steps<float>(cell, steps, reverse, r, w, dy, q);
    else backward_steps<double>(cell, steps, reverse, r, w, dy, q);
    if (needs(0)) dx[0] = product(q.sums, false, w.w_ih, false);
    if (needs(1)) dx[1] = q.h;
    if (needs(2)) dx[2] = q.c;
    if (needs(3)) dx[3] = gradient_product(*this, 3, q.sums, true, x, false);
    if (needs(4)) dx[4] = gradient_product(*this, 4, q.hidden_sums, true, r.h_before, false);
    if (needs(5)) dx[5] = sum(q.sums, 0);
    if (needs(6)) dx[6] = dx[5].defined() && cell != Cell::Gru ? clone(dx[5]) : sum(q.hidden_sums, 0);
    if (needs(7)) dx[7] = gradient_product(*this, 7, q.outputs, true, q.whole, false);
  }
  void backward_all(Tensor* g, Tensor* dx) override {
    Tensor v[8];
    for (int k = 0; k < 8; k++) v[k] = in[k].unpack(*this);
    grad_enabled() ? through_composition(v, g, dx) : fused(v, g, dx);
  }
};

}  // namespace

LayerResult rnn_layer(Cell cell, const Steps& s, bool reverse, const Tensor& x, const Tensor& h, const Tensor& c, const LayerWeights& w) {
  const Dtype d = x.dtype();
  const bool keep = recording(x, h, c) || recording(w.w_ih, w.w_hh, w.b_ih, w.b_hh, w.w_hr);
  Run r;
  {
    NoGrad off;
    const LayerWeights rows{row_major(w.w_ih, d), row_major(w.w_hh, d), row_major(w.b_ih, d), row_major(w.b_hh, d),
                            row_major(w.w_hr, d)};
    const Tensor in = row_major(x, d), h0 = row_major(h, d), c0 = row_major(c, d);
    r = d == Dtype::Float32 ? forward_steps<float>(cell, s, reverse, in, h0, c0, rows, keep)
                            : forward_steps<double>(cell, s, reverse, in, h0, c0, rows, keep);
  }
  if (keep) record_many<RnnBackward>({r.y, r.h, r.c}, cell, reverse, s, x, h, c, w, r);
  return {r.y, r.h, r.c};
}

}  // namespace tapegrad
