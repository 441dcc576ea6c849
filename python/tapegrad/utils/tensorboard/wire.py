"""Two formats by hand: protobuf's wire encoding, and the records of an event file.

A message is the concatenation of its fields: key = number * 8 + kind (0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes). A
record is its length, the masked crc32c of the length, the data, and the masked crc32c of the data.
"""
import struct

from ... import _C

__all__ = ["integer", "text", "double", "single", "doubles", "singles", "message", "record"]


def _bare(n):
    n &= 2 ** 64 - 1  # negative numbers are written as 64 bits
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def integer(number, value):
    """An integer, bool or enum."""
    return _bare(number << 3) + _bare(int(value))


def double(number, value):
    """A double."""
    return _bare(number << 3 | 1) + struct.pack("<d", value)


def single(number, value):
    """A float."""
    return _bare(number << 3 | 5) + struct.pack("<f", value)


def message(number, *parts):
    """A message within a message, of its fields; or bytes."""
    data = b"".join(parts)
    return _bare(number << 3 | 2) + _bare(len(data)) + data


def text(number, value):
    """A string."""
    return message(number, value.encode() if isinstance(value, str) else value)


def doubles(number, values):
    """Repeated double, packed."""
    return message(number, struct.pack(f"<{len(values)}d", *values))


def singles(number, values):
    """Repeated float, packed."""
    return message(number, struct.pack(f"<{len(values)}f", *values))


def _masked(data):
    crc = _C.crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def record(data):
    """The bytes of one record of an event file."""
    length = struct.pack("<Q", len(data))
    return length + _masked(length) + data + _masked(data)
