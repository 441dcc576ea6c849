"""Every optimiser's steps have the CPU's bits, for parameters of any size and layout; a scaler's unscaling."""
import pytest

import tapegrad as tg
from both import array, same

MAKERS = {
    "sgd": lambda p: tg.optim.SGD(p, lr=0.1),
    "sgd_momentum": lambda p: tg.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda p: tg.optim.Adam(p, lr=0.01, weight_decay=0.1),
    "amsgrad": lambda p: tg.optim.Adam(p, lr=0.01, amsgrad=True, maximize=True),
    "adamw": lambda p: tg.optim.AdamW(p, lr=0.01),
    "rmsprop": lambda p: tg.optim.RMSprop(p, lr=0.01),
    "rmsprop_all": lambda p: tg.optim.RMSprop(p, lr=0.01, centered=True, momentum=0.5),
    "adagrad": lambda p: tg.optim.Adagrad(p, lr=0.1),
    "adadelta": lambda p: tg.optim.Adadelta(p),
    "adamax": lambda p: tg.optim.Adamax(p),
    "nadam": lambda p: tg.optim.NAdam(p),
    "radam": lambda p: tg.optim.RAdam(p),
}
SHAPES = [(3,), (1,), (17, 9), (0,), (20000,), (4, 5, 6)]


def parameters(device, dtype, shapes):
    params = []
    for k, shape in enumerate(shapes):
        p = tg.tensor(array(shape, k)).to(dtype).to(device)
        params.append(tg.nn.Parameter(p))
    return params


def train(maker, device, dtype, shapes, steps=3):
    params = parameters(device, dtype, shapes)
    optimizer = maker(params)
    for step in range(steps):
        for k, p in enumerate(params):
            p.grad = tg.tensor(array(tuple(p.shape), 100 * step + k)).to(dtype).to(device)
        optimizer.step()
    return params


@pytest.mark.parametrize("name", MAKERS)
def test_bits_of_the_cpu(name):
    for cpu, cuda in zip(train(MAKERS[name], "cpu", tg.float32, SHAPES), train(MAKERS[name], "cuda", tg.float32, SHAPES)):
        same(cuda, cpu)


@pytest.mark.parametrize("dtype", [tg.float64, tg.float16, tg.bfloat16])
def test_other_dtypes(dtype):
    for name in ("sgd_momentum", "adamw"):
        for cpu, cuda in zip(train(MAKERS[name], "cpu", dtype, SHAPES[:3]), train(MAKERS[name], "cuda", dtype, SHAPES[:3])):
            same(cuda, cpu)


def test_more_parameters_than_one_small_launch_holds():
    shapes = [(k % 5 + 1,) for k in range(40)]
    for cpu, cuda in zip(train(MAKERS["adamw"], "cpu", tg.float32, shapes, 1), train(MAKERS["adamw"], "cuda", tg.float32, shapes, 1)):
        same(cuda, cpu)


def test_layouts_and_dtypes_side_by_side():
    results = []
    for device in ("cpu", "cuda"):
        base = tg.tensor(array((6, 9))).float().to(device)
        params = [tg.nn.Parameter(base.clone().t()), tg.nn.Parameter(base.double()), tg.nn.Parameter(base.flatten()[1:8].clone())]
        optimizer = tg.optim.Adam(params, lr=0.1)
        for p in params:
            p.grad = tg.ones(tuple(reversed(p.shape)), dtype=p.dtype, device=device).t() if p.dim() == 2 else tg.ones_like(p)
        optimizer.step()
        results.append(params)
    for cpu, cuda in zip(*results):
        same(cuda, cpu)


def test_a_gradient_elsewhere_is_refused():
    p = tg.nn.Parameter(tg.ones(3, device="cuda"))
    with pytest.raises(Exception, match="device"):
        tg._C.functions["_sgd_step"]([p], [tg.ones(3)], [], 0.1, 0.0, 0.0, 0.0, False, False, False)


def test_clipping():
    results = []
    for device in ("cpu", "cuda"):
        params = parameters(device, tg.float32, SHAPES[:3])
        for k, p in enumerate(params):
            p.grad = tg.tensor(array(tuple(p.shape), k)).float().to(device)
        total = tg.nn.utils.clip_grad_norm_(params, 0.5)
        results.append([total] + [p.grad for p in params])
    for cpu, cuda in zip(*results):
        assert tg.allclose(cuda.cpu(), cpu, rtol=1e-5)


def test_unscaling():
    unscale = tg._amp_foreach_non_finite_check_and_unscale_
    for bad in (None, float("inf"), float("nan")):
        grads = [tg.ones(5000, device="cuda"), tg.ones(3, 3, device="cuda", dtype=tg.bfloat16), tg.full((2,), 4.0, device="cuda", dtype=tg.float64)]
        if bad is not None:
            grads[0][4321] = bad
        found, inverse = tg.zeros((), device="cuda"), tg.tensor(0.25, device="cuda")
        unscale(grads, found, inverse)
        assert found.item() == (0 if bad is None else 1)
        assert [g[0].item() if g.dim() == 1 else g[0, 0].item() for g in grads] == [0.25, 0.25, 1.0]
