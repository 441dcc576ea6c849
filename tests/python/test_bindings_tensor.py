"""The Python object of a tensor: identity, state, subclasses, collection, numbers, properties, copies."""
import copy
import gc
import pickle
import threading
import weakref

import pytest
import tapegrad as tg


class Named(tg.Tensor):
    pass


def leaf(*values):
    return tg.tensor(list(values), requires_grad=True)


# ---- identity and life

def test_one_object_per_tensor():
    w = leaf(1., 2.)
    (w * w).sum().backward()
    assert w.grad is w.grad
    y = w * 2
    assert y.grad_fn.next_functions[0][0].variable is w
    assert y.view(2)._base is y


def test_state_survives_while_cpp_holds_the_tensor():
    w = leaf(1., 2.)
    (w * w).sum().backward()
    g = w.grad
    g.note, place = "kept", id(g)
    del g
    gc.collect()
    assert w.grad.note == "kept" and id(w.grad) == place
    r = weakref.ref(w.grad)
    w.grad = None
    assert r() is None


def test_cycle_through_attributes_is_collected_once_the_tape_is_gone():
    p = Named(tg.ones(2))
    p.requires_grad_()
    p.me = [p]
    y = p * p
    r = weakref.ref(p)
    del p
    gc.collect()
    assert type(r()) is Named and r().me[0] is r()
    del y
    gc.collect()
    assert r() is None


def test_hook_cycles_are_collected():
    w = leaf(1., 2.)
    w.register_hook(lambda g, w=w: None)
    r = weakref.ref(w)
    del w
    gc.collect()
    assert r() is None


def test_deep_chains_of_attributes_and_ops():
    last = None
    for _ in range(50_000):
        t = tg.ones(1)
        t.before = last
        last = t
    del last, t
    w = x = leaf(1.)
    for _ in range(200_000):
        x = x * 1.0
    x.backward()
    assert w.grad.item() == 1
    del x


def test_subclass_state_in_threads():
    base, bag = tg.ones(3, requires_grad=True), []

    def work():
        for _ in range(500):
            a = Named(tg.ones(3))
            z = a * base
            z.mark = a
            bag.append(z)
            if len(bag) > 20:
                bag.pop(0)
    threads = [threading.Thread(target=work) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert all(type(z.mark) is Named for z in bag)


def test_nothing_is_left_behind():
    gc.collect()
    before = tg._C.memory_stats()
    for _ in range(50):
        w = leaf(1., 2., 3.)
        w.register_hook(lambda g: g)
        y = (w * 2).sum()
        y.backward()
        y.grad_fn.next_functions
        with pytest.raises(RuntimeError):
            w * tg.ones(7)
        with pytest.raises(TypeError):
            w.view("a")
    del w, y
    gc.collect()
    after = tg._C.memory_stats()
    assert (after["tensors"], after["nodes"]) == (before["tensors"], before["nodes"])


def test_class_can_be_assigned():
    t = tg.ones(2)
    t.__class__ = Named
    assert type(t) is Named and t.sum().item() == 2


def test_old_constructors():
    assert tg.Tensor(2, 3).shape == (2, 3)
    assert tg.Tensor([1, 2]).tolist() == [1.0, 2.0]
    assert tg.Tensor().shape == (0,)
    with pytest.raises(TypeError):
        tg.Tensor("a")


# ---- numbers

def test_operators_on_numbers_and_reflected():
    a = tg.tensor([1., 2., 4.])
    assert (a + 1).tolist() == (1 + a).tolist() == [2, 3, 5]
    assert (1 - a).tolist() == [0, -1, -3]
    assert (8 / a).tolist() == [8, 4, 2]
    assert (2 ** a).tolist() == [2, 4, 16] and (a ** 2).tolist() == [1, 4, 16]
    assert (7 // a).tolist() == [7, 3, 1] and (7 % a).tolist() == [0, 1, 3]
    assert (-a).tolist() == [-1, -2, -4] and (+a) is a and abs(-a).tolist() == [1, 2, 4]
    i = tg.tensor([1, 2, 3])
    assert (i & 1).tolist() == [1, 0, 1] and (i | 4).tolist() == [5, 6, 7] and (i ^ 1).tolist() == [0, 3, 2]
    assert (~i).tolist() == [-2, -3, -4] and (i << 1).tolist() == [2, 4, 6] and (i >> 1).tolist() == [0, 1, 1]
    assert (a == 2).tolist() == [False, True, False] and (2 < a).tolist() == [False, False, True]
    m = tg.ones(2, 2)
    assert (m @ m).tolist() == [[2, 2], [2, 2]]


def test_in_place_operators_keep_the_object():
    a = b = tg.tensor([1., 2.])
    a += 1
    a *= tg.tensor([2., 2.])
    a -= 1
    a /= 2
    assert a is b and a.tolist() == [1.5, 2.5]
    with pytest.raises(TypeError):
        a += "x"


@pytest.mark.parametrize("other", ["x", None, object(), [1]])
def test_unknown_operands(other):
    with pytest.raises(TypeError):
        tg.ones(2) + other
    with pytest.raises(TypeError):
        other * tg.ones(2)
    assert (tg.ones(2) == other) is False


def test_conversion_to_python_numbers():
    assert int(tg.tensor(3.7)) == 3 and float(tg.tensor(2)) == 2.0 and bool(tg.tensor([1]))
    assert complex(tg.tensor(2.)) == 2 and [10, 20, 30][tg.tensor(1)] == 20
    for bad, kind in ((lambda: bool(tg.ones(2)), RuntimeError), (lambda: bool(tg.ones(0)), RuntimeError), (lambda: int(tg.ones(2)), RuntimeError),
                      (lambda: [1][tg.tensor(0.)], TypeError), (lambda: tg.ones(2).item(), RuntimeError), (lambda: len(tg.tensor(1)), TypeError),
                      (lambda: list(tg.tensor(1)), TypeError)):
        with pytest.raises(kind):
            bad()


def test_iteration_containment_and_formatting():
    t = tg.tensor([[1., 2.], [3., 4.]])
    assert [r.tolist() for r in t] == [[1, 2], [3, 4]] and len(t) == 2
    assert 3 in t and 7 not in t
    assert f"{tg.tensor(1.2345):.2f}" == "1.23" and f"{tg.tensor([1.])}" == "tensor([1.])"
    assert hash(t) == hash(t) and t in {t: 1}


# ---- properties

def test_shape_is_a_tuple_with_numel():
    s = tg.zeros(2, 3).shape
    assert s == (2, 3) and isinstance(s, tuple) and isinstance(s, tg.Size) and s.numel() == 6
    assert repr(s) == "tapegrad.Size([2, 3])" and type(s[:1]) is tg.Size and type(s + (1,)) is tg.Size
    assert pickle.loads(pickle.dumps(s)) == s and s[-1] == 3 and tg.zeros(s).shape == s


def test_metadata():
    t = tg.zeros(2, 3, dtype=tg.float64)
    assert (t.ndim, t.dim(), t.numel(), t.nelement(), t.itemsize, t.element_size(), t.nbytes) == (2, 2, 6, 6, 8, 8, 48)
    assert t.size() == (2, 3) and t.size(-1) == 3 and t.size(dim=0) == 2 and t.stride() == (3, 1) and t.stride(0) == 3
    assert t.T.shape == (3, 2) and t.mT.shape == (3, 2) and t.H.shape == (3, 2) and t.T._base is t
    assert t.is_contiguous() and not t.T.is_contiguous() and t.data_ptr() == t[0].data_ptr() and t[1].storage_offset() == 3
    assert t.untyped_storage().nbytes() == 48 and t.storage().data_ptr() == t[1].storage().data_ptr()
    assert t.layout is tg.strided and not t.is_cuda and t.is_cpu and not t.is_sparse and not t.is_quantized
    with pytest.raises(IndexError):
        t.size(2)


def test_version_counts_writes():
    t = tg.zeros(2)
    v = t._version
    t.add_(1)
    t[0] = 2
    assert t._version == v + 2
    t.data.add_(1)
    assert t._version == v + 2 and t.tolist() == [3, 2]


def test_requires_grad_and_grad_are_checked():
    t = tg.zeros(2)
    t.requires_grad = True
    assert t.is_leaf and t.requires_grad and t.grad is None
    with pytest.raises(RuntimeError):
        (t * 2).requires_grad = False
    with pytest.raises(RuntimeError):
        tg.zeros(2, dtype=tg.int64).requires_grad = True
    for bad, kind in ((tg.zeros(3), RuntimeError), (tg.zeros(2, dtype=tg.float64), RuntimeError), ("x", TypeError)):
        with pytest.raises(kind):
            t.grad = bad
    t.grad = tg.ones(2)
    t.grad = None
    with pytest.raises(AttributeError):
        del t.requires_grad
    with pytest.raises(AttributeError):
        t.shape = (1,)


def test_data_swaps_memory_under_the_same_tensor():
    p = leaf(1., 2.)
    p.data = tg.tensor([[5.]])
    assert p.tolist() == [[5.0]] and p.requires_grad and p.is_leaf
    assert not p.data.requires_grad and p.data.data_ptr() == p.data_ptr()
    p.data = tg.zeros((1,) * 8)
    p.data = tg.zeros(2)
    assert p.shape == (2,)


def test_resize_and_set():
    t = tg.tensor([1., 2., 3., 4.])
    assert t.resize_(2).tolist() == [1, 2] and t.resize_(2, 2).tolist() == [[1, 2], [3, 4]]
    t.resize_(5)
    assert t.shape == (5,)
    s = tg.ones(3)
    t.set_(s)
    assert t.data_ptr() == s.data_ptr()


# ---- copies

def test_deepcopy():
    w = leaf(1., 2.)
    w.tag = [1]
    (w * w).sum().backward()
    c, again = copy.deepcopy([w, w])
    assert c is again and c is not w and c.tolist() == w.tolist() and c.requires_grad and c.grad.tolist() == [2, 4] and c.tag == [1]
    assert c.tag is not w.tag and type(copy.deepcopy(Named(w))) is Named
    with pytest.raises(RuntimeError):
        copy.deepcopy(w * 2)


@pytest.mark.parametrize("dtype", [tg.bool, tg.uint8, tg.int8, tg.int16, tg.int32, tg.int64, tg.float16, tg.bfloat16, tg.float32, tg.float64])
def test_pickle_keeps_everything(dtype):
    t = tg.tensor([[0, 1], [1, 0]]).to(dtype).T
    back = pickle.loads(pickle.dumps(t))
    assert back.dtype is dtype and back.tolist() == t.tolist() and back.shape == (2, 2)
    n = Named(t)
    n.tag = "x"
    back = pickle.loads(pickle.dumps(n))
    assert type(back) is Named and back.tag == "x"


def test_wrong_pickles_are_errors():
    rebuild = tg._C._rebuild_tensor
    good = (tg.Tensor, tg.float32, (2,), bytes(8), False, None)
    assert rebuild(*good).shape == (2,)
    for k, bad in ((0, int), (1, "f"), (2, (3,)), (2, (-2,)), (2, (2 ** 62, 4)), (3, bytes(7)), (5, 3)):
        args = list(good)
        args[k] = bad
        with pytest.raises((ValueError, TypeError)):
            rebuild(*args)


# ---- small values

def test_dtypes_devices_formats():
    assert repr(tg.float32) == "tapegrad.float32" and tg.float is tg.float32 and tg.long is tg.int64 and tg.half.is_floating_point
    assert tg.int8.is_signed and not tg.uint8.is_signed and tg.bfloat16.itemsize == 2 and not tg.float32.is_complex
    for v in (tg.float32, tg.channels_last, tg.strided):
        assert pickle.loads(pickle.dumps(v)) is v and copy.deepcopy(v) is v
    d = tg.device("cuda:1")
    assert (d.type, d.index, str(d), repr(d)) == ("cuda", 1, "cuda:1", "device(type='cuda', index=1)")
    assert tg.device("cuda", 1) == d and hash(tg.device("cpu")) == hash(tg.device("cpu")) and tg.device("cpu") != d
    assert tg.device(d) == d and pickle.loads(pickle.dumps(d)) == d and tg.ones(1).device == tg.device("cpu")
    for bad in ("gpu", "cuda:x", "cuda:-1"):
        with pytest.raises(RuntimeError):
            tg.device(bad)
    with pytest.raises(RuntimeError):
        tg.ones(2).cuda()
    with pytest.raises(TypeError):
        tg.dtype()


def test_generator():
    g = tg.Generator()
    assert g.manual_seed(3) is g and g.initial_seed() == 3
    state = g.get_state()
    a = tg.rand(4, generator=g)
    g.set_state(state)
    assert tg.rand(4, generator=g).tolist() == a.tolist()
    with pytest.raises(TypeError):
        g.set_state(3)


def test_errors_are_also_builtins():
    for kind, also in ((tg.ShapeError, ValueError), (tg.DtypeError, TypeError), (tg.GradError, RuntimeError), (tg.OutOfMemoryError, MemoryError)):
        assert issubclass(kind, tg.Error) and issubclass(kind, also) and issubclass(kind, RuntimeError)
    with pytest.raises(MemoryError):
        tg.empty(2 ** 60)
    with pytest.raises(IndexError):
        tg.ones(2)[2]
    with pytest.raises(NotImplementedError):
        tg.ones(2).chalf()
