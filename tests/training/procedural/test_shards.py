from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.core.camera import FFHQ_FOCAL, Camera, intrinsics_of
from mien.core.errors import InputError
from mien.morphable.model import load_head_model
from mien.morphable.raster import cast_rays, interpolate_corners
from mien.training.procedural.shards import (
    BODY,
    EMPTY,
    UNIT,
    ShardConfig,
    build_shards,
    draw_shard,
    read_shard,
    shards_in,
)

SHARDS = ShardConfig(heads=5, views=2, size_px=64, map_size=512, seed=11)


def test_a_head_is_drawn_from_its_number(shard_files: list[Path]) -> None:
    stored = read_shard(shard_files[3])
    again = draw_shard(SHARDS, 3)
    assert stored.labels == again.labels
    for name, values in again.arrays.items():
        np.testing.assert_array_equal(stored.arrays[name], values, err_msg=name)


def test_pixels_know_where_they_lie_on_the_body(shard_files: list[Path]) -> None:
    """Plane coordinates are those of the ray that a camera of the file sends through the pixel."""
    import torch

    model = load_head_model()
    arrays = read_shard(shard_files[0]).arrays
    camera = Camera(torch.from_numpy(arrays["camera"][0]), intrinsics_of(FFHQ_FOCAL))
    rays = camera.rays(64, 64)
    identity, expression = (torch.from_numpy(a) for a in (arrays["identity"], arrays["expression"][0]))
    vertices = model.vertices(identity, expression).numpy()
    hits = cast_rays(
        vertices, model.faces_np, rays.origins.reshape(-1, 3).numpy(), rays.directions.reshape(-1, 3).numpy()
    )
    expected = interpolate_corners(model.canonical_corners.numpy(), hits)[:, :2]
    body = (arrays["kind"][0] == BODY) & hits.hit
    assert body.sum() > 300
    apart = np.abs(arrays["uv"][0][body] / UNIT - expected[body]).max(1)
    assert np.mean(apart < 0.02) > 0.97  # lids, lips and teeth are pushed and may differ


def test_views_show_the_person(shard_files: list[Path]) -> None:
    for path in shard_files:
        a = read_shard(path).arrays
        assert (a["kind"] == EMPTY).mean() > 0.1
        assert (a["kind"] == BODY).mean() > 0.15
        assert (a["rgb"] <= a["alpha"][..., None]).all()  # premultiplied
        assert a["height"].min() >= -0.081
        assert (a["opacity"] > 0).any() or read_shard(path).labels["hair.family"] == "bald"


def test_an_interrupted_set_goes_on_and_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def draw(config: ShardConfig, index: int):  # type: ignore[no-untyped-def]
        from mien.training.procedural.shards import HeadShard

        drawn.append(index)
        if len(drawn) == 3:
            raise KeyboardInterrupt
        return HeadShard({"body": np.full((2, 2), index, np.uint8)}, {"number": index})

    monkeypatch.setattr("mien.training.procedural.shards.draw_shard", draw)
    config = ShardConfig(heads=4)
    with pytest.raises(KeyboardInterrupt):
        build_shards(tmp_path, config)
    assert [p.name for p in shards_in(tmp_path)] == ["000000.safetensors", "000001.safetensors"]
    build_shards(tmp_path, config)
    build_shards(tmp_path, replace(config, heads=6))
    assert drawn == [0, 1, 2, 2, 3, 4, 5]
    assert [read_shard(p).labels["number"] for p in shards_in(tmp_path)] == list(range(6))
    with pytest.raises(InputError, match="other settings"):
        build_shards(tmp_path, replace(config, seed=1))


def test_what_is_no_head_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no procedural heads"):
        shards_in(tmp_path)
    broken = tmp_path / "000000.safetensors"
    broken.write_bytes(b"nothing")
    with pytest.raises(InputError, match="no file of a procedural head"):
        read_shard(broken)
