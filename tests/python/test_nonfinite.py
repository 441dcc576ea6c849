"""autograd.detect_nonfinite: the first op that makes a NaN or an infinity, in any op of the table, forward and backward."""
import threading
import warnings

import numpy as np
import pytest
import tapegrad as tg
import tapegrad.nn.functional as F
from op_samples import RANDOM, Call, all_samples, flat, function_of, leaves, load_rows, run_raw


def line_of(text):
    with open(__file__) as f:
        return next(i for i, line in enumerate(f, 1) if text in line and "line_of" not in line)


def test_forward_names_op_line_module_and_ranges():
    class Net(tg.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Inner()

        def forward(self, x):
            return self.inner(x * 2)

    class Inner(tg.nn.Module):
        def forward(self, x):
            return tg.log(x - 2)  # makes it

    with tg.autograd.detect_nonfinite():
        with pytest.raises(tg.GradError) as error:
            Net()(tg.tensor([[1.0, 2.0], [3.0, 0.5]]))
    text = str(error.value)
    assert "log made float32[2, 2]" in text and "1 nan, 1 inf of 4" in text and "in Net.inner" in text
    assert f"test_nonfinite.py:{line_of('# makes it')} in forward" in text and "from -1 to 4" in text


def test_backward_names_the_node_and_its_forward():
    x = tg.tensor([0.0, 4.0], requires_grad=True)
    with tg.autograd.detect_nonfinite():
        loss = tg.sqrt(x).sum()  # its gradient does
        with pytest.raises(tg.GradError) as error:
            loss.backward()
    text = str(error.value)
    assert "the backward of SqrtBackward0 made" in text and f":{line_of('# its gradient does')}" in text and "1 inf of 2" in text
    assert "gradient that it got: float32[2]" in text and "from 1 to 1" in text


def test_an_op_that_was_given_nan_is_not_the_culprit():
    bad = tg.tensor([float("nan"), 1.0, float("inf")])
    with tg.autograd.detect_nonfinite():
        for f in (tg.relu, tg.exp, tg.log, lambda t: t * 2, lambda t: t + t, lambda t: tg.maximum(t, -t), lambda t: t.sum(), lambda t: tg.softmax(t, 0),
                  lambda t: t.masked_fill(t > 0, float("inf")), lambda t: tg.where(t > 0, t, float("-inf")), lambda t: t.max()):
            f(bad)
        scores = tg.randn(4, 4).masked_fill(tg.ones(4, 4).triu(1).bool(), float("-inf"))
        assert tg.softmax(scores, -1).isfinite().all()
        tg.full((3,), float("nan")), tg.tensor(float("inf"))


def test_writing_over_the_argument_hides_nothing():
    def power():
        x = tg.tensor([-1.0])
        x **= 0.5

    def divided(x):
        x /= 0

    nan = float("nan")
    with tg.autograd.detect_nonfinite():
        for f, op in ((lambda: tg.tensor([-1.0]).log_(), "log_"), (power, "pow_"), (lambda: divided(tg.ones(2)), "div_"),
                      (lambda: divided(tg.ones(2, requires_grad=True) * 1), "div_"), (lambda: tg.sqrt(tg.tensor([-1.0]), out=tg.empty(1)), "sqrt")):
            with pytest.raises(tg.GradError, match=f"{op} made float32"):
                f()
        for f in (lambda: tg.tensor([nan]).log_(), lambda: tg.tensor([nan], dtype=tg.float16).mul_(2), lambda: divided(tg.tensor([nan])),
                  lambda: tg.tensor([1.0]).mul_(tg.tensor([nan])), lambda: tg.sqrt(tg.tensor([nan]), out=tg.empty(1))):
            f()


def test_what_an_op_updates_beside_its_result_hides_nothing():
    large, nan = tg.tensor([[3e38], [-3e38], [3e38], [-3e38]]), float("nan")

    def over_itself(f, values):
        x = tg.tensor(values)
        f(x, out=x)

    def over_a_neighbour(values):
        x = tg.tensor(values)
        x[:2].div_(x[1:])

    with tg.autograd.detect_nonfinite():
        for f, op in ((lambda: F.batch_norm(large, tg.zeros(1), tg.ones(1), training=True), "batch_norm"), (lambda: over_itself(tg.sqrt, [-1.0]), "sqrt"),
                      (lambda: over_itself(tg.log, [-1.0]), "log"), (lambda: over_a_neighbour([1.0, 0.0, 0.0]), "div_")):
            with pytest.raises(tg.GradError, match=f"{op} made float32"):
                f()
        for f in (lambda: over_itself(tg.sqrt, [nan]), lambda: over_itself(tg.log, [nan]), lambda: over_a_neighbour([1.0, 1.0, nan]),
                  lambda: F.batch_norm(large * nan, tg.zeros(1), tg.ones(1), training=True)):
            f()


def test_the_message_of_an_op_shows_each_argument_once():
    with tg.autograd.detect_nonfinite(), pytest.raises(tg.GradError) as error:
        tg.log(tg.tensor([-1.0]))
    assert [line.split(":")[0].split(" /")[0] for line in str(error.value).split("\n")] == ["detect_nonfinite", "  at", "  argument 1"]


def test_a_node_that_was_given_nan_is_not_the_culprit_when_others_run_inside():
    class Inside(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            with tg.enable_grad():
                (tg.ones(1, requires_grad=True) * 2).sum().backward()
            return g * 2

    x = tg.ones(1, dtype=tg.float16, requires_grad=True)
    with tg.autograd.detect_nonfinite():
        Inside.apply(x).backward(tg.tensor([float("nan")], dtype=tg.float16))


def test_the_innermost_says_whether_it_is_an_error():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with tg.autograd.detect_nonfinite(warn=True):
            with pytest.raises(tg.GradError), tg.autograd.detect_nonfinite():
                tg.ones(2) / 0
            assert not seen
            tg.ones(2) / 0
            assert len(seen) == 1


def test_warns_instead_and_goes_on():
    with tg.autograd.detect_nonfinite(warn=True), warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        y = tg.ones(3, requires_grad=True) / 0
        (y * 2).sum().backward()
    assert "div made" in str(seen[0].message)


def test_workers_of_the_pool_tell_too():
    before = tg.get_num_threads()
    try:
        for n in (1, 2, 4):
            tg.set_num_threads(n)
            x = tg.ones(3_000_000)
            x[2_999_999] = -1
            with tg.autograd.detect_nonfinite(), pytest.raises(tg.GradError, match="log made"):
                tg.log(x)
            x[:] = 1
            x[5] = -1
            with tg.autograd.detect_nonfinite(), pytest.raises(tg.GradError, match="log made"):
                tg.log(x)
    finally:
        tg.set_num_threads(before)


def test_other_threads_are_watched():
    caught = []

    def work():
        try:
            tg.ones(2) / 0
        except tg.GradError as e:
            caught.append(str(e))
    with tg.autograd.detect_nonfinite():
        t = threading.Thread(target=work)
        t.start()
        t.join()
    assert caught and "div made" in caught[0]


def test_nothing_is_watched_afterwards():
    with tg.autograd.detect_nonfinite():
        pass
    assert (tg.ones(2) / 0).isinf().all()


# ---- every op of the table

# (the largest number, one whose exponential overflows, one below the normal ones)
EDGES = {"float16": (6e4, 12.0, 6e-8), "bfloat16": (3e38, 120.0, 1e-40), "float32": (3e38, 120.0, 1e-40), "float64": (1.7e308, 800.0, 5e-324)}
SAMPLES = [s for s in all_samples(load_rows(tg._C.op_table())) if s.name not in RANDOM and s.name[0] != "_"]
# What makes no numbers: it hands on what is written in its arguments, or says what a dtype or memory holds.
HANDS_ON = {"nan_to_num", "nan_to_num_", "full", "full_like", "new_full", "fill_", "fill", "frombuffer", "empty_quantized", "resize_"}
# Here two finite gradients of one tensor have an infinite sum, which no node has made.
SUMS = {"grid_sample", "linalg.cross"}
HALVES = {"float16", "bfloat16"}


def extremes(dtype):
    large, exponent, tiny = EDGES[dtype]
    mixed = {"mixed": [0.0, 1.0, -1.0, large, -large, exponent, -exponent, tiny]}
    if dtype in HALVES:  # every result is looked through, so fewer will do
        return mixed
    return {"zero": [0.0], "negative": [-1.0], **mixed, "large": [large], "minus large": [-large]}


def extreme_call(sample, values, dtype):
    tree = sample.tree()
    for leaf in leaves(tree):
        if leaf.kind == "float" and leaf.array.size:
            leaf.array = np.resize(np.array(values), leaf.array.shape).astype(leaf.array.dtype)
    with np.errstate(over="ignore"):  # a sample may have a smaller dtype of its own
        return Call(tg, tree, dtype=dtype)


def nonfinite(tensors):
    return any(t.numel() and (t.is_floating_point() or t.is_complex()) and not t.isfinite().all().item() for t in tensors)


def outcome(sample, values, dtype, backward):
    """Did finite arguments give what is not finite? And did the search say so?"""
    def attempt(watch):
        try:
            call = extreme_call(sample, values, dtype)
            given = [t for t in flat(list(call.args) + list(call.kwargs.values())) if isinstance(t, tg.Tensor)]
            if nonfinite(given):
                return None
            if watch and not backward:
                with tg.autograd.detect_nonfinite():
                    run_raw(function_of(tg, sample.row), sample, call)
                return False
            outs = [t for t in flat(run_raw(function_of(tg, sample.row), sample, call)) if isinstance(t, tg.Tensor)]
            if not backward:
                return nonfinite(outs)
            outs = [o for o in outs if o.requires_grad and o.is_floating_point()]
            if not outs or nonfinite(outs):
                return None
            leaves_ = [t for t in given if t.requires_grad]
            seeds = [tg.ones_like(o) for o in outs]
            if watch:
                with tg.autograd.detect_nonfinite():
                    tg.autograd.grad(outs, leaves_, seeds, allow_unused=True)
                return False
            return nonfinite([g for g in tg.autograd.grad(outs, leaves_, seeds, allow_unused=True) if g is not None])
        except tg.GradError as e:
            return "detect_nonfinite" in str(e) or None
        except (RuntimeError, ValueError, IndexError, TypeError):
            return None
    plain = attempt(False)
    return plain, attempt(True) if plain is not None else None


@pytest.mark.parametrize("dtype", EDGES)
@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
def test_every_op_that_makes_one_is_found(backward, dtype):
    missed, found = set(), 0
    for sample in SAMPLES:
        if sample.name in HANDS_ON or (backward and sample.name in SUMS) or "inf" in sample.text or "nan" in sample.text:
            continue
        for name, values in extremes(dtype).items():
            plain, watched = outcome(sample, values, dtype, backward)
            if plain is True and watched is False:
                missed.add((sample.name, name))
            found += plain is True and watched is True
    assert not missed, sorted(missed)
    assert found > (80 if backward else 300) / (5 if dtype in HALVES else 1), found


def test_finite_samples_are_no_hits():
    tried = 0
    for sample in SAMPLES:
        try:
            plain = [t for t in flat(run_raw(function_of(tg, sample.row), sample, Call(tg, sample.tree()))) if isinstance(t, tg.Tensor)]
        except (RuntimeError, TypeError):
            continue
        if nonfinite(plain):
            continue
        tried += 1
        call = Call(tg, sample.tree())
        with tg.autograd.detect_nonfinite():
            outs = [t for t in flat(run_raw(function_of(tg, sample.row), sample, call)) if isinstance(t, tg.Tensor) and t.requires_grad]
            if outs:
                tg.autograd.grad(outs, [t for t in flat(list(call.args)) if isinstance(t, tg.Tensor) and t.requires_grad] or outs, [tg.ones_like(o) for o in outs],
                                 allow_unused=True)
    assert tried > 0.9 * len(SAMPLES), (tried, len(SAMPLES))
