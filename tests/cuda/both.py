"""One computation on the CPU and on the device, outputs and gradients compared."""
import numpy as np

import tapegrad as tg

LIMITS = {tg.float64: 1e-12, tg.float32: 2e-5, tg.float16: 4e-3, tg.bfloat16: 3e-2}


def array(shape, seed=0, scale=1.0):
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float64)


def as_numpy(t):
    t = t.detach().cpu()
    return (t.float() if t.dtype in (tg.float16, tg.bfloat16) else t).numpy()


def close(a, b, limit, what=""):
    a, b = as_numpy(a), as_numpy(b)
    assert a.shape == b.shape, (what, a.shape, b.shape)
    np.testing.assert_allclose(a, b, rtol=limit, atol=limit * max(1.0, float(np.nanmax(np.abs(np.where(np.isfinite(b), b, 0)), initial=0))),
                               err_msg=what)


def same(a, b):
    a, b = as_numpy(a), as_numpy(b)
    assert a.shape == b.shape and a.dtype == b.dtype
    np.testing.assert_array_equal(a, b)


def compare(f, *arrays, dtype=tg.float32, limit=None, grad=True):
    """f of the arrays as tensors of `dtype`: its output and the gradients of all arrays. The CPU computes 16-bit ones in float."""
    results = []
    for device in ("cpu", "cuda"):
        given = [tg.tensor(a).to(dtype).to(device).requires_grad_(grad) for a in arrays]
        out = f(*given)
        assert out.device.type == device and out.dtype == dtype
        if grad:
            weights = tg.tensor(array(tuple(out.shape), seed=99)).to(dtype).to(device)
            (out * weights).sum().backward()
        results.append([out] + [g.grad for g in given if grad])
    for k, (cpu, cuda) in enumerate(zip(*results)):
        close(cuda, cpu, limit or LIMITS[dtype], "output" if k == 0 else f"gradient {k - 1}")
    return results[1]
