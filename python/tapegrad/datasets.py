"""Small data sets that come with the package."""
import os

from . import _C
from .safetensors import load_file

__all__ = ["digits"]


def digits(split="all"):
    """The UCI handwritten digits: 1,797 images of 8 x 8 pixels.

    Returns (images, labels): images float32 (N, 1, 8, 8) from 0 to 1, labels int64 (N). split: "train" (1,437), "test" (360, every
    fifth image) or "all".

    E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998, CC BY 4.0.
    """
    if split not in ("train", "test", "all"):
        raise ValueError(f"split must be 'train', 'test' or 'all', got {split!r}")
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "share", "tapegrad", "digits.safetensors")
    data = load_file(path)
    images, labels = data["images"].unsqueeze(1).to(_C.float32) / 16, data["labels"].to(_C.int64)
    if split == "all":
        return images, labels
    chosen = _C.arange(labels.shape[0]) % 5 == 0
    if split == "train":
        chosen = ~chosen
    return images[chosen], labels[chosen]
