"""The weights after training have the same bits for any number of threads, and those that tests/golden/weights.json says."""
import json
import os
import pathlib
import subprocess
import sys

import pytest
from trained_models import MODELS, digest

GOLDEN = json.loads((pathlib.Path(__file__).parent.parent / "golden/weights.json").read_text())["20"]


def expected(name):
    return {isa[name] for isa in GOLDEN.values()}


@pytest.mark.parametrize("name", MODELS)
def test_weights_do_not_depend_on_the_number_of_threads(name):
    assert digest(name, 20, 1) == digest(name, 20, 3) == digest(name, 20, 8)
    assert digest(name, 20, 2) in expected(name)


@pytest.mark.parametrize("isa", GOLDEN)
def test_weights_of_every_instruction_set(isa):
    """A library built for one set only has no choice: its digests are one set's all the same."""
    program = pathlib.Path(__file__).with_name("trained_models.py")
    lines = subprocess.run([sys.executable, program, "20", "3"], env={**os.environ, "TAPEGRAD_ISA": isa}, check=True, stdout=subprocess.PIPE, text=True).stdout
    found = {name: digest for name, _, digest in map(str.split, lines.splitlines())}
    assert found in GOLDEN.values()
