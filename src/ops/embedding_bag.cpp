// embedding_bag: sums, means and maxima of groups of embedding rows, put together from gathers and index_add.
#include <algorithm>
#include <vector>

#include "src/ops/embedding_bag.h"
#include "src/ops/op_info.h"
#include "src/ops/typed.h"
#include "src/ops/view.h"
#include "src/tensor/cuda.h"
#include "tapegrad/ops_more.h"

namespace tapegrad {
namespace {

/// Divides the gradient of each row by how often the batch uses that row.
struct FrequencyBackward final : NodeOf<1> {
  Tensor counts;
  FrequencyBackward(const Tensor& rows, const Tensor& c) : NodeOf(rows), counts(c) {}
  const char* name() const override { return "EmbeddingFrequencyBackward0"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = g / to(counts, g.dtype()); }
};
Tensor divide_gradient(const Tensor& rows, const Tensor& flat_indices) {
  if (!recording(rows)) return rows;
  Tensor out;
  {
    NoGrad off;
    out = detach(rows);
  }
  const Tensor uses = bincount(flat_indices);
  record<FrequencyBackward>(out, rows, unsqueeze(index_select(uses, 0, flat_indices), 1));
  return out;
}
}  // namespace

Tensor embedding_by_frequency(const Tensor& input, const Tensor& weight, std::optional<int64_t> padding_idx) {
  OpScope op("embedding");
  const Tensor flat = reshape(input, {-1});
  Shape size(input.sizes());
  size.push_back(weight.size(-1));
  return reshape(divide_gradient(embedding(weight, flat, padding_idx), flat), size);
}

namespace {

/// Which entries count, and the bag of each, from the bags' beginnings.
struct Bags {
  Tensor entries, bag;
  int64_t count;
};
Bags bags_of(const Tensor& flat, const Tensor& offsets, bool include_last, std::optional<int64_t> padding_idx) {
  const int64_t n = flat.numel(), count = offsets.numel() - include_last;
  const Tensor index_here = host_copy(flat), offsets_here = host_copy(offsets);
  const int64_t *index = index_here->host<int64_t>(), *start = offsets_here->host<int64_t>();
  TG_CHECK(count >= 0, ShapeError, "offsets must not be empty with include_last_offset");
  std::vector<int64_t> entries, bag;
  for (int64_t b = 0; b < count; b++) {
    const int64_t end = b + 1 < offsets.numel() ? start[b + 1] : n;
    TG_CHECK((b || start[0] == 0) && start[b] <= end && end <= n, ValueError, "offsets must begin with 0 and rise up to the ", n,
        " indices, got ", start[b], " to ", end, " for bag ", b);
    for (int64_t i = start[b]; i < end; i++)
      if (!padding_idx || index[i] != *padding_idx) entries.push_back(i), bag.push_back(b);
  }
  const auto as_tensor = [&](const std::vector<int64_t>& v) {
    Tensor t = empty({int64_t(v.size())}, Dtype::Int64);
    std::copy(v.begin(), v.end(), t->host<int64_t>());
    return to(t, flat.device());
  };
  return {as_tensor(entries), as_tensor(bag), count};
}
/// int64[bags, columns]: which of the rows has the largest value of each column in each bag; the first of equals. Found on the CPU.
Tensor largest_rows(const Tensor& rows_in, const Bags& bags) {
  const Tensor rows = host_copy(contiguous(detach(rows_in))), bag_here = host_copy(bags.bag);
  const int64_t columns = rows->sizes[1], *bag = bag_here->host<int64_t>();
  Tensor best = full({bags.count, columns}, -1, Dtype::Int64);
  int64_t* at = best->host<int64_t>();
  typed_real(rows.dtype(), [&](auto zero) {
    using W = Wide<decltype(zero)>;
    const auto* p = rows->host<const decltype(zero)>();
    for (int64_t r = 0; r < rows->sizes[0]; r++)
      for (int64_t c = 0; c < columns; c++) {
        int64_t& b = at[bag[r] * columns + c];
        if (b < 0 || W(p[r * columns + c]) > W(p[b * columns + c])) b = r;
      }
  });
  return to(best, rows_in.device());
}

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
  const Tensor flat = contiguous(to(reshape(indices, {-1}), Dtype::Int64));
  const Tensor starts = offsets.defined() ? contiguous(to(offsets, Dtype::Int64))
                                          : arange(0, indices->sizes[0], 1, Dtype::Int64) * indices->sizes[1];
  const Bags bags = bags_of(flat, starts, offsets.defined() && include_last_offset, padding_idx);
  const Tensor used = index_select(flat, 0, bags.entries);
  Tensor rows = index_select(weight, 0, used);
  if (scale_grad_by_freq) rows = divide_gradient(rows, used);
  if (mode == "max") {
    if (!used.numel()) return zeros({bags.count, weight->sizes[1]}, weight.dtype(), weight.device());
    const Tensor best = largest_rows(rows, bags);
    return masked_fill(gather(rows, 0, clamp_min(best, Scalar(0))), best < 0, Scalar(0));
  }
  if (per_sample_weights.defined()) rows = rows * unsqueeze(index_select(reshape(per_sample_weights, {-1}), 0, bags.entries), 1);
  const Tensor total = index_add(zeros({bags.count, weight->sizes[1]}, weight.dtype(), weight.device()), 0, bags.bag, rows);
  if (mode == "sum") return total;
  return total / to(unsqueeze(clamp_min(bincount(bags.bag, {}, bags.count), Scalar(1)), 1), weight.dtype());
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
