"""torch.func and the pytree utilities."""
import importlib

import numpy as np
import pytest
import tapegrad as tg
import torch

LIBS = (tg, torch)


def same(f, rtol=1e-9):
    """f(library) gives the same tree of tensors."""
    ours, theirs = (f(lib) for lib in LIBS)
    a, b = (importlib.import_module(f"{lib.__name__}.utils._pytree").tree_flatten(x)[0] for lib, x in ((tg, ours), (torch, theirs)))
    assert len(a) == len(b)
    for x, y in zip(a, b):
        if isinstance(y, torch.Tensor):
            assert tuple(x.shape) == tuple(y.shape) and x.requires_grad == y.requires_grad
            np.testing.assert_allclose(np.array(x.detach().tolist()), np.array(y.detach().tolist()), rtol=rtol, atol=1e-12)
        else:
            assert x == y


def t(lib, *shape, seed=0, grad=False):
    return lib.tensor(np.asarray(np.random.RandomState(seed).randn(*shape)).tolist(), dtype=lib.float64, requires_grad=grad)


def f(x, y):
    return (x.sin() * y ** 2).sum() + (x ** 3).sum()


def test_grad():
    same(lambda lib: lib.func.grad(f)(t(lib, 3), t(lib, 3, seed=1)))
    same(lambda lib: lib.func.grad(f, argnums=(0, 1))(t(lib, 3), t(lib, 3, seed=1)))
    same(lambda lib: lib.func.grad_and_value(f, argnums=1)(t(lib, 3), t(lib, 3, seed=1)))
    same(lambda lib: lib.func.grad(lambda p, x: ((p["w"] @ x + p["b"]) ** 2).sum())({"w": t(lib, 2, 3), "b": t(lib, 2)}, t(lib, 3)))
    same(lambda lib: lib.func.grad(lambda x: (x.sum() ** 2, {"x": x * 2}), has_aux=True)(t(lib, 3)))
    same(lambda lib: lib.func.grad(lambda x: lib.func.grad(lambda y: (y ** 3 * x).sum())(x).sum())(t(lib, 3)))


def test_what_reaches_outside_stays_differentiable():
    def closure(lib):
        w = t(lib, 3, seed=2, grad=True)
        g = lib.func.grad(lambda x: (x ** 2 * w).sum())(t(lib, 3))
        g.sum().backward()
        return g, w.grad

    def argument(lib):
        x = t(lib, 3, grad=True)
        g = lib.func.grad(lambda x: (x ** 3).sum())(x)
        g.sum().backward()
        return g, x.grad
    same(closure)
    same(argument)
    same(lambda lib: lib.func.grad(lambda x: (x ** 2).sum())(t(lib, 3)))  # and nothing else: requires_grad is compared


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # PyTorch's own
def test_products_and_jacobians():
    same(lambda lib: lib.func.jvp(lambda x: x ** 3, (t(lib, 3),), (t(lib, 3, seed=1),)))
    same(lambda lib: lib.func.vjp(lambda x: x ** 3, t(lib, 3))[1](t(lib, 3, seed=1)))
    same(lambda lib: lib.func.vjp(lambda x, y: (x * y, {"s": x.sum()}), t(lib, 3), t(lib, 3, seed=3))[1]((t(lib, 3, seed=1), {"s": t(lib)})))
    for name in ("jacrev", "jacfwd"):
        same(lambda lib: getattr(lib.func, name)(lambda x: lib.outer(x ** 2, x.sin()))(t(lib, 3)))
        same(lambda lib: getattr(lib.func, name)(lambda x, y: (x * y, x.sum()), argnums=(0, 1))(t(lib, 3), t(lib, 3, seed=1)))
    same(lambda lib: lib.func.hessian(lambda x: (x ** 3).sum() * x[0])(t(lib, 3)))


def test_vmap():
    same(lambda lib: lib.func.vmap(lib.dot)(t(lib, 4, 3), t(lib, 4, 3, seed=1)))
    same(lambda lib: lib.vmap(lambda a, b: a * b, in_dims=(0, None), out_dims=1)(t(lib, 4, 3), t(lib, 3, seed=1)))
    same(lambda lib: lib.vmap(lib.vmap(lambda a, b: a @ b, in_dims=(None, 0)), in_dims=(0, None))(t(lib, 4, 3), t(lib, 5, 3, seed=1)))
    same(lambda lib: lib.vmap(lambda d: (d["x"].sum(), d["x"] * 2), in_dims=({"x": 1},), out_dims=(0, -1))({"x": t(lib, 3, 4)}))
    same(lambda lib: lib.vmap(lib.func.grad(lambda w, x, y: ((w * x).sum() - y) ** 2), in_dims=(None, 0, 0))(t(lib, 3), t(lib, 5, 3, seed=1), t(lib, 5, seed=2)))
    same(lambda lib: lib.vmap(lambda x: x.sum())(t(lib, 4, 3, grad=True)))


@pytest.mark.parametrize("call", [
    lambda lib: lib.vmap(lib.dot)(t(lib, 4, 3), t(lib, 5, 3)), lambda lib: lib.vmap(lambda x: x, in_dims=3)(t(lib, 4)),
    lambda lib: lib.vmap(lambda x, y: x, in_dims=(0, 0))(t(lib, 4), 3.0), lambda lib: lib.vmap(lambda x: 3)(t(lib, 4)),
], ids=range(4))
def test_vmap_errors(call):
    for lib in LIBS:
        with pytest.raises(ValueError, match="vmap"):
            call(lib)


def test_modules_as_functions():
    def ensemble(lib):
        models = [lib.nn.Sequential(lib.nn.Linear(3, 4), lib.nn.Tanh(), lib.nn.BatchNorm1d(4), lib.nn.Linear(4, 2)).double().eval() for _ in range(3)]
        for i, m in enumerate(models):
            with lib.no_grad():
                for j, p in enumerate(m.parameters()):
                    p.copy_(t(lib, *p.shape, seed=10 * i + j))
        params, buffers = lib.func.stack_module_state(models)
        x = t(lib, 5, 3)
        out = lib.vmap(lambda p, b: lib.func.functional_call(models[0], (p, b), (x,)))(params, buffers)
        per_sample = lib.vmap(lib.func.grad(lambda p, x: lib.func.functional_call(models[1], p, x.unsqueeze(0)).sum()), in_dims=(None, 0))(
            {k: v.detach() for k, v in models[1].named_parameters()}, x)
        return out, sorted(params), per_sample
    same(ensemble)


def test_functional_call_restores_and_ties():
    def tied(lib):
        m = lib.nn.ModuleDict({"a": lib.nn.Linear(2, 2, bias=False), "b": lib.nn.Linear(2, 2, bias=False)}).double()
        m["b"].weight = m["a"].weight
        m.forward = lambda x: m["b"](m["a"](x))
        new = t(lib, 2, 2)
        out = lib.func.functional_call(m, {"a.weight": new}, t(lib, 3, 2))
        assert m["a"].weight is m["b"].weight and isinstance(m["a"].weight, lib.nn.Parameter)
        with pytest.raises(RuntimeError):
            lib.func.functional_call(m, {"c": new}, t(lib, 3, 2), strict=True)
        return out
    same(tied)


def test_pytree():
    tree = {"a": [1, (2, 3)], "b": None, "c": {"d": 4}}
    for lib in LIBS:
        p = importlib.import_module(f"{lib.__name__}.utils._pytree")
        leaves, spec = p.tree_flatten(tree)
        assert leaves == [1, 2, 3, None, 4] and spec.num_leaves == 5 and p.tree_unflatten(leaves, spec) == tree
        assert p.tree_map(lambda x: x and 2 * x, tree)["a"] == [2, (4, 6)] and p.tree_map(lambda a, b: a + b, (1, [2]), (3, [4])) == (4, [6])
        assert p.tree_map_only(int, str, tree)["c"] == {"d": "4"} and p.tree_leaves(tree) == leaves and p.tree_any(lambda x: x == 4, tree)
        with pytest.raises(ValueError):
            p.tree_unflatten([1], spec)
        with pytest.raises(ValueError):
            p.tree_map(lambda a, b: a, [1], (1,))
