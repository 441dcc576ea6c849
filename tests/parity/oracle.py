"""PyTorch's side of the comparison: which of its functions an op row names, and where the two differ on purpose."""
import torch
import torch.nn.functional as F

# Rows whose PyTorch function is not torch.NAME, nn.functional.NAME or Tensor.NAME.
SPELLED = {
    "mT": lambda x: x.mT,
    "slice": lambda input, dim=0, start=None, end=None, step=1: torch.ops.aten.slice.Tensor(input, dim, start, end, step),
    "softmax": torch.softmax,
    "log_softmax": torch.log_softmax,
    "feature_dropout": lambda input, p=0.5, training=True: torch.feature_dropout(input, p, training),
    "norm": torch.norm,
    "equal": torch.equal,
}

# "name" or "name(sample)": why the results may differ. Every entry is a decision, not a gap.
KNOWN_DIFFERENCES = {}


def torch_function(row):
    """PyTorch's function for a row, or None when it has none."""
    name = row["name"]
    if name in SPELLED:
        return SPELLED[name]
    places = [F, torch, torch.Tensor] if row["functional"] else [torch, F, torch.Tensor]
    if not row["function"] and row["method"]:
        places = [torch.Tensor]
    for place in places:
        if hasattr(place, name):
            return getattr(place, name)
    return None
