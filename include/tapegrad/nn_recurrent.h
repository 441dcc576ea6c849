// Recurrent layers and their cells. Parameters are named as PyTorch's: get_parameter("weight_ih_l0").
#pragma once
#include "tapegrad/nn_module.h"

namespace tapegrad::nn {

struct RNNOptions {
  int64_t num_layers = 1;
  std::string nonlinearity = "tanh";  ///< or "relu"
  bool bias = true, batch_first = false;
  double dropout = 0;  ///< between layers, while training
  bool bidirectional = false;
};
struct LSTMOptions {
  int64_t num_layers = 1;
  bool bias = true, batch_first = false;
  double dropout = 0;
  bool bidirectional = false;
  int64_t proj_size = 0;  ///< h is projected to this size
};
struct GRUOptions {
  int64_t num_layers = 1;
  bool bias = true, batch_first = false;
  double dropout = 0;
  bool bidirectional = false;
};
/// What RNN, LSTM and GRU have.
struct TG_API RNNParts {
  int64_t input_size, hidden_size;
  LSTMOptions options;
  std::vector<Tensor> weights;  ///< of each layer and direction: w_ih, w_hh, b_ih, b_hh, w_hr; those that exist
 protected:
  RNNParts(int64_t input_size, int64_t hidden_size, LSTMOptions options);
  void make(Module& owner, int64_t gates);
  /// x and the states with a batch dimension; states that are missing as zeros.
  Tensor prepare(const Module& owner, const Tensor& x, std::vector<Tensor>& states) const;
};

/// x (T, N, input_size), (N, T, input_size) with batch_first, or (T, input_size); h (layers · directions, N, hidden_size).
/// Returns the last layer's outputs and the last state.
struct TG_API RNN : ModuleOf<RNN>, RNNParts {
  std::string nonlinearity;
  RNN(int64_t input_size, int64_t hidden_size, RNNOptions options = {});
  std::tuple<Tensor, Tensor> forward(const Tensor& x, const Tensor& h = {}) const;
};
struct TG_API GRU : ModuleOf<GRU>, RNNParts {
  GRU(int64_t input_size, int64_t hidden_size, GRUOptions options = {});
  std::tuple<Tensor, Tensor> forward(const Tensor& x, const Tensor& h = {}) const;
};
/// The state is {h, c}: auto [out, state] = lstm(x); auto [h, c] = state.
struct TG_API LSTM : ModuleOf<LSTM>, RNNParts {
  using State = std::tuple<Tensor, Tensor>;
  LSTM(int64_t input_size, int64_t hidden_size, LSTMOptions options = {});
  std::tuple<Tensor, State> forward(const Tensor& x, const State& state = {}) const;
};

// ---- one step: x (N, input_size) or (input_size)

/// What the cells have; the biases may be undefined.
struct TG_API CellParts {
  int64_t hidden_size;
  Tensor weight_ih, weight_hh, bias_ih, bias_hh;

 protected:
  CellParts(Module& owner, int64_t input_size, int64_t hidden_size, bool bias, int64_t gates);
  std::vector<Tensor> prepare(const Module& owner, const Tensor& x, TensorList states) const;
};
struct TG_API RNNCell : ModuleOf<RNNCell>, CellParts {
  std::string nonlinearity;
  RNNCell(int64_t input_size, int64_t hidden_size, bool bias = true, std::string nonlinearity = "tanh");
  Tensor forward(const Tensor& x, const Tensor& h = {}) const;
};
struct TG_API GRUCell : ModuleOf<GRUCell>, CellParts {
  GRUCell(int64_t input_size, int64_t hidden_size, bool bias = true);
  Tensor forward(const Tensor& x, const Tensor& h = {}) const;
};
struct TG_API LSTMCell : ModuleOf<LSTMCell>, CellParts {
  using State = std::tuple<Tensor, Tensor>;
  LSTMCell(int64_t input_size, int64_t hidden_size, bool bias = true);
  State forward(const Tensor& x, const State& state = {}) const;
};

}  // namespace tapegrad::nn
