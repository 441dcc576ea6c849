"""Looking into the graph: nodes, and hooks on what the forward saves."""
from collections import namedtuple

from .. import _C
from .._C import Node, saved_tensors_hooks  # noqa: F401

GradientEdge = namedtuple("GradientEdge", "node output_nr")


class save_on_cpu(saved_tensors_hooks):
    """While active, saved tensors are kept on the CPU and moved back for backward."""

    def __new__(cls, pin_memory=False, device_type="cuda"):
        return super().__new__(cls, lambda t: (t.device, t.cpu()), lambda packed: packed[1].to(packed[0]))


def get_gradient_edge(tensor):
    """The node and output number that the gradient of `tensor` arrives at."""
    if not tensor.requires_grad:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not require gradients.")
    if tensor.grad_fn is not None:
        return GradientEdge(tensor.grad_fn, tensor.output_nr)
    return GradientEdge(*tensor.view_as(tensor).grad_fn.next_functions[0])


def increment_version(tensor):
    """Says that the tensors were written to by something that the tape did not see."""
    with _C.no_grad():
        for t in (tensor,) if isinstance(tensor, _C.Tensor) else tensor:
            t.detach().copy_(t.detach())
