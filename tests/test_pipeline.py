import json
from pathlib import Path

import pytest
import torch

from mien.apps.cli import run
from mien.core.assets import asset_path, sha256_of_file
from mien.core.checkpoint import read_safetensors
from mien.generator.model import MIEN_BASE
from mien.inversion.avatar import load_avatar, save_avatar
from mien.io.images import read_photo
from mien.pipeline import AvatarOptions, create_avatar, describe, open_avatar


def test_the_same_photo_and_seed_give_the_same_avatar(
    portrait_file: Path, avatar_file: Path, tmp_path: Path
) -> None:
    """The first run went through the command line, see the fixture."""
    stages: list[tuple[str, float]] = []
    again = create_avatar(
        read_photo(portrait_file),
        AvatarOptions(size_px=256, probes=6),
        report=lambda s, x: stages.append((s, x)),
    )
    save_avatar(tmp_path / "again.mien", again)
    one, other = (read_safetensors(path, kind="avatar") for path in (avatar_file, tmp_path / "again.mien"))
    assert one.tensors.keys() == other.tensors.keys()
    for name, tensor in one.tensors.items():
        assert torch.equal(tensor, other.tensors[name]), name
    assert one.header == other.header
    shares = [share for _, share in stages]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)


def test_an_avatar_tells_where_it_comes_from(avatar_file: Path, portrait_file: Path) -> None:
    facts = describe(load_avatar(avatar_file))
    assert facts["provenance: photo"] == portrait_file.name
    assert facts["provenance: photo_sha256"] == sha256_of_file(portrait_file)
    assert facts["provenance: generator_sha256"] == sha256_of_file(asset_path(MIEN_BASE))
    assert facts["provenance: seed"] == 0
    assert facts["working size"] == "256 x 256 px"


def test_info_prints_it(avatar_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", str(avatar_file)]) == 0
    assert "provenance: photo_sha256" in capsys.readouterr().out
    assert run(["info", str(avatar_file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["working size"] == "256 x 256 px"


def test_an_avatar_file_is_opened_as_it_is(avatar_file: Path) -> None:
    avatar = open_avatar(avatar_file)
    assert torch.equal(avatar.photo, load_avatar(avatar_file).photo)
    assert avatar.photo.shape == (256, 256, 3)
