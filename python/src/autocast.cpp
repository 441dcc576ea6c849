// See autocast.h. The lists are those of PyTorch's autocast on the CPU and on CUDA, in the names of the op table.
#include "autocast.h"

#include <algorithm>

#include "tapegrad/ops.h"

namespace tapegrad::py {

bool autocast_used = false;

namespace {

struct State {
  bool on = false;
  Dtype dtype = Dtype::BFloat16;
};
thread_local State states[2] = {{}, {false, Dtype::Float16}};  // on the CPU, on CUDA
State& state_for(bool cuda) { return states[cuda]; }

constexpr std::string_view kLower[] = {
    "addbmm", "addmm", "affine_grid", "baddbmm", "bmm", "chain_matmul", "conv1d", "conv2d", "conv3d", "conv_tbc",
    "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "einsum", "inner", "linalg.matmul",
    "linalg.multi_dot", "linalg.vecdot", "linear", "lstm", "matmul", "mm", "multi_dot", "prelu", "rnn_relu", "rnn_relu_cell",
    "rnn_tanh", "rnn_tanh_cell",    "scaled_dot_product_attention", "tensordot"};
constexpr std::string_view kFloat32[] = {
    "adaptive_avg_pool3d", "adaptive_max_pool3d", "adaptive_max_pool3d_with_indices", "avg_pool3d",
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cdist", "cholesky", "cholesky_inverse",
    "cholesky_solve", "cosine_embedding_loss", "cross_entropy", "ctc_loss", "fractional_max_pool2d",
    "fractional_max_pool3d", "geqrf", "grid_sample", "hinge_embedding_loss", "huber_loss", "inverse", "kl_div",
    "l1_loss", "linalg.cholesky", "linalg.cholesky_ex", "linalg.cond", "linalg.eig", "linalg.eigh",
    "linalg.eigvals", "linalg.eigvalsh", "linalg.householder_product", "linalg.inv", "linalg.inv_ex",
    "linalg.lstsq", "linalg.matrix_rank", "linalg.qr", "linalg.solve", "linalg.svd", "linalg.svdvals",
    "linalg.tensorinv", "linalg.tensorsolve", "lu_solve", "margin_ranking_loss", "max_pool3d", "max_unpool2d",
    "max_unpool3d", "mse_loss", "multi_margin_loss", "multilabel_margin_loss", "nanquantile", "nll_loss", "orgqr",
    "ormqr", "pad", "pinverse", "poisson_nll_loss", "polar", "prod", "qr", "quantile", "smooth_l1_loss",
    "soft_margin_loss", "stft", "svd", "trace", "triangular_solve", "triplet_margin_loss", "view_as_complex"};
constexpr std::string_view kWidest[] = {"cat", "index_copy", "stack"};

constexpr std::string_view kCudaLower[] = {
    "addbmm", "addmm", "addmv", "addr", "baddbmm", "bmm", "chain_matmul", "conv1d", "conv2d", "conv3d", "conv_tbc", "conv_transpose1d",
    "conv_transpose2d", "conv_transpose3d", "einsum", "gru", "gru_cell", "inner", "linalg.matmul", "linalg.multi_dot", "linalg.vecdot", "linear",
    "lstm", "lstm_cell", "matmul", "mm", "multi_dot", "mv", "prelu", "rnn_relu", "rnn_relu_cell", "rnn_tanh", "rnn_tanh_cell",
    "scaled_dot_product_attention"};
constexpr std::string_view kCudaFloat32[] = {
    "acos", "asin", "binary_cross_entropy_with_logits", "cdist", "cosh", "cosine_embedding_loss", "cosine_similarity", "cross_entropy", "ctc_loss",
    "cumprod", "cumsum", "dist", "erfinv", "exp", "expm1", "frobenius_norm", "group_norm", "hinge_embedding_loss", "huber_loss", "kl_div", "l1_loss",
    "layer_norm", "linalg.matrix_norm", "linalg.vector_norm", "log", "log10", "log1p", "log2", "log_softmax", "logsumexp", "margin_ranking_loss",
    "mse_loss", "multi_margin_loss", "multilabel_margin_loss", "nll_loss", "norm", "normalize", "nuclear_norm", "pdist", "poisson_nll_loss", "pow",
    "prod", "reciprocal", "renorm", "rms_norm", "rsqrt", "sinh", "smooth_l1_loss", "soft_margin_loss", "softmax", "softmin", "softplus", "stft",
    "sum", "tan", "triplet_margin_loss"};
constexpr std::string_view kCudaWidest[] = {
    "addcdiv", "addcmul", "atan2", "bilinear", "cat", "cross", "dot", "grid_sample", "index_copy", "index_put", "scatter_add", "stack", "tensordot",
    "vdot"};

bool eligible(const Tensor& t) {
  return t.defined() && is_floating(t.dtype()) && t.dtype() != Dtype::Float64 && !t->wrapped_number;
}
template <class F> void each_tensor(const Overload& o, Value* v, F f) {
  for (size_t k = 0; k < o.params.size(); k++) {
    switch (o.params[k].want) {
      case Want::Tensor: case Want::OptionalTensor: case Want::TensorOrNumber:
        if (!v[k].none && v[k].tensor) f(v[k]);
        break;
      default: break;
    }
  }
}

// The one op whose rule depends on an argument: only reflect and replicate are computed in float32.
bool constant_pad(const Overload& o, const Value* v) {
  if (o.info->name != "pad") return false;
  for (size_t k = 0; k < o.params.size(); k++)
    if (o.params[k].want == Want::Text) return v[k].text != "reflect" && v[k].text != "replicate";
  return true;
}

// Where the first tensor that may be cast is. Numbers and indices do not count.
bool on_cuda(const Overload& o, Value* v) {
  int found = -1;
  auto look = [&](const Tensor& t) { if (found < 0 && eligible(t)) found = t.is_cuda(); };
  each_tensor(o, v, [&](Value& x) { look(*x.tensor); });
  for (size_t k = 0; k < o.params.size() && found < 0; k++)
    if (o.params[k].want == Want::Tensors) for (const Tensor& t : v[k].tensors) look(t);
  return found == 1;
}

Dtype target_of(const Overload& o, Value* v, Cast rule, Dtype lower) {
  if (rule == Cast::Lower) return lower;
  if (rule == Cast::Float32) return Dtype::Float32;
  Dtype widest = lower;
  auto look = [&](const Tensor& t) { if (eligible(t) && t.dtype() == Dtype::Float32) widest = Dtype::Float32; };
  each_tensor(o, v, [&](Value& x) { look(*x.tensor); });
  for (size_t k = 0; k < o.params.size(); k++)
    if (o.params[k].want == Want::Tensors) for (const Tensor& t : v[k].tensors) look(t);
  return widest;
}

// set_autocast(cuda, enabled, dtype) -> what was set before, as autocast_state(cuda) gives it.
PyObject* state_object(const State& s) { return Py_BuildValue("NN", PyBool_FromLong(s.on), to_python(s.dtype)); }
PyObject* py_state(PyObject*, PyObject* cuda) { return state_object(state_for(cuda == Py_True)); }
PyObject* py_set(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    int cuda, on;
    PyObject* dtype;
    if (!PyArg_ParseTuple(args, "ppO:set_autocast", &cuda, &on, &dtype)) return nullptr;
    Dtype d;
    if (!read_dtype(dtype, d))
      raise(PyExc_TypeError, "set_autocast(): dtype must be a tapegrad.dtype, not %.200s", Py_TYPE(dtype)->tp_name);
    State& state = state_for(cuda);
    PyObject* before = checked(state_object(state));
    state = {on != 0, d};
    if (on) autocast_used = true;
    return before;
  });
}
PyMethodDef functions[] = {
    {"autocast_state", py_state, METH_O, "autocast_state(cuda): (enabled, dtype) of this thread's autocast on the CPU or on CUDA."},
    {"set_autocast", py_set, METH_VARARGS, "set_autocast(cuda, enabled, dtype): sets this thread's autocast and gives what it was."},
    {}};

}  // namespace

Cast cast_of(std::string_view op, DeviceType device) {
  auto in = [op](auto& list) { return std::ranges::find(list, op) != std::end(list); };
  if (device == DeviceType::CUDA)
    return in(kCudaLower) ? Cast::Lower : in(kCudaFloat32) ? Cast::Float32 : in(kCudaWidest) ? Cast::Widest : Cast::None;
  return in(kLower) ? Cast::Lower : in(kFloat32) ? Cast::Float32 : in(kWidest) ? Cast::Widest : Cast::None;
}

void cast_arguments(const Overload& o, Value* v, Casts& casts) {
  const bool cuda = on_cuda(o, v);
  const State& state = state_for(cuda);
  const Cast rule = o.cast[cuda];
  if (!state.on || rule == Cast::None || constant_pad(o, v)) return;
  const Dtype target = target_of(o, v, rule, state.dtype);
  auto cast = [=](const Tensor& t) { return eligible(t) && t.is_cuda() == cuda && t.dtype() != target ? to(t, target) : t; };
  casts.tensors.reserve(o.params.size());  // the values point into it
  casts.lists.reserve(o.params.size());
  each_tensor(o, v, [&](Value& x) { x.tensor = &casts.tensors.emplace_back(cast(*x.tensor)); });
  for (size_t k = 0; k < o.params.size(); k++) {
    if (o.params[k].want != Want::Tensors) continue;
    auto& list = casts.lists.emplace_back();
    for (const Tensor& t : v[k].tensors) list.push_back(cast(t));
    v[k].tensors = list;
  }
}

Tensor autocast_matmul(const Tensor& a, const Tensor& b) {
  const State& state = state_for(a.is_cuda());
  if (!state.on) return matmul(a, b);
  auto cast = [&](const Tensor& t) { return eligible(t) ? to(t, state.dtype) : t; };
  return matmul(cast(a), cast(b));
}

PyMethodDef* autocast_functions() { return functions; }

}  // namespace tapegrad::py
