// Plan: sort and fuse dims. Runs: hand out dense runs, through buffers where needed.
#include "src/ops/runs.h"

#include "src/ops/plain.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace tapegrad {

Plan::Plan(IntList size, const Operand* operands, int count, int packet) : args(count), dims(int(size.size())),
    lanes(packet), numel(1) {
  for (int d = 0; d < dims; d++) shape[d] = size[dims - 1 - d], numel *= shape[d];
  for (int k = 0; k < args; k++) {
    const TensorImpl& t = *operands[k].t;
    const Compute c = operands[k].compute;
    Arg& a = arg[k];
    a.base = c == Compute::None ? t.data : t.host();
    const int64_t item = a.item = int(item_size(t.dtype));
    if (c == Compute::None) {
      a.size = int(item), a.plain = true, a.load = nullptr, a.store = nullptr;
    } else {
      a.size = kComputeSize[int(c)];
      a.plain = stored_as(t.dtype, c);
      a.load = load_for(t.dtype, c);
      a.store = store_for(c, t.dtype);
    }
    for (int d = 0; d < dims; d++) {
      const int i = t.ndim - 1 - d;
      a.stride[d] = i < 0 || t.sizes[i] == 1 ? 0 : t.strides[i] * item;
    }
  }
  // Innermost is where the output is dense, ties go to the inputs; dims of one element vanish.
  int m = 0;
  for (int d = 0; d < dims; d++) {
    if (shape[d] == 1) continue;
    shape[m] = shape[d];
    for (int k = 0; k < args; k++) arg[k].stride[m] = arg[k].stride[d];
    m++;
  }
  dims = m;
  auto before = [&](int i, int j) {
    for (int k = 0; k < args; k++) {
      const int64_t x = std::abs(arg[k].stride[i]), y = std::abs(arg[k].stride[j]);
      if (x && y && x != y) return x < y;
    }
    return false;
  };
  for (int i = 1; i < dims; i++)
    for (int j = i; j > 0 && before(j, j - 1); j--) {
      std::swap(shape[j], shape[j - 1]);
      for (int k = 0; k < args; k++) std::swap(arg[k].stride[j], arg[k].stride[j - 1]);
    }
  m = 0;
  for (int d = 0; d < dims; d++) {  // fuse what every operand can fuse
    bool fuse = m > 0;
    for (int k = 0; k < args && fuse; k++) fuse = arg[k].stride[d] == arg[k].stride[m - 1] * shape[m - 1];
    if (fuse) {
      shape[m - 1] *= shape[d];
      continue;
    }
    shape[m] = shape[d];
    for (int k = 0; k < args; k++) arg[k].stride[m] = arg[k].stride[d];
    m++;
  }
  if (!m) {
    shape[0] = 1, m = 1;
    for (int k = 0; k < args; k++) arg[k].stride[0] = 0;
  }
  dims = m;
}

bool Plan::crosses() const {
  if (dims != 2 || shape[0] < 32 || shape[1] < 8 || !arg[0].plain || arg[0].stride[0] != arg[0].size) return false;
  bool any = false;
  for (int k = 0; k < args; k++) {
    if (arg[k].size > 8) return false;
    any |= k && arg[k].crosses();
  }
  return any;
}

Plan::Cut Plan::cut(int64_t grain) const {
  int dim = dims - 1;  // the outermost is best, unless it is too short to share
  for (int d = dims - 1; d >= 0 && shape[dim] < 8; d--)
    if (shape[d] > shape[dim]) dim = d;
  const int64_t piece = std::max<int64_t>(1, grain / std::max<int64_t>(1, numel / std::max<int64_t>(1, shape[dim])));
  return {dim, even_piece(shape[dim], piece, dim == 0 ? 1024 : 1)};
}

Runs::Runs(const Plan& plan, int dim, int64_t begin, int64_t end, Streamed* past) : plan_(plan), past_(past) {
  for (int d = 0; d < plan.dims; d++) shape_[d] = plan.shape[d], index_[d] = 0;
  shape_[dim] = end - begin;
  for (int k = 0; k < plan.args; k++) {
    const Plan::Arg& a = plan.arg[k];
    State& s = state_[k];
    s.row = a.base + begin * a.stride[dim];
    s.dense = a.plain && a.stride[0] == a.size;
    s.splat = k > 0 && a.stride[0] == 0;
    s.filled = nullptr;
    all_dense_ &= s.dense;
    widest_ = std::max(widest_, a.size);
  }
  if (plan.numel == 0) {
    shape_[0] = 0;
    return;
  }
  if (plan.dims > 1 && shape_[1] > 1) {  // short rows: several at a time, so that the run is long
    const int64_t rows = kGroup / widest_ / shape_[0] / plan.lanes * plan.lanes;
    if (rows > 0) group_ = rows;
  }
}

/// Moves to the next index of the dims from `first` on; false after the last.
bool Runs::next_row(int first) {
  for (int d = first; d < plan_.dims; d++) {
    for (int k = 0; k < plan_.args; k++) state_[k].row += plan_.arg[k].stride[d];
    if (++index_[d] < shape_[d]) return true;
    for (int k = 0; k < plan_.args; k++) state_[k].row -= plan_.arg[k].stride[d] * shape_[d];
    index_[d] = 0;
  }
  return false;
}

// A group is some whole rows of the plane of dims 0 and 1. Operands that are dense over the plane are used in place; one that
// repeats on every row (a bias) is expanded once and kept; the others are gathered row by row, or along the direction in
// which they are dense.
bool Runs::next_group() {
  const int64_t len = shape_[0], plane = len * shape_[1];
  if (pending_) {
    const Plan::Arg& out = plan_.arg[0];
    const char* from = buffer_[0];
    int64_t left = pending_;
    for (int64_t r = (pos_ - pending_) / len; left > 0; r++, left -= len, from += len * out.size)
      out.store(from, state_[0].row + r * out.stride[1], out.stride[0], std::min(left, len));
    pending_ = 0;
  }
  if (pos_ == plane) {
    if (!next_row(2)) return false;
    pos_ = 0;
  }
  const int64_t r0 = pos_ / len, rows = std::min(group_, shape_[1] - r0), m = rows * len, lanes = plan_.lanes;
  n = (m + lanes - 1) / lanes * lanes;
  for (int k = 0; k < plan_.args; k++) {
    const Plan::Arg& a = plan_.arg[k];
    const char* s = state_[k].row + r0 * a.stride[1];
    if (state_[k].dense && a.stride[1] == a.size * len && m == n) {
      p[k] = const_cast<char*>(s);
      continue;
    }
    p[k] = buffer_[k];
    if (k == 0) {
      pending_ = m;
      continue;
    }
    if (a.stride[1] == 0 && state_[k].filled == s) continue;  // expanded already, for at least as many rows
    state_[k].filled = s;
    if (a.stride[1] == a.size && a.stride[0] != a.size && a.size == 4 && a.plain) {
      for (int64_t c = 0; c < len; c++) {
        const uint32_t* x = reinterpret_cast<const uint32_t*>(s + c * a.stride[0]);
        uint32_t* y = reinterpret_cast<uint32_t*>(buffer_[k]) + c;
        for (int64_t r = 0; r < rows; r++) y[r * len] = x[r];
      }
    } else if (a.stride[1] == 0) {
      a.load(s, a.stride[0], len, buffer_[k]);
      for (int64_t have = len; have < m; have *= 2)
        std::memcpy(buffer_[k] + have * a.size, buffer_[k], size_t(std::min(have, m - have) * a.size));
    } else {
      for (int64_t r = 0; r < rows; r++) a.load(s + r * a.stride[1], a.stride[0], len, buffer_[k] + r * len * a.size);
    }
    for (int64_t i = m; i < n; i++) std::memcpy(buffer_[k] + i * a.size, buffer_[k] + (m - 1) * a.size, size_t(a.size));
  }
  pos_ += m;
  return true;
}

/// Takes what the kernel left in the output's buffer to its place.
void Runs::flush() {
  const Plan::Arg& out = plan_.arg[0];
  char *to = state_[0].row + (pos_ - pending_) * out.stride[0], *from = buffer_[0];
  if (!plan_.past) {
    out.store(from, to, out.stride[0], pending_);
  } else {
    char* stored = out.plain ? from : from + kGroup / 2;
    if (!out.plain) out.store(from, stored, out.stride[0], pending_);
    past_->copy(to, stored, pending_ * out.stride[0]);
  }
  pending_ = 0;
}

bool Runs::next() {
  if (group_) return next_group();
  if (pending_) flush();
  if (pos_ == shape_[0]) {
    if (!shape_[0] || !next_row(1)) return false;
    pos_ = 0;
  }
  const int64_t lanes = plan_.lanes;
  int64_t m = shape_[0] - pos_;
  if (all_dense_ && m >= lanes) {
    m -= m % lanes;
    for (int k = 0; k < plan_.args; k++) p[k] = state_[k].row + pos_ * plan_.arg[k].size;
    n = m, pos_ += m;
    return true;
  }
  m = std::min<int64_t>(m, kBlock / widest_);
  if (m >= lanes) m -= m % lanes;
  n = (m + lanes - 1) / lanes * lanes;
  for (int k = 0; k < plan_.args; k++) {
    const Plan::Arg& a = plan_.arg[k];
    State& st = state_[k];
    if (k == 0 && (!st.dense || m < n)) {
      p[0] = buffer_[0], pending_ = m;
    } else if (st.dense && m == n) {
      p[k] = st.row + pos_ * a.size;
    } else {
      p[k] = buffer_[k];
      if (st.splat) {
        if (st.filled == st.row) continue;
        a.load(st.row, 0, std::min<int64_t>(kBlock / widest_, (shape_[0] + lanes - 1) / lanes * lanes), buffer_[k]);
        st.filled = st.row;
        continue;
      }
      const char* s = st.row + pos_ * a.stride[0];
      a.load(s, a.stride[0], m, buffer_[k]);
      if (m < n) a.load(s + (m - 1) * a.stride[0], 0, n - m, buffer_[k] + m * a.size);
    }
  }
  pos_ += m;
  return true;
}

}  // namespace tapegrad
