"""Optimisers step by step, and schedules epoch by epoch, against torch.optim."""
import warnings

import numpy as np
import pytest
import tapegrad as tg
import torch

OPTIMIZERS = [
    ("SGD", dict(lr=0.1)), ("SGD", dict(lr=0.1, momentum=0.9)), ("SGD", dict(lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.05)),
    ("SGD", dict(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)), ("SGD", dict(lr=0.1, maximize=True, weight_decay=0.1)),
    ("Adam", dict()), ("Adam", dict(lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1)), ("Adam", dict(lr=0.01, amsgrad=True)), ("Adam", dict(maximize=True)),
    ("Adam", dict(weight_decay=0.1, decoupled_weight_decay=True)), ("AdamW", dict()), ("AdamW", dict(lr=0.01, amsgrad=True, weight_decay=0.2)),
    ("RMSprop", dict()), ("RMSprop", dict(lr=0.02, alpha=0.9, momentum=0.5, centered=True, weight_decay=0.1)), ("RMSprop", dict(momentum=0.9)),
    ("Adagrad", dict()), ("Adagrad", dict(lr=0.1, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.3)),
    ("Adadelta", dict()), ("Adadelta", dict(lr=0.5, rho=0.8, weight_decay=0.1, maximize=True)), ("Adamax", dict()), ("Adamax", dict(weight_decay=0.1, maximize=True)),
    ("NAdam", dict()), ("NAdam", dict(weight_decay=0.1, decoupled_weight_decay=True)), ("RAdam", dict(lr=0.01)), ("RAdam", dict(lr=0.01, betas=(0.5, 0.6), weight_decay=0.1)),
    ("ASGD", dict()), ("ASGD", dict(lr=0.5, lambd=0.01, alpha=0.5, t0=1.0, weight_decay=0.1, maximize=True)), ("Rprop", dict()), ("Rprop", dict(lr=0.5, etas=(0.4, 1.3), step_sizes=(1e-3, 1.0), maximize=True)),
]
SHAPES = [(3, 4), (), (5,), (20001,), (0, 2)]


def params(lib, dtype, seed=0):
    rng = np.random.RandomState(seed)
    out = []
    for shape in SHAPES:
        t = lib.tensor(np.asarray(rng.randn(*shape)).ravel().tolist()).reshape(shape).to(getattr(lib, dtype))
        out.append(t.requires_grad_(True))
    return out


def give_grads(lib, ps, dtype, seed):
    rng = np.random.RandomState(seed)
    for p, shape in zip(ps, SHAPES):
        p.grad = lib.tensor(np.asarray(rng.randn(*shape)).ravel().tolist()).reshape(shape).to(getattr(lib, dtype))


def numbers(t):
    return np.array(t.detach().to((tg if isinstance(t, tg.Tensor) else torch).float64).tolist())


@pytest.mark.parametrize("dtype,tol", [("float32", 2e-6), ("float64", 1e-13), ("bfloat16", 0.02), ("float16", 4e-3)])
@pytest.mark.parametrize("name,options", OPTIMIZERS, ids=[f"{n}-{i}" for i, (n, _) in enumerate(OPTIMIZERS)])
def test_steps(name, options, dtype, tol):
    if "16" in dtype and name != "SGD":
        return adaptive_16(name, options, dtype)
    if name in ("NAdam", "ASGD"):
        tol = max(tol, 1e-7)  # torch keeps the product of the momenta, and eta, in float32
    ours, theirs = params(tg, dtype), params(torch, dtype)
    a, b = getattr(tg.optim, name)(ours, **options), getattr(torch.optim, name)(theirs, foreach=False, **options)
    assert {k: v for k, v in a.defaults.items() if k != "foreach"} == {k: v for k, v in b.defaults.items() if k != "foreach"}
    for step in range(5):
        give_grads(tg, ours, dtype, step)
        give_grads(torch, theirs, dtype, step)
        if step == 2:
            ours[2].grad = theirs[2].grad = None  # counts differ from here on
        if step == 3:
            a.param_groups[0]["lr"] = b.param_groups[0]["lr"] = 0.05
        a.step()
        b.step()
        for p, q in zip(ours, theirs):
            np.testing.assert_allclose(numbers(p), numbers(q), rtol=tol, atol=tol)
    sa, sb = a.state_dict(), b.state_dict()
    assert list(sa["param_groups"][0]) == list(sb["param_groups"][0])
    assert sa["param_groups"][0]["params"] == sb["param_groups"][0]["params"]
    for k, state in sb["state"].items():
        assert set(k for k in sa["state"][k]) == set(k for k, v in state.items() if v is not None), name
        for key, value in state.items():
            if value is not None:
                mine = sa["state"][k][key]
                np.testing.assert_allclose(numbers(mine) if isinstance(mine, tg.Tensor) else mine, numbers(value), rtol=tol * 10, atol=tol * 10)


def adaptive_16(name, options, dtype):
    """torch's 16-bit arithmetic overflows here (an eps of 1e-8 is 0), so the reference is torch in float32 on the same values."""
    ours, theirs = params(tg, dtype), [torch.tensor(numbers(p).tolist(), dtype=torch.float32, requires_grad=True) for p in params(tg, dtype)]
    a, b = getattr(tg.optim, name)(ours, **options), getattr(torch.optim, name)(theirs, foreach=False, **options)
    give_grads(tg, ours, dtype, 1)
    for p, q in zip(ours, theirs):
        q.grad = torch.tensor(numbers(p.grad).tolist(), dtype=torch.float32).reshape(q.shape)
    a.step()
    b.step()
    eps = tg.finfo(getattr(tg, dtype)).eps
    for p, q in zip(ours, theirs):
        assert p.dtype == getattr(tg, dtype)
        big = abs(numbers(p.grad)) > 0.1  # squares of small gradients leave float16's range
        np.testing.assert_allclose(numbers(p)[big], numbers(q)[big], rtol=2 * eps, atol=2 * eps)


def test_repr_is_torchs():
    for name in ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad"):
        a = getattr(tg.optim, name)([tg.zeros(2).requires_grad_()], lr=0.1)
        b = getattr(torch.optim, name)([torch.zeros(2).requires_grad_()], lr=0.1)
        assert repr(a) == repr(b)


S = [
    ("StepLR", dict(step_size=3)), ("StepLR", dict(step_size=2, gamma=0.7)), ("MultiStepLR", dict(milestones=[2, 5, 5, 9], gamma=0.5)), ("ExponentialLR", dict(gamma=0.9)),
    ("LambdaLR", dict(lr_lambda=lambda e: 1 / (e + 1))), ("MultiplicativeLR", dict(lr_lambda=lambda e: 0.9 + 0.01 * e)), ("ConstantLR", dict(factor=0.3, total_iters=4)),
    ("LinearLR", dict(start_factor=0.2, total_iters=6)), ("LinearLR", dict(start_factor=1.0, end_factor=0.1, total_iters=4)), ("PolynomialLR", dict(total_iters=7, power=2.0)),
    ("CosineAnnealingLR", dict(T_max=5, eta_min=0.01)), ("CosineAnnealingLR", dict(T_max=20)), ("CosineAnnealingWarmRestarts", dict(T_0=3, T_mult=2, eta_min=0.01)),
    ("CyclicLR", dict(base_lr=0.01, max_lr=0.2, step_size_up=3, step_size_down=5)), ("CyclicLR", dict(base_lr=0.01, max_lr=0.2, step_size_up=3, mode="triangular2")),
    ("CyclicLR", dict(base_lr=0.01, max_lr=0.2, step_size_up=3, mode="exp_range", gamma=0.9, cycle_momentum=False)),
    ("OneCycleLR", dict(max_lr=0.5, total_steps=16)), ("OneCycleLR", dict(max_lr=0.5, epochs=4, steps_per_epoch=4, anneal_strategy="linear", three_phase=True)),
]


@pytest.mark.parametrize("name,options", S, ids=[f"{n}-{i}" for i, (n, _) in enumerate(S)])
def test_schedules(name, options):
    rates = []
    for lib in (tg, torch):
        ps = [lib.zeros(2).requires_grad_(), lib.zeros(1).requires_grad_()]
        opt = lib.optim.SGD([{"params": ps[:1]}, {"params": ps[1:], "lr": 0.3}], lr=0.1, momentum=0.9)
        scheduler = getattr(lib.optim.lr_scheduler, name)(opt, **options)
        seen = []
        for _ in range(15):
            seen.append([(g["lr"], g["momentum"]) for g in opt.param_groups] + [(lr, 0) for lr in scheduler.get_last_lr()])
            opt.step()
            scheduler.step()
        rates.append(seen)
        state = scheduler.state_dict()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            again = getattr(lib.optim.lr_scheduler, name)(opt, **options)
        again.load_state_dict(state)
        assert again.last_epoch == scheduler.last_epoch
    np.testing.assert_allclose(rates[0], rates[1], rtol=1e-12, atol=1e-15)


def test_combined_schedules():
    for make in (lambda s, o: s.SequentialLR(o, [s.ConstantLR(o, 0.1, 2), s.ExponentialLR(o, 0.9), s.StepLR(o, 2)], [3, 7]),
                 lambda s, o: s.ChainedScheduler([s.ConstantLR(o, 0.1, 4), s.ExponentialLR(o, 0.9)]),
                 lambda s, o: s.SequentialLR(o, [s.LinearLR(o, 0.1, total_iters=4), s.CosineAnnealingLR(o, 6)], [4])):
        rates = []
        for lib in (tg, torch):
            opt = lib.optim.SGD([lib.zeros(2).requires_grad_()], lr=0.1)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                scheduler, seen = make(lib.optim.lr_scheduler, opt), []
                for _ in range(12):
                    seen.append(opt.param_groups[0]["lr"])
                    opt.step()
                    scheduler.step()
            rates.append(seen)
        np.testing.assert_allclose(rates[0], rates[1], rtol=1e-12)


@pytest.mark.parametrize("options", [dict(patience=1), dict(mode="max", patience=0, factor=0.5, threshold=0.1, threshold_mode="abs", cooldown=2, min_lr=0.01)])
def test_plateau(options):
    metrics = [1.0, 0.9, 0.95, 0.93, 0.92, 0.5, 0.6, 0.7, 0.8, 0.9, 0.4, 0.4, 0.4, 0.4]
    rates = []
    for lib in (tg, torch):
        opt = lib.optim.SGD([lib.zeros(2).requires_grad_()], lr=0.1)
        scheduler = lib.optim.lr_scheduler.ReduceLROnPlateau(opt, **options)
        seen = []
        for m in metrics:
            scheduler.step(m)
            seen.append((opt.param_groups[0]["lr"], scheduler.num_bad_epochs, scheduler.best))
        rates.append(seen)
    np.testing.assert_allclose(rates[0], rates[1], rtol=1e-12)


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop", "Adagrad"])
def test_gradient_laid_out_otherwise(name):
    """A channels_last or transposed parameter with a contiguous gradient, and the other way round."""
    def stepped(lib, param_last, grad_last):
        rng = np.random.RandomState(0)
        w, g = (lib.tensor(rng.randn(4, 3, 2, 5).tolist()) for _ in range(2))
        w = w.to(memory_format=lib.channels_last) if param_last == 1 else w.transpose(0, 3).clone().transpose(0, 3) if param_last else w
        w.requires_grad_().grad = g.to(memory_format=lib.channels_last) if grad_last else g
        optimizer = getattr(lib.optim, name)([w], lr=0.1)
        optimizer.step()
        optimizer.step()
        return numbers(w)
    for layout in ((1, False), (2, False), (0, True), (2, True)):
        np.testing.assert_allclose(stepped(tg, *layout), stepped(torch, *layout), rtol=1e-5, atol=1e-6)
