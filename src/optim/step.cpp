// The arithmetic of the optimisers: one pass over every parameter, its gradient and its state, no temporaries.
// All tensors of a call are cut into pieces of equal size and shared out over the threads, so a hundred small parameters cost
// one parallel_for. Sixteen-bit values are computed in float. Nothing here is recorded; the versions of what is written go up.
#include <algorithm>
#include <bit>
#include <cmath>

#include "src/ops/op_info.h"
#include "src/tensor/parallel.h"
#include "tapegrad/optim.h"

namespace tapegrad {
namespace {

constexpr int64_t kPiece = 1 << 13;

// 16-bit floats as they lie in memory.
struct Half { uint16_t bits; };
struct Brain { uint16_t bits; };

float load(float x) { return x; }
double load(double x) { return x; }
float load(Brain x) { return std::bit_cast<float>(uint32_t(x.bits) << 16); }
float load(Half x) {
  const uint32_t sign = uint32_t(x.bits & 0x8000) << 16, rest = x.bits & 0x7fff;
  if (rest >= 0x7c00) return std::bit_cast<float>(sign | 0x7f800000 | (rest & 0x3ff) << 13);
  const float magnitude = std::bit_cast<float>(rest << 13) * 0x1p112f;  // the bias of 127 against 15; subnormals come out right
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
}
void store(float& to, float x) { to = x; }
void store(double& to, double x) { to = x; }
void store(Brain& to, float x) {
  const uint32_t u = std::bit_cast<uint32_t>(x);
  to.bits = std::isnan(x) ? 0x7fc0 : uint16_t((u + 0x7fff + (u >> 16 & 1)) >> 16);
}
void store(Half& to, float x) {
  const uint32_t u = std::bit_cast<uint32_t>(x), sign = u >> 16 & 0x8000, a = u & 0x7fffffff;
  if (a > 0x7f800000) to.bits = 0x7e00;
  else if (a >= 0x477ff000) to.bits = uint16_t(sign | 0x7c00);
  else if (a >= 0x38800000) to.bits = uint16_t(sign | (a - 0x38000000 + 0xfff + (a >> 13 & 1)) >> 13);
  else to.bits = uint16_t(sign | (std::bit_cast<uint32_t>(std::bit_cast<float>(a) + 0.5f) - 0x3f000000));  // adds in units of 2^-24
}
template <class T> using Compute = std::conditional_t<std::is_same_v<T, double>, double, float>;

bool dense_alike(const Tensor& a, const Tensor& b) {
  return a.strides() == b.strides() || (a.is_contiguous() && b.is_contiguous());
}

/// One parameter with its gradient and up to three states, all dense in the same order.
struct Item {
  char* part[5];
  int64_t numel;
};

/// What the loops need from a call's lists. A gradient or state laid out otherwise than its parameter is copied first, and the
/// states are copied back by the destructor.
class Batch {
  std::vector<Item> items_;
  std::vector<int64_t> first_piece_;
  std::vector<Tensor> kept_;
  std::vector<std::pair<Tensor, Tensor>> copy_back_;
  int64_t pieces_ = 0;
  Dtype dtype_ = Dtype::Float32;

  char* place(const Tensor& t, const Tensor& like, bool written) {  // in the order of like, which need not be contiguous
    if (dense_alike(t, like)) return t->data;
    Tensor copy = empty_strided(like.sizes(), like.strides(), t.dtype());
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

  /// Calls f(part…, n) for the pieces of all parameters of one dtype after another.
  template <class F> void run(TensorList params, TensorList grads, std::initializer_list<TensorList> states, F f) {
    for (size_t k = 0; k < params.size(); k++) {
      const Tensor &p = params[k], &g = grads[k];
      TG_CHECK(is_differentiable(p.dtype()), DtypeError, "params must have a floating or complex dtype", Named{"param", p});
      TG_CHECK(p.sizes() == g.sizes() && p.dtype() == g.dtype(), ShapeError, "a gradient must have its parameter's shape and dtype", Named{"param", p}, Named{"grad", g});
      TG_CHECK(!p.is_cuda() && !g.is_cuda(), DeviceError, "params must be on the cpu", Named{"param", p}, Named{"grad", g});
    }
    for (size_t from = 0; from < params.size();) {  // runs of equal dtype
      size_t to = from;
      items_.clear(), first_piece_.clear(), pieces_ = 0, dtype_ = params[from].dtype();
      for (; to < params.size() && params[to].dtype() == dtype_; to++) add(params[to], grads[to], states, to);
      switch (real_dtype(dtype_)) {
        case Dtype::Float32: loop<float>(f); break;
        case Dtype::Float64: loop<double>(f); break;
        case Dtype::Float16: loop<Half>(f); break;
        default: loop<Brain>(f); break;
      }
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
        item.part[slot] = place(s[k], like, true);
      }
      slot++;
    }
    items_.push_back(item);
    first_piece_.push_back(pieces_);
    pieces_ += (item.numel + kPiece - 1) / kPiece;
  }
  Tensor contiguous_twin(const Tensor& p) {
    Tensor copy = empty(p.sizes(), p.dtype());
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
  template <class T, class F> void loop(F& f) {
    auto pieces = [&](int64_t begin, int64_t end) {
      size_t k = 0;
      while (k + 1 < items_.size() && first_piece_[k + 1] <= begin) k++;
      for (int64_t piece = begin; piece < end; piece++) {
        while (k + 1 < items_.size() && first_piece_[k + 1] <= piece) k++;
        const Item& it = items_[k];
        const int64_t at = (piece - first_piece_[k]) * kPiece, n = std::min(kPiece, it.numel - at);
        T* part[5];
        for (int i = 0; i < 5; i++) part[i] = it.part[i] ? reinterpret_cast<T*>(it.part[i]) + at : nullptr;
        f(part[0], static_cast<const T*>(part[1]), part[2], part[3], part[4], n);
      }
    };
    int64_t elements = 0;
    for (const Item& it : items_) elements += it.numel;
    LongKernel unlocked(elements);
    if (elements <= 4 * kPiece) pieces(0, pieces_);
    else parallel_for(pieces_, 4, pieces);
  }
};

/// g, or -g when maximizing, plus weight decay: what every method starts from.
template <class C> struct Gradient {
  C sign, decay;
  C operator()(C g, C p) const { return g * sign + decay * p; }
};

}  // namespace

void sgd_step(TensorList params, TensorList grads, TensorList momentum_buffers, double lr, double momentum, double dampening,
              double weight_decay, bool nesterov, bool maximize, bool first) {
  OpScope op("sgd_step");
  NoGrad no_grad;
  Batch(params, grads, {momentum_buffers}).run(params, grads, {momentum_buffers}, [=]<class T>(T* p, const T* g, T* buf, T*, T*, int64_t n) {
    using C = Compute<T>;
    const Gradient<C> gradient{C(maximize ? -1 : 1), C(weight_decay)};
    const C step = C(-lr), mu = C(momentum), keep = C(1 - dampening);
    if (!buf) {
      for (int64_t i = 0; i < n; i++) store(p[i], load(p[i]) + step * gradient(load(g[i]), load(p[i])));
    } else if (first) {  // the buffer starts as the gradient itself
      for (int64_t i = 0; i < n; i++) {
        const C d = gradient(load(g[i]), load(p[i]));
        store(buf[i], d);
        store(p[i], load(p[i]) + step * (nesterov ? d + mu * d : d));
      }
    } else {
      for (int64_t i = 0; i < n; i++) {
        const C d = gradient(load(g[i]), load(p[i])), b = mu * load(buf[i]) + keep * d;
        store(buf[i], b);
        store(p[i], load(p[i]) + step * (nesterov ? d + mu * b : b));
      }
    }
  });
}

void adam_step(TensorList params, TensorList grads, TensorList exp_avgs, TensorList exp_avg_sqs, TensorList max_exp_avg_sqs,
               double lr, double beta1, double beta2, double eps, double weight_decay, bool decoupled, bool maximize, int64_t step) {
  OpScope op("adam_step");
  NoGrad no_grad;
  TG_CHECK(step >= 1, ValueError, "step counts from 1, got ", step);
  const double correction1 = 1 - std::pow(beta1, double(step)), correction2 = std::sqrt(1 - std::pow(beta2, double(step)));
  Batch(params, grads, {exp_avgs, exp_avg_sqs, max_exp_avg_sqs}).run(params, grads, {exp_avgs, exp_avg_sqs, max_exp_avg_sqs},
      [=]<class T>(T* p, const T* g, T* m, T* v, T* top, int64_t n) {
    using C = Compute<T>;
    const Gradient<C> gradient{C(maximize ? -1 : 1), C(decoupled ? 0 : weight_decay)};
    const C shrink = C(decoupled ? 1 - lr * weight_decay : 1), w1 = C(1 - beta1), b2 = C(beta2), w2 = C(1 - beta2);
    const C size = C(-lr / correction1), root = C(1 / correction2), e = C(eps);
    auto update = [&](int64_t i, auto with_top) {
      const C p0 = load(p[i]), d = gradient(load(g[i]), p0), m0 = load(m[i]);
      const C m1 = m0 + w1 * (d - m0), v1 = load(v[i]) * b2 + w2 * d * d;
      store(m[i], m1);
      store(v[i], v1);
      C second = v1;
      if constexpr (with_top) {
        second = std::max<C>(load(top[i]), v1);
        store(top[i], second);
      }
      store(p[i], p0 * shrink + size * (m1 / (std::sqrt(second) * root + e)));
    };
    if (top) for (int64_t i = 0; i < n; i++) update(i, std::true_type{});
    else for (int64_t i = 0; i < n; i++) update(i, std::false_type{});
  });
}

void rmsprop_step(TensorList params, TensorList grads, TensorList square_avgs, TensorList grad_avgs, TensorList momentum_buffers,
                  double lr, double alpha, double eps, double weight_decay, double momentum, bool maximize) {
  OpScope op("rmsprop_step");
  NoGrad no_grad;
  Batch(params, grads, {square_avgs, grad_avgs, momentum_buffers}).run(params, grads, {square_avgs, grad_avgs, momentum_buffers},
      [=]<class T>(T* p, const T* g, T* square, T* mean, T* buf, int64_t n) {
    using C = Compute<T>;
    const Gradient<C> gradient{C(maximize ? -1 : 1), C(weight_decay)};
    const C a = C(alpha), w = C(1 - alpha), e = C(eps), step = C(-lr), mu = C(momentum);
    for (int64_t i = 0; i < n; i++) {
      const C p0 = load(p[i]), d = gradient(load(g[i]), p0), s = load(square[i]) * a + w * d * d;
      store(square[i], s);
      C around = s;
      if (mean) {
        const C m0 = load(mean[i]), m1 = m0 + w * (d - m0);
        store(mean[i], m1);
        around = s - m1 * m1;
      }
      C move = d / (std::sqrt(around) + e);
      if (buf) {
        move = mu * load(buf[i]) + move;
        store(buf[i], move);
      }
      store(p[i], p0 + step * move);
    }
  });
}

void adagrad_step(TensorList params, TensorList grads, TensorList sums, double lr, double eps, double weight_decay, bool maximize) {
  OpScope op("adagrad_step");
  NoGrad no_grad;
  Batch(params, grads, {sums}).run(params, grads, {sums}, [=]<class T>(T* p, const T* g, T* sum, T*, T*, int64_t n) {
    using C = Compute<T>;
    const Gradient<C> gradient{C(maximize ? -1 : 1), C(weight_decay)};
    const C step = C(-lr), e = C(eps);
    for (int64_t i = 0; i < n; i++) {
      const C p0 = load(p[i]), d = gradient(load(g[i]), p0), s = load(sum[i]) + d * d;
      store(sum[i], s);
      store(p[i], p0 + step * (d / (std::sqrt(s) + e)));
    }
  });
}

void adadelta_step(TensorList params, TensorList grads, TensorList square_avgs, TensorList acc_deltas, double lr, double rho,
                   double eps, double weight_decay, bool maximize) {
  OpScope op("adadelta_step");
  NoGrad no_grad;
  Batch(params, grads, {square_avgs, acc_deltas}).run(params, grads, {square_avgs, acc_deltas},
      [=]<class T>(T* p, const T* g, T* square, T* acc, T*, int64_t n) {
    using C = Compute<T>;
    const Gradient<C> gradient{C(maximize ? -1 : 1), C(weight_decay)};
    const C step = C(-lr), e = C(eps), r = C(rho), w = C(1 - rho);
    for (int64_t i = 0; i < n; i++) {
      const C p0 = load(p[i]), d = gradient(load(g[i]), p0), s = load(square[i]) * r + w * d * d, a0 = load(acc[i]);
      const C delta = std::sqrt(a0 + e) / std::sqrt(s + e) * d;
      store(square[i], s);
      store(acc[i], a0 * r + w * delta * delta);
      store(p[i], p0 + step * delta);
    }
  });
}

void adamax_step(TensorList params, TensorList grads, TensorList exp_avgs, TensorList exp_infs, double lr, double beta1,
                 double beta2, double eps, double weight_decay, bool maximize, int64_t step) {
  OpScope op("adamax_step");
  NoGrad no_grad;
  TG_CHECK(step >= 1, ValueError, "step counts from 1, got ", step);
  const double size = lr / (1 - std::pow(beta1, double(step)));
  Batch(params, grads, {exp_avgs, exp_infs}).run(params, grads, {exp_avgs, exp_infs}, [=]<class T>(T* p, const T* g, T* m, T* inf, T*, int64_t n) {
    using C = Compute<T>;
    const Gradient<C> gradient{C(maximize ? -1 : 1), C(weight_decay)};
    const C w1 = C(1 - beta1), b2 = C(beta2), e = C(eps), move = C(-size);
    for (int64_t i = 0; i < n; i++) {
      const C p0 = load(p[i]), d = gradient(load(g[i]), p0), m0 = load(m[i]), m1 = m0 + w1 * (d - m0);
      const C u = std::max<C>(load(inf[i]) * b2, std::abs(d) + e);
      store(m[i], m1);
      store(inf[i], u);
      store(p[i], p0 + move * (m1 / u));
    }
  });
}

void nadam_step(TensorList params, TensorList grads, TensorList exp_avgs, TensorList exp_avg_sqs, double lr, double beta1, double beta2,
                double eps, double weight_decay, bool decoupled, bool maximize, double mu, double mu_next, double mu_product, int64_t step) {
  OpScope op("nadam_step");
  NoGrad no_grad;
  TG_CHECK(step >= 1, ValueError, "step counts from 1, got ", step);
  const double correction2 = 1 - std::pow(beta2, double(step));
  const double from_grad = -lr * (1 - mu) / (1 - mu_product), from_mean = -lr * mu_next / (1 - mu_product * mu_next);
  Batch(params, grads, {exp_avgs, exp_avg_sqs}).run(params, grads, {exp_avgs, exp_avg_sqs}, [=]<class T>(T* p, const T* g, T* m, T* v, T*, int64_t n) {
    using C = Compute<T>;
    const Gradient<C> gradient{C(maximize ? -1 : 1), C(decoupled ? 0 : weight_decay)};
    const C shrink = C(decoupled ? 1 - lr * weight_decay : 1), w1 = C(1 - beta1), b2 = C(beta2), w2 = C(1 - beta2);
    const C part = C(1 / correction2), e = C(eps), a = C(from_grad), b = C(from_mean);
    for (int64_t i = 0; i < n; i++) {
      const C p0 = load(p[i]), d = gradient(load(g[i]), p0), m0 = load(m[i]), m1 = m0 + w1 * (d - m0), v1 = load(v[i]) * b2 + w2 * d * d;
      const C under = std::sqrt(v1 * part) + e;
      store(m[i], m1);
      store(v[i], v1);
      store(p[i], p0 * shrink + a * (d / under) + b * (m1 / under));
    }
  });
}

void radam_step(TensorList params, TensorList grads, TensorList exp_avgs, TensorList exp_avg_sqs, double lr, double beta1, double beta2,
                double eps, double weight_decay, bool decoupled, bool maximize, int64_t step) {
  OpScope op("radam_step");
  NoGrad no_grad;
  TG_CHECK(step >= 1, ValueError, "step counts from 1, got ", step);
  const double correction1 = 1 - std::pow(beta1, double(step)), power2 = std::pow(beta2, double(step)), correction2 = 1 - power2;
  const double rho_inf = 2 / (1 - beta2) - 1, rho = rho_inf - 2 * double(step) * power2 / correction2;
  const bool adapt = rho > 5;  // below, the variance of the adaptive step is unknown
  const double rectified = adapt ? std::sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho) * correction2) : 1;
  Batch(params, grads, {exp_avgs, exp_avg_sqs}).run(params, grads, {exp_avgs, exp_avg_sqs}, [=]<class T>(T* p, const T* g, T* m, T* v, T*, int64_t n) {
    using C = Compute<T>;
    const Gradient<C> gradient{C(maximize ? -1 : 1), C(decoupled ? 0 : weight_decay)};
    const C shrink = C(decoupled ? 1 - lr * weight_decay : 1), w1 = C(1 - beta1), b2 = C(beta2), w2 = C(1 - beta2);
    const C move = C(-lr / correction1 * rectified), e = C(eps);
    for (int64_t i = 0; i < n; i++) {
      const C p0 = load(p[i]), d = gradient(load(g[i]), p0), m0 = load(m[i]), m1 = m0 + w1 * (d - m0), v1 = load(v[i]) * b2 + w2 * d * d;
      store(m[i], m1);
      store(v[i], v1);
      store(p[i], p0 * shrink + move * (adapt ? m1 / (std::sqrt(v1) + e) : m1));
    }
  });
}

void optim_step_ops(OpTable& t) {
  t.add("_sgd_step(Tensor[] params, Tensor[] grads, Tensor[] momentum_buffers, float lr, float momentum, float dampening, float weight_decay, bool nesterov, bool maximize, bool first)",
        &sgd_step, "One step of SGD, in place.").no_grad();
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
