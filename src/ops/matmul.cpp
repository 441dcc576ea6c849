// Matrix products: matmul and its relatives. All end in `multiply`, which reads any strides and takes transposed operands as
// they are. Gradients are products again, so each op here can be differentiated any number of times.
#include "src/ops/matmul.h"

#include <algorithm>

#include "src/autograd/node.h"
#include "src/ops/complex.h"
#include "src/ops/cuda/matmul.h"
#include "src/ops/elementwise.h"
#include "src/ops/gemm.h"
#include "src/ops/op_info.h"
#include "src/tensor/align.h"

namespace tapegrad {
namespace {

// A matrix (or a batch of them) as the kernels want it: one of its two strides is 1. CUDA's are stricter: make_readable.
struct Matrices {
  Tensor keep;  // owns the memory when it had to be copied
  const char* data;
  int64_t rows, cols, row, col;

  Matrices(const Tensor& x, bool transposed) {
    read(x, transposed);
    if (x.is_cuda()) [[unlikely]] {
      if (!make_readable(rows, cols, row, col)) copy(x, transposed), make_readable(rows, cols, row, col);
      return;
    }
    if (row == 1 || col == 1) return;
    if (cols == 1) col = 1;
    else if (rows == 1) row = 1;
    else copy(x, transposed);
  }
  void read(const Tensor& x, bool transposed) {
    const int r = x->ndim - 2 + transposed, c = x->ndim - 1 - transposed;
    data = x->data, rows = x->sizes[r], cols = x->sizes[c], row = x->strides[r], col = x->strides[c];
  }
  void copy(const Tensor& x, bool transposed) {
    NoGrad off;
    keep = empty(x.sizes(), x.dtype(), x.device());
    copy_(keep, x);
    read(keep, transposed);
  }
  const Tensor& source(const Tensor& x) const { return keep.defined() ? keep : x; }
};

// The one stride between all rows of x when its leading dimensions can be taken as one tall matrix, else -1.
int64_t folded_row(const Tensor& x) {
  if (x->strides[x->ndim - 1] != 1 && x->sizes[x->ndim - 1] != 1) return -1;
  int64_t row = -1, next = 0;
  for (int d = x->ndim - 1; d-- > 0;) {
    if (x->sizes[d] == 1) continue;
    if (row < 0) row = x->strides[d];
    else if (x->strides[d] != next) return -1;
    next = x->strides[d] * x->sizes[d];
  }
  return row < 0 ? 1 : row;
}

Shape broadcast_leading(const Tensor& a, const Tensor& b) {
  const int na = a->ndim - 2, nb = b->ndim - 2, n = std::max(na, nb);
  Shape s(size_t(n), 1);
  for (int d = 0; d < n; d++) {
    const int64_t x = d < n - na ? 1 : a->sizes[d - (n - na)], y = d < n - nb ? 1 : b->sizes[d - (n - nb)];
    TG_CHECK(x == y || x == 1 || y == 1, ShapeError, "leading dimensions of input and other do not broadcast, got ", IntList(a->sizes, size_t(na)),
             " and ", IntList(b->sizes, size_t(nb)), Named{"input", a}, Named{"other", b},
             aligned({{"input", a.sizes(), n - na}, {"other", b.sizes(), n - nb}}, {d}));
    s[d] = x == 1 ? y : x;
  }
  return s;
}
Shape leading_strides(const Tensor& x, const Shape& size) {
  const int lead = x->ndim - 2, skip = int(size.size()) - lead;
  Shape s(size.size(), 0);
  for (int d = 0; d < lead; d++) s[skip + d] = x->sizes[d] == 1 ? 0 : x->strides[d];
  return s;
}

// A complex product as one real product of twice the sizes: a row of a is the 2k numbers (re, im, …) as it lies in memory, and
// b's row j becomes two, b[j] and i b[j], so that re b[j] + im (i b[j]) = a[j] b[j].
struct OnTheWay;
Tensor multiply(const Tensor& a, bool ta, const Tensor& b, bool tb, const Tensor& bias = {}, const OnTheWay* more = nullptr);
Tensor float_rows(const Tensor& x) {  // row-major (…, r, c) as (…, r, 2c)
  Tensor f = as_floats(x);
  Shape size(x.sizes());
  size.back() *= 2;
  return view(f, size);
}
Tensor complex_multiply(const Tensor& a, bool ta, const Tensor& b, bool tb, const Tensor& bias) {
  NoGrad off;
  const Tensor x = contiguous(detach(ta ? transpose(a, -2, -1) : a)), y = detach(tb ? transpose(b, -2, -1) : b);
  const Tensor pairs = stack({y, mul(y, Tensor(Complex<double>(0, 1)))}, -2);  // (…, k, 2, n)
  const Tensor floats = multiply(float_rows(x), false, float_rows(flatten(pairs, -3, -2)), false,
      bias.defined() ? flatten(as_floats(contiguous(detach(bias)))) : bias);
  Shape size(floats.sizes());
  size.back() /= 2, size.push_back(2);
  return detach(view_as_complex(view(floats, size)));
}

bool bfloat_sizes(const Tensor& a, bool ta, const Tensor& b, bool tb) {
  const int64_t m = b->ndim == 2 && !ta ? a.numel() / std::max<int64_t>(1, a.size(-1)) : a.size(ta ? -1 : -2);
  return has_bfloat_products(m, b.size(tb ? -2 : -1), a.size(ta ? -2 : -1));
}
[[gnu::cold, gnu::noinline]] void devices_differ(const Tensor& a, const Tensor& b, const Tensor& bias) {
  if (bias.defined() && a.device() == b.device())
    TG_CHECK(false, DeviceError, "bias must be on the device of its product, got ", bias.device(), " and ", a.device(), Named{"bias", bias},
             Named{"input", a});
  TG_CHECK(false, DeviceError, "both factors must be on one device, got ", a.device(), " and ", b.device(), Named{"input", a}, Named{"other", b});
}
// On CUDA: what is left of a product when there is nothing to multiply, or its start when the library cannot add the bias.
void start_with(const Tensor& out, const Tensor& bias) {
  NoGrad off;
  bias.defined() ? copy_(out, expand(bias, out.sizes())) : zero_(out);
}
// x with its leading dimensions broadcast to `size` and copied there, so that one stride leads through them.
Tensor spread(const Tensor& x, Shape size) {
  NoGrad off;
  size.push_back(x.size(-2)), size.push_back(x.size(-1));
  return x.sizes() == size && x->contiguous ? x : contiguous(expand(detach(x), size));
}
// What a product on CUDA makes in the same launch, where the library can.
struct OnTheWay {
  Tensor* row_sums = nullptr;  // gets the sums of a's rows, or nothing
  bool* gelu = nullptr;        // set to whether the result is gelu (by tanh) of the product
  Tensor* before_gelu = nullptr;  // gets the product itself, if one that made gelu was asked for it
};
void cuda_gemm_with(BatchedGemm& g, const OnTheWay& more) {
  if (more.row_sums) *more.row_sums = empty({g.m}, g.dtype, g.device), g.row_sums = (*more.row_sums)->data;
  if (more.before_gelu) *more.before_gelu = empty({g.m, g.n}, g.dtype, g.device), g.before_gelu = (*more.before_gelu)->data;
  g.gelu = more.gelu != nullptr;
  const bool done = cuda_gemm(g);
  if (more.gelu) *more.gelu = done;
  if (done) return;
  if (more.row_sums) *more.row_sums = {};
  g.row_sums = g.before_gelu = nullptr, g.gelu = false;
  cuda_gemm(g);
}
// The product's numbers. `bias` (n of them, dense, same dtype) starts each row. `more`: on CUDA, of floats.
Tensor multiply(const Tensor& a, bool ta, const Tensor& b, bool tb, const Tensor& bias, const OnTheWay* more) {
  const Device device = a.device();
  if (b.device() != device || (bias.defined() && bias.device() != device)) [[unlikely]] devices_differ(a, b, bias);
  const bool cuda = device.type == DeviceType::CUDA;
  if (is_complex(a.dtype()) && !cuda) [[unlikely]] return complex_multiply(a, ta, b, tb, bias);
  const bool narrow = item_size(a.dtype()) == 2 && is_floating(a.dtype()) && !cuda;
  if (narrow && bias.defined()) {
    NoGrad off;
    if (bias.dtype() != float32) return multiply(a, ta, b, tb, to(bias, float32));
  }
  if (narrow && !(a.dtype() == bfloat16 && bfloat_sizes(a, ta, b, tb))) {  // in float
    NoGrad off;
    return to(multiply(to(a, float32), ta, to(b, float32), tb, bias), a.dtype());
  }
  const Matrices x(a, ta), y(b, tb);
  BatchedGemm g{a.dtype(), x.rows, y.cols, x.cols, x.data, x.row, x.col, y.data, y.row, y.col, nullptr, bias.defined()
      ? bias->data : nullptr, 1, {}, {}, {}};
  Shape size, a_stride, b_stride;
  const Tensor& left = x.source(a);
  if (const int64_t row = a->ndim > 2 && b->ndim == 2 && !ta ? folded_row(left) : -1; row >= 0) {
    size = IntList(a->sizes, size_t(a->ndim - 2));
    for (int64_t s : size) g.m *= s;
    g.a_row = row, g.a_col = 1;
  } else if (a->ndim > 2 || b->ndim > 2) {
    size = broadcast_leading(a, b);
    a_stride = leading_strides(left, size), b_stride = leading_strides(y.source(b), size);
    for (int64_t s : size) g.count *= s;
    g.size = size, g.a_stride = a_stride, g.b_stride = b_stride;
  }
  if (cuda) [[unlikely]] {
    g.device = device;
    if (g.count > 1 && cuda_launches(g) > 32) return multiply(spread(a, size), ta, spread(b, size), tb, bias, more);
  }
  size.push_back(x.rows);
  size.push_back(y.cols);
  Tensor out = empty(size, narrow ? float32 : a.dtype(), device);
  g.c = out->data;
  if (cuda && (g.k == 0 || (bias.defined() && is_complex(a.dtype())))) [[unlikely]]
    start_with(out, bias), g.bias = nullptr, g.add = true;
  if (out.numel() && (g.k || !cuda)) {
    LongKernel release(int64_t(double(g.count) * g.m * g.n * g.k / 4));
    more ? cuda_gemm_with(g, *more) : gemm(g);
  }
  if (!narrow) return out;
  NoGrad off;
  return to(out, a.dtype());
}

template <class T> void add_product(const Tensor& to, const Matrices& x, const Matrices& y) {
  const auto at = [](const char* p) { return reinterpret_cast<const T*>(p); };
  gemm(Gemm<T>{x.rows, y.cols, x.cols, at(x.data), x.row, x.col, at(y.data), y.row, y.col, to->host<T>(), y.cols, nullptr, true});
}

// The gradient with respect to an operand whose leading dimensions were broadcast.
Tensor unbroadcast(const Tensor& g, IntList size) { return size.empty() || g.sizes() == size ? g : sum_to_size(g, size); }

struct ProductBackward final : NodeOf<2> {
  SavedTensor a, b;
  bool ta, tb, folded;           // folded: b has 2 dimensions, a more
  uint8_t dims;
  Shape a_size, b_size;          // empty when no dimension was broadcast
  ProductBackward(const Tensor& x, bool tx, const Tensor& y, bool ty, bool broadcast)
      : NodeOf(x, y), ta(tx), tb(ty), folded(!tx && y.dim() == 2 && x.dim() > 2), dims(uint8_t(std::max(x.dim(), y.dim()))) {
    if (needs(1)) a = SavedTensor(x);
    if (needs(0)) b = SavedTensor(y);
    if (broadcast) a_size = x.sizes(), b_size = y.sizes();
  }
  const char* name() const override { return dims == 2 ? "MmBackward0" : dims == 3 && !folded ? "BmmBackward0" : "MatmulBackward0"; }
  void backward(Tensor g, Tensor* dx) override {
    if (needs(0)) {
      const Tensor y = conj(b.unpack(*this));
      dx[0] = unbroadcast(ta ? gradient_product(*this, 0, y, tb, g, true) : gradient_product(*this, 0, g, false, y, !tb), a_size);
    }
    if (needs(1)) {
      const Tensor x = conj(a.unpack(*this));
      if (folded) dx[1] = tb ? gradient_product(*this, 1, fold(g), true, fold(x), false) : gradient_product(*this, 1, fold(x), true, fold(g), false);
      else dx[1] = unbroadcast(tb ? gradient_product(*this, 1, g, true, x, ta) : gradient_product(*this, 1, x, !ta, g, false), b_size);
    }
  }
  void free_saved() override { a.reset(), b.reset(); }
};

void check_dim(const Tensor& x, const char* name, int64_t dims) {
  TG_CHECK(x.dim() == dims, ShapeError, name, " must have ", dims, " dimension", dims == 1 ? "" : "s", ", got ", x.dim(), Named{name, x});
}
// What the users of an op call its factors.
struct Names {
  const char *a, *b;
};
constexpr Names kOther{"input", "other"}, kMat2{"input", "mat2"}, kMats{"mat1", "mat2"}, kBatches{"batch1", "batch2"}, kVec{"input", "vec"}, kMatVec{"mat", "vec"};

[[gnu::cold, gnu::noinline]] void do_not_fit(const Tensor& a, const Tensor& b, Names name) {
  const int64_t k = a.size(-1), other = b.dim() == 1 ? b.size(0) : b.size(-2);
  const std::string second = (b.dim() == 1 ? "the size of " : "second-to-last of ") + std::string(name.b);
  const std::vector<ShapeRow> rows{{name.a, a.sizes(), std::max(0, int(b.dim() == 1 ? 1 : b.dim() - 1) - int(a.dim()))},
                                   {name.b, b.sizes(), std::max(0, int(a.dim()) - int(b.dim() == 1 ? 1 : b.dim() - 1))}};
  std::string hint;
  auto transposed = [](const Tensor& x) {
    Shape s = x.sizes();
    std::swap(s[s.size() - 1], s[s.size() - 2]);
    return (x.dim() == 2 ? ".T has shape " : ".mT has shape ") + to_string(s);
  };
  if (b.dim() >= 2 && b.size(-1) == k) hint = std::string("\n  hint: ") + name.b + transposed(b) + " and would fit";
  else if (a.dim() >= 2 && a.size(-2) == other) hint = std::string("\n  hint: ") + name.a + transposed(a) + " and would fit";
  TG_CHECK(k == other, ShapeError, "last dimension of ", name.a, " must equal ", second, ", got ", k, " and ", other, Named{name.a, a}, Named{name.b, b},
           aligned(rows, {rows[0].column + int(a.dim()) - 1}), hint);
}
inline void check_fit(const Tensor& a, const Tensor& b, Names name) {
  if (a->sizes[a->ndim - 1] != b->sizes[b->ndim == 1 ? 0 : b->ndim - 2]) [[unlikely]] do_not_fit(a, b, name);
}
void check_dtypes(const Tensor& a, const Tensor& b, Names name) {
  TG_CHECK(a.dtype() == b.dtype(), DtypeError, name.a, " and ", name.b, " must have the same dtype, got ", a.dtype(), " and ", b.dtype(), Named{name.a, a},
           Named{name.b, b});
  TG_CHECK(a.dtype() != bool_, DtypeError, "products of bool tensors are not defined, got bool", Named{name.a, a}, Named{name.b, b});
}
void check_batches(const Tensor& a, const Tensor& b, Names name) {
  TG_CHECK(a.size(0) == b.size(0), ShapeError, name.a, " and ", name.b, " must have the same first dimension, got ", a.size(0), " and ", b.size(0),
           Named{name.a, a}, Named{name.b, b}, aligned({{name.a, a.sizes()}, {name.b, b.sizes()}}, {0}));
}

// A vector as a matrix, without history.
Tensor row(const Tensor& v) { return alias(v, {1, v.size(0)}, {v.size(0), v.stride(0)}, 0, false); }
Tensor column(const Tensor& v) { return alias(v, {v.size(0), 1}, {v.stride(0), 1}, 0, false); }

struct DotBackward final : NodeOf<2> {
  SavedTensor a, b;
  DotBackward(const Tensor& x, const Tensor& y) : NodeOf(x, y) {
    if (needs(1)) a = SavedTensor(x);
    if (needs(0)) b = SavedTensor(y);
  }
  const char* name() const override { return "DotBackward0"; }
  void backward(Tensor g, Tensor* dx) override {
    if (needs(0)) dx[0] = mul(g, conj(b.unpack(*this)));
    if (needs(1)) dx[1] = mul(g, conj(a.unpack(*this)));
  }
  void free_saved() override { a.reset(), b.reset(); }
};
Tensor dot_product(const Tensor& a, const Tensor& b) {
  Tensor r = multiply(row(a), false, column(b), false);
  Tensor out = alias(r, {}, {}, 0, false);
  if (recording(a, b)) record<DotBackward>(out, a, b);
  return out;
}

struct MvBackward final : NodeOf<2> {
  SavedTensor a, v;
  MvBackward(const Tensor& x, const Tensor& y) : NodeOf(x, y) {
    if (needs(1)) a = SavedTensor(x);
    if (needs(0)) v = SavedTensor(y);
  }
  const char* name() const override { return "MvBackward0"; }
  void backward(Tensor g, Tensor* dx) override {
    if (needs(0)) dx[0] = outer(g, conj(v.unpack(*this)));
    if (needs(1)) dx[1] = mv(transpose(conj(a.unpack(*this)), 0, 1), g);
  }
  void free_saved() override { a.reset(), v.reset(); }
};
Tensor matrix_vector(const Tensor& a, const Tensor& v) {
  Tensor r = multiply(a, false, column(v), false);
  Tensor out = alias(r, a.size(0), 1, 0, false);
  if (recording(a, v)) record<MvBackward>(out, a, v);
  return out;
}

}  // namespace

Tensor fold(const Tensor& x) {
  if (x.dim() == 2) return x;
  int64_t rows = 1;
  for (int d = 0; d + 1 < x.dim(); d++) rows *= x->sizes[d];
  return reshape(x, {rows, x.size(-1)});
}

void check_product_dtypes(const Tensor& a, const Tensor& b, const char* a_name, const char* b_name) { check_dtypes(a, b, {a_name, b_name}); }
void check_product(const Tensor& a, const Tensor& b) { check_dtypes(a, b, kOther), check_fit(a, b, kOther); }

Tensor gradient_product(const Node& n, int k, const Tensor& a, bool ta, const Tensor& b, bool tb, Tensor* row_sums) {
  const bool matrices = a.dim() == 2 && b.dim() == 2 && a.numel() > 0;
  const bool plain = matrices && (a.dtype() == float32 || a.dtype() == float64 || (a.is_cuda() && is_differentiable(a.dtype())));
  Tensor sum = plain ? lend_gradient(n, k) : Tensor();
  const OnTheWay more{row_sums && matrices && a.is_cuda() && b.numel() > 0 && is_floating(a.dtype()) && !recording(a, b) ? row_sums : nullptr};
  if (!sum.defined()) return more.row_sums ? multiply(a, ta, b, tb, {}, &more) : product(a, ta, b, tb);
  try {
    const Matrices x(a, ta), y(b, tb);
    LongKernel release(int64_t(double(x.rows) * x.cols * y.cols / 4));
    if (a.is_cuda()) {
      BatchedGemm g{a.dtype(), x.rows, y.cols, x.cols, x.data, x.row, x.col, y.data, y.row, y.col, sum->data, nullptr, 1, {}, {}, {},
                    a.device(), true};
      if (y.cols) cuda_gemm_with(g, more);
    } else {
      a.dtype() == float32 ? add_product<float>(sum, x, y) : add_product<double>(sum, x, y);
    }
  } catch (...) {  // no memory for copies or panels, or an interrupt: then some of it has been added
    give_back_gradient(n, k, std::move(sum));
    throw;
  }
  return sum;
}

Tensor product(const Tensor& a, bool ta, const Tensor& b, bool tb) {
  Tensor out = multiply(a, ta, b, tb);
  if (recording(a, b)) {
    const bool folded = !ta && b.dim() == 2 && a.dim() > 2;
    const bool broadcast = !folded && (a->ndim > 2 || b->ndim > 2) &&
                           !(IntList(a->sizes, size_t(a->ndim - 2)) == IntList(b->sizes, size_t(b->ndim - 2)));
    record<ProductBackward>(out, a, ta, b, tb, broadcast);
  }
  return out;
}

// ---- matmul
Tensor matmul(const Tensor& a, const Tensor& b) {
  OpScope op("matmul");
  check_dtypes(a, b, kOther);
  TG_CHECK(a.dim() > 0 && b.dim() > 0, ShapeError, "input and other must have at least 1 dimension, got ", a.dim(), " and ", b.dim(),
      Named{"input", a}, Named{"other", b});
  check_fit(a, b, kOther);
  if (a.dim() >= 2 && b.dim() >= 2) return product(a, false, b, false);
  if (a.dim() == 1 && b.dim() == 1) return dot_product(a, b);
  if (a.dim() == 2) return matrix_vector(a, b);
  if (a.dim() == 1) return squeeze(product(unsqueeze(a, 0), false, b, false), -2);
  return squeeze(product(a, false, unsqueeze(b, 1), false), -1);
}

Tensor mm(const Tensor& a, const Tensor& b) {
  OpScope op("mm");
  check_dim(a, "input", 2), check_dim(b, "mat2", 2), check_dtypes(a, b, kMat2), check_fit(a, b, kMat2);
  return product(a, false, b, false);
}
static void check_batched(const Tensor& a, const Tensor& b, Names name) {
  check_dim(a, name.a, 3), check_dim(b, name.b, 3), check_dtypes(a, b, name), check_fit(a, b, name), check_batches(a, b, name);
}
Tensor bmm(const Tensor& a, const Tensor& b) {
  OpScope op("bmm");
  check_batched(a, b, kMat2);
  return product(a, false, b, false);
}
Tensor mv(const Tensor& a, const Tensor& v) {
  OpScope op("mv");
  check_dim(a, "input", 2), check_dim(v, "vec", 1), check_dtypes(a, v, kVec), check_fit(a, v, kVec);
  return matrix_vector(a, v);
}
Tensor dot(const Tensor& a, const Tensor& b) {
  OpScope op("dot");
  check_dim(a, "input", 1), check_dim(b, "tensor", 1), check_dtypes(a, b, {"input", "tensor"});
  TG_CHECK(a.size(0) == b.size(0), ShapeError, "input and tensor must have the same size, got ", a.size(0), " and ", b.size(0), Named{"input", a},
           Named{"tensor", b});
  return dot_product(a, b);
}
Tensor vdot(const Tensor& a, const Tensor& b) {
  OpScope op("vdot");
  return dot(conj(a), b);
}
Tensor outer(const Tensor& a, const Tensor& b) {
  OpScope op("outer");
  check_dim(a, "input", 1), check_dim(b, "vec2", 1);
  return mul(unsqueeze(a, 1), b);
}

// ---- products that are added to something: beta · input + alpha · a b
namespace {
bool is_one(Scalar s) { return s.to_double() == 1 && !s.is_complex(); }
Scalar conjugate(Scalar s) { return s.is_complex() ? Scalar(Complex<double>(s.to_double(), -s.to_complex().im)) : s; }
// Integer tensors take integer factors: 0.5 counts as 0, as in PyTorch.
void fit(const Tensor& input, Scalar& beta, Scalar& alpha) {
  if (!is_differentiable(input.dtype())) beta = Scalar(beta.to_int()), alpha = Scalar(alpha.to_int());
}
Tensor scaled(const Tensor& x, Scalar s) { return is_one(s) ? x : mul(x, Tensor(s)); }
void check_expands(const Tensor& input, IntList size, const char* name = "input") {
  bool ok = input.dim() <= int64_t(size.size());
  for (int64_t d = 1; ok && d <= input.dim(); d++) ok = input.size(-d) == size[size.size() - size_t(d)] || input.size(-d) == 1;
  TG_CHECK(ok, ShapeError, name, " must broadcast to the product's shape ", size, ", got ", input.sizes(), Named{name, input},
           aligned_at_end({{name, input.sizes()}, {"product", size}}));
}
Tensor add_scaled(const Tensor& input, const Tensor& product, Scalar beta, Scalar alpha) {
  check_expands(input, product.sizes());
  if (!beta.to_bool()) return scaled(product, alpha);  // NaN in input does not matter then
  return add(scaled(input, beta), product, alpha);
}

struct AddmmBackward final : NodeOf<3> {
  SavedTensor a, b;
  Shape size;  // input's
  Scalar beta, alpha;
  AddmmBackward(const Tensor& in, const Tensor& x, const Tensor& y, Scalar be, Scalar al) : NodeOf(in, x, y), size(in.sizes()),
      beta(be), alpha(al) {
    if (needs(2)) a = SavedTensor(x);
    if (needs(1)) b = SavedTensor(y);
  }
  const char* name() const override { return "AddmmBackward0"; }
  void backward(Tensor g, Tensor* dx) override {
    if (needs(0)) dx[0] = scaled(unbroadcast(g, size), conjugate(beta));
    if (needs(1)) dx[1] = scaled(product(g, false, conj(b.unpack(*this)), true), conjugate(alpha));
    if (needs(2)) dx[2] = scaled(product(conj(a.unpack(*this)), true, g, false), conjugate(alpha));
  }
  void free_saved() override { a.reset(), b.reset(); }
};
}  // namespace

Tensor addmm(const Tensor& input, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) {
  OpScope op("addmm");
  check_dim(a, "mat1", 2), check_dim(b, "mat2", 2), check_dtypes(a, b, kMats), check_dtypes(input, a, {"input", "mat1"}), check_fit(a, b, kMats);
  fit(input, beta, alpha);
  const int64_t n = b.size(1);
  const bool row = input.dim() == 1 && input.size(0) == n && (n == 1 || input.stride(0) == 1) && is_one(beta) && is_one(alpha);
  if (row) {
    Tensor out = multiply(a, false, b, false, input);
    if (recording(input, a, b)) record<AddmmBackward>(out, input, a, b, beta, alpha);
    return out;
  }
  if (input.dim() == 0) return add_scaled(input, product(a, false, b, false), beta, alpha);
  Tensor out;
  {
    NoGrad off;
    out = add_scaled(input, multiply(a, false, b, false), beta, alpha);
  }
  if (recording(input, a, b)) record<AddmmBackward>(out, input, a, b, beta, alpha);
  return out;
}
Tensor gelu_of_product(const Tensor& a, const Tensor& b, const Tensor& bias) {
  const bool records = recording(bias, a, b);
  bool made = false;
  Tensor sum;
  const OnTheWay more{nullptr, &made, records ? &sum : nullptr};
  Tensor out = multiply(a, false, b, false, bias, &more);
  if (!made) sum = out;
  if (records) record<AddmmBackward>(sum, bias, a, b, 1, 1);
  if (!made) return gelu(sum, "tanh");
  const Tensor* in[] = {&sum};
  if (records) record_elementwise(out, entry<GeluTanh, 1>, nullptr, in, false);
  return out;
}
Tensor addmv(const Tensor& input, const Tensor& a, const Tensor& v, Scalar beta, Scalar alpha) {
  OpScope op("addmv");
  check_dim(a, "mat", 2), check_dim(v, "vec", 1), check_dtypes(a, v, kMatVec), check_dtypes(input, a, {"input", "mat"}), check_fit(a, v, kMatVec);
  fit(input, beta, alpha);
  return add_scaled(input, matrix_vector(a, v), beta, alpha);
}
Tensor addr(const Tensor& input, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) {
  OpScope op("addr");
  TG_CHECK(is_differentiable(input.dtype()) || (!beta.is_float() && !alpha.is_float()), DtypeError,
      "beta and alpha must be integers for integer tensors, got ", beta, " and ", alpha, Named{"input", input});
  const Tensor out = add_scaled(input, outer(a, b), beta, alpha);
  return input.dtype() == Dtype::Bool && a.dtype() == Dtype::Bool && b.dtype() == Dtype::Bool ? to(out, Dtype::Bool) : out;
}
Tensor baddbmm(const Tensor& input, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) {
  OpScope op("baddbmm");
  check_dtypes(input, a, {"input", "batch1"}), check_batched(a, b, kBatches);
  fit(input, beta, alpha);
  return add_scaled(input, product(a, false, b, false), beta, alpha);
}
Tensor addbmm(const Tensor& input, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) {
  OpScope op("addbmm");
  check_dtypes(input, a, {"input", "batch1"}), check_batched(a, b, kBatches);
  fit(input, beta, alpha);
  // the sum over the batch is one product with the batch folded into the inner dimension
  const Tensor left = reshape(transpose(a, 0, 1), {a.size(1), a.size(0) * a.size(2)}), right =
      reshape(b, {b.size(0) * b.size(1), b.size(2)});
  return add_scaled(input, product(left, false, right, false), beta, alpha);
}
static const Tensor& store(const Tensor& self, const Tensor& result) {
  TG_CHECK(self.sizes() == result.sizes(), ShapeError, "input must have the result's shape ", result.sizes(),
      " to be written in place, got ", self.sizes(), Named{"input", self});
  return copy_(self, result);
}
const Tensor& addmm_(const Tensor& self, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) {
  OpScope op("addmm_");
  return store(self, addmm(self, a, b, beta, alpha));
}
const Tensor& addmv_(const Tensor& self, const Tensor& a, const Tensor& v, Scalar beta, Scalar alpha) {
  OpScope op("addmv_");
  return store(self, addmv(self, a, v, beta, alpha));
}
const Tensor& addr_(const Tensor& self, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) {
  OpScope op("addr_");
  return store(self, addr(self, a, b, beta, alpha));
}
const Tensor& baddbmm_(const Tensor& self, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) {
  OpScope op("baddbmm_");
  return store(self, baddbmm(self, a, b, beta, alpha));
}
const Tensor& addbmm_(const Tensor& self, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) {
  OpScope op("addbmm_");
  return store(self, addbmm(self, a, b, beta, alpha));
}

// ---- linear
struct LinearBackward final : NodeOf<3> {
  SavedTensor x, weight;
  uint8_t dims;
  LinearBackward(const Tensor& in, const Tensor& w, const Tensor& bias) : NodeOf(in, w, bias), dims(uint8_t(in.dim())) {
    if (needs(1)) x = SavedTensor(in);
    if (needs(0)) weight = SavedTensor(w);
  }
  const char* name() const override { return dims == 2 ? "AddmmBackward0" : "LinearBackward0"; }
  void backward(Tensor g, Tensor* dx) override {
    if (needs(0)) dx[0] = dims == 1 ? squeeze(product(unsqueeze(g, 0), false, conj(weight.unpack(*this)), false), 0) : product(g,
        false, conj(weight.unpack(*this)), false);
    if (dims == 1) {
      if (needs(1)) dx[1] = outer(g, conj(x.unpack(*this)));
      if (needs(2)) dx[2] = g;
      return;
    }
    const Tensor rows = needs(1) || needs(2) ? fold(g) : g;
    Tensor sums;
    if (needs(1)) dx[1] = gradient_product(*this, 1, rows, true, fold(conj(x.unpack(*this))), false, needs(2) ? &sums : nullptr);
    if (needs(2)) dx[2] = sums.defined() ? sums : sum(rows, 0);
  }
  void free_saved() override { x.reset(), weight.reset(); }
};

[[gnu::cold]] static std::string aligned_at_last(const Tensor& x, const Tensor& weight) {
  const int n = std::max(int(x.dim()), 2);
  return aligned({{"input", x.sizes(), n - int(x.dim())}, {"weight", weight.sizes(), n - 2}}, {n - 1});
}
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  OpScope op("linear");
  TG_CHECK(x.dim() > 0, ShapeError, "input must have at least 1 dimension, got 0", Named{"input", x});
  TG_CHECK(weight.dim() == 1 || weight.dim() == 2, ShapeError, "weight must have 1 or 2 dimensions, got ", weight.dim(),
      Named{"weight", weight});
  if (weight.dim() == 1) {  // one output, without a dimension of its own
    const Tensor out = matmul(x, weight);
    return bias.defined() ? add(out, bias) : out;
  }
  TG_CHECK(x->sizes[x->ndim - 1] == weight->sizes[1], ShapeError, "last dimension of input must equal the last of weight, got ", x.size(-1),
      " and ", weight.size(1), Named{"input", x}, Named{"weight", weight}, aligned_at_last(x, weight));
  TG_CHECK(x.dtype() == weight.dtype() && (!bias.defined() || bias.dtype() == x.dtype()), DtypeError,
      "input, weight and bias must have the same dtype, got ", x.dtype(), ", ", weight.dtype(), bias.defined() ? " and " : "",
      bias.defined() ? name(bias.dtype()) : "", Named{"input", x}, Named{"weight", weight});
  TG_CHECK(x.dtype() != bool_, DtypeError, "products of bool tensors are not defined, got bool", Named{"input", x});
  const int64_t n = weight->sizes[0];
  if (!bias.defined() && x.dim() >= 2) return product(x, false, weight, true);
  if (bias.defined() && (bias.dim() != 1 || bias.size(0) != n || (n > 1 && bias.stride(0) != 1))) {
    Shape size = x.sizes();
    size.back() = n;
    check_expands(bias, size, "bias");
    return add(linear(x, weight), bias);
  }
  Tensor out = x.dim() == 1 ? multiply(row(x), false, weight, true, bias) : multiply(x, false, weight, true, bias);
  if (x.dim() == 1) out = alias(out, n, 1, 0, false);
  if (recording(x, weight, bias)) record<LinearBackward>(out, x, weight, bias);
  return out;
}

}  // namespace tapegrad
