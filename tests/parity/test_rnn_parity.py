"""RNN, LSTM, GRU, their cells and packed sequences against torch.nn: the same state_dict, then outputs, states and gradients."""
import itertools

import numpy as np
import pytest
import tapegrad as tg
import torch
from op_samples import Call, all_samples, load_rows, run
from test_errors_parity import damaged_dtypes, damaged_numbers, damaged_shapes

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
MODES = ["RNN", "LSTM", "GRU"]


def both(make, dtype="float64"):
    """One module of each library with the same values."""
    theirs = make(torch.nn).to(getattr(torch, dtype))
    ours = make(tg.nn).to(getattr(tg, dtype))
    ours.load_state_dict({k: tg.from_numpy(v.numpy().copy()) for k, v in theirs.state_dict().items()})
    assert list(ours.state_dict()) == list(theirs.state_dict()) and repr(ours) == repr(theirs).replace("torch", "tapegrad")
    return ours, theirs


def numbers(*shape, dtype="float64", seed=0):
    return np.asarray(np.random.RandomState(seed + sum(shape)).randn(*shape), dtype)


def tensors(arrays, lib):
    return [lib.from_numpy(a.copy()).requires_grad_() for a in arrays]


def flat(x):
    if x is None:
        return []
    return [x] if not isinstance(x, (tuple, list)) else [t for v in x for t in flat(v)]


def compare(ours, theirs, call, arrays, tol=1e-11):
    """call(module, lib, *tensors) with both; outputs, and gradients of inputs and parameters for a fixed weighting."""
    found = []
    for module, lib in ((ours, tg), (theirs, torch)):
        inputs = tensors(arrays, lib)
        outputs = [t for t in flat(call(module, lib, *inputs)) if t.is_floating_point()]
        module.zero_grad()
        weights = [lib.from_numpy(numbers(*o.shape, dtype=str(o.dtype).split(".")[-1], seed=k)) for k, o in enumerate(outputs)]
        sum((o * w).sum() for o, w in zip(outputs, weights)).backward()
        found.append([t.detach().numpy() for t in outputs] + [t.grad.numpy() for t in inputs] +
                     [p.grad.numpy() for p in module.parameters()])
    assert len(found[0]) == len(found[1])
    for a, b in zip(*found):
        assert a.shape == b.shape and a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=tol, atol=tol)


def states(mode, runs, n, hidden, out=None, dtype="float64"):
    h = numbers(runs, n, out or hidden, dtype=dtype)
    return [h, numbers(runs, n, hidden, dtype=dtype, seed=1)] if mode == "LSTM" else [h]


OPTIONS = [dict(), dict(num_layers=2), dict(bidirectional=True), dict(num_layers=3, bidirectional=True, bias=False), dict(batch_first=True),
           dict(batch_first=True, bidirectional=True, num_layers=2)]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("mode", MODES + ["relu", "LSTM proj"])
def test_sequences(mode, options):
    options, kind = dict(options), "LSTM" if "LSTM" in mode else "RNN" if mode == "relu" else mode
    if mode == "relu":
        options["nonlinearity"] = "relu"
    if "proj" in mode:
        options["proj_size"] = 3
    out = options.get("proj_size")
    ours, theirs = both(lambda nn: getattr(nn, kind)(4, 5, **options))
    runs = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    x = numbers(6, 3, 4) if not options.get("batch_first") else numbers(3, 6, 4)
    compare(ours, theirs, lambda m, lib, x: m(x), [x])
    hx = states(kind, runs, 3, 5, out)
    compare(ours, theirs, lambda m, lib, x, *h: m(x, h if kind == "LSTM" else h[0]), [x, *hx])
    compare(ours, theirs, lambda m, lib, x, *h: m(x)[0][-1], [x])                      # nothing but outputs has a gradient
    compare(ours, theirs, lambda m, lib, x, *h: m(x, h if kind == "LSTM" else h[0])[1], [x, *hx])  # and nothing but states
    alone = [h[:, 0] for h in hx]
    compare(ours, theirs, lambda m, lib, x, *h: m(x, h if kind == "LSTM" else h[0]), [numbers(6, 4), *alone])
    compare(ours, theirs, lambda m, lib, x: m(x), [numbers(6, 4)])


@pytest.mark.parametrize("dtype,tol", [("float32", 2e-5), ("float64", 1e-11)])
@pytest.mark.parametrize("mode", MODES)
def test_larger(mode, dtype, tol):
    ours, theirs = both(lambda nn: getattr(nn, mode)(33, 70, 2, bidirectional=True), dtype)
    compare(ours, theirs, lambda m, lib, x: m(x), [numbers(20, 17, 33, dtype=dtype)], tol * 20)
    compare(ours, theirs, lambda m, lib, x: m(x), [numbers(5, 1, 33, dtype=dtype)], tol * 5)
    with tg.no_grad(), torch.no_grad():
        x = numbers(20, 17, 33, dtype=dtype)
        np.testing.assert_allclose(ours(tg.from_numpy(x))[0].numpy(), theirs(torch.from_numpy(x))[0].numpy(), rtol=tol, atol=tol)


@pytest.mark.parametrize("sort", [True, False])
@pytest.mark.parametrize("options", [dict(), dict(num_layers=2, bidirectional=True), dict(bidirectional=True, bias=False)], ids=str)
@pytest.mark.parametrize("mode", MODES + ["LSTM proj"])
def test_packed(mode, options, sort):
    kind = mode.split()[0]
    options = dict(options, **({"proj_size": 2} if "proj" in mode else {}))
    ours, theirs = both(lambda nn: getattr(nn, kind)(4, 5, **options))
    runs = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    lengths = [6, 4, 4, 1] if sort else [4, 1, 6, 4]
    x, hx = numbers(6, 4, 4), states(kind, runs, 4, 5, options.get("proj_size"))

    def call(m, lib, x, *h):
        rnn = lib.nn.utils.rnn
        p = rnn.pack_padded_sequence(x, lengths, enforce_sorted=sort)
        y, last = m(p, (h if kind == "LSTM" else h[0]) if h else None)
        return rnn.pad_packed_sequence(y)[0], last
    compare(ours, theirs, call, [x])
    compare(ours, theirs, call, [x, *hx])


@pytest.mark.parametrize("mode", ["RNNCell", "LSTMCell", "GRUCell", "relu"])
@pytest.mark.parametrize("bias", [True, False])
def test_cells(mode, bias):
    kind, more = ("RNNCell", {"nonlinearity": "relu"}) if mode == "relu" else (mode, {})
    ours, theirs = both(lambda nn: getattr(nn, kind)(4, 5, bias, **more))
    hx = [numbers(3, 5), numbers(3, 5, seed=1)][:2 if kind == "LSTMCell" else 1]
    compare(ours, theirs, lambda m, lib, x: m(x), [numbers(3, 4)])
    compare(ours, theirs, lambda m, lib, x, *h: m(x, h if kind == "LSTMCell" else h[0]), [numbers(3, 4), *hx])
    compare(ours, theirs, lambda m, lib, x, *h: m(x, h if kind == "LSTMCell" else h[0]), [numbers(4), *[h[0] for h in hx]])


@pytest.mark.parametrize("mode", MODES)
def test_gradients_of_gradients(mode):
    ours, theirs = both(lambda nn: getattr(nn, mode)(3, 4, 2, bidirectional=True))
    found = []
    for module, lib in ((ours, tg), (theirs, torch)):
        x, = tensors([numbers(4, 2, 3)], lib)
        y, _ = module(x)
        g, = lib.autograd.grad(y.square().sum(), x, create_graph=True)
        module.zero_grad()
        g.square().sum().backward()
        found.append([g.detach().numpy(), x.grad.numpy()] + [p.grad.numpy() for p in module.parameters()])
    for a, b in zip(*found):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("dtype,tol", [("float16", 4e-3), ("bfloat16", 3e-2)])
@pytest.mark.parametrize("mode", MODES)
def test_half_precision(mode, dtype, tol):
    """16-bit floats are computed in float32, so they are compared with torch's float32 on the same rounded values."""
    ours, theirs = both(lambda nn: getattr(nn, mode)(4, 5), "float32")
    ours.to(getattr(tg, dtype))
    theirs.to(getattr(torch, dtype)).float()
    x = numbers(6, 3, 4, dtype="float32")
    y, _ = ours(tg.from_numpy(x).to(getattr(tg, dtype)))
    assert y.dtype == getattr(tg, dtype)
    np.testing.assert_allclose(y.detach().float().numpy(), theirs(torch.from_numpy(x).to(getattr(torch, dtype)).float())[0].detach().numpy(),
                               rtol=tol, atol=tol)
    y.sum().backward()
    assert all(p.grad.dtype == getattr(tg, dtype) for p in ours.parameters())


def test_dropout_between_layers():
    x = numbers(5, 2, 4)
    ours, theirs = both(lambda nn: nn.LSTM(4, 5, 2, dropout=1.0))
    compare(ours, theirs, lambda m, lib, x: m(x), [x])  # everything is dropped
    compare(ours.eval(), theirs.eval(), lambda m, lib, x: m(x), [x])
    half = tg.nn.GRU(4, 5, 2, dropout=0.5)
    assert not np.array_equal(half(tg.ones(3, 2, 4))[0].detach().numpy(), half(tg.ones(3, 2, 4))[0].detach().numpy())


def test_outputs_may_be_changed_in_place():
    for mode in MODES:
        ours, theirs = both(lambda nn: getattr(nn, mode)(4, 5))
        compare(ours, theirs, lambda m, lib, x: m(x)[0].mul_(2), [numbers(5, 2, 4)])


@pytest.mark.parametrize("mode", MODES)
def test_autocast(mode):
    ours, theirs = both(lambda nn: getattr(nn, mode)(4, 5), "float32")
    for dtype in ("float32", "bfloat16"):
        found = []
        for lib, net in ((tg, ours), (torch, theirs)):
            with lib.autocast("cpu", dtype=lib.bfloat16):
                y, _ = net(lib.from_numpy(numbers(6, 3, 4, dtype="float32")).to(getattr(lib, dtype)))
                getattr(lib.nn, mode + "Cell")(4, 5)(lib.ones(2, 4))
                if lib is tg:  # PyTorch's cells refuse it
                    assert getattr(lib.nn, mode + "Cell")(4, 5)(lib.ones(2, 4).to(getattr(lib, dtype)))[0].shape[-1] == 5
            found.append(y)
        assert str(found[0].dtype).split(".")[-1] == str(found[1].dtype).split(".")[-1]
        np.testing.assert_allclose(found[0].detach().float().numpy(), found[1].detach().float().numpy(), atol=0.03)


def test_threads_do_not_change_bits():
    net, x = tg.nn.LSTM(33, 130, bidirectional=True), tg.from_numpy(numbers(7, 50, 33, dtype="float32"))
    results, before = [], tg.get_num_threads()
    for threads in (1, 2, 3):
        tg.set_num_threads(threads)
        net.zero_grad()
        y, _ = net(x)
        y.square().sum().backward()
        results.append([y.detach().numpy().copy()] + [p.grad.numpy().copy() for p in net.parameters()])
    tg.set_num_threads(before)
    for other in results[1:]:
        for a, b in zip(results[0], other):
            np.testing.assert_array_equal(a, b)


def test_one_tensor_for_both_states():
    ours, theirs = both(lambda nn: nn.LSTM(4, 5))
    compare(ours, theirs, lambda m, lib, x, h: m(x, (h, h)), [numbers(3, 2, 4), numbers(1, 2, 5)])


def test_retained_graph():
    x = tg.from_numpy(numbers(3, 2, 4)).requires_grad_()
    net = tg.nn.LSTM(4, 5).double()
    y = net(x)[0].sum()
    y.backward(retain_graph=True)
    once = x.grad.clone()
    y.backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * once.numpy(), rtol=1e-12)
    with pytest.raises(RuntimeError):
        y.backward()


# ---- packing

@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("lengths,sort", [([5, 3, 3, 1], True), ([3, 5, 1, 3], False), ([2, 2, 2, 2], True)])
def test_packing(lengths, sort, batch_first):
    x, results = numbers(*((4, 5, 2) if batch_first else (5, 4, 2))), []
    for lib in (tg, torch):
        rnn = lib.nn.utils.rnn
        t, = tensors([x], lib)
        p = rnn.pack_padded_sequence(t, lengths, batch_first, sort)
        q = rnn.pack_padded_sequence(t, lib.tensor(lengths), batch_first, sort)
        assert (p.data == q.data).all()
        padded = rnn.pad_packed_sequence(p, batch_first, 7.0)
        longer = rnn.pad_packed_sequence(p, batch_first, total_length=9)
        parts = rnn.unpack_sequence(p)
        again = rnn.pack_sequence(parts, enforce_sorted=sort)
        (padded[0] * padded[0]).sum().backward()
        results.append([p.data, p.batch_sizes, p.sorted_indices, p.unsorted_indices, *padded, *longer, *parts, *again, t.grad,
                        p.float().data, p.to(lib.float32).unsorted_indices])
    for a, b in zip(*results):
        assert (a is None) == (b is None)
        if a is not None:
            assert str(a.dtype).split(".")[-1] == str(b.dtype).split(".")[-1]
            np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())


@pytest.mark.parametrize("lengths,sort", [([1, 2], True), ([3, 0], True), ([3], True), ([0, 1], False)])
def test_packing_refusals(lengths, sort):
    for lib in (tg, torch):
        with pytest.raises(RuntimeError):
            lib.nn.utils.rnn.pack_padded_sequence(lib.zeros(3, 2), lengths, enforce_sorted=sort)


def test_lengths_beyond_the_input_are_refused():
    with pytest.raises(RuntimeError, match="9 is more than the 3 steps"):  # PyTorch reads what lies behind
        tg.nn.utils.rnn.pack_padded_sequence(tg.zeros(3, 2), [9, 2])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shapes", [((5, 2, 3), None), ((5, 2, 4), (1, 2, 6)), ((5, 2, 4), (2, 5)), ((5, 4), (1, 2, 5)), ((4,), None), ((1, 5, 2, 4), None),
                                    ((0, 2, 4), None)])
def test_refusals(mode, shapes):
    for lib in (tg, torch):
        net = getattr(lib.nn, mode)(4, 5)
        h = None if shapes[1] is None else lib.zeros(shapes[1])
        with pytest.raises((RuntimeError, ValueError)):
            net(lib.zeros(shapes[0]), (h, h) if mode == "LSTM" and h is not None else h)


@pytest.mark.parametrize("make", [lambda nn: nn.LSTM(4, 0), lambda nn: nn.LSTM(4, 5, 0), lambda nn: nn.GRU(4, 5, proj_size=2), lambda nn: nn.LSTM(4, 5, proj_size=5),
                                  lambda nn: nn.LSTM(4, 5, dropout=2), lambda nn: nn.LSTM(4, 5, dropout=True), lambda nn: nn.RNN(4, 5, nonlinearity="selu"),
                                  lambda nn: nn.LSTM(4, 5.0), lambda nn: nn.RNNBase("XYZ", 3, 4)])
def test_constructor_refusals(make):
    errors = []
    for lib in (tg, torch):
        with pytest.raises((ValueError, TypeError)) as e:
            make(lib.nn)
        errors.append(type(e.value))
    assert errors[0] is errors[1]


def test_damaged_lstm_calls_are_refused():
    """What test_errors_parity.py does for the others; PyTorch crashes on these."""
    rows = [r for r in load_rows(tg._C.op_table()) if r["name"] == "lstm"]
    for sample in all_samples(rows):
        for damage in (damaged_shapes, damaged_numbers, damaged_dtypes):
            for what, tree in damage(sample.tree()):
                with pytest.raises((RuntimeError, ValueError, TypeError, IndexError), match="lstm"):
                    run(tg.lstm, sample, Call(tg, tree))


def test_lists_of_weights():
    for mode, options in itertools.product(MODES, (dict(), dict(num_layers=2, bidirectional=True))):
        ours, theirs = both(lambda nn: getattr(nn, mode)(4, 5, **options))
        assert [[tuple(p.shape) for p in ps] for ps in ours.all_weights] == [[tuple(p.shape) for p in ps] for ps in theirs.all_weights]
        assert ours.mode == theirs.mode
