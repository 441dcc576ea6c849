"""A pytest plugin: of the tests over all op samples, only those of the ops named in ONLY_OPS are made. (Thousands of others are skipped in
no time, but take half a minute to collect.)"""
import os

import pytest

ONLY = set(os.environ["ONLY_OPS"].split())


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc):
    for mark in metafunc.definition.iter_markers("parametrize"):
        cases = mark.args[1]
        if isinstance(cases, list):
            cases[:] = [c for c in cases if getattr(c[0] if isinstance(c, tuple) else c, "name", None) in ONLY]
