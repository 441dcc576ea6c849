"""A softmax for many classes of very different frequency."""
from collections import namedtuple

from ... import _C
from .. import functional as F
from ..module import Module
from .container import ModuleList, Sequential
from .linear import Linear

__all__ = ["AdaptiveLogSoftmaxWithLoss"]

_Output = namedtuple("_ASMoutput", ["output", "loss"])


class AdaptiveLogSoftmaxWithLoss(Module):
    """log softmax in clusters (Grave et al. 2017): classes below cutoffs[0] in the head, each later cluster behind one more class of the
    head and a projection to in_features / div_value^k.

    forward(input (N, in_features), target (N)) returns (output, loss): the log-probabilities of the targets and minus their mean.
    Classes must be sorted by falling frequency.
    """

    def __init__(self, in_features, n_classes, cutoffs, div_value=4.0, head_bias=False, device=None, dtype=None):
        super().__init__()
        cutoffs = list(cutoffs)
        if not cutoffs:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        if cutoffs != sorted(cutoffs) or min(cutoffs) <= 0 or max(cutoffs) > n_classes - 1 or len(set(cutoffs)) != len(cutoffs) or \
                any(int(c) != c for c in cutoffs):
            raise ValueError("cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each value is "
                             "between 1 and n_classes-1")
        where = dict(device=device, dtype=dtype)
        self.in_features, self.n_classes, self.div_value, self.head_bias = in_features, n_classes, div_value, head_bias
        self.cutoffs = cutoffs + [n_classes]
        self.shortlist_size, self.n_clusters = cutoffs[0], len(cutoffs)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, **where)
        self.tail = ModuleList()
        for k in range(self.n_clusters):
            width = int(in_features // div_value ** (k + 1))
            self.tail.append(Sequential(Linear(in_features, width, bias=False, **where),
                                        Linear(width, self.cutoffs[k + 1] - self.cutoffs[k], bias=False, **where)))

    def reset_parameters(self):
        """Draws all weights again."""
        self.head.reset_parameters()
        for first, second in self.tail:
            first.reset_parameters()
            second.reset_parameters()

    def forward(self, input, target):
        if input.dim() == 1 and target.dim() == 0:
            output, loss = self.forward(input.unsqueeze(0), target.unsqueeze(0))
            return _Output(output.squeeze(0), loss)
        if target.dim() != 1 or input.dim() != 2:
            raise RuntimeError("0D or 1D target tensor expected with a 1D or 2D input, multi-target not supported")
        if input.shape[0] != target.shape[0]:
            raise RuntimeError("Input and target should have the same size in the batch dimension.")
        if bool(((target < 0) | (target >= self.n_classes)).any()):
            raise RuntimeError(f"Target values should be in [0, {self.n_classes - 1}], but values in range [{int(target.min())}, "
                               f"{int(target.max())}] were found. ")
        in_head = target.clamp(max=self.shortlist_size - 1)
        later = []  # (rows, their log-probability within the cluster)
        for k, tail in enumerate(self.tail):
            rows = ((target >= self.cutoffs[k]) & (target < self.cutoffs[k + 1])).nonzero().squeeze(1)
            if rows.numel():
                within = F.log_softmax(tail(input.index_select(0, rows)), dim=1)
                later.append((rows, within.gather(1, (target.index_select(0, rows) - self.cutoffs[k]).unsqueeze(1)).squeeze(1)))
                in_head = in_head.index_fill(0, rows, self.shortlist_size + k)
        output = F.log_softmax(self.head(input), dim=1).gather(1, in_head.unsqueeze(1)).squeeze(1)
        for rows, within in later:
            output = output.index_add(0, rows, within)
        return _Output(output, (-output).mean())

    def _all(self, input, head):
        parts = [head[:, :self.shortlist_size]]
        for k, tail in enumerate(self.tail):
            parts.append(F.log_softmax(tail(input), dim=1) + head[:, self.shortlist_size + k].unsqueeze(1))
        return _C.cat(parts, 1)

    def log_prob(self, input):
        """Log-probabilities (N, n_classes) of all classes."""
        return self._all(input, F.log_softmax(self.head(input), dim=1))

    def predict(self, input):
        """The most probable class of each row: argmax of log_prob, with the tails computed only for rows that need them."""
        head = self.head(input)
        best = head.argmax(1)
        rows = (best >= self.shortlist_size).nonzero().squeeze(1)
        if rows.numel():
            some = input.index_select(0, rows)
            best = best.index_copy(0, rows, self.log_prob(some).argmax(1))
        return best
