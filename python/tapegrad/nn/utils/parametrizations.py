"""Ready parametrizations: weight_norm, spectral_norm, orthogonal."""
from ... import _C
from ..._ops import op
from ...dtypes import finfo
from ..layers.conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from ..module import Module
from . import parametrize

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]

_normalize, _allclose = op("normalize"), op("allclose")


def norm_except_dim(x, dim):
    """The Euclidean norms of the slices along dim, which keeps its size; dim=-1: of all of x."""
    if dim == -1:
        return x.norm()
    if not -x.ndim <= dim < x.ndim:
        raise IndexError(f"weight_norm: dim {dim} is out of range for {x.ndim} dimensions")
    return x.square().sum([d for d in range(x.ndim) if d != dim % x.ndim], keepdim=True).sqrt() if x.ndim > 1 else x.abs()


def weight_from(direction, length, dim):
    """length * direction / |direction|."""
    return direction * (length / norm_except_dim(direction, dim))


def rows_along(weight, dim):
    """The weight as a matrix whose rows are its slices along dim."""
    if dim != 0:
        weight = weight.permute(dim, *(d for d in range(weight.ndim) if d != dim))
    return weight.flatten(1) if weight.ndim > 1 else weight.unsqueeze(1)


def output_dim(module, dim):
    """dim, or where the outputs of a layer's weight are."""
    return dim if dim is not None else 1 if isinstance(module, (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)) else 0


def _tensor_of(module, name):
    weight = getattr(module, name, None)
    if not isinstance(weight, _C.Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return weight


class _WeightNorm(Module):
    def __init__(self, dim=0):
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g, weight_v):
        return weight_from(weight_v, weight_g, self.dim)

    def right_inverse(self, weight):
        return norm_except_dim(weight, self.dim), weight


def weight_norm(module, name="weight", dim=0):
    """weight = g v / |v| (Salimans & Kingma 2016), a length for each slice along dim, or one with dim=None; g is original0, v original1."""
    parametrize.register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def rename(state_dict, prefix, *rest):  # what nn.utils.weight_norm saved
        old = [f"{prefix}{name}_g", f"{prefix}{name}_v"]
        if all(key in state_dict for key in old):
            for i, key in enumerate(old):
                state_dict[f"{prefix}parametrizations.{name}.original{i}"] = state_dict.pop(key)
    module._register_load_state_dict_pre_hook(rename)
    return module


class _SpectralNorm(Module):
    def __init__(self, weight, n_power_iterations=1, dim=0, eps=1e-12):
        super().__init__()
        if not -weight.ndim <= dim < weight.ndim:
            raise IndexError(f"Dimension out of range (expected to be in range of [-{weight.ndim}, {weight.ndim - 1}] but got {dim})")
        if n_power_iterations <= 0:
            raise ValueError(f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}")
        self.dim, self.eps = dim % weight.ndim, eps
        if weight.ndim > 1:
            self.n_power_iterations = n_power_iterations
            with _C.no_grad():
                matrix = rows_along(weight.detach(), self.dim)
                for buffer, size in (("_u", matrix.shape[0]), ("_v", matrix.shape[1])):
                    start = _C.empty(size, dtype=weight.dtype, device=weight.device).normal_(0, 1)
                    self.register_buffer(buffer, _normalize(start, dim=0, eps=eps))
            self._power_method(matrix, 15)

    def _power_method(self, matrix, n):
        with _C.no_grad():
            for _ in range(n):
                self._u.copy_(_normalize(matrix.mv(self._v), dim=0, eps=self.eps))
                self._v.copy_(_normalize(matrix.t().mv(self._u), dim=0, eps=self.eps))

    def forward(self, weight):
        if weight.ndim == 1:
            return _normalize(weight, dim=0, eps=self.eps)
        matrix = rows_along(weight, self.dim)
        if self.training:
            self._power_method(matrix, self.n_power_iterations)
        u, v = self._u.clone(), self._v.clone()  # the next call changes them in place
        return weight / u.dot(matrix.mv(v))

    def right_inverse(self, value):
        return value


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """weight / its largest singular value (Miyato et al. 2018), which power iterations follow while training."""
    weight = _tensor_of(module, name)
    return parametrize.register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, output_dim(module, dim), eps))


def _linalg():
    from ... import linalg
    return linalg


def _orthonormal(a):
    """Q of a's QR decomposition with a positive diagonal of R, which makes it the only one."""
    q, r = _linalg().qr(a)
    return q * r.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


class _Orthogonal(Module):
    def __init__(self, weight, orthogonal_map, *, use_trivialization=True):
        super().__init__()
        self.shape, self.orthogonal_map = weight.shape, orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X):
        wide = X.shape[-2] < X.shape[-1]
        X = X.mT if wide else X
        n, k = X.shape[-2:]
        if self.orthogonal_map == "householder":
            A = X.tril(-1)
            Q = _linalg().householder_product(A, 2.0 / (1.0 + A.square().sum(-2)))
            Q = Q * X.diagonal(dim1=-2, dim2=-1).detach().trunc().unsqueeze(-2)
        else:
            X = X.tril()
            if n != k:
                X = _C.cat([X, _C.zeros(*X.shape[:-1], n - k, dtype=X.dtype, device=X.device)], -1)
            A = X - X.mT
            if self.orthogonal_map == "matrix_exp":
                Q = _linalg().matrix_exp(A)
            else:
                eye = _C.eye(n, dtype=A.dtype, device=A.device)
                Q = _linalg().solve(eye - 0.5 * A, eye + 0.5 * A)
            Q = Q[..., :k]
        if getattr(self, "base", None) is not None:
            Q = self.base @ Q
        return Q.mT if wide else Q

    def right_inverse(self, Q):
        if Q.shape != self.shape:
            raise ValueError(f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of shape {Q.shape}.")
        with _C.no_grad():
            wide = Q.shape[-2] < Q.shape[-1]
            M = Q.mT if wide else Q
            n, k = M.shape[-2:]
            if not hasattr(self, "base"):
                if self.orthogonal_map != "householder":
                    raise NotImplementedError("It is not possible to assign to the matrix exponential or the Cayley parametrizations when "
                                              "use_trivialization=False.")
                A, tau = _C.functions["geqrf"](M)
                diagonal = A.diagonal(dim1=-2, dim2=-1)
                diagonal.copy_(_C.where(tau == 0, -diagonal.sign(), diagonal.sign()))
                return A.mT if wide else A
            if n == k:
                orthogonal = _allclose(M.mT @ M, _C.eye(k, dtype=M.dtype), atol=10.0 * n * finfo(M.dtype).eps)
                self.base = M.clone() if orthogonal else _orthonormal(M)
            else:  # the columns that are missing are random ones
                self.base = _orthonormal(_C.cat([M, _C.randn(*M.shape[:-1], n - k, dtype=M.dtype)], -1))
            start = _C.zeros_like(Q)
            start.diagonal(dim1=-2, dim2=-1).fill_(-1.0)
            return start


def orthogonal(module, name="weight", orthogonal_map=None, *, use_trivialization=True):
    """An orthogonal weight, or one with orthonormal rows or columns; of more dimensions, a batch of such matrices.

    orthogonal_map: "matrix_exp" or "cayley" of a skew-symmetric matrix, or "householder"; matrix_exp for squares, else householder.
    use_trivialization multiplies by the weight that was there (Lezcano-Casado 2019), so that any orthogonal weight can be assigned.
    """
    weight = _tensor_of(module, name)
    if weight.ndim < 2:
        raise ValueError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions.")
    if orthogonal_map is None:
        orthogonal_map = "matrix_exp" if weight.shape[-2] == weight.shape[-1] else "householder"
    if orthogonal_map not in ("matrix_exp", "cayley", "householder"):
        raise ValueError(f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: {orthogonal_map}')
    return parametrize.register_parametrization(module, name, _Orthogonal(weight, orthogonal_map, use_trivialization=use_trivialization),
                                                unsafe=True)
