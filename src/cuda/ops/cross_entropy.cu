// cross_entropy and nll_loss over rows of classes. Forward: a row's largest logit and sum of exponentials in one pass, then its loss;
// the rows are summed by one block in a fixed order. Backward: one pass from the logits and those two numbers.
#include "src/cuda/kernel/fault.cuh"
#include "src/cuda/kernel/team.cuh"
#include "src/cuda/ops/families.h"
#include "src/cuda/ops/softmax.cuh"
#include "src/ops/cuda/rows.h"

namespace tapegrad::cuda {
namespace {

// w (1 - s) (lse - x[t]) + s / n sum_c w_c (lse - x[c]); lse - x as (most - x) + log sum, since most may be so large that the rest drowns.
template <class T, int kThreads> __global__ void losses(CudaClassLoss o, Wide<T>* each, Wide<T>* weights, Fault* fault, const char* op) {
  using C = Wide<T>;
  const int64_t r = team_row<kThreads>();
  if (r >= o.rows) return;
  const T* x = static_cast<const T*>(o.x) + r * o.n;
  const C* w = static_cast<const C*>(o.weight);
  const int64_t t = o.target[r];
  const bool ignored = t == o.ignore_index, outside = !ignored && (t < 0 || t >= o.n), counts = !ignored && !outside;
  if (outside && threadIdx.x == 0) note_fault(fault, op, Fault::kClass, t, o.n, 1);
  const RowOf<T> row(x, o.n);
  ExpSum<C> all{C(0), C(1)};
  if (o.logits) {
    all = team_exp_sum<kThreads>(x, row);
    C* stats = static_cast<C*>(o.stats) + 2 * r;
    if (threadIdx.x == 0) stats[0] = all.most, stats[1] = all.sum;
  }
  const C rest = o.logits ? log_of(all.sum) : C(0), own = !counts ? C(0) : w ? w[t] : C(1);
  C loss = 0;
  if (counts) loss = C(1 - o.smoothing) * own * ((all.most - C(x[t])) + rest);
  if (counts && o.smoothing != 0) {  // the same for the whole team
    C soft = 0;
    for (int64_t j = threadIdx.x; j < row.packs(); j += kThreads) {
      C v[kPack<T>];
      row.read(x, row.start(j), v);
#pragma unroll
      for (int e = 0; e < kPack<T>; e++) {
        const int64_t c = row.start(j) + e;
        if (row.has(c)) soft += (w ? w[c] : C(1)) * ((all.most - v[e]) + rest);
      }
    }
    loss += C(o.smoothing / double(o.n)) * team_sum<kThreads>(soft);
  }
  if (threadIdx.x == 0) each[r] = loss, weights[r] = own;
}

constexpr int kSummers = 512;
template <class T> __global__ void sum_losses(const Wide<T>* each, const Wide<T>* weights, int64_t rows, bool mean, T* out, Wide<T>* divide) {
  double loss = 0, weight = 0;
  for (int64_t r = threadIdx.x; r < rows; r += kSummers) loss += double(each[r]), weight += double(weights[r]);
  loss = team_sum<kSummers>(loss);
  weight = team_sum<kSummers>(weight);
  if (threadIdx.x) return;
  *out = T(Wide<T>(mean ? loss / weight : loss));
  *divide = mean ? Wide<T>(weight) : Wide<T>(1);
}

template <class T, int kThreads> __global__ void gradients(CudaClassLoss o, const T* g, bool per_row, const Wide<T>* divide, T* pd) {
  using C = Wide<T>;
  const int64_t r = team_row<kThreads>();
  if (r >= o.rows) return;
  const T* x = static_cast<const T*>(o.x) + r * o.n;
  T* d = pd + r * o.n;
  const C *w = static_cast<const C*>(o.weight), *stats = static_cast<const C*>(o.stats) + 2 * r;
  const int64_t t = o.target[r];
  const bool counts = t != o.ignore_index && t >= 0 && t < o.n;
  const C scale = counts ? C(g[per_row ? r : 0]) / *divide : C(0), hard = scale * C(1 - o.smoothing) * (w && counts ? w[t] : C(1));
  const C soft = scale * C(o.smoothing / double(o.n)), total = o.weight_sum ? *static_cast<const C*>(o.weight_sum) : C(o.n);
  const bool powers = o.logits && counts;
  const C most = powers ? stats[0] : C(0), factor = powers ? (hard + soft * total) / stats[1] : C(0);
  const RowOf<T> row(d, o.n);
  for (int64_t j = threadIdx.x; j < row.packs(); j += kThreads) {
    C v[kPack<T>] = {};
    const int64_t at = row.start(j);
    if (powers) row.read(x, at, v);
#pragma unroll
    for (int e = 0; e < kPack<T>; e++) {
      v[e] = powers ? exp_of(v[e] - most) * factor : C(0);
      if (soft != 0 && row.has(at + e)) v[e] -= soft * (w ? w[at + e] : C(1));
      if (counts && at + e == t) v[e] -= hard;
    }
    row.write(d, at, v);
  }
}

void class_loss(const CudaClassLoss& o, void* each, void* weights) {
  typed_real(o.dtype, [&](auto zero) {
    using T = decltype(zero);
    using C = Wide<T>;
    by_length(o.n, [&](auto t) {
      launch(losses<T, t.value>, team_grid<t.value>(o.rows), team_block<t.value>(), 0, o, static_cast<C*>(each), static_cast<C*>(weights), fault_record(), running_op());
    });
  });
}
void class_loss_sum(Dtype d, const void* each, const void* weights, int64_t rows, bool mean, void* out, void* divide) {
  typed_real(d, [&](auto zero) {
    using T = decltype(zero);
    using C = Wide<T>;
    launch(sum_losses<T>, dim3(1), dim3(kSummers), 0, static_cast<const C*>(each), static_cast<const C*>(weights), rows, mean, static_cast<T*>(out), static_cast<C*>(divide));
  });
}
void class_loss_backward(const CudaClassLoss& o, const void* g, bool per_row, const void* divide, void* dx) {
  typed_real(o.dtype, [&](auto zero) {
    using T = decltype(zero);
    using C = Wide<T>;
    by_length(o.n, [&](auto t) {
      launch(gradients<T, t.value>, team_grid<t.value>(o.rows), team_block<t.value>(), 0, o, static_cast<const T*>(g), per_row, static_cast<const C*>(divide), static_cast<T*>(dx));
    });
  });
}

}  // namespace

void fill_cross_entropy(CudaRows& t) {
  t.class_loss = class_loss, t.class_loss_sum = class_loss_sum, t.class_loss_backward = class_loss_backward;
}

}  // namespace tapegrad::cuda
