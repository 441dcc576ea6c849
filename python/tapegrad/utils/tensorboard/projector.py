"""The files of TensorBoard's embedding projector: tensors.tsv, metadata.tsv, sprite.png, and a config that lists them."""
import math
import os
import urllib.parse

from ... import _C
from .media import as_image, as_tensor, grid, png

__all__ = ["add_embedding"]


def add_embedding(log_dir, mat, metadata=None, label_img=None, global_step=None, tag="default", metadata_header=None):
    """Writes one embedding and adds it to projector_config.pbtxt."""
    mat = as_tensor(mat)
    if mat.dim() != 2:
        raise AssertionError("mat should be 2D, where mat.size(0) is the number of data points")
    step = str(0 if global_step is None else global_step).zfill(5)
    folder = f"{step}/{urllib.parse.quote(tag, safe='')}"
    path = os.path.join(log_dir, folder)
    os.makedirs(path, exist_ok=True)
    _write(path, "tensors.tsv", ["\t".join(map(repr, row)) for row in mat.tolist()])
    entry = [f'tensor_name: "{_quoted(tag)}:{step}"', f'tensor_path: "{_quoted(folder)}/tensors.tsv"']
    if metadata is not None:
        if len(metadata) != mat.shape[0]:
            raise AssertionError("#labels should equal with #data points")
        if metadata_header and len(metadata_header) != len(metadata[0]):
            raise AssertionError("len of header must be equal to the number of columns in metadata")
        rows = ["\t".join(map(str, row)) for row in [metadata_header, *metadata]] if metadata_header else list(map(str, metadata))
        _write(path, "metadata.tsv", rows)
        entry.append(f'metadata_path: "{_quoted(folder)}/metadata.tsv"')
    if label_img is not None:
        images = as_tensor(label_img)
        if images.shape[0] != mat.shape[0]:
            raise AssertionError("#images should equal with #data points")
        with open(os.path.join(path, "sprite.png"), "wb") as f:
            f.write(png(_square(images)))
        entry.append(f'sprite {{ image_path: "{_quoted(folder)}/sprite.png" single_image_dim: {images.shape[3]} single_image_dim: '
                     f'{images.shape[2]} }}')
    return "embeddings {\n" + "".join(f"  {line}\n" for line in entry) + "}\n"


def _quoted(text):
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _write(path, name, lines):
    with open(os.path.join(path, name), "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")


def _square(images):
    """The images side by side in a square, as the projector cuts them out."""
    columns = math.ceil(math.sqrt(images.shape[0]))
    arranged = as_image(grid(images, columns), "CHW")
    side = max(arranged.shape[:2])
    out = _C.functions["zeros"]((side, side, arranged.shape[2]), dtype=_C.uint8)
    out[:arranged.shape[0], :arranged.shape[1]] = arranged
    return out
