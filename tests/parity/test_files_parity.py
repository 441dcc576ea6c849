"""Files between both libraries, both ways, live."""
import io

import pytest
import tapegrad as tg
import torch
from file_samples import assert_same, assert_shared, contents


@pytest.mark.parametrize("new_format", [True, False])
def test_torch_to_tapegrad(tmp_path, new_format):
    theirs = contents(torch)
    torch.save(theirs, tmp_path / "t.pt", _use_new_zipfile_serialization=new_format)
    for options in ({}, {"map_location": "cpu"}, {"mmap": True} if new_format else {}):
        back = tg.load(tmp_path / "t.pt", **options)
        assert_same(theirs, back)
        assert_shared(back)


@pytest.mark.parametrize("options", [{}, {"mmap": True}, {"map_location": "cpu"}, {"weights_only": False}])
def test_tapegrad_to_torch(tmp_path, options):
    ours = contents(tg)
    tg.save(ours, tmp_path / "t.pt")
    back = torch.load(tmp_path / "t.pt", **options)
    assert_same(ours, back)
    assert_shared(back)
    model = torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 3))
    model.load_state_dict(back["model"])
    torch.optim.Adam(model.parameters()).load_state_dict(back["optimizer"])


def test_streams_both_ways():
    buffer = io.BytesIO()
    tg.save(contents(tg), buffer)
    buffer.seek(0)
    assert_same(contents(tg), torch.load(buffer))
    buffer = io.BytesIO()
    torch.save(contents(torch), buffer)
    buffer.seek(0)
    assert_same(contents(torch), tg.load(buffer))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickle_protocols(tmp_path, protocol):
    torch.save(contents(torch), tmp_path / "t.pt", pickle_protocol=protocol)
    assert_same(contents(torch), tg.load(tmp_path / "t.pt"))


def test_numpy_scalars_become_numbers(tmp_path):
    np = pytest.importorskip("numpy")
    tg.save({"best": np.float64(0.5), "n": np.int32(3), "flag": np.bool_(True)}, tmp_path / "t.pt")
    assert torch.load(tmp_path / "t.pt") == tg.load(tmp_path / "t.pt") == {"best": 0.5, "n": 3, "flag": True}
    torch.save({"best": np.float64(0.5)}, tmp_path / "t.pt")
    assert tg.load(tmp_path / "t.pt") == {"best": 0.5}


def test_safetensors_both_ways(tmp_path):
    theirs = pytest.importorskip("safetensors.torch")
    tensors = {k: v for k, v in contents(tg)["dtypes"].items()}
    tg.save(tensors, tmp_path / "x.safetensors")
    assert_same(tensors, {k: v for k, v in sorted(theirs.load_file(tmp_path / "x.safetensors").items(), key=lambda e: list(tensors).index(e[0]))})
    theirs.save_file(contents(torch)["dtypes"], tmp_path / "y.safetensors")
    back = tg.load(tmp_path / "y.safetensors")
    assert_same(tensors, {k: back[k] for k in tensors})
