"""Writes the files of tests/golden that PyTorch made: python tests/golden/make_files.py (needs torch and numpy)."""
import pathlib
import sys

import numpy as np
import torch

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "python"))

from file_samples import contents  # noqa: E402


def main():
    torch.save(contents(torch), HERE / "checkpoint.pt")
    torch.save(contents(torch), HERE / "checkpoint_legacy.pt", _use_new_zipfile_serialization=False)
    torch.save({"best": np.float64(0.5), "count": np.int64(3), "curve": np.arange(6.0).reshape(2, 3)}, HERE / "numpy_values.pt")
    torch.save(torch.nn.Linear(1, 1), HERE / "module.pt")
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), HERE / "script.pt")
    tagged = torch.ones(2)
    tagged.label = "seven"
    torch.save([tagged], HERE / "attributes.pt")
    torch.save([torch.tensor([1, 65535], dtype=torch.uint16), torch.tensor([1 + 2j])], HERE / "new_dtypes.pt")


if __name__ == "__main__":
    main()
