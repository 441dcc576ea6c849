// Quantiles, over sort and gather, and histograms.
#include <algorithm>
#include <cmath>
#include <vector>

#include "src/ops/cuda/launch_sort.h"
#include "src/ops/op_info.h"
#include "src/ops/rows.h"
#include "src/ops/view.h"
#include "src/tensor/cuda.h"
#include "tapegrad/ops_more.h"

namespace tapegrad {
namespace {

// The value at rank q (n - 1) of each sorted line of n; between two ranks as `interpolation` says.
Tensor quantiles(const Tensor& x, const Tensor& q_in, std::optional<int64_t> dim, bool keepdim, std::string_view how, bool skip_nan) {
  TG_CHECK(x.dtype() == Dtype::Float32 || x.dtype() == Dtype::Float64, DtypeError, "input must be float32 or float64, got ", x.dtype(),
      Named{"input", x});
  const Tensor q = q_in->wrapped_number ? full({}, q_in.item(), x.dtype(), x.device()) : q_in;
  TG_CHECK(q.dtype() == x.dtype(), DtypeError, "q must have the dtype of input, got ", q.dtype(), Named{"input", x}, Named{"q", q});
  TG_CHECK(q.dim() <= 1, ShapeError, "q must be a number or have 1 dimension, got ", q.dim(), Named{"q", q});
  TG_CHECK(x.numel() > 0, ValueError, "input must not be empty", Named{"input", x});
  TG_CHECK(how == "linear" || how == "lower" || how == "higher" || how == "midpoint" || how == "nearest", ValueError,
           "interpolation must be 'linear', 'lower', 'higher', 'midpoint' or 'nearest', got '", how, "'");
  TG_CHECK(all(logical_and(q >= 0, q <= 1)).item<bool>(), ValueError, "q must be in [0, 1]", Named{"q", q});
  const int64_t d = dim ? wrap_dim(*dim, x.dim(), x) : 0;
  const Tensor lines = !dim || !x.dim() ? reshape(x, {-1}) : movedim(x, d, -1);
  const Tensor sorted = sort(lines, -1).values;  // NaN last
  const double last = double(sorted.size(-1) - 1);
  const Tensor missing = ne(detach(sorted), detach(sorted)), flat_q = reshape(q, {-1});
  Tensor rank;  // (…, q)
  if (skip_nan) rank = clamp_min(flat_q * (last - to(sum(missing, -1, true), x.dtype())), Scalar(0));
  else rank = where(any(missing, -1, true), Tensor(last), flat_q * last);
  const auto at = [&](const Tensor& r) { return gather(sorted, -1, to(detach(r), Dtype::Int64)); };
  Tensor out;
  if (how == "lower") out = at(floor(rank));
  else if (how == "higher") out = at(ceil(rank));
  else if (how == "nearest") out = at(round(rank));
  else {
    const Tensor below = floor(detach(rank)), weight = how == "midpoint" ? full_like(below, 0.5) : rank - below;
    out = lerp(at(below), at(ceil(rank)), weight);
  }
  if (keepdim) {
    Shape size(x.sizes());
    for (size_t k = 0; k < size.size(); k++) if (!dim || int64_t(k) == d) size[k] = 1;
    size.insert(0, flat_q.numel());
    out = reshape(movedim(out, -1, 0), size);
  } else {
    out = movedim(out, -1, 0);
  }
  return q.dim() ? out : squeeze(out, 0);
}

// Counts between neighbouring edges; the last interval has both of its ends.
Tensor counts_between(const Tensor& x, const Tensor& edges_in, const Tensor& weight, bool density) {
  TG_CHECK(!weight.defined() || (weight.sizes() == x.sizes() && weight.dtype() == x.dtype()), ShapeError,
      "weight must have input's shape and dtype", Named{"input", x}, Named{"weight", weight});
  const Tensor values = row_major(x, Dtype::Float64), edges = row_major(edges_in, Dtype::Float64), w = row_major(weight, Dtype::Float64);
  const int64_t bins = edges.numel() - 1;
  Tensor counts;
  if (x.is_cuda()) {  // what is outside goes to a bin of its own
    const Tensor inside = logical_and(values >= narrow(edges, 0, 0, 1), values <= narrow(edges, 0, bins, 1));
    const Tensor bin = clamp_max(bucketize(values, edges, true), Scalar(bins)) - 1;
    const Tensor sums = cuda_counts(reshape(where(inside, bin, Tensor(Scalar(bins))), {-1}), bins + 1, w.defined() ? reshape(w, {-1}) : w);
    counts = to(narrow(sums, 0, 0, bins), Dtype::Float64);
  } else {
    const double *p = values->host<double>(), *e = edges->host<double>();
    counts = zeros({bins}, Dtype::Float64);
    for (int64_t i = 0; i < values.numel(); i++) {
      if (!(p[i] >= e[0] && p[i] <= e[bins])) continue;
      const int64_t k = std::min<int64_t>(std::upper_bound(e, e + bins + 1, p[i]) - e, bins) - 1;
      counts->host<double>()[k] += w.defined() ? w->host<double>()[i] : 1;
    }
  }
  if (density) counts = counts / (sum(counts) * (narrow(edges, 0, 1, bins) - narrow(edges, 0, 0, bins)));
  return to(counts, x.dtype());
}
void check_floating(const Tensor& x) {
  TG_CHECK(is_floating(x.dtype()), DtypeError, "input must be of a floating dtype, got ", x.dtype(), Named{"input", x});
}

}  // namespace

Tensor quantile(const Tensor& x, const Tensor& q, std::optional<int64_t> dim, bool keepdim, std::string_view interpolation) {
  OpScope op("quantile");
  return quantiles(x, q, dim, keepdim, interpolation, false);
}
Tensor nanquantile(const Tensor& x, const Tensor& q, std::optional<int64_t> dim, bool keepdim, std::string_view interpolation) {
  OpScope op("nanquantile");
  return quantiles(x, q, dim, keepdim, interpolation, true);
}

std::tuple<Tensor, Tensor> histogram(const Tensor& x, const Tensor& bins, const Tensor& weight, bool density) {
  OpScope op("histogram");
  check_floating(x);
  TG_CHECK(bins.dim() == 1 && bins.numel() > 1 && bins.dtype() == x.dtype(), ShapeError,
      "bins must be a vector of at least 2 edges in input's dtype", Named{"input", x}, Named{"bins", bins});
  NoGrad off;
  return {counts_between(x, bins, weight, density), clone(bins)};
}
std::tuple<Tensor, Tensor> histogram(const Tensor& x, int64_t bins, std::span<const double> range, const Tensor& weight, bool density) {
  OpScope op("histogram");
  check_floating(x);
  TG_CHECK(bins > 0, ValueError, "bins must be positive, got ", bins);
  TG_CHECK(range.empty() || range.size() == 2, ValueError, "range must have 2 numbers, got ", range.size());
  NoGrad off;
  double from = 0, end = 1;
  if (!range.empty()) from = range[0], end = range[1];
  else if (x.numel()) from = min(x).item<double>(), end = max(x).item<double>();
  TG_CHECK(std::isfinite(from) && std::isfinite(end) && from <= end, ValueError, "the range must be finite and in order, got ", from,
      " to ", end);
  if (from == end) from -= 0.5, end += 0.5;
  const Tensor edges = linspace(from, end, bins + 1, x.dtype(), x.device());
  return {counts_between(x, edges, weight, density), edges};
}

// ---- segment_reduce: each element knows its piece, and scatter_reduce does the rest

Tensor segment_reduce(const Tensor& x, std::string_view reduce, const Tensor& lengths_in, int64_t axis, std::optional<Scalar> initial) {
  OpScope op("segment_reduce");
  TG_CHECK(reduce == "sum" || reduce == "prod" || reduce == "mean" || reduce == "max" || reduce == "min", ValueError,
      "reduce must be 'sum', 'prod', 'mean', 'max' or 'min', got '", reduce, "'");
  TG_CHECK(is_floating(x.dtype()) && x.dim() > 0, DtypeError, "data must be of a floating dtype with a dimension", Named{"data", x});
  TG_CHECK(is_integral(lengths_in.dtype()) && lengths_in.dim() > 0, DtypeError, "lengths must be integers", Named{"lengths", lengths_in});
  const int64_t d = wrap_dim(axis, x.dim(), x), pieces = lengths_in.size(-1), n = x->sizes[d];
  Shape wanted(x.sizes());
  wanted.resize(size_t(d), 0);
  wanted.push_back(pieces);
  TG_CHECK(lengths_in.dim() == 1 ? d == 0 : lengths_in.sizes() == wanted, ShapeError,
      "lengths must have data's sizes before axis, then the pieces: ", wanted, ", got ", lengths_in.sizes(), Named{"data", x});
  const Tensor lengths = row_major(host_copy(lengths_in), Dtype::Int64);
  const int64_t outer = product({x->sizes, size_t(d)}), inner = product({x->sizes + d + 1, size_t(x.dim() - d - 1)});
  Tensor piece = empty({outer, n, 1}, Dtype::Int64);
  for (int64_t o = 0; o < outer; o++) {
    int64_t* to = piece->host<int64_t>() + o * n;
    int64_t at = 0;
    for (int64_t s = 0; s < pieces; s++) {
      const int64_t length = lengths->host<int64_t>()[o * pieces + s];
      TG_CHECK(length >= 0 && at + length <= n, ValueError, "lengths must not be negative and add up to the size of axis, ", n,
          Named{"lengths", lengths_in});
      std::fill_n(to + at, length, s);
      at += length;
    }
    TG_CHECK(at == n, ValueError, "lengths must add up to the size of axis, ", n, ", got ", at, Named{"lengths", lengths_in});
  }
  const double neutral = reduce == "max" ? -INFINITY : reduce == "min" ? INFINITY : reduce == "prod" ? 1 : 0;
  const Tensor start = full({outer, pieces, inner}, initial.value_or(neutral).to_double(), x.dtype(), x.device());
  const std::string_view fold = reduce == "max" ? "amax" : reduce == "min" ? "amin" : reduce == "mean" ? "sum" : reduce;
  Tensor out = scatter_reduce(start, 1, expand(to(piece, x.device()), {outer, n, inner}), reshape(x, {outer, n, inner}), fold);
  if (reduce == "mean") {  // an empty piece: NaN, or initial where that is given
    const Tensor count = to(to(reshape(lengths, {-1, pieces, 1}), x.dtype()), x.device());
    out = out / (initial ? clamp_min(count, Scalar(1)) : count);
  }
  Shape size(wanted);
  for (int64_t k = d + 1; k < x.dim(); k++) size.push_back(x->sizes[k]);
  return reshape(out, size);
}
static Tensor segment_reduce_row(const Tensor& x, std::string_view reduce, const Tensor& lengths, const Tensor& indices,
    const Tensor& offsets, int64_t axis, bool, std::optional<Scalar> initial) {
  OpScope op("segment_reduce");
  TG_CHECK(!indices.defined(), NotImplementedError, "indices are not supported; give lengths or offsets");
  TG_CHECK(lengths.defined() != offsets.defined(), ValueError, "exactly one of lengths and offsets must be given");
  return segment_reduce(x, reduce, lengths.defined() ? lengths : narrow(offsets, -1, 1, offsets.size(-1) - 1) - narrow(offsets, -1, 0,
      offsets.size(-1) - 1), axis, initial);
}

void statistics_ops(OpTable& t) {
  t.add("quantile(Tensor input, Tensor|Number q, int? dim=None, bool keepdim=False, *, str interpolation='linear')", &quantile,
        "The q-quantile of all elements, or along dim: the value at rank q (n - 1) of the sorted n; between ranks by interpolation: "
            "'linear', 'lower', 'higher', 'midpoint', 'nearest'. "
        "A vector q gives a first dimension; NaN anywhere gives NaN.")
      .method().with_out().samples({"T(3, 5), 0.3", "T(3, 5), C(0.1, 0.5, 1.0), dim=1", "T(4, 3), 0.6, 0, True, interpolation='lower'",
          "T(7), T(2, lo=0.1, hi=0.4), interpolation='linear'", "T(3, 4), C(0.25), keepdim=True",
        "T(2, 6), 0.33, -1, interpolation='midpoint'", "T(2, 6), 0.33, -1, interpolation='nearest'",
            "T(2, 6), 0.33, -1, interpolation='higher'", "T(), 0.5", "C(1.0, nan, 2.0), 0.5"});
  t.add("nanquantile(Tensor input, Tensor|Number q, int? dim=None, bool keepdim=False, *, str interpolation='linear')", &nanquantile,
      "quantile without the NaN; NaN where there is nothing else.")
      .method().with_out().samples({"T(3, 5), 0.3", "C([1.0, nan, 2.0, 7.0], [nan, nan, nan, nan]), 0.4, dim=1",
          "T(3, 5), C(0.1, 0.5, 1.0), dim=1, keepdim=True"});
  t.add("segment_reduce(Tensor data, str reduce, *, Tensor? lengths=None, Tensor? indices=None, Tensor? offsets=None, int axis=0, bool "
      "unsafe=False, Scalar? initial=None)", &segment_reduce_row,
        "Pieces of data along axis folded: 'sum', 'prod', 'mean', 'max' or 'min', beginning with initial. The pieces have these lengths, "
            "or lie between neighbouring offsets.")
      .samples({"T(6, 2), 'sum', lengths=C(2, 0, 4)", "T(6), 'mean', lengths=C(2, 4)", "T(6), 'max', offsets=C(0, 2, 6)",
          "T(6, 2), 'min', lengths=C(2, 4), initial=1", "T(6), 'prod', lengths=C(1, 5)"});
  t.add("histogram(Tensor input, int bins, *, float[]? range=None, Tensor? weight=None, bool density=False)",
        static_cast<std::tuple<Tensor, Tensor> (*)(const Tensor&, int64_t, std::span<const double>, const Tensor&, bool)>(&histogram),
        "Counts (or sums of weight) of the elements in `bins` equal intervals of range, by default from the least to the largest, and the "
            "bins + 1 edges. density: divided by their sum and the widths.")
      .method().returns("hist bin_edges").no_grad()
          .with_out().samples({"T(20, grad=False), 4", "T(4, 5, grad=False), 5, range=(-1.0, 1.5)",
          "T(6, grad=False), 3, weight=P(6, grad=False), density=True", "C(2.0, 2.0), 2", "T(0, grad=False), 2"});
  t.add("histogram(Tensor input, Tensor bins, *, Tensor? weight=None, bool density=False)",
        static_cast<std::tuple<Tensor, Tensor> (*)(const Tensor&, const Tensor&, const Tensor&, bool)>(&histogram),
            "Counts between the neighbours of rising edges; the last interval has both of its ends.")
      .method().returns("hist bin_edges").no_grad()
          .with_out().samples({"C(0.0, 1.0, 2.0, 5.0), C(0.0, 1.0, 2.0)", "T(20, grad=False), C(-1.0, -0.5, 0.0, 2.0), density=True"});
}

}  // namespace tapegrad
