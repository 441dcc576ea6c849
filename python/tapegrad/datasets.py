"""Small data sets that come with the package."""
import os

from . import _C
from .safetensors import load_file

__all__ = ["digits"]


def digits(train=None):
    """The UCI handwritten digits: 1,797 images of 8 x 8 pixels.

    Returns (images, labels): images float32 (N, 1, 8, 8) from 0 to 1, labels int64 (N). train=True gives 1,438 of them, train=False the
    other 359, None all. The split is fixed: every fifth image is for testing.

    E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998, CC BY 4.0.
    """
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "share", "tapegrad", "digits.safetensors")
    data = load_file(path)
    images, labels = data["images"].unsqueeze(1).to(_C.float32) / 16, data["labels"].to(_C.int64)
    if train is None:
        return images, labels
    test = _C.functions["arange"](labels.shape[0]) % 5 == 4
    keep = ~test if train else test
    return images[keep], labels[keep]
