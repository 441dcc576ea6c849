// embedding_bag: sums, means and maxima of groups of embedding rows.
#include <algorithm>

#include "src/ops/cuda/calls.h"
#include "src/ops/cuda/launch.h"
#include "src/ops/embedding_bag.h"
#include "src/ops/op_info.h"
#include "src/ops/typed.h"
#include "tapegrad/ops_more.h"

namespace tapegrad {
namespace {

/// How often each of `count` rows comes in `rows`; with `used`, a bool for each of them, where that is set.
Tensor uses_of(const Tensor& rows, int64_t count, const Tensor& used = {}) {
  NoGrad off;
  const Tensor each = used.defined() ? to(used, Dtype::Int64) : ones({rows.numel()}, Dtype::Int64, rows.device());
  return index_add_(zeros({count}, Dtype::Int64, rows.device()), 0, rows, each);
}

/// Divides the gradient of each row by how often the batch uses that row.
struct FrequencyBackward final : NodeOf<1> {
  Tensor counts;
  FrequencyBackward(const Tensor& rows, const Tensor& c) : NodeOf(rows), counts(c) {}
  const char* name() const override { return "EmbeddingFrequencyBackward0"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = g / to(counts, g.dtype()); }
};

}  // namespace

Tensor embedding_by_frequency(const Tensor& input, const Tensor& weight, std::optional<int64_t> padding_idx) {
  OpScope op("embedding");
  const Tensor flat = reshape(input, {-1});
  Shape size(input.sizes());
  size.push_back(weight.size(-1));
  const Tensor rows = embedding(weight, flat, padding_idx);
  if (!recording(rows)) return reshape(rows, size);
  Tensor out;
  {
    NoGrad off;
    out = detach(rows);
  }
  record<FrequencyBackward>(out, rows, unsqueeze(index_select(uses_of(flat, weight->sizes[0]), 0, flat), 1));
  return reshape(out, size);
}

namespace {

struct Piece {
  int64_t begin, end;
};
Piece piece_of(const EmbeddingBags& p, int64_t b) {
  if (!p.start) return {b * p.width, (b + 1) * p.width};
  return {p.start[b], b + 1 < p.starts ? p.start[b + 1] : p.n};
}
/// The row of weight that entry i names, or -1.
int64_t row_of(const EmbeddingBags& p, int64_t i) {
  return p.index[i] == p.padding ? -1 : p.index[i];
}
void check_bags(const EmbeddingBags& p) {
  for (int64_t b = 0; b < p.bags; b++) {
    const Piece bag = piece_of(p, b);
    TG_CHECK((b || bag.begin == 0) && bag.begin <= bag.end && bag.end <= p.n, ValueError, "offsets must begin with 0 and rise up to the ",
        p.n, " indices, got ", bag.begin, " to ", bag.end, " for bag ", b);
    for (int64_t i = bag.begin; i < bag.end; i++)
      TG_CHECK(p.index[i] >= 0 && p.index[i] < p.rows, IndexError, "index ", p.index[i], " is out of bounds for dimension 0 with size ",
          p.rows);
  }
}
template <class T> void fill_bags(const EmbeddingBags& p, const T* weight, const T* scale, T* out, int64_t* kept) {
  using W = Wide<T>;
  constexpr int64_t kBlock = 256;  // columns at a time
  parallel_for(p.bags, grain_for(p.columns * std::max<int64_t>(1, p.n / std::max<int64_t>(1, p.bags))), [&](int64_t first, int64_t last) {
    W all[kBlock];
    int64_t best[kBlock];
    for (int64_t b = first; b < last; b++)
      for (int64_t at = 0; at < p.columns; at += kBlock) {
        const Piece bag = piece_of(p, b);
        const int64_t n = std::min(kBlock, p.columns - at);
        int64_t count = 0;
        std::fill_n(all, n, W(0));
        std::fill_n(best, n, -1);
        for (int64_t i = bag.begin; i < bag.end; i++) {
          const int64_t row = row_of(p, i);
          if (row < 0) continue;
          const T* w = weight + row * p.columns + at;
          count++;
          if (p.mode == BagMode::Max) {
            for (int64_t c = 0; c < n; c++)
              if (best[c] < 0 || W(w[c]) > all[c]) all[c] = W(w[c]), best[c] = row;
          } else if (scale) {
            for (int64_t c = 0; c < n; c++) all[c] += W(scale[i]) * W(w[c]);
          } else {
            for (int64_t c = 0; c < n; c++) all[c] += W(w[c]);
          }
        }
        T* to = out + b * p.columns + at;
        if (p.mode == BagMode::Mean) {
          kept[b] = count;
          for (int64_t c = 0; c < n; c++) all[c] /= W(std::max<int64_t>(1, count));
        }
        for (int64_t c = 0; c < n; c++) to[c] = T(all[c]);
        if (p.mode == BagMode::Max) std::copy_n(best, n, kept + b * p.columns + at);
      }
  });
}
void find_entries(const EmbeddingBags& p, int64_t* row, int64_t* bag) {
  std::fill_n(row, p.n, -1);
  std::fill_n(bag, p.n, 0);
  for (int64_t b = 0; b < p.bags; b++) {
    const Piece piece = piece_of(p, b);
    for (int64_t i = piece.begin; i < piece.end; i++) row[i] = row_of(p, i), bag[i] = b;
  }
}

/// A call's bags; `index` and `starts` (or none) are int64, row-major and on weight's device.
struct Bags {
  Tensor index, starts;
  EmbeddingBags p;  // without them
  bool by_frequency;

  EmbeddingBags on_host(const Tensor& i, const Tensor& s) const {
    EmbeddingBags at = p;
    at.index = i->host<const int64_t>(), at.start = s.defined() ? s->host<const int64_t>() : nullptr;
    return at;
  }
  /// Whether there may be entries that do not count.
  bool leaves_out() const { return p.padding >= 0 || p.starts > p.bags; }
};
/// *kept: the entries of each bag that count ('mean'), or the row that each number is from, -1 in an empty bag ('max').
Tensor filled(const Bags& bags, const Tensor& weight_in, const Tensor& scale_in, Tensor* kept) {
  NoGrad off;
  const Tensor weight = contiguous(weight_in), scale = scale_in.defined() ? contiguous(scale_in) : scale_in;
  const Tensor out = empty({bags.p.bags, bags.p.columns}, weight.dtype(), weight.device());
  if (bags.p.mode == BagMode::Max) *kept = empty(out.sizes(), Dtype::Int64, weight.device());
  if (bags.p.mode == BagMode::Mean) *kept = zeros({bags.p.bags}, Dtype::Int64, weight.device());
  if (weight.is_cuda()) {
    cuda_fill_bags(bags.p, bags.index, bags.starts, weight, scale, out, *kept);
    return out;
  }
  const EmbeddingBags p = bags.on_host(bags.index, bags.starts);
  int64_t* keep = kept->defined() ? (*kept)->host<int64_t>() : nullptr;
  check_bags(p);
  LongKernel unlock(p.n * p.columns);
  typed_real(weight.dtype(), [&](auto zero) {
    using T = decltype(zero);
    fill_bags(p, weight->host<const T>(), scale.defined() ? scale->host<const T>() : nullptr, out->host<T>(), keep);
  });
  return out;
}

struct EmbeddingBagBackward final : NodeOf<2> {
  Bags bags;
  SavedTensor index, starts, weight, scale, kept;
  EmbeddingBagBackward(const Tensor& w, const Tensor& s, const Bags& b, const Tensor& k)
      : NodeOf(w, s), bags(b), index(b.index), starts(b.starts), scale(s), kept(k) {
    if (needs_grad(s)) weight.save(w);
    bags.index = bags.starts = {};
  }
  const char* name() const override { return "EmbeddingBagBackward0"; }
  void free_saved() override { index.reset(), starts.reset(), weight.reset(), scale.reset(), kept.reset(); }

  void backward(Tensor g, Tensor* dx) override {
    const EmbeddingBags& p = bags.p;
    const Tensor s = scale.unpack(*this), k = kept.unpack(*this), none = zeros({p.rows, p.columns}, g.dtype(), g.device());
    if (!g.numel() || !p.rows) {
      dx[0] = none;
      if (needs(1)) dx[1] = zeros_like(s);
    } else if (p.mode == BagMode::Max) {
      dx[0] = scatter_add(none, 0, clamp_min(k, Scalar(0)), masked_fill(g, k < 0, Scalar(0)));
    } else {
      by_entries(p.mode == BagMode::Mean ? g / to(unsqueeze(clamp_min(k, Scalar(1)), 1), g.dtype()) : g, s, none, dx);
    }
  }
  void by_entries(const Tensor& g, const Tensor& s, const Tensor& none, Tensor* dx) {
    Tensor row = empty({bags.p.n}, Dtype::Int64, g.device()), bag = empty_like(row), used;
    entries(row, bag);
    if (bags.leaves_out()) used = row >= 0, row = clamp_min(row, Scalar(0));
    const auto where_used = [&](const Tensor& t) {
      return used.defined() ? masked_fill(t, logical_not(t.dim() == 2 ? unsqueeze(used, 1) : used), Scalar(0)) : t;
    };
    Tensor each = index_select(g, 0, bag);
    if (needs(1)) dx[1] = reshape(where_used(sum(each * index_select(weight.unpack(*this), 0, row), {1})), s.sizes());
    if (!needs(0)) return;
    if (s.defined()) each = each * unsqueeze(reshape(s, {-1}), 1);
    if (bags.by_frequency)
      each = each / to(unsqueeze(clamp_min(index_select(uses_of(row, bags.p.rows, used), 0, row), Scalar(1)), 1), g.dtype());
    dx[0] = index_add(none, 0, row, where_used(each));
  }
  void entries(const Tensor& row, const Tensor& bag) {
    const Tensor i = index.unpack(*this), s = starts.unpack(*this);
    if (row.is_cuda()) cuda_bag_entries(bags.p, i, s, row, bag);
    else find_entries(bags.on_host(i, s), row->host<int64_t>(), bag->host<int64_t>());
  }
};

}  // namespace

Tensor embedding_bag(const Tensor& indices, const Tensor& weight, const Tensor& offsets, std::string_view mode,
    const Tensor& per_sample_weights, bool include_last_offset,
                     std::optional<int64_t> padding_idx, bool scale_grad_by_freq) {
  OpScope op("embedding_bag");
  TG_CHECK(weight.dim() == 2, ShapeError, "weight must have 2 dimensions, got ", weight.dim(), Named{"weight", weight});
  TG_CHECK(is_floating(weight.dtype()), DtypeError, "weight must be of a floating dtype, got ", weight.dtype(), Named{"weight", weight});
  TG_CHECK(mode == "sum" || mode == "mean" || mode == "max", ValueError, "mode must be 'sum', 'mean' or 'max', got '", mode, "'");
  TG_CHECK(indices.dtype() == Dtype::Int64 || indices.dtype() == Dtype::Int32, DtypeError,
      "input must be an int32 or int64 tensor, got ", indices.dtype(), Named{"input", indices});
  TG_CHECK(indices.dim() == 1 || indices.dim() == 2, ShapeError, "input must have 1 or 2 dimensions, got ", indices.dim(),
      Named{"input", indices});
  TG_CHECK((indices.dim() == 1) == offsets.defined(), ValueError, "a 1-d input needs offsets, a 2-d input must not have them",
      Named{"input", indices});
  TG_CHECK(!offsets.defined() || (offsets.dim() == 1 && is_integral(offsets.dtype())), ShapeError,
      "offsets must be a vector of integers", Named{"offsets", offsets});
  TG_CHECK(!scale_grad_by_freq || mode != "max", ValueError, "mode 'max' does not support scale_grad_by_freq");
  TG_CHECK(!per_sample_weights.defined() || mode == "sum", NotImplementedError, "per_sample_weights is for mode 'sum' only, got '", mode,
      "'");
  TG_CHECK(!per_sample_weights.defined() || (per_sample_weights.sizes() == indices.sizes()
      && per_sample_weights.dtype() == weight.dtype()), ShapeError,
           "per_sample_weights must have input's shape and weight's dtype", Named{"input", indices},
               Named{"per_sample_weights", per_sample_weights});
  const int64_t vocabulary = weight->sizes[0];
  if (padding_idx && *padding_idx < 0) *padding_idx += vocabulary;
  TG_CHECK(!padding_idx || (*padding_idx >= 0 && *padding_idx < vocabulary), ValueError, "padding_idx must be within the ", vocabulary,
      " rows of weight, got ", *padding_idx);
  const bool by_row = indices.dim() == 2;
  const int64_t starts = by_row ? indices->sizes[0] : offsets.numel(), bags = starts - (!by_row && include_last_offset);
  TG_CHECK(bags >= 0, ShapeError, "offsets must not be empty with include_last_offset");
  if (per_sample_weights.defined()) check_same_device("weight", weight, "per_sample_weights", per_sample_weights);
  const auto integers = [&](const Tensor& t) { return contiguous(to(reshape(detach(t), {-1}), weight.device(), Dtype::Int64)); };
  const Bags call{integers(indices), by_row ? Tensor() : integers(offsets),
                  {nullptr, nullptr, indices.numel(), bags, starts, by_row ? indices->sizes[1] : 0, vocabulary, weight->sizes[1],
                   padding_idx.value_or(-1), mode == "sum" ? BagMode::Sum : mode == "mean" ? BagMode::Mean : BagMode::Max},
                  scale_grad_by_freq};
  Tensor kept, out = filled(call, weight, per_sample_weights, &kept);
  if (recording(weight, per_sample_weights)) record<EmbeddingBagBackward>(out, weight, per_sample_weights, call, kept);
  return out;
}

void embedding_bag_ops(OpTable& t) {
  t.add("_embedding_by_frequency(Tensor input, Tensor weight, int? padding_idx=None)", &embedding_by_frequency,
      "embedding with scale_grad_by_freq.");
  t.add("embedding_bag(Tensor input, Tensor weight, Tensor? offsets=None, str mode='mean', Tensor? per_sample_weights=None, bool "
      "include_last_offset=False, int? padding_idx=None, bool scale_grad_by_freq=False)",
        &embedding_bag,
        "Rows of weight (n, dim) at the integers of input, summed (or 'mean', 'max') by bags: (bags, dim). A bag is a row of a 2-d input, "
            "or of a 1-d one the piece from its offset to the next; an empty bag gives 0. "
        "padding_idx is left out; per_sample_weights, for 'sum', multiply the rows.")
      .functional_only().samples({"I(3, 2, hi=5), T(5, 4)", "I(6, hi=5), T(5, 3), C(0, 2, 2)",
          "I(6, hi=5), T(5, 3), C(0, 2, 2), mode='sum', per_sample_weights=T(6)",
        "I(6, hi=5), T(5, 3), C(0, 1, 4, 6), mode='max', include_last_offset=True",
            "I(6, hi=5), T(5, 3), C(0, 2, 2), mode='max', padding_idx=1", "I(4, 2, hi=3), T(3, 2), mode='mean', padding_idx=-1"});
}

}  // namespace tapegrad
