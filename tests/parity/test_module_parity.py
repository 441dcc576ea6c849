"""Module's odds and ends as PyTorch has them: import paths, hooks, __getattr__, lazy modules, wrappers. The same text for both libraries."""
import copy
import importlib
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import tapegrad as tg
import torch

LIBS = pytest.mark.parametrize("lib", [tg, torch], ids=["tapegrad", "torch"])
pytestmark = pytest.mark.filterwarnings("ignore")
PATHS = """utils:_single,_pair,_triple,_quadruple,_ntuple,_reverse_repeat_tuple,_list_with_default,consume_prefix_in_state_dict_if_present
    module:Module,register_module_forward_hook,register_module_forward_pre_hook,register_module_full_backward_hook,register_module_backward_hook
    batchnorm:_BatchNorm,_NormBase,BatchNorm2d,SyncBatchNorm conv:_ConvNd,_ConvTransposeNd,Conv2d linear:Linear,Identity,NonDynamicallyQuantizableLinear
    activation:ReLU,MultiheadAttention,PReLU container:Sequential,ModuleList dropout:_DropoutNd,Dropout instancenorm:_InstanceNorm,InstanceNorm2d
    normalization:LayerNorm,GroupNorm,RMSNorm,LocalResponseNorm,CrossMapLRN2d pooling:_MaxPoolNd,_LPPoolNd,MaxPool2d,MaxUnpool1d,FractionalMaxPool2d
    padding:ZeroPad2d rnn:RNNBase,LSTM,RNNCellBase sparse:Embedding,EmbeddingBag transformer:Transformer upsampling:Upsample loss:_Loss,_WeightedLoss,MSELoss,CTCLoss
    flatten:Flatten fold:Fold pixelshuffle:PixelShuffle distance:CosineSimilarity adaptive:AdaptiveLogSoftmaxWithLoss channelshuffle:ChannelShuffle
    lazy:LazyModuleMixin""".split()


@LIBS
@pytest.mark.parametrize("path", PATHS)
def test_import_paths(lib, path):
    name, members = path.split(":")
    module = importlib.import_module(f"{lib.__name__}.nn.modules.{name}")
    assert module is getattr(lib.nn.modules, name)
    for member in members.split(","):
        assert hasattr(module, member)


@LIBS
@pytest.mark.parametrize("path", ["nn.utils.clip_grad:clip_grad_norm_", "nn.utils.convert_parameters:parameters_to_vector", "utils.hooks:RemovableHandle"])
def test_import_paths_of_helpers(lib, path):
    name, member = path.split(":")
    assert hasattr(importlib.import_module(f"{lib.__name__}.{name}"), member)


@LIBS
def test_a_parameter_prints_as_one(lib):
    p = lib.nn.Parameter(lib.zeros(2))
    assert str(p) == repr(p) == "Parameter containing:\ntensor([0., 0.], requires_grad=True)"


@LIBS
def test_class_relations(lib):
    m = lib.nn.modules
    assert issubclass(lib.nn.SyncBatchNorm, m.batchnorm._BatchNorm) and issubclass(lib.nn.InstanceNorm1d, m.batchnorm._NormBase)
    assert issubclass(lib.nn.ConvTranspose2d, m.conv._ConvNd) and issubclass(lib.nn.Dropout2d, m.dropout._DropoutNd)
    assert issubclass(lib.nn.LSTM, lib.nn.RNNBase) and issubclass(lib.nn.GRUCell, lib.nn.RNNCellBase) and issubclass(lib.nn.CTCLoss, m.loss._Loss)


@LIBS
def test_tuples(lib):
    u = lib.nn.modules.utils
    assert u._pair(3) == (3, 3) and u._pair([1, 2]) == (1, 2) and u._single(2) == (2,) and u._triple(1) == (1, 1, 1) and u._ntuple(2)("ab") == ("a", "b")
    assert u._reverse_repeat_tuple((1, 2), 2) == (2, 2, 1, 1) and u._list_with_default([None, 3], [5, 6, 7]) == [6, 3]
    state = lib.nn.Sequential(lib.nn.Linear(1, 1)).state_dict()
    u.consume_prefix_in_state_dict_if_present(state, "0.")
    assert list(state) == ["weight", "bias"]


@LIBS
def test_getattr_of_subclasses(lib):
    class Wrapper(lib.nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

        def forward(self, x):
            return self.module(x)

        def __getattr__(self, name):
            try:
                return super().__getattr__(name)
            except AttributeError:
                return getattr(self.module, name)

    class Further(Wrapper):
        def __getattr__(self, name):
            if name == "answer":
                return 42
            return super().__getattr__(name)
    for cls in (Wrapper, Further):
        w = cls(lib.nn.Linear(2, 3))
        assert w.in_features == 2 and w.weight is w.module.weight and w(lib.ones(1, 2)).shape == (1, 3)
        assert copy.deepcopy(w).out_features == 3
        with pytest.raises(AttributeError, match="nothing"):
            w.nothing
    assert w.answer == 42


@LIBS
def test_registration_hooks(lib):
    m, log = lib.nn.modules.module, []
    handles = [m.register_module_parameter_registration_hook(lambda mod, name, p: log.append(("parameter", name))),
               m.register_module_buffer_registration_hook(lambda mod, name, b: log.append(("buffer", name)) or (b * 2 if name == "twice" else None)),
               m.register_module_module_registration_hook(lambda mod, name, sub: log.append(("module", name)))]
    try:
        net = lib.nn.Sequential(lib.nn.Linear(1, 2))
        net.register_buffer("twice", lib.ones(2))
        net.extra = lib.nn.ReLU()
    finally:
        for h in handles:
            h.remove()
    net.more = lib.nn.ReLU()
    assert log == [("parameter", "weight"), ("parameter", "bias"), ("module", "0"), ("buffer", "twice"), ("module", "extra")]
    assert net.twice.tolist() == [2, 2]


@LIBS
def test_global_and_old_hooks(lib):
    m, log = lib.nn.modules.module, []
    net = lib.nn.Sequential(lib.nn.Linear(2, 2), lib.nn.ReLU())
    handles = [m.register_module_forward_pre_hook(lambda mod, args: log.append(("pre", type(mod).__name__))),
               m.register_module_forward_hook(lambda mod, args, kwargs, out: log.append(("post", type(mod).__name__, kwargs)), with_kwargs=True),
               m.register_module_full_backward_pre_hook(lambda mod, gout: log.append(("back pre", type(mod).__name__))),
               m.register_module_full_backward_hook(lambda mod, gin, gout: log.append(("back", type(mod).__name__)))]
    try:
        net(lib.ones(1, 2, requires_grad=True)).sum().backward()
    finally:
        for h in handles:
            h.remove()
    assert log == [("pre", "Sequential"), ("pre", "Linear"), ("post", "Linear", {}), ("pre", "ReLU"), ("post", "ReLU", {}), ("post", "Sequential", {}),
                   ("back pre", "Sequential"), ("back pre", "ReLU"), ("back", "ReLU"), ("back pre", "Linear"), ("back", "Linear"), ("back", "Sequential")]
    log.clear()
    relu = lib.nn.ReLU()
    relu.register_backward_hook(lambda mod, gin, gout: log.append((gin[0].tolist(), gout[0].tolist())))
    relu(lib.tensor([-1.0, 2.0], requires_grad=True)).sum().backward()
    assert log == [([0, 1], [1, 1])]
    if lib is torch:  # no old hooks after full ones
        return
    log.clear()
    handle = m.register_module_backward_hook(lambda mod, gin, gout: log.append(type(mod).__name__))
    lib.nn.Tanh()(lib.ones(2, requires_grad=True)).sum().backward()
    handle.remove()
    lib.nn.Tanh()(lib.ones(2, requires_grad=True)).sum().backward()
    assert log == ["Tanh"]


@LIBS
def test_own_lazy_modules(lib):
    parameter = importlib.import_module(f"{lib.__name__}.nn.parameter")

    class Scale(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = parameter.UninitializedParameter()
            self.register_buffer("seen", parameter.UninitializedBuffer())

        def forward(self, x):
            return x * self.weight

    class LazyScale(lib.nn.modules.lazy.LazyModuleMixin, Scale):
        cls_to_become = Scale

        def initialize_parameters(self, x):
            if self.has_uninitialized_params():
                with lib.no_grad():
                    self.weight.materialize(x.shape[-1:])
                    self.seen.materialize((1,))
                    self.weight.fill_(2)
                    self.seen.fill_(0)
    a = LazyScale()
    assert a.has_uninitialized_params()
    assert a(lib.ones(3, 2)).tolist() == [[2, 2]] * 3 and type(a) is Scale and a.weight.shape == (2,) and isinstance(a.weight, lib.nn.Parameter)
    b = LazyScale()
    b.load_state_dict(a.state_dict())
    assert b.weight.tolist() == [2, 2] and not b.has_uninitialized_params()


@LIBS
def test_moving_without_values(lib):
    net = lib.nn.Sequential(lib.nn.Linear(2, 3), lib.nn.BatchNorm1d(3))
    assert net.to_empty(device="cpu") is net and net[0].weight.shape == (3, 2) and net[1].num_batches_tracked.dtype == lib.int64
    assert net.half().double().bfloat16().float()[0].weight.dtype == lib.float32 and not any(p.requires_grad for p in net.requires_grad_(False).parameters())


@LIBS
def test_wrappers(lib):
    net = lib.nn.Linear(2, 3)
    x = lib.ones(4, 2)
    wrapped = lib.nn.parallel.DataParallel(net)
    assert (wrapped(x) == net(x)).all() and list(wrapped.state_dict()) == ["module.weight", "module.bias"]
    if lib is tg:  # PyTorch's wants an accelerator
        assert (lib.nn.parallel.data_parallel(net, (x,)) == net(x)).all()


def test_distributed_wrapper(monkeypatch):
    net = tg.nn.Linear(2, 3)
    wrapped = tg.nn.parallel.DistributedDataParallel(net, find_unused_parameters=True)
    with wrapped.no_sync():
        assert (wrapped(tg.ones(1, 2)) == net(tg.ones(1, 2))).all()
    assert list(wrapped.state_dict()) == ["module.weight", "module.bias"]
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(NotImplementedError, match="WORLD_SIZE is 2"):
        tg.nn.parallel.DistributedDataParallel(net)


@LIBS
def test_submodules_by_path(lib):
    net = lib.nn.Sequential(lib.nn.Sequential(lib.nn.Linear(2, 3)), lib.nn.BatchNorm1d(3))
    assert net.get_submodule("0.0") is net[0][0] and net.get_submodule("") is net and net.get_parameter("0.0.weight") is net[0][0].weight
    assert net.get_buffer("1.running_mean") is net[1].running_mean
    net.set_submodule("0.0", lib.nn.Identity())
    assert isinstance(net[0][0], lib.nn.Identity)
    for bad in (lambda: net.get_submodule("0.7"), lambda: net.get_parameter("0.0.weight"), lambda: net.get_buffer("1.weight"), lambda: net.get_parameter("1.running_mean")):
        with pytest.raises(AttributeError):
            bad()
    for bad in ("", "9.x", "1.weight"):
        with pytest.raises((ValueError, AttributeError)):
            net.set_submodule(bad, lib.nn.Identity())
    with pytest.raises(AttributeError):
        net.set_submodule("9", lib.nn.Identity(), strict=True)
    with pytest.raises(ValueError):
        net.set_submodule("1", None)
    tied = lib.nn.Sequential(net[1], net[1])
    assert len(list(tied.modules())) == 2 and len(list(tied.modules(remove_duplicate=False))) == 3


@LIBS
def test_pickling_and_copying(lib):
    for net in (lib.nn.LSTM(2, 3, 2), lib.nn.Transformer(4, 2, 1, 1, 8), lib.nn.Sequential(lib.nn.BatchNorm1d(3)), lib.nn.utils.spectral_norm(lib.nn.Linear(2, 3))):
        for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
            assert repr(other) == repr(net)
            for (k, a), (l, b) in zip(net.state_dict().items(), other.state_dict().items()):
                assert k == l and np.array_equal(a.numpy(), b.numpy()) and a.data_ptr() != b.data_ptr()


@LIBS
def test_padding_mode_set_later(lib):
    """As programs make a trained network tileable."""
    x = lib.arange(32.0).view(1, 2, 4, 4)
    for padding in (1, "same", (2, 0)):
        conv = lib.nn.Conv2d(2, 3, 3, padding=padding)
        circular = lib.nn.Conv2d(2, 3, 3, padding=padding, padding_mode="circular")
        circular.load_state_dict(conv.state_dict())
        assert list(conv._reversed_padding_repeated_twice) == list(circular._reversed_padding_repeated_twice)
        conv.padding_mode = "circular"
        assert conv(x).equal(circular(x))


@LIBS
def test_sequential_numbers_again(lib):
    net = lib.nn.Sequential(OrderedDict(a=lib.nn.Linear(1, 1), b=lib.nn.ReLU(), c=lib.nn.Linear(1, 2)))
    del net[0]
    assert [n for n, _ in net.named_children()] == ["0", "1"] and list(net.state_dict()) == ["1.weight", "1.bias"]


def test_attention_backends():
    from tapegrad.nn.attention import SDPBackend, sdpa_kernel
    q = tg.randn(1, 2, 3, 4)
    with sdpa_kernel(SDPBackend.MATH), sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.MATH], set_priority=True):
        assert tg.nn.functional.scaled_dot_product_attention(q, q, q).shape == q.shape
    with pytest.raises(TypeError):
        with sdpa_kernel("math"):
            pass
    assert [b.name for b in SDPBackend] and {b.name for b in SDPBackend} <= {n for n in dir(torch.nn.attention.SDPBackend) if n.isupper()}
