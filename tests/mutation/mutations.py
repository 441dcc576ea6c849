"""Fifty small mistakes that the tests must notice. Each is one exact piece of one file, the same with a mistake in it, what then goes
wrong, and the tests to try first: `ops:` names in the op table (golden values and gradcheck), `cpp:` a filter of the C++ tests, `py:` what
pytest takes behind tests/python/. When code moves, the record moves with it: tests/python/test_mutations.py checks that every piece is
still to be found, once."""
from typing import NamedTuple


class Mutation(NamedTuple):
    file: str
    old: str
    new: str
    wrong: str
    first: tuple


MUTATIONS = {
    # ---- kernels
    "argmax-ties": Mutation("src/ops/cpu/reduce.cpp", "return b >= v; }", "return b > v; }", "of equals down a column the last is found", ("ops:argmax max",)),
    "min-nan": Mutation("src/ops/cpu/reduce.cpp", "const V m = a < b ? a : b;\n    return a != a ? a : m;", "return a < b ? a : b;", "a minimum loses NaN", ("ops:amin min", "py:test_selection.py")),
    "gemm-dots-bias": Mutation("src/ops/cpu/gemm.cpp", "c = all[r * C + q] + (g.add ? c : g.bias ? g.bias[j + q] : T(0));", "c = all[r * C + q] + (g.add ? c : g.bias ? g.bias[j] : T(0));",
                               "every fourth bias is used four times", ("ops:linear", "py:test_products.py")),
    "gemm-row-end": Mutation("src/ops/cpu/gemm.cpp", "(p + s < g.k ? g.a[at * g.a_col] : zero)", "g.a[at * g.a_col]", "a row whose length is no multiple of four counts its last part again", ("ops:matmul mv", "py:test_products.py")),
    "gemm-tiny-stride": Mutation("src/ops/cpu/gemm.cpp", "if (g.n == N && g.k == K && g.a_col == 1 && !g.add) {", "if (g.n == N && g.k == K && !g.add) {", "tiny transposed matrices are read as if they were not", ("ops:matmul", "py:test_products.py")),
    "softmax-columns-shift": Mutation("src/ops/cpu/rowwise.cpp", "for (int64_t c = 0; c < cols; c++) m[c] = C(-__builtin_inf());", "for (int64_t c = 0; c < cols; c++) m[c] = C(0);",
                                      "softmax down columns of very negative numbers divides 0 by 0", ("ops:softmax", "cpp:*oftmax*", "py:test_corners.py -k softmax")),
    "norm-mean-term": Mutation("src/ops/cpu/rowwise.cpp", "return at.get(g + i) * a + (at.get(x + i) - m) * b + c; });\n  }\n  static void gather", "return at.get(g + i) * a + (at.get(x + i) - m) * b; });\n  }\n  static void gather",
                               "a normalisation's gradient forgets that the mean moves", ("ops:layer_norm group_norm batch_norm",)),
    "max-pool-nan": Mutation("src/ops/cpu/pool.cpp", "if (row[k] > best || row[k] != row[k]) best", "if (row[k] > best) best", "a maximum over cells loses NaN", ("ops:max_pool1d max_pool2d max_pool3d", "cpp:*ool*")),
    "conv-spread-dilation": Mutation("src/ops/cpu/conv_spread.cpp", "row.tap % w.kernel[2] * w.dilation[2];", "row.tap % w.kernel[2];", "the gradient of a convolution ignores dilation", ("ops:conv2d conv_transpose2d", "cpp:*onv*")),
    "depthwise-bias": Mutation("src/ops/cpu/depthwise.cpp", "bias ? bias[i % channels] : T(0), to + in}", "bias ? bias[0] : T(0), to + in}", "a depthwise transposed convolution adds one bias to all channels", ("ops:conv_transpose2d", "cpp:*onv*")),
    "scan-carry": Mutation("src/ops/cpu/scan.cpp", "sum += shuffled<7, 7, 7, 7, 7, 7, 7, 7>(v, v);", "sum = shuffled<7, 7, 7, 7, 7, 7, 7, 7>(v, v);", "running sums forget all but the last eight numbers", ("ops:cumsum", "cpp:Reduce*:*can*", "py:test_properties.py", "py:test_corners.py -k running_sums")),
    "lstm-forget-gate": Mutation("src/ops/cpu/rnn.cpp", "put<V>(dc + k, V(cell * f));", "put<V>(dc + k, cell);", "an LSTM's cell gradient passes its forget gate untouched", ("ops:lstm",)),
    "gru-reset-gate": Mutation("src/ops/cpu/rnn.cpp", "const V dr = da * get<V>(kept + k) * r * (C(1) - r);", "const V dr = da * get<V>(kept + k) * (C(1) - r);", "a GRU's reset gate gets a wrong gradient", ("ops:gru",)),
    "attention-blind-row": Mutation("src/ops/cpu/attention.cpp", "const bool blind = sum[r] == C(0);", "const bool blind = false;", "a query that may look at nothing gives NaN", ("cpp:*ttention*", "ops:scaled_dot_product_attention")),
    "fft-scale": Mutation("src/ops/cpu/fft.cpp", "im[j * G + i] * scale;\n  }\n}\ntemplate <class R> void pass", "im[j * G + i];\n  }\n}\ntemplate <class R> void pass", "the imaginary parts at the end of a line are not scaled", ("ops:fft.ifft", "py:test_corners.py -k inverse_transforms")),
    # ---- gradients
    "logcumsumexp-end": Mutation("src/ops/scan.cpp", "shifted(out, dim, true, INFINITY)", "shifted(out, dim, true, 0)", "the gradient reads a neighbour that is not there", ("ops:logcumsumexp", "py:test_corners.py -k logcumsumexp")),
    "cummax-ties": Mutation("src/ops/scan.cpp", "(largest ? v >= best : v <= best)", "(largest ? v > best : v <= best)", "of equal maxima the first is named, not the last", ("ops:cummax", "py:test_selection.py", "py:test_corners.py -k running_extremes")),
    "median-share": Mutation("src/ops/sort.cpp", "share = div(hit, sum(hit));", "share = hit;", "equal medians each get the whole gradient", ("ops:median", "py:test_selection.py", "py:test_corners.py -k medians")),
    "std-of-constant": Mutation("src/ops/reduce_stats.cpp", "where(out == Tensor(0.0), Tensor(0.0), g / (out * Tensor(freedom)))", "g / (out * Tensor(freedom))", "the gradient of std is NaN for constant numbers", ("ops:std", "cpp:*educe*")),
    "copy-slices": Mutation("src/autograd/view.cpp", "if (needs(0)) dx[0] = x.back(hide_view(seen, x, y));", "if (needs(0)) dx[0] = x.back(seen);", "what was overwritten through a view still gets a gradient", ("cpp:*View*:*InPlace*:*ritten*", "py:test_bindings_autograd.py")),
    "softmax-twice": Mutation("src/ops/softmax.cpp", "dx[0] = (g - sum(g * out, dim, true)) * out;", "dx[0] = (g - detach(sum(g * out, dim, true))) * out;", "the second derivative of softmax lacks a term", ("ops:softmax",)),
    "smoothing-twice": Mutation("src/ops/loss.cpp", "reshape(counts * index_select(weights, 0, at), {rows, 1}) * (1 - loss.smoothing);", "reshape(counts * index_select(weights, 0, at), {rows, 1});",
                                "the second derivative of cross_entropy ignores label smoothing", ("ops:cross_entropy",)),
    "index-put-accumulate": Mutation("src/ops/index.cpp", "if (needs(0)) dx[0] = accumulate ? g : index_put", "if (needs(0)) dx[0] = index_put", "what was added to gets no gradient", ("ops:index_put",)),
    "qr-wide": Mutation("src/ops/linalg_qr.cpp", "gq = gq + times(q, times_h(narrow(r, -1, k, n - k), gr2));", "gq = gq + times(q, gr2);", "the gradient of QR is wrong for wide matrices", ("ops:linalg.qr qr",)),
    "cat-gradient-dtype": Mutation("src/ops/shape.cpp", "if (piece.defined()) dx[k] = to(piece, dtypes[size_t(k)]);", "if (piece.defined()) dx[k] = piece;", "a gradient of cat has the dtype of the result", ("ops:cat stack", "cpp:*Cat*:*Stack*", "py:test_corners.py -k joined")),
    "batch-norm-eval": Mutation("src/ops/norm_batch.cpp", "shift = training ? -a * f * sum_g[c] / count : 0;", "shift = -a * f * sum_g[c] / count;", "in evaluation the mean is taken to depend on the input", ("ops:batch_norm",)),
    # ---- values
    "batch-norm-unbiased": Mutation("src/ops/norm_batch.cpp", "update_running(running_var, var * (double(count) / double(count - 1)), momentum);", "update_running(running_var, var, momentum);", "the running variance is the biased one", ("py:test_nn_module.py", "cpp:*orm*")),
    "loss-weighted-mean": Mutation("src/ops/loss.cpp", "divide += weights ? weights[t[r]] : 1;", "divide += 1;", "a weighted loss is divided by the number of rows", ("ops:cross_entropy nll_loss",)),
    "scatter-rest": Mutation("src/ops/gather.cpp", "return each_index(rest, x, index + done * l.along.index, other + done * l.along.other, check, add);", "return true;", "adding many numbers into few forgets up to three", ("py:test_threads.py -k scatter", "ops:scatter_add", "py:test_corners.py -k many_numbers")),
    "area-end": Mutation("src/ops/interpolate.cpp", "end = ((o + 1) * in + out - 1) / out;", "end = (o + 1) * in / out;", "area interpolation forgets the pixel at the border", ("ops:interpolate", "py:test_op_table.py -k interpolate")),
    "pad-crop": Mutation("src/ops/pad.cpp", "std::max<int64_t>(0, x->sizes[d] - crop + std::min<int64_t>(right, 0));", "std::max<int64_t>(0, x->sizes[d] - crop);", "negative padding on the right is not cropped", ("ops:pad constant_pad_nd",)),
    "ldl-pivot": Mutation("src/ops/linalg_cholesky.cpp", "const int64_t p = std::abs(pivots[k]) - 1, q = k + step - 1;", "const int64_t p = std::abs(pivots[k]) - 1, q = k;", "2 by 2 pivots exchange the wrong row", ("ops:linalg.ldl_solve", "py:test_linalg.py")),
    # ---- shapes
    "cat-empty": Mutation("src/ops/shape.cpp", "if (t.dim() == 1 && t.numel() == 0) continue;\n    if (!first)", "if (t.numel() == 0) continue;\n    if (!first)", "cat takes empty tensors of any shape", ("py:test_ops_errors.py -k cat", "cpp:*Cat*", "py:test_corners.py -k empty_tensor")),
    "broadcast-check": Mutation("src/ops/view.cpp", "else TG_CHECK(t->sizes[d] == 1 || t->sizes[d] == o, ShapeError", "else TG_CHECK(t->sizes[d] <= o, ShapeError", "shapes that do not broadcast are taken when the second is smaller", ("py:test_ops_errors.py -k broadcast", "cpp:*roadcast*", "py:test_corners.py -k broadcast")),
    "unsqueeze-stride": Mutation("src/ops/view.cpp", "const int64_t stride = at < n ? size[at] * strides[at] : 1;", "const int64_t stride = 1;", "the new dimension has another stride than PyTorch's", ("ops:unsqueeze", "cpp:*nsqueeze*:View*", "py:test_corners.py -k new_dimension")),
    # ---- the engine and the allocator
    "gradient-shared": Mutation("src/autograd/engine.cpp", "grad = owned(g) && g->contiguous && !g->requires_grad ?", "grad = g->contiguous && !g->requires_grad ?", "two leaves share the memory of one gradient", ("cpp:Backward*:Grad*", "py:test_bindings_autograd.py test_autograd_api.py", "py:test_corners.py -k same_gradient")),
    "lent-with-hooks": Mutation("src/autograd/engine.cpp", "if (!x || !x->hooks.empty() || !x->post_accumulate_hooks.empty()) return {};", "if (!x || !x->post_accumulate_hooks.empty()) return {};", "a leaf's hook sees the old gradient, too", ("cpp:*ook*:Backward*:Steady*", "py:test_bindings_autograd.py test_autograd_api.py", "py:test_corners.py -k hook_of")),
    "two-backwards": Mutation("src/autograd/engine.cpp", "if (outer_) return false;", "return false;", "two threads run one node at once", ("py:test_threads.py -k shared_graph", "cpp:*hread*", "py:test_corners.py -k no_node")),
    "retained-sum": Mutation("src/autograd/engine.cpp", "grad = grad.defined() ? add(grad, g[r.output_nr]) : g[r.output_nr];", "grad = g[r.output_nr];", "retain_grad keeps the last gradient, not the sum", ("py:test_bindings_autograd.py test_autograd_api.py", "cpp:*etain*", "py:test_corners.py -k retained")),
    "hooked-output": Mutation("src/autograd/saved.cpp", "if (output_) return relinked(t, by, output_nr_);\n  if (p->node)", "if (p->node)", "second derivatives are lost under saved_tensors_hooks", ("py:test_autograd_api.py test_bindings_autograd.py", "cpp:*aved*", "py:test_corners.py -k second_derivatives")),
    "peak-forgotten": Mutation("src/tensor/allocator.cpp", "s.stats.peak = std::max(s.stats.peak, s.stats.in_use);", "s.stats.peak = s.stats.in_use;", "the peak of memory goes down again", ("py:test_memory.py", "cpp:*emory*:*lloc*")),
    # ---- optimisers
    "sgd-dampening": Mutation("src/ops/formulas_optim.h", "keep(C(1 - s.dampening))", "keep(C(1))", "SGD ignores dampening", ("py:test_optim.py",)),
    "rprop-limits": Mutation("src/optim/algorithms.cpp", "clamp(b.slots[1][k] * factor, o.smallest, o.largest);", "b.slots[1][k] * factor;", "Rprop's step has no limits", ("py:test_optim.py test_cpp_optim.py", "cpp:*prop*:Optim*", "py:test_corners.py -k rprops")),
    "polynomial-end": Mutation("src/optim/schedules.cpp", "if (starting_ || last_epoch() > total_iters_) return lr;\n  const double total", "if (starting_ || last_epoch() >= total_iters_) return lr;\n  const double total", "PolynomialLR does not reach its end", ("py:test_cpp_optim.py test_optim.py", "cpp:*chedul*:Optim*", "py:test_corners.py -k polynomial")),
    "strided-parameter": Mutation("src/optim/step.cpp", "copy_(copy, p);\n    kept_.push_back(copy);\n    copy_back_.push_back({p, copy});", "copy_(copy, p);\n    kept_.push_back(copy);", "a parameter with gaps in memory is never written", ("py:test_optim.py", "cpp:Optim*:*ptim*", "py:test_corners.py -k gaps")),
    # ---- random numbers
    "uniform-top": Mutation("src/ops/random.cpp", "return (std::ceil(x / step) - 1) * step;", "return std::ceil(x / step) * step;", "uniform numbers reach the upper end", ("py:test_random.py",)),
    "philox-key": Mutation("src/ops/cpu/random.cpp", "k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) keys", "k0 += 0x9E3779B9u, k1 += 0xBB67AE84u) keys", "another generator than Philox", ("py:test_random.py", "cpp:*andom*")),
    # ---- loaders
    "safetensors-tail": Mutation("src/io/safetensors.cpp", "if (at != data_bytes) bad(\"there is data that belongs to no tensor\");", "", "a file with data behind its tensors is taken", ("cpp:*afetensors*:*Files*", "py:test_serialization.py")),
    "zip-checksum": Mutation("src/io/zip.cpp", "if (crc32({static_cast<const char*>(to), e.size}) != e.crc) bad(\"\\\"\" + e.name + \"\\\" is damaged: its checksum is wrong\");", "", "a damaged checkpoint is taken", ("cpp:TorchFile*:Files*:Npz*", "py:test_torch_files.py")),
    "batch-seed": Mutation("src/io/loader.cpp", "at(k).generator.manual_seed(seed + uint64_t(k));", "at(k).generator.manual_seed(seed);", "every batch draws the same random numbers", ("cpp:Data*",)),
}
