// Attention by blocks of queries and keys (Dao et al. 2022, "FlashAttention"). Forward: a block of queries goes through the keys with
// a running maximum and sum, and keeps only the logarithm of the sum for each row. Backward computes the weights again, block by
// block. So memory grows with the length, not with its square, and blocks that a causal mask hides are never computed.
#include "src/ops/attention.h"

#include <algorithm>
#include <cstring>

#include "src/ops/cpu/attention.h"
#include "src/ops/cpu/table.h"
#include "src/ops/gemm.h"
#include "src/ops/scratch.h"
#include "src/tensor/interrupt.h"
#include "src/tensor/interrupt.h"

namespace tapegrad {
namespace {

constexpr int64_t kKeys = 256;  // of a block, whose scores and operands then stay in the L2 cache
constexpr double kPiece = 4e5;                 // multiply-adds worth a thread's while

template <class T> const AttentionKernels& kernels_of() { return sizeof(T) == 4 ? attention_tables[kernel_set]->f32 : attention_tables[kernel_set]->f64; }

// A matrix as it lies in memory, from some row on.
template <class T> struct Matrix {
  T* data;
  int64_t row, column;  // strides
  Matrix transposed() const { return {data, column, row}; }
};
// c (m, n) = [c +] a (m, k) b (k, n)
template <class T, class A, class B> void multiply(int64_t m, int64_t n, int64_t k, Matrix<A> a, Matrix<B> b, Matrix<T> c, bool add) {
  gemm_serial(Gemm<T>{m, n, k, a.data, a.row, a.column, b.data, b.row, b.column, c.data, c.row, nullptr, add});
}

// The matrices of a tensor (…, rows, columns), whose columns lie side by side: one for each head, an index of the leading dimensions.
template <class T> class Heads {
  const TensorImpl* t_;
 public:
  explicit Heads(const Tensor& t) : t_(t.get()) {}
  explicit operator bool() const { return t_; }
  int64_t step() const { return t_->strides[t_->ndim - 2]; }  // between rows
  Matrix<T> at(int64_t head, int64_t row) const {
    int64_t offset = row * step();
    for (int d = t_->ndim - 2; d-- > 0; head /= t_->sizes[d]) offset += head % t_->sizes[d] * t_->strides[d];
    return {t_->host<T>() + offset, step(), 1};
  }
};
// x, or a copy whose columns lie side by side.
Tensor with_rows(const Tensor& x) {
  if (!x.defined() || x.stride(-1) == 1 || x.size(-1) == 1) return x;
  NoGrad off;
  return contiguous(x);
}
// Of four dimensions (batch, heads, rows, columns) the heads of one row side by side, as a layer wants them that goes on with all
// of them: it then need not copy.
Tensor empty_heads(IntList size, Dtype dtype) {
  const size_t n = size.size();
  if (n < 4) return empty(size, dtype);
  Shape order = size, strides = size;
  std::swap(order[n - 3], order[n - 2]);
  int64_t step = 1;
  for (size_t d = n; d-- > 0; step *= order[d]) strides[d] = step;
  std::swap(strides[n - 3], strides[n - 2]);
  return empty_strided(size, strides, dtype);
}

struct Sizes {
  int64_t heads = 1, queries, keys, width, value_width;
  int64_t rows;  // queries of a block: with a causal mask fewer, so that less of what it hides is computed
  Sizes(const Tensor& q, const Tensor& v, bool causal)
      : queries(q.size(-2)), keys(v.size(-2)), width(q.size(-1)), value_width(v.size(-1)), rows(causal ? 32 : 64) {
    for (int d = 0; d < q->ndim - 2; d++) heads *= q->sizes[d];
  }
  int64_t query_blocks() const { return (queries + rows - 1) / rows; }
  int64_t key_blocks() const { return (keys + kKeys - 1) / kKeys; }
  int64_t step() const { return (std::min(kKeys, keys) + 15) / 16 * 16; }  // between rows of scores
  // Heads, or blocks of one, that are worth a thread.
  int64_t grain(double work) const { return std::max<int64_t>(1, int64_t(kPiece / std::max(work, 1.0))); }
  int64_t work() const { return int64_t(double(heads) * queries * keys * (width + value_width) / 4); }
};
// Queries from i to i + rows against keys from j to j + columns, cut to what they may see.
struct Block {
  int64_t i, rows, j, columns;
  Block(const Sizes& n, bool causal, int64_t qi, int64_t kj)
      : i(qi), rows(std::min(n.rows, n.queries - qi)), j(kj), columns(std::min(kKeys, n.keys - kj)) {
    if (causal) columns = std::min(columns, i + rows - j);
  }
};

template <class T> struct Run {
  const Attention& how;
  const Sizes n;
  const Heads<const T> q, k, v;
  const Heads<const T> mask{how.mask};
  const AttentionKernels& kernels = kernels_of<T>();

  Scores scores(T* data, int64_t head, const Block& b) const {
    const int64_t visible = how.causal ? b.i - b.j + 1 : b.columns;
    const bool masked = bool(mask);
    return {data, b.rows, b.columns, n.step(), visible, how.scale, masked ? mask.at(head, b.i).data + b.j : nullptr,
            masked ? mask.step() : 0};
  }
  // The memory of a block of scores.
  Matrix<T> block_at(T* data) const { return {data, n.step(), 1}; }
  // to (rows, columns) = x yᵀ, of the block's rows of x and of y
  void compare(const Heads<const T>& x, const Heads<const T>& y, int64_t head, const Block& b, int64_t width, T* to) const {
    multiply(b.rows, b.columns, width, x.at(head, b.i), y.at(head, b.j).transposed(), block_at(to), false);
  }

  void forward(const Heads<T>& out, T* log_sum, std::atomic<bool>& failed) const {
    const int64_t blocks = n.query_blocks();
    interruptible_for(n.heads * blocks, n.grain(double(n.rows) * n.keys * (n.width + n.value_width)), [&](int64_t begin, int64_t end) {
      const Scratch memory(size_t(n.rows * (n.step() + 2)) * sizeof(T), failed);
      if (!memory) return;
      T *s = memory.get<T>(), *most = s + n.rows * n.step(), *sum = most + n.rows;
      for (int64_t piece = begin; piece < end; piece++) {
        const int64_t head = piece / blocks, i = piece % blocks * n.rows;
        const Matrix<T> to = out.at(head, i);
        for (int64_t j = 0; j < n.keys; j += kKeys) {
          const Block b(n, how.causal, i, j);
          if (b.columns <= 0) break;
          compare(q, k, head, b, n.width, s);
          kernels.soften(scores(s, head, b), most, sum, j ? to.data : nullptr, to.row, n.value_width);
          multiply(b.rows, n.value_width, b.columns, block_at(s), v.at(head, j), to, j > 0);
        }
        const int64_t rows = std::min(n.rows, n.queries - i);
        kernels.finish(rows, most, sum, to.data, to.row, n.value_width, log_sum + head * n.queries + i);
      }
    });
  }
};

template <class T> struct BackwardRun : Run<T> {
  const Heads<const T> g;
  const T *log_sum, *dots;
  const Heads<T> dq, dk, dv;  // those not wanted are undefined

  // What one block gives to the gradients; s and d are its scores' memory. The first one for a query starts dq.
  void block(int64_t head, const Block& b, T* s, T* d, bool for_queries, bool for_keys) const {
    const Sizes& n = this->n;
    const int64_t row = head * n.queries + b.i;
    this->compare(this->q, this->k, head, b, n.width, s);
    this->compare(g, this->v, head, b, n.value_width, d);
    this->kernels.backward(this->scores(s, head, b), d, log_sum + row, dots + row);
    const Matrix<T> weights = this->block_at(s), scores = this->block_at(d);  // of scores the gradient
    if (for_keys && dv) multiply(b.columns, n.value_width, b.rows, weights.transposed(), g.at(head, b.i), dv.at(head, b.j), true);
    if (for_keys && dk) multiply(b.columns, n.width, b.rows, scores.transposed(), this->q.at(head, b.i), dk.at(head, b.j), true);
    if (for_queries && dq) multiply(b.rows, n.width, b.columns, scores, this->k.at(head, b.j), dq.at(head, b.i), b.j > 0);
  }
  // f(head, scores, gradients) for `count` pieces of every head.
  template <class F> void pieces(int64_t count, std::atomic<bool>& failed, F f) const {
    const Sizes& n = this->n;
    const int64_t size = n.rows * n.step();
    interruptible_for(n.heads * count, n.grain(2.5 * double(n.queries) * n.keys * (n.width + n.value_width) / double(count)),
                 [&](int64_t begin, int64_t end) {
      const Scratch memory(size_t(2 * size) * sizeof(T), failed);
      if (!memory) return;
      T* s = memory.get<T>();
      for (int64_t p = begin; p < end; p++) f(p / count, p % count, s, s + size);
    });
  }
  void run(std::atomic<bool>& failed) const {
    const Sizes& n = this->n;
    const bool causal = this->how.causal;
    const auto key_block = [&](int64_t head, int64_t j, T* s, T* d, bool for_queries) {
      for (const auto& [to, width] : {std::pair(dk, n.width), std::pair(dv, n.value_width)})
        for (int64_t r = j; to && r < std::min(j + kKeys, n.keys); r++) std::memset(to.at(head, r).data, 0, size_t(width) * sizeof(T));
      for (int64_t i = 0; i < n.queries; i += n.rows)
        if (const Block b(n, causal, i, j); b.columns > 0) block(head, b, s, d, for_queries, true);
    };
    if (n.heads >= 8 || n.query_blocks() == 1) {
      pieces(1, failed, [&](int64_t head, int64_t, T* s, T* d) {
        for (int64_t j = 0; j < n.keys; j += kKeys) key_block(head, j, s, d, true);
      });
      return;
    }
    // Few heads: blocks of keys, then blocks of queries, each computing the weights, so that several threads have work.
    pieces(n.key_blocks(), failed, [&](int64_t head, int64_t j, T* s, T* d) { key_block(head, j * kKeys, s, d, false); });
    if (!dq) return;
    pieces(n.query_blocks(), failed, [&](int64_t head, int64_t i, T* s, T* d) {
      for (int64_t j = 0; j < n.keys; j += kKeys)
        if (const Block b(n, causal, i * n.rows, j); b.columns > 0) block(head, b, s, d, true, false);
    });
  }
};

struct AttentionBackward final : NodeOf<3> {
  SavedTensor q, k, v, out, log_sum;  // log_sum: (heads · queries)
  Attention how;
  AttentionBackward(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& sums, const Attention& h)
      : NodeOf(query, key, value), q(query), k(key), v(value), log_sum(sums), how(h) {}
  const char* name() const override { return "ScaledDotProductFlashAttentionForCpuBackward0"; }
  void free_saved() override { q.reset(), k.reset(), v.reset(), out.reset(), log_sum.reset(); }

  // Differentiable: runs the composition on stand-ins for the inputs and differentiates that.
  void through_composition(const Tensor* values, const Tensor& g, Tensor* dx) {
    Tensor x[3];
    std::vector<Tensor> inputs;
    for (int i = 0; i < 3; i++) {
      x[i] = needs(i) ? view_as(values[i], values[i]) : values[i];
      if (needs(i)) inputs.push_back(x[i]);
    }
    std::vector<Tensor> found = grad(attention_composed(x[0], x[1], x[2], how, 0), inputs, g, {.create_graph = true});
    for (int i = 0, at = 0; i < 3; i++) if (needs(i)) dx[i] = std::move(found[size_t(at++)]);
  }
  template <class T> void fused(const Tensor* x, const Tensor& o, const Tensor& sums, const Tensor& g, Tensor* dx) {
    const Sizes n(x[0], x[2], how.causal);
    for (int i = 0; i < 3; i++) if (needs(i)) dx[i] = empty_heads(x[i].sizes(), x[i].dtype());
    const Tensor dots = empty({n.heads * n.queries}, x[0].dtype());
    const BackwardRun<T> run{{how, n, Heads<const T>(x[0]), Heads<const T>(x[1]), Heads<const T>(x[2])},
        Heads<const T>(g), sums->host<const T>(), dots->host<const T>(),
        Heads<T>(dx[0]), Heads<T>(dx[1]), Heads<T>(dx[2])};
    LongKernel unlocked(n.work() * 5 / 2);
    const Heads<const T> result(o);
    interruptible_for(n.heads, n.grain(double(n.queries) * n.value_width), [&](int64_t begin, int64_t end) {
      for (int64_t h = begin; h < end; h++)
        run.kernels.dots(n.queries, n.value_width, run.g.at(h, 0).data, run.g.step(), result.at(h, 0).data, result.step(),
                         dots->host<T>() + h * n.queries);
    });
    std::atomic<bool> failed{false};
    run.run(failed);
    check_memory(failed);
  }
  void backward(Tensor g, Tensor* dx) override {
    const Tensor x[3] = {q.unpack(*this), k.unpack(*this), v.unpack(*this)}, o = out.unpack(*this);
    if (grad_enabled()) return through_composition(x, g, dx);
    const Tensor rows[3] = {with_rows(x[0]), with_rows(x[1]), with_rows(x[2])}, sums = log_sum.unpack(*this);
    o.dtype() == Dtype::Float32 ? fused<float>(rows, o, sums, with_rows(g), dx) : fused<double>(rows, o, sums, with_rows(g), dx);
  }
};

template <class T>
Tensor forward_blocks(const Tensor& q, const Tensor& k, const Tensor& v, const Attention& how, const Tensor& log_sum, const Sizes& n) {
  Shape size(q.sizes());
  size.back() = n.value_width;
  const Tensor out = empty_heads(size, q.dtype());
  const Run<T> run{how, n, Heads<const T>(q), Heads<const T>(k), Heads<const T>(v)};
  std::atomic<bool> failed{false};
  LongKernel unlocked(n.work());
  run.forward(Heads<T>(out), log_sum->host<T>(), failed);
  check_memory(failed);
  return out;
}

}  // namespace

Tensor attention_blocks(const Tensor& q, const Tensor& k, const Tensor& v, const Attention& given) {
  const Attention how{with_rows(given.mask), given.causal, given.scale};
  const Sizes n(q, v, how.causal);
  const Tensor log_sum = empty({n.heads * n.queries}, q.dtype());
  const Tensor x = with_rows(q), y = with_rows(k), z = with_rows(v);
  const Tensor out = q.dtype() == Dtype::Float32 ? forward_blocks<float>(x, y, z, how, log_sum, n) : forward_blocks<double>(x, y, z, how, log_sum, n);
  if (recording(q, k, v)) record<AttentionBackward>(out, q, k, v, log_sum, how)->out = SavedTensor(out, SavedTensor::output);
  return out;
}

}  // namespace tapegrad
