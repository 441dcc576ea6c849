"""Matrix products while another process keeps a core busy: a library that waits for all of its threads collapses there."""
import statistics
import subprocess
import sys
import time

import numpy as np
import tapegrad
import torch

SECONDS = 1.0


def speeds(lib, threads, n):
    """(best, median) GF/s of n x n products."""
    lib.set_num_threads(threads)
    x = lib.from_numpy(np.random.default_rng(0).standard_normal((n, n)).astype(np.float32))
    times = []
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        x @ x
        times.append(time.perf_counter() - start)
    return [2e-9 * n**3 / t for t in (min(times), statistics.median(times))]


def table():
    lines = ["### Matrix products beside one busy process, GF/s: best and median", "",
             "| | tapegrad, 1 thread | 2 threads | PyTorch, 1 thread | 2 threads |", "| --- | ---: | ---: | ---: | ---: |"]
    neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        for n in (128, 256, 512):
            cells = [speeds(lib, threads, n) for lib in (tapegrad, torch) for threads in (1, 2)]
            lines.append(f"| {n}x{n} |" + "".join(f" {best:.0f}, {median:.0f} |" for best, median in cells))
    finally:
        neighbour.kill()
    return "\n".join(lines) + "\n"
