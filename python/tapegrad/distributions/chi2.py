from . import constraints
from .gamma import Gamma


class Chi2(Gamma):
    """Gamma(df / 2, 1 / 2)."""
    arg_constraints = {"df": constraints.positive}

    def __init__(self, df, validate_args=None):
        self._take(validate_args, df=df)

    concentration = property(lambda self: 0.5 * self.df)
    rate = property(lambda self: self.df.new_full((), 0.5).expand(self.df.shape))
