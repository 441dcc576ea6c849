"""Parts of large matrices: the first singular values by random projection, the outermost eigenvalues by iteration."""
from . import _C

__all__ = ["lobpcg", "pca_lowrank", "svd_lowrank"]

_qr, _svd, _eigh = (_C.functions[f"linalg.{name}"] for name in ("qr", "svd", "eigh"))


def svd_lowrank(A, q=6, niter=2, M=None):
    """(U, S, V) with A ≈ U diag(S) Vᴴ of rank q, for the matrices A, or A - M: Halko, Martinsson, Tropp (2011), algorithm 5.1.

    The columns of A times q random vectors, made orthogonal and improved by niter power iterations, span nearly what the first q singular
    vectors do; a small SVD does the rest. Take q a little larger than the rank wanted.
    """
    q = 6 if q is None else q
    rows, columns = A.shape[-2:]
    if q < 0:
        raise ValueError(f"svd_lowrank: q must not be negative, got {q}")
    A = A if M is None else A - M
    wide = rows < columns
    A = A.mH if wide else A
    basis = _qr(A @ _C.randn(A.shape[-1], q, dtype=A.dtype, device=A.device)).Q
    for _ in range(niter):
        basis = _qr(A @ _qr(A.mH @ basis).Q).Q
    U, S, Vh = _svd(basis.mH @ A, full_matrices=False)
    U, V = basis @ U, Vh.mH
    return (V, S, U) if wide else (U, S, V)


def pca_lowrank(A, q=None, center=True, niter=2):
    """(U, S, V): the principal directions of the rows of A are the columns of V, their variances S² / (m - 1). center takes the columns'
    means off first; q is 6 unless given."""
    q = min(6, *A.shape[-2:]) if q is None else q
    if not 0 <= q <= min(A.shape[-2:]):
        raise ValueError(f"pca_lowrank: q must be from 0 to {min(A.shape[-2:])}, got {q}")
    return svd_lowrank(A - A.mean(-2, keepdim=True) if center else A, q, niter)


def lobpcg(A, k=None, B=None, X=None, n=None, iK=None, niter=None, tol=None, largest=None, method=None, tracker=None, ortho_iparams=None,
           ortho_fparams=None, ortho_bparams=None):
    """The k largest (largest=False: smallest) eigenvalues and eigenvectors of A x = λ B x by locally optimal block preconditioned
    conjugate gradients (Knyazev, 2001). A and B are symmetric, B positive definite.

    X (…, m, n) begins the search, iK ≈ A⁻¹ preconditions it; niter and tol end it. Both methods are one here: each step solves the problem
    within the span of X, the residuals and the last step, by an orthonormal basis. There is no gradient: use linalg.eigh.
    """
    if A.requires_grad and _C.is_grad_enabled() or B is not None and B.requires_grad:
        raise NotImplementedError("lobpcg: there is no gradient; use linalg.eigh")
    if tracker is not None:
        raise NotImplementedError("lobpcg: tracker is not supported; leave it out")
    if method not in (None, "basic", "ortho"):
        raise ValueError(f"lobpcg: method must be 'basic' or 'ortho', got {method!r}")
    m = A.shape[-1]
    k = (1 if X is None else X.shape[-1]) if k is None else k
    n = (k if X is None else X.shape[-1]) if n is None else n
    if m < 3 * n or n < k:
        raise ValueError(f"lobpcg: the size {m} of A must be at least 3 n = {3 * n}, and n at least k = {k}; use linalg.eigh for small "
                         "matrices")
    X = _C.randn(*A.shape[:-1], n, dtype=A.dtype, device=A.device) if X is None else X
    tol = (1.2e-7 if A.dtype == _C.float32 else 2.2e-16) ** 0.5 if tol is None else tol
    batch = A.shape[:-2]

    def each(t):
        return t.expand(*batch, *t.shape[-2:]).reshape(-1, *t.shape[-2:]).unbind(0)
    parts = [each(A), each(X), *((t,) * len(each(A)) if t is None else each(t) for t in (B, iK))]
    found = [_lobpcg(a, x, b, inverse, k, 1000 if niter is None or niter < 0 else niter, tol, largest is not False) for a, x, b, inverse in
             zip(*parts)]
    values, vectors = (_C.stack(list(t)) for t in zip(*found))
    return values.reshape(*batch, k), vectors.reshape(*batch, m, k)


def _lobpcg(A, X, B, iK, k, niter, tol, largest):
    """Of one matrix."""
    n, size = X.shape[-1], A.norm() + (0 if B is None else B.norm())
    B_times = (lambda t: t) if B is None else (lambda t: B @ t)

    def best(span):  # the n outermost Ritz pairs within a span
        basis, weights, _ = _svd(span, full_matrices=False)
        basis = basis[:, weights > weights.max() * 1e-7]
        inner = basis.mT @ (A @ basis)
        scale = None
        if B is not None:
            scale = _C.functions["linalg.inv"](_C.functions["linalg.cholesky"](basis.mT @ (B @ basis))).mT
            inner = scale.mT @ inner @ scale
        values, vectors = _eigh((inner + inner.mT) / 2)
        order = values.argsort(descending=largest)[:n]
        vectors = vectors[:, order]
        return values[order], basis @ (vectors if scale is None else scale @ vectors)

    with _C.no_grad():
        values, X = best(X)
        step = None
        for _ in range(niter):
            rest = A @ X - B_times(X) * values
            if bool((rest.norm(2, 0) <= tol * size * X.norm(2, 0))[:k].all()):
                break
            toward = rest if iK is None else iK @ rest
            toward = toward / toward.norm(2, 0).clamp(min=1e-30)
            values, new = best(_C.cat([X, toward] if step is None else [X, toward, step], 1))
            step = new - X @ (X.mT @ B_times(new))
            step, X = step / step.norm(2, 0).clamp(min=1e-30), new
        return values[:k], X[:, :k]
