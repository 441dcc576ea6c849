"""How this package was built and runs."""
from . import _C, cuda
from .version import __version__


def show():
    """A text: version, SIMD kernels by run-time dispatch, no CUDA."""
    kernels = "CPU kernels chosen for the processor at import"
    return f"tapegrad {__version__}\n  - {kernels}\n  - {cuda.why_not()}\n"


def parallel_info():
    """A text: how many threads compute."""
    return f"own thread pool: {_C.get_num_threads()} threads\n"
