"""Writes optim.json: what PyTorch 2.13.0's optimisers and schedules give in the cases of tests/python/golden_optim_cases.py.

    python tests/golden/make_optim.py
"""
import json
import pathlib
import sys

import torch

here = pathlib.Path(__file__).parent
sys.path.insert(0, str(here.parent / "python"))
import golden_optim_cases as cases

golden = {"torch": torch.__version__,
          "optimizers": [cases.run_optimizer(torch, *case) for case in cases.OPTIMIZERS],
          "schedules": [cases.run_schedule(torch, *case) for case in cases.SCHEDULES]}
(here / "optim.json").write_text(json.dumps(golden) + "\n")
