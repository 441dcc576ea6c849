"""TensorBoard's own reader on what SummaryWriter writes, and PyTorch's writer beside it."""
import io
import pathlib
import wave

import numpy as np
import pytest
import tapegrad as tg
import torch
from tapegrad import nn
from tapegrad.utils.tensorboard import SummaryWriter

pytest.importorskip("tensorboard")
from tensorboard.backend.event_processing import event_accumulator, event_file_loader  # noqa: E402
from tensorboard.compat.proto import graph_pb2  # noqa: E402
from torch.utils import tensorboard as theirs  # noqa: E402


def values(folder):
    """{tag: [(step, Summary.Value)]} of the event files in a folder, and its graph."""
    found, graph = {}, None
    for path in sorted(pathlib.Path(folder).glob("events.*")):
        for event in event_file_loader.LegacyEventFileLoader(str(path)).Load():
            if event.graph_def:
                graph = graph_pb2.GraphDef.FromString(event.graph_def)
            for v in event.summary.value:
                found.setdefault(v.tag, []).append((event.step, v))
    return found, graph


def accumulate(folder):
    a = event_accumulator.EventAccumulator(str(folder), size_guidance={event_accumulator.TENSORS: 0, event_accumulator.IMAGES: 0})
    return a.Reload()


def write_all(lib, writer_class, folder):
    """The same calls with either library."""
    lib.manual_seed(0)
    data = lib.tensor(np.random.default_rng(0).standard_normal(500))
    with writer_class(str(folder)) as w:
        for step in range(5):
            w.add_scalar("loss", 1.0 / (step + 1), step)
            w.add_scalar("accuracy/train", lib.tensor(step / 4), step, walltime=100.0 + step)
        w.add_scalar("new", 2.5, 1, new_style=True)
        w.add_scalar("exact", 0.1, 1, new_style=True, double_precision=True)
        w.add_scalars("both", {"a": 1.0, "b": 2.0}, 3)
        w.add_histogram("normal", data, 1)
        w.add_histogram("edges", data, 1, bins=[-1.0, 0.0, 1.0, 2.0])
        w.add_histogram("auto", data, 1, bins="auto")
        w.add_histogram("few", data, 1, max_bins=100)
        w.add_histogram("constant", lib.zeros(3), 1)
        w.add_histogram_raw("raw", 0.0, 1.0, 3, 2.0, 1.5, [0.5, 1.0], [1, 2], 4)
        picture = lib.arange(60).reshape(3, 4, 5).float() / 60
        w.add_image("chw", picture, 1)
        w.add_image("hwc", picture.permute(1, 2, 0), 1, dataformats="HWC")
        w.add_image("hw", picture[0], 1, dataformats="HW")
        w.add_image("bytes", (picture * 255).to(lib.uint8), 1)
        w.add_images("grid", lib.arange(10 * 3 * 2 * 2).reshape(10, 3, 2, 2).to(lib.uint8), 1)
        w.add_audio("sound", lib.tensor([0.0, 0.5, -0.5, 1.0]), 1, sample_rate=8000)
        w.add_text("notes", "# Title\n*text* ü", 1)
        labels, scores = (data > 0).int(), lib.sigmoid(data + 0.3)
        w.add_pr_curve("curve", labels, scores, 1)
        w.add_pr_curve("small", labels, scores, 1, num_thresholds=5)
        w.add_tensor("tensor", lib.arange(6.0).reshape(2, 3), 2)
        w.add_hparams({"lr": 0.1, "layers": 3, "name": "adam", "skip": None}, {"hparam/loss": 0.5}, {"name": ["adam", "sgd"]}, run_name="trial", global_step=7)
        w.add_embedding(lib.arange(12.0).reshape(4, 3), metadata=["a", "b", "c", "d"], label_img=lib.ones(4, 3, 2, 2), global_step=2, tag="points")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    top = tmp_path_factory.mktemp("runs")
    write_all(tg, SummaryWriter, top / "mine")
    write_all(torch, theirs.SummaryWriter, top / "theirs")
    return top / "mine", top / "theirs"


def close(a, b):
    assert np.allclose(np.array(a, dtype=float), np.array(b, dtype=float), rtol=1e-5, atol=1e-6), (list(a)[:5], list(b)[:5])


def test_same_events_as_pytorch(folders):
    (mine, _), (other, _) = map(values, folders)
    assert list(mine) == list(other)
    for tag in mine:
        assert [s for s, _ in mine[tag]] == [s for s, _ in other[tag]], tag
        for (_, a), (_, b) in zip(mine[tag], other[tag]):
            assert a.WhichOneof("value") == b.WhichOneof("value") and a.metadata.plugin_data.plugin_name == b.metadata.plugin_data.plugin_name, tag
            assert a.metadata.plugin_data.content == b.metadata.plugin_data.content, tag
            assert a.simple_value == b.simple_value, tag
            for field in ("min", "max", "num", "sum", "sum_squares", "bucket_limit", "bucket"):
                close(np.atleast_1d(getattr(a.histo, field)), np.atleast_1d(getattr(b.histo, field)))
            assert (a.image.height, a.image.width, a.image.colorspace) == (b.image.height, b.image.width, b.image.colorspace), tag
            if a.image.height:
                from PIL import Image
                one, two = (np.array(Image.open(io.BytesIO(x.image.encoded_image_string)).convert("RGB")) for x in (a, b))
                assert np.array_equal(one, two), tag
            if a.audio.length_frames:
                one, two = (wave.open(io.BytesIO(x.audio.encoded_audio_string)) for x in (a, b))
                assert one.getparams() == two.getparams() and one.readframes(99) == two.readframes(99)
                assert a.audio.sample_rate == b.audio.sample_rate and a.audio.content_type == b.audio.content_type
            assert a.tensor.dtype == b.tensor.dtype and a.tensor.string_val == b.tensor.string_val, tag
            assert [d.size for d in a.tensor.tensor_shape.dim] == [d.size for d in b.tensor.tensor_shape.dim] or tag == "tensor", tag
            close(a.tensor.float_val, b.tensor.float_val) if tag != "tensor" else None
            close(a.tensor.double_val, b.tensor.double_val)


def test_sub_runs(folders):
    mine, other = folders
    names = sorted(p.name for p in mine.iterdir() if p.is_dir())
    assert names == sorted(p.name for p in other.iterdir() if p.is_dir()) and {"both_a", "both_b", "trial"} <= set(names)
    for name in ("both_a", "both_b"):
        assert [(s, v.simple_value) for s, v in values(mine / name)[0]["both"]] == [(s, v.simple_value) for s, v in values(other / name)[0]["both"]]
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
    (a, _), (b, _) = values(mine / "trial"), values(other / "trial")
    assert list(a) == list(b)
    for tag in a:
        if tag.startswith("_hparams_"):
            one, two = (HParamsPluginData.FromString(x[tag][0][1].metadata.plugin_data.content) for x in (a, b))
            assert one == two, tag
    assert a["hparam/loss"][0][1].simple_value == 0.5


def test_projector_files(folders):
    mine, other = folders
    from google.protobuf import text_format
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig
    one, two = (text_format.Parse((f / "projector_config.pbtxt").read_text(), ProjectorConfig()) for f in folders)
    assert one == two
    for name in ("metadata.tsv", "tensors.tsv"):
        assert (mine / "00002/points" / name).read_text() == (other / "00002/points" / name).read_text()
    from PIL import Image
    assert np.array_equal(*(np.array(Image.open(f / "00002/points/sprite.png")) for f in folders))


def test_event_accumulator(folders):
    a = accumulate(folders[0])
    tags = a.Tags()
    assert {"loss", "accuracy/train"} <= set(tags["scalars"]) and "normal" in tags["histograms"] and "chw" in tags["images"] and "sound" in tags["audio"]
    assert [(e.step, e.value) for e in a.Scalars("loss")] == [(s, pytest.approx(1 / (s + 1))) for s in range(5)]
    assert a.Scalars("accuracy/train")[2].wall_time == 102.0
    assert a.Histograms("normal")[0].histogram_value.num == 500
    assert a.Tensors("notes/text_summary")[0].tensor_proto.string_val[0].decode() == "# Title\n*text* ü"


def test_graph(tmp_path):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
            self.head = nn.Linear(2, 1)

        def forward(self, x, y):
            return self.head(self.body(x) + self.body(y))
    with SummaryWriter(tmp_path) as w:
        w.add_graph(Net(), (tg.ones(3, 4), tg.ones(3, 4)))
    _, graph = values(tmp_path)
    nodes = {n.name: n for n in graph.node}
    assert {"input/0", "input/1", "output/0", "Net/body/0/weight", "Net/body/0/Addmm", "Net/body/1/Relu", "Net/head/Addmm"} <= set(nodes)
    assert all(i in nodes for n in graph.node for i in n.input)
    assert "Net/body/1/Relu" in nodes["Net/body/2/Addmm"].input and nodes["output/0"].input == ["Net/head/Addmm"]
    assert [d.size for d in nodes["Net/body/0/weight"].attr["_output_shapes"].list.shape[0].dim] == [8, 4]
    assert accumulate(tmp_path).Tags()["graph"]


def test_purge_step(tmp_path):
    with SummaryWriter(tmp_path) as w:
        for step in range(10):
            w.add_scalar("x", step, step, walltime=1.0 + step)
    with SummaryWriter(tmp_path, purge_step=6, filename_suffix=".more") as w:
        w.add_scalar("x", 60.0, 6)
    assert len(list(tmp_path.glob("*.more"))) == 1
    assert [e.value for e in accumulate(tmp_path).Scalars("x")] == [0, 1, 2, 3, 4, 5, 60]
