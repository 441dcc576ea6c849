"""Looking at the tape.

    print(tapegrad.tape(loss))                        # every step: op, sizes, inputs, saved bytes, line
    tapegrad.viz.graph(loss, "g.html")                # a page to step through; also "g.svg" and "g.dot"
    with tapegrad.viz.record():                       # keeps the value of every step for graph()
        loss = model(x).sum()
    print(tapegrad.viz.explain_backward(loss))        # the chain rule as NumPy source that runs
    loss.backward(explain=True)                       # prints it, and runs the backward

In a notebook tensors, their grad_fn, tapes and graphs show themselves. tape(), graph() and explain_backward() run backward once on the
side: no .grad is written, no hook called, nothing freed.
"""
from .chain import explain_backward  # noqa: F401
from .graph import graph  # noqa: F401
from .recording import record  # noqa: F401
from .steps import tape  # noqa: F401
