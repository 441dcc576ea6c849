"""What the namespace says about itself."""
import tapegrad as tg

from ._dtypes import _BY_KIND, _UNIONS, DTYPES, default_complex


class Info:
    """capabilities(), devices and dtypes of this namespace."""

    def capabilities(self):
        """What a program may rely on."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 16}

    def default_device(self):
        """Where new arrays are."""
        return tg.device("cpu")

    def devices(self):
        """The devices there are."""
        return (tg.device("cpu"), *(tg.device("cuda", k) for k in range(tg.cuda.device_count())))

    def default_dtypes(self, *, device=None):
        """The dtypes of new arrays, by kind."""
        return {"real floating": tg.get_default_dtype(), "complex floating": default_complex(), "integral": tg.int64, "indexing": tg.int64}

    def dtypes(self, *, device=None, kind=None):
        """The dtypes, of all kinds or of some, by name."""
        kinds = tuple(_BY_KIND) if kind is None else kind if isinstance(kind, tuple) else (kind,)
        names = [n for k in kinds for base in _UNIONS.get(k, (k,)) for n in _BY_KIND[base]]
        return {n: DTYPES[n] for n in names}


def __array_namespace_info__():
    """Info about devices and dtypes."""
    return Info()
