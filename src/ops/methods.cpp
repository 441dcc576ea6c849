// The ops as methods of Tensor, one line each; tests/python/test_cpp_methods.py counts them. Out of the headers, where they
// would cost 0.05 s of every user's compile; each opens a scope, so that errors name the user's line and not this file's.
#include "tapegrad/ops.h"

namespace tapegrad {

// elementwise_unary
Tensor Tensor::neg() const { OpScope op("neg"); return tapegrad::neg(*this); }
Tensor Tensor::exp() const { OpScope op("exp"); return tapegrad::exp(*this); }
const Tensor& Tensor::exp_() const { OpScope op("exp_"); return tapegrad::exp_(*this); }
Tensor Tensor::log() const { OpScope op("log"); return tapegrad::log(*this); }
Tensor Tensor::sqrt() const { OpScope op("sqrt"); return tapegrad::sqrt(*this); }
Tensor Tensor::relu() const { OpScope op("relu"); return tapegrad::relu(*this); }

// elementwise_binary
Tensor Tensor::add(const Tensor& b, Scalar alpha) const { OpScope op("add"); return tapegrad::add(*this, b, alpha); }
Tensor Tensor::sub(const Tensor& b, Scalar alpha) const { OpScope op("sub"); return tapegrad::sub(*this, b, alpha); }
Tensor Tensor::mul(const Tensor& b) const { OpScope op("mul"); return tapegrad::mul(*this, b); }
Tensor Tensor::div(const Tensor& b) const { OpScope op("div"); return tapegrad::div(*this, b); }
const Tensor& Tensor::add_(const Tensor& other, Scalar alpha) const { OpScope op("add_"); return tapegrad::add_(*this, other, alpha); }
const Tensor& Tensor::sub_(const Tensor& other, Scalar alpha) const { OpScope op("sub_"); return tapegrad::sub_(*this, other, alpha); }
const Tensor& Tensor::mul_(const Tensor& b) const { OpScope op("mul_"); return tapegrad::mul_(*this, b); }
const Tensor& Tensor::div_(const Tensor& b) const { OpScope op("div_"); return tapegrad::div_(*this, b); }
Tensor Tensor::maximum(const Tensor& b) const { OpScope op("maximum"); return tapegrad::maximum(*this, b); }
Tensor Tensor::eq(const Tensor& b) const { OpScope op("eq"); return tapegrad::eq(*this, b); }
Tensor Tensor::ne(const Tensor& b) const { OpScope op("ne"); return tapegrad::ne(*this, b); }
Tensor Tensor::lt(const Tensor& b) const { OpScope op("lt"); return tapegrad::lt(*this, b); }
Tensor Tensor::le(const Tensor& b) const { OpScope op("le"); return tapegrad::le(*this, b); }
Tensor Tensor::gt(const Tensor& b) const { OpScope op("gt"); return tapegrad::gt(*this, b); }
Tensor Tensor::ge(const Tensor& b) const { OpScope op("ge"); return tapegrad::ge(*this, b); }

// elementwise_ternary
Tensor Tensor::where(const Tensor& a, const Tensor& b) const { OpScope op("where"); return tapegrad::where(*this, a, b); }

// copy
Tensor Tensor::to(Dtype dtype, bool copy) const { OpScope op("to"); return tapegrad::to(*this, dtype, copy); }
Tensor Tensor::to(Device device, std::optional<Dtype> dtype, bool copy) const { OpScope op("to"); return tapegrad::to(*this, device, dtype, copy); }
Tensor Tensor::clone(MemoryFormat format) const { OpScope op("clone"); return tapegrad::clone(*this, format); }
Tensor Tensor::contiguous(MemoryFormat format) const { OpScope op("contiguous"); return tapegrad::contiguous(*this, format); }
const Tensor& Tensor::copy_(const Tensor& src, bool non_blocking) const { OpScope op("copy_"); return tapegrad::copy_(*this, src, non_blocking); }
const Tensor& Tensor::fill_(Scalar value) const { OpScope op("fill_"); return tapegrad::fill_(*this, value); }
const Tensor& Tensor::fill_(const Tensor& value) const { OpScope op("fill_"); return tapegrad::fill_(*this, value); }
const Tensor& Tensor::zero_() const { OpScope op("zero_"); return tapegrad::zero_(*this); }

// random

// reduce
Tensor Tensor::sum(IntList dim, bool keepdim, std::optional<Dtype> dtype) const { OpScope op("sum"); return tapegrad::sum(*this, dim, keepdim, dtype); }
Tensor Tensor::sum_to_size(IntList size) const { OpScope op("sum_to_size"); return tapegrad::sum_to_size(*this, size); }
Tensor Tensor::any(IntList dim, bool keepdim) const { OpScope op("any"); return tapegrad::any(*this, dim, keepdim); }

// scan

// softmax

// view
Tensor Tensor::view(IntList shape) const { OpScope op("view"); return tapegrad::view(*this, shape); }
Tensor Tensor::view(Dtype dtype) const { OpScope op("view"); return tapegrad::view(*this, dtype); }
Tensor Tensor::view_as(const Tensor& other) const { OpScope op("view_as"); return tapegrad::view_as(*this, other); }
Tensor Tensor::reshape(IntList shape) const { OpScope op("reshape"); return tapegrad::reshape(*this, shape); }
Tensor Tensor::reshape_as(const Tensor& other) const { OpScope op("reshape_as"); return tapegrad::reshape_as(*this, other); }
Tensor Tensor::ravel() const { OpScope op("ravel"); return tapegrad::ravel(*this); }
Tensor Tensor::flatten(int64_t start_dim, int64_t end_dim) const { OpScope op("flatten"); return tapegrad::flatten(*this, start_dim, end_dim); }
Tensor Tensor::unflatten(int64_t dim, IntList sizes) const { OpScope op("unflatten"); return tapegrad::unflatten(*this, dim, sizes); }
Tensor Tensor::transpose(int64_t dim0, int64_t dim1) const { OpScope op("transpose"); return tapegrad::transpose(*this, dim0, dim1); }
Tensor Tensor::t() const { OpScope op("t"); return tapegrad::t(*this); }
Tensor Tensor::mT() const { OpScope op("mT"); return tapegrad::mT(*this); }
Tensor Tensor::permute(IntList dims) const { OpScope op("permute"); return tapegrad::permute(*this, dims); }
Tensor Tensor::movedim(IntList source, IntList destination) const { OpScope op("movedim"); return tapegrad::movedim(*this, source, destination); }
Tensor Tensor::squeeze() const { OpScope op("squeeze"); return tapegrad::squeeze(*this); }
Tensor Tensor::squeeze(IntList dim) const { OpScope op("squeeze"); return tapegrad::squeeze(*this, dim); }
Tensor Tensor::unsqueeze(int64_t dim) const { OpScope op("unsqueeze"); return tapegrad::unsqueeze(*this, dim); }
Tensor Tensor::expand(IntList size) const { OpScope op("expand"); return tapegrad::expand(*this, size); }
Tensor Tensor::expand_as(const Tensor& other) const { OpScope op("expand_as"); return tapegrad::expand_as(*this, other); }
Tensor Tensor::broadcast_to(IntList size) const { OpScope op("broadcast_to"); return tapegrad::broadcast_to(*this, size); }
const Tensor& Tensor::transpose_(int64_t dim0, int64_t dim1) const { OpScope op("transpose_"); return tapegrad::transpose_(*this, dim0, dim1); }
const Tensor& Tensor::t_() const { OpScope op("t_"); return tapegrad::t_(*this); }
const Tensor& Tensor::squeeze_() const { OpScope op("squeeze_"); return tapegrad::squeeze_(*this); }
const Tensor& Tensor::squeeze_(IntList dim) const { OpScope op("squeeze_"); return tapegrad::squeeze_(*this, dim); }
const Tensor& Tensor::unsqueeze_(int64_t dim) const { OpScope op("unsqueeze_"); return tapegrad::unsqueeze_(*this, dim); }

// slice
Tensor Tensor::narrow(int64_t dim, int64_t start, int64_t length) const { OpScope op("narrow"); return tapegrad::narrow(*this, dim, start, length); }
Tensor Tensor::select(int64_t dim, int64_t index) const { OpScope op("select"); return tapegrad::select(*this, dim, index); }
Tensor Tensor::diagonal(int64_t offset, int64_t dim1, int64_t dim2) const { OpScope op("diagonal"); return tapegrad::diagonal(*this, offset, dim1, dim2); }
Tensor Tensor::unfold(int64_t dim, int64_t size, int64_t step) const { OpScope op("unfold"); return tapegrad::unfold(*this, dim, size, step); }
Tensor Tensor::as_strided(IntList size, IntList stride, std::optional<int64_t> storage_offset) const { OpScope op("as_strided"); return tapegrad::as_strided(*this, size, stride, storage_offset); }
std::vector<Tensor> Tensor::split(int64_t split_size, int64_t dim) const { OpScope op("split"); return tapegrad::split(*this, split_size, dim); }
std::vector<Tensor> Tensor::split(IntList split_sizes, int64_t dim) const { OpScope op("split"); return tapegrad::split(*this, split_sizes, dim); }
std::vector<Tensor> Tensor::chunk(int64_t chunks, int64_t dim) const { OpScope op("chunk"); return tapegrad::chunk(*this, chunks, dim); }
std::vector<Tensor> Tensor::tensor_split(int64_t sections, int64_t dim) const { OpScope op("tensor_split"); return tapegrad::tensor_split(*this, sections, dim); }
std::vector<Tensor> Tensor::tensor_split(IntList indices, int64_t dim) const { OpScope op("tensor_split"); return tapegrad::tensor_split(*this, indices, dim); }
std::vector<Tensor> Tensor::unbind(int64_t dim) const { OpScope op("unbind"); return tapegrad::unbind(*this, dim); }

// shape

// index

// sort

// matmul

// indexing
Tensor Tensor::operator[](int64_t i) const { OpScope op("select"); return tapegrad::select(*this, 0, i); }
}  // namespace tapegrad
