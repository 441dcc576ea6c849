// unique, and counting and searching by order: bincount, histc, searchsorted, bucketize, isin.
#include <cmath>
#include <numeric>

#include "src/ops/cuda/launch.h"
#include "src/ops/cuda/launch_sort.h"
#include "src/ops/op_info.h"
#include "src/ops/sort_keys.h"
#include "src/ops/view.h"

namespace tapegrad {
namespace {

// ---- unique

Tensor as_tensor(const std::vector<int64_t>& numbers) {
  const Tensor t = empty({int64_t(numbers.size())}, Dtype::Int64);
  std::copy(numbers.begin(), numbers.end(), t->host<int64_t>());
  return t;
}
// Slices 0 … n of something, in the order `order`, equal ones next to each other.
template <class Same> EqualRuns runs_of(const std::vector<int64_t>& order, Same same) {
  EqualRuns r;
  const int64_t n = int64_t(order.size());
  r.inverse = empty({n}, Dtype::Int64);
  std::vector<int64_t> firsts, counts;
  for (int64_t k = 0; k < n; k++) {
    if (k == 0 || !same(order[size_t(k) - 1], order[size_t(k)])) firsts.push_back(order[size_t(k)]), counts.push_back(0);
    counts.back()++;
    r.inverse->host<int64_t>()[order[size_t(k)]] = int64_t(firsts.size()) - 1;
  }
  r.firsts = as_tensor(firsts), r.counts = as_tensor(counts);
  return r;
}
// x: n rows of `width`, row-major.
template <class T> EqualRuns runs_in(const Tensor& x, int64_t n, int64_t width, bool consecutive) {
  const T* p = x->host<const T>();
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t(0));
  if (!consecutive && width == 1) {
    std::vector<Item<OrderKey<T>>> items, spare;
    for (int64_t i = 0; i < n; i++) items.emplace_back(order_key(p[i]), i);
    sort_items(items, spare);
    for (int64_t i = 0; i < n; i++) order[size_t(i)] = items[size_t(i)].at();
  } else if (!consecutive) {
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return std::lexicographical_compare(p + a * width, p + (a + 1) * width, p + b * width, p + (b + 1) * width,
                                          [](const T& u, const T& v) { return order_key(u) < order_key(v); });
    });
  }
  return runs_of(order, [&](int64_t a, int64_t b) { return std::equal(p + a * width, p + (a + 1) * width, p + b * width); });
}
std::tuple<Tensor, Tensor, Tensor> unique_slices(const Tensor& x, bool consecutive, bool inverse, bool counts, std::optional<int64_t> dim) {
  NoGrad guard;
  const bool flat = !dim;
  const int64_t d = flat ? 0 : wrap_dim(*dim, x.dim(), x);
  const Tensor lines = flat || x.dim() == 0 ? reshape(contiguous(x), {-1}) : contiguous(transpose(x, 0, d));
  const int64_t n = lines->sizes[0], width = n ? lines.numel() / n : 0;
  TG_CHECK(flat || n == 0 || width > 0, ShapeError, "slices along dimension ", d, " must not be empty", Named{"input", x});
  const Tensor keys = x.dtype() >= Dtype::UInt16 ? in_signed_order(lines) : lines;
  const EqualRuns r = x.is_cuda() ? cuda_runs(keys, consecutive)
                             : typed(keys.dtype(), [&](auto zero) { return runs_in<decltype(zero)>(keys, n, width, consecutive); });
  Tensor values = index_select(lines, 0, r.firsts);
  if (!flat && x.dim()) values = contiguous(transpose(values, 0, d));
  return {values, inverse ? flat ? reshape(r.inverse, x.sizes()) : r.inverse : Tensor(), counts ? r.counts : Tensor()};
}

// In Python only what was asked for comes back, and a single tensor comes alone.
struct AskedFor {
  std::vector<Tensor> tensors;
  explicit AskedFor(const std::tuple<Tensor, Tensor, Tensor>& t) {
    for (const Tensor& x : {std::get<0>(t), std::get<1>(t), std::get<2>(t)}) if (x.defined()) tensors.push_back(x);
  }
};
void box(Result& r, AskedFor v) {
  if (v.tensors.size() == 1) r.kind = Result::Kind::Tensor, r.tensor = v.tensors[0];
  else r.kind = Result::Kind::List, r.tensors = std::move(v.tensors);
}
AskedFor unique_row(const Tensor& x, bool sorted, bool inverse, bool counts, std::optional<int64_t> dim) { return AskedFor(unique(x, sorted, inverse, counts, dim)); }
AskedFor unique_consecutive_row(const Tensor& x, bool inverse, bool counts, std::optional<int64_t> dim) { return AskedFor(unique_consecutive(x, inverse, counts, dim)); }

}  // namespace

std::tuple<Tensor, Tensor, Tensor> unique(const Tensor& x, bool, bool return_inverse, bool return_counts, std::optional<int64_t> dim) {
  OpScope op("unique");
  return unique_slices(x, false, return_inverse, return_counts, dim);
}
std::tuple<Tensor, Tensor, Tensor> unique_consecutive(const Tensor& x, bool return_inverse, bool return_counts, std::optional<int64_t> dim) {
  OpScope op("unique_consecutive");
  return unique_slices(x, true, return_inverse, return_counts, dim);
}

// ---- counting

Tensor bincount(const Tensor& x, const Tensor& weights, int64_t minlength) {
  OpScope op("bincount");
  TG_CHECK(x.dim() == 1 && is_integral(x.dtype()), ValueError, "input must be an integer tensor of one dimension", Named{"input", x});
  TG_CHECK(minlength >= 0, ValueError, "minlength must not be negative, got ", minlength);
  TG_CHECK(!weights.defined() || weights.sizes() == x.sizes(), ShapeError, "weights must have the shape of input, got ", weights.sizes(), Named{"input", x}, Named{"weights", weights});
  NoGrad guard;
  const Tensor values = contiguous(to(x, Dtype::Int64));
  if (x.is_cuda()) {
    const int64_t least = values.numel() ? min(values).item<int64_t>() : 0;
    TG_CHECK(least >= 0, ValueError, "input must not hold negative numbers, got ", least, Named{"input", x});
    const int64_t bins = std::max(minlength, values.numel() ? max(values).item<int64_t>() + 1 : 0);
    return cuda_counts(values, bins, weights.defined() ? to(weights, weights.dtype() == Dtype::Float32 ? Dtype::Float32 : Dtype::Float64) : Tensor());
  }
  const int64_t* p = values->host<int64_t>();
  int64_t bins = minlength;
  for (int64_t k = 0; k < values.numel(); k++) {
    TG_CHECK(p[k] >= 0, ValueError, "input must not hold negative numbers, got ", p[k], Named{"input", x});
    bins = std::max(bins, p[k] + 1);
  }
  if (!weights.defined()) {
    Tensor out = zeros({bins}, Dtype::Int64);
    for (int64_t k = 0; k < values.numel(); k++) out->host<int64_t>()[p[k]]++;
    return out;
  }
  const Dtype d = weights.dtype() == Dtype::Float32 ? Dtype::Float32 : Dtype::Float64;
  return index_add(zeros({bins}, d), 0, values, to(weights, d));
}
Tensor histc(const Tensor& x, int64_t bins, double min, double max) {
  OpScope op("histc");
  TG_CHECK(bins > 0, ValueError, "bins must be positive, got ", bins);
  TG_CHECK(is_floating(x.dtype()), DtypeError, "input must be a float tensor, got ", x.dtype(), Named{"input", x});
  NoGrad guard;
  const Tensor values = contiguous(to(x, Dtype::Float64));
  const int64_t n = values.numel();
  if (min == max && n) {
    min = tapegrad::min(values).item<double>(), max = tapegrad::max(values).item<double>();
    if (min == max) min -= 1, max += 1;
  }
  TG_CHECK(std::isfinite(min) && std::isfinite(max) && min <= max, ValueError, "min and max must be finite and in order, got ", min, " and ", max);
  if (x.is_cuda()) {  // what is outside goes to a bin of its own
    const Tensor inside = logical_and(values >= min, values <= max);
    const Tensor bin = clamp_max(to((values - min) / (max - min) * double(bins), Dtype::Int64), Scalar(bins - 1));
    return to(narrow(cuda_counts(reshape(where(inside, bin, Tensor(Scalar(bins))), {-1}), bins + 1), 0, 0, bins), x.dtype());
  }
  const Tensor counts = zeros({bins}, Dtype::Int64);
  const double* p = values->host<double>();
  for (int64_t k = 0; k < n; k++) {
    if (!(p[k] >= min && p[k] <= max)) continue;
    counts->host<int64_t>()[std::min(int64_t((p[k] - min) / (max - min) * double(bins)), bins - 1)]++;
  }
  return to(counts, x.dtype());
}

// ---- searching

static Tensor search(const Tensor& sorted, const Tensor& values, bool right, const Tensor& sorter) {
  TG_CHECK(sorted.dim() > 0, ShapeError, "the sorted sequence must have at least 1 dimension", Named{"sorted_sequence", sorted});
  TG_CHECK(sorted.dim() == 1 || sorted.dim() == values.dim(), ShapeError, "sorted_sequence must have 1 dimension or those of input, got ", sorted.sizes(), " and ", values.sizes());
  for (int64_t d = 0; d + 1 < sorted.dim(); d++)
    TG_CHECK(sorted->sizes[d] == values->sizes[d], ShapeError, "sorted_sequence and input must agree but in the last dimension, got ", sorted.sizes(), " and ", values.sizes());
  TG_CHECK(!sorter.defined() || sorter.sizes() == sorted.sizes(), ShapeError, "sorter must have the shape of sorted_sequence, got ", sorter.sizes());
  NoGrad guard;
  const Dtype common = values.dim() == 0 && is_floating(values.dtype()) == is_floating(sorted.dtype()) ? sorted.dtype() : promote(sorted.dtype(), values.dtype());
  const Tensor ordered = sorter.defined() ? gather(sorted, -1, sorter) : sorted;
  if (values.dim()) check_same_device("sorted_sequence", sorted, "input", values);
  const Tensor s = contiguous(to(ordered, common)), v = contiguous(to(values, sorted.device(), common));
  if (v.is_cuda()) return cuda_search(s, v, right);
  Tensor out = empty(values.sizes(), Dtype::Int64);
  const int64_t length = s->sizes[s.dim() - 1], rows = s.dim() == 1 ? 1 : s.numel() / std::max<int64_t>(length, 1), each = rows ? v.numel() / rows : 0;
  typed(common, [&](auto zero) {
    using T = decltype(zero);
    const T *line = s->host<const T>(), *p = v->host<const T>();
    const auto before = [](const T& a, const T& b) { return order_key(a) < order_key(b); };
    parallel_for(v.numel(), 2048, [&](int64_t begin, int64_t end) {
      for (int64_t k = begin; k < end; k++) {
        const T* l = line + (s.dim() == 1 ? 0 : k / each * length);
        out->host<int64_t>()[k] = (right ? std::upper_bound(l, l + length, p[k], before) : std::lower_bound(l, l + length, p[k], before)) - l;
      }
    });
  });
  return out;
}
Tensor searchsorted(const Tensor& sorted_sequence, const Tensor& values, bool right, const Tensor& sorter) {
  OpScope op("searchsorted");
  return search(sorted_sequence, values, right, sorter);
}
Tensor bucketize(const Tensor& x, const Tensor& boundaries, bool right) {
  OpScope op("bucketize");
  TG_CHECK(boundaries.dim() == 1, ShapeError, "boundaries must have 1 dimension, got ", boundaries.dim(), Named{"boundaries", boundaries});
  return search(boundaries, x, right, {});
}
Tensor isin(const Tensor& elements, const Tensor& test_elements, bool invert) {
  OpScope op("isin");
  NoGrad guard;
  const Dtype common = result_type(elements, test_elements);
  const Device device = elements.is_cuda() ? elements.device() : test_elements.device();  // one of them may be a number
  const Tensor e = to(elements, device, common), sorted = sort(reshape(to(test_elements, device, common), {-1})).values;
  if (!sorted.numel()) return full(elements.sizes(), invert, Dtype::Bool, device);
  const Tensor place = search(sorted, e, false, {});
  const Tensor hit = eq(index_select(sorted, 0, reshape(masked_fill(place, eq(place, Tensor(Scalar(sorted.numel()))), Scalar(0)), {-1})), reshape(e, {-1}));
  return reshape(invert ? eq(hit, Tensor(Scalar(false))) : hit, elements.sizes());
}

namespace {
bool on_right(bool right, std::optional<std::string_view> side) {
  TG_CHECK(!side || *side == "left" || *side == "right", ValueError, "side must be 'left' or 'right', got '", side.value_or(""), "'");
  TG_CHECK(!right || !side || *side == "right", ValueError, "side 'left' contradicts right=True");
  return right || side == "right";
}
Tensor searchsorted_row(const Tensor& sorted, const Tensor& values, bool int32, bool right, std::optional<std::string_view> side, const Tensor& sorter) {
  OpScope op("searchsorted");
  const Tensor out = searchsorted(sorted, values, on_right(right, side), sorter);
  return int32 ? to(out, Dtype::Int32) : out;
}
Tensor bucketize_row(const Tensor& x, const Tensor& boundaries, bool int32, bool right) {
  OpScope op("bucketize");
  const Tensor out = bucketize(x, boundaries, right);
  return int32 ? to(out, Dtype::Int32) : out;
}
Tensor isin_row(const Tensor& elements, const Tensor& test_elements, bool, bool invert) { return isin(elements, test_elements, invert); }
}  // namespace

void unique_ops(OpTable& t) {
  t.add("unique(Tensor input, bool sorted=True, bool return_inverse=False, bool return_counts=False, int? dim=None)", &unique_row,
        "The different values (or slices along dim) in order; on request where each element went and how often each value occurs.")
      .method().no_grad().samples({"C(3, 1, 3, 2)", "I(4, 5), return_inverse=True", "I(4, 2, hi=2), return_counts=True, dim=0", "I(0)"});
  t.add("unique_consecutive(Tensor input, bool return_inverse=False, bool return_counts=False, int? dim=None)", &unique_consecutive_row, "input without repeats of the value (or slice along dim) before.")
      .method().no_grad().samples({"C(3, 3, 1, 1, 3)", "C(3, 3, 1), True, True"});
  t.add("bincount(Tensor input, Tensor? weights=None, int minlength=0)", &bincount, "How often each of 0, 1, 2 … occurs in a vector, or the sum of its weights.")
      .method().no_grad().samples({"C(0, 2, 2)", "C(0, 2, 2), C(0.5, 1.0, 2.0)", "C(1), minlength=4", "I(0)"});
  t.add("histc(Tensor input, int bins=100, float min=0, float max=0)", &histc, "Counts of the elements in `bins` equal intervals of [min, max], or of the elements' range when both are equal.")
      .method().no_grad().with_out().samples({"T(20), 4", "T(20), 4, -1.0, 1.0"});
  t.add("searchsorted(Tensor sorted_sequence, Tensor|Number input, *, bool out_int32=False, bool right=False, str? side=None, Tensor? sorter=None)", &searchsorted_row,
        "Where each value would be inserted to keep the (rows of the) sequence sorted; before equal ones, or after with right.")
      .no_grad().with_out().samples({"C(1.0, 3.0, 5.0), C(0.0, 3.0, 9.0)", "C(1, 3, 5), C(3), right=True", "C([1, 3], [2, 4]), C([3, 0], [3, 9])"});
  t.add("bucketize(Tensor|Number input, Tensor boundaries, *, bool out_int32=False, bool right=False)", &bucketize_row, "searchsorted(boundaries, input).").no_grad().with_out().samples({"T(3, 2), C(-1.0, 0.0, 1.0)"});
  t.add("isin(Tensor|Number elements, Tensor|Number test_elements, *, bool assume_unique=False, bool invert=False)", &isin_row, "Is each element among the test elements?")
      .no_grad().with_out().samples({"C(1, 2, 3), C(3, 1)", "I(2, 3), 2", "C(1, 2), I(0)"});
}

}  // namespace tapegrad
