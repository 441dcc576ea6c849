"""SummaryWriter without TensorBoard: the records, the fields and the pictures, read by hand. tests/parity reads them with TensorBoard."""
import struct
import zlib

import pytest
import tapegrad as tg
from tapegrad import nn
from tapegrad.utils.tensorboard import SummaryWriter
from tapegrad.utils.tensorboard import media, wire


def fields(data):
    """[(number, value)] of a message: ints, 8 or 4 bytes, or bytes."""
    def varint(at):
        value = shift = 0
        while True:
            value |= (data[at] & 127) << shift
            shift += 7
            at += 1
            if data[at - 1] < 128:
                return value, at
    out, at = [], 0
    while at < len(data):
        key, at = varint(at)
        if key & 7 == 0:
            value, at = varint(at)
        else:
            size = {1: 8, 5: 4}.get(key & 7)
            if size is None:
                size, at = varint(at)
            value, at = data[at:at + size], at + size
        out.append((key >> 3, value))
    return out


def events(folder):
    """The events of the files in a folder, as lists of fields; checksums are checked."""
    out = []
    for path in sorted(folder.glob("events.*")):
        data, at = path.read_bytes(), 0
        while at < len(data):
            length = struct.unpack_from("<Q", data, at)[0]
            record = data[at + 12:at + 12 + length]
            assert data[at:at + 16 + length] == wire.record(record)
            out.append(fields(record))
            at += 16 + length
    return out


def test_checksum():
    assert tg._C.crc32c(b"123456789") == 0xE3069283 and tg._C.crc32c(b"") == 0 and tg._C.crc32c(bytes(32)) == 0x8A9136AA
    with pytest.raises(TypeError):
        tg._C.crc32c("text")


def test_wire_encoding():
    assert wire.integer(1, 150) == b"\x08\x96\x01" and wire.text(2, "testing") == b"\x12\x07testing"
    assert wire.integer(1, -1) == b"\x08" + b"\xff" * 9 + b"\x01" and wire.integer(16, 0) == b"\x80\x01\x00"
    assert wire.message(3, wire.integer(1, 150)) == b"\x1a\x03\x08\x96\x01" and wire.single(1, 1.0) == b"\x0d\x00\x00\x80\x3f"


def test_scalars(tmp_path):
    with SummaryWriter(tmp_path) as w:
        w.add_scalar("loss", tg.tensor(0.5), 3, walltime=7.0)
        w.add_scalar("more", 1, tg.tensor(4))
    first, second, third = events(tmp_path)
    assert (3, b"brain.Event:2") in first
    assert dict(second)[1] == struct.pack("<d", 7.0) and dict(second)[2] == 3
    value = dict(fields(dict(fields(dict(second)[5]))[1]))
    assert value == {1: b"loss", 2: struct.pack("<f", 0.5)}
    assert dict(third)[2] == 4


def test_png():
    image = tg.arange(24).to(tg.uint8).reshape(2, 4, 3)
    data = media.png(image)
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", data[16:24]) == (4, 2)
    size = struct.unpack(">I", data[33:37])[0]
    rows = zlib.decompress(data[41:41 + size])
    assert rows == b"\0" + bytes(range(12)) + b"\0" + bytes(range(12, 24))
    assert media.grid(tg.zeros(9, 3, 2, 5)).shape == (3, 4, 40) and media.as_image(tg.ones(2, 2), "HW").unique().tolist() == [255]


def test_records_wait_and_are_flushed(tmp_path):
    w = SummaryWriter(tmp_path, max_queue=3)
    for step in range(2):
        w.add_scalar("x", step, step)
    assert len(events(tmp_path)) == 1
    w.add_scalar("x", 2, 2)
    assert len(events(tmp_path)) == 4
    w.add_scalar("x", 3, 3)
    w.flush()
    assert len(events(tmp_path)) == 5
    w.close()
    w.add_scalar("x", 4, 4)  # opens another file
    w.close()
    assert len(list(tmp_path.glob("events.*"))) == 2 and len(events(tmp_path)) == 7
    w = SummaryWriter(tmp_path / "dropped", flush_secs=0)
    w.add_scalar("x", 0, 0)
    assert len(events(tmp_path / "dropped")) == 2


def test_default_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with SummaryWriter(comment="_note") as w:
        assert w.get_logdir().startswith("runs/") and w.log_dir.endswith("_note")


def test_figures(tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot
    figure = pyplot.figure(figsize=(2, 1), dpi=50)
    figure.gca().plot([0, 1])
    with SummaryWriter(tmp_path) as w:
        w.add_figure("plot", figure, 1)
    image = dict(fields(dict(fields(dict(fields(dict(events(tmp_path)[1])[5]))[1]))[4]))
    assert (image[1], image[2], image[3]) == (50, 100, 3) and not pyplot.fignum_exists(figure.number)


def test_graph_of_a_frozen_model_and_odd_inputs(tmp_path):
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(5, 3).requires_grad_(False)

        def forward(self, batch):
            return {"out": self.table(batch["ids"]).sum(), "same": batch["x"] * 2}
    with SummaryWriter(tmp_path) as w:
        w.add_graph(Odd(), ({"ids": tg.tensor([1, 2]), "x": tg.ones(2)},))
        with pytest.raises(ValueError, match="input_to_model"):
            w.add_graph(Odd())
    names = [dict(fields(n))[1] for k, n in fields(dict(events(tmp_path)[1])[4]) if k == 1]
    assert b"Odd/table/weight" in names and b"output/1" in names


def test_bad_arguments(tmp_path):
    with SummaryWriter(tmp_path) as w:
        for call, text in ((lambda: w.add_scalar("x", tg.ones(2)), "one number"), (lambda: w.add_histogram("x", tg.ones(0)), "no values"),
                           (lambda: w.add_image("x", tg.ones(3, 2)), "dataformats"), (lambda: w.add_image("x", tg.ones(2, 3, 3)), "channels"),
                           (lambda: w.add_video("x", tg.ones(2, 3, 3, 3)), "N, T, C, H, W"), (lambda: w.add_audio("x", tg.ones(2, 3)), "one dimension"), (lambda: w.add_pr_curve("x", tg.ones(2), tg.ones(3)), "2 labels and 3"),
                           (lambda: w.add_histogram_raw("x", 0, 1, 1, 1, 1, [1, 2], [1]), "bucket_limits"), (lambda: w.add_hparams({"a": object()}, {}), "one of int")):
            with pytest.raises(ValueError, match=text):
                call()
        with pytest.raises(TypeError, match="dictionary"):
            w.add_hparams([], {})
        with pytest.raises(AssertionError, match="2D"):
            w.add_embedding(tg.ones(3))
        for name in ("add_mesh", "add_custom_scalars"):
            with pytest.raises(NotImplementedError, match=name):
                getattr(w, name)("x")
    assert len(events(tmp_path)) == 1


def test_videos_are_gifs(tmp_path):
    """What a GIF decoder shows is the video, to the nearest of 252 colours."""
    Image = pytest.importorskip("PIL.Image")
    import io
    tg.manual_seed(0)
    for frames in (tg.randint(0, 256, (3, 33, 17, 3), dtype=tg.uint8), tg.zeros(1, 1, 1, 3, dtype=tg.uint8), tg.full((2, 10, 25, 3), 255, dtype=tg.uint8)):
        file = Image.open(io.BytesIO(media.gif(frames, 4)))
        assert file.size == (frames.shape[2], frames.shape[1]) and getattr(file, "n_frames", 1) == len(frames)
        for k, frame in enumerate(frames):
            file.seek(k)
            shown = tg.tensor(list(file.convert("RGB").tobytes()), dtype=tg.int64).reshape(frame.shape)
            assert (shown - frame.long()).abs().max() <= 26
    with SummaryWriter(tmp_path) as w:
        w.add_video("clip", tg.rand(2, 3, 1, 8, 8), 5, fps=8)
    assert b"GIF89a" in next(tmp_path.iterdir()).read_bytes() and len(events(tmp_path)) == 2
