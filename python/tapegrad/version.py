"""The version, and how the library was built."""
__version__ = "0.1.0"
cuda = None
hip = rocm = xpu = None
debug = False
