"""The rows of the GPU table. A case is made by f(t, smoke) with t tapegrad or torch: it returns what to run once, and the bytes or floating
point operations that one run needs. Names are the two libraries' common ones."""

GIB = 1 << 30


def sizes(smoke, *full):
    """The sizes of a row; with smoke a small row that takes the same way (odd sizes stay odd)."""
    return tuple(min(n, 24 + n % 2) for n in full) if smoke else full


def randn(t, *size, dtype="float32", grad=False):
    return t.randn(*size, device="cuda", dtype=getattr(t, dtype), requires_grad=grad)


def nbytes(*tensors):
    return sum(x.numel() * x.element_size() for x in tensors)


def copy(t, smoke):
    x = randn(t, *sizes(smoke, GIB // 4))
    y = t.empty_like(x)
    return lambda: y.copy_(x), 2 * nbytes(x)


def add(t, smoke):
    x = randn(t, *sizes(smoke, GIB // 4))
    y = t.empty_like(x)
    return lambda: t.add(x, x, out=y), 2 * nbytes(x)


def gelu(t, smoke):
    x = randn(t, *sizes(smoke, GIB // 2), dtype="bfloat16")
    return lambda: t.nn.functional.gelu(x), 2 * nbytes(x)


def transposed(t, smoke):
    x = randn(t, *sizes(smoke, 16384, 16384))
    y = t.empty_like(x)
    return lambda: y.copy_(x.t()), 2 * nbytes(x)


def bias_add(t, smoke):
    n, c = sizes(smoke, 65536, 4096)
    x, row = randn(t, n, c), randn(t, c)
    y = t.empty_like(x)
    return lambda: t.add(x, row, out=y), 2 * nbytes(x)


def total(*dims):
    def case(t, smoke):
        x = randn(t, *sizes(smoke, 65536, 16384))
        return lambda: x.sum(dims) if dims else x.sum(), nbytes(x)
    return case


def softmax(*full):
    def case(t, smoke):
        x = randn(t, *sizes(smoke, *full), dtype="bfloat16")
        return lambda: t.softmax(x, -1), 2 * nbytes(x)
    return case


def normed(t, smoke, kind, full):
    n, c = sizes(smoke, *full)
    x, w, b = randn(t, n, c, dtype="bfloat16", grad=True), randn(t, c, dtype="bfloat16", grad=True), randn(t, c, dtype="bfloat16", grad=True)
    f = t.nn.functional
    return x, w, b, (lambda: f.layer_norm(x, (c,), w, b)) if kind == "layer_norm" else (lambda: f.rms_norm(x, (c,), w))


def norm(kind, *full):
    def case(t, smoke):
        x, _, _, run = normed(t, smoke, kind, full)

        def forward():
            with t.no_grad():
                run()
        return forward, 2 * nbytes(x)
    return case


def norm_backward(kind, *full):
    def case(t, smoke):
        x, w, b, run = normed(t, smoke, kind, full)
        y, wanted = run(), [x, w, b] if kind == "layer_norm" else [x, w]
        g = t.ones_like(y)
        return lambda: t.autograd.grad(y, wanted, g, retain_graph=True), 3 * nbytes(x)
    return case


def cross_entropy(t, smoke):
    n, c = sizes(smoke, 8192, 50304)
    x, classes = randn(t, n, c, dtype="bfloat16", grad=True), t.randint(0, c, (n,), device="cuda")
    return lambda: t.autograd.grad(t.nn.functional.cross_entropy(x, classes), [x]), 3 * nbytes(x)


def adamw(millions):
    def case(t, smoke):
        n = 1 << 8 if smoke else millions * 1_000_000 // 148
        params = [t.nn.Parameter(randn(t, n)) for _ in range(3 if smoke else 148)]
        for p in params:
            p.grad = t.ones_like(p)
        return t.optim.AdamW(params, lr=1e-3, fused=True).step, 7 * nbytes(*params)
    return case


def gemm(dtype, precision, *full):
    def case(t, smoke):
        m, n, k = sizes(smoke, *full)
        a, b = randn(t, m, k, dtype=dtype), randn(t, k, n, dtype=dtype)

        def run():
            t.set_float32_matmul_precision(precision)
            return a @ b
        return run, 2 * m * n * k
    return case


def linear_gelu(t, smoke):
    m, k, n = sizes(smoke, 32768, 768, 3072)
    x, w, b = randn(t, m, k, dtype="bfloat16"), randn(t, n, k, dtype="bfloat16"), randn(t, n, dtype="bfloat16")
    f = t.nn.functional
    return lambda: f.gelu(f.linear(x, w, b), approximate="tanh"), 2 * m * n * k


def fused_gelu(t, smoke):
    m, k, n = sizes(smoke, 32768, 768, 3072)
    x, w, b = randn(t, m, k, dtype="bfloat16"), randn(t, k, n, dtype="bfloat16"), randn(t, n, dtype="bfloat16")
    return lambda: t._addmm_activation(b, x, w, use_gelu=True), 2 * m * n * k


def linear_backward(t, smoke):
    m, k, n = sizes(smoke, 32768, 768, 3072)
    x, w, b = (randn(t, *s, dtype="bfloat16", grad=True) for s in ((m, k), (n, k), (n,)))
    y = t.nn.functional.linear(x, w, b)
    g = t.ones_like(y)
    return lambda: t.autograd.grad(y, [x, w, b], g, retain_graph=True), 4 * m * n * k


def few_rows(rows):
    def case(t, smoke):
        k, n = sizes(smoke, 8192, 8192)
        x, w = randn(t, rows, k, dtype="bfloat16"), randn(t, n, k, dtype="bfloat16")
        return lambda: t.nn.functional.linear(x, w), nbytes(w)
    return case


# What the host spends on an op: a chain of them on one element, which the device is never behind with.
def overhead(grad):
    def case(t, smoke):
        x, one, count = randn(t, 1, grad=grad), randn(t, 1), 20 if smoke else 2000

        def run():
            y = x
            for _ in range(count):
                y = y + one
        return run, count
    return case


def gpt2(batch, length):
    """Tokens a second of training GPT-2 with 124 million weights, in bfloat16 by autocast."""
    def case(t, smoke):
        nn, f = t.nn, t.nn.functional
        layers, heads, width, words = (2, 2, 32, 101) if smoke else (12, 12, 768, 50304)
        b, n = (2, 16) if smoke else (batch, length)

        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
                self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
                self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

            def forward(self, x):
                q, k, v = (h.view(b, n, heads, -1).transpose(1, 2) for h in self.qkv(self.norm1(x)).split(width, -1))
                a = f.scaled_dot_product_attention(q, k, v, is_causal=True)
                x = x + self.out(a.transpose(1, 2).reshape(b, n, width))
                return x + self.down(f.gelu(self.up(self.norm2(x)), approximate="tanh"))

        class Gpt(nn.Module):
            def __init__(self):
                super().__init__()
                self.words, self.places = nn.Embedding(words, width), nn.Embedding(n, width)
                self.blocks, self.norm = nn.ModuleList([Block() for _ in range(layers)]), nn.LayerNorm(width)

            def forward(self, text):
                x = self.words(text) + self.places.weight
                for block in self.blocks:
                    x = block(x)
                return f.linear(self.norm(x), self.words.weight)

        model = Gpt().to("cuda")
        text, after = (t.randint(0, words, (b, n), device="cuda") for _ in range(2))
        optimizer = t.optim.AdamW(model.parameters(), lr=1e-4, fused=True)

        def step():
            with t.autocast("cuda", dtype=t.bfloat16):
                loss = f.cross_entropy(model(text).flatten(0, 1), after.flatten())
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        return step, b * n
    return case


# Name, case, unit, goal. Unit: "B" bytes, "F" floating point operations, "op" host time of an op, "tok" tokens. A goal of bytes is a share
# of what a copy reaches, the others are ratios to PyTorch's time (at least 1: as fast); "op": microseconds.
CASES = [
    ("copy f32, 1 GiB", copy, "B", None),
    ("add f32, 1 GiB", add, "B", 0.92),
    ("gelu bf16, 1 GiB", gelu, "B", 0.92),
    ("copy of a transposed f32, 1 GiB", transposed, "B", 0.80),
    ("add of a row f32, 1 GiB", bias_add, "B", 0.80),
    ("sum f32, 4 GiB", total(), "B", 0.90),
    ("sum of rows f32, 4 GiB", total(1), "B", 0.90),
    ("sum of columns f32, 4 GiB", total(0), "B", 0.90),
    ("softmax bf16 [16384 x 4096]", softmax(16384, 4096), "B", 0.85),
    ("softmax bf16 [8192 x 50257]", softmax(8192, 50257), "B", 0.85),
    *((f"{kind} bf16 [16384 x {n}]", norm(kind, 16384, n), "B", goal) for kind in ("layer_norm", "rms_norm") for n, goal in ((4096, 0.85), (4099, 0.80))),
    *((f"{kind} backward bf16 [16384 x {n}]", norm_backward(kind, 16384, n), "B", 0.75) for kind in ("layer_norm", "rms_norm") for n in (4096, 4099)),
    ("cross_entropy, both ways, bf16 [8192 x 50304]", cross_entropy, "B", 0.80),
    ("AdamW, 124 M", adamw(124), "B", 0.88),
    ("AdamW, 1.5 B", adamw(1500), "B", 0.88),
    ("product bf16 8192^3", gemm("bfloat16", "highest", 8192, 8192, 8192), "F", 0.98),
    ("product TF32 8192^3", gemm("float32", "high", 8192, 8192, 8192), "F", 0.98),
    ("product f32 8192^3", gemm("float32", "highest", 8192, 8192, 8192), "F", 0.98),
    ("linear and gelu bf16 [32768 x 768] x [768 x 3072]", linear_gelu, "F", 1.10),
    ("_addmm_activation bf16 [32768 x 768] x [768 x 3072]", fused_gelu, "F", 0.98),
    ("linear backward bf16 [32768 x 768] x [768 x 3072]", linear_backward, "F", 0.98),
    *((f"linear bf16, {rows} rows of 8192 to 8192", few_rows(rows), "B", 0.85) for rows in (1, 4, 8)),
    ("host: add, 1 element", overhead(False), "op", 3.0),
    ("host: add, 1 element, recorded", overhead(True), "op", 4.0),
    ("GPT-2 124M training, 32 x 1024", gpt2(32, 1024), "tok", 1.15),
    ("GPT-2 124M training, 1 x 256", gpt2(1, 256), "tok", 1.30),
]
