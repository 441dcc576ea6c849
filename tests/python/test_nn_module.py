"""Module: attributes, registries, walking, hooks, state_dict, copying."""
import copy
import gc
import os
import pickle
import subprocess
import sys
import weakref
from collections import OrderedDict

import pytest
import tapegrad as tg
from tapegrad import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(2, 3)
        self.b = nn.Sequential(nn.ReLU(), nn.Linear(3, 1))
        self.scale = nn.Parameter(tg.ones(1))
        self.register_buffer("count", tg.zeros(()))
        self.register_buffer("scratch", tg.zeros(2), persistent=False)
        self.size = 7

    def forward(self, x, extra=0):
        return self.b(self.a(x)) * self.scale + extra


def equal(a, b):
    return tuple(a.shape) == tuple(b.shape) and bool((a == b).all())


def test_parameters_are_plain_attributes():
    m = Net()
    assert m.__dict__["scale"] is m.scale is m._parameters["scale"]
    assert [n for n, _ in m.named_parameters()] == ["scale", "a.weight", "a.bias", "b.1.weight", "b.1.bias"]
    assert [n for n, _ in m.named_buffers()] == ["count", "scratch"]
    assert [n for n, _ in m.named_children()] == ["a", "b"]
    assert [n for n, _ in m.named_modules()] == ["", "a", "b", "b.0", "b.1"]
    assert len(list(m.parameters(recurse=False))) == 1


def test_assignment_rules():
    m = Net()
    new = nn.Parameter(tg.zeros(1))
    m.scale = new
    assert m._parameters["scale"] is new is m.scale
    with pytest.raises(TypeError, match="cannot assign .* as parameter 'scale'"):
        m.scale = tg.zeros(1)
    with pytest.raises(TypeError, match="as child module 'a'"):
        m.a = 3
    with pytest.raises(TypeError, match="as buffer 'count'"):
        m.count = "x"
    m.count = tg.ones(())
    assert "count" in m.state_dict() and m._buffers["count"] is m.count
    m.scale = None
    assert m.scale is None and "scale" in m._parameters and "scale" not in m.state_dict()
    m.size = nn.Parameter(tg.zeros(2))  # a plain attribute becomes a parameter
    assert "size" in dict(m.named_parameters())
    m.size = nn.Linear(1, 1)            # and a module
    assert "size" not in m._parameters and isinstance(m.size, nn.Linear)
    del m.size
    assert not hasattr(m, "size") and "size" not in m._modules


def test_registering_errors():
    m = Net()
    for name, error in (("a.b", KeyError), ("", KeyError), ("size", KeyError), (3, TypeError)):
        with pytest.raises(error):
            m.register_parameter(name, None)
        with pytest.raises(error):
            m.register_buffer(name, None)
    with pytest.raises(TypeError):
        m.register_parameter("p", tg.zeros(1))
    with pytest.raises(TypeError):
        m.add_module("p", 3)
    with pytest.raises(ValueError, match="non-leaf"):
        m.register_parameter("q", _non_leaf())

    class Early(nn.Module):
        def __init__(self):
            self.p = nn.Parameter(tg.zeros(1))
    with pytest.raises(AttributeError, match="before Module.__init__"):
        Early()
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        nn.Module(size=3)
    with pytest.raises(NotImplementedError, match="forward"):
        nn.Module()(1)


def _non_leaf():
    p = nn.Parameter(tg.ones(1), requires_grad=False)
    p.mul_(tg.ones(1).requires_grad_())
    return p


def test_registries_write_through():
    m = Net()
    p = nn.Parameter(tg.zeros(1))
    m._parameters["new"] = p
    assert m.new is p
    m._parameters.update(other=p)
    assert m.other is p
    assert m._parameters.pop("new") is p and not hasattr(m, "new")
    del m._parameters["other"]
    assert not hasattr(m, "other")
    m._modules.clear()
    assert not hasattr(m, "a") and list(m.children()) == []
    assert m._buffers.setdefault("fresh", None) is None and m.fresh is None


def test_shared_members_are_seen_once():
    shared = nn.Linear(2, 2)
    m = nn.Sequential(shared, shared)
    assert len(list(m.parameters())) == 2
    assert len(list(m.named_parameters(remove_duplicate=False))) == 4
    assert len(list(m.modules())) == 2
    assert list(m.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_getters():
    m = Net()
    assert m.get_submodule("b.1") is m.b[1] and m.get_submodule("") is m
    assert m.get_parameter("b.1.weight") is m.b[1].weight and m.get_buffer("count") is m.count
    for f, name in ((m.get_submodule, "b.7"), (m.get_submodule, "size"), (m.get_parameter, "count"), (m.get_buffer, "scale"), (m.get_parameter, "nope")):
        with pytest.raises(AttributeError):
            f(name)
    m.set_submodule("b.0", nn.Tanh())
    assert isinstance(m.b[0], nn.Tanh)


def test_train_eval_apply_requires_grad():
    m = Net()
    assert m.training and not m.eval().b[1].training and m.train().b[1].training
    with pytest.raises(ValueError):
        m.train("yes")
    seen = []
    m.apply(lambda x: seen.append(type(x).__name__))
    assert seen == ["Linear", "ReLU", "Linear", "Sequential", "Net"]
    assert not any(p.requires_grad for p in m.requires_grad_(False).parameters())


def test_zero_grad():
    m = Net()
    m(tg.ones(1, 2)).sum().backward()
    m.zero_grad(set_to_none=False)
    assert all(float(p.grad.abs().sum()) == 0 for p in m.parameters())
    m.zero_grad()
    assert all(p.grad is None for p in m.parameters())


def test_to_and_casts_keep_identity_and_gradients():
    m = Net()
    m.register_buffer("index", tg.zeros(2, dtype=tg.int64))
    before = m.a.weight
    m(tg.ones(1, 2)).sum().backward()
    m.double()
    assert m.a.weight is before and before.dtype == tg.float64 and before.grad.dtype == tg.float64
    assert m.count.dtype == tg.float64 and m.index.dtype == tg.int64
    assert m.to(tg.float32) is m and m.a.weight.dtype == tg.float32
    assert m.to("cpu", tg.float64).a.bias.dtype == tg.float64
    assert m.half().scale.dtype == tg.float16 and m.bfloat16().scale.dtype == tg.bfloat16 and m.float().scale.dtype == tg.float32
    with pytest.raises(TypeError, match="floating point"):
        m.to(tg.int64)


# ---- hooks

def test_forward_hooks_in_order():
    m, log = nn.Linear(2, 2), []
    first = m.register_forward_pre_hook(lambda mod, args: log.append("pre") or (args[0] * 0,))
    m.register_forward_hook(lambda mod, args, out: log.append("post") or out + 1)
    m.register_forward_hook(lambda mod, args, out: log.append("early"), prepend=True)
    out = m(tg.ones(1, 2))
    assert log == ["pre", "early", "post"] and equal(out, (m.bias + 1).unsqueeze(0))
    first.remove()
    assert not equal(m(tg.ones(1, 2)), out)


def test_forward_hooks_with_kwargs_and_bad_results():
    m = Net()
    with m.register_forward_pre_hook(lambda mod, args, kwargs: (args, {"extra": kwargs["extra"] + 1}), with_kwargs=True):
        with m.register_forward_hook(lambda mod, args, kwargs, out: (out, kwargs["extra"]), with_kwargs=True):
            out, extra = m(tg.ones(1, 2), extra=1)
            assert extra == 2
    assert isinstance(m(tg.ones(1, 2)), tg.Tensor)
    m.register_forward_pre_hook(lambda mod, args, kwargs: 3, with_kwargs=True)
    with pytest.raises(RuntimeError, match="new_args, new_kwargs"):
        m(tg.ones(1, 2))


def test_always_call_hooks_run_after_errors():
    m, log = Net(), []
    m.register_forward_hook(lambda *a: log.append("plain"))
    m.register_forward_hook(lambda mod, args, out: log.append(out), always_call=True)
    with pytest.raises(TypeError):
        m("not a tensor")
    assert log == [None]


def test_backward_hooks():
    m, log = nn.Linear(3, 2, bias=False), []
    m.register_full_backward_hook(lambda mod, gin, gout: log.append((gin[0], gout[0])))
    m.register_full_backward_pre_hook(lambda mod, gout: (gout[0] * 2,))
    x = tg.ones(4, 3).requires_grad_()
    m(x).sum().backward()
    (gin, gout), = log
    assert equal(gout, tg.full((4, 2), 2.0))
    assert tg.allclose(gin, gout @ m.weight.detach()) and tg.allclose(x.grad, gin) and equal(m.weight.grad, tg.full((2, 3), 8.0))


def test_backward_hook_replaces_and_tuples():
    class Two(nn.Module):
        def forward(self, a, b, c):
            return a * 2, b * 3
    m = Two()
    m.register_full_backward_hook(lambda mod, gin, gout: (gin[0] * 10, None, None) if gin[1] is None else (gin[0] * 10, gin[1], None))
    a, b = tg.ones(2).requires_grad_(), tg.ones(2).requires_grad_()
    y, z = m(a, b, "text")
    (y + z).sum().backward()
    assert a.grad.tolist() == [20, 20] and b.grad.tolist() == [3, 3]
    m.register_full_backward_hook(lambda mod, gin, gout: (gin[0],))
    with pytest.raises(RuntimeError, match="invalid number of grad"):
        sum(m(a, b, 0)).sum().backward()


def test_backward_hook_without_input_gradients():
    m, log = nn.Linear(3, 2), []
    m.register_full_backward_hook(lambda mod, gin, gout: log.append((gin, tuple(gout[0].shape))))
    m(tg.ones(4, 3)).sum().backward()
    assert log == [((None,), (4, 2))]
    with tg.no_grad():
        m(tg.ones(4, 3))
    assert len(log) == 1


def test_global_hooks():
    log = []
    handles = [nn.modules.register_module_forward_hook(lambda mod, args, out: log.append(type(mod).__name__)),
               nn.modules.register_module_forward_pre_hook(lambda mod, args: log.append("pre")),
               nn.modules.register_module_full_backward_hook(lambda mod, gin, gout: log.append("back"))]
    m = nn.Sequential(nn.Linear(2, 2))
    m(tg.ones(1, 2)).sum().backward()
    assert log == ["pre", "pre", "Linear", "Sequential", "back", "back"]
    for h in handles:
        h.remove()
    m(tg.ones(1, 2))
    assert len(log) == 6


def test_subclass_call_wins():
    class Odd(nn.Module):
        def __call__(self, x):
            return "mine"
    assert Odd()(1) == "mine"


# ---- state

def test_state_dict_round_trip():
    a, b = Net(), Net()
    assert list(a.state_dict()) == ["scale", "count", "a.weight", "a.bias", "b.1.weight", "b.1.bias"]
    assert str(b.load_state_dict(a.state_dict())) == "<All keys matched successfully>"
    assert all(equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values()))
    assert a.state_dict()["scale"].requires_grad is False and a.state_dict(keep_vars=True)["scale"] is a.scale
    assert list(a.state_dict(prefix="m."))[0] == "m.scale"
    assert isinstance(a.state_dict(), OrderedDict) and a.state_dict()._metadata["b.1"] == {"version": 1}


def test_load_state_dict_errors():
    m = Net()
    state = m.state_dict()
    state["a.weight"] = tg.zeros(9)
    state["foo"] = tg.zeros(1)
    del state["a.bias"]
    with pytest.raises(RuntimeError) as e:
        m.load_state_dict(state)
    text = str(e.value)
    assert text.startswith('Error(s) in loading state_dict for Net:\n\tMissing key(s) in state_dict: "a.bias". ')
    assert '\n\tUnexpected key(s) in state_dict: "foo". ' in text and "\n\tsize mismatch for a.weight: copying a param with shape" in text
    with pytest.raises(RuntimeError, match="size mismatch"):
        m.load_state_dict(state, strict=False)
    del state["a.weight"]
    missing, unexpected = m.load_state_dict(state, strict=False)
    assert missing == ["a.weight", "a.bias"] and unexpected == ["foo"]
    with pytest.raises(TypeError):
        m.load_state_dict([1])


def test_assign():
    m = Net()
    state = {k: v.clone() for k, v in m.state_dict().items()}
    m.load_state_dict(state, assign=True)
    assert m.a.weight.data_ptr() == state["a.weight"].data_ptr() and isinstance(m.a.weight, nn.Parameter)
    assert m.count is state["count"]


def test_state_hooks_and_extra_state():
    class Extra(nn.Linear):
        def get_extra_state(self):
            return {"seen": 3}

        def set_extra_state(self, state):
            self.seen = state["seen"]
    m, log = Extra(1, 1), []
    m.register_state_dict_pre_hook(lambda mod, prefix, keep: log.append("pre"))
    m.register_state_dict_post_hook(lambda mod, state, prefix, meta: state.__setitem__("added", 1))
    state = m.state_dict()
    assert state["_extra_state"] == {"seen": 3} and state.pop("added") == 1 and log == ["pre"]
    m.register_load_state_dict_pre_hook(lambda mod, state, prefix, *rest: state.pop("junk", None))
    m.register_load_state_dict_post_hook(lambda mod, keys: keys.missing_keys.clear())
    state["junk"] = tg.zeros(1)
    del state["bias"]
    m.load_state_dict(state)
    assert m.seen == 3


def test_copies_are_independent():
    m = Net()
    m.register_forward_hook(add_one)
    for c in (copy.deepcopy(m), pickle.loads(pickle.dumps(m)), copy.copy(m)):
        assert repr(c) == repr(m) and equal(c(tg.ones(1, 2)), m(tg.ones(1, 2)))
        assert c._parameters["scale"] is c.scale
    c = copy.deepcopy(m)
    assert c.scale is not m.scale and c.scale.data_ptr() != m.scale.data_ptr() and isinstance(c.scale, nn.Parameter)
    tied = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    tied[1].weight = tied[0].weight
    again = copy.deepcopy(tied)
    assert again[0].weight is again[1].weight


def add_one(module, args, out):
    return out + 1


def test_modules_die_without_the_collector():
    gc.collect()
    gc.disable()
    try:
        m = Net()
        m(tg.ones(1, 2)).sum().backward()
        ref = weakref.ref(m.a)
        del m
        assert ref() is None
    finally:
        gc.enable()


# ---- containers

def test_sequential():
    m = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1))
    assert len(m) == 3 and m[-1] is m[2] and isinstance(m[:2], nn.Sequential) and len(m[:2]) == 2
    m[1] = nn.Tanh()
    m.append(nn.ReLU()).insert(0, nn.Identity())
    assert [type(x).__name__ for x in m] == ["Identity", "Linear", "Tanh", "Linear", "ReLU"]
    del m[0]
    assert list(m._modules) == ["0", "1", "2", "3"] and m.pop(-1).__class__ is nn.ReLU
    with pytest.raises(IndexError):
        m[7]
    assert len(m + nn.Sequential(nn.ReLU())) == 4 and len(nn.Sequential(nn.ReLU()) * 3) == 3
    named = nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh()))
    assert named.a is named[0] and list(named.state_dict()) == []


def test_module_list_and_dict():
    m = nn.ModuleList([nn.ReLU(), nn.Tanh()])
    m += [nn.Sigmoid()]
    m.insert(1, nn.Identity())
    assert [type(x).__name__ for x in m] == ["ReLU", "Identity", "Tanh", "Sigmoid"] and list(m._modules) == ["0", "1", "2", "3"]
    del m[1:3]
    assert len(m) == 2 and isinstance(m[1], nn.Sigmoid) and len(m[::-1]) == 2
    with pytest.raises(TypeError):
        m.append(3)
    d = nn.ModuleDict({"x": nn.ReLU()})
    d["y"] = nn.Tanh()
    d.update([("z", nn.Identity())])
    assert list(d) == ["x", "y", "z"] and "y" in d and len(d) == 3 and isinstance(d.pop("y"), nn.Tanh) and list(d.keys()) == ["x", "z"]


def test_parameter_list_and_dict():
    p = nn.ParameterList([tg.zeros(2), nn.Parameter(tg.ones(1))])
    p.append(tg.ones(3))
    assert len(p) == 3 and all(isinstance(x, nn.Parameter) for x in p) and list(p.state_dict()) == ["0", "1", "2"]
    assert len(p[1:]) == 2 and p[-1].shape[0] == 3
    with pytest.raises(IndexError):
        p[5]
    d = nn.ParameterDict({"a": tg.zeros(2)})
    d["b"] = nn.Parameter(tg.zeros(1))
    assert list(d.keys()) == ["a", "b"] and list(dict(d.named_parameters())) == ["a", "b"] and "a" in d and d.pop("a").shape[0] == 2 and len(d) == 1


def test_parameter():
    data = tg.arange(3.0)
    p = nn.Parameter(data)
    assert p.requires_grad and p.is_leaf and p.data_ptr() == data.data_ptr() and repr(p).startswith("Parameter containing:\ntensor(")
    assert type(p * 2) is tg.Tensor and type(p.data) is tg.Tensor
    q = pickle.loads(pickle.dumps(p))
    assert isinstance(q, nn.Parameter) and q.requires_grad and q.tolist() == [0, 1, 2]
    r = copy.deepcopy(nn.Parameter(data, requires_grad=False))
    assert isinstance(r, nn.Parameter) and not r.requires_grad
    m = nn.Module()
    m.b = nn.Buffer(tg.ones(2), persistent=False)
    assert list(m.state_dict()) == [] and [n for n, _ in m.named_buffers()] == ["b"]


def test_lazy_layers():
    m = nn.Sequential(nn.LazyConv2d(4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(5, bias=False), nn.LazyLinear(2))
    assert repr(m[0]) == "LazyConv2d(0, 4, kernel_size=(3, 3), stride=(1, 1))" and repr(m[3].weight) == "<UninitializedParameter>"
    o = tg.optim.SGD(m.parameters(), lr=0.1)
    weight = m[3].weight
    out = m(tg.randn(2, 3, 5, 5))
    assert out.shape == (2, 2) and repr(m[0]).startswith("Conv2d(3, 4") and type(m[3]) is nn.Linear and m[3].in_features == 36
    assert m[3].weight is weight and type(weight) is nn.Parameter and float(weight.abs().max()) <= 1 / 6
    out.sum().backward()
    before = weight.tolist()
    o.step()
    assert weight.tolist() != before
    fresh = nn.Sequential(nn.LazyConv2d(4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(5, bias=False), nn.LazyLinear(2))
    fresh.load_state_dict(m.state_dict())
    x = tg.randn(1, 3, 5, 5)
    assert equal(fresh(x), m(x)) and type(copy.deepcopy(nn.LazyLinear(2)).weight) is nn.UninitializedParameter
    with pytest.raises(RuntimeError, match="LazyConv1d"):
        nn.LazyConv1d(1, 1)(tg.zeros(1))


def test_data_parallel_passes_through():
    m = nn.DataParallel(nn.Linear(2, 2))
    assert list(m.state_dict()) == ["module.weight", "module.bias"] and m(tg.ones(1, 2)).shape == (1, 2)
    with pytest.raises(RuntimeError, match="no"):
        nn.DataParallel(nn.Linear(1, 1), device_ids=[0])


def test_to_reads_all_its_arguments():
    m = nn.Linear(2, 2)
    assert m.to(tensor=tg.zeros(3, dtype=tg.float64)).weight.dtype == tg.float64
    assert m.to(tg.complex64).weight.dtype == tg.complex64 and m.to(tg.complex128).weight.dtype == tg.complex128
    with pytest.raises(TypeError, match="nonsense"):
        nn.ReLU().to(nonsense=1)
    with pytest.raises(TypeError, match="at most 4"):
        nn.ReLU().to("cpu", tg.float32, False, False, False)
    with pytest.raises(TypeError, match="int64"):
        m.to(tg.int64)


def note_module(module, *rest):
    module.noted = True


def test_load_hooks_of_copies_see_the_copy():
    m = nn.Linear(2, 2)
    m.register_load_state_dict_pre_hook(note_module)
    for other in (copy.deepcopy(m), pickle.loads(pickle.dumps(m))):
        other.load_state_dict(m.state_dict())
        assert other.noted and not hasattr(m, "noted")


def test_a_global_pre_hook_may_remove_itself():
    handle = nn.modules.module.register_module_forward_pre_hook(lambda module, args: handle.remove())
    assert nn.ReLU()(tg.ones(1)).item() == 1


def test_hooks_added_to_a_loaded_module_take_no_others_place():
    m = nn.Linear(2, 2)
    m.register_forward_pre_hook(note_module)
    program = ("import pickle, sys; from tapegrad import nn; m = pickle.load(sys.stdin.buffer);"
               "[m.register_forward_pre_hook(print) for _ in range(50)]; print(len(m._forward_pre_hooks))")
    m._forward_pre_hooks[20] = m._forward_pre_hooks.pop(next(iter(m._forward_pre_hooks)))
    path = os.pathsep.join(sys.path)
    done = subprocess.run([sys.executable, "-c", program], input=pickle.dumps(m), capture_output=True, env={**os.environ, "PYTHONPATH": path})
    assert done.stdout.split() == [b"51"], done.stderr


def test_pruning_that_fails_changes_nothing():
    m = nn.Linear(2, 2)
    nn.utils.prune.l1_unstructured(m, "weight", 1)
    with pytest.raises(ValueError, match="amount=100"):
        nn.utils.prune.l1_unstructured(m, "weight", 100)
    (hook,) = m._forward_pre_hooks.values()
    assert isinstance(hook.hook, nn.utils.prune.L1Unstructured)
    nn.utils.prune.l1_unstructured(m, "weight", 1)
    assert m.weight_mask.sum().item() == 2 and len(m._forward_pre_hooks) == 1


def test_old_spectral_norm_of_a_vector():
    m = nn.LayerNorm(3)
    nn.utils.spectral_norm(m)
    m(tg.ones(2, 3))
    assert m.weight.square().sum().item() == pytest.approx(1) and m.weight_v.shape == (1,)


def test_parametrized_buffers_are_shared_too():
    P = nn.utils.parametrize
    a, b = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    P.register_parametrization(a, "running_mean", nn.Identity())
    P.transfer_parametrizations_and_params(a, b)
    assert b.parametrizations.running_mean.original is a.parametrizations.running_mean.original


def test_gradients_that_pass_by_the_output_call_no_backward_hooks():
    class Named(nn.Module):
        def forward(self, x):
            return {"y": x * 2}

    class Aside(nn.Module):
        def forward(self, x):
            self.loss = (x * x).sum()
            return x * 3
    for module, loss in ((Named(), lambda m, y: y["y"].sum()), (Aside(), lambda m, y: m.loss)):
        called = []
        module.register_full_backward_hook(lambda *args: called.append(1))
        x = tg.ones(2, requires_grad=True)
        if isinstance(module, Named):
            with pytest.warns(UserWarning, match="Named returned a dict"):
                y = module(x)
        else:
            y = module(x)
        loss(module, y).backward()
        assert x.grad.tolist() == [2, 2] and not called
