"""Gradients of decompositions and solvers as NumPy source, for real matrices; see formulas.py. The formulas' sources are named beside
the ops, in src/ops/linalg_*.cpp."""

HELPERS = {
    "mt": '''def mt(x):
    """Each matrix transposed."""
    return np.swapaxes(x, -1, -2)
''',
    "skew": '''def skew(x):
    return x - np.swapaxes(x, -1, -2)
''',
    "symmetric": '''def symmetric(x):
    """P + P.T, where P is the upper triangle with half its diagonal."""
    p = np.triu(x) * (1 - np.eye(x.shape[-1]) / 2)
    return p + np.swapaxes(p, -1, -2)
''',
}


def inverses(c):
    """y = inv(a):  da = -y.T @ g @ y.T"""
    y = c.saved_as("output 0")
    yield f"-mt({y}) @ g @ mt({y})"


def determinants(c):
    """det: da = g * y * inv(a).T;  slogdet: da = g * inv(a).T"""
    a, g = c.saved_at(0), "g1_" if "Slog" in c.op else f"g * {c.saved_as('output 0')}"
    if "Slog" in c.op and c.outs[1] is None:
        yield f"np.zeros({c.shape})"
    elif c.g.ndim:
        yield f"({g})[..., None, None] * mt(np.linalg.inv({a}))"
    else:
        yield f"{g} * mt(np.linalg.inv({a}))"


def solves(c):
    """a @ y = b:  db = solve(a.T, g),  da = -db @ y.T"""
    a, y = c.saved_at(0), c.saved_as("output 0")
    db = f"np.linalg.solve(mt({a}), g)"
    for text in (db,) if c.number else (f"-{db} @ mt({y})",):
        yield text
        yield f"unbroadcast({text}, {c.shape})"


def triangular_solves(c):
    """a @ y = b, a triangular:  db = solve(a.T, g),  da = -(db @ y.T), of its triangle"""
    a, y = c.saved_at(0), c.saved_as("output 0")
    n = c.arrays[a].shape[-1]
    for half, inner in (("np.triu({})", "np.triu({}, 1)"), ("np.tril({})", "np.tril({}, -1)")):
        for whole, kept in ((half.format(a), half), (f"({inner.format(a)} + np.eye({n}))", inner)):
            left, right = f"np.linalg.solve(mt({whole}), g)", f"mt(np.linalg.solve({whole}, mt(g)))"
            yield from (left, right) if c.number else (kept.format(f"-{left} @ mt({y})"), kept.format(f"-mt({y}) @ {right}"))


def choleskys(c):
    """a = y @ y.T:  da = inv(y).T @ (P + P.T) @ inv(y) / 2, P the lower triangle of y.T @ g with half its diagonal"""
    y = c.saved_as("output 0")
    yield [f"half = np.tril(mt({y}) @ g) * (1 - np.eye({c.shape[-1]}) / 2)",
           f"{{d}} = np.linalg.solve(mt({y}), mt(np.linalg.solve(mt({y}), half + mt(half)))) / 2"]


def eighs(c):
    """a = Q @ diag(l) @ Q.T:  da = Q @ (diag(gl) + Q.T @ gQ / E) @ Q.T, E[i, j] = l[j] - l[i], nothing on the quotient's diagonal"""
    w, q = c.saved_as("output 0"), c.saved_as("output 1")
    n = c.shape[-1]
    lines, inner = [], []
    if c.outs[0] is not None:
        inner.append(f"g0_[..., None] * np.eye({n})")
    if c.outs[1] is not None:
        lines.append(f"gaps = {w}[..., None, :] - {w}[..., None] + np.eye({n})")
        inner.append(f"mt({q}) @ g1_ * (1 - np.eye({n})) / gaps")
    yield [*lines, f"{{d}} = {q} @ ({' + '.join(inner)}) @ mt({q})"]


def qrs(c):
    """a = Q @ R:  da = (gQ + Q @ symmetric(gR @ R.T - Q.T @ gQ)) @ inv(R).T"""
    q, r = c.saved_as("output 0"), c.saved_as("output 1")
    if q is None or r is None or c.arrays[q].shape[-2] < c.arrays[r].shape[-1]:
        return
    gq = "g0_" if c.outs[0] is not None else f"np.zeros({c.arrays[q].shape})"
    inner = " - ".join([f"g1_ @ mt({r})" if c.outs[1] is not None else "0"] + [f"mt({q}) @ g0_"] * (c.outs[0] is not None))
    yield f"mt(np.linalg.solve({r}, mt({gq} + {q} @ symmetric({inner}))))"


def svds(c):
    """a = U @ diag(s) @ V.T, E[i, j] = s[j]**2 - s[i]**2:  da = U @ (skew(U.T @ gU) / E * s + s * skew(V.T @ gV) / E + diag(gs)) @ V.T
    and what leaves the spaces of U and V: (gU - U @ U.T @ gU) / s @ V.T + U / s @ (gV - V @ V.T @ gV).T"""
    u, s, vh = (c.saved_as(f"output {k}") for k in range(3))
    if u is None or s is None or vh is None:
        return
    k = c.arrays[s].shape[-1]
    if c.arrays[u].shape[-1] != k or c.arrays[vh].shape[-2] != k:  # of full matrices the first k count
        u, vh, gu, gv = f"{u}[..., :{k}]", f"{vh}[..., :{k}, :]", f"g0_[..., :{k}]", f"g2_[..., :{k}, :]"
    else:
        gu, gv = "g0_", "g2_"
    row, column = f"{s}[..., None, :]", f"{s}[..., None]"
    lines, inner, rest = [], [], []
    if c.outs[0] is not None or c.outs[2] is not None:
        lines.append(f"gaps = {row}**2 - {column}**2 + np.eye({k})")
    if c.outs[1] is not None:
        inner.append(f"g1_[..., None] * np.eye({k})")
    if c.outs[0] is not None:
        inner.append(f"skew(mt({u}) @ {gu}) / gaps * {row}")
        if c.shape[-2] > k:
            rest.append(f"({gu} - {u} @ (mt({u}) @ {gu})) / {row} @ {vh}")
    if c.outs[2] is not None:
        inner.append(f"{column} * skew({vh} @ mt({gv})) / gaps")
        if c.shape[-1] > k:
            rest.append(f"{u} @ (({gv} - {gv} @ mt({vh}) @ {vh}) / {column})")
    yield [*lines, " + ".join([f"{{d}} = {u} @ ({' + '.join(inner)}) @ {vh}", *rest])]


def pinvs(c):
    """y = pinv(a):  da = -y.T @ g @ y.T + (I - a @ y) @ g.T @ y @ y.T + y.T @ y @ g.T @ (I - y @ a)"""
    a, y = c.saved_at(0), c.saved_as("output 0")
    m, n = c.shape[-2:]
    yield (f"-mt({y}) @ g @ mt({y}) + (np.eye({m}) - {a} @ {y}) @ mt(g) @ {y} @ mt({y})"
           f" + mt({y}) @ {y} @ mt(g) @ (np.eye({n}) - {y} @ {a})")


RULES = {inverses: "LinalgInvEx", determinants: "LinalgDet LinalgSlogdet", solves: "LinalgSolveEx", choleskys: "LinalgCholeskyEx",
         triangular_solves: "LinalgSolveTriangular", eighs: "LinalgEigh", qrs: "LinalgQr", svds: "LinalgSvd", pinvs: "LinalgPinv"}
