"""The fft extension of the array API standard."""
import tapegrad as tg


def _one(name):
    def f(x, /, *, n=None, axis=-1, norm="backward"):
        return getattr(tg.fft, name)(x, n, axis, norm)
    return f


def _many(name):
    def f(x, /, *, s=None, axes=None, norm="backward"):
        return getattr(tg.fft, name)(x, s, axes, norm)
    return f


def _shift(name):
    def f(x, /, *, axes=None):
        return getattr(tg.fft, name)(x, (axes,) if isinstance(axes, int) else axes)
    return f


def _frequencies(name):
    def f(n, /, *, d=1.0, dtype=None, device=None):
        return getattr(tg.fft, name)(n, d, dtype=dtype, device=device)
    return f


_FUNCTIONS = {
    _one: ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"), _many: ("fftn", "ifftn", "rfftn", "irfftn"),
    _shift: ("fftshift", "ifftshift"), _frequencies: ("fftfreq", "rfftfreq"),
}
__all__ = [name for names in _FUNCTIONS.values() for name in names]
for _make, _names in _FUNCTIONS.items():
    for _name in _names:
        _f = globals()[_name] = _make(_name)
        _f.__name__ = _f.__qualname__ = _name
        _f.__doc__ = f"tapegrad.fft.{_name}, with the standard's names of arguments."
