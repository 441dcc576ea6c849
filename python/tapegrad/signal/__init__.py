"""Signal processing: windows."""
from . import windows  # noqa: F401
