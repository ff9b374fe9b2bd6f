"""The avatar file; what a wrong one is told is in tests/apps/test_bad_input.py."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.inversion.conftest import PHOTO_PX, Inverted

from mien.core.checkpoint import read_safetensors, write_safetensors
from mien.core.errors import CheckpointError
from mien.inversion.avatar import KIND, VERTICES, Avatar, frame_size, load_avatar, save_avatar


@pytest.fixture(scope="module")
def avatar(inverted: Inverted) -> Avatar:
    portrait = inverted.portrait
    rgb = torch.from_numpy(portrait.rgb)
    return Avatar(
        inversion=inverted.inversion,
        fit=replace(portrait.fit, residual=0.25, torso=torch.linspace(0, 1, VERTICES)[:, None].expand(-1, 3)),
        photo=rgb,
        alpha=torch.from_numpy((portrait.alpha * 255).astype("uint8")),
        plate=rgb // 2,
        background=rgb // 3,
        response_values=torch.linspace(0, 1, 5).expand(52, 5).contiguous(),
        response_crosstalk=torch.zeros(52, 52),
        provenance={"photo": "é.png", "seed": 0},
        chest=rgb[..., 0] // 2,
    )


def test_what_is_saved_is_loaded(avatar: Avatar, tmp_path: Path) -> None:
    path = tmp_path / "face.mien"
    save_avatar(path, avatar)
    loaded = load_avatar(path)
    assert frame_size(loaded) == (PHOTO_PX, PHOTO_PX)
    assert loaded.provenance == avatar.provenance
    assert loaded.fit.crop == avatar.fit.crop
    assert loaded.fit.residual == 0.25
    for name in ("photo", "alpha", "plate", "background", "chest", "response_values", "response_crosstalk"):
        assert torch.equal(getattr(loaded, name), getattr(avatar, name))
    for name in ("identity", "expression", "R_camera_head", "landmarks_px", "torso"):
        assert torch.equal(getattr(loaded.fit, name), getattr(avatar.fit, name))
    torch.testing.assert_close(loaded.fit.camera.T_world_camera, avatar.fit.camera.T_world_camera)
    assert torch.equal(loaded.inversion.w, avatar.inversion.w)
    assert torch.equal(loaded.inversion.hair_height, avatar.inversion.hair_height)
    torch.testing.assert_close(loaded.inversion.residual, avatar.inversion.residual, atol=4e-3, rtol=2e-3)


def test_a_file_of_an_earlier_version_has_no_chest(avatar: Avatar, tmp_path: Path) -> None:
    save_avatar(tmp_path / "face.mien", replace(avatar, chest=None))
    assert "chest" not in read_safetensors(tmp_path / "face.mien", kind=KIND).tensors
    assert load_avatar(tmp_path / "face.mien").chest is None


def test_a_head_has_a_beard_or_none(avatar: Avatar, tmp_path: Path) -> None:
    tips = torch.linspace(0, 0.01, VERTICES)[:, None].expand(-1, 3).contiguous()
    for beard in (None, tips):
        save_avatar(tmp_path / "face.mien", replace(avatar, fit=replace(avatar.fit, beard=beard)))
        assert ("beard" in read_safetensors(tmp_path / "face.mien", kind=KIND).tensors) == (beard is not None)
        loaded = load_avatar(tmp_path / "face.mien").fit.beard
        if loaded is None or beard is None:
            assert loaded is beard
        else:
            assert torch.equal(loaded, beard)
    tensors = read_safetensors(tmp_path / "face.mien", kind=KIND).tensors
    write_safetensors(tmp_path / "bad.mien", tensors | {"beard": tips[:10]}, {"kind": KIND, "provenance": {}})
    with pytest.raises(CheckpointError, match="beard"):
        load_avatar(tmp_path / "bad.mien")


def test_hair_has_a_density_or_none(avatar: Avatar, tmp_path: Path) -> None:
    thin = torch.linspace(0, 1, 128 * 128).view(128, 128)
    for density in (None, thin):
        inversion = replace(avatar.inversion, hair_density=density)
        save_avatar(tmp_path / "face.mien", replace(avatar, inversion=inversion))
        loaded = load_avatar(tmp_path / "face.mien").inversion.hair_density
        if loaded is None or density is None:
            assert loaded is density
        else:
            assert torch.equal(loaded, density)


def test_saving_twice_gives_the_same_bytes(avatar: Avatar, tmp_path: Path) -> None:
    for name in ("a.mien", "b.mien"):
        save_avatar(tmp_path / name, avatar)
    assert (tmp_path / "a.mien").read_bytes() == (tmp_path / "b.mien").read_bytes()
    save_avatar(tmp_path / "b.mien", load_avatar(tmp_path / "a.mien"))
    assert (tmp_path / "a.mien").read_bytes() == (tmp_path / "b.mien").read_bytes()


def test_a_file_without_provenance_is_refused(avatar: Avatar, tmp_path: Path) -> None:
    path = tmp_path / "face.mien"
    save_avatar(path, avatar)
    write_safetensors(path, read_safetensors(path, kind=KIND).tensors, {"kind": KIND})
    with pytest.raises(CheckpointError, match="has no provenance"):
        load_avatar(path)


def test_a_file_without_a_torso_shows_the_bare_head(avatar: Avatar, tmp_path: Path) -> None:
    path = tmp_path / "face.mien"
    save_avatar(path, avatar)
    checkpoint = read_safetensors(path, kind=KIND)
    del checkpoint.tensors["torso"]
    write_safetensors(path, checkpoint.tensors, checkpoint.header)
    assert not load_avatar(path).fit.torso.any()
