"""From a constraint to a transform that maps real numbers into it."""
from . import constraints, transforms


class ConstraintRegistry:
    """registry(constraint) is a Transform onto it; `register` adds a rule for a class of constraints."""

    def __init__(self):
        self._rules = {}

    def register(self, constraint, factory=None):
        """Adds a rule: factory(constraint) makes the transform. Also a decorator."""
        if factory is None:
            return lambda f: self.register(constraint, f)
        self._rules[constraint if isinstance(constraint, type) else type(constraint)] = factory
        return factory

    def __call__(self, constraint):
        try:
            factory = self._rules[type(constraint)]
        except KeyError:
            raise NotImplementedError(f"Cannot transform {type(constraint).__name__} constraints") from None
        return factory(constraint)


biject_to, transform_to = ConstraintRegistry(), ConstraintRegistry()


def _both(constraint):
    def add(f):
        biject_to.register(constraint, f)
        transform_to.register(constraint, f)
        return f
    return add


@_both(constraints.real)
def _real(constraint):
    return transforms.identity_transform


for _c in (constraints.positive, constraints.greater_than_eq(0), constraints.less_than(0)):
    @_both(_c)
    def _one_sided(constraint):
        if hasattr(constraint, "upper_bound"):
            return transforms.ComposeTransform([transforms.ExpTransform(), transforms.AffineTransform(constraint.upper_bound, -1)])
        return transforms.ComposeTransform([transforms.ExpTransform(), transforms.AffineTransform(constraint.lower_bound, 1)])

for _c in (constraints.unit_interval, constraints.half_open_interval(0, 1)):
    @_both(_c)
    def _interval(constraint):
        low, high = constraint.lower_bound, constraint.upper_bound
        if isinstance(low, (int, float)) and isinstance(high, (int, float)) and (low, high) == (0, 1):
            return transforms.SigmoidTransform()
        return transforms.ComposeTransform([transforms.SigmoidTransform(), transforms.AffineTransform(low, high - low)])


@biject_to.register(constraints.independent)
def _biject_independent(constraint):
    return transforms.IndependentTransform(biject_to(constraint.base_constraint), constraint.reinterpreted_batch_ndims)


@transform_to.register(constraints.independent)
def _transform_independent(constraint):
    return transforms.IndependentTransform(transform_to(constraint.base_constraint), constraint.reinterpreted_batch_ndims)


biject_to.register(constraints.simplex, lambda c: transforms.StickBreakingTransform())
transform_to.register(constraints.simplex, lambda c: transforms.SoftmaxTransform())
_both(constraints.lower_cholesky)(lambda c: transforms.LowerCholeskyTransform())
_both(constraints.positive_definite)(lambda c: transforms.PositiveDefiniteTransform())
_both(constraints.corr_cholesky)(lambda c: transforms.CorrCholeskyTransform())
