"""PyTorch's own operator database against tapegrad: which of its ops and dtypes are not here, and which give other results.

    pip install expecttest; python tests/parity/opinfo_gaps.py [-k WORD] [--samples 6] [--dtypes float32,complex64]

Prints one line for each op and finding, and the counts. A tool to look for gaps, not a test: `make parity` is that.
"""
import argparse
import collections
import sys
import warnings

import tapegrad
import torch
from torch.testing._internal.common_methods_invocations import op_db

# Of other products of PyTorch: masked and nested tensors, its compiler, its own internals.
OUT_OF_SCOPE = ("masked.", "to_sparse", "sparse.", "_", "jiterator", "native_", "svd_lowrank_sparse", "ops.aten.", "torch.ops.")
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.complex64, torch.complex128, torch.int64, torch.int32, torch.int16,
          torch.int8, torch.uint8, torch.bool]
TOLERANCE = {torch.float32: (1e-4, 1e-4), torch.complex64: (1e-4, 1e-4), torch.float16: (2e-2, 2e-2), torch.bfloat16: (1e-1, 1e-1)}
# Their sample's order of arguments is that of a lambda of PyTorch's tests; results of these are not unique, or have no defined value.
SPELLED = {"polygamma": lambda x, n, **k: tapegrad.polygamma(n, x, **k), "special.polygamma": lambda x, n, **k: tapegrad.special.polygamma(n, x, **k),
           "einsum": lambda tensors, equation: tapegrad.einsum(equation, tensors),
           "where": lambda x, condition, other, **k: tapegrad.where(condition, x, other, **k),
           "nn.functional.embedding": lambda weight, idx, **k: tapegrad.nn.functional.embedding(idx, weight, **k),
           "nn.functional.embedding_bag": lambda weight, idx, **k: tapegrad.nn.functional.embedding_bag(idx, weight, **k),
           "linalg.pinv": lambda a, *rest, **k: tapegrad.linalg.pinv(a @ rest[0].mT if rest and isinstance(rest[0], tapegrad.Tensor) else a, **k),
           "svd_lowrank": lambda a, *rest, **k: tapegrad.svd_lowrank(a @ rest[0].mT if rest else a, **k),
           "pca_lowrank": lambda a, *rest, **k: tapegrad.pca_lowrank(a @ rest[0].mT if rest else a, **k),
           "zero_": lambda x: tapegrad.zero_(x.clone())}
PROPERTIES = ("T", "H", "mT", "mH", "real", "imag")
NOT_UNIQUE = ("sort", "argsort", "msort", "topk", "mode", "svd", "linalg.svd", "linalg.eig", "linalg.eigh", "linalg.eigvals", "svd_lowrank",
              "pca_lowrank", "kthvalue", "empty_like", "new_empty",
              "new_empty_strided", "nn.functional.multi_head_attention_forward", "nn.functional.feature_alpha_dropout")
RANDOM = ("rand", "normal", "bernoulli", "multinomial", "dropout", "empty", "uniform", "exponential", "cauchy", "geometric", "log_normal", "rrelu",
          "fractional_max", "scaled_dot")


def resolve(op):
    """tapegrad's function for an OpInfo: by its name, the names of its aliases, or a method."""
    if op.name in SPELLED and op.variant_test_name in ("", "singular") or op.name.endswith("polygamma"):
        return SPELLED[op.name]
    if op.name in PROPERTIES:
        return lambda x: getattr(x, op.name)
    for name in (op.name, *(a.name for a in op.aliases)):
        thing = tapegrad
        try:
            for part in name.split("."):
                thing = getattr(thing, part)
            return getattr(tapegrad.Tensor, name) if isinstance(thing, tapegrad.dtype) else thing
        except AttributeError:
            method = getattr(tapegrad.Tensor, name, None) or getattr(tapegrad.Tensor, name + "_", None)
            if method is not None:
                return method
    return None


def converted(x):
    """A tensor, dtype, or a nest of them, as tapegrad's."""
    if isinstance(x, torch.Tensor):
        if x.layout != torch.strided:
            raise NotImplementedError("sparse")
        flat = x.detach().resolve_conj().resolve_neg()
        if x.dtype == torch.bfloat16:
            out = tapegrad.from_numpy(flat.view(torch.int16).numpy()).view(tapegrad.bfloat16)
        else:
            out = tapegrad.from_numpy(flat.numpy())
        return out.requires_grad_() if x.requires_grad else out
    if isinstance(x, (torch.dtype, torch.memory_format)):
        return getattr(tapegrad, str(x).rpartition(".")[2])
    if isinstance(x, torch.device):
        return tapegrad.device(str(x))
    if isinstance(x, torch.Size):
        return tapegrad.Size(x)
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return tuple(converted(y) for y in x)
    if isinstance(x, (list, tuple)):
        return type(x)(converted(y) for y in x)
    if isinstance(x, dict):
        return {k: converted(v) for k, v in x.items()}
    return x


def tensors(x, kind):
    if isinstance(x, kind):
        return [x]
    if isinstance(x, dict):
        x = list(x.values())
    return [t for y in x for t in tensors(y, kind)] if isinstance(x, (list, tuple)) else []


def differ(ours, theirs, dtype):
    """What is different between a tensor and PyTorch's, or None."""
    if str(ours.dtype).rpartition(".")[2] != str(theirs.dtype).rpartition(".")[2]:
        return f"dtype {ours.dtype}, PyTorch {theirs.dtype}"
    if tuple(ours.shape) != tuple(theirs.shape):
        return f"shape {tuple(ours.shape)}, PyTorch {tuple(theirs.shape)}"
    ours = ours.detach().resolve_conj()
    if theirs.dtype == torch.bfloat16:
        ours = torch.from_numpy(ours.float().numpy()).bfloat16()
    else:
        ours = torch.from_numpy(ours.numpy())
    rtol, atol = TOLERANCE.get(theirs.dtype if dtype not in TOLERANCE else dtype, (1e-7, 1e-7))
    try:
        torch.testing.assert_close(ours, theirs.detach().resolve_conj().resolve_neg(), rtol=rtol, atol=atol, equal_nan=True, check_stride=False)
    except AssertionError as e:
        return "value: " + " ".join(str(e).split())[:120]


def check_sample(op, ours, sample, dtype, grad):
    """Raises AssertionError("what: detail")."""
    args = [sample.input, *sample.args]
    mine, kwargs = converted(args), converted(sample.kwargs)
    theirs = op.op(*args, **sample.kwargs)  # first, for what PyTorch refuses
    try:
        result = ours(*mine, **kwargs)
    except Exception as e:
        raise AssertionError(f"forward: {type(e).__name__}: {e}") from None
    if op.name in NOT_UNIQUE or op.name.startswith(RANDOM) or op.name.rpartition(".")[2].startswith(RANDOM):
        return
    a, b = tensors(result, tapegrad.Tensor), tensors(theirs, torch.Tensor)
    if len(a) != len(b):
        raise AssertionError(f"results: {len(a)}, PyTorch has {len(b)}")
    for x, y in zip(a, b):
        if found := differ(x, y, dtype):
            raise AssertionError(found)
    if not grad:
        return
    if sample.output_process_fn_grad is not None:
        try:
            b2 = tensors(sample.output_process_fn_grad(theirs), torch.Tensor)
            keep = [k for k, y in enumerate(b) if any(y is z for z in b2)] if b2 and all(any(y is z for y in b) for z in b2) else range(len(b))
        except Exception:
            keep = range(len(b))
        a, b = [a[k] for k in keep], [b[k] for k in keep]
    pairs = [(x, y) for x, y in zip(a, b) if y.requires_grad]
    if not pairs:
        return
    wrt = [t for t in tensors(args, torch.Tensor) + tensors(sample.kwargs, torch.Tensor) if t.requires_grad]
    wrt_mine = [t for t in tensors(mine, tapegrad.Tensor) + tensors(kwargs, tapegrad.Tensor) if t.requires_grad]
    seeds = [torch.ones_like(y) + 0.25 * torch.arange(y.numel()).remainder(3).reshape(y.shape).to(y.dtype) for _, y in pairs]
    try:
        gb = torch.autograd.grad([y for _, y in pairs], wrt, seeds, allow_unused=True)
    except RuntimeError:
        return
    if not all(x.requires_grad for x, _ in pairs):
        raise AssertionError("backward: a result does not require grad")
    try:
        ga = tapegrad.autograd.grad([x for x, _ in pairs], wrt_mine, converted([s.detach() for s in seeds]), allow_unused=True)
    except Exception as e:
        raise AssertionError(f"backward: {type(e).__name__}: {e}") from None
    for x, y in zip(ga, gb):
        if x is None and y is None:
            continue
        x = tapegrad.zeros_like(converted(y.detach())) if x is None else x
        y = torch.zeros_like(torch.from_numpy(x.float().numpy() if x.dtype == tapegrad.bfloat16 else x.numpy())).to(dtype) if y is None else y
        if found := differ(x, y, dtype):
            raise AssertionError("gradient " + found)


def check(op, ours, dtype, count):
    """The findings of one op and dtype: {first words: detail}."""
    grad = dtype in op.backward_dtypes and op.supports_autograd and (dtype.is_floating_point or dtype.is_complex)
    found = collections.OrderedDict()
    torch.manual_seed(0)
    samples = list(op.sample_inputs("cpu", dtype, requires_grad=grad))
    for sample in samples[::max(1, len(samples) // count)]:
        try:
            check_sample(op, ours, sample, dtype, grad)
        except AssertionError as e:
            found.setdefault(str(e).split(":")[0].split(" ")[0], str(e))
        except (NotImplementedError, RuntimeError, TypeError, ValueError, IndexError):
            pass  # PyTorch refuses the sample itself
    return found


def lacks_out(op, ours):
    """Does PyTorch's function take out= for the first float32 sample, and ours not?"""
    for sample in list(op.sample_inputs("cpu", torch.float32))[:3]:
        args = [sample.input, *sample.args]
        try:
            results = tensors(op.op(*args, **sample.kwargs), torch.Tensor)
            outs = [torch.empty_like(r) for r in results]
            op.op(*args, **sample.kwargs, out=outs[0] if len(outs) == 1 else tuple(outs))
        except Exception:
            continue
        mine = [tapegrad.empty(tuple(r.shape), dtype=getattr(tapegrad, str(r.dtype)[6:])) for r in results]
        try:
            ours(*converted(args), **converted(sample.kwargs), out=mine[0] if len(mine) == 1 else tuple(mine))
        except Exception as e:
            return f"{type(e).__name__}: {' '.join(str(e).split())[:60]}"
        found = op.name not in NOT_UNIQUE and not op.name.startswith(RANDOM) and [f for x, y in zip(mine, results) if (f := differ(x, y, torch.float32))]
        return found[0] if found else None
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-k", default="")
    parser.add_argument("--exact", default="")
    parser.add_argument("--samples", type=int, default=6)
    parser.add_argument("--dtypes", default="")
    parser.add_argument("--progress", action="store_true")
    parser.add_argument("--out", action="store_true", help="only whether out= is taken where PyTorch takes it")
    parser.add_argument("--skip", type=int, default=0)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1), tapegrad.set_num_threads(1)
    dtypes = [getattr(torch, d) for d in args.dtypes.split(",")] if args.dtypes else DTYPES
    ops = [o for o in op_db if not o.name.startswith(OUT_OF_SCOPE) and args.k in o.name and (not args.exact or o.name in args.exact.split(","))][args.skip:]
    lacks, pairs, bad = [], 0, 0
    for op in ops:
        ours = resolve(op)
        if ours is None:
            lacks.append(op.name)
            continue
        if args.out:
            if op.supports_out and torch.float32 in op.dtypes:
                pairs += 1
                if found := lacks_out(op, ours):
                    bad += 1
                    print(f"{op.name}({op.variant_test_name}): {found}", flush=True)
            continue
        by_finding = collections.OrderedDict()
        for dtype in dtypes:
            if dtype not in op.dtypes:
                continue
            pairs += 1
            if args.progress:
                print(op.name, dtype, file=sys.stderr, flush=True)
            found = check(op, ours, dtype, args.samples)
            bad += bool(found)
            for kind, detail in found.items():
                by_finding.setdefault(kind, []).append((str(dtype)[6:], detail))
        for kind, items in by_finding.items():
            label = op.name + (f"({op.variant_test_name})" if op.variant_test_name else "")
            print(f"{label}: {kind} [{' '.join(d for d, _ in items)}]: {' '.join(items[0][1].split())[:230]}", flush=True)
    print(f"{len(ops)} ops, {len(lacks)} not here: {' '.join(lacks)}")
    print(f"{pairs - bad} of {pairs} " + ("ops with out= take it" if args.out else "pairs of op and dtype agree"))


if __name__ == "__main__":
    sys.exit(main())
