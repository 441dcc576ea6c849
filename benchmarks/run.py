"""Times tapegrad and PyTorch side by side and writes benchmarks/RESULTS.md.

    python benchmarks/run.py                   # everything, about twenty minutes
    python benchmarks/run.py overhead gemm     # some groups, printed only
    python benchmarks/run.py rows -k softmax   # the cases of a group whose name has the word
    python benchmarks/run.py --dry             # each case once, to see that it runs

Both libraries run in one process, in turns: a round of one, a round of the other, so that both see the same weather. The
figure is the best round. A ratio above 1 means that tapegrad is faster; the mark is the ratio that the row is to reach.
Each group has a process of its own, so that the memory that one leaves behind in malloc is not the next one's luck.
"""
import argparse
import datetime
import gc
import math
import multiprocessing
import os
import pathlib
import platform
import sys
import time

import numpy as np
import tapegrad
import torch

import busy
import cases
import startup

RESULTS = pathlib.Path(__file__).parent / "RESULTS.md"
UNITS = {"ns": 1e9, "us": 1e6, "ms": 1e3}


def prepare(lib, case):
    """A function that runs the case's statement n times and returns the seconds."""
    scope = {"torch": lib, "np": np, "r": np.random.default_rng(0)}
    lib.manual_seed(0)
    exec(case.setup, scope)
    body = case.code.replace("\n", "\n        ")
    # The statement reads its tensors from local names, as code inside a function does.
    names = ", ".join(f"{n}={n}" for n in scope if n not in ("__builtins__", "np", "r"))
    exec(f"def loop(n, clock, {names}):\n    start = clock()\n    for _i in range(n):\n        {body}\n    return clock() - start", scope)
    return scope["loop"]


def measure(case, threads, rounds, seconds):
    """(ours, PyTorch's) best seconds of one run of the statement."""
    for lib in (tapegrad, torch):
        lib.set_num_threads(threads)
    loops = [prepare(lib, case) for lib in (tapegrad, torch)]
    counts = []
    for loop in loops:
        count, took = 1, loop(1, time.perf_counter)
        while took < seconds / 4 and count < 10**7:
            count = max(2 * count, int(count * seconds / 2 / max(took, 1e-9)))
            took = loop(count, time.perf_counter)
        counts.append(max(1, int(count * seconds / max(took, 1e-9))))
    best = [math.inf, math.inf]
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for k, loop in enumerate(loops):
                time.sleep(0.01)  # the other library's threads spin for a while after their last work
                best[k] = min(best[k], loop(counts[k], time.perf_counter) / counts[k])
    finally:
        gc.enable()
    return best


def measure_group(name, o):
    """[(case, {threads: (ours, PyTorch's) seconds})], printed as they come."""
    rows = []
    for case in getattr(cases, name)():
        if o.k not in case.name:
            continue
        times = {}
        for n in o.threads or case.threads:
            try:
                times[n] = measure(case, n, 1 if o.dry else o.rounds, 1e-4 if o.dry else o.seconds)
            except Exception as e:
                raise RuntimeError(f"{case.group}: {case.name}: {type(e).__name__}: {e}") from None
            unit, (ours, theirs) = UNITS[case.group.rsplit(", ", 1)[1]], times[n]
            print(f"{case.name:68} {n}T {figure(ours * unit):>10} {figure(theirs * unit):>10} {theirs / ours:7.2f}  mark {case.mark:g}"
                  f"{'' if theirs / ours >= case.mark else '  below'}", flush=True)
        rows.append((case, times))
    return rows


def figure(x):
    return f"{x:,.0f}" if x >= 100 else f"{x:.3g}"


def mean(ratios):
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def table(group, rows):
    """Markdown of one group: rows are (case, {threads: (ours, theirs)})."""
    unit = UNITS[group.rsplit(", ", 1)[1]]
    threads = sorted({n for _, times in rows for n in times})
    lines = [f"### {group}", "",
             "| |" + "".join(f" tapegrad, {n} thread{'s' * (n > 1)} | PyTorch | ratio |" for n in threads) + " mark |",
             "| --- |" + " ---: | ---: | ---: |" * len(threads) + " ---: |"]
    for case, times in rows:
        cells = ""
        for n in threads:
            if n not in times:
                cells += " | | |"
                continue
            ours, theirs = times[n]
            reached = theirs / ours >= case.mark
            ratio = f"{theirs / ours:.2f}"
            cells += f" {figure(ours * unit)} | {figure(theirs * unit)} | {ratio if reached else f'*{ratio}*'} |"
        name = case.name.replace("|", "\\|")
        lines.append(f"| {name} |{cells} {case.mark:g} |")
    return "\n".join(lines) + "\n"


def summary(results):
    ratios = [(theirs / ours, case.mark) for rows in results.values() for case, times in rows for ours, theirs in times.values()]
    reached = sum(r >= mark for r, mark in ratios)
    ahead = sum(r >= 1 for r, _ in ratios)
    return (f"{reached} of {len(ratios)} measurements at or above their mark, {ahead} at least level with PyTorch; "
            f"geometric mean of all ratios {mean([r for r, _ in ratios]):.2f}.")


def machine():
    model = "unknown CPU"
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.exists():
        model = next((line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line), model)
    return (f"{datetime.date.today()}; {model}, {os.cpu_count()} cores visible, {platform.system()} {platform.machine()}, "
            f"Python {platform.python_version()}, tapegrad {tapegrad.__version__}, PyTorch {torch.__version__}; "
            f"load average at the start {os.getloadavg()[0]:.1f}")


def main():
    groups = {g.__name__: g for g in cases.GROUPS}
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("groups", nargs="*", help=" ".join([*groups, "busy", "cpp", "startup"]))
    options.add_argument("-k", default="", help="only cases whose name has this in it")
    options.add_argument("--dry", action="store_true")
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--seconds", type=float, default=0.04, help="length of a round of one library")
    options.add_argument("--threads", type=int, nargs="*", help="instead of each case's own")
    o = options.parse_args()
    if unknown := set(o.groups) - {*groups, "busy", "cpp", "startup"}:
        options.error(f"no such group: {', '.join(sorted(unknown))}")
    head = machine()
    print(head, flush=True)
    results = {}
    spawn = multiprocessing.get_context("spawn")
    for name in o.groups or groups:
        if name in groups:
            with spawn.Pool(1) as process:
                for case, times in process.apply(measure_group, (name, o)):
                    results.setdefault(case.group, []).append((case, times))
    text = [table(g, rows) for g, rows in results.items()]
    if not o.groups or "busy" in o.groups:
        text.append(busy.table())
    if not o.groups or "cpp" in o.groups:
        text.append(startup.cpp_table())
    if not o.groups or "startup" in o.groups:
        text.append(startup.table())
    print("\n" + "\n".join(text))
    if o.groups or o.dry or o.k:
        return
    command = "`make bench` (" + " ".join(["python", "benchmarks/run.py", *sys.argv[1:]]) + ")"
    RESULTS.write_text(f"# tapegrad beside PyTorch\n\n{head}.\nCommand: {command}. Ratios below their mark are in italics; "
                       f"[docs/performance.md](../docs/performance.md) says what was tried.\n\n{summary(results)}\n\n" + "\n".join(text))


if __name__ == "__main__":
    main()
