"""Every optimiser and schedule in C++ against Python's: parameters, losses and rates over some steps, bit by bit.

tests/optim/every_optimizer.cpp, built with the C++ tests, takes the steps and writes a file; each entry says which Python
expression makes the same optimiser or schedule.
"""
import warnings

import cpp_program
import pytest
import tapegrad as tg
from tapegrad import optim
from tapegrad.optim import lr_scheduler, swa_utils

pytestmark = cpp_program.needs("every_optimizer")

# What Python has and C++ not, and why.
ONLY_PYTHON = {"Optimizer": "the base class; C++ has one, too", "SparseAdam": "it refuses: there are no sparse tensors",
               "LRScheduler": "the base class; C++ has one, too"}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return cpp_program.written_by("every_optimizer", tmp_path_factory.mktemp("cpp"))


def problem():
    tg.manual_seed(3)
    a, b, c = tg.randn(3, 4, requires_grad=True), tg.randn(5, requires_grad=True), tg.randn(4, 2)
    return a, b, lambda: (a - 1).square().sum() + (b * b * b * b).sum() + tg.matmul(a, c).cos().sum()


def same(a, b):
    return a.dtype == b.dtype and a.detach().numpy().tobytes() == b.detach().numpy().tobytes()


def test_optimizers(written):
    tensors, texts = written
    problems = []
    for key, expression in texts.items():
        if not key.endswith(".optimizer"):
            continue
        prefix = key[:-len("optimizer")]
        a, b, loss_of = problem()
        opt = eval(expression, {**{n: getattr(optim, n) for n in dir(optim)}, "params": [a] if expression.startswith("Muon") else [a, b]})

        def closure():
            opt.zero_grad()
            loss = loss_of()
            loss.backward()
            return loss
        for k in range(7):
            loss = opt.step(closure)
            problems += [f"{expression}: {name} differs after step {k + 1}" for name, t in (("a", a), ("b", b), ("loss", loss))
                         if not same(tensors[f"{prefix}{name}{k}"], t)]
    assert not problems, "\n".join(problems)


def test_schedules(written):
    tensors, texts = written
    problems = []
    for key, expression in texts.items():
        if not key.endswith(".schedule"):
            continue
        prefix = key[:-len("schedule")]
        a, b, _ = problem()
        opt = eval(texts[prefix + "of"], {"SGD": optim.SGD, "Adam": optim.Adam, "a": a, "b": b})
        rows = []

        def note():
            for group in opt.param_groups:
                rows.extend((float(group["lr"]), group["betas"][0] if "betas" in group else group["momentum"]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            schedule = eval(expression, {**vars(lr_scheduler), "SWALR": swa_utils.SWALR, "opt": opt})
            note()
            for k in range(30):
                opt.step()
                schedule.step(*((float(k * 7 % 5),) if expression.startswith("ReduceLROnPlateau") else ()))
                note()
        if rows != tensors[prefix + "rows"].tolist():
            at = next(i for i, (x, y) in enumerate(zip(rows, tensors[prefix + "rows"].tolist())) if x != y)
            problems.append(f"{expression}: differs at step {at // 4}: {tensors[prefix + 'rows'][at].item()!r}, in Python {rows[at]!r}")
    assert not problems, "\n".join(problems)


def test_averages(written):
    tensors, texts = written
    for key, expression in texts.items():
        if not key.endswith(".average"):
            continue
        prefix = key[:-len("average")]
        tg.manual_seed(1)
        model = tg.nn.Sequential(tg.nn.Linear(3, 4), tg.nn.BatchNorm1d(4))
        average = eval(expression, {**vars(swa_utils), "model": model})
        for k in range(4):
            average.update_parameters(model)
            with tg.no_grad():
                for p in model.parameters():
                    p.add_(0.3 * k)
        state = average.state_dict()
        assert set(state) == {k[len(prefix):] for k in tensors if k.startswith(prefix)}
        assert all(same(tensors[prefix + name], t) for name, t in state.items()), expression


def test_none_is_missing(written):
    _, texts = written
    classes = {n for n in dir(optim) if isinstance(getattr(optim, n), type)} | {n for n in lr_scheduler.__all__} | {"SWALR"}
    cpp = {expression.split("(")[0] for key, expression in texts.items() if key.endswith((".optimizer", ".schedule"))}
    assert classes - cpp == set(ONLY_PYTHON)
