"""Forward mode by dual numbers: not implemented. func.jvp and autograd.functional.jvp give the same derivatives by two reverse passes."""


def _missing(name):
    def f(*args, **kwargs):
        raise NotImplementedError(f"forward_ad.{name}: there are no dual numbers; use func.jvp(f, primals, tangents)")
    f.__name__ = f.__qualname__ = name
    f.__doc__ = "Not implemented: use func.jvp."
    return f


UnpackedDualTensor, dual_level, enter_dual_level, exit_dual_level, make_dual, unpack_dual = map(
    _missing, ("UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"))
