// lstm, gru, rnn_tanh, rnn_relu over dense and packed sequences, and their cells: checks, and layers put together.
#include "src/ops/op_info.h"
#include "src/ops/rnn_layer.h"
#include "tapegrad/ops_rnn.h"

namespace tapegrad {
namespace {

using Three = std::tuple<Tensor, Tensor, Tensor>;
using Two = std::tuple<Tensor, Tensor>;

struct Options {
  Cell cell;
  bool biases;
  int64_t layers;
  double dropout;
  bool train, bidirectional;
};

// Sums over many steps do not bear 8 or 11 bits: 16-bit floats are computed in float32.
Tensor widened(const Tensor& x) { return x.defined() && item_size(x.dtype()) == 2 ? to(x, float32) : x; }

void check_dtype(const Tensor& x, const char* name, const Tensor& input, const char* input_name) {
  TG_CHECK(x.dtype() == input.dtype(), DtypeError, name, " must have the dtype of ", input_name, ", got ", x.dtype(), " and ",
      input.dtype(), Named{name, x}, Named{input_name, input});
}
void check_floating(const Tensor& x, const char* name) {
  TG_CHECK(is_floating(x.dtype()), DtypeError, name, " must be floating point, got ", x.dtype(), Named{name, x});
}
void check_shape(const Tensor& x, const char* name, IntList shape) {
  TG_CHECK(x.sizes() == shape, ShapeError, name, " must have shape ", shape, ", got ", x.sizes(), Named{name, x});
}
// The weights of one layer and direction, for inputs of `width` and states of `out` and `hidden`.
void check_weights(const LayerWeights& w, Cell cell, int64_t width, int64_t out, int64_t hidden, const Tensor& input,
    const char* input_name) {
  const int64_t rows = gates_of(cell) * hidden;
  check_shape(w.w_ih, "w_ih", {rows, width});
  check_shape(w.w_hh, "w_hh", {rows, out});
  if (w.b_ih.defined()) check_shape(w.b_ih, "b_ih", rows);
  if (w.b_hh.defined()) check_shape(w.b_hh, "b_hh", rows);
  if (w.w_hr.defined()) check_shape(w.w_hr, "w_hr", {out, hidden});
  const Tensor* all[] = {&w.w_ih, &w.w_hh, &w.b_ih, &w.b_hh, &w.w_hr};
  const char* names[] = {"w_ih", "w_hh", "b_ih", "b_hh", "w_hr"};
  for (int k = 0; k < 5; k++) if (all[k]->defined()) check_dtype(*all[k], names[k], input, input_name);
}
LayerWeights widened(const LayerWeights& w) {
  return {widened(w.w_ih), widened(w.w_hh), widened(w.b_ih), widened(w.b_hh), widened(w.w_hr)};
}

// All layers and directions over the rows of `steps`.
Three network(const Options& o, const Steps& steps, Tensor x, const Tensor& h0, const Tensor& c0, TensorList params) {
  const Dtype dtype = x.dtype();
  const Tensor input = x;
  check_floating(x, "input");
  TG_CHECK(o.layers > 0, ValueError, "num_layers must be positive, got ", o.layers);
  TG_CHECK(o.dropout >= 0 && o.dropout <= 1, ValueError, "dropout must lie between 0 and 1, got ", o.dropout);
  const int64_t directions = o.bidirectional ? 2 : 1, runs = o.layers * directions;
  TG_CHECK(h0.dim() == 3, ShapeError, "hx must have 3 dimensions, got ", h0.dim(), Named{"hx", h0});
  const int64_t out = h0.size(2), hidden = c0.defined() && c0.dim() == 3 ? c0.size(2) : out;
  check_shape(h0, "hx", {runs, steps.batch, out});
  check_dtype(h0, "hx", input, "input");
  if (c0.defined()) check_shape(c0, "cx", {runs, steps.batch, hidden}), check_dtype(c0, "cx", input, "input");
  const size_t each = (o.biases ? 4 : 2) + (out != hidden);
  TG_CHECK(params.size() == each * size_t(runs), ValueError, "params must hold ", int64_t(each), " tensors for each of ",
      o.layers, " layers and ", directions, " directions, got ", params.size());

  std::vector<Tensor> h_last, c_last;  // of several runs; a single one is in `last`
  LayerResult last;
  x = widened(x);
  for (int64_t layer = 0, run = 0; layer < o.layers; layer++) {
    Tensor ys[2];
    for (int64_t d = 0; d < directions; d++, run++) {
      const Tensor* p = params.begin() + size_t(run) * each;
      LayerWeights w{p[0], p[1], {}, {}, {}};
      if (o.biases) w.b_ih = p[2], w.b_hh = p[3];
      if (out != hidden) w.w_hr = p[each - 1];
      check_weights(w, o.cell, x.size(1), out, hidden, input, "input");
      const Tensor h = widened(select(h0, 0, run)), c = c0.defined() ? widened(select(c0, 0, run)) : Tensor();
      last = rnn_layer(o.cell, steps, d == 1, x, h, c, widened(w));
      ys[d] = last.y;
      if (runs > 1) h_last.push_back(last.h), c_last.push_back(last.c);
    }
    x = directions == 1 ? ys[0] : cat({ys[0], ys[1]}, 1);
    if (o.train && o.dropout > 0 && layer + 1 < o.layers) x = dropout(x, o.dropout, true);
  }
  auto joined = [&](const Tensor& one, const std::vector<Tensor>& all) { return to(runs == 1 ? unsqueeze(one, 0) : stack(all, 0), dtype); };
  return {to(x, dtype), joined(last.h, h_last), c0.defined() ? joined(last.c, c_last) : Tensor()};
}

Three dense(const Options& o, const Tensor& input, const Tensor& h, const Tensor& c, TensorList params, bool batch_first) {
  TG_CHECK(input.dim() == 3, ShapeError, "input must have 3 dimensions, got ", input.dim(), Named{"input", input});
  const Tensor x = batch_first ? transpose(input, 0, 1) : input;
  const int64_t count = x.size(0), batch = x.size(1);
  TG_CHECK(count > 0, ShapeError, "input must have at least one time step", Named{"input", input});
  auto [y, h_n, c_n] = network(o, {count, batch, count * batch, {}}, reshape(x, {count * batch, x.size(2)}), h, c, params);
  y = view(y, {count, batch, y.size(1)});
  return {batch_first ? transpose(y, 0, 1) : y, h_n, c_n};
}

Three packed(const Options& o, const Tensor& rows, const Tensor& batch_sizes, const Tensor& h, const Tensor& c, TensorList params) {
  TG_CHECK(rows.dim() == 2, ShapeError, "data must have 2 dimensions, got ", rows.dim(), Named{"data", rows});
  TG_CHECK(batch_sizes.dim() == 1 && batch_sizes.dtype() == int64 && batch_sizes.numel() > 0, ValueError,
      "batch_sizes must be a vector of int64, one for each time step", Named{"batch_sizes", batch_sizes});
  Steps s{batch_sizes.numel(), 0, 0, clone(contiguous(batch_sizes))};
  s.batch = s.size(0);
  for (int64_t t = 0; t < s.count; t++) {
    TG_CHECK(s.size(t) > 0 && s.size(t) <= (t ? s.size(t - 1) : s.batch), ValueError,
        "batch_sizes must be positive and never grow", Named{"batch_sizes", batch_sizes});
    s.rows += s.size(t);
  }
  TG_CHECK(s.rows == rows.size(0), ShapeError, "batch_sizes must sum up to the rows of data, got ", s.rows, Named{"data", rows});
  return network(o, s, rows, h, c, params);
}

Two first_two(const Three& r) { return {std::get<0>(r), std::get<1>(r)}; }
void check_pair(TensorList hx) { TG_CHECK(hx.size() == 2, ValueError, "hx must be the two tensors h and c, got ", hx.size()); }

LayerResult step(Cell cell, const Tensor& input, const Tensor& h, const Tensor& c, const LayerWeights& w) {
  check_floating(input, "input");
  TG_CHECK(input.dim() == 2, ShapeError, "input must have 2 dimensions, got ", input.dim(), Named{"input", input});
  TG_CHECK(h.dim() == 2, ShapeError, "hx must have 2 dimensions, got ", h.dim(), Named{"hx", h});
  const int64_t n = input.size(0), hidden = h.size(1);
  check_shape(h, "hx", {n, hidden});
  check_dtype(h, "hx", input, "input");
  if (c.defined()) check_shape(c, "cx", {n, hidden}), check_dtype(c, "cx", input, "input");
  check_weights(w, cell, input.size(1), hidden, hidden, input, "input");
  LayerResult r = rnn_layer(cell, {1, n, n, {}}, false, widened(input), widened(h), widened(c), widened(w));
  const Dtype d = input.dtype();
  return {to(r.y, d), {}, r.c.defined() ? to(r.c, d) : Tensor()};
}

}  // namespace

Three lstm(const Tensor& input, TensorList hx, TensorList params, bool has_biases, int64_t num_layers, double dropout,
    bool train, bool bidirectional, bool batch_first) {
  OpScope op("lstm");
  check_pair(hx);
  return dense({Cell::Lstm, has_biases, num_layers, dropout, train, bidirectional}, input, hx[0], hx[1], params, batch_first);
}
Three lstm(const Tensor& data, const Tensor& batch_sizes, TensorList hx, TensorList params, bool has_biases,
    int64_t num_layers, double dropout, bool train, bool bidirectional) {
  OpScope op("lstm");
  check_pair(hx);
  return packed({Cell::Lstm, has_biases, num_layers, dropout, train, bidirectional}, data, batch_sizes, hx[0], hx[1], params);
}
Two gru(const Tensor& input, const Tensor& hx, TensorList params, bool has_biases, int64_t num_layers, double dropout,
    bool train, bool bidirectional, bool batch_first) {
  OpScope op("gru");
  return first_two(dense({Cell::Gru, has_biases, num_layers, dropout, train, bidirectional}, input, hx, {}, params, batch_first));
}
Two gru(const Tensor& data, const Tensor& batch_sizes, const Tensor& hx, TensorList params, bool has_biases,
    int64_t num_layers, double dropout, bool train, bool bidirectional) {
  OpScope op("gru");
  return first_two(packed({Cell::Gru, has_biases, num_layers, dropout, train, bidirectional}, data, batch_sizes, hx, {}, params));
}
Two rnn_tanh(const Tensor& input, const Tensor& hx, TensorList params, bool has_biases, int64_t num_layers, double dropout,
    bool train, bool bidirectional, bool batch_first) {
  OpScope op("rnn_tanh");
  return first_two(dense({Cell::Tanh, has_biases, num_layers, dropout, train, bidirectional}, input, hx, {}, params, batch_first));
}
Two rnn_tanh(const Tensor& data, const Tensor& batch_sizes, const Tensor& hx, TensorList params, bool has_biases,
    int64_t num_layers, double dropout, bool train, bool bidirectional) {
  OpScope op("rnn_tanh");
  return first_two(packed({Cell::Tanh, has_biases, num_layers, dropout, train, bidirectional}, data, batch_sizes, hx, {}, params));
}
Two rnn_relu(const Tensor& input, const Tensor& hx, TensorList params, bool has_biases, int64_t num_layers, double dropout,
    bool train, bool bidirectional, bool batch_first) {
  OpScope op("rnn_relu");
  return first_two(dense({Cell::Relu, has_biases, num_layers, dropout, train, bidirectional}, input, hx, {}, params, batch_first));
}
Two rnn_relu(const Tensor& data, const Tensor& batch_sizes, const Tensor& hx, TensorList params, bool has_biases,
    int64_t num_layers, double dropout, bool train, bool bidirectional) {
  OpScope op("rnn_relu");
  return first_two(packed({Cell::Relu, has_biases, num_layers, dropout, train, bidirectional}, data, batch_sizes, hx, {}, params));
}
Two lstm_cell(const Tensor& input, TensorList hx, const Tensor& w_ih, const Tensor& w_hh, const Tensor& b_ih, const Tensor& b_hh) {
  OpScope op("lstm_cell");
  check_pair(hx);
  const LayerResult r = step(Cell::Lstm, input, hx[0], hx[1], {w_ih, w_hh, b_ih, b_hh, {}});
  return {r.y, r.c};
}
Tensor gru_cell(const Tensor& input, const Tensor& hx, const Tensor& w_ih, const Tensor& w_hh, const Tensor& b_ih, const Tensor& b_hh) {
  OpScope op("gru_cell");
  return step(Cell::Gru, input, hx, {}, {w_ih, w_hh, b_ih, b_hh, {}}).y;
}
Tensor rnn_tanh_cell(const Tensor& input, const Tensor& hx, const Tensor& w_ih, const Tensor& w_hh, const Tensor& b_ih,
    const Tensor& b_hh) {
  OpScope op("rnn_tanh_cell");
  return step(Cell::Tanh, input, hx, {}, {w_ih, w_hh, b_ih, b_hh, {}}).y;
}
Tensor rnn_relu_cell(const Tensor& input, const Tensor& hx, const Tensor& w_ih, const Tensor& w_hh, const Tensor& b_ih,
    const Tensor& b_hh) {
  OpScope op("rnn_relu_cell");
  return step(Cell::Relu, input, hx, {}, {w_ih, w_hh, b_ih, b_hh, {}}).y;
}

void rnn_ops(OpTable& t) {
  using Dense = Two (*)(const Tensor&, const Tensor&, TensorList, bool, int64_t, double, bool, bool, bool);
  using Packed = Two (*)(const Tensor&, const Tensor&, const Tensor&, TensorList, bool, int64_t, double, bool, bool);
  t.add("lstm(Tensor input, Tensor[] hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, "
        "bool bidirectional, bool batch_first)",
        static_cast<Three (*)(const Tensor&, TensorList, TensorList, bool, int64_t, double, bool, bool, bool)>(&lstm),
        "Long short-term memory: c' = σ(f) c + σ(i) tanh(g), h' = σ(o) tanh(c'), with i f g o = W_ih x + b_ih + W_hh h + b_hh. "
        "input (T, N, in), hx (h, c) of (layers · directions, N, H); params of each layer and direction: W_ih, W_hh, then "
        "b_ih, b_hh with has_biases, then W_hr, which projects h, when h and c differ in size. dropout between layers when "
        "train. Returns the outputs (T, N, H · directions), h and c. nn.LSTM is the module.")
      .samples({"T(3, 2, 4), [T(1, 2, 3), T(1, 2, 3)], [T(12, 4), T(12, 3), T(12), T(12)], True, 1, 0.0, False, False, False",
                "T(2, 3, 4), [T(1, 2, 2), T(1, 2, 3)], [T(12, 4), T(12, 2), T(2, 3)], False, 1, 0.0, False, False, True",
                "T(2, 2, 1), [T(4, 2, 1), T(4, 2, 1)], [T(4, 1), T(4, 1), T(4, 1), T(4, 1), T(4, 2), T(4, 1), T(4, 2), "
                "T(4, 1)], False, 2, 0.0, True, True, False"});
  t.add("lstm(Tensor data, Tensor batch_sizes, Tensor[] hx, Tensor[] params, bool has_biases, int num_layers, "
        "float dropout, bool train, bool bidirectional)",
        static_cast<Three (*)(const Tensor&, const Tensor&, TensorList, TensorList, bool, int64_t, double, bool, bool)>(&lstm),
        "The same over a packed sequence: data and batch_sizes of a PackedSequence.")
      .samples({"T(5, 2), C(3, 1, 1), [T(2, 3, 2), T(2, 3, 2)], [T(8, 2), T(8, 2), T(8), T(8), T(8, 2), T(8, 2), T(8), "
                "T(8)], True, 1, 0.0, False, True"});
  t.add("gru(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, "
        "bool bidirectional, bool batch_first)",
        static_cast<Dense>(&gru),
        "Gated recurrent unit: h' = (1 - z) n + z h, n = tanh(W_in x + b_in + r (W_hn h + b_hn)), r and z the sigmoids of "
        "their sums; rows of the weights in the order r z n. Arguments as lstm's. Returns the outputs and h.")
      .samples({"T(3, 2, 4), T(1, 2, 3), [T(9, 4), T(9, 3), T(9), T(9)], True, 1, 0.0, False, False, False",
                "T(2, 3, 4), T(1, 2, 3), [T(9, 4), T(9, 3)], False, 1, 0.0, False, False, True"});
  t.add("gru(Tensor data, Tensor batch_sizes, Tensor hx, Tensor[] params, bool has_biases, int num_layers, "
        "float dropout, bool train, bool bidirectional)",
        static_cast<Packed>(&gru), "The same over a packed sequence.")
      .samples({"T(5, 2), C(3, 1, 1), T(2, 3, 2), [T(6, 2), T(6, 2), T(6), T(6), T(6, 2), T(6, 2), T(6), T(6)], True, 1, 0.0, "
                "False, True"});
  t.add("rnn_tanh(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, "
        "bool bidirectional, bool batch_first)",
        static_cast<Dense>(&rnn_tanh), "h' = tanh(W_ih x + b_ih + W_hh h + b_hh). Arguments as lstm's.")
      .samples({"T(3, 2, 4), T(1, 2, 3), [T(3, 4), T(3, 3), T(3), T(3)], True, 1, 0.0, False, False, False",
                "T(2, 2, 2), T(2, 2, 2), [T(2, 2), T(2, 2), T(2, 2), T(2, 2)], False, 2, 0.0, True, False, True"});
  t.add("rnn_tanh(Tensor data, Tensor batch_sizes, Tensor hx, Tensor[] params, bool has_biases, int num_layers, "
        "float dropout, bool train, bool bidirectional)",
        static_cast<Packed>(&rnn_tanh), "The same over a packed sequence.")
      .samples({"T(4, 2), C(2, 1, 1), T(1, 2, 2), [T(2, 2), T(2, 2)], False, 1, 0.0, False, False"});
  t.add("rnn_relu(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, "
        "bool bidirectional, bool batch_first)",
        static_cast<Dense>(&rnn_relu), "h' = relu(W_ih x + b_ih + W_hh h + b_hh). Arguments as lstm's.")
      .samples({"T(3, 2, 4), T(1, 2, 3), [T(3, 4), T(3, 3), T(3), T(3)], True, 1, 0.0, False, False, False",
                "T(2, 2, 2), T(2, 2, 2), [T(2, 2), T(2, 2), T(2, 2), T(2, 2)], False, 2, 0.0, True, False, True"});
  t.add("rnn_relu(Tensor data, Tensor batch_sizes, Tensor hx, Tensor[] params, bool has_biases, int num_layers, "
        "float dropout, bool train, bool bidirectional)",
        static_cast<Packed>(&rnn_relu), "The same over a packed sequence.")
      .samples({"T(4, 2), C(2, 1, 1), T(1, 2, 2), [T(2, 2), T(2, 2)], False, 1, 0.0, False, False"});
  t.add("lstm_cell(Tensor input, Tensor[] hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None)", &lstm_cell,
        "One step of lstm: input (N, in), hx (h, c) of (N, H); the new h and c.")
      .samples({"T(2, 4), [T(2, 3), T(2, 3)], T(12, 4), T(12, 3), T(12), T(12)", "T(2, 4), [T(2, 1), T(2, 1)], T(4, 4), T(4, 1)"});
  t.add("gru_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None)", &gru_cell,
        "One step of gru: input (N, in), hx (N, H).")
      .samples({"T(2, 4), T(2, 3), T(9, 4), T(9, 3), T(9), T(9)", "T(2, 4), T(2, 1), T(3, 4), T(3, 1)"});
  t.add("rnn_tanh_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None)",
        &rnn_tanh_cell, "tanh(W_ih x + b_ih + W_hh h + b_hh): input (N, in), hx (N, H).")
      .samples({"T(2, 4), T(2, 3), T(3, 4), T(3, 3), T(3), T(3)", "T(2, 4), T(2, 1), T(1, 4), T(1, 1)"});
  t.add("rnn_relu_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None)",
        &rnn_relu_cell, "relu(W_ih x + b_ih + W_hh h + b_hh): input (N, in), hx (N, H).")
      .samples({"T(2, 4), T(2, 3), T(3, 4), T(3, 3), T(3), T(3)"});
}

}  // namespace tapegrad
