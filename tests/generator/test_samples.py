import math
from pathlib import Path

import numpy as np
import pytest
import torch

from mien.apps.cli import run
from mien.core.camera import Camera
from mien.generator.model import Generator, save_generator
from mien.generator.samples import (
    GAP_PX,
    RENDER_PX,
    join_pictures,
    normal_picture,
    random_heads,
    still_head,
    surface_normals,
)
from mien.io.images import read_photo
from mien.morphable.model import MorphableModel


def test_normals_of_a_sphere() -> None:
    camera, radius = Camera.orbit(0.5, 0.2), 0.25
    rays = camera.rays(96, 96)
    along = -(rays.origins * rays.directions).sum(-1)
    nearest = (rays.origins + along[..., None] * rays.directions).norm(dim=-1)
    hit = nearest < radius
    depth = torch.where(hit, along - (radius**2 - nearest**2).clamp(min=0).sqrt(), torch.zeros(96, 96))
    found = surface_normals(depth, camera)
    expected = (rays.origins + depth[..., None] * rays.directions) / radius
    inner = nearest < 0.8 * radius
    assert ((found * expected).sum(-1)[inner] > 0.995).all()
    assert (found[~hit] == 0).all()


def test_heads_depend_on_their_seed_only(generator: Generator, model: MorphableModel) -> None:
    three, five = (random_heads(generator, model, n, seed=7) for n in (3, 5))
    for a, b in zip(three, five[:3], strict=True):
        assert torch.equal(a.w, b.w)
        assert torch.equal(a.identity, b.identity)
    other = random_heads(generator, model, 1, seed=8)[0]
    assert not torch.equal(other.w, three[0].w)
    assert not torch.equal(three[0].w, three[1].w)
    average = random_heads(generator, model, 1, truncation=0.0)[0]
    assert torch.equal(average.w, generator.mapping.w_avg)


def test_pictures_of_a_head(known, model: MorphableModel) -> None:  # type: ignore[no-untyped-def]
    still = still_head(known.generator, model, torch.zeros(model.component_count), known.codes[0])
    camera = Camera.orbit(math.radians(20), 0.0)
    out = still.view(camera, 48)
    assert still.picture(camera, 48).shape == (4, 96, 96)
    shown = normal_picture(out, camera)
    forehead = shown[20, 24]
    assert forehead[2] > 0.6  # towards the viewer
    assert (shown[out.alpha == 0] == 0).all()


def test_join_pictures() -> None:
    sheet = join_pictures([[np.zeros((5, 7, 3), np.uint8)] * 3] * 2)
    assert sheet.shape == (2 * (5 + GAP_PX) + GAP_PX, 3 * (7 + GAP_PX) + GAP_PX, 3)
    assert (sheet[:GAP_PX] == 255).all()
    assert (sheet == 0).all(-1).sum() == 6 * 35


def test_sample_command(known, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    weights, sheet = tmp_path / "g.safetensors", tmp_path / "sheet.png"
    save_generator(weights, known.generator)
    assert run(["sample", "-o", str(sheet), "--count", "1", "--model", str(weights)]) == 0
    assert read_photo(sheet).rgb.shape[0] == 2 * RENDER_PX + 2 * GAP_PX
    assert run(["sample", "-o", str(tmp_path / "no.png"), "--model", str(tmp_path / "no.safetensors")]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert not (tmp_path / "no.png").exists()
