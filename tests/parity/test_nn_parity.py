"""Layers, losses and functional forms against torch.nn: printed form, state_dict keys, values, gradients, starting values."""
import copy
import re

import numpy as np
import pytest
import tapegrad as tg
import torch

nn, tnn = tg.nn, torch.nn
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # torch's advice about fast paths


def to_torch(x):
    """The same values in torch; containers are walked."""
    if isinstance(x, tg.Tensor):
        t = torch.from_numpy(x.detach().clone().numpy())
        return t.requires_grad_(x.requires_grad)
    if isinstance(x, (tuple, list)):
        return type(x)(to_torch(v) for v in x)
    return x


def close(ours, theirs, tol=2e-5):
    if isinstance(theirs, (tuple, list)):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs):
            close(a, b, tol)
    elif theirs is None:
        assert ours is None
    else:
        a, b = ours.detach().numpy(), theirs.detach().numpy()
        assert a.dtype == b.dtype and a.shape == b.shape, (a.dtype, a.shape, b.dtype, b.shape)
        np.testing.assert_allclose(a, b, rtol=tol, atol=tol)


def build(expr, lib):
    """A module from its text: nn.Linear(2, 3); T(...) is a tensor of the library."""
    return eval(expr, {"nn": lib.nn, "T": lambda *v: lib.tensor(v), "od": __import__("collections").OrderedDict})


def f(*shape):
    return tg.tensor(np.random.RandomState(sum(shape) + len(shape)).randn(*shape).astype(np.float32))


def ints(high, *shape):
    return tg.tensor(np.random.RandomState(len(shape)).randint(0, high, shape))


def probs(*shape):
    return tg.tensor(np.random.RandomState(3).rand(*shape).astype(np.float32) * 0.9 + 0.05)


LAYERS = [
    ("nn.Identity()", (f(2, 3),)), ("nn.Linear(4, 3)", (f(2, 4),)), ("nn.Linear(4, 3, bias=False)", (f(2, 5, 4),)),
    ("nn.Bilinear(3, 4, 5)", (f(2, 3), f(2, 4))), ("nn.Embedding(10, 3)", (ints(10, 2, 4),)),
    ("nn.Embedding(10, 3, padding_idx=-2)", (ints(10, 5),)), ("nn.EmbeddingBag(10, 3)", (ints(10, 4, 5),)),
    ("nn.EmbeddingBag(10, 3, mode='sum')", (ints(10, 4, 5),)), ("nn.CosineSimilarity()", (f(3, 4), f(3, 4))), ("nn.PairwiseDistance()", (f(3, 4), f(3, 4))),
    ("nn.Conv1d(3, 4, 3)", (f(2, 3, 8),)), ("nn.Conv2d(3, 4, 3, padding=1)", (f(2, 3, 8, 8),)), ("nn.Conv2d(3, 4, 3)", (f(3, 8, 8),)),
    ("nn.Conv2d(4, 6, (3, 5), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2, bias=False)", (f(2, 4, 11, 12),)),
    ("nn.Conv2d(3, 4, 4, padding='same')", (f(2, 3, 8, 9),)), ("nn.Conv2d(3, 4, 3, padding='valid')", (f(2, 3, 8, 9),)),
    ("nn.Conv2d(3, 4, 3, padding=2, padding_mode='reflect')", (f(2, 3, 8, 9),)),
    ("nn.Conv2d(3, 4, 3, padding='same', padding_mode='circular')", (f(2, 3, 8, 9),)),
    ("nn.Conv1d(3, 4, 3, padding=1, padding_mode='replicate')", (f(2, 3, 8),)), ("nn.Conv3d(2, 3, 2)", (f(2, 2, 4, 5, 6),)),
    ("nn.ConvTranspose1d(3, 4, 3, stride=2)", (f(2, 3, 5),)), ("nn.ConvTranspose2d(3, 4, 3, 2, 1, output_padding=1)", (f(2, 3, 5, 5),)),
    ("nn.ConvTranspose2d(4, 6, 3, groups=2, dilation=2)", (f(2, 4, 5, 5),)), ("nn.ConvTranspose3d(2, 3, 2)", (f(2, 2, 3, 3, 3),)),
    ("nn.MaxPool1d(2)", (f(2, 3, 8),)), ("nn.MaxPool2d(3, 2, padding=1)", (f(2, 3, 8, 9),)), ("nn.MaxPool2d(2, return_indices=True)", (f(2, 3, 8, 8),)),
    ("nn.MaxPool2d((2, 3), ceil_mode=True)", (f(2, 3, 7, 8),)), ("nn.MaxPool3d(2)", (f(2, 3, 4, 4, 4),)), ("nn.AvgPool1d(3, 2)", (f(2, 3, 8),)),
    ("nn.AvgPool2d(2)", (f(2, 3, 8, 8),)), ("nn.AvgPool2d(3, 2, 1, count_include_pad=False)", (f(2, 3, 8, 8),)), ("nn.AvgPool3d(2)", (f(2, 3, 4, 4, 4),)),
    ("nn.LPPool2d(2, 2)", (f(2, 3, 8, 8).abs(),)), ("nn.LPPool1d(2, 3, stride=2)", (f(2, 3, 9).abs(),)),
    ("nn.AdaptiveAvgPool1d(3)", (f(2, 3, 8),)), ("nn.AdaptiveAvgPool2d((3, None))", (f(2, 3, 8, 7),)), ("nn.AdaptiveAvgPool2d(1)", (f(2, 3, 8, 7),)),
    ("nn.AdaptiveAvgPool3d(2)", (f(2, 3, 5, 5, 5),)), ("nn.AdaptiveMaxPool1d(3)", (f(2, 3, 8),)), ("nn.AdaptiveMaxPool2d((3, 2))", (f(2, 3, 8, 7),)), ("nn.AdaptiveMaxPool2d((3, 2), return_indices=True)", (f(2, 3, 8, 7),)),
    ("nn.AdaptiveMaxPool3d(2)", (f(2, 3, 5, 4, 6),)),
    ("nn.Unfold((2, 3), padding=1, stride=2)", (f(2, 3, 6, 7),)), ("nn.Unfold(2, dilation=2)", (f(2, 3, 6, 7),)),
    ("nn.Fold((4, 5), (2, 2), padding=1, stride=2)", (f(2, 12, 9),)),
    ("nn.BatchNorm1d(4)", (f(5, 4),)), ("nn.BatchNorm1d(4)", (f(5, 4, 3),)), ("nn.BatchNorm2d(3, eps=1e-3, momentum=0.3)", (f(2, 3, 4, 4),)),
    ("nn.BatchNorm2d(3, momentum=None)", (f(2, 3, 4, 4),)), ("nn.BatchNorm2d(3, affine=False, track_running_stats=False)", (f(2, 3, 4, 4),)),
    ("nn.BatchNorm3d(3)", (f(2, 3, 2, 2, 2),)), ("nn.InstanceNorm1d(3)", (f(2, 3, 6),)), ("nn.InstanceNorm2d(3, affine=True)", (f(2, 3, 4, 4),)),
    ("nn.InstanceNorm2d(3, track_running_stats=True)", (f(3, 4, 4),)), ("nn.InstanceNorm3d(3)", (f(2, 3, 2, 2, 2),)),
    ("nn.LayerNorm(4)", (f(2, 3, 4),)), ("nn.LayerNorm((3, 4), bias=False)", (f(2, 3, 4),)), ("nn.LayerNorm([4], elementwise_affine=False)", (f(2, 4),)),
    ("nn.RMSNorm(4)", (f(2, 3, 4),)), ("nn.RMSNorm((3, 4), eps=1e-3)", (f(2, 3, 4),)), ("nn.GroupNorm(2, 4)", (f(2, 4, 3),)),
    ("nn.LocalResponseNorm(3)", (f(2, 5, 4, 4),)),
    ("nn.Dropout(0.3)", (f(2, 3),)), ("nn.Dropout1d()", (f(2, 3, 4),)), ("nn.Dropout2d(0.2)", (f(2, 3, 4, 4),)), ("nn.Dropout3d()", (f(2, 3, 2, 2, 2),)),
    ("nn.AlphaDropout(0.2)", (f(2, 3),)), ("nn.FeatureAlphaDropout()", (f(2, 3, 4),)),
    *[(f"nn.{n}()", (f(3, 4),)) for n in ("ReLU ReLU6 SELU SiLU Mish Hardswish Hardsigmoid LeakyReLU ELU CELU GELU GLU Sigmoid Tanh LogSigmoid "
                                          "Softplus Softsign Tanhshrink Softshrink Hardshrink Hardtanh PReLU RReLU").split()],
    ("nn.ReLU(inplace=True)", (f(3, 4),)), ("nn.LeakyReLU(0.2, True)", (f(3, 4),)), ("nn.ELU(0.7)", (f(3, 4),)), ("nn.CELU(0.7, inplace=True)", (f(3, 4),)),
    ("nn.GELU('tanh')", (f(3, 4),)), ("nn.GLU(0)", (f(4, 4),)), ("nn.Softplus(2, 1.5)", (f(3, 4),)), ("nn.Threshold(0.1, 20)", (f(3, 4),)),
    ("nn.PReLU(4)", (f(3, 4),)), ("nn.Softmax(1)", (f(3, 4),)), ("nn.LogSoftmax(dim=-1)", (f(3, 4),)), ("nn.Softmin(0)", (f(3, 4),)),
    ("nn.Softmax2d()", (f(2, 3, 4, 4),)),
    ("nn.ZeroPad2d(1)", (f(2, 3, 4, 4),)), ("nn.ConstantPad1d((1, 2), 3.5)", (f(2, 3, 4),)), ("nn.ReflectionPad2d((1, 0, 2, 1))", (f(2, 3, 4, 4),)),
    ("nn.ReplicationPad1d(2)", (f(2, 3, 4),)), ("nn.ReplicationPad3d(1)", (f(2, 3, 2, 2, 2),)), ("nn.CircularPad2d(1)", (f(2, 3, 4, 4),)),
    ("nn.Flatten()", (f(2, 3, 4),)), ("nn.Unflatten(1, (2, -1))", (f(2, 6),)), ("nn.Upsample(scale_factor=2)", (f(2, 3, 4, 4),)),
    ("nn.Upsample((6, 5), mode='bilinear', align_corners=False)", (f(2, 3, 4, 4),)), ("nn.Upsample(scale_factor=2, mode='bilinear', align_corners=True)", (f(2, 3, 4, 4),)),
    ("nn.UpsamplingNearest2d(scale_factor=2)", (f(2, 3, 4, 4),)), ("nn.UpsamplingBilinear2d(scale_factor=2)", (f(2, 3, 4, 4),)),
    ("nn.PixelShuffle(2)", (f(2, 8, 3, 3),)), ("nn.PixelUnshuffle(2)", (f(2, 2, 4, 6),)),
    ("nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))", (f(2, 4),)), ("nn.Sequential(od(a=nn.Linear(4, 3), b=nn.Tanh()))", (f(2, 4),)),
    ("nn.RNN(3, 4)", (f(5, 2, 3),)), ("nn.RNN(3, 4, 2, nonlinearity='relu', bidirectional=True)", (f(5, 2, 3),)), ("nn.LSTM(3, 4, batch_first=True)", (f(5, 2, 3),)),
    ("nn.LSTM(3, 4, num_layers=2, bidirectional=True, bias=False)", (f(5, 2, 3),)), ("nn.LSTM(3, 4, proj_size=2)", (f(5, 2, 3),)), ("nn.GRU(3, 4, 2)", (f(5, 2, 3),)),
    ("nn.GRU(3, 4)", (f(5, 3),)), ("nn.RNNCell(3, 4)", (f(2, 3),)), ("nn.LSTMCell(3, 4)", (f(2, 3),)), ("nn.GRUCell(3, 4)", (f(2, 3), f(2, 4))),
    ("nn.MultiheadAttention(8, 2)", (f(5, 2, 8), f(6, 2, 8), f(6, 2, 8))), ("nn.MultiheadAttention(8, 2, batch_first=True, kdim=3, vdim=5)", (f(2, 5, 8), f(2, 6, 3), f(2, 6, 5))),
    ("nn.TransformerEncoderLayer(8, 2, 16)", (f(5, 2, 8),)), ("nn.TransformerEncoderLayer(8, 2, 16, norm_first=True, activation='gelu', batch_first=True)", (f(2, 5, 8),)),
    ("nn.TransformerDecoderLayer(8, 2, 16)", (f(5, 2, 8), f(4, 2, 8))), ("nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 2)", (f(5, 2, 8),)),
    ("nn.Transformer(8, 2, 1, 1, 16)", (f(5, 2, 8), f(4, 2, 8))),
]
LOSSES = [
    *[(f"nn.{n}(reduction='{r}')", (f(3, 4), f(4, 3).t())) for n in ("L1Loss", "MSELoss", "SmoothL1Loss", "HuberLoss") for r in ("mean", "sum", "none")],
    ("nn.SmoothL1Loss(beta=0.3)", (f(3, 4), f(4, 3).t())), ("nn.HuberLoss(delta=0.3)", (f(3, 4), f(4, 3).t())),
    ("nn.CrossEntropyLoss()", (f(5, 4), ints(4, 5))), ("nn.CrossEntropyLoss(label_smoothing=0.1, reduction='sum')", (f(5, 4), ints(4, 5))),
    ("nn.CrossEntropyLoss(weight=T(.1, .2, .3, .4), ignore_index=1)", (f(5, 4), ints(4, 5))), ("nn.CrossEntropyLoss(reduction='none')", (f(2, 4, 3), ints(4, 2, 3))),
    ("nn.CrossEntropyLoss()", (f(5, 4), probs(5, 4))), ("nn.NLLLoss()", (f(5, 4), ints(4, 5))), ("nn.NLLLoss(weight=T(.1, .2, .3, .4))", (f(2, 4, 3), ints(4, 2, 3))),
    ("nn.BCELoss()", (probs(3, 4), probs(3, 4))), ("nn.BCEWithLogitsLoss(pos_weight=T(.5, 1., 2., 3.))", (f(3, 4), probs(3, 4))), ("nn.KLDivLoss(reduction='batchmean')", (f(3, 4), probs(3, 4))),
    ("nn.KLDivLoss(reduction='sum', log_target=True)", (f(3, 4), f(3, 4))), ("nn.PoissonNLLLoss(full=True)", (f(3, 4), f(3, 4).abs() * 3)), ("nn.PoissonNLLLoss(log_input=False)", (probs(3, 4), probs(3, 4))),
    ("nn.GaussianNLLLoss(full=True)", (f(3, 4), f(3, 4), probs(3, 4))), ("nn.HingeEmbeddingLoss()", (f(3, 4), f(3, 4).sign())), ("nn.MarginRankingLoss(0.2)", (f(5), f(6)[:5], f(5).sign())),
    ("nn.SoftMarginLoss()", (f(3, 4), f(3, 4).sign())), ("nn.CosineEmbeddingLoss(0.1)", (f(5, 4), f(4, 5).t(), f(5).sign())), ("nn.TripletMarginLoss(swap=True)", (f(3, 4), f(4, 3).t(), probs(3, 4))),
    ("nn.MultiMarginLoss(p=2)", (f(5, 4), ints(4, 5))), ("nn.MultiMarginLoss(weight=T(.1, .2, .3, .4))", (f(5, 4), ints(4, 5))),
    ("nn.MultiLabelMarginLoss()", (f(2, 4), tg.tensor([[3, 0, -1, 1], [1, -1, 0, 0]]))), ("nn.MultiLabelSoftMarginLoss()", (f(3, 4), probs(3, 4))),
]


def copy_state(ours, theirs):
    theirs.load_state_dict({k: to_torch(v) for k, v in ours.state_dict().items()})


def run(ours, theirs, args):
    is_loss = type(ours).__name__.endswith("Loss")  # some of torch's refuse targets that require grad
    a = [x.detach().clone().requires_grad_(x.is_floating_point() and not (is_loss and i)) for i, x in enumerate(args)]
    b = to_torch(a)
    inplace = "inplace=True" in repr(ours)
    out, expected = (m(*(x * 1 if inplace else x for x in xs)) for m, xs in ((ours, a), (theirs, b)))
    close(out, expected)

    def total(o):
        o = [x for x in (o if isinstance(o, (tuple, list)) else [o]) if x is not None]
        return sum(total(x) if isinstance(x, (tuple, list)) else (x * x).sum() for x in o if isinstance(x, (tuple, list)) or x.is_floating_point())
    loss, wanted = total(out), total(expected)
    if getattr(wanted, "requires_grad", False):
        loss.backward()
        wanted.backward()
        for x, y in zip(a, b):
            if isinstance(x, tg.Tensor) and y.grad is not None:
                close(x.grad, y.grad, 2e-4)
        for p, q in zip(ours.parameters(), theirs.parameters()):
            if q.grad is not None:
                close(p.grad, q.grad, 2e-4)


@pytest.mark.parametrize("expr,args", LAYERS + LOSSES, ids=[e for e, _ in LAYERS + LOSSES])
def test_module(expr, args):
    ours, theirs = build(expr, tg), build(expr, torch)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [tuple(v.shape) for v in ours.state_dict().values()] == [tuple(v.shape) for v in theirs.state_dict().values()]
    assert [n for n, _ in ours.named_modules()] == [n for n, _ in theirs.named_modules()]
    copy_state(ours, theirs)
    random = any(n in expr for n in ("Dropout", "RReLU", "Transformer"))
    if not random:
        run(ours, theirs, args)
        for key, value in theirs.state_dict().items():  # running statistics
            close(ours.state_dict()[key], value)
    ours.eval()
    theirs.eval()
    ours.zero_grad()
    theirs.zero_grad()
    run(ours, theirs, args)


@pytest.mark.parametrize("expr", sorted({e for e, _ in LAYERS if build(e, tg).state_dict()}))
def test_starting_values_have_the_same_spread(expr):
    """Each parameter's range and standard deviation, over many draws, are PyTorch's."""
    ours, theirs = {}, {}
    for lib, seen in ((tg, ours), (torch, theirs)):
        lib.manual_seed(1)
        for _ in range(30):
            for k, p in build(expr, lib).named_parameters():
                seen.setdefault(k, []).append(p.detach().numpy().ravel())
    for k in theirs:
        a, b = np.concatenate(ours[k]), np.concatenate(theirs[k])
        noise = 4 / np.sqrt(len(b))
        assert abs(a.std() - b.std()) <= noise * max(b.std(), 1e-9) + 1e-9, k
        assert abs(a.mean() - b.mean()) <= noise * (b.std() + 1e-9) * 1.5, k
        if b.std() and abs(b).max() / b.std() < 1.8:  # uniform: the bounds agree
            assert abs(abs(a).max() - abs(b).max()) <= 5 * noise * abs(b).max(), k


def test_nested_model_prints_as_torch():
    def model(lib):
        n = lib.nn

        class Block(n.Module):
            def __init__(self, width):
                super().__init__()
                self.layers = n.ModuleList([n.Linear(width, width) for _ in range(3)] + [n.ReLU()])
                self.heads = n.ModuleDict({"a": n.Linear(width, 1), "b": n.Sequential(n.Linear(width, 2), n.Softmax(-1))})
                self.extra = n.Parameter(lib.zeros(2))
                self.none = None
                self.params = n.ParameterList([n.Parameter(lib.zeros(2)), n.Parameter(lib.zeros(2, 3))])
                self.named = n.ParameterDict({"x": n.Parameter(lib.zeros(1))})

            def extra_repr(self):
                return "width=4\nmore"
        return n.Sequential(Block(4), n.ModuleList(), n.Sequential())
    ours, theirs = model(tg), model(torch)
    assert repr(ours).replace("tapegrad.", "torch.") == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    assert [n for n, _ in ours.named_modules()] == [n for n, _ in theirs.named_modules()]


def test_load_state_dict_errors_read_as_torch():
    texts = []
    for lib in (tg, torch):
        m = lib.nn.Sequential(lib.nn.Linear(2, 3), lib.nn.BatchNorm1d(3))
        state = m.state_dict()
        state["0.weight"] = lib.zeros(4, 2)
        del state["1.running_mean"], state["0.bias"]
        state["2.weight"] = lib.zeros(1)
        state["0.extra"] = lib.zeros(1)
        with pytest.raises(RuntimeError) as e:
            m.load_state_dict(state)
        texts.append(str(e.value))
    assert texts[0].replace("tapegrad.", "torch.") == texts[1]


FUNCTIONS = [
    ("interpolate", (f(2, 3, 4, 4),), dict(scale_factor=1.7)), ("interpolate", (f(2, 3, 4),), dict(size=7, mode="linear")),
    ("interpolate", (f(2, 3, 5, 5),), dict(scale_factor=0.5, mode="area")), ("normalize", (f(3, 4),), {}), ("normalize", (f(3, 4),), dict(p=1.0, dim=0)),
    ("one_hot", (ints(4, 5),), {}), ("pad", (f(2, 3), (1, 2)), {}), ("pad", (f(2, 3), (1, 2)), dict(value=4.0)), ("pad", (f(2, 3, 4), (1, 2)), dict(mode="reflect")),
    ("softmax", (f(2, 3), -1), dict(dtype="float64")), ("log_softmax", (f(2, 3), 0), {}), ("cosine_similarity", (f(2, 3), f(3, 2).t()), dict(dim=0)),
    ("pixel_shuffle", (f(8, 3, 3), 2), {}), ("unfold", (f(3, 5, 5), 3), {}), ("leaky_relu", (f(2, 3),), dict(negative_slope=0.3)),
    ("scaled_dot_product_attention", (f(2, 4, 8), f(2, 5, 8), f(2, 5, 6)), {}), ("scaled_dot_product_attention", (f(2, 4, 8), f(2, 4, 8), f(2, 4, 6)), dict(is_causal=True)),
    ("embedding", (ints(5, 2, 3), f(5, 4)), dict(padding_idx=1)), ("gumbel_softmax", (f(2, 3),), None), ("lp_pool1d", (f(2, 3, 6).abs(), 2.0, 2), {}),
    ("mse_loss", (f(3, 4), f(3, 4)), dict(weight=probs(3, 4))), ("huber_loss", (f(3, 4), f(4, 3).t()), dict(weight=probs(3, 4), reduction="sum")),
    ("max_pool2d", (f(1, 2, 4, 4), 2), dict(return_indices=True)), ("local_response_norm", (f(2, 5, 4), 4), {}),
]


@pytest.mark.parametrize("name,args,kwargs", FUNCTIONS, ids=[f"{n}-{i}" for i, (n, _, _) in enumerate(FUNCTIONS)])
def test_functional(name, args, kwargs):
    if kwargs is None:
        assert getattr(nn.functional, name)(*args).shape == args[0].shape
        return
    ours = {k: getattr(tg, v) if k == "dtype" else v for k, v in kwargs.items()}
    theirs = {k: getattr(torch, v) if k == "dtype" else to_torch(v) for k, v in kwargs.items()}
    close(getattr(nn.functional, name)(*args, **ours), getattr(tnn.functional, name)(*to_torch(args), **theirs))


def test_signatures_are_torchs():
    """Every public function of nn.functional takes torch's parameters in torch's order with torch's defaults."""
    import inspect
    wrong = []
    for name in dir(nn.functional):
        ours, theirs = getattr(nn.functional, name), getattr(tnn.functional, name, None)
        if name.startswith("_") or not inspect.isfunction(ours) or theirs is None:
            continue
        try:
            expected = inspect.signature(theirs)
        except ValueError:
            continue
        if list(expected.parameters) in (["args", "kwargs"], []):  # torch's own wrappers
            continue
        a = [(p.name, p.default) for p in inspect.signature(ours).parameters.values()]
        b = [(p.name, p.default) for p in expected.parameters.values()]
        if a != b:
            wrong.append((name, a, b))
    assert not wrong


CLASSES = [n for n in dir(nn) if isinstance(getattr(nn, n), type) and issubclass(getattr(nn, n), nn.Module) and hasattr(tnn, n)
           and not n.startswith("Lazy")]  # those take the arguments of the layer they become


@pytest.mark.parametrize("name", CLASSES)
def test_constructors_are_torchs(name):
    import inspect
    a = list(inspect.signature(getattr(nn, name).__init__).parameters.values())[1:]
    b = list(inspect.signature(getattr(tnn, name).__init__).parameters.values())[1:]
    var = [[(p.name, p.default if not callable(p.default) else "f") for p in ps if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)] for ps in (a, b)]
    if not any(p.kind == p.VAR_POSITIONAL for p in b):
        assert var[0] == var[1]


def test_init_functions():
    cases = {"uniform_": (), "normal_": (1.0, 2.0), "trunc_normal_": (0.0, 1.0, -1.0, 0.5), "xavier_uniform_": (2.0,), "xavier_normal_": (), "kaiming_uniform_": (0.5,),
             "kaiming_normal_": (0, "fan_out", "relu"), "sparse_": (0.3,)}
    for name, args in cases.items():
        tg.manual_seed(0)
        torch.manual_seed(0)
        a = getattr(nn.init, name)(tg.empty(200, 300), *args).numpy()
        b = getattr(tnn.init, name)(torch.empty(200, 300), *args).numpy()
        assert abs(a.std() / b.std() - 1) < 0.03 and abs(a.mean() - b.mean()) < 0.02 * b.std() + 1e-3, name
        assert abs(abs(a).max() / abs(b).max() - 1) < (0.3 if "normal" in name or name == "sparse_" else 0.01), name
    for shape in ((5, 3), (3, 5), (4, 2, 3)):
        q = nn.init.orthogonal_(tg.empty(*shape), gain=2.0).numpy().reshape(shape[0], -1).astype(np.float64) / 2
        small = q @ q.T if q.shape[0] <= q.shape[1] else q.T @ q
        np.testing.assert_allclose(small, np.eye(len(small)), atol=1e-6)
    for args in ((tg.empty(4, 4, 3, 3),), (tg.empty(4, 2, 3), 2)):
        ours = nn.init.dirac_(*args)
        close(ours, tnn.init.dirac_(torch.empty(*ours.shape), *args[1:]))
    close(nn.init.eye_(tg.empty(3, 4)), tnn.init.eye_(torch.empty(3, 4)))
    for name in ("linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
        assert nn.init.calculate_gain(name) == tnn.init.calculate_gain(name)


def test_deepcopy_and_eval_match():
    m = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5))
    c = copy.deepcopy(m)
    assert repr(c) == repr(m) and re.search("BatchNorm2d", repr(c))
    for (ka, a), (kb, b) in zip(m.state_dict().items(), c.state_dict().items()):
        assert ka == kb and a is not b
        close(a, to_torch(b))
