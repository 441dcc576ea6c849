// Element offsets of indexed rows, and the loops that read and write them in index order.
#include "src/ops/index_rows.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include "src/ops/complex_number.h"
#include "src/ops/cuda/calls.h"
#include "src/ops/cuda/launch_sort.h"
#include "src/ops/stream.h"

namespace tapegrad {

// ---- where the rows are

// out[k] = index[k] · stride, or that more; wrapped (from_end) and checked. `index` is int64 and contiguous.
static void put_offsets(int64_t* out, const Tensor& index, int64_t dim, int64_t size, int64_t stride, bool add, bool from_end = true) {
  const int64_t *in = index->host<int64_t>(), n = index.numel(), least = from_end ? -size : 0;
  std::atomic<bool> outside{false};
  parallel_for(n, int64_t(1) << 15, [&](int64_t begin, int64_t end) {
    bool wrong = false;
    for (int64_t k = begin; k < end; k++) {
      const int64_t i = in[k], at = (i + (i >> 63 & size)) * stride;
      wrong |= uint64_t(i) - uint64_t(least) >= uint64_t(size - least);
      out[k] = add ? out[k] + at : at;
    }
    if (wrong) outside = true;
  });
  for (int64_t k = 0; outside && k < n; k++)
    if (in[k] < least || in[k] >= size) detail::fail<IndexError>("index ", in[k], " is out of bounds for dimension ", dim, " with size ", size);
}

// As broadcast_sizes, with the error that belongs to an index.
static Shape common_shape(const std::vector<Tensor>& given) {
  try {
    return broadcast_sizes(given);
  } catch (const ShapeError&) {
    std::string shapes;
    for (const Tensor& i : given) shapes += (shapes.empty() ? "" : ", ") + to_string(i.sizes());
    detail::fail<IndexError>("shape mismatch: indexing tensors could not be broadcast together with shapes ", shapes);
  }
}
Rows plan_rows(const Tensor& x, TensorList indices) {
  NoGrad guard;
  Rows rows;
  std::vector<Tensor> given;
  int first = -1, last = -1;
  Shape dims;
  for (int d = 0; d < int(indices.size()); d++) {
    if (!indices[size_t(d)].defined()) continue;
    given.push_back(x.is_cuda() ? to(indices[size_t(d)], x.device()) : indices[size_t(d)]);
    dims.push_back(d);
    if (first < 0) first = d;
    last = d;
  }
  const bool adjacent = last - first + 1 == int(given.size());
  const Shape shape = common_shape(given);
  const auto add_dims = [&](int from, int to, Walk<1>& walk) {
    for (int d = from; d < to; d++) {
      if (d < int(indices.size()) && indices[size_t(d)].defined()) continue;
      walk.add(x->sizes[d], x->strides[d]);
      rows.size.push_back(x->sizes[d]);
    }
  };
  if (adjacent) add_dims(0, first, rows.before);
  for (int64_t s : IntList(shape)) rows.size.push_back(s);
  add_dims(adjacent ? last : 0, int(x.dim()), rows.after);
  if (x.is_cuda()) {
    for (Tensor& i : given) i = expand(i, shape);
    cuda_offsets(x, rows, given, dims);
    return rows;
  }
  rows.offsets = empty(shape, Dtype::Int64);
  for (int d = first; d <= last; d++)
    if (const Tensor& i = indices[size_t(d)]; i.defined())
      put_offsets(rows.offsets->host<int64_t>(), contiguous(expand(i, shape)), d, x->sizes[d], x->strides[d], d > first);
  return rows;
}
Rows plan_rows(const Tensor& x, int64_t dim, const Tensor& index, bool from_end) {
  TG_CHECK(is_integral(index.dtype()), DtypeError, "index must be an integer tensor, got ", index.dtype(), Named{"index", index});
  TG_CHECK(index.dim() <= 1, ShapeError, "index must have at most 1 dimension, got ", index.dim(), Named{"index", index});
  NoGrad guard;
  Rows rows;
  rows.from_end = from_end;
  for (int64_t d = 0; d < dim; d++) rows.before.add(x->sizes[d], x->strides[d]);
  for (int64_t d = dim + 1; d < x.dim(); d++) rows.after.add(x->sizes[d], x->strides[d]);
  rows.size = x.sizes();
  if (x.dim()) rows.size[size_t(dim)] = index.numel();
  if (x.is_cuda()) {
    cuda_offsets(x, rows, {to(index, x.device(), Dtype::Int64)}, dim);
    return rows;
  }
  rows.offsets = empty({index.numel()}, Dtype::Int64);
  put_offsets(rows.offsets->host<int64_t>(), contiguous(to(index, Dtype::Int64)), dim, size_of(x, dim), x.dim() ? x->strides[dim] : 0, false, from_end);
  return rows;
}

// ---- reading

// Rows of n elements, `dense` when they lie next to each other.
static bool dense(const Walk<1>& w) { return w.size.empty() || (w.size.size() == 1 && w.stride[0][0] == 1); }

Tensor get_rows(const Tensor& x, const Rows& rows) {
  if (x.is_cuda()) return cuda_get_rows(x, rows);
  Tensor out = empty(rows.size, x.dtype(), x.device());
  if (!out.numel()) return out;
  const int64_t n = rows.offsets.numel(), length = rows.after.count;
  const int64_t* offset = rows.offsets->host<int64_t>();
  const bool plain = dense(rows.after), past = plain && is_past_caches(out.numel() * int64_t(x.element_size()));
  LongKernel unlock(out.numel());
  by_size(x.element_size(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = x->host<const T>();
    T* to = out->host<T>();
    parallel_for(rows.before.count * n, grain_for(length), [&](int64_t begin, int64_t end) {
      T* o = to + begin * length;
      Streamed copies(past);
      const int64_t bytes = length * int64_t(sizeof(T)), ahead = 1 + 4096 / bytes;  // rows until the one that is read meanwhile
      for (int64_t b = begin / n; b * n < end; b++) {
        rows.before(b, b + 1, [&](const int64_t (&at)[1]) {
          const T* base = from + at[0];
          const int64_t i0 = std::max<int64_t>(0, begin - b * n), i1 = std::min(n, end - b * n);
          if (length == 1) {
            for (int64_t i = i0; i < i1; i++) *o++ = base[offset[i]];
            return;
          }
          for (int64_t i = i0; i < i1; i++) {
            const T* p = base + offset[i];
            const T* soon = base + offset[std::min(n - 1, i + ahead)];
            if (plain) copies.copy(reinterpret_cast<char*>(o), reinterpret_cast<const char*>(p), bytes, reinterpret_cast<const char*>(soon));
            else rows.after(0, length, [&, k = int64_t(0)](const int64_t (&a)[1]) mutable { o[k++] = p[a[0]]; });
            o += length;
          }
        });
      }
    });
  });
  return out;
}

// ---- writing

// f(b, i) for all rows, a few after expect(b, i); rows at the same place in order of i. Pieces go by `before`, or by place when that is
// one.
template <class E, class F> static void each_row(const Rows& rows, E&& expect, F&& f) {
  constexpr int64_t kAhead = 16;
  const int64_t n = rows.offsets.numel(), length = rows.after.count, work = rows.before.count * n * length;
  const auto one_after_the_other = [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; b++) {
      for (int64_t i = 0; i < std::min(kAhead, n); i++) expect(b, i);
      for (int64_t i = 0; i < n; i++) {
        expect(b, std::min(i + kAhead, n - 1));
        f(b, i);
      }
    }
  };
  if (work <= kLongKernel || num_threads() == 1 || (rows.before.count < 8 && length < 8)) return one_after_the_other(0, rows.before.count);
  if (rows.before.count >= 8) {
    parallel_for(rows.before.count, grain_for(n * length), one_after_the_other);
    return;
  }
  // Rows at the same place are in the same bucket, in order.
  constexpr int64_t kBuckets = 64;
  const int64_t* offset = rows.offsets->host<int64_t>();
  const auto [least, most] = std::minmax_element(offset, offset + n);
  const int64_t first = *least, width = (*most - first) / kBuckets + 1;
  std::vector<int64_t> order(static_cast<size_t>(n)), start(kBuckets + 1), next;
  for (int64_t i = 0; i < n; i++) start[size_t((offset[i] - first) / width) + 1]++;
  for (size_t k = 0; k < kBuckets; k++) start[k + 1] += start[k];
  next = start;
  for (int64_t i = 0; i < n; i++) order[size_t(next[size_t((offset[i] - first) / width)]++)] = i;
  parallel_for(kBuckets, 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = 0; b < rows.before.count; b++)
      for (int64_t k = start[size_t(begin)]; k < start[size_t(end)]; k++) f(b, order[size_t(k)]);
  });
}

void put_rows(const Tensor& x, const Rows& rows, const Tensor& values, Put what, Scalar alpha) {
  if (x.is_cuda()) return cuda_put_rows(x, rows, values, what, alpha);
  const bool one = values.numel() == 1;
  const int64_t n = rows.offsets.numel(), length = rows.after.count;
  if (rows.before.count * n * length == 0) return;
  const Tensor dense_values = one ? values : contiguous(values);
  const int64_t* offset = rows.offsets->host<int64_t>();
  const Tensor starts = empty({rows.before.count}, Dtype::Int64);
  int64_t *bases = starts->host<int64_t>(), *next = bases;
  rows.before(0, rows.before.count, [&](const int64_t (&at)[1]) { *next++ = at[0]; });
  LongKernel unlock(rows.before.count * n * length);
  const bool plain = dense(rows.after);
  const auto run = [&](auto zero, auto write) {
    using T = decltype(zero);
    T* to = x->host<T>();
    const T* from = dense_values->host<const T>();
    const int64_t step = one ? 0 : 1;
    const auto expect = [&](int64_t b, int64_t i) { __builtin_prefetch(to + bases[b] + offset[i], 1); };
    each_row(rows, expect, [&](int64_t b, int64_t i) {
      T* o = to + bases[b] + offset[i];
      const T* p = one ? from : from + (b * n + i) * length;
      if (length == 1) write(*o, *p);
      else if (plain && !one) for (int64_t k = 0; k < length; k++) write(o[k], p[k]);
      else rows.after(0, length, [&, p](const int64_t (&a)[1]) mutable { write(o[a[0]], *p), p += step; });
    });
  };
  if (what == Put::Set) {
    by_size(x.element_size(), [&](auto zero) { run(zero, [](auto& o, auto v) { o = v; }); });
    return;
  }
  typed_or_complex(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    using W = Wide<T>;
    const W factor = W(number_as<T>(alpha));
    if (alpha.to_double() == 1 && !alpha.is_complex()) run(zero, [](T& o, T v) { o = T(W(o) + W(v)); });
    else run(zero, [factor](T& o, T v) { const auto scaled = factor * W(v); o = T(W(o) + W(scaled)); });
  });
}

// ---- masks

// Pieces of a fixed size, and where among the set elements each begins.
static constexpr int64_t kMaskPiece = 1 << 15;
template <class F> static std::vector<int64_t> count_set(int64_t n, F is_set) {
  std::vector<int64_t> start(size_t((n + kMaskPiece - 1) / kMaskPiece) + 1);
  parallel_for(n, kMaskPiece, [&](int64_t begin, int64_t end) {
    int64_t count = 0;
    for (int64_t i = begin; i < end; i++) count += is_set(i);
    start[size_t(begin / kMaskPiece) + 1] = count;
  });
  for (size_t k = 1; k < start.size(); k++) start[k] += start[k - 1];
  return start;
}
Tensor nonzero_columns(const Tensor& mask_in) {
  NoGrad guard;
  if (mask_in.is_cuda()) return cuda_nonzero(mask_in);
  const Tensor mask = contiguous(mask_in.dtype() > Dtype::Float64 ? to(mask_in, Dtype::Bool) : mask_in);
  const int64_t n = mask.numel(), dims = mask.dim();
  LongKernel unlock(n);
  return typed(mask.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* p = mask->host<const T>();
    const auto is_set = [p](int64_t i) { return Wide<T>(p[i]) != Wide<T>(0); };
    const std::vector<int64_t> start = count_set(n, is_set);
    const int64_t found = start.back();
    Tensor out = empty({dims, found}, Dtype::Int64);
    if (!found || !dims) return out;
    int64_t* o = out->host<int64_t>();
    const int64_t row = mask->sizes[dims - 1];
    parallel_for(n, kMaskPiece, [&](int64_t begin, int64_t end) {
      int64_t k = start[size_t(begin / kMaskPiece)];
      const int64_t stop = start[size_t(begin / kMaskPiece) + 1];
      for (int64_t i = begin; i < end && k < stop;) {  // a row of the mask, or what the piece has of it
        const int64_t first = i / row * row, row_end = std::min(end, first + row), from = k;
        int64_t* last = o + (dims - 1) * found;
        for (; i < row_end && k < stop; i++) last[k] = i - first, k += is_set(i);  // written anyway, kept if set
        i = row_end;
        for (int64_t d = dims - 1, rest = first / row; d-- > 0; rest /= mask->sizes[d])
          std::fill(o + d * found + from, o + d * found + k, d ? rest % mask->sizes[d] : rest);
      }
    });
    return out;
  });
}

Tensor get_set(const Tensor& x_in, const Tensor& mask_in) {
  NoGrad guard;
  if (x_in.is_cuda()) return index_select(reshape(x_in, {-1}), 0, reshape(cuda_nonzero(reshape(mask_in, {-1})), {-1}));
  const Tensor x = contiguous(x_in), mask = contiguous(mask_in);
  const int64_t n = mask.numel();
  const uint8_t* m = mask->host<const uint8_t>();
  LongKernel unlock(n);
  const std::vector<int64_t> start = count_set(n, [m](int64_t i) { return m[i] != 0; });
  Tensor out = empty({start.back()}, x.dtype(), x.device());
  by_size(x.element_size(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = x->host<const T>();
    T* to = out->host<T>();
    parallel_for(n, kMaskPiece, [&](int64_t begin, int64_t end) {
      int64_t k = start[size_t(begin / kMaskPiece)];
      const int64_t stop = start[size_t(begin / kMaskPiece) + 1];
      for (int64_t i = begin; i < end && k < stop; i++) to[k] = from[i], k += m[i] != 0;  // written anyway, kept if set
    });
  });
  return out;
}

std::vector<Tensor> integer_indices(const Tensor& x, TensorList indices) {
  std::vector<Tensor> out;
  for (const Tensor& i : indices) {
    if (!i.defined()) {
      out.emplace_back();
      continue;
    }
    TG_CHECK(!is_differentiable(i.dtype()), IndexError, "tensors used as indices must be integer, uint8 or bool tensors, got ", i.dtype(), Named{"index", i});
    if (i.dtype() != Dtype::Bool && i.dtype() != Dtype::UInt8) {
      out.push_back(to(i, Dtype::Int64));
      continue;
    }
    const int64_t at = int64_t(out.size());
    for (int64_t d = 0; d < i.dim(); d++)
      TG_CHECK(at + d < x.dim() && i->sizes[d] == x->sizes[at + d], IndexError, "the shape of the mask ", i.sizes(), " at index ", d,
               " does not match the shape of the indexed tensor ", x.sizes(), " at index ", at + d);
    const Tensor columns = nonzero_columns(i);
    for (int64_t d = 0; d < i.dim(); d++) out.push_back(alias(columns, {columns->sizes[1]}, {1}, d * columns->sizes[1], false));
  }
  TG_CHECK(int64_t(out.size()) <= x.dim(), IndexError, "too many indices for tensor of dimension ", x.dim(), Named{"input", x});
  return out;
}

}  // namespace tapegrad
