"""Images, videos and sounds as tensors, made into the bytes of files: PNG by zlib, GIF by hand, WAV by the standard library."""
import io
import struct
import zlib

from ... import _C
from . import wire

__all__ = ["as_image", "png", "gif", "image", "video", "audio", "grid"]

_MAX_COLUMNS = 8


def as_tensor(x):
    """A detached tensor of a tensor, array, number or list."""
    return x.detach() if isinstance(x, _C.Tensor) else _C.as_tensor(x)


def grid(images, columns=_MAX_COLUMNS):
    """(n, c, h, w) as one (3 or c, H, W): row by row, at most `columns` side by side."""
    n, c, h, w = images.shape
    columns = min(n, columns)
    rows = -(-n // columns)
    out = _C.functions["zeros"]((c, rows * h, columns * w), dtype=images.dtype)
    for i in range(n):
        y, x = i // columns * h, i % columns * w
        out[:, y:y + h, x:x + w] = images[i]
    return out


def as_image(x, dataformats):
    """uint8 (h, w, 1, 3 or 4) of a tensor whose dimensions dataformats names: "CHW", "HWC", "HW", "NCHW", "NHWC". Floats are 0 to 1."""
    x, order = as_tensor(x), dataformats.upper()
    if sorted(order) not in (sorted(s) for s in ("HW", "CHW", "NCHW")) or len(order) != x.dim():
        raise ValueError(f"dataformats {dataformats!r} does not describe a tensor of shape {tuple(x.shape)}: it names each of the "
                         f"dimensions N, C, H, W once")
    x = x.mul(255).clamp(0, 255).to(_C.uint8) if x.is_floating_point() else x.to(_C.uint8)
    if len(order) == 2:
        x, order = x.unsqueeze(0), "C" + order
    if len(order) == 4:
        x = grid(x.permute(*(order.index(d) for d in "NCHW")))
    else:
        x = x.permute(*(order.index(d) for d in "CHW"))
    if x.shape[0] == 1:
        x = x.expand(3, -1, -1)
    if x.shape[0] not in (3, 4):
        raise ValueError(f"an image has 1, 3 or 4 channels, got {x.shape[0]} (dataformats {dataformats!r}, shape {tuple(x.shape)})")
    return x.permute(1, 2, 0).contiguous()


def png(image):
    """The bytes of a PNG file of uint8 (h, w, 3 or 4)."""
    h, w, channels = image.shape
    rows = _C.functions["zeros"]((h, 1 + w * channels), dtype=_C.uint8)  # each row begins with its filter, 0
    rows[:, 1:] = image.reshape(h, w * channels)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">2I5B", w, h, 8, {3: 2, 4: 6}[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(_C.to_bytes(rows), 6)) + chunk(b"IEND", b"")


def image(tag, x, dataformats="CHW"):
    """The Summary.Value of an image."""
    x = as_image(x, dataformats)
    h, w, channels = x.shape
    return wire.text(1, tag) + wire.message(4, wire.integer(1, h), wire.integer(2, w), wire.integer(3, channels), wire.message(4, png(x)))


def audio(tag, x, sample_rate):
    """The Summary.Value of a mono sound, -1 to 1."""
    import wave
    x = as_tensor(x).squeeze()
    if x.dim() != 1:
        raise ValueError(f"add_audio: {tag!r} must be a tensor with one dimension of samples, got shape {tuple(x.shape)}")
    if x.is_floating_point() and x.numel() and float(x.abs().max()) > 1:
        import warnings
        warnings.warn("add_audio: samples outside of [-1, 1] are clipped", stacklevel=3)
    samples = x.double().clamp(-1, 1).mul(32767).to(_C.int16)
    file = io.BytesIO()
    with wave.open(file, "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(sample_rate)
        w.writeframes(_C.to_bytes(samples))
    return wire.text(1, tag) + wire.message(6, wire.single(1, sample_rate), wire.integer(2, 1), wire.integer(3, samples.numel()),
                                            wire.message(4, file.getvalue()), wire.text(5, "audio/wav"))


# ---- GIF: 6 x 7 x 6 fixed colours; pixels are written as 9-bit codes, without compression

def _blocks(data):
    """Data in the blocks of at most 255 bytes that GIF wants."""
    return b"".join(bytes([len(data[k:k + 255])]) + data[k:k + 255] for k in range(0, len(data), 255)) + b"\0"


def _codes(pixels):
    """Indices of colours as LZW codes of 9 bits: a clear code, 256, before each 250 keeps the decoder's table small, 257 ends."""
    filler = -len(pixels) % 250
    rows = _C.cat([pixels, pixels.new_zeros(filler)]).reshape(-1, 250)
    codes = _C.cat([rows.new_full((len(rows), 1), 256), rows], 1).reshape(-1)
    codes = _C.cat([codes[:len(codes) - filler], codes.new_full((1,), 257)])
    codes = _C.cat([codes, codes.new_zeros(-len(codes) % 8)])
    bits = (codes.unsqueeze(1) >> _C.arange(9)) & 1  # the lowest first
    return _C.to_bytes((bits.reshape(-1, 8) << _C.arange(8)).sum(1).to(_C.uint8))


def gif(frames, fps):
    """The bytes of an animated GIF of uint8 (t, h, w, 3), which goes round for ever."""
    _, h, w, _ = frames.shape
    palette = b"".join(bytes((r * 51, g * 255 // 6, b * 51)) for r in range(6) for g in range(7) for b in range(6)) + bytes(4 * 3)
    out = [b"GIF89a", struct.pack("<2H3B", w, h, 0xF7, 0, 0), palette, b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"]
    levels = _C.tensor([5, 6, 5])
    for frame in frames.unbind(0):
        r, g, b = ((frame.to(_C.int64) * levels + 127) // 255).unbind(-1)
        out += [b"\x21\xf9\x04\x04", struct.pack("<H", round(100 / fps)), b"\0\0", b"\x2c", struct.pack("<4HB", 0, 0, w, h, 0), b"\x08",
                _blocks(_codes(((r * 7 + g) * 6 + b).reshape(-1)))]
    return b"".join([*out, b"\x3b"])


def video(tag, x, fps):
    """The Summary.Value of videos (n, t, c, h, w) side by side in a grid, as an animated GIF."""
    x = as_tensor(x)
    if x.dim() != 5 or x.shape[2] not in (1, 3):
        raise ValueError(f"add_video: {tag!r} must be (N, T, C, H, W) with 1 or 3 channels, got shape {tuple(x.shape)}")
    frames = _C.stack([as_image(x[:, t], "NCHW") for t in range(x.shape[1])])
    return wire.text(1, tag) + wire.message(4, wire.integer(1, frames.shape[1]), wire.integer(2, frames.shape[2]), wire.integer(3, 3),
                                            wire.message(4, gif(frames, fps)))
