"""Small functions around tensors that need no op: seeds, predicates, the old typed constructors."""
import copyreg

from . import _C

__all__ = ["manual_seed", "seed", "initial_seed", "get_rng_state", "set_rng_state", "is_tensor"]


def _generator(state):
    out = _C.Generator()
    out.set_state(state)
    return out


copyreg.pickle(_C.Generator, lambda g: (_generator, (g.get_state(),)))


def manual_seed(seed):
    """Starts the default generator again from `seed`; negative seeds count from 2^64. Returns the generator."""
    seed = int(seed)
    if not -0x8000_0000_0000_0000 <= seed <= 0xFFFF_FFFF_FFFF_FFFF:
        raise RuntimeError(f"manual_seed: seed {seed} does not fit into 64 bits")
    _C.default_generator.manual_seed(seed % 2 ** 64)
    return _C.default_generator


def seed():
    """Starts the default generator from a seed of the system and returns it."""
    return _C.default_generator.seed()


def initial_seed():
    """The seed that the default generator was started with."""
    return _C.default_generator.initial_seed()


def get_rng_state():
    """The default generator's state, a uint8 tensor."""
    return _C.default_generator.get_state()


def set_rng_state(new_state):
    """Restores what get_rng_state() gave."""
    _C.default_generator.set_state(new_state)


def is_tensor(obj):
    """Is it a Tensor?"""
    return isinstance(obj, _C.Tensor)


def is_storage(obj):
    """Storages are not objects here: always False."""
    return False


def scalar_tensor(s, *, dtype=None, device=None, requires_grad=False):
    """A tensor of no dimensions with that number, of the default dtype unless told."""
    return _C.full((), s, dtype=_C.get_default_dtype() if dtype is None else dtype, device=device, requires_grad=requires_grad)


def is_nonzero(input):
    """The truth of a tensor with one element."""
    return bool(input)


def typename(obj):
    """The qualified name of an object's type, "tapegrad.FloatTensor" for tensors."""
    if isinstance(obj, _C.Tensor):
        return obj.type()
    return f"{type(obj).__module__}.{type(obj).__qualname__}"


class _Legacy(type):
    """The class of the old constructors: instances are tensors of the dtype."""

    def __instancecheck__(cls, obj):
        return isinstance(obj, _C.Tensor) and obj.dtype == cls.dtype


def _legacy(name, dtype):
    def __new__(cls, *args, device=None):
        if len(args) == 1 and not isinstance(args[0], (int, _C.Size)):
            return _C.tensor(args[0], dtype=dtype, device=device)
        shape = args[0] if args and isinstance(args[0], _C.Size) else args or (0,)
        return _C.empty(shape, dtype=dtype, device=device)
    return _Legacy(name, (), {"__new__": __new__, "__module__": "tapegrad", "dtype": dtype,
                              "__doc__": f"Old constructor: {name}([1, 2]) from data, {name}(2, 3) uninitialised."})


FloatTensor, DoubleTensor = _legacy("FloatTensor", _C.float32), _legacy("DoubleTensor", _C.float64)
HalfTensor, BFloat16Tensor = _legacy("HalfTensor", _C.float16), _legacy("BFloat16Tensor", _C.bfloat16)
LongTensor, IntTensor, ShortTensor = _legacy("LongTensor", _C.int64), _legacy("IntTensor", _C.int32), _legacy("ShortTensor", _C.int16)
ByteTensor, CharTensor, BoolTensor = _legacy("ByteTensor", _C.uint8), _legacy("CharTensor", _C.int8), _legacy("BoolTensor", _C.bool)


def set_default_tensor_type(t):
    """Old way to set the default dtype: a typed constructor such as DoubleTensor, or its name."""
    if isinstance(t, str):
        t = globals().get(t.rsplit(".", 1)[-1])
    if not hasattr(t, "dtype"):
        raise TypeError("invalid type object: only floating-point types are supported as the default type")
    _C.set_default_dtype(t.dtype)

spmm = dsmm = _C.mm  # products with sparse matrices; all are dense here
