"""First and second derivatives of every differentiable op sample against central differences, in float64 and, where the row says
so, in complex128.

Each check projects onto fixed random directions: <v, f(x + eps u) - f(x - eps u)> / 2 eps must equal <J^T v, u>. Two
evaluations an input instead of two an element, and as sharp: a wrong entry is missed with probability zero. Products of complex
numbers are Re(conj(a) b): that is what the gradient dL/d(re) + i dL/d(im) means.
"""
import numpy as np
import pytest
import tapegrad

from op_samples import RANDOM, Call, all_samples, direction, function_of, gradients, load_rows, run, tensors_of, to_numpy

SAMPLES = [s for s in all_samples(load_rows(tapegrad._C.op_table()))
           if s.row["differentiable"] and s.name not in RANDOM and s.name[0] != "_" and "padding_idx" not in s.text]
CASES = [(s, d) for s in SAMPLES for d in ("float64", "complex128") if d == "float64" or s.row["complex"]]
EPS = 1e-6  # padding_idx: embedding leaves that row's gradient out on purpose


def project(sample, tensors, salt):
    """sum(direction * t) over the tensors, in NumPy."""
    return sum(dot(direction(sample, f"{salt}.{k}", tuple(t.shape), t.is_complex()), to_numpy(t)) for k, t in enumerate(tensors))


def dot(a, b):
    return float(np.vdot(a, b).real)


def differences(value, inputs, sample):
    """Central difference of value() in a fixed direction of each input, and those directions."""
    for i, x in enumerate(inputs):
        u = direction(sample, f"u{i}", tuple(x.shape), x.is_complex())
        step = tapegrad.from_numpy(np.array(EPS * u)).to(x.dtype)
        original = x.detach().clone()
        with tapegrad.no_grad():
            x.copy_(original + step)
        up = value()
        with tapegrad.no_grad():
            x.copy_(original - step)
        down = value()
        with tapegrad.no_grad():
            x.copy_(original)
        yield i, u, (up - down) / (2 * EPS)


def check(value, grads, inputs, sample, what):
    for i, u, expected in differences(value, inputs, sample):
        if grads[i] is None:  # an argument that is not differentiated, as a class weight: golden values say so too
            continue
        got = dot(to_numpy(grads[i]), u)
        scale = 1 + abs(expected) + float(np.abs(to_numpy(grads[i])).sum())
        assert abs(got - expected) <= 2e-6 * scale, f"{what} of {sample.repro}, input {i}: tape {got}, differences {expected}"


WIDE = (tapegrad.float64, tapegrad.complex128)


@pytest.fixture
def function(sample):
    return function_of(tapegrad, sample.row)


def differentiable(sample, result):
    """Casts to narrower floats are steps to differences; golden values have their gradients."""
    return [t for t in tensors_of(tapegrad, result) if t.requires_grad and t.dtype in WIDE]


@pytest.mark.parametrize("sample, dtype", CASES, ids=lambda v: v if isinstance(v, str) else v.id)
def test_op_gradcheck(sample, dtype, function):
    call = Call(tapegrad, sample.tree(), dtype=dtype)
    inputs = [x for x in call.inputs if x.dtype in WIDE and x.numel() > 0]
    outputs = differentiable(sample, run(function, sample, call))
    if not inputs or not outputs:
        return
    grads = gradients(tapegrad, sample, outputs, inputs)

    def value():
        return project(sample, differentiable(sample, run(function, sample, call)), 0)

    check(value, grads, inputs, sample, "gradient")


@pytest.mark.parametrize("sample, dtype", CASES, ids=lambda v: v if isinstance(v, str) else v.id)
def test_op_gradgradcheck(sample, dtype, function):
    call = Call(tapegrad, sample.tree(), dtype=dtype)
    inputs = [x for x in call.inputs if x.dtype in WIDE and x.numel() > 0]
    outputs = differentiable(sample, run(function, sample, call))
    if not inputs or not outputs:
        return

    def first(create_graph):
        out = differentiable(sample, run(function, sample, call))
        return [g for g in gradients(tapegrad, sample, out, inputs, create_graph=create_graph) if g is not None]

    grads = first(True)
    seconds = gradients(tapegrad, sample, grads, inputs, salt="second")

    def value():
        return project(sample, [g for g, keep in zip(first(False), kept) if keep], "second")

    kept = [g.requires_grad for g in grads]
    check(value, seconds, inputs, sample, "second gradient")
