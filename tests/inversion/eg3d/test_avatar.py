"""The avatar's file."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mien.core.camera import Camera
from mien.core.checkpoint import read_safetensors, write_safetensors
from mien.core.errors import CheckpointError, MienError
from mien.inversion.eg3d.avatar import (
    KIND,
    Eg3dAvatar,
    MouthKeys,
    Placement,
    check_fits,
    load_eg3d_avatar,
    save_eg3d_avatar,
)
from mien.inversion.eg3d.invert import Eg3dInversion
from mien.morphable.crop import CropRegion


@pytest.fixture
def avatar(camera: Camera) -> Eg3dAvatar:
    random = torch.Generator().manual_seed(0)
    place = Placement(
        camera, 1.4, torch.tensor([0.01, -0.02, 0.03]), CropRegion(12.25, 9.5, 17.125),
        torch.randn(80, generator=random), torch.rand(52, generator=random),
    )  # fmt: skip
    w, residual = (
        torch.randn(1, 512, generator=random),
        torch.randn(1, 3, 32, 16, 16, generator=random).half(),
    )
    pictures = [
        torch.randint(256, shape, generator=random, dtype=torch.uint8)
        for shape in ((20, 24, 3), (20, 24), (20, 24, 3), (20, 24, 3))
    ]
    return Eg3dAvatar(
        Eg3dInversion(w, {"planes": residual}, 0.03),
        place,
        pictures[0],
        pictures[1],
        pictures[2],
        pictures[3],
        {"photo": "a.png"},
    )


def test_key_mouths_are_kept(avatar: Eg3dAvatar, tmp_path: Path) -> None:
    keys = MouthKeys(
        torch.rand(2, 52), torch.randint(256, (2, 8, 8, 3), dtype=torch.uint8),
        torch.randint(256, (2, 8, 8), dtype=torch.uint8),
    )  # fmt: skip
    save_eg3d_avatar(tmp_path / "a.mien", replace(avatar, mouths=keys))
    again = load_eg3d_avatar(tmp_path / "a.mien").mouths
    assert again is not None
    for name in ("expression", "picture", "opening"):
        assert torch.equal(getattr(again, name), getattr(keys, name))
    save_eg3d_avatar(tmp_path / "b.mien", avatar)
    assert load_eg3d_avatar(tmp_path / "b.mien").mouths is None
    found = read_safetensors(tmp_path / "a.mien", kind=KIND)
    for broken in ({"opening": keys.opening[:1]}, {"expression": keys.expression * torch.nan}):
        tensors = dict(found.tensors) | {f"mouths.{n}": t for n, t in broken.items()}
        write_safetensors(tmp_path / "c.mien", tensors, found.header)
        with pytest.raises(CheckpointError, match=r"mouths|opening|shape"):
            load_eg3d_avatar(tmp_path / "c.mien")


def test_round_trip(avatar: Eg3dAvatar, tmp_path: Path) -> None:
    save_eg3d_avatar(tmp_path / "a.mien", avatar)
    again = load_eg3d_avatar(tmp_path / "a.mien")
    assert torch.equal(again.inversion.w, avatar.inversion.w)
    assert torch.equal(again.inversion.tuning["planes"], avatar.inversion.tuning["planes"])
    one, other = again.placement, avatar.placement
    assert torch.equal(one.camera.to_label(), other.camera.to_label())
    assert one.crop == other.crop
    assert one.world_scale == pytest.approx(other.world_scale)
    for name in ("world_shift", "identity", "expression"):
        assert torch.equal(getattr(one, name), getattr(other, name))
    for name in ("photo", "alpha", "plate", "background"):
        assert torch.equal(getattr(again, name), getattr(avatar, name))
    assert again.provenance == avatar.provenance
    save_eg3d_avatar(tmp_path / "b.mien", again)
    assert (tmp_path / "a.mien").read_bytes() == (tmp_path / "b.mien").read_bytes()


def test_world_and_head_are_inverse_and_show_the_same_picture(avatar: Eg3dAvatar) -> None:
    place = avatar.placement
    points = torch.randn((50, 3), generator=torch.Generator().manual_seed(1)) * 0.2
    assert torch.allclose(place.to_head(place.to_world(points)), points, atol=1e-6)
    world, head = place.camera.project(place.to_world(points)), place.head_camera.project(points)
    assert torch.allclose(world.uv, head.uv, atol=1e-5)
    seen = points @ place.R_camera_head.T
    assert torch.allclose(seen[:, 2] - seen[0, 2], head.depth[0] - head.depth, atol=1e-5)


def with_tensor(name: str, value: torch.Tensor | None) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        file = read_safetensors(path, kind=KIND)
        tensors = {k: v for k, v in file.tensors.items() if k != name}
        write_safetensors(path, tensors if value is None else tensors | {name: value}, file.header)

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (with_tensor("w", None), "missing: w"),
        (with_tensor("more", torch.zeros(2)), "not expected: more"),
        (with_tensor("crop", torch.zeros(2)), r"crop \(2,\) instead of \(3,\)"),
        (with_tensor("alpha", torch.zeros(20, 24)), "holds alpha as torch.float32"),
        (with_tensor("tuning.planes", torch.full((1, 3, 32, 16, 16), torch.nan)), "not finite"),
        (with_tensor("label", torch.zeros(25)), "camera matrix"),
        (lambda path: path.write_text("text"), "not a readable safetensors file"),
    ],
    ids=["no_w", "more", "shape", "type", "nan", "camera", "text"],
)
def test_bad_files(change: Callable[[Path], None], sentence: str, avatar: Eg3dAvatar, tmp_path: Path) -> None:
    path = tmp_path / "a.mien"
    save_eg3d_avatar(path, avatar)
    change(path)
    with pytest.raises(MienError, match=sentence):
        load_eg3d_avatar(path)


def test_sizes_of_another_generator_are_named(avatar: Eg3dAvatar) -> None:
    check_fits(avatar, {}, (1, 3, 32, 16, 16))
    with pytest.raises(CheckpointError, match=r"planes has the shape .* is \(1, 3, 32, 8, 8\)"):
        check_fits(avatar, {}, (1, 3, 32, 8, 8))
