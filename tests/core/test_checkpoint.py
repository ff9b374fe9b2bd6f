from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from mien.core.checkpoint import read_header, read_safetensors, require_keys, write_safetensors
from mien.core.errors import CheckpointError

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=5,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(header=st.dictionaries(st.sampled_from(["a", "fit", "näme"]), json_values))
def test_header_round_trip(tmp_path: Path, header: dict[str, Any]) -> None:
    write_safetensors(tmp_path / "x.mien", {"t": torch.ones(1)}, {**header, "kind": "avatar"})
    expected = {**header, "kind": "avatar", "format": "mien", "version": 1}
    assert read_header(tmp_path / "x.mien") == expected
    assert read_safetensors(tmp_path / "x.mien", kind="avatar").header == expected


def test_tensors_round_trip_also_views_and_shared_memory(tmp_path: Path) -> None:
    base = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    tensors = {
        "base": base,
        "same": base,
        "view": base.T,
        "part": base[1:, ::2],
        "half": base.half(),
        "int": base.long(),
        "scalar": torch.tensor(3.0, requires_grad=True),
        "empty": torch.zeros(0, 3),
    }
    write_safetensors(tmp_path / "x.mien", tensors, {"kind": "k"})
    read = read_safetensors(tmp_path / "x.mien", kind="k").tensors
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(read[name], tensor), name
        assert read[name].dtype == tensor.dtype


def test_same_contents_give_the_same_bytes(tmp_path: Path) -> None:
    tensors = {"b": torch.ones(3), "a": torch.zeros(2)}
    write_safetensors(tmp_path / "1", tensors, {"kind": "k", "x": 1, "y": 2})
    write_safetensors(tmp_path / "2", dict(reversed(tensors.items())), {"y": 2, "x": 1, "kind": "k"})
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_wrong_kind(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "x.mien", {}, {"kind": "avatar"})
    with pytest.raises(CheckpointError, match="of kind 'avatar', but 'generator' is needed"):
        read_safetensors(tmp_path / "x.mien", kind="generator")


@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01.", b"text, not tensors" * 9, b"\xff" * 64])
def test_a_file_of_another_kind(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        read_safetensors(tmp_path / "x", kind="k")


def test_a_truncated_file(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "x", {"t": torch.ones(100)}, {"kind": "k"})
    (tmp_path / "x").write_bytes((tmp_path / "x").read_bytes()[:-10])
    with pytest.raises(CheckpointError, match="it is damaged or of another kind"):
        read_safetensors(tmp_path / "x", kind="k")


def test_missing_or_foreign(tmp_path: Path) -> None:
    for path in (tmp_path / "gone", tmp_path):
        with pytest.raises(CheckpointError, match="does not exist or is not a file"):
            read_header(path)
    save_file({"t": torch.ones(1)}, tmp_path / "foreign")
    with pytest.raises(CheckpointError, match="without mien's header"):
        read_header(tmp_path / "foreign")


def test_newer_version(tmp_path: Path) -> None:
    header = '{"format": "mien", "kind": "k", "version": 99}'
    save_file({"t": torch.ones(1)}, tmp_path / "x", metadata={"mien": header})
    with pytest.raises(CheckpointError, match="version 99, and this mien reads up to 1; install a newer"):
        read_header(tmp_path / "x")


def test_header_needs_a_kind_and_no_file_is_left(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs a `kind`"):
        write_safetensors(tmp_path / "x", {}, {})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_safetensors(tmp_path / "x", {}, {"kind": "k", "loss": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_require_keys() -> None:
    tensors = {"a": torch.zeros(2, 3), "b": torch.zeros(4)}
    require_keys(tensors, {"a": (2, 3), "b": (None,)})
    with pytest.raises(
        CheckpointError, match=r"missing: c; not expected: b; of another shape: a \(2, 3\) instead"
    ):
        require_keys(tensors, {"a": (2, 4), "c": (1,)})
    with pytest.raises(CheckpointError, match=r"f.mien does not hold .* and 2 more"):
        require_keys({}, {str(i): () for i in range(7)}, source="f.mien")
    with pytest.raises(CheckpointError, match=r"b \(4,\) instead of \(4, 1\)"):
        require_keys(tensors, {"a": (2, 3), "b": (4, 1)})
