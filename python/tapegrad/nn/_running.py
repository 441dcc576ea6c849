"""Which module is running. For error messages: walks the frames when an error is raised, and costs nothing until then."""
import sys

from .module import Module


def _name_outside(module, frame):
    """What the code that called the outermost module calls it."""
    while frame and frame.f_locals.get("self") is module:
        frame = frame.f_back
    for names in (frame.f_locals, frame.f_globals) if frame else ():
        for name, value in names.items():
            if value is module and not name.startswith("_"):
                return name
    return type(module).__name__


def running_module():
    """"net.encoder.2 (Linear)" for the innermost running module, "" outside of modules."""
    chain, frame, last = [], sys._getframe(1), None
    while frame:
        owner = frame.f_locals.get("self")
        if isinstance(owner, Module):
            if not chain or chain[-1] is not owner:
                chain.append(owner)
            last = frame
        frame = frame.f_back
    if not chain:
        return ""
    path = _name_outside(chain[-1], last)
    for outer, inner in zip(chain[:0:-1], chain[-2::-1]):
        name = next((name for name, m in outer.named_modules() if m is inner), None)
        path = f"{path}.{name}" if name else type(inner).__name__  # not registered: a path of its own
    return f"{path} ({type(chain[0]).__name__})"
