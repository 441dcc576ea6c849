"""LBFGS, Muon and averaged models against torch.optim; state_dicts of all optimisers carried from one library to the other."""
import copy
import warnings

import numpy as np
import pytest
import tapegrad as tg
import torch
from test_optim_parity import OPTIMIZERS

ADAFACTOR = [("Adafactor", dict()), ("Adafactor", dict(lr=0.1, beta2_decay=-0.5, eps=(1e-3, 1e-2), d=2.0, weight_decay=0.1, maximize=True))]

pytestmark = pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad")
ROSENBROCK = [0.5, 2.0, 0.5, -0.3]


def rosenbrock(lib, x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def quadratic(lib, x):
    return (x * x * lib.tensor([1.0, 10.0, 3.0, 0.5], dtype=x.dtype)).sum() + x.sum()


def lbfgs(lib, loss, options, state=None, steps=4, start=ROSENBROCK, dtype="float64"):
    """What (parameters, losses, evaluations) become, step by step."""
    x = lib.tensor(start, dtype=getattr(lib, dtype)).requires_grad_()
    unused = lib.zeros(2, dtype=x.dtype).requires_grad_()
    opt, out = lib.optim.LBFGS([x, unused], **options), []
    if state is not None:
        opt.load_state_dict(state)

    def closure():
        opt.zero_grad()
        value = loss(lib, x)
        value.backward()
        return value
    for _ in range(steps):
        value = opt.step(closure)
        s = opt.state_dict()["state"].get(0, {})
        out.append(x.detach().tolist() + [float(value), s["func_evals"], s["n_iter"]])
    return out, opt, x


@pytest.mark.parametrize("loss", [rosenbrock, quadratic])
@pytest.mark.parametrize("options", [
    dict(lr=1e-3), dict(lr=0.002, max_iter=4, history_size=2), dict(line_search_fn="strong_wolfe"), dict(line_search_fn="strong_wolfe", max_iter=7, history_size=3),
    dict(line_search_fn="strong_wolfe", lr=20.0, max_eval=6), dict(line_search_fn="strong_wolfe", lr=0.01), dict(max_iter=1, lr=0.01),
    dict(line_search_fn="strong_wolfe", tolerance_grad=1e-2), dict(line_search_fn="strong_wolfe", tolerance_change=1e-2)], ids=str)
def test_lbfgs(loss, options):
    ours, theirs = lbfgs(tg, loss, options)[0], lbfgs(torch, loss, options)[0]
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-8)


def test_lbfgs_reaches_the_minimum():
    _, _, x = lbfgs(tg, rosenbrock, dict(line_search_fn="strong_wolfe", max_iter=100), steps=3)
    np.testing.assert_allclose(x.detach().numpy(), 1, atol=1e-5)
    _, _, x = lbfgs(tg, rosenbrock, dict(line_search_fn="strong_wolfe", max_iter=100), steps=3, dtype="float32")
    np.testing.assert_allclose(x.detach().numpy(), 1, atol=1e-2)


def test_lbfgs_state_both_ways():
    for options in (dict(lr=1e-3), dict(line_search_fn="strong_wolfe", max_iter=4)):
        first = {lib: lbfgs(lib, quadratic, options, steps=2) for lib in (tg, torch)}
        for source, target in ((tg, torch), (torch, tg)):
            state = convert(first[source][1].state_dict(), target)
            start = first[source][2].detach().tolist()
            moved = lbfgs(target, quadratic, options, state, 2, start)[0]
            stayed = lbfgs(source, quadratic, options, first[source][1].state_dict(), 2, start)[0]
            np.testing.assert_allclose(moved, stayed, rtol=1e-7, atol=1e-9)


def test_lbfgs_refusals():
    for lib in (tg, torch):
        p, q = lib.zeros(2).requires_grad_(), lib.zeros(2).requires_grad_()
        with pytest.raises(ValueError):
            lib.optim.LBFGS([{"params": [p]}, {"params": [q]}])
        with pytest.raises(ValueError):
            lib.optim.LBFGS([p], lr=-1)
        with pytest.raises(RuntimeError):
            lbfgs(lib, quadratic, dict(line_search_fn="wolfe"))
    with pytest.raises(NotImplementedError, match="sparse"):
        tg.optim.SparseAdam([tg.zeros(2).requires_grad_()])


@pytest.mark.parametrize("options", [dict(), dict(lr=0.02, nesterov=False, weight_decay=0.0), dict(adjust_lr_fn="match_rms_adamw", ns_steps=3, momentum=0.8)], ids=str)
@pytest.mark.parametrize("shape", [(6, 10), (10, 6), (1, 4)])
def test_muon(options, shape):
    values, results = np.random.RandomState(0).randn(*shape), []
    for lib in (tg, torch):
        p = lib.from_numpy(values.copy()).requires_grad_()
        opt = lib.optim.Muon([p], **options)
        for step in range(3):
            p.grad = lib.from_numpy(np.random.RandomState(step).randn(*shape))
            opt.step()
        results.append((p.detach().numpy(), opt.state_dict()["state"][0]["momentum_buffer"].numpy()))
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-12)
    lr = options.get("lr", 1e-3)
    np.testing.assert_allclose(results[0][0], results[1][0], atol=0.02 * lr * 10)  # the iteration is in bfloat16
    for bad in (dict(lr=-1), dict(momentum=-1), dict(adjust_lr_fn="no"), dict(weight_decay=-1)):
        for lib in (tg, torch):
            with pytest.raises(ValueError):
                lib.optim.Muon([lib.zeros(2, 2).requires_grad_()], **bad)
    for lib in (tg, torch):
        with pytest.raises(ValueError):
            lib.optim.Muon([lib.zeros(2).requires_grad_()])


@pytest.mark.parametrize("options", [o for _, o in ADAFACTOR], ids=str)
@pytest.mark.parametrize("dtype,tol", [("float32", 3e-6), ("float64", 1e-12)])
def test_adafactor(options, dtype, tol):
    for shape in ((3, 4), (), (5,), (2, 3, 4)):
        values, results = np.asarray(np.random.RandomState(0).randn(*shape), dtype), []
        for lib in (tg, torch):
            p = lib.from_numpy(values.copy()).requires_grad_()
            opt = lib.optim.Adafactor([p], **options)
            for step in range(4):
                p.grad = lib.from_numpy(np.asarray(np.random.RandomState(step).randn(*shape), dtype))
                opt.step()
            state = opt.state_dict()["state"][0]
            results.append([p.detach().numpy(), *(state[k].numpy() for k in sorted(state) if k != "step"), float(state["step"])])
        for a, b in zip(*results):
            np.testing.assert_allclose(a, b, rtol=tol, atol=tol)


@pytest.mark.parametrize("make", [
    lambda o, p: o.Adafactor(p, lr=-1), lambda o, p: o.Adafactor(p, beta2_decay=0.5), lambda o, p: o.Adafactor(p, eps=(-1, 1e-3)), lambda o, p: o.Adafactor(p, d=0.5),
    lambda o, p: o.ASGD(p, lr=-1), lambda o, p: o.ASGD(p, weight_decay=-1), lambda o, p: o.Rprop(p, lr=-1), lambda o, p: o.Rprop(p, etas=(1.1, 1.2))])
def test_refusals(make):
    for lib in (tg, torch):
        with pytest.raises(ValueError):
            make(lib.optim, [lib.zeros(2).requires_grad_()])


# ---- state from one library to the other

def convert(x, lib):
    """The same structure with the tensors of the other library."""
    if isinstance(x, (tg.Tensor, torch.Tensor)):
        return lib.from_numpy(np.array(x.detach().numpy()))
    if isinstance(x, dict):
        return {k: convert(v, lib) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return type(x)(convert(v, lib) for v in x)
    return copy.copy(x)


@pytest.mark.parametrize("name,options", OPTIMIZERS + ADAFACTOR, ids=[f"{n}-{i}" for i, (n, _) in enumerate(OPTIMIZERS + ADAFACTOR)])
def test_state_dicts_go_both_ways(name, options):
    values = np.random.RandomState(0).randn(3, 4)

    def steps(lib, p, opt, numbers):
        for n in numbers:
            p.grad = lib.from_numpy(np.random.RandomState(n).randn(3, 4))
            opt.step()
        return p.detach().numpy().copy()

    def make(lib, start):
        p = lib.from_numpy(start.copy()).requires_grad_()
        return p, getattr(lib.optim, name)([p], **options)
    reference = steps(torch, *make(torch, values), range(6))
    for source, target in ((tg, torch), (torch, tg)):
        p, opt = make(source, values)
        middle = steps(source, p, opt, range(3))
        q, other = make(target, middle)
        other.load_state_dict(convert(opt.state_dict(), target))
        np.testing.assert_allclose(steps(target, q, other, range(3, 6)), reference, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("lib", [tg, torch], ids=["tapegrad", "torch"])
def test_hooks_of_state_and_of_all_steps(lib):
    import importlib
    optimizer, log = importlib.import_module(f"{lib.__name__}.optim.optimizer"), []
    p = lib.ones(2, requires_grad=True)
    p.grad = lib.ones(2)
    opt = lib.optim.SGD([p], lr=0.1)
    opt.register_state_dict_pre_hook(lambda o: log.append("pre"))
    opt.register_state_dict_post_hook(lambda o, s: {**s, "more": 1})
    opt.register_load_state_dict_pre_hook(lambda o, s: log.append(s["more"]))
    opt.register_load_state_dict_pre_hook(lambda o, s: log.append("first"), prepend=True)
    opt.register_load_state_dict_post_hook(lambda o: log.append("post"))
    state = opt.state_dict()
    opt.load_state_dict(state)
    assert state["more"] == 1 and log == ["pre", "first", 1, "post"]
    log.clear()
    handles = [optimizer.register_optimizer_step_pre_hook(lambda o, args, kwargs: log.append("all pre")),
               optimizer.register_optimizer_step_post_hook(lambda o, args, kwargs: log.append("all post"))]
    opt.register_step_pre_hook(lambda o, args, kwargs: log.append("own pre"))
    opt.register_step_post_hook(lambda o, args, kwargs: log.append("own post"))
    opt.step()
    for h in handles:
        h.remove()
    opt.step()
    assert log == ["all pre", "own pre", "own post", "all post", "own pre", "own post"]
    for name, member in (("adamw", "AdamW"), ("adam", "Adam"), ("sgd", "SGD"), ("rmsprop", "RMSprop"), ("adagrad", "Adagrad"), ("radam", "RAdam")):
        assert getattr(importlib.import_module(f"{lib.__name__}.optim.{name}"), member) is getattr(lib.optim, member)


# ---- averages

def small(nn):
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


@pytest.mark.parametrize("options", [dict(), dict(use_buffers=True), dict(avg="get_ema_avg_fn"), dict(multi="get_ema_multi_avg_fn", use_buffers=True), dict(avg="get_swa_avg_fn"), dict(multi="get_swa_multi_avg_fn")], ids=str)
def test_averaged_model(options):
    rng = np.random.RandomState(0)
    values = [{k: (rng.randn(*v.shape) + 3).astype("float32") if v.is_floating_point() else np.asarray(n + 1) for k, v in small(torch.nn).state_dict().items()} for n in range(3)]
    states = []
    for lib in (tg, torch):
        swa, model = lib.optim.swa_utils, small(lib.nn)
        functions = {f"{k}_fn" if k == "avg" else "multi_avg_fn": getattr(swa, v)(*([0.7] if "ema" in v else [])) for k, v in options.items() if k != "use_buffers"}
        average = swa.AveragedModel(model, use_buffers=options.get("use_buffers", False), **functions)
        for v in values:
            model.load_state_dict({k: lib.from_numpy(np.array(x)) for k, x in v.items()})
            average.update_parameters(model)
        model.train()
        swa.update_bn([lib.from_numpy(np.random.RandomState(n).randn(5, 3).astype("float32")) for n in range(3)], model)
        states.append([{k: v.numpy() for k, v in m.state_dict().items()} for m in (average, model)])
        assert average(lib.ones(4, 3)).shape == (4, 2) and model[1].momentum == 0.1
    for a, b in zip(*states):
        assert list(a) == list(b)
        for k in a:
            assert a[k].dtype == b[k].dtype
            np.testing.assert_allclose(a[k], b[k], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("options", [dict(swa_lr=0.05), dict(swa_lr=[0.05, 0.2], anneal_epochs=4, anneal_strategy="linear"), dict(swa_lr=0.3, anneal_epochs=0)], ids=str)
def test_swa_rates(options):
    seen = []
    for lib in (tg, torch):
        opt = lib.optim.SGD([{"params": [lib.zeros(2).requires_grad_()]}, {"params": [lib.zeros(2).requires_grad_()], "lr": 0.5}], lr=0.1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            schedule, rates = lib.optim.swa_utils.SWALR(opt, **options), []
            for _ in range(12):
                rates.append([g["lr"] for g in opt.param_groups])
                opt.step()
                schedule.step()
        seen.append(rates)
    np.testing.assert_allclose(*seen, rtol=1e-12)
    for lib in (tg, torch):
        opt = lib.optim.SGD([lib.zeros(2).requires_grad_()], lr=0.1)
        for bad in (dict(anneal_strategy="no"), dict(anneal_epochs=-1), dict(swa_lr=[1, 2])):
            with pytest.raises(ValueError):
                lib.optim.swa_utils.SWALR(opt, **{"swa_lr": 0.1, **bad})
    for lib in (tg, torch):
        with pytest.raises(ValueError):
            lib.optim.swa_utils.get_ema_avg_fn(1.5)
        with pytest.raises(AssertionError):
            lib.optim.swa_utils.AveragedModel(lib.nn.Linear(1, 1), avg_fn=max, multi_avg_fn=max)
