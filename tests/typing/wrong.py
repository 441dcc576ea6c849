"""What mypy must find: each line marked so is an error."""
import tapegrad as tg
from tapegrad import Tensor, nn


def use(x: Tensor) -> int:
    x.nothing()  # wrong: attr-defined
    tg.matmul(x, "a")  # wrong: arg-type
    tg.ones(2, dtype=3)  # wrong: call-overload
    values, indices, more = x.max(dim=0)  # wrong: misc
    x.sum(dim="a")  # wrong: arg-type
    net = nn.Linear(1, 1)
    x = x.shape  # wrong: assignment
    net(x)
    return x  # wrong: return-value
