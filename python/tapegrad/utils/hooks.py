"""The handle that registering a hook gives."""
from ..nn.hooks import RemovableHandle  # noqa: F401
