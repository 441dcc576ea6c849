"""Recurrent layers: plain Python over linear, one matrix product for all time steps' inputs of a layer."""
import math

from ... import _C
from .. import functional as F
from .. import init
from ..module import Module
from ..parameter import Parameter

__all__ = ["RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"]



def _lstm(gates, state):
    """One step from the gates' sums of input and hidden contribution. Order i, f, g, o."""
    i, f, g, o = gates.chunk(4, -1)
    c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def _gru(from_input, from_hidden, state):
    """One step. Order r, z, n; the reset gate applies to the hidden contribution with its bias."""
    ri, zi, ni = from_input.chunk(3, -1)
    rh, zh, nh = from_hidden.chunk(3, -1)
    z = (zi + zh).sigmoid()
    n = (ni + (ri + rh).sigmoid() * nh).tanh()
    return n + z * (state[0] - n)


class _RNNBase(Module):
    _gates = 1
    _states = 1  # hidden, and the cell of an LSTM

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False, proj_size=0,
                 device=None, dtype=None):
        super().__init__()
        if hidden_size <= 0:
            raise ValueError("hidden_size must be greater than zero")
        if num_layers <= 0:
            raise ValueError("num_layers must be greater than zero")
        if not 0 <= dropout <= 1 or isinstance(dropout, bool):
            raise ValueError("dropout should be a number in range [0, 1] representing the probability of an element being zeroed")
        if proj_size and self._states == 1:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        if proj_size < 0 or proj_size >= hidden_size:
            raise ValueError("proj_size has to be a positive integer smaller than hidden_size, or zero to disable projections")
        self.input_size, self.hidden_size, self.num_layers, self.bias = input_size, hidden_size, num_layers, bias
        self.batch_first, self.dropout, self.bidirectional, self.proj_size = batch_first, float(dropout), bidirectional, proj_size
        out_size, directions = proj_size or hidden_size, 2 if bidirectional else 1
        for layer in range(num_layers):
            for direction in range(directions):
                end = f"_l{layer}" + ("_reverse" if direction else "")
                width = input_size if layer == 0 else out_size * directions
                rows = self._gates * hidden_size
                shapes = {"weight_ih": (rows, width), "weight_hh": (rows, out_size)}
                if bias:
                    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                for name, shape in shapes.items():
                    self.register_parameter(name + end, Parameter(_C.empty(shape, device=device, dtype=dtype)))
        self.reset_parameters()

    def reset_parameters(self):
        """Draws all weights again: uniform in ±1 / sqrt(hidden_size)."""
        bound = 1 / math.sqrt(self.hidden_size)
        for p in self.parameters():
            init.uniform_(p, -bound, bound)

    def flatten_parameters(self):
        """Does nothing: weights need no packing here."""

    @property
    def all_weights(self):
        """The parameters, one list for each layer and direction."""
        groups = {}
        for name, p in self._parameters.items():
            groups.setdefault(name.split("_l", 1)[1], []).append(p)
        return list(groups.values())

    def _run(self, x, states, end):
        """One layer in one direction: x (T, N, width), states [(N, H)…]; outputs (T, N, out) and the last states."""
        b_ih, b_hh = getattr(self, "bias_ih" + end, None), getattr(self, "bias_hh" + end, None)
        w_hh, w_hr = getattr(self, "weight_hh" + end), getattr(self, "weight_hr" + end, None)
        inputs = F.linear(x, getattr(self, "weight_ih" + end), b_ih).unbind(0)
        outputs = []
        for step in reversed(inputs) if end.endswith("reverse") else inputs:
            states = self._step(step, F.linear(states[0], w_hh, b_hh), states)
            if w_hr is not None:
                states = (F.linear(states[0], w_hr), *states[1:])
            outputs.append(states[0])
        if end.endswith("reverse"):
            outputs.reverse()
        return _C.stack(outputs), states

    def forward(self, input, hx=None):
        if input.dim() not in (2, 3):
            raise ValueError(f"{type(self).__name__}: Expected input to be 2D or 3D, got {input.dim()}D instead")
        batched = input.dim() == 3
        x = input if batched else input.unsqueeze(1)
        if batched and self.batch_first:
            x = x.transpose(0, 1)
        if x.shape[-1] != self.input_size:
            raise RuntimeError(f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {x.shape[-1]}")
        directions, out_size = 2 if self.bidirectional else 1, self.proj_size or self.hidden_size
        sizes = [out_size, self.hidden_size][:self._states]
        if hx is None:
            hx = tuple(_C.zeros((self.num_layers * directions, x.shape[1], s), dtype=x.dtype) for s in sizes)
        else:
            hx = tuple(hx) if self._states == 2 else (hx,)
            hx = hx if batched else tuple(h.unsqueeze(1) for h in hx)
            for h, s in zip(hx, sizes):
                expected = (self.num_layers * directions, x.shape[1], s)
                if tuple(h.shape) != expected:
                    raise RuntimeError(f"Expected hidden size {expected}, got {list(h.shape)}")
        last = []
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(directions):
                k = layer * directions + direction
                out, states = self._run(x, tuple(h[k] for h in hx), f"_l{layer}" + ("_reverse" if direction else ""))
                outputs.append(out)
                last.append(states)
            x = outputs[0] if directions == 1 else _C.cat(outputs, -1)
            if self.dropout and self.training and layer + 1 < self.num_layers:
                x = F.dropout(x, self.dropout)
        final = tuple(_C.stack([states[i] for states in last]) for i in range(self._states))
        if not batched:
            x, final = x.squeeze(1), tuple(h.squeeze(1) for h in final)
        elif self.batch_first:
            x = x.transpose(0, 1)
        return x, final if self._states == 2 else final[0]

    def extra_repr(self):
        text = f"{self.input_size}, {self.hidden_size}"
        if self.proj_size:
            text += f", proj_size={self.proj_size}"
        if self.num_layers != 1:
            text += f", num_layers={self.num_layers}"
        if not self.bias:
            text += f", bias={self.bias}"
        if self.batch_first:
            text += f", batch_first={self.batch_first}"
        if self.dropout:
            text += f", dropout={self.dropout}"
        return text + (f", bidirectional={self.bidirectional}" if self.bidirectional else "")


class RNN(_RNNBase):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu, over a sequence.

    Shapes: input (T, N, input_size), (N, T, input_size) with batch_first, or (T, input_size); hx (layers * directions, N, hidden_size).
    Returns (outputs, last hidden state).
    """

    def __init__(self, input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False, dropout=0.0,
                 bidirectional=False, device=None, dtype=None):
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype)
        self.nonlinearity = nonlinearity

    def _step(self, from_input, from_hidden, states):
        x = from_input + from_hidden
        return (x.tanh() if self.nonlinearity == "tanh" else x.relu(),)


class LSTM(_RNNBase):
    """Long short-term memory. Shapes as RNN's; hx is (h, c); returns (outputs, (h, c)). proj_size projects h."""
    _gates, _states = 4, 2

    def _step(self, from_input, from_hidden, states):
        return _lstm(from_input + from_hidden, states)


class GRU(_RNNBase):
    """Gated recurrent unit. Shapes as RNN's."""
    _gates = 3

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False, device=None,
                 dtype=None):
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0, device, dtype)

    def _step(self, from_input, from_hidden, states):
        return (_gru(from_input, from_hidden, states),)


class _Cell(Module):
    _gates = 1
    _states = 1

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = self._gates * hidden_size
        self.weight_ih = Parameter(_C.empty((rows, input_size), device=device, dtype=dtype))
        self.weight_hh = Parameter(_C.empty((rows, hidden_size), device=device, dtype=dtype))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(_C.empty(rows, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self):
        """Draws all weights again: uniform in ±1 / sqrt(hidden_size)."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for p in self.parameters():
            init.uniform_(p, -bound, bound)

    def forward(self, input, hx=None):
        if input.dim() not in (1, 2):
            raise ValueError(f"{type(self).__name__}: Expected input to be 1D or 2D, got {input.dim()}D instead")
        if hx is None:
            zero = _C.zeros((*input.shape[:-1], self.hidden_size), dtype=input.dtype)
            states = (zero,) * self._states
        else:
            states = tuple(hx) if self._states == 2 else (hx,)
        out = self._step(F.linear(input, self.weight_ih, self.bias_ih), F.linear(states[0], self.weight_hh, self.bias_hh), states)
        return out if self._states == 2 else out[0]

    def extra_repr(self):
        text = f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else f", bias={self.bias}")
        return text + (f", nonlinearity={self.nonlinearity}" if getattr(self, "nonlinearity", "tanh") != "tanh" else "")


class RNNCell(_Cell):
    """One step of RNN: input (N, input_size) or (input_size), hx (N, hidden_size); returns the new hx."""

    def __init__(self, input_size, hidden_size, bias=True, nonlinearity="tanh", device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = nonlinearity

    _step = RNN._step


class LSTMCell(_Cell):
    """One step of LSTM: hx is (h, c), and so is the result."""
    _gates, _states = 4, 2
    _step = LSTM._step


class GRUCell(_Cell):
    """One step of GRU."""
    _gates = 3
    _step = GRU._step
