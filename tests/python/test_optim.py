"""Optimisers and schedules: PyTorch's golden numbers, groups, state, closures, hooks, errors. Live comparison: tests/parity."""
import copy
import json
import pathlib
import pickle

import golden_optim_cases as cases
import pytest
import tapegrad as tg
from tapegrad import nn, optim
from tapegrad.optim import lr_scheduler

GOLDEN = json.loads((pathlib.Path(__file__).parents[1] / "golden" / "optim.json").read_text())


def near(a, b, tol):
    if isinstance(a, list):
        return len(a) == len(b) and all(near(x, y, tol) for x, y in zip(a, b))
    return abs(a - b) <= tol * (1 + abs(b))


@pytest.mark.parametrize("case", range(len(cases.OPTIMIZERS)), ids=[f"{n}-{i}" for i, (n, _) in enumerate(cases.OPTIMIZERS)])
def test_numbers_are_torchs(case):
    tol = 1e-7 if cases.OPTIMIZERS[case][0] in ("NAdam", "ASGD") else 1e-12  # torch keeps a number of theirs in float32
    assert near(cases.run_optimizer(tg, *cases.OPTIMIZERS[case]), GOLDEN["optimizers"][case], tol)


@pytest.mark.parametrize("case", range(len(cases.SCHEDULES)), ids=[f"{n}-{i}" for i, (n, _) in enumerate(cases.SCHEDULES)])
def test_schedules_are_torchs(case):
    assert near(cases.run_schedule(tg, *cases.SCHEDULES[case]), GOLDEN["schedules"][case], 1e-12)


def param(*values, dtype=tg.float32):
    p = tg.tensor(values, dtype=dtype, requires_grad=True)
    p.grad = tg.ones_like(p).detach()
    return p


ALL = [(optim.SGD, dict(lr=0.1, momentum=0.9)), (optim.Adam, dict(amsgrad=True)), (optim.AdamW, {}), (optim.RMSprop, dict(centered=True, momentum=0.5)),
       (optim.Adagrad, {}), (optim.Adadelta, {}), (optim.Adamax, {}), (optim.NAdam, {}), (optim.RAdam, {})]


@pytest.mark.parametrize("cls,options", ALL, ids=[c.__name__ for c, _ in ALL])
def test_any_layout_and_size_gives_the_same(cls, options):
    """Transposed, sliced and expanded memory, one huge parameter, several dtypes in one group."""
    base = tg.randn(70, 300)
    plain = [base.clone().requires_grad_()]
    odd = [base.t().clone().t().requires_grad_()]                       # column-major
    gaps = tg.zeros(70, 600)
    gaps[:, ::2] = base
    sliced = [gaps[:, ::2].detach().requires_grad_()]                   # a view with gaps
    mixed = [base.double().requires_grad_(), base[0].clone().requires_grad_(), base.double()[1].clone().requires_grad_()]
    results = []
    for ps in (plain, odd, sliced, mixed):
        o = cls(ps, **options)
        for step in range(3):
            for p in ps:
                p.grad = (tg.cos(base + step) if p.ndim == 2 else tg.cos(base[0] + step)).to(p.dtype)
            if ps is odd and step == 1:
                ps[0].grad = ps[0].grad.t().contiguous().t()            # a gradient laid out otherwise
            o.step()
        results.append(ps[0].detach().float())
    for other in results[1:3]:
        assert other.tolist() == results[0].tolist()
    assert float((results[3] - results[0]).abs().max()) < 1e-4


@pytest.mark.parametrize("cls,options", ALL, ids=[c.__name__ for c, _ in ALL])
def test_state_dict_continues_exactly(cls, options):
    def steps(o, p, n):
        for k in range(n):
            p.grad = tg.tensor([0.5 * k - 1, 2.0, -k])
            o.step()
    p = param(1.0, 2.0, 3.0)
    o = cls([p], **options)
    steps(o, p, 3)
    q = p.detach().clone().requires_grad_()
    again = cls([q], lr=123.0)
    again.load_state_dict(copy.deepcopy(o.state_dict()))
    steps(o, p, 2)
    steps(again, q, 2)
    assert p.tolist() == q.tolist() and again.param_groups[0]["lr"] == o.param_groups[0]["lr"]
    back = pickle.loads(pickle.dumps(o.state_dict()))
    assert list(back["state"][0]) == list(o.state_dict()["state"][0])


def test_steps_bump_versions_and_record_nothing():
    p = param(1.0, 2.0)
    out = (p * p).sum()
    optim.SGD([p], lr=0.1).step()
    assert p.grad_fn is None and p.is_leaf and p.requires_grad
    with pytest.raises(RuntimeError, match="modified|changed"):
        out.backward()


def test_groups():
    a, b = param(1.0), param(1.0)
    o = optim.SGD([{"params": [a]}, {"params": b, "lr": 1.0}], lr=0.1)
    o.step()
    assert near(a.tolist() + b.tolist(), [0.9, 0.0], 1e-6)
    c = param(5.0)
    o.add_param_group({"params": [c], "momentum": 0.5})
    assert o.param_groups[2]["lr"] == 0.1 and len(o.param_groups) == 3 and o.state_dict()["param_groups"][2]["params"] == [2]
    named = optim.Adam(nn.Linear(2, 2).named_parameters())
    assert named.param_groups[0]["param_names"] == ["weight", "bias"]


def test_parameters_without_gradients_are_left_alone():
    a, b = param(1.0), param(1.0)
    b.grad = None
    o = optim.Adam([a, b])
    o.step()
    assert b.tolist() == [1.0] and len(o.state_dict()["state"]) == 1
    o.zero_grad()
    o.step()
    a.grad, b.grad = tg.ones(1), tg.ones(1)
    o.step()
    assert o.state[a]["step"] == 2 and o.state[b]["step"] == 1


def test_closure_and_hooks():
    p, log = param(3.0), []
    o = optim.SGD([p], lr=0.1)

    def closure():
        o.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss
    before = o.register_step_pre_hook(lambda opt, args, kwargs: log.append("pre"))
    o.register_step_post_hook(lambda opt, args, kwargs: log.append("post"))
    with tg.no_grad():
        assert float(o.step(closure)) == 9.0
    before.remove()
    o.step()
    assert log == ["pre", "post", "post"] and near(p.tolist(), [3.0 - 0.6 - 0.6], 1e-6)


def test_zero_grad():
    p = param(1.0)
    o = optim.SGD([p], lr=0.1)
    o.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0]
    o.zero_grad()
    assert p.grad is None


def test_bad_arguments():
    p = param(1.0)
    for make, error in ((lambda: optim.SGD([], lr=0.1), ValueError), (lambda: optim.SGD(p, lr=0.1), TypeError), (lambda: optim.SGD([3], lr=0.1), TypeError),
                        (lambda: optim.SGD([p * 2], lr=0.1), ValueError), (lambda: optim.SGD([p, p], lr=0.1), ValueError), (lambda: optim.SGD([p], lr=-1), ValueError),
                        (lambda: optim.SGD([p], nesterov=True), ValueError), (lambda: optim.Adam([p], betas=(1.0, 0.9)), ValueError), (lambda: optim.Adam([p], eps=-1), ValueError),
                        (lambda: optim.SGD([{"params": {p}}]), TypeError), (lambda: optim.SGD([{"params": [p]}, {"params": [p]}]), ValueError)):
        with pytest.raises(error):
            make()
    o = optim.SGD([p])
    with pytest.raises(ValueError, match="different number of parameter groups"):
        o.load_state_dict({"state": {}, "param_groups": []})
    with pytest.raises(ValueError, match="doesn't match the size"):
        o.load_state_dict({"state": {}, "param_groups": [{"params": [0, 1]}]})
    p.grad = tg.ones(1)
    with pytest.raises(RuntimeError, match="shape"):
        tg._C._sgd_step([p], [tg.ones(2)], [], 0.1, 0.0, 0.0, 0.0, False, False, False)


def test_training_converges():
    tg.manual_seed(0)
    x = tg.randn(64, 3)
    y = x @ tg.tensor([[1.0], [-2.0], [0.5]]) + 0.3
    for cls, options in ((optim.SGD, dict(lr=0.1, momentum=0.9)), (optim.Adam, dict(lr=0.1)), (optim.AdamW, dict(lr=0.1, weight_decay=0)), (optim.RMSprop, dict(lr=0.01)), (optim.Adagrad, dict(lr=0.5))):
        m = nn.Linear(3, 1)
        o = cls(m.parameters(), **options)
        for _ in range(400):
            o.zero_grad()
            loss = nn.functional.mse_loss(m(x), y)
            loss.backward()
            o.step()
        assert float(loss) < 2e-3, cls.__name__


def test_schedule_rules():
    o = optim.SGD([param(1.0)], lr=0.1)
    s = lr_scheduler.StepLR(o, 1)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        s.step()
    assert near(s.get_last_lr(), [0.01], 1e-12) and o.param_groups[0]["initial_lr"] == 0.1
    with pytest.raises(KeyError, match="initial_lr"):
        lr_scheduler.StepLR(optim.SGD([param(1.0)]), 1, last_epoch=3)
    with pytest.raises(TypeError):
        lr_scheduler.StepLR(3, 1)
    f = lr_scheduler.LambdaLR(optim.SGD([param(1.0)], lr=1.0), lambda e: 0.5 ** e)
    assert f.state_dict()["lr_lambdas"] == [None]
    with pytest.raises(ValueError):
        lr_scheduler.LambdaLR(o, [lambda e: 1, lambda e: 1])
    with pytest.raises(ValueError, match="total number of steps"):
        one = lr_scheduler.OneCycleLR(optim.SGD([param(1.0)], momentum=0.9), 0.1, total_steps=2)
        for _ in range(4):
            one.optimizer.step()
            one.step()


def test_a_step_that_must_be_recorded_is_refused():
    for cls in (optim.SGD, optim.Adam, optim.RMSprop, optim.ASGD):
        with pytest.raises(NotImplementedError, match=f"{cls.__name__}: differentiable"):
            cls([tg.ones(1, requires_grad=True)], differentiable=True)


def test_copied_schedules_go_on():
    p = tg.zeros(1, requires_grad=True)
    s = lr_scheduler.ExponentialLR(optim.SGD([p], lr=1.0), 0.5)
    for other in (copy.deepcopy(s), pickle.loads(pickle.dumps(s))):
        other.optimizer.step()
        other.step()
        assert other.get_last_lr() == [0.5] and other.optimizer.param_groups[0]["lr"] == 0.5


def test_a_cyclic_schedule_with_a_function_is_saved(tmp_path):
    def schedule(f):
        return lr_scheduler.CyclicLR(optim.SGD([tg.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9), 0.1, 1, 2, scale_fn=f)
    a, b = schedule(lambda x: 1 / x), schedule(lambda x: 1 / x)
    for _ in range(3):
        a.optimizer.step()
        a.step()
    tg.save(a.state_dict(), tmp_path / "s")
    b.load_state_dict(tg.load(tmp_path / "s"))
    a.step()
    b.step()
    assert a.get_last_lr() == b.get_last_lr()


def rates(scheduler, n):
    out = []
    for _ in range(n):
        out.append(round(scheduler.get_last_lr()[0], 6))
        scheduler.optimizer.step()
        scheduler.step()
    return out


def test_schedules_of_schedules():
    S = lr_scheduler
    o = optim.SGD([tg.zeros(1, requires_grad=True)], lr=1.0)
    chained = S.ChainedScheduler([S.ConstantLR(o, 0.5, 2), S.ExponentialLR(o, 0.9)])
    assert rates(S.SequentialLR(o, [chained, S.StepLR(o, 2)], [3]), 7) == [0.45, 0.405, 0.729, 1.0, 1.0, 0.1, 0.1]
    o = optim.SGD([tg.zeros(1, requires_grad=True)], lr=1.0)
    inner = S.SequentialLR(o, [S.ConstantLR(o, 0.5, 2), S.ExponentialLR(o, 0.9)], [2])
    assert rates(S.SequentialLR(o, [inner, S.LinearLR(o)], [3]), 5) == [0.5, 1.0, 0.9, 0.333333, 0.466667]
    o = optim.SGD([tg.zeros(1, requires_grad=True)], lr=1.0)
    first, second = S.ConstantLR(o, 0.5, 2), S.StepLR(o, 2, 0.1)
    assert rates(S.SequentialLR(o, [first, second], [0]), 4) == [1.0, 1.0, 0.1, 0.1]
    with pytest.raises(NotImplementedError, match="ChainedScheduler at index 1"):
        S.SequentialLR(o, [S.StepLR(o, 2), S.ChainedScheduler([S.StepLR(o, 2)])], [2])


def test_update_bn_that_fails_changes_no_options():
    m = nn.Sequential(nn.BatchNorm1d(2, momentum=0.3)).eval()
    with pytest.raises(RuntimeError):
        optim.swa_utils.update_bn([tg.ones(3, 2), tg.ones(3, 5)], m)
    assert m[0].momentum == 0.3 and not m.training


def test_step_hooks_are_given_what_step_is():
    """As PyTorch's: the arguments begin with the optimizer, and a pre-hook's new ones, too."""
    o, seen = optim.SGD([param(3.0)], lr=0.1), []
    o.register_step_pre_hook(lambda opt, args, kwargs: seen.append(args) or ((*args, lambda: 5.0), kwargs))
    o.register_step_post_hook(lambda opt, args, kwargs: seen.append(len(args)))
    assert o.step() == 5.0 and seen == [(o,), 2]
