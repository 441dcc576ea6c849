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

RNNParts::RNNParts(Kind k, int64_t in, int64_t hidden, LSTMOptions o) : input_size(in), hidden_size(hidden), options(o), kind(k) {
  TG_CHECK(hidden > 0 && o.num_layers > 0, ValueError, "hidden_size and num_layers must be positive, got ", hidden,
           " and ", o.num_layers);
  TG_CHECK(o.dropout >= 0 && o.dropout <= 1, ValueError, "dropout must be between 0 and 1, got ", o.dropout);
  TG_CHECK(o.proj_size >= 0 && o.proj_size < hidden, ValueError,
           "proj_size must be positive and smaller than hidden_size, or 0, got ", o.proj_size);
}
void RNNParts::make(Module& owner) {
  const int64_t gates = kind == Kind::Lstm ? 4 : kind == Kind::Gru ? 3 : 1;
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

template <class... A> static std::tuple<Tensor, Tensor> one_state(bool is_gru, bool is_tanh, const A&... args) {
  return is_gru ? gru(args...) : is_tanh ? rnn_tanh(args...) : rnn_relu(args...);
}
// With batch_sizes x is packed.
std::vector<Tensor> RNNParts::call(bool training, const Tensor& x, const Tensor& batch_sizes,
                                   const std::vector<Tensor>& states, bool batch_first) const {
  const auto& [layers, bias, unused, dropout, both, proj] = options;
  const bool is_gru = kind == Kind::Gru, is_tanh = kind == Kind::Tanh, packed = batch_sizes.defined();
  if (kind == Kind::Lstm) {
    const auto [y, h, c] = packed ? lstm(x, batch_sizes, states, weights, bias, layers, dropout, training, both)
                                  : lstm(x, states, weights, bias, layers, dropout, training, both, batch_first);
    return {y, h, c};
  }
  const TensorList w = weights;
  const auto [y, h] = packed ? one_state(is_gru, is_tanh, x, batch_sizes, states[0], w, bias, layers, dropout, training, both)
                             : one_state(is_gru, is_tanh, x, states[0], w, bias, layers, dropout, training, both, batch_first);
  return {y, h};
}
// Checks the states for a batch and puts zeros in the place of missing ones.
void RNNParts::fill(const Module& owner, std::vector<Tensor>& states, int64_t batch, const Tensor& x) const {
  TG_CHECK(x.dtype() == weights[0].dtype(), DtypeError, owner.name(), ": input must have the weights' dtype",
           Named{"input", x}, Named{"weight_ih_l0", weights[0]});
  TG_CHECK(x.size(-1) == input_size, ShapeError, owner.name(), ": the input's last dimension must have size ", input_size,
           Named{"input", x});
  for (size_t k = 0; k < states.size(); k++) {
    const int64_t width = k == 0 && options.proj_size ? options.proj_size : hidden_size;
    const Shape expected{options.num_layers * (options.bidirectional ? 2 : 1), batch, width};
    Tensor& h = states[k];
    if (!h.defined()) h = zeros(expected, x.dtype(), x.device());
    TG_CHECK(h.sizes() == expected, ShapeError, owner.name(), ": the state must have shape ", expected,
             " for this input", Named{"state", h}, Named{"input", x});
  }
}
std::vector<Tensor> RNNParts::run(const Module& owner, const Tensor& x, std::vector<Tensor> states) const {
  TG_CHECK(x.dim() == 2 || x.dim() == 3, ShapeError, owner.name(), ": input must have 2 or 3 dimensions", Named{"input", x});
  if (x.dim() == 3) {
    fill(owner, states, x.size(options.batch_first ? 0 : 1), x);
    return call(owner.is_training(), x, {}, states, options.batch_first);
  }
  for (Tensor& h : states) if (h.defined()) h = unsqueeze(h, 1);
  fill(owner, states, 1, x);
  std::vector<Tensor> out = call(owner.is_training(), unsqueeze(x, 1), {}, states, false);
  for (Tensor& t : out) t = squeeze(t, 1);
  return out;
}
std::vector<Tensor> RNNParts::run(const Module& owner, const PackedSequence& x, std::vector<Tensor> states) const {
  TG_CHECK(x.data.dim() == 2, ShapeError, owner.name(), ": packed data must have 2 dimensions", Named{"data", x.data});
  const auto in_order = [](std::vector<Tensor>& list, size_t first, const Tensor& order) {
    for (size_t k = first; order.defined() && k < list.size(); k++)
      if (list[k].defined()) list[k] = index_select(list[k], 1, order);
  };
  in_order(states, 0, x.sorted_indices);
  fill(owner, states, select(x.batch_sizes, 0, 0).item<int64_t>(), x.data);
  std::vector<Tensor> out = call(owner.is_training(), x.data, x.batch_sizes, states, false);
  in_order(out, 1, x.unsorted_indices);
  return out;
}
static PackedSequence like(const PackedSequence& x, const Tensor& data) { return {data, x.batch_sizes, x.sorted_indices, x.unsorted_indices}; }

static bool is_relu(const std::string& nonlinearity) {
  TG_CHECK(nonlinearity == "tanh" || nonlinearity == "relu", ValueError,
           "RNN: nonlinearity must be tanh or relu, got \"", nonlinearity, "\"");
  return nonlinearity == "relu";
}
RNN::RNN(int64_t in, int64_t hidden, RNNOptions o)
    : ModuleOf(rnn_text(in, hidden, as_lstm(o))),
      RNNParts(is_relu(o.nonlinearity) ? Kind::Relu : Kind::Tanh, in, hidden, as_lstm(o)) {
  make(*this);
}
std::tuple<Tensor, Tensor> RNN::forward(const Tensor& x, const Tensor& h) const {
  const std::vector<Tensor> out = run(*this, x, {h});
  return {out[0], out[1]};
}
std::tuple<PackedSequence, Tensor> RNN::forward(const PackedSequence& x, const Tensor& h) const {
  const std::vector<Tensor> out = run(*this, x, {h});
  return {like(x, out[0]), out[1]};
}
GRU::GRU(int64_t in, int64_t hidden, GRUOptions o)
    : ModuleOf(rnn_text(in, hidden, as_lstm(o))), RNNParts(Kind::Gru, in, hidden, as_lstm(o)) {
  make(*this);
}
std::tuple<Tensor, Tensor> GRU::forward(const Tensor& x, const Tensor& h) const {
  const std::vector<Tensor> out = run(*this, x, {h});
  return {out[0], out[1]};
}
std::tuple<PackedSequence, Tensor> GRU::forward(const PackedSequence& x, const Tensor& h) const {
  const std::vector<Tensor> out = run(*this, x, {h});
  return {like(x, out[0]), out[1]};
}
LSTM::LSTM(int64_t in, int64_t hidden, LSTMOptions o)
    : ModuleOf(rnn_text(in, hidden, o)), RNNParts(Kind::Lstm, in, hidden, o) {
  make(*this);
}
std::tuple<Tensor, LSTM::State> LSTM::forward(const Tensor& x, const State& s) const {
  const std::vector<Tensor> out = run(*this, x, {std::get<0>(s), std::get<1>(s)});
  return {out[0], State(out[1], out[2])};
}
std::tuple<PackedSequence, LSTM::State> LSTM::forward(const PackedSequence& x, const State& s) const {
  const std::vector<Tensor> out = run(*this, x, {std::get<0>(s), std::get<1>(s)});
  return {like(x, out[0]), State(out[1], out[2])};
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
