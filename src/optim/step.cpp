// The arithmetic of the optimisers: one pass over every parameter, its gradient and its state, no temporaries.
// All tensors of a call are cut into pieces of equal size and shared out over the threads, so a hundred small parameters cost
// one parallel_for. The loops over a piece are in src/ops/cpu/optim.cpp. Nothing here is recorded; the versions of what is written go up.
#include <algorithm>
#include <cmath>

#include "src/ops/cpu/optim.h"
#include "src/ops/cpu/table.h"
#include "src/ops/cuda/kernels.h"
#include "src/ops/op_info.h"
#include "src/tensor/cuda.h"
#include "src/tensor/parallel.h"
#include "tapegrad/optim_optimizer.h"

namespace tapegrad {
namespace {

constexpr int64_t kPiece = 1 << 13;

bool dense_alike(const Tensor& a, const Tensor& b) {
  return a.strides() == b.strides() || (a.is_contiguous() && b.is_contiguous());
}

/// One parameter with its gradient and up to three states, all dense in the same order.
struct Item : CudaOptimItem {
  int64_t first_piece;
};
/// The kernels of a method.
template <class Step> struct Method {
  const OptimTable<Step>& on_cpu;
  CudaMethod on_device;
};
static thread_local std::vector<Item> spare_items;  // keeps its memory from one step to the next

/// What the loops need from a call's lists. A gradient or state laid out otherwise than its parameter is copied first, and the
/// states are copied back by the destructor.
class Batch {
  std::vector<Item> items_ = std::move(spare_items);
  std::vector<Tensor> kept_;
  std::vector<std::pair<Tensor, Tensor>> copy_back_;
  int64_t pieces_ = 0;
  Dtype dtype_ = Dtype::Float32;

  char* place(const Tensor& t, const Tensor& like, bool written) {  // in the order of like, which need not be contiguous
    if (dense_alike(t, like)) return t->data;
    Tensor copy = empty_strided(like.sizes(), like.strides(), t.dtype(), t.device());
    copy_(copy, t);
    kept_.push_back(copy);
    if (written) copy_back_.push_back({t, copy});
    return copy->data;
  }

 public:
  Batch(TensorList params, TensorList grads, std::initializer_list<TensorList> states) {
    TG_CHECK(params.size() == grads.size(), ValueError, "params and grads must have the same length, got ", params.size(), " and ", grads.size());
    for (TensorList s : states)
      TG_CHECK(s.empty() || s.size() == params.size(), ValueError, "each list of states must be empty or as long as params (", params.size(), "), got ", s.size());
  }
  ~Batch() {
    items_.clear();
    spare_items = std::move(items_);
  }
  Batch(const Batch&) = delete;

  /// Calls the kernel with `numbers` for the pieces of all parameters of one dtype after another.
  template <class Step>
  void run(TensorList params, TensorList grads, std::initializer_list<TensorList> states,
           Method<Step> method, const Step& numbers) {
    for (size_t k = 0; k < params.size(); k++) {
      const Tensor &p = params[k], &g = grads[k];
      TG_CHECK(is_differentiable(p.dtype()), DtypeError, "params must have a floating or complex dtype", Named{"param", p});
      TG_CHECK(p.sizes() == g.sizes() && p.dtype() == g.dtype(), ShapeError, "a gradient must have its parameter's shape and dtype", Named{"param", p}, Named{"grad", g});
      TG_CHECK(p.device() == g.device(), DeviceError, "a gradient must be on its parameter's device", Named{"param", p}, Named{"grad", g});
    }
    for (size_t from = 0; from < params.size();) {  // runs of equal dtype and device
      size_t to = from;
      const Device device = params[from].device();
      items_.clear(), pieces_ = 0, dtype_ = params[from].dtype();
      for (; to < params.size() && params[to].dtype() == dtype_ && params[to].device() == device; to++) add(params[to], grads[to], states, to);
      if (device.type == DeviceType::CUDA) launch(device, method.on_device, &numbers);
      else loop(kernel_for(real_dtype(dtype_), method.on_cpu), numbers);
      from = to;
    }
    for (auto& [to, copy] : copy_back_) copy_(to, copy);
    for (const Tensor& p : params) bump_version(p);
    for (TensorList s : states) for (const Tensor& t : s) bump_version(t);
  }

 private:
  void add(const Tensor& p, const Tensor& g, std::initializer_list<TensorList> states, size_t k) {
    Item item{};
    item.numel = p.numel() * (p.is_complex() ? 2 : 1);  // a complex parameter is two real ones
    const bool dense = p.is_contiguous() || is_dense(p);
    const Tensor like = dense ? p : contiguous_twin(p);
    item.part[0] = like->data;
    item.part[1] = place(g, like, false);
    int slot = 2;
    for (TensorList s : states) {
      if (!s.empty()) {
        TG_CHECK(s[k].sizes() == p.sizes() && s[k].dtype() == p.dtype(), ShapeError, "a state must have its parameter's shape and dtype", Named{"param", p}, Named{"state", s[k]});
        TG_CHECK(s[k].device() == p.device(), DeviceError, "a state must be on its parameter's device", Named{"param", p}, Named{"state", s[k]});
        item.part[slot] = place(s[k], like, true);
      }
      slot++;
    }
    item.first_piece = pieces_;
    items_.push_back(item);
    pieces_ += (item.numel + kPiece - 1) / kPiece;
  }
  Tensor contiguous_twin(const Tensor& p) {
    Tensor copy = empty(p.sizes(), p.dtype(), p.device());
    copy_(copy, p);
    kept_.push_back(copy);
    copy_back_.push_back({p, copy});
    return copy;
  }
  /// Do the elements fill one block of memory without gaps or repeats?
  static bool is_dense(const Tensor& p) {
    int64_t expected = 1, rest = p.dim();
    bool seen[kMaxDims] = {};
    for (; rest > 0; rest--) {
      int at = -1;
      for (int d = 0; d < p.dim(); d++) if (!seen[d] && (p.sizes()[d] == 1 || p.strides()[d] == expected)) at = d;
      if (at < 0) return false;
      seen[at] = true;
      expected *= p.sizes()[at];
    }
    return true;
  }
  template <class Step> static auto kernel_for(Dtype d, const OptimTable<Step>& t) {
    return d == Dtype::Float32 ? t.f32 : d == Dtype::Float64 ? t.f64 : d == Dtype::Float16 ? t.f16 : t.bf16;
  }
  void launch(Device device, CudaMethod method, const void* numbers) {
    const CudaGuard guard(device);
    const std::vector<CudaOptimItem> items(items_.begin(), items_.end());
    cuda_kernels().optim.step(method, real_dtype(dtype_), items.data(), int64_t(items.size()), numbers);
  }
  template <class Step> void loop(void (*kernel)(const OptimPart&, const Step&), const Step& numbers) {
    const int64_t bytes = int64_t(item_size(real_dtype(dtype_)));
    auto pieces = [&](int64_t begin, int64_t end) {
      size_t k = 0;
      while (k + 1 < items_.size() && items_[k + 1].first_piece <= begin) k++;
      for (int64_t piece = begin; piece < end; piece++) {
        while (k + 1 < items_.size() && items_[k + 1].first_piece <= piece) k++;
        const Item& it = items_[k];
        const int64_t at = (piece - it.first_piece) * kPiece, n = std::min(kPiece, it.numel - at);
        const auto part = [&](int i) { return it.part[i] ? static_cast<char*>(it.part[i]) + at * bytes : nullptr; };
        kernel({part(0), part(1), {part(2), part(3), part(4)}, n}, numbers);
      }
    };
    int64_t elements = 0;
    for (const Item& it : items_) elements += it.numel;
    LongKernel unlocked(elements);
    if (elements <= 4 * kPiece) pieces(0, pieces_);
    else parallel_for(pieces_, 4, pieces);
  }
};

void check_step(int64_t step) { TG_CHECK(step >= 1, ValueError, "step counts from 1, got ", step); }

}  // namespace

// No grads: the parameters' own; those that have none stay as they are.
void sgd_step(TensorList params, TensorList grads, TensorList momentum_buffers, double lr, double momentum, double dampening,
              double weight_decay, bool nesterov, bool maximize, bool first) {
  OpScope op("sgd_step");
  NoGrad no_grad;
  if (grads.empty()) {
    std::vector<Tensor> with, own;
    with.reserve(params.size()), own.reserve(params.size());
    for (const Tensor& p : params)
      if (Tensor g = p.grad(); g.defined()) with.push_back(p), own.push_back(std::move(g));
    if (!own.empty()) sgd_step(with, own, momentum_buffers, lr, momentum, dampening, weight_decay, nesterov, maximize, first);
    return;
  }
  const SgdStep s{lr, momentum, dampening, weight_decay, nesterov, maximize, first};
  Batch(params, grads, {momentum_buffers}).run(params, grads, {momentum_buffers}, {*sgd_tables[kernel_set], CudaMethod::Sgd}, s);
}

void adam_step(TensorList params, TensorList grads, TensorList exp_avgs, TensorList exp_avg_sqs, TensorList max_exp_avg_sqs,
               double lr, double beta1, double beta2, double eps, double weight_decay, bool decoupled, bool maximize, int64_t step) {
  OpScope op("adam_step");
  NoGrad no_grad;
  check_step(step);
  const AdamStep s{lr, beta1, beta2, eps, weight_decay, decoupled, maximize, 1 - std::pow(beta1, double(step)),
                   std::sqrt(1 - std::pow(beta2, double(step)))};
  const auto states = {exp_avgs, exp_avg_sqs, max_exp_avg_sqs};
  Batch(params, grads, states).run(params, grads, states, {*adam_tables[kernel_set], CudaMethod::Adam}, s);
}

void rmsprop_step(TensorList params, TensorList grads, TensorList square_avgs, TensorList grad_avgs, TensorList momentum_buffers,
                  double lr, double alpha, double eps, double weight_decay, double momentum, bool maximize) {
  OpScope op("rmsprop_step");
  NoGrad no_grad;
  const RmspropStep s{lr, alpha, eps, weight_decay, momentum, maximize};
  const auto states = {square_avgs, grad_avgs, momentum_buffers};
  Batch(params, grads, states).run(params, grads, states, {*rmsprop_tables[kernel_set], CudaMethod::Rmsprop}, s);
}

void adagrad_step(TensorList params, TensorList grads, TensorList sums, double lr, double eps, double weight_decay, bool maximize) {
  OpScope op("adagrad_step");
  NoGrad no_grad;
  Batch(params, grads, {sums}).run(params, grads, {sums}, {*adagrad_tables[kernel_set], CudaMethod::Adagrad}, AdagradStep{lr, eps, weight_decay, maximize});
}

void adadelta_step(TensorList params, TensorList grads, TensorList square_avgs, TensorList acc_deltas, double lr, double rho,
                   double eps, double weight_decay, bool maximize) {
  OpScope op("adadelta_step");
  NoGrad no_grad;
  const auto states = {square_avgs, acc_deltas};
  Batch(params, grads, states).run(params, grads, states, {*adadelta_tables[kernel_set], CudaMethod::Adadelta}, AdadeltaStep{lr, rho, eps, weight_decay, maximize});
}

void adamax_step(TensorList params, TensorList grads, TensorList exp_avgs, TensorList exp_infs, double lr, double beta1,
                 double beta2, double eps, double weight_decay, bool maximize, int64_t step) {
  OpScope op("adamax_step");
  NoGrad no_grad;
  check_step(step);
  const AdamaxStep s{lr / (1 - std::pow(beta1, double(step))), beta1, beta2, eps, weight_decay, maximize};
  const auto states = {exp_avgs, exp_infs};
  Batch(params, grads, states).run(params, grads, states, {*adamax_tables[kernel_set], CudaMethod::Adamax}, s);
}

void nadam_step(TensorList params, TensorList grads, TensorList exp_avgs, TensorList exp_avg_sqs, double lr, double beta1, double beta2,
                double eps, double weight_decay, bool decoupled, bool maximize, double mu, double mu_next, double mu_product, int64_t step) {
  OpScope op("nadam_step");
  NoGrad no_grad;
  check_step(step);
  const NadamStep s{lr, beta1, beta2, eps, weight_decay, decoupled, maximize, 1 - std::pow(beta2, double(step)),
                    -lr * (1 - mu) / (1 - mu_product), -lr * mu_next / (1 - mu_product * mu_next)};
  const auto states = {exp_avgs, exp_avg_sqs};
  Batch(params, grads, states).run(params, grads, states, {*nadam_tables[kernel_set], CudaMethod::Nadam}, s);
}

void radam_step(TensorList params, TensorList grads, TensorList exp_avgs, TensorList exp_avg_sqs, double lr, double beta1, double beta2,
                double eps, double weight_decay, bool decoupled, bool maximize, int64_t step) {
  OpScope op("radam_step");
  NoGrad no_grad;
  check_step(step);
  const double correction1 = 1 - std::pow(beta1, double(step)), power2 = std::pow(beta2, double(step)), correction2 = 1 - power2;
  const double rho_inf = 2 / (1 - beta2) - 1, rho = rho_inf - 2 * double(step) * power2 / correction2;
  const bool adapt = rho > 5;  // below, the variance of the adaptive step is unknown
  const double rectified = adapt ? std::sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho) * correction2) : 1;
  const RadamStep s{lr, beta1, beta2, eps, weight_decay, decoupled, maximize, adapt, -lr / correction1 * rectified};
  const auto states = {exp_avgs, exp_avg_sqs};
  Batch(params, grads, states).run(params, grads, states, {*radam_tables[kernel_set], CudaMethod::Radam}, s);
}

void optim_step_ops(OpTable& t) {
  t.add("_sgd_step(Tensor[] params, Tensor[] grads, Tensor[] momentum_buffers, float lr, float momentum, float dampening, float weight_decay, bool nesterov, bool maximize, bool first)",
        &sgd_step, "One step of SGD, in place. No grads: the parameters' own, and those that have none stay as they are.").no_grad();
  t.add("_adam_step(Tensor[] params, Tensor[] grads, Tensor[] exp_avgs, Tensor[] exp_avg_sqs, Tensor[] max_exp_avg_sqs, float lr, float beta1, float beta2, float eps, float weight_decay, bool decoupled, bool maximize, int step)",
        &adam_step, "One step of Adam, or of AdamW when decoupled, in place.").no_grad();
  t.add("_rmsprop_step(Tensor[] params, Tensor[] grads, Tensor[] square_avgs, Tensor[] grad_avgs, Tensor[] momentum_buffers, float lr, float alpha, float eps, float weight_decay, float momentum, bool maximize)",
        &rmsprop_step, "One step of RMSprop, in place.").no_grad();
  t.add("_adagrad_step(Tensor[] params, Tensor[] grads, Tensor[] sums, float lr, float eps, float weight_decay, bool maximize)",
        &adagrad_step, "One step of Adagrad, in place.").no_grad();
  t.add("_adadelta_step(Tensor[] params, Tensor[] grads, Tensor[] square_avgs, Tensor[] acc_deltas, float lr, float rho, float eps, float weight_decay, bool maximize)",
        &adadelta_step, "One step of Adadelta, in place.").no_grad();
  t.add("_adamax_step(Tensor[] params, Tensor[] grads, Tensor[] exp_avgs, Tensor[] exp_infs, float lr, float beta1, float beta2, float eps, float weight_decay, bool maximize, int step)",
        &adamax_step, "One step of Adamax, in place.").no_grad();
  t.add("_nadam_step(Tensor[] params, Tensor[] grads, Tensor[] exp_avgs, Tensor[] exp_avg_sqs, float lr, float beta1, float beta2, float eps, float weight_decay, bool decoupled, bool maximize, float mu, float mu_next, float mu_product, int step)",
        &nadam_step, "One step of NAdam, in place.").no_grad();
  t.add("_radam_step(Tensor[] params, Tensor[] grads, Tensor[] exp_avgs, Tensor[] exp_avg_sqs, float lr, float beta1, float beta2, float eps, float weight_decay, bool decoupled, bool maximize, int step)",
        &radam_step, "One step of RAdam, in place.").no_grad();
}

}  // namespace tapegrad
