// Element offsets of indexed rows, and the loops that read and write them in index order.
#include "src/ops/index_rows.h"

#include <algorithm>
#include <string>
#include <vector>

#include "src/ops/complex_number.h"

namespace tapegrad {

// ---- where the rows are

// out[k] += index[k] · stride, wrapped and checked. `index` is int64 and contiguous.
static void add_offsets(int64_t* out, const Tensor& index, int64_t dim, int64_t size, int64_t stride) {
  const int64_t* in = index.data_ptr<int64_t>();
  for (int64_t k = 0, n = index.numel(); k < n; k++) {
    const int64_t i = in[k];
    if (uint64_t(i + size) >= uint64_t(2 * size)) [[unlikely]]
      detail::fail<IndexError>("index ", i, " is out of bounds for dimension ", dim, " with size ", size);
    out[k] += (i < 0 ? i + size : i) * stride;
  }
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
  for (int d = 0; d < int(indices.size()); d++) {
    if (!indices[size_t(d)].defined()) continue;
    given.push_back(indices[size_t(d)]);
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
  rows.offsets = zeros(shape, Dtype::Int64);
  for (int d = first; d <= last; d++)
    if (const Tensor& i = indices[size_t(d)]; i.defined())
      add_offsets(rows.offsets.data_ptr<int64_t>(), contiguous(expand(i, shape)), d, x->sizes[d], x->strides[d]);
  return rows;
}
Rows plan_rows(const Tensor& x, int64_t dim, const Tensor& index) {
  TG_CHECK(is_integral(index.dtype()), DtypeError, "index must be an integer tensor, got ", index.dtype(), Named{"index", index});
  TG_CHECK(index.dim() <= 1, ShapeError, "index must have at most 1 dimension, got ", index.dim(), Named{"index", index});
  NoGrad guard;
  Rows rows;
  for (int64_t d = 0; d < dim; d++) rows.before.add(x->sizes[d], x->strides[d]);
  for (int64_t d = dim + 1; d < x.dim(); d++) rows.after.add(x->sizes[d], x->strides[d]);
  rows.size = x.sizes();
  if (x.dim()) rows.size[size_t(dim)] = index.numel();
  rows.offsets = zeros({index.numel()}, Dtype::Int64);
  add_offsets(rows.offsets.data_ptr<int64_t>(), contiguous(to(index, Dtype::Int64)), dim, size_of(x, dim), x.dim() ? x->strides[dim] : 0);
  return rows;
}

// ---- reading

// Rows of n elements, `dense` when they lie next to each other.
static bool dense(const Walk<1>& w) { return w.size.empty() || (w.size.size() == 1 && w.stride[0][0] == 1); }

Tensor get_rows(const Tensor& x, const Rows& rows) {
  Tensor out = empty(rows.size, x.dtype(), x.device());
  if (!out.numel()) return out;
  const int64_t n = rows.offsets.numel(), length = rows.after.count;
  const int64_t* offset = rows.offsets.data_ptr<int64_t>();
  const bool plain = dense(rows.after);
  LongKernel unlock(out.numel());
  by_size(x.element_size(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = reinterpret_cast<const T*>(x->data);
    T* to = reinterpret_cast<T*>(out->data);
    parallel_for(rows.before.count * n, grain_for(length), [&](int64_t begin, int64_t end) {
      T* o = to + begin * length;
      for (int64_t b = begin / n; b * n < end; b++) {
        rows.before(b, b + 1, [&](const int64_t (&at)[1]) {
          const T* base = from + at[0];
          const int64_t i1 = std::min(n, end - b * n);
          for (int64_t i = std::max<int64_t>(0, begin - b * n); i < i1; i++) {
            const T* p = base + offset[i];
            if (length == 1) *o = *p;
            else if (plain) std::memcpy(o, p, size_t(length) * sizeof(T));
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

// f(b, i) for all rows; rows at the same place in order of i. Pieces go by `before`, or by place when that is one.
template <class F> static void each_row(const Rows& rows, F&& f) {
  const int64_t n = rows.offsets.numel(), length = rows.after.count, work = rows.before.count * n * length;
  if (work <= kLongKernel || num_threads() == 1 || (rows.before.count < 8 && length < 8)) {
    for (int64_t b = 0; b < rows.before.count; b++) for (int64_t i = 0; i < n; i++) f(b, i);
    return;
  }
  if (rows.before.count >= 8) {
    parallel_for(rows.before.count, grain_for(n * length), [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; b++) for (int64_t i = 0; i < n; i++) f(b, i);
    });
    return;
  }
  const int64_t* offset = rows.offsets.data_ptr<int64_t>();
  std::vector<std::pair<int64_t, int64_t>> order(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; i++) order[size_t(i)] = {offset[i], i};
  std::sort(order.begin(), order.end());
  for (int64_t b = 0; b < rows.before.count; b++) {
    parallel_for(n, grain_for(length), [&](int64_t begin, int64_t end) {  // a group belongs to the piece it starts in
      int64_t k = begin;
      while (k > 0 && k < end && order[size_t(k)].first == order[size_t(k) - 1].first) k++;
      for (; k < n && (k < end || order[size_t(k)].first == order[size_t(k) - 1].first); k++) f(b, order[size_t(k)].second);
    });
  }
}

void put_rows(const Tensor& x, const Rows& rows, const Tensor& values, Put what, Scalar alpha) {
  const bool one = values.numel() == 1;
  const int64_t n = rows.offsets.numel(), length = rows.after.count;
  if (rows.before.count * n * length == 0) return;
  const Tensor dense_values = one ? values : contiguous(values);
  const int64_t* offset = rows.offsets.data_ptr<int64_t>();
  const Tensor starts = empty({rows.before.count}, Dtype::Int64);
  int64_t *bases = starts.data_ptr<int64_t>(), *next = bases;
  rows.before(0, rows.before.count, [&](const int64_t (&at)[1]) { *next++ = at[0]; });
  LongKernel unlock(rows.before.count * n * length);
  const bool plain = dense(rows.after);
  const auto run = [&](auto zero, auto write) {
    using T = decltype(zero);
    T* to = reinterpret_cast<T*>(x->data);
    const T* from = reinterpret_cast<const T*>(dense_values->data);
    const int64_t step = one ? 0 : 1;
    each_row(rows, [&](int64_t b, int64_t i) {
      T* o = to + bases[b] + offset[i];
      const T* p = one ? from : from + (b * n + i) * length;
      if (plain && !one) for (int64_t k = 0; k < length; k++) write(o[k], p[k]);
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
    else run(zero, [factor](T& o, T v) { o = T(W(o) + W(factor * W(v))); });
  });
}

// ---- masks

Tensor nonzero_columns(const Tensor& mask_in) {
  NoGrad guard;
  const Tensor mask = contiguous(mask_in.dtype() > Dtype::Float64 ? to(mask_in, Dtype::Bool) : mask_in);
  const int64_t n = mask.numel(), dims = mask.dim();
  return typed(mask.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* p = reinterpret_cast<const T*>(mask->data);
    const auto is_set = [](const T& v) { return Wide<T>(v) != Wide<T>(0); };
    // Pieces of a fixed size: count, then write where the counts before end.
    constexpr int64_t piece = 1 << 15;
    std::vector<int64_t> start(size_t((n + piece - 1) / piece) + 1);
    parallel_for(n, piece, [&](int64_t begin, int64_t end) {
      int64_t count = 0;
      for (int64_t i = begin; i < end; i++) count += is_set(p[i]);
      start[size_t(begin / piece) + 1] = count;
    });
    for (size_t k = 1; k < start.size(); k++) start[k] += start[k - 1];
    const int64_t found = start.back();
    Tensor out = empty({dims, found}, Dtype::Int64);
    int64_t* o = out.data_ptr<int64_t>();
    parallel_for(n, piece, [&](int64_t begin, int64_t end) {
      int64_t k = start[size_t(begin / piece)];
      for (int64_t i = begin; i < end; i++) {
        if (!is_set(p[i])) continue;
        int64_t rest = i;
        for (int64_t d = dims; d-- > 0; rest /= mask->sizes[d]) o[d * found + k] = d ? rest % mask->sizes[d] : rest;
        k++;
      }
    });
    return out;
  });
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
