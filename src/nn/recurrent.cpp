// Recurrent layers over lstm, gru, rnn_tanh and rnn_relu, and their cells.
#include "src/nn/layer.h"
#include "tapegrad/nn_init.h"
#include "tapegrad/nn_recurrent.h"
#include "tapegrad/ops_rnn.h"

namespace tapegrad::nn {

static std::string rnn_text(int64_t in, int64_t hidden, const LSTMOptions& o) {
  std::string s = repr(in) + ", " + repr(hidden);
  if (o.proj_size) s += ", " + details("proj_size", o.proj_size);
  if (o.num_layers != 1) s += ", " + details("num_layers", o.num_layers);
  if (!o.bias) s += ", bias=False";
  if (o.batch_first) s += ", batch_first=True";
  if (o.dropout != 0) s += ", " + details("dropout", o.dropout);
  return o.bidirectional ? s + ", bidirectional=True" : s;
}
static LSTMOptions as_lstm(const RNNOptions& o) {
  return {o.num_layers, o.bias, o.batch_first, o.dropout, o.bidirectional, 0};
}
static LSTMOptions as_lstm(const GRUOptions& o) {
  return {o.num_layers, o.bias, o.batch_first, o.dropout, o.bidirectional, 0};
}

RNNParts::RNNParts(int64_t in, int64_t hidden, LSTMOptions o) : input_size(in), hidden_size(hidden), options(o) {
  TG_CHECK(hidden > 0 && o.num_layers > 0, ValueError, "hidden_size and num_layers must be positive, got ", hidden,
           " and ", o.num_layers);
  TG_CHECK(o.dropout >= 0 && o.dropout <= 1, ValueError, "dropout must be between 0 and 1, got ", o.dropout);
  TG_CHECK(o.proj_size >= 0 && o.proj_size < hidden, ValueError,
           "proj_size must be positive and smaller than hidden_size, or 0, got ", o.proj_size);
}
void RNNParts::make(Module& owner, int64_t gates) {
  const LSTMOptions& o = options;
  const int64_t out = o.proj_size ? o.proj_size : hidden_size, directions = o.bidirectional ? 2 : 1,
                rows = gates * hidden_size;
  for (int64_t layer = 0; layer < o.num_layers; layer++)
    for (int64_t d = 0; d < directions; d++) {
      const auto add = [&](const char* name, IntList size) {
        weights.push_back(owner.register_parameter(name + ("_l" + std::to_string(layer)) + (d ? "_reverse" : ""),
                                                   uninitialised(size)));
      };
      add("weight_ih", {rows, layer == 0 ? input_size : out * directions});
      add("weight_hh", {rows, out});
      if (o.bias) add("bias_ih", {rows}), add("bias_hh", {rows});
      if (o.proj_size) add("weight_hr", {o.proj_size, hidden_size});
    }
  const double bound = bound_of(hidden_size);
  for (const Tensor& w : weights) init::uniform_(w, -bound, bound);
}
Tensor RNNParts::prepare(const Module& owner, const Tensor& x, std::vector<Tensor>& states) const {
  const LSTMOptions& o = options;
  TG_CHECK((x.dim() == 2 || x.dim() == 3) && x.size(-1) == input_size, ShapeError, owner.name(),
           ": input must have 2 or 3 dimensions, the last of size ", input_size, Named{"input", x});
  TG_CHECK(x.dtype() == weights[0].dtype(), DtypeError, owner.name(), ": input must have the weights' dtype",
           Named{"input", x}, Named{"weight_ih_l0", weights[0]});
  const bool batched = x.dim() == 3;
  const Tensor y = batched ? x : unsqueeze(x, 1);
  const int64_t runs = o.num_layers * (o.bidirectional ? 2 : 1), batch = y.size(batched && o.batch_first ? 0 : 1);
  for (size_t k = 0; k < states.size(); k++) {
    const int64_t width = k == 0 && o.proj_size ? o.proj_size : hidden_size;
    Tensor& h = states[k];
    if (!h.defined()) {
      h = zeros({runs, batch, width}, x.dtype(), x.device());
      continue;
    }
    if (!batched && h.dim() == 2) h = unsqueeze(h, 1);
    const Shape expected{runs, batch, width};
    TG_CHECK(h.sizes() == expected, ShapeError, owner.name(), ": the state must have shape ", expected,
             " for this input", Named{"state", h}, Named{"input", x});
  }
  return y;
}
// Without a batch again, where there was none.
static Tensor like_input(const Tensor& y, const Tensor& x) { return x.dim() == 3 ? y : squeeze(y, 1); }

RNN::RNN(int64_t in, int64_t hidden, RNNOptions o)
    : ModuleOf(rnn_text(in, hidden, as_lstm(o))),
      RNNParts(in, hidden, as_lstm(o)),
      nonlinearity(std::move(o.nonlinearity)) {
  TG_CHECK(nonlinearity == "tanh" || nonlinearity == "relu", ValueError,
           "RNN: nonlinearity must be tanh or relu, got \"", nonlinearity, "\"");
  make(*this, 1);
}
std::tuple<Tensor, Tensor> RNN::forward(const Tensor& x, const Tensor& h) const {
  std::vector<Tensor> states = {h};
  const Tensor input = prepare(*this, x, states);
  const LSTMOptions& o = options;
  const bool batch_first = o.batch_first && x.dim() == 3;
  const auto [out, last] = nonlinearity == "tanh" ? rnn_tanh(input, states[0], weights, o.bias, o.num_layers, o.dropout,
                                                             is_training(), o.bidirectional, batch_first)
                                                  : rnn_relu(input, states[0], weights, o.bias, o.num_layers, o.dropout,
                                                             is_training(), o.bidirectional, batch_first);
  return {like_input(out, x), like_input(last, x)};
}
GRU::GRU(int64_t in, int64_t hidden, GRUOptions o)
    : ModuleOf(rnn_text(in, hidden, as_lstm(o))), RNNParts(in, hidden, as_lstm(o)) {
  make(*this, 3);
}
std::tuple<Tensor, Tensor> GRU::forward(const Tensor& x, const Tensor& h) const {
  std::vector<Tensor> states = {h};
  const Tensor input = prepare(*this, x, states);
  const LSTMOptions& o = options;
  const auto [out, last] = gru(input, states[0], weights, o.bias, o.num_layers, o.dropout, is_training(),
                               o.bidirectional, o.batch_first && x.dim() == 3);
  return {like_input(out, x), like_input(last, x)};
}
LSTM::LSTM(int64_t in, int64_t hidden, LSTMOptions o) : ModuleOf(rnn_text(in, hidden, o)), RNNParts(in, hidden, o) {
  make(*this, 4);
}
std::tuple<Tensor, LSTM::State> LSTM::forward(const Tensor& x, const State& state) const {
  std::vector<Tensor> states = {std::get<0>(state), std::get<1>(state)};
  const Tensor input = prepare(*this, x, states);
  const LSTMOptions& o = options;
  const auto [out, h, c] = lstm(input, states, weights, o.bias, o.num_layers, o.dropout, is_training(), o.bidirectional,
                                o.batch_first && x.dim() == 3);
  return {like_input(out, x), State(like_input(h, x), like_input(c, x))};
}

// ---- cells

CellParts::CellParts(Module& owner, int64_t in, int64_t hidden, bool bias, int64_t gates) : hidden_size(hidden) {
  const double bound = bound_of(hidden);
  const auto make = [&](const char* name, IntList size) {
    return init::uniform_(owner.register_parameter(name, uninitialised(size)), -bound, bound);
  };
  weight_ih = make("weight_ih", {gates * hidden, in});
  weight_hh = make("weight_hh", {gates * hidden, hidden});
  if (bias) bias_ih = make("bias_ih", {gates * hidden}), bias_hh = make("bias_hh", {gates * hidden});
}
std::vector<Tensor> CellParts::prepare(const Module& owner, const Tensor& x, TensorList states) const {
  TG_CHECK(x.dim() == 1 || x.dim() == 2, ShapeError, owner.name(), ": input must have 1 or 2 dimensions",
           Named{"input", x});
  const auto batched = [&](const Tensor& t) { return x.dim() == 2 ? t : unsqueeze(t, 0); };
  std::vector<Tensor> out = {batched(x)};
  for (const Tensor& h : states)
    out.push_back(h.defined() ? batched(h) : zeros({out[0].size(0), hidden_size}, x.dtype(), x.device()));
  return out;
}
static Tensor like_cell_input(const Tensor& h, const Tensor& x) { return x.dim() == 2 ? h : squeeze(h, 0); }
static std::string cell_text(int64_t in, int64_t hidden, bool bias) {
  return repr(in) + ", " + repr(hidden) + (bias ? "" : ", bias=False");
}

RNNCell::RNNCell(int64_t in, int64_t hidden, bool bias, std::string f)
    : ModuleOf(cell_text(in, hidden, bias) + (f == "tanh" ? "" : ", nonlinearity=" + f)),
      CellParts(*this, in, hidden, bias, 1),
      nonlinearity(std::move(f)) {
  TG_CHECK(nonlinearity == "tanh" || nonlinearity == "relu", ValueError,
           "RNNCell: nonlinearity must be tanh or relu, got \"", nonlinearity, "\"");
}
Tensor RNNCell::forward(const Tensor& x, const Tensor& h) const {
  const std::vector<Tensor> in = prepare(*this, x, {h});
  return like_cell_input(
      (nonlinearity == "tanh" ? rnn_tanh_cell : rnn_relu_cell)(in[0], in[1], weight_ih, weight_hh, bias_ih, bias_hh), x);
}
GRUCell::GRUCell(int64_t in, int64_t hidden, bool bias)
    : ModuleOf(cell_text(in, hidden, bias)), CellParts(*this, in, hidden, bias, 3) {}
Tensor GRUCell::forward(const Tensor& x, const Tensor& h) const {
  const std::vector<Tensor> in = prepare(*this, x, {h});
  return like_cell_input(gru_cell(in[0], in[1], weight_ih, weight_hh, bias_ih, bias_hh), x);
}
LSTMCell::LSTMCell(int64_t in, int64_t hidden, bool bias)
    : ModuleOf(cell_text(in, hidden, bias)), CellParts(*this, in, hidden, bias, 4) {}
LSTMCell::State LSTMCell::forward(const Tensor& x, const State& state) const {
  const std::vector<Tensor> in = prepare(*this, x, {std::get<0>(state), std::get<1>(state)});
  const auto [h, c] = lstm_cell(in[0], {in[1], in[2]}, weight_ih, weight_hh, bias_ih, bias_hh);
  return {like_cell_input(h, x), like_cell_input(c, x)};
}

}  // namespace tapegrad::nn
