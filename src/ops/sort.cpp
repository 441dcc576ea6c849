// sort, topk, kthvalue, median, mode: order along one dimension. Each line is turned into (key, index) items (sort_keys.h),
// ordered, and written back; NaN counts as the largest value, as in PyTorch, and equal values keep their order.
#include <limits>

#include "src/ops/cuda/launch_sort.h"
#include "src/ops/op_info.h"
#include "src/ops/sort_keys.h"
#include "src/ops/view.h"
#include "src/tensor/interrupt.h"

namespace tapegrad {
namespace {

// Values and indices along a dimension come from x: the gradient goes back where they came from.
struct PickBackward final : NodeOf<1> {
  Shape sizes;
  int64_t dim;
  const char* title;
  SavedTensor indices;  // with dim kept
  PickBackward(const Tensor& x, int64_t d, const Tensor& i, const char* t) : NodeOf(x), sizes(x.sizes()), dim(d), title(t), indices(i) {}
  const char* name() const override { return title; }
  void backward(Tensor g, Tensor* dx) override {
    const Tensor at = indices.unpack(*this);
    dx[0] = scatter_add_(zeros(sizes, g.dtype(), g.device()), dim, at, g.dim() == at.dim() ? g : unsqueeze(g, dim));
  }
  void free_saved() override { indices.reset(); }
};

// f(x's line, its step, values' line, its step, indices' line) for all lines along d, in parallel; f is copied per piece.
template <class T, class F> void each_line(const Tensor& x, int64_t d, const Tensor& values, const Tensor& indices, const F& f) {
  Walk<2> walk;
  for (int64_t k = 0; k < x.dim(); k++) if (k != d) walk.add(x->sizes[k], x->strides[k], values->strides[k]);
  const int64_t n = size_of(x, d), step = x.dim() ? x->strides[d] : 1, out_step = x.dim() ? values->strides[d] : 1;
  LongKernel unlock(8 * x.numel());
  interruptible_for(walk.count, grain_for(16 * n), [&](int64_t begin, int64_t end) {
    F work = f;
    walk(begin, end, [&](const int64_t (&at)[2]) {
      work(x->host<const T>() + at[0], step, values->host<T>() + at[1], indices->host<int64_t>() + at[1], out_step);
    });
  });
}
template <class T> void fill_items(std::vector<Item<OrderKey<T>>>& items, const T* p, int64_t n, int64_t step, bool descending) {
  using Key = OrderKey<T>;
  items.resize(size_t(n));
  const Key flip = descending ? ~Key(0) : 0;
  for (int64_t i = 0; i < n; i++) items[size_t(i)] = Item<Key>(order_key(p[i * step]) ^ flip, i);
}
// best[g] = the best of every count-th number from g on, NaN apart.
template <class T, class W> void group_extremes(const T* p, int64_t n, int64_t step, W* best, int64_t count, bool largest) {
  using Limits = std::numeric_limits<W>;
  const W top = Limits::has_infinity ? Limits::infinity() : Limits::max(), bottom = Limits::has_infinity ? W(-top) : Limits::lowest();
  std::fill_n(best, count, largest ? bottom : top);
  for (int64_t i = 0; i + count <= n; i += count, p += count * step) {
    if (step == 1 && largest) for (int64_t g = 0; g < count; g++) best[g] = W(p[g]) > best[g] ? W(p[g]) : best[g];
    else if (step == 1) for (int64_t g = 0; g < count; g++) best[g] = W(p[g]) < best[g] ? W(p[g]) : best[g];
    else for (int64_t g = 0; g < count; g++) best[g] = largest ? std::max(best[g], W(p[g * step])) : std::min(best[g], W(p[g * step]));
  }
}
// The first k items in order, of a line much longer. The k-th of the best numbers of 4 k groups bounds the k-th of all, and little
// else is within the bound.
constexpr int64_t kMuchLonger = 64;
template <class T> void fill_first(std::vector<Item<OrderKey<T>>>& items, const T* p, int64_t n, int64_t step, int64_t k, bool descending) {
  using Key = OrderKey<T>;
  using W = std::conditional_t<std::is_same_v<T, bool>, uint8_t, Wide<T>>;
  std::vector<W> best(static_cast<size_t>(4 * k));
  group_extremes(p, n, step, best.data(), 4 * k, descending);
  std::nth_element(best.begin(), best.begin() + (k - 1), best.end(), [descending](W a, W b) { return descending ? a > b : a < b; });
  const W bound = best[size_t(k - 1)];
  const Key flip = descending ? ~Key(0) : 0;
  items.clear();
  constexpr int64_t kGroup = 16;
  for (int64_t i = 0; i < n; i += kGroup) {
    const int64_t end = std::min(n, i + kGroup);
    if (step == 1 && end - i == kGroup) {
      unsigned candidates = 0;  // NaN is one, always
      if (descending) for (int64_t j = 0; j < kGroup; j++) candidates |= unsigned(!(W(p[i + j]) < bound));
      else for (int64_t j = 0; j < kGroup; j++) candidates |= unsigned(!(W(p[i + j]) > bound));
      if (!candidates) continue;
    }
    for (int64_t j = i; j < end; j++) {
      const W v = W(p[j * step]);
      if (!(descending ? v < bound : v > bound)) items.emplace_back(order_key(p[j * step]) ^ flip, j);
    }
  }
  std::nth_element(items.begin(), items.begin() + (k - 1), items.end());
  items.resize(size_t(k));
  std::sort(items.begin(), items.end());
}
Shape with_size(const Tensor& x, int64_t d, int64_t n) {
  Shape size(x.sizes());
  if (x.dim()) size[size_t(d)] = n;
  return size;
}
ValuesIndices finish(const Tensor& x, int64_t d, Tensor values, Tensor indices, bool keepdim, const char* title) {
  const Tensor kept = indices;
  if (!keepdim && x.dim()) {
    NoGrad guard;
    values = squeeze(values, {d}), indices = squeeze(indices, {d});
    values = alias(values, values.sizes(), values.strides(), 0, false), indices = alias(indices, indices.sizes(), indices.strides(), 0, false);
  }
  if (recording(x)) record<PickBackward>(values, x, d, kept, title);
  return {values, indices};
}

// The first k in order; all of them: a sort.
ValuesIndices first_in_order(const Tensor& x, int64_t d, int64_t k, bool descending, const char* title) {
  const int64_t n = size_of(x, d);
  if (x.is_cuda() && x.numel() && k) {
    const auto [values, indices] = cuda_first_in_order(x, d, k, descending);
    return finish(x, d, values, indices, true, title);
  }
  const Tensor values = empty(with_size(x, d, k), x.dtype(), x.device()), indices = empty(with_size(x, d, k), Dtype::Int64, x.device());
  if (values.numel()) {
    typed(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      using Items = std::vector<Item<OrderKey<T>>>;
      each_line<T>(x, d, values, indices, [n, k, descending, items = Items(), spare = Items()](const T* p, int64_t step, T* o, int64_t* at, int64_t out_step) mutable {
        if (k * kMuchLonger <= n) {
          fill_first(items, p, n, step, k, descending);
        } else {
          fill_items(items, p, n, step, descending);
          if (k * 16 < n) std::partial_sort(items.begin(), items.begin() + k, items.end());
          else if (k < n) std::nth_element(items.begin(), items.begin() + k, items.end()), std::sort(items.begin(), items.begin() + k);
          else sort_items(items, spare);
        }
        for (int64_t i = 0; i < k; i++) {
          const int64_t from = items[size_t(i)].at();
          o[i * out_step] = p[from * step], at[i * out_step] = from;
        }
      });
    });
  }
  return finish(x, d, values, indices, true, title);
}

}  // namespace

Tensor in_signed_order(const Tensor& x) {
  NoGrad off;
  if (x.dtype() != Dtype::UInt64) return to(x, Dtype::Int64);
  return bitwise_xor(view(contiguous(x), Dtype::Int64), Tensor(Scalar(INT64_MIN)));
}
ValuesIndices sort(const Tensor& x, int64_t dim, bool descending, bool) {
  OpScope op("sort");
  TG_CHECK(!is_complex(x.dtype()), DtypeError, "complex numbers have no order, got ", x.dtype(), Named{"input", x});
  const int64_t d = wrap_dim(dim, x.dim(), x);
  if (x.dtype() >= Dtype::UInt16) {
    const Tensor at = sort(in_signed_order(x), d, descending).indices;
    return {x.dim() ? gather(x, d, at) : x, at};
  }
  return first_in_order(x, d, size_of(x, d), descending, "SortBackward0");
}
Tensor argsort(const Tensor& x, int64_t dim, bool descending, bool stable) {
  OpScope op("argsort");
  NoGrad guard;
  return sort(x, dim, descending, stable).indices;
}
Tensor msort(const Tensor& x) {
  OpScope op("msort");
  return sort(x, 0).values;
}
ValuesIndices topk(const Tensor& x, int64_t k, int64_t dim, bool largest, bool) {
  OpScope op("topk");
  const int64_t d = wrap_dim(dim, x.dim(), x), n = size_of(x, d);
  TG_CHECK(k >= 0 && k <= n, ValueError, "k must be in [0, ", n, "], the size of dimension ", d, ", got ", k, Named{"input", x});
  return first_in_order(x, d, x.dim() ? k : 1, largest, "TopkBackward0");
}

// ---- one of each line

namespace {

// pick(items) gives the index of the chosen element; items are keys in index order. On CUDA `rank` gives, of the sorted lines, its rank.
template <class F, class R> ValuesIndices pick_one(const Tensor& x, int64_t d, bool keepdim, const char* title, F pick, R rank) {
  const int64_t n = size_of(x, d);
  if (x.is_cuda() && x.numel()) {
    ValuesIndices chosen;
    {
      NoGrad off;
      const auto [values, indices] = cuda_first_in_order(x, d, n, false);
      const Tensor at = rank(values);
      chosen = x.dim() ? ValuesIndices{gather(values, d, at), gather(indices, d, at)} : ValuesIndices{values, indices};
    }
    return finish(x, d, chosen.values, chosen.indices, keepdim, title);
  }
  const Tensor values = empty(with_size(x, d, 1), x.dtype(), x.device()), indices = empty(with_size(x, d, 1), Dtype::Int64, x.device());
  TG_CHECK(n > 0 || values.numel() == 0, IndexError, "dimension ", d, " must not be empty", Named{"input", x});
  if (values.numel()) {
    typed(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      each_line<T>(x, d, values, indices, [n, pick, items = std::vector<Item<OrderKey<T>>>()](const T* p, int64_t step, T* o, int64_t* at, int64_t) mutable {
        fill_items(items, p, n, step, false);
        *at = pick(items);
        *o = p[*at * step];
      });
    });
  }
  return finish(x, d, values, indices, keepdim, title);
}
template <class Items> int64_t nth(Items& items, int64_t k) {
  std::nth_element(items.begin(), items.begin() + k, items.end());
  return items[size_t(k)].at();
}
template <class Item> bool is_nan_key(const Item& i) { return i.key() == decltype(i.key())(~decltype(i.key())(0)); }
// The lower of the two middle ones; NaN when there is one, or leaving NaN out. An integer's largest key never is a NaN.
template <class Items> int64_t middle(Items& items, bool real, bool skip_nan) {
  int64_t n = int64_t(items.size());
  if (real) {
    const auto first_nan = std::find_if(items.begin(), items.end(), [](auto& i) { return is_nan_key(i); });
    if (first_nan != items.end()) {
      if (!skip_nan) return first_nan->at();
      n -= std::count_if(items.begin(), items.end(), [](auto& i) { return is_nan_key(i); });
      if (n == 0) return 0;
    }
  }
  return nth(items, (n - 1) / 2);
}
ValuesIndices pick_middle(const Tensor& x, int64_t d, bool keepdim, const char* title, bool skip_nan) {
  return pick_one(x, d, keepdim, title, [real = is_floating(x.dtype()), skip_nan](auto& items) { return middle(items, real, skip_nan); },
                  [d, skip_nan](const Tensor& sorted) { return cuda_middle_rank(sorted, d, skip_nan); });
}

// The median of all: its gradient is shared by all elements that equal it.
struct MedianBackward final : NodeOf<1> {
  const char* title;
  SavedTensor x, value;
  MedianBackward(const Tensor& in, const char* t) : NodeOf(in), title(t), x(in) {}
  const char* name() const override { return title; }
  void backward(Tensor g, Tensor* dx) override {
    Tensor share;
    {
      NoGrad guard;
      const Tensor in = x.unpack(*this), v = value.unpack(*this);
      const Tensor hit = to(any(ne(v, v)).item().to_bool() ? ne(in, in) : eq(in, v), in.dtype());
      share = div(hit, sum(hit));
    }
    dx[0] = mul(g, share);
  }
  void free_saved() override { x.reset(), value.reset(); }
};
Tensor median_all(const Tensor& x, bool skip_nan, const char* title) {
  Tensor out;
  {
    NoGrad guard;
    if (x.numel() == 0) {
      TG_CHECK(is_floating(x.dtype()), ValueError, "input must not be empty", Named{"input", x});
      out = full({}, Scalar(__builtin_nan("")), x.dtype(), x.device());
    } else {
      out = pick_middle(reshape(x, {-1}), 0, false, title, skip_nan).values;
    }
  }
  if (recording(x)) record<MedianBackward>(out, x, title)->value = SavedTensor(out, SavedTensor::output);
  return out;
}
void refuse_bool(const Tensor& x) { TG_CHECK(x.dtype() != Dtype::Bool, DtypeError, "input must not be a bool tensor", Named{"input", x}); }

}  // namespace

ValuesIndices kthvalue(const Tensor& x, int64_t k, int64_t dim, bool keepdim) {
  OpScope op("kthvalue");
  const int64_t d = wrap_dim(dim, x.dim(), x), n = size_of(x, d);
  TG_CHECK(k >= 1 && k <= n, ValueError, "k must be in [1, ", n, "], the size of dimension ", d, ", got ", k, Named{"input", x});
  refuse_bool(x);
  return pick_one(x, d, keepdim, "KthvalueBackward0", [k](auto& items) { return nth(items, k - 1); },
                  [&](const Tensor&) { return full(with_size(x, d, 1), k - 1, Dtype::Int64, x.device()); });
}
Tensor median(const Tensor& x) {
  OpScope op("median");
  refuse_bool(x);
  return median_all(x, false, "MedianBackward0");
}
ValuesIndices median(const Tensor& x, int64_t dim, bool keepdim) {
  OpScope op("median");
  refuse_bool(x);
  return pick_middle(x, wrap_dim(dim, x.dim(), x), keepdim, "MedianBackward1", false);
}
Tensor nanmedian(const Tensor& x) {
  OpScope op("nanmedian");
  refuse_bool(x);
  return median_all(x, true, "NanmedianBackward0");
}
ValuesIndices nanmedian(const Tensor& x, int64_t dim, bool keepdim) {
  OpScope op("nanmedian");
  refuse_bool(x);
  return pick_middle(x, wrap_dim(dim, x.dim(), x), keepdim, "NanmedianBackward1", true);
}
ValuesIndices mode(const Tensor& x, int64_t dim, bool keepdim) {
  OpScope op("mode");
  const int64_t d = wrap_dim(dim, x.dim(), x);
  return pick_one(x, d, keepdim, "ModeBackward0", [](auto& items) {
    std::sort(items.begin(), items.end());
    size_t best = 0, best_run = 0;  // the smallest value of the longest run, at its last place
    for (size_t i = 0, run = 0; i < items.size(); i++) {
      run = i && items[i].key() == items[i - 1].key() ? run + 1 : 1;
      if (run > best_run) best = i, best_run = run;
    }
    return items[best].at();
  }, [d](const Tensor& sorted) { return cuda_mode_rank(sorted, d); });
}

void sort_ops(OpTable& t) {
  t.add("sort(Tensor input, int dim=-1, bool descending=False, bool stable=False)", &sort, "Values along dim in order, and where they were. Always stable; NaN is largest.")
      .method().returns("values indices").with_out().samples({"T(5)", "T(3, 4), 0", "T(3, 4), -1, True", "T()", "T(0, 3)", "T(4, 3).t(), dim=0, descending=True"});
  t.add("sort(Tensor input, *, bool? stable, int dim=-1, bool descending=False)",
        static_cast<ValuesIndices (*)(const Tensor&, std::optional<bool>, int64_t, bool)>([](const Tensor& x, std::optional<bool>, int64_t d, bool down) { return sort(x, d, down); }), "Values along dim in order, and where they were; always stable, asked or not.")
      .method().returns("values indices").samples({"T(3, 4), stable=True, dim=0", "T(5), stable=True, descending=True"});
  t.add("argsort(Tensor input, int dim=-1, bool descending=False, bool stable=False)", &argsort, "The indices of sort.").method().no_grad().samples({"T(3, 4)", "T(3, 4), 0, True"});
  t.add("msort(Tensor input)", &msort, "sort along dimension 0, values only.").method().with_out().samples({"T(4, 2)"});
  t.add("topk(Tensor input, int k, int dim=-1, bool largest=True, bool sorted=True)", &topk, "The k largest (or smallest) values along dim in order, and where they were.")
      .method().returns("values indices").with_out().samples({"T(6), 2", "T(3, 6), 4, 1, False", "T(6, 3), 3, 0", "T(40), 2", "T(3), 0"});
  t.add("kthvalue(Tensor input, int k, int dim=-1, bool keepdim=False)", &kthvalue, "The k-th smallest value along dim (k from 1), and where it was.")
      .method().returns("values indices").with_out().samples({"T(5), 2", "T(3, 4), 4, 1, True", "T(3, 4), 1, 0"});
  t.add("median(Tensor input)", static_cast<Tensor (*)(const Tensor&)>(&median), "The lower median of all elements; NaN when there is one.").method().samples({"T(5)", "T(2, 3)", "T()"});
  t.add("median(Tensor input, int dim, bool keepdim=False)", static_cast<ValuesIndices (*)(const Tensor&, int64_t, bool)>(&median), "The lower median along dim, and where it was.")
      .method().returns("values indices").samples({"T(3, 5), 1", "T(3, 4), 0, True"});
  t.add("nanmedian(Tensor input)", static_cast<Tensor (*)(const Tensor&)>(&nanmedian), "The lower median of the elements that are not NaN.").method().samples({"T(5)"});
  t.add("nanmedian(Tensor input, int dim, bool keepdim=False)", static_cast<ValuesIndices (*)(const Tensor&, int64_t, bool)>(&nanmedian), "The lower median along dim of the elements that are not NaN, and where it was.")
      .method().returns("values indices").samples({"T(3, 5), 1"});
  t.add("mode(Tensor input, int dim=-1, bool keepdim=False)", &mode, "The most frequent value along dim, the smallest of several, and where it was.")
      .method().returns("values indices").with_out().samples({"C(1.0, 2.0, 2.0, 3.0)", "T(3, 4), 0, True"});
}

}  // namespace tapegrad
