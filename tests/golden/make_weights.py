"""Trains the models of tests/python/trained_models.py for 1,000 steps with 1, 2, 3, 4 and 8 threads on each instruction set, checks that
the number of threads changes no bit of the weights, and writes their digests to weights.json (with --check: compares them with it). Needs
a library with all instruction sets and a processor that has them; takes some minutes."""
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
FILE = HERE / "weights.json"
STEPS, THREADS, SETS = (20, 1000), (1, 2, 3, 4, 8), ("sse42", "avx2", "avx512")


def digests(isa, steps):
    """{model: digest}; every number of threads must give the same."""
    command = [sys.executable, HERE.parent / "python/trained_models.py", str(steps), *map(str, THREADS)]
    lines = subprocess.run(command, env={**os.environ, "TAPEGRAD_ISA": isa}, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    found = {}
    for name, threads, digest in map(str.split, lines):
        print(f"{isa:7} {steps:5} steps {name:14} {threads} threads {digest[:16]}", flush=True)
        if found.setdefault(name, digest) != digest:
            sys.exit(f"{name}: {threads} threads give other weights than {THREADS[0]}")
    return found


def main():
    results = {str(steps): {isa: digests(isa, steps) for isa in SETS} for steps in STEPS}
    if "--check" in sys.argv:
        if results != json.loads(FILE.read_text()):
            sys.exit("the digests are not those of weights.json")
        print("the digests are those of weights.json")
    else:
        FILE.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
