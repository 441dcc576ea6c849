// pad: constant borders (negative ones crop), or borders made of the input's own elements.
#include <algorithm>

#include "src/ops/op_info.h"
#include "src/ops/view.h"

namespace tapegrad {
namespace {

struct ConstantPadBackward final : NodeOf<1> {
  Shape amounts;
  ConstantPadBackward(const Tensor& x, IntList p) : NodeOf(x), amounts(p) {
    for (int64_t& a : amounts) a = -a;
  }
  const char* name() const override { return "ConstantPadNdBackward0"; }
  void backward(Tensor g, Tensor* dx) override { dx[0] = pad(g, amounts); }
};
Tensor constant_pad(const Tensor& x, IntList amounts, Scalar value) {
  const size_t dims = amounts.size() / 2;
  TG_CHECK(int64_t(dims) <= x.dim(), ShapeError, "pad must have at most two numbers for each of the ", x.dim(), " dimensions, got ", amounts, Named{"input", x});
  Shape size(x.sizes());
  for (size_t k = 0; k < dims; k++) {
    int64_t& s = size[size.size() - 1 - k];
    int64_t both;
    TG_CHECK(!__builtin_add_overflow(amounts[2 * k], amounts[2 * k + 1], &both) && !__builtin_add_overflow(s, both, &s), OutOfMemoryError,
             "too many elements, got pad ", amounts, Named{"input", x});
    TG_CHECK(s >= 0, ShapeError, "pad crops more than dimension ", x.dim() - 1 - int64_t(k), " has, got ", amounts, Named{"input", x});
  }
  Tensor out;
  {
    NoGrad guard;
    TG_CHECK(value.to_complex().im == 0 || x.is_complex() || x.dtype() == Dtype::Bool, ValueError, "value must fit ", x.dtype(), ", got ", value, Named{"input", x});
    const Scalar fill = x.is_complex() ? value : is_differentiable(x.dtype()) ? Scalar(value.to_double()) : x.dtype() == Dtype::Bool ? Scalar(value.to_bool()) : Scalar(value.to_int());
    out = value.to_bool() ? full(size, fill, x.dtype(), x.device()) : zeros(size, x.dtype(), x.device());
    Tensor from = detach(x), to = out;  // narrowed to what both have
    for (size_t k = 0; k < dims; k++) {
      const int64_t d = x.dim() - 1 - int64_t(k), left = amounts[2 * k], right = amounts[2 * k + 1];
      const int64_t crop = std::min(std::max<int64_t>(-left, 0), x->sizes[d]);
      const int64_t n = std::max<int64_t>(0, x->sizes[d] - crop + std::min<int64_t>(right, 0));
      from = narrow(from, d, crop, n);
      to = narrow(to, d, std::min(std::max<int64_t>(left, 0), size[size_t(d)]), std::min(n, size[size_t(d)]));
    }
    if (from.numel()) copy_(to, from);
  }
  if (recording(x)) record<ConstantPadBackward>(out, x, amounts);
  return out;
}

enum class Border { Reflect, Replicate, Circular };
// Which index of n stands at each place of the padded dimension.
Tensor border_index(int64_t n, int64_t left, int64_t right, Border border) {
  int64_t size;
  TG_CHECK(!__builtin_add_overflow(left, right, &size) && !__builtin_add_overflow(size, n, &size), OutOfMemoryError,
           "too many elements, got pad ", left, " and ", right);
  Tensor index = empty({size}, Dtype::Int64);
  int64_t* p = index->host<int64_t>();
  for (int64_t k = -left; k < n + right; k++) {
    int64_t i = k;
    if (border == Border::Replicate) i = std::clamp<int64_t>(k, 0, n - 1);
    else if (border == Border::Circular) i = (k + n) % n;
    else if (k < 0) i = -k;
    else if (k >= n) i = 2 * (n - 1) - k;
    *p++ = i;
  }
  return index;
}
Tensor border_pad(const Tensor& x, IntList amounts, Border border) {
  const int64_t dims = int64_t(amounts.size() / 2);
  TG_CHECK(dims >= 1 && dims <= 3 && (x.dim() == dims + 1 || x.dim() == dims + 2), ShapeError,
           "modes other than 'constant' pad the last 1 to 3 dimensions of an input with 1 or 2 more, got ", amounts, Named{"input", x});
  Tensor out = x;
  for (int64_t k = 0; k < dims; k++) {
    const int64_t d = x.dim() - 1 - k, n = x->sizes[d], left = amounts[size_t(2 * k)], right = amounts[size_t(2 * k + 1)];
    const int64_t most = border == Border::Reflect ? n - 1 : border == Border::Circular ? n : INT64_MAX;
    TG_CHECK(n > 0 || x.numel() == 0, ShapeError, "padded dimensions must not be empty", Named{"input", x});
    TG_CHECK(left <= most && right <= most && left + right + n > 0, ShapeError, "padding of dimension ", d, " must be ", most, " or less, got ", amounts, Named{"input", x});
    if (left == 0 && right == 0) continue;
    if (border == Border::Replicate) {  // a crop that leaves nothing still has the border to repeat
      out = index_select(out, d, to(border_index(n, left, right, border), x.device()));
      continue;
    }
    const int64_t crop_left = std::max<int64_t>(-left, 0), crop_right = std::max<int64_t>(-right, 0);
    if (crop_left + crop_right) out = narrow(out, d, crop_left, n - crop_left - crop_right);
    const int64_t l = std::max<int64_t>(left, 0), r = std::max<int64_t>(right, 0);
    if (l + r) out = index_select(out, d, to(border_index(n - crop_left - crop_right, l, r, border), x.device()));
  }
  return out.is_same(x) ? clone(x) : out;
}

}  // namespace

Tensor pad(const Tensor& x, IntList pad, std::string_view mode, std::optional<double> value) {
  OpScope op("pad");
  TG_CHECK(pad.size() % 2 == 0, ValueError, "pad must have two numbers for each padded dimension, got ", pad);
  if (mode == "constant") return constant_pad(x, pad, value.value_or(0));
  TG_CHECK(!value || *value == 0, ValueError, "value is used by mode 'constant' only, got mode '", mode, "'");
  if (mode == "reflect") return border_pad(x, pad, Border::Reflect);
  if (mode == "replicate") return border_pad(x, pad, Border::Replicate);
  TG_CHECK(mode == "circular", ValueError, "mode must be 'constant', 'reflect', 'replicate' or 'circular', got '", mode, "'");
  return border_pad(x, pad, Border::Circular);
}

static Tensor constant_pad_nd(const Tensor& x, IntList pad, Scalar value) {
  OpScope op("constant_pad_nd");
  TG_CHECK(pad.size() % 2 == 0, ValueError, "pad must have two numbers for each padded dimension, got ", pad);
  return constant_pad(x, pad, value);
}

void pad_ops(OpTable& t) {
  t.add("pad(Tensor input, int[] pad, str mode=\"constant\", float? value=None)", &pad,
        "Borders round the last dimensions: pad is [left, right, top, bottom, …] from the last one; negative numbers crop. mode: \"constant\" (value), \"reflect\", \"replicate\", \"circular\".")
      .functional_only().samples({"T(2, 3), [1, 2]", "T(2, 3), [1, -1, 0, 2], value=1.5", "T(2, 3, 5), [2, 1], 'reflect'", "T(2, 3, 4, 5), [1, 2, 2, 0], 'replicate'", "T(1, 3, 4), [3, 2], 'circular'", "T(0, 3), [1, 1]"});
  t.add("constant_pad_nd(Tensor input, int[] pad, Scalar value=0)", &constant_pad_nd,
        "pad with a constant.").complex().samples({"T(2, 3), [1, 2], 2.0", "Z(2, 3), [1, -1], 2 + 1j"});
}

}  // namespace tapegrad
