"""The records of the mutation check (tests/mutation) still fit the sources: each old text is there once."""
import pathlib
import runpy

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MUTATIONS = runpy.run_path(str(ROOT / "tests/mutation/mutations.py"))["MUTATIONS"]


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_mutation_can_be_made(name):
    mutation = MUTATIONS[name]
    assert (ROOT / mutation.file).read_text().count(mutation.old) == 1 and mutation.new != mutation.old
