"""The op table is complete: every promised op has a row, and every row has what users and tests need."""
import pathlib
import re

import pytest
import tapegrad

from op_samples import evaluate, load_rows, named

ROWS = load_rows(tapegrad._C.op_table())
NAMES = {r["name"] for r in ROWS} | {a for r in ROWS for a in r["aliases"]}
NAMES |= {r["name"] + "_" for r in ROWS if r["inplace"]} | {a + "_" for r in ROWS if r["inplace"] for a in r["aliases"]}
HEADERS = pathlib.Path(__file__).parent.parent.parent / "include" / "tapegrad"
OPS_H = "".join(p.read_text() for p in sorted(HEADERS.glob("*.h")))

# The first slice, by name.
ARITHMETIC = """add sub mul div floor_divide remainder fmod pow neg abs true_divide eq ne lt le gt ge
    logical_and logical_or logical_xor logical_not bitwise_and bitwise_or bitwise_xor bitwise_not
    add_ sub_ mul_ div_ floor_divide_ remainder_ fmod_ pow_ neg_ abs_"""
ELEMENTWISE = """abs acos acosh asin asinh atan atan2 atanh ceil copysign cos cosh deg2rad digamma erf erfc erfinv exp exp2
    expm1 floor fmax fmin frac hypot isfinite isinf isnan lgamma log log10 log1p log2 logaddexp logaddexp2 logit maximum
    minimum neg positive rad2deg reciprocal round rsqrt sigmoid sign signbit sin sinc sinh sqrt square tan tanh trunc xlogy
    relu relu6 leaky_relu elu selu celu gelu silu mish softplus softsign hardtanh hardsigmoid hardswish hardshrink
    softshrink tanhshrink logsigmoid threshold prelu glu nan_to_num where clamp clamp_min clamp_max lerp addcmul addcdiv
    masked_fill isclose"""
REDUCTIONS = """sum mean prod max min argmax argmin amax amin var std norm logsumexp all any cumsum cumprod count_nonzero"""
SHAPE = """view reshape flatten unflatten transpose permute squeeze unsqueeze expand repeat cat stack split chunk unbind
    narrow select flip roll movedim tile broadcast_to diagonal tril triu unfold"""
INDEXING = """gather scatter scatter_add index_select index_add take nonzero masked_select sort argsort topk unique one_hot
    embedding index_put_"""
PRODUCTS = "matmul mm bmm mv dot outer addmm einsum linear"
NETWORK = """conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d max_pool1d max_pool2d max_pool3d
    avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d
    adaptive_max_pool2d softmax log_softmax cross_entropy nll_loss mse_loss l1_loss smooth_l1_loss huber_loss
    binary_cross_entropy binary_cross_entropy_with_logits kl_div layer_norm batch_norm group_norm instance_norm rms_norm
    dropout scaled_dot_product_attention pad interpolate"""
CREATION = """zeros ones full zeros_like ones_like full_like arange linspace logspace eye rand randn randint randperm
    rand_like randn_like bernoulli multinomial normal uniform_ normal_ bernoulli_ random_ exponential_"""
MEMORY = "clone contiguous copy_ fill_ zero_ to detach"
# Reached as methods and attributes of the hand-written Tensor type or the module, without a row of their own.
BUILT_IN = {"to", "detach"}
PROMISED = sorted(set(" ".join([ARITHMETIC, ELEMENTWISE, REDUCTIONS, SHAPE, INDEXING, PRODUCTS, NETWORK, CREATION,
                                MEMORY]).split()))


@pytest.mark.parametrize("name", PROMISED)
def test_promised_op_has_a_row(name):
    assert name in NAMES or name in BUILT_IN and hasattr(tapegrad.Tensor, name)


@pytest.mark.parametrize("row", ROWS, ids=lambda r: f"{r['name']}.{r['overload']}")
def test_row_is_complete(row):
    assert row["signature"].startswith(row["name"] + "(")
    assert len(row["doc"]) > 8 and any(c in row["doc"] for c in ".?"), f"no doc sentence: {row['doc']!r}"
    if row["name"][0] != "_":
        assert row["samples"], "no sample"
    for text in row["samples"]:
        evaluate(row["name"], text)
    assert row["method"] or row["function"] or row["functional"]


# Python's words for what C++ says otherwise: to(x, float32), full(…, x.dtype()), transpose, …
ONLY_PYTHON = set("""bool byte char short int long half bfloat16 float double cpu type_as new_empty new_full new_ones new_zeros
    empty empty_like empty_strided empty_permuted new_empty_strided scalar_tensor range fill argwhere moveaxis swapaxes swapdims split_with_sizes vdot chain_matmul constant_pad_nd
    fold fft2 ifft2 rfft2 irfft2 hfft2 ihfft2""".split())


def test_rows_are_declared_in_ops_h():
    header = OPS_H
    declared = set(re.findall(r"\b(\w+)\(", header))
    names = {r["name"].rpartition(".")[2].removeprefix("special_") for r in ROWS if r["name"][0] != "_"}  # special::NAME in C++
    missing = sorted(names - declared - ONLY_PYTHON)
    assert not missing, f"rows without a declaration in the public headers: {missing}"


def test_in_place_forms_are_declared_in_ops_h():
    declared = set(re.findall(r"\b(\w+_)\(", OPS_H))
    missing = sorted({r["name"] + "_" for r in ROWS if r["inplace"] and r["name"] not in ONLY_PYTHON} - declared)
    assert not missing, f"in-place forms without a declaration in ops.h: {missing}"


@pytest.mark.parametrize("row", ROWS, ids=lambda r: f"{r['name']}.{r['overload']}")
def test_row_is_reachable_and_documented(row):
    places = []
    if row["function"] and row["name"][0] != "_":
        places.append(named(tapegrad, row["name"]))
    if row["functional"]:
        places.append(getattr(tapegrad.nn.functional, row["name"]))
    if row["method"]:
        places.append(getattr(tapegrad.Tensor, row["name"]))
        if row["inplace"]:
            assert hasattr(tapegrad.Tensor, row["name"] + "_")
    for f in places:
        assert f.__doc__, f"{row['name']} has no help text"
