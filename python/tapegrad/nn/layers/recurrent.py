"""Recurrent layers over the C++ sequence functions lstm, gru, rnn_tanh and rnn_relu, and their cells."""
import math
import warnings

from ... import _C
from .. import init
from ..module import Module
from ..parameter import Parameter
from ..utils.rnn import PackedSequence

__all__ = ["RNNBase", "RNN", "LSTM", "GRU", "RNNCellBase", "RNNCell", "LSTMCell", "GRUCell"]

# mode: gates, function over a sequence
_MODES = {"RNN_TANH": (1, _C.functions["rnn_tanh"]), "RNN_RELU": (1, _C.functions["rnn_relu"]),
          "LSTM": (4, _C.functions["lstm"]), "GRU": (3, _C.functions["gru"])}
_rnn_tanh_cell, _rnn_relu_cell = _C.functions["rnn_tanh_cell"], _C.functions["rnn_relu_cell"]
_lstm_cell, _gru_cell = _C.functions["lstm_cell"], _C.functions["gru_cell"]


def _uniform(module):
    bound = 1 / math.sqrt(module.hidden_size) if module.hidden_size > 0 else 0
    for p in module.parameters():
        init.uniform_(p, -bound, bound)


class RNNBase(Module):
    """What RNN, LSTM and GRU share. `mode` is "LSTM", "GRU", "RNN_TANH" or "RNN_RELU".

    Parameters of layer k and, with suffix "_reverse", of its other direction: weight_ih_lk (gates * hidden_size, input),
    weight_hh_lk (gates * hidden_size, hidden_size), bias_ih_lk, bias_hh_lk, and with proj_size weight_hr_lk (proj_size, hidden_size).
    """

    def __init__(self, mode, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False,
                 proj_size=0, device=None, dtype=None):
        super().__init__()
        if mode not in _MODES:
            raise ValueError(f"Unrecognized RNN mode: {mode}")
        if isinstance(dropout, bool) or not isinstance(dropout, (int, float)) or not 0 <= dropout <= 1:
            raise ValueError("dropout should be a number in range [0, 1] representing the probability of an element being zeroed")
        if dropout > 0 and num_layers == 1:
            warnings.warn(f"dropout acts between layers, so it does nothing with num_layers=1, got dropout={dropout}", stacklevel=3)
        if not isinstance(hidden_size, int):
            raise TypeError(f"hidden_size should be of type int, got: {type(hidden_size).__name__}")
        if hidden_size <= 0:
            raise ValueError("hidden_size must be greater than zero")
        if num_layers <= 0:
            raise ValueError("num_layers must be greater than zero")
        if proj_size and mode != "LSTM":
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        if proj_size < 0 or proj_size >= hidden_size:
            raise ValueError("proj_size has to be a positive integer smaller than hidden_size, or zero to disable projections")
        self.mode, self.input_size, self.hidden_size, self.num_layers, self.bias = mode, input_size, hidden_size, num_layers, bias
        self.batch_first, self.dropout, self.bidirectional, self.proj_size = batch_first, float(dropout), bidirectional, proj_size
        out_size, directions, rows = proj_size or hidden_size, 2 if bidirectional else 1, _MODES[mode][0] * hidden_size
        self._flat_weights_names, self._all_weights = [], []
        for layer in range(num_layers):
            for suffix in ("", "_reverse")[:directions]:
                width = input_size if layer == 0 else out_size * directions
                shapes = {"weight_ih": (rows, width), "weight_hh": (rows, out_size)}
                if bias:
                    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                names = [f"{name}_l{layer}{suffix}" for name in shapes]
                for name, shape in zip(names, shapes.values()):
                    self.register_parameter(name, Parameter(_C.empty(shape, device=device, dtype=dtype)))
                self._flat_weights_names += names
                self._all_weights.append(names)
        self.reset_parameters()

    def reset_parameters(self):
        """Draws all weights again: uniform in ±1 / sqrt(hidden_size)."""
        _uniform(self)

    def flatten_parameters(self):
        """Does nothing: weights need no packing here."""

    @property
    def _flat_weights(self):
        return [getattr(self, name) for name in self._flat_weights_names]

    @property
    def all_weights(self):
        """The parameters, one list for each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def _states(self, hx, batch, input):
        """hx, or zeros, as a list of checked tensors (layers * directions, batch, size)."""
        runs, out_size = self.num_layers * (2 if self.bidirectional else 1), self.proj_size or self.hidden_size
        sizes = (out_size, self.hidden_size) if self.mode == "LSTM" else (out_size,)
        if hx is None:
            return [_C.zeros(runs, batch, size, dtype=input.dtype, device=input.device) for size in sizes]
        hx = list(hx) if self.mode == "LSTM" else [hx]
        for h, size, name in zip(hx, sizes, ("hidden[0]", "hidden[1]") if self.mode == "LSTM" else ("hidden",)):
            if tuple(h.shape) != (runs, batch, size):
                raise RuntimeError(f"Expected {name} size {(runs, batch, size)}, got {list(h.shape)}")
        return hx

    def _check_input(self, input, dims):
        if input.dtype != self.weight_ih_l0.dtype and not _C.autocast_state(input.is_cuda)[0]:
            raise ValueError(f"RNN input dtype ({input.dtype}) does not match weight dtype ({self.weight_ih_l0.dtype}). Convert input: "
                             f"input.to({self.weight_ih_l0.dtype}), or convert model: model.to({input.dtype})")
        if input.dim() not in dims:
            expected = " or ".join(f"{d}D" for d in dims)
            raise ValueError(f"{type(self).__name__}: Expected input to be {expected}, got {input.dim()}D instead")
        if input.shape[-1] != self.input_size:
            raise RuntimeError(f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.shape[-1]}")

    def _call(self, sequence, states, *last):
        """The C++ function on (input,) or (data, batch_sizes); the outputs and the list of last states."""
        hx = states if self.mode == "LSTM" else states[0]
        weights = self._flat_weights
        if self.mode == "GRU" and sequence[0].dtype != weights[0].dtype:  # within autocast, which leaves gru alone
            weights = [w.to(sequence[0].dtype) for w in weights]
        out, *states = _MODES[self.mode][1](*sequence, hx, weights, self.bias, self.num_layers, self.dropout, self.training,
                                            self.bidirectional, *last)
        return out, states

    def forward(self, input, hx=None):
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        self._check_input(input, (2, 3))
        batched = input.dim() == 3
        if hx is not None:
            for h in hx if self.mode == "LSTM" else (hx,):
                if h.dim() != input.dim():
                    raise RuntimeError(f"For {'batched 3-D' if batched else 'unbatched 2-D'} input, hx should also be {input.dim()}-D but "
                                       f"got {h.dim()}-D tensor")
        if not batched:
            input = input.unsqueeze(1)
            if hx is not None:
                hx = [h.unsqueeze(1) for h in hx] if self.mode == "LSTM" else hx.unsqueeze(1)
        batch_first = self.batch_first and batched
        out, states = self._call((input,), self._states(hx, input.shape[0 if batch_first else 1], input), batch_first)
        if not batched:
            out, states = out.squeeze(1), [s.squeeze(1) for s in states]
        return out, tuple(states) if self.mode == "LSTM" else states[0]

    def _forward_packed(self, input, hx):
        data, batch_sizes, order, inverse = input
        self._check_input(data, (2,))
        states = self._states(hx, int(batch_sizes[0]), data)
        if order is not None and hx is not None:
            states = [s.index_select(1, order) for s in states]
        out, states = self._call((data, batch_sizes), states)
        if inverse is not None:
            states = [s.index_select(1, inverse) for s in states]
        return PackedSequence(out, batch_sizes, order, inverse), tuple(states) if self.mode == "LSTM" else states[0]

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


class RNN(RNNBase):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu, over a sequence.

    Shapes: input (T, N, input_size), (N, T, input_size) with batch_first, (T, input_size), or a PackedSequence; hx (layers * directions,
    N, hidden_size). Returns (outputs, last hidden state).
    """

    def __init__(self, input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False, dropout=0.0,
                 bidirectional=False, device=None, dtype=None):
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__("RNN_" + nonlinearity.upper(), input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0,
                         device, dtype)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory. Shapes as RNN's; hx is (h, c); returns (outputs, (h, c)). proj_size projects h."""

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False, proj_size=0,
                 device=None, dtype=None):
        super().__init__("LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype)


class GRU(RNNBase):
    """Gated recurrent unit. Shapes as RNN's."""

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False, device=None,
                 dtype=None, proj_size=0):
        super().__init__("GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype)


class RNNCellBase(Module):
    """What the cells share: weight_ih (gates * hidden_size, input_size), weight_hh, bias_ih, bias_hh."""

    def __init__(self, input_size, hidden_size, bias, num_chunks, device=None, dtype=None):
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = num_chunks * hidden_size
        self.weight_ih = Parameter(_C.empty((rows, input_size), device=device, dtype=dtype))
        self.weight_hh = Parameter(_C.empty((rows, hidden_size), device=device, dtype=dtype))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(_C.empty(rows, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self):
        """Draws all weights again: uniform in ±1 / sqrt(hidden_size)."""
        _uniform(self)

    def _run(self, cell, input, states, count):
        """cell(input, *states as the function wants them), after checks; a tuple of `count` new states."""
        if input.dim() not in (1, 2):
            raise ValueError(f"{type(self).__name__}: Expected input to be 1D or 2D, got {input.dim()}D instead")
        if states is None:
            states = (_C.zeros(*input.shape[:-1], self.hidden_size, dtype=input.dtype, device=input.device),) * count
        for h in states:
            if h.dim() not in (1, 2):
                raise ValueError(f"{type(self).__name__}: Expected hidden to be 1D or 2D, got {h.dim()}D instead")
        batched = input.dim() == 2
        if not batched:
            input, states = input.unsqueeze(0), [h.unsqueeze(0) for h in states]
        if input.dtype != self.weight_ih.dtype and _C.autocast_state(input.is_cuda)[0]:
            input, states = input.to(self.weight_ih.dtype), [h.to(self.weight_ih.dtype) for h in states]
        out = cell(input, states if count == 2 else states[0], self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        out = out if count == 2 else (out,)
        return tuple(out) if batched else tuple(h.squeeze(0) for h in out)

    def extra_repr(self):
        text = f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else f", bias={self.bias}")
        return text + (f", nonlinearity={self.nonlinearity}" if getattr(self, "nonlinearity", "tanh") != "tanh" else "")


class RNNCell(RNNCellBase):
    """One step of RNN: input (N, input_size) or (input_size), hx (N, hidden_size); returns the new hx."""

    def __init__(self, input_size, hidden_size, bias=True, nonlinearity="tanh", device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input, hx=None):
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        cell = _rnn_tanh_cell if self.nonlinearity == "tanh" else _rnn_relu_cell
        return self._run(cell, input, None if hx is None else (hx,), 1)[0]


class LSTMCell(RNNCellBase):
    """One step of LSTM: hx is (h, c), and so is the result."""

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input, hx=None):
        return self._run(_lstm_cell, input, hx, 2)


class GRUCell(RNNCellBase):
    """One step of GRU."""

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input, hx=None):
        return self._run(_gru_cell, input, None if hx is None else (hx,), 1)[0]
