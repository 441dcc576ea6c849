"""The old module of Variable."""
from . import Variable

__all__ = ["Variable"]
