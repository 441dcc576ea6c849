"""The base of all distributions."""
import warnings

from .. import _C
from . import constraints

Size = _C.Size


class Distribution:
    """A batch of independent distributions: samples have the shape sample_shape + batch_shape + event_shape.

    A subclass names its parameters in `arg_constraints`, its set in `support`, and says in `_event_dims` how many of a parameter's
    last dimensions belong to one event (0 where it says nothing).
    """
    has_rsample = False
    has_enumerate_support = False
    arg_constraints = {}
    _event_dims = {}
    _validate_args = __debug__

    @staticmethod
    def set_default_validate_args(value):
        """Shall parameters and values be checked where validate_args is left out?"""
        if value not in (True, False):
            raise ValueError
        Distribution._validate_args = value

    def __init__(self, batch_shape=(), event_shape=(), validate_args=None):
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._check_parameters()
        super().__init__()

    def _check_parameters(self):
        for name, constraint in self.arg_constraints.items():
            if constraints.is_dependent(constraint) or name not in self.__dict__:
                continue  # nothing to compare with, or derived from the other form (probs and logits)
            value = getattr(self, name)
            valid = constraint.check(value)
            if not valid.all():
                raise ValueError(f"Expected parameter {name} ({type(value).__name__} of shape {tuple(value.shape)}) of distribution "
                                 f"{self!r} to satisfy the constraint {constraint!r}, but found invalid values:\n{value}")

    @property
    def batch_shape(self):
        """The shape of the batch of parameters."""
        return self._batch_shape

    @property
    def event_shape(self):
        """The shape of one sample of one distribution."""
        return self._event_shape

    @property
    def support(self):
        """The set of possible values."""
        raise NotImplementedError

    @property
    def mean(self):
        """The mean."""
        raise NotImplementedError

    @property
    def mode(self):
        """The most likely value."""
        raise NotImplementedError(f"{type(self)} does not implement mode")

    @property
    def variance(self):
        """The variance."""
        raise NotImplementedError

    @property
    def stddev(self):
        """The square root of the variance."""
        return self.variance.sqrt()

    def expand(self, batch_shape, _instance=None):
        """The same distribution with its parameters expanded to batch_shape."""
        new, batch_shape = self._blank(_instance), Size(batch_shape)
        for name in self.arg_constraints:
            if name in self.__dict__:
                value, k = self.__dict__[name], self._event_dims.get(name, 0)
                new.__dict__[name] = value.expand(batch_shape + tuple(value.shape[value.ndim - k:]))
        return self._finish(new, batch_shape)

    def _blank(self, instance=None):
        return type(self).__new__(type(self)) if instance is None else instance

    def _finish(self, new, batch_shape, event_shape=None):
        Distribution.__init__(new, batch_shape, self._event_shape if event_shape is None else event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def sample(self, sample_shape=()):
        """A draw, cut from the parameters' history."""
        with _C.no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape=()):
        """A draw that is a differentiable function of the parameters, where has_rsample says so."""
        raise NotImplementedError

    def sample_n(self, n):
        """sample((n,)), the old name."""
        warnings.warn("sample_n will be deprecated. Use .sample((n,)) instead", UserWarning, stacklevel=2)
        return self.sample(Size((n,)))

    def log_prob(self, value):
        """The logarithm of the density or probability at value."""
        raise NotImplementedError

    def cdf(self, value):
        """The probability of at most value."""
        raise NotImplementedError

    def icdf(self, value):
        """The quantile: the inverse of cdf."""
        raise NotImplementedError

    def enumerate_support(self, expand=True):
        """All values of a finite support along a new first dimension."""
        raise NotImplementedError

    def entropy(self):
        """-E log p, one number for each distribution of the batch."""
        raise NotImplementedError

    def perplexity(self):
        """exp of the entropy."""
        return _C.exp(self.entropy())

    def _extended_shape(self, sample_shape=()):
        return Size(tuple(sample_shape) + tuple(self._batch_shape) + tuple(self._event_shape))

    def _validate_sample(self, value):
        """ValueError unless value has a fitting shape and lies in the support."""
        if not isinstance(value, _C.Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        k = value.ndim - len(self._event_shape)
        if tuple(value.shape[max(k, 0):]) != tuple(self._event_shape):
            raise ValueError(f"The right-most size of value must match event_shape: {value.shape} vs {self._event_shape}.")
        for i, j in zip(reversed(value.shape), reversed(self._batch_shape + self._event_shape)):
            if i != 1 and j != 1 and i != j:
                raise ValueError(f"Value is not broadcastable with batch_shape+event_shape: {value.shape} vs "
                                 f"{self._batch_shape + self._event_shape}.")
        try:
            support = self.support
        except NotImplementedError:
            warnings.warn(f"{type(self)} does not define `support` to enable sample validation. Please initialize the distribution with "
                          "`validate_args=False` to turn off validation.", stacklevel=2)
            return
        if not support.check(value).all():
            raise ValueError(f"Expected value argument ({type(value).__name__} of shape {tuple(value.shape)}) to be within the support "
                             f"({support!r}) of the distribution {self!r}, but found invalid values:\n{value}")

    def _checked(self, value):
        if self._validate_args:
            self._validate_sample(value)
        return value

    def __repr__(self):
        names = [k for k in self.arg_constraints if k in self.__dict__]
        return type(self).__name__ + "(" + ", ".join(f"{k}: {v if v.numel() == 1 else v.size()}" for k, v in
                                                    ((k, self.__dict__[k]) for k in names)) + ")"


class ExponentialFamily(Distribution):
    """A distribution with density h(x) exp(<T(x), eta> - A(eta)); a mark only, entropies are written out."""


class Univariate(Distribution):
    """A univariate distribution whose parameters broadcast to the batch: subclasses call `_take(loc=loc, scale=scale, …)`."""

    def _take(self, validate_args, **parameters):
        from .utils import broadcast_all
        numbers = all(isinstance(v, (int, float)) for v in parameters.values())
        for name, value in zip(parameters, broadcast_all(*parameters.values())):
            self.__dict__[name] = value
        Distribution.__init__(self, Size() if numbers else value.shape, validate_args=validate_args)
