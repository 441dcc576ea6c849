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
/// Sequences of different lengths without padding: the first elements of all, longest sequence first, then the second ones …
struct PackedSequence {
  Tensor data, batch_sizes;                  ///< how many sequences have an element 0, 1, …
  Tensor sorted_indices, unsorted_indices;   ///< where the sorted sequences were, and back; undefined if they were sorted
  template <class F> void for_each_tensor(F&& f) { f(data); }  // what hooks see
};

/// What RNN, LSTM and GRU have.
struct TG_API RNNParts {
  int64_t input_size, hidden_size;
  LSTMOptions options;
  std::vector<Tensor> weights;  ///< of each layer and direction: w_ih, w_hh, b_ih, b_hh, w_hr; those that exist

 protected:
  enum class Kind : uint8_t { Tanh, Relu, Gru, Lstm } kind;
  RNNParts(Kind kind, int64_t input_size, int64_t hidden_size, LSTMOptions options);
  void make(Module& owner);
  /// The outputs and the last states; states that are undefined start as zeros.
  std::vector<Tensor> run(const Module& owner, const Tensor& x, std::vector<Tensor> states) const;
  std::vector<Tensor> run(const Module& owner, const PackedSequence& x, std::vector<Tensor> states) const;

 private:
  std::vector<Tensor> call(bool training, const Tensor& x, const Tensor& batch_sizes, const std::vector<Tensor>& states,
                           bool batch_first) const;
  void fill(const Module& owner, std::vector<Tensor>& states, int64_t batch, const Tensor& x) const;
};

/// x (T, N, input_size), (N, T, input_size) with batch_first, (T, input_size), or packed; h (layers · directions, N,
/// hidden_size). Returns the last layer's outputs and the last state.
struct TG_API RNN : ModuleOf<RNN>, RNNParts {
  RNN(int64_t input_size, int64_t hidden_size, RNNOptions options = {});
  std::tuple<Tensor, Tensor> forward(const Tensor& x, const Tensor& h = {}) const;
  std::tuple<PackedSequence, Tensor> forward(const PackedSequence& x, const Tensor& h = {}) const;
};
struct TG_API GRU : ModuleOf<GRU>, RNNParts {
  GRU(int64_t input_size, int64_t hidden_size, GRUOptions options = {});
  std::tuple<Tensor, Tensor> forward(const Tensor& x, const Tensor& h = {}) const;
  std::tuple<PackedSequence, Tensor> forward(const PackedSequence& x, const Tensor& h = {}) const;
};
/// The state is {h, c}: auto [out, state] = lstm(x); auto [h, c] = state.
struct TG_API LSTM : ModuleOf<LSTM>, RNNParts {
  using State = std::tuple<Tensor, Tensor>;
  LSTM(int64_t input_size, int64_t hidden_size, LSTMOptions options = {});
  std::tuple<Tensor, State> forward(const Tensor& x, const State& state = {}) const;
  std::tuple<PackedSequence, State> forward(const PackedSequence& x, const State& state = {}) const;
};

namespace utils {
/// Of a padded tensor (T, N, …), or (N, T, …) with batch_first. The lengths must fall, unless enforce_sorted is false, which sorts.
TG_API PackedSequence pack_padded_sequence(const Tensor& x, IntList lengths, bool batch_first = false, bool enforce_sorted = true);
/// The padded tensor and the lengths; total_length fills up to more steps.
TG_API std::tuple<Tensor, Tensor> pad_packed_sequence(const PackedSequence& x, bool batch_first = false, double padding_value = 0,
                                                      std::optional<int64_t> total_length = {});
/// Tensors (length, …) as one (T, N, …), or (N, T, …) with batch_first.
TG_API Tensor pad_sequence(TensorList sequences, bool batch_first = false, double padding_value = 0);
TG_API PackedSequence pack_sequence(TensorList sequences, bool enforce_sorted = true);
TG_API std::vector<Tensor> unpack_sequence(const PackedSequence& x);
}  // namespace utils

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
