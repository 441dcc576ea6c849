// Convolutions through oneDNN, in builds with TAPEGRAD_ONEDNN: for processors whose matrix units our kernels do not use. oneDNN
// has threads of its own (OMP_NUM_THREADS), and its bits may depend on their number.
#include "src/ops/conv.h"

#ifndef TG_ONEDNN

tapegrad::Tensor tapegrad::onednn(ConvPass, const ConvPlan&, const Tensor&, const Tensor&, const Tensor&) { return {}; }

#else

#include <dnnl.hpp>
#include <unordered_map>

#include "src/tensor/parallel.h"
#include "tapegrad/ops.h"

namespace tapegrad {
namespace {

using dnnl::memory;
using Dims = memory::dims;

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}
dnnl::stream& stream() {
  static thread_local dnnl::stream s(engine());
  return s;
}

// The plan in oneDNN's terms.
struct Shapes {
  Dims x, w, y, stride, dilation, before, after;

  explicit Shapes(const ConvPlan& p) : x{p.batch, p.in_channels}, w{p.out_channels, p.in_group()}, y{p.batch, p.out_channels} {
    if (p.groups > 1) w = {p.groups, p.out_group(), p.in_group()};
    const Window& n = p.window;
    for (int d = 3 - p.dims; d < 3; d++) {
      x.push_back(n.in[d]), w.push_back(n.kernel[d]), y.push_back(n.out[d]);
      stride.push_back(n.stride[d]), dilation.push_back(n.dilation[d] - 1), before.push_back(n.pad[d]);
      after.push_back((n.out[d] - 1) * n.stride[d] + n.dilation[d] * (n.kernel[d] - 1) + 1 - n.in[d] - n.pad[d]);
    }
  }
};
Dims row_major(const Dims& size) {
  Dims strides(size.size(), 1);
  for (size_t d = size.size() - 1; d-- > 0;) strides[d] = strides[d + 1] * size[d + 1];
  return strides;
}
memory::desc any(const Dims& size) { return {size, memory::data_type::f32, memory::format_tag::any}; }
memory plain(const Dims& size, const Tensor& t) { return {{size, memory::data_type::f32, row_major(size)}, engine(), t->host()}; }

/// A primitive's description; oneDNN 3 does without the operation's own.
template <class P, class... Hint> auto describe(const Hint&... hint) {
  return [&hint...](const auto&... arguments) {
#if DNNL_VERSION_MAJOR >= 3
    return typename P::primitive_desc(engine(), arguments..., hint...);
#else
    return typename P::primitive_desc(typename P::desc(arguments...), engine(), hint...);
#endif
  };
}

// What a primitive reads or writes, in the layout that it wants.
memory wanted(const memory& given, const memory::desc& layout) {
  return given.get_desc() == layout ? given : memory(layout, engine());
}
void reorder(memory from, memory to) {
  if (from.get() != to.get()) dnnl::reorder(from, to).execute(stream(), from, to);
}
template <class Description> void execute(const Description& d, std::initializer_list<std::tuple<int, memory, memory::desc>> inputs, int result, memory to,
                                          const memory::desc& to_layout) {
  std::unordered_map<int, memory> arguments;
  for (const auto& [name, given, layout] : inputs) reorder(given, arguments[name] = wanted(given, layout));
  const memory out = arguments[result] = wanted(to, to_layout);
  dnnl::primitive(d).execute(stream(), arguments);
  reorder(out, to);
  stream().wait();
}

}  // namespace

Tensor onednn(ConvPass pass, const ConvPlan& p, const Tensor& u, const Tensor& v, const Tensor& bias) {
  const bool forward = pass == ConvPass::Forward, data = pass == ConvPass::Data;
  if (u.dtype() != float32 || !u.numel() || !v.numel() || (bias.defined() && !forward)) return {};
  const Tensor out = empty(forward ? p.y_size() : data ? p.x_size() : p.w_size(), float32);
  const Shapes s(p);
  const memory mx = plain(s.x, data ? out : u), mw = plain(s.w, forward || data ? v : out), my = plain(s.y, forward ? out : data ? u : v);
  LongKernel unlocked(out.numel() * p.taps());
  const auto way = dnnl::algorithm::convolution_direct;
  try {
    const auto hint = describe<dnnl::convolution_forward>()(
        dnnl::prop_kind::forward_training, way, any(s.x), any(s.w), any(s.y), s.stride, s.dilation, s.before, s.after);
    if (data) {
      const auto d = describe<dnnl::convolution_backward_data>(hint)(way, any(s.x), any(s.w), any(s.y), s.stride, s.dilation, s.before, s.after);
      execute(d, {{DNNL_ARG_DIFF_DST, my, d.diff_dst_desc()}, {DNNL_ARG_WEIGHTS, mw, d.weights_desc()}}, DNNL_ARG_DIFF_SRC, mx, d.diff_src_desc());
    } else if (!forward) {
      const auto d = describe<dnnl::convolution_backward_weights>(hint)(way, any(s.x), any(s.w), any(s.y), s.stride, s.dilation, s.before, s.after);
      execute(d, {{DNNL_ARG_DIFF_DST, my, d.diff_dst_desc()}, {DNNL_ARG_SRC, mx, d.src_desc()}}, DNNL_ARG_DIFF_WEIGHTS, mw, d.diff_weights_desc());
    } else if (!bias.defined()) {
      execute(hint, {{DNNL_ARG_SRC, mx, hint.src_desc()}, {DNNL_ARG_WEIGHTS, mw, hint.weights_desc()}}, DNNL_ARG_DST, my, hint.dst_desc());
    } else {
      const Dims channels{p.out_channels};
      const auto d = describe<dnnl::convolution_forward>()(
          dnnl::prop_kind::forward_training, way, any(s.x), any(s.w), any(channels), any(s.y), s.stride, s.dilation, s.before, s.after);
      execute(d, {{DNNL_ARG_SRC, mx, d.src_desc()}, {DNNL_ARG_WEIGHTS, mw, d.weights_desc()}, {DNNL_ARG_BIAS, plain(channels, bias), d.bias_desc()}},
              DNNL_ARG_DST, my, d.dst_desc());
    }
  } catch (const dnnl::error& e) {
    if (e.status == dnnl_out_of_memory) detail::fail<OutOfMemoryError>("oneDNN cannot allocate the working memory of a convolution");
    return {};  // a shape that it has no kernel for
  }
  return out;
}

}  // namespace tapegrad

#endif
