// Modules: models made of layers, with PyTorch's names, state_dict keys and initial values (the same seed gives the same
// weights as in Python). A model of your own:
//
//   struct Net : nn::Module {
//     nn::Conv2d conv = register_module("conv", nn::Conv2d(1, 16, 3, {.padding = 1}));
//     nn::Linear fc = register_module("fc", nn::Linear(16 * 4 * 4, 10));
//     Tensor operator()(const Tensor& x) const { return fc(max_pool2d(conv(x).relu(), 2).flatten(1)); }
//   };
//
// A module is a handle: copies share parameters, buffers and the training flag, as copies of a Tensor share memory.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "tapegrad/ops.h"

namespace tapegrad {

/// Named tensors in a fixed order: what modules save and load.
using StateDict = std::vector<std::pair<std::string, Tensor>>;

namespace nn {

/// What the copies of one module share.
struct TG_API ModuleState : Counted {
  std::string name, details;  // "Linear", "in_features=2, out_features=3, bias=True"
  bool training = true;
  std::vector<std::pair<std::string, Tensor>> parameters;
  struct Buffer {
    std::string name;
    Tensor tensor;
    bool persistent;
  };
  std::vector<Buffer> buffers;
  std::vector<std::pair<std::string, Ref<ModuleState>>> children;
  static void destroy(ModuleState* s) { delete s; }
};

class TG_API Module {
 public:
  /// `name` and `details` are for printing: name(details).
  explicit Module(std::string name = "Module", std::string details = "");
  virtual ~Module();
  Module(const Module&) = default;
  Module& operator=(const Module&) = default;

  // Building; each returns what it was given. An undefined tensor stands for "none" and is not registered.
  template <class M> M register_module(std::string name, M child) {
    add_child(std::move(name), child);
    return child;
  }
  Tensor register_parameter(std::string name, const Tensor& t);
  Tensor register_buffer(std::string name, const Tensor& t, bool persistent = true);

  // Looking. Names are dotted paths: "conv1.weight"; tensors used twice come once.
  std::vector<Tensor> parameters() const;
  StateDict named_parameters() const;
  StateDict named_buffers() const;
  /// This module and all below it, parents first; its own name is "".
  std::vector<std::pair<std::string, Module>> named_modules() const;
  std::vector<std::pair<std::string, Module>> named_children() const;
  const std::string& name() const { return state_->name; }
  bool is_training() const { return state_->training; }

  /// Parameters and persistent buffers: the tensors themselves, detached.
  StateDict state_dict() const;
  /// Copies values in. Throws Error that lists missing, unexpected (both only when strict) and misshapen entries.
  void load_state_dict(const StateDict& from, bool strict = true) const;

  // Changing, for this module and all below it
  void train(bool on = true) const;
  void eval() const { train(false); }
  void zero_grad() const;
  void requires_grad_(bool on = true) const;
  /// Floating parameters and buffers become `dtype`, in place: every handle to them sees it. Gradients are dropped.
  void to(Dtype dtype) const;
  /// f(Module&) for each module, children first.
  template <class F> void apply(F&& f) const {
    for (auto& [child_name, child] : named_children()) child.apply(f);
    Module self = *this;
    f(self);
  }

  friend TG_API std::string to_string(const Module& m);

 protected:
  Ref<ModuleState> state_;

 private:
  explicit Module(Ref<ModuleState> state) : state_(std::move(state)) {}
  void add_child(std::string name, const Module& child);
};
TG_API std::string to_string(const Module& m);

/// Sizes for one to three dimensions: `3` or `{3, 5}`.
struct Dims : Shape {
  Dims(int64_t n) : Shape({n}) {}
  Dims(std::initializer_list<int64_t> l) : Shape(l) {}
  Dims(IntList l) : Shape(l) {}
};

// ---- linear and embedding ------------------------------------------------------------------------------------------

/// x weightᵀ + bias
struct TG_API Linear : Module {
  Tensor weight, bias;
  Linear(int64_t in_features, int64_t out_features, bool bias = true);
  Tensor operator()(const Tensor& x) const;
};
struct TG_API Embedding : Module {
  Tensor weight;
  std::optional<int64_t> padding_idx;
  Embedding(int64_t num_embeddings, int64_t embedding_dim, std::optional<int64_t> padding_idx = {});
  Tensor operator()(const Tensor& indices) const;
};
struct TG_API Identity : Module {
  Identity() : Module("Identity") {}
  Tensor operator()(const Tensor& x) const { return x; }
};
struct TG_API Flatten : Module {
  int64_t start_dim, end_dim;
  explicit Flatten(int64_t start_dim = 1, int64_t end_dim = -1);
  Tensor operator()(const Tensor& x) const;
};

// ---- convolution: x is (N, C, spatial…) or (C, spatial…) -----------------------------------------------------------

struct ConvOptions {
  Dims stride = 1, padding = 0, dilation = 1;
  int64_t groups = 1;
  bool bias = true;
};
template <int N> struct TG_API Conv : Module {
  Tensor weight, bias;
  ConvOptions options;
  Conv(int64_t in_channels, int64_t out_channels, Dims kernel_size, ConvOptions options = {});
  Tensor operator()(const Tensor& x) const;
};
using Conv1d = Conv<1>;
using Conv2d = Conv<2>;
using Conv3d = Conv<3>;

struct ConvTransposeOptions {
  Dims stride = 1, padding = 0, output_padding = 0;
  int64_t groups = 1;
  bool bias = true;
  Dims dilation = 1;
};
template <int N> struct TG_API ConvTranspose : Module {
  Tensor weight, bias;
  ConvTransposeOptions options;
  ConvTranspose(int64_t in_channels, int64_t out_channels, Dims kernel_size, ConvTransposeOptions options = {});
  Tensor operator()(const Tensor& x) const;
};
using ConvTranspose1d = ConvTranspose<1>;
using ConvTranspose2d = ConvTranspose<2>;
using ConvTranspose3d = ConvTranspose<3>;

// ---- pooling -------------------------------------------------------------------------------------------------------

struct PoolOptions {
  std::optional<Dims> stride;  ///< without: the kernel size
  Dims padding = 0;
  bool ceil_mode = false;
};
struct TG_API MaxPool2d : Module {
  Dims kernel_size;
  PoolOptions options;
  explicit MaxPool2d(Dims kernel_size, PoolOptions options = {});
  Tensor operator()(const Tensor& x) const;
};
struct TG_API AvgPool2d : Module {
  Dims kernel_size;
  PoolOptions options;
  explicit AvgPool2d(Dims kernel_size, PoolOptions options = {});
  Tensor operator()(const Tensor& x) const;
};
struct TG_API AdaptiveAvgPool2d : Module {
  Dims output_size;
  explicit AdaptiveAvgPool2d(Dims output_size);
  Tensor operator()(const Tensor& x) const;
};
struct TG_API Upsample : Module {
  double scale_factor;
  std::string mode;
  explicit Upsample(double scale_factor, std::string mode = "nearest");
  Tensor operator()(const Tensor& x) const;
};

// ---- normalisation -------------------------------------------------------------------------------------------------

struct BatchNormOptions {
  double eps = 1e-5, momentum = 0.1;
  bool affine = true, track_running_stats = true;
};
/// Base of BatchNorm1d ((N, C) or (N, C, L)), BatchNorm2d ((N, C, H, W)) and BatchNorm3d.
struct TG_API BatchNorm : Module {
  Tensor weight, bias, running_mean, running_var, num_batches_tracked;
  BatchNormOptions options;
  Tensor operator()(const Tensor& x) const;
 protected:
  int64_t fewest_dims, most_dims;
  BatchNorm(std::string name, int64_t num_features, BatchNormOptions options, int64_t fewest_dims, int64_t most_dims);
};
struct TG_API BatchNorm1d : BatchNorm {
  explicit BatchNorm1d(int64_t num_features, BatchNormOptions options = {}) : BatchNorm("BatchNorm1d", num_features, options, 2, 3) {}
};
struct TG_API BatchNorm2d : BatchNorm {
  explicit BatchNorm2d(int64_t num_features, BatchNormOptions options = {}) : BatchNorm("BatchNorm2d", num_features, options, 4, 4) {}
};
struct TG_API BatchNorm3d : BatchNorm {
  explicit BatchNorm3d(int64_t num_features, BatchNormOptions options = {}) : BatchNorm("BatchNorm3d", num_features, options, 5, 5) {}
};
struct TG_API LayerNorm : Module {
  Tensor weight, bias;
  Dims normalized_shape;
  double eps;
  explicit LayerNorm(Dims normalized_shape, double eps = 1e-5, bool elementwise_affine = true, bool bias = true);
  Tensor operator()(const Tensor& x) const;
};
struct TG_API RMSNorm : Module {
  Tensor weight;
  Dims normalized_shape;
  std::optional<double> eps;
  explicit RMSNorm(Dims normalized_shape, std::optional<double> eps = {}, bool elementwise_affine = true);
  Tensor operator()(const Tensor& x) const;
};
struct TG_API GroupNorm : Module {
  Tensor weight, bias;
  int64_t num_groups;
  double eps;
  GroupNorm(int64_t num_groups, int64_t num_channels, double eps = 1e-5, bool affine = true);
  Tensor operator()(const Tensor& x) const;
};

// ---- activations and dropout ---------------------------------------------------------------------------------------

struct TG_API ReLU : Module { ReLU() : Module("ReLU") {} Tensor operator()(const Tensor& x) const; };
struct TG_API Tanh : Module { Tanh() : Module("Tanh") {} Tensor operator()(const Tensor& x) const; };
struct TG_API Sigmoid : Module { Sigmoid() : Module("Sigmoid") {} Tensor operator()(const Tensor& x) const; };
struct TG_API SiLU : Module { SiLU() : Module("SiLU") {} Tensor operator()(const Tensor& x) const; };
struct TG_API GELU : Module {
  std::string approximate;  ///< "none" or "tanh"
  explicit GELU(std::string approximate = "none");
  Tensor operator()(const Tensor& x) const;
};
struct TG_API LeakyReLU : Module {
  double negative_slope;
  explicit LeakyReLU(double negative_slope = 0.01);
  Tensor operator()(const Tensor& x) const;
};
struct TG_API Softmax : Module {
  int64_t dim;
  explicit Softmax(int64_t dim);
  Tensor operator()(const Tensor& x) const;
};
struct TG_API LogSoftmax : Module {
  int64_t dim;
  explicit LogSoftmax(int64_t dim);
  Tensor operator()(const Tensor& x) const;
};
/// Zeroes each element with probability p while training.
struct TG_API Dropout : Module {
  double p;
  explicit Dropout(double p = 0.5);
  Tensor operator()(const Tensor& x) const;
};

// ---- containers ----------------------------------------------------------------------------------------------------

/// One module after the other; children are named "0", "1", …
class TG_API Sequential : public Module {
  struct Step : Counted {
    virtual Tensor run(const Tensor& x) const = 0;
    virtual ~Step() = default;
    static void destroy(Step* s) { delete s; }
  };
  template <class M> struct StepOf final : Step {
    M module;
    explicit StepOf(const M& m) : module(m) {}
    Tensor run(const Tensor& x) const override { return module(x); }
  };
  std::vector<Ref<Step>> steps_;
 public:
  template <class... M> explicit Sequential(const M&... modules) : Module("Sequential") { (push_back(modules), ...); }
  template <class M> void push_back(const M& module) {
    register_module(std::to_string(steps_.size()), module);
    steps_.push_back(Ref<Step>::steal(new StepOf<M>(module)));
  }
  size_t size() const { return steps_.size(); }
  Tensor operator()(Tensor x) const {
    for (const Ref<Step>& s : steps_) x = s->run(x);
    return x;
  }
};

// ---- losses: functions with settings, e.g. CrossEntropyLoss{.label_smoothing = 0.1}(logits, labels) ----------------

struct CrossEntropyLoss {
  Tensor weight = {};
  int64_t ignore_index = -100;
  std::string_view reduction = "mean";
  double label_smoothing = 0;
  Tensor operator()(const Tensor& input, const Tensor& target) const { return cross_entropy(input, target, weight, ignore_index, reduction, label_smoothing); }
};
struct NLLLoss {
  Tensor weight = {};
  int64_t ignore_index = -100;
  std::string_view reduction = "mean";
  Tensor operator()(const Tensor& input, const Tensor& target) const { return nll_loss(input, target, weight, ignore_index, reduction); }
};
struct MSELoss {
  std::string_view reduction = "mean";
  Tensor operator()(const Tensor& input, const Tensor& target) const { return mse_loss(input, target, reduction); }
};
struct L1Loss {
  std::string_view reduction = "mean";
  Tensor operator()(const Tensor& input, const Tensor& target) const { return l1_loss(input, target, reduction); }
};
struct SmoothL1Loss {
  std::string_view reduction = "mean";
  double beta = 1;
  Tensor operator()(const Tensor& input, const Tensor& target) const { return smooth_l1_loss(input, target, reduction, beta); }
};
struct HuberLoss {
  std::string_view reduction = "mean";
  double delta = 1;
  Tensor operator()(const Tensor& input, const Tensor& target) const { return huber_loss(input, target, reduction, delta); }
};
struct BCELoss {
  Tensor weight = {};
  std::string_view reduction = "mean";
  Tensor operator()(const Tensor& input, const Tensor& target) const { return binary_cross_entropy(input, target, weight, reduction); }
};
struct BCEWithLogitsLoss {
  Tensor weight = {};
  Tensor pos_weight = {};
  std::string_view reduction = "mean";
  Tensor operator()(const Tensor& input, const Tensor& target) const { return binary_cross_entropy_with_logits(input, target, weight, pos_weight, reduction); }
};
struct KLDivLoss {
  std::string_view reduction = "mean";
  bool log_target = false;
  Tensor operator()(const Tensor& input, const Tensor& target) const { return kl_div(input, target, reduction, log_target); }
};

// ---- initial values, in place and unrecorded -----------------------------------------------------------------------

namespace init {
/// Uniform in ±gain(a) · sqrt(3 / fan_in), gain(a) = sqrt(2 / (1 + a²)); fan_in = size(1) · the rest.
TG_API void kaiming_uniform_(const Tensor& t, double a = 0);
/// Uniform in ±gain · sqrt(6 / (fan_in + fan_out)).
TG_API void xavier_uniform_(const Tensor& t, double gain = 1);
}  // namespace init

}  // namespace nn
}  // namespace tapegrad
