from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mien.core.assets import BUNDLED_DIR
from mien.core.errors import CheckpointError
from mien.generator.parts.store import ASSET, Parts, height_of, level_of, load_parts, save_parts
from mien.generator.texels import SIZE

from .conftest import LABELS, drawn


def test_heights_come_back_from_levels() -> None:
    height = np.linspace(-0.1, 0.28, 400, dtype=np.float32)
    level = level_of(height)
    assert level.min() == pytest.approx(0, abs=1e-6)
    assert level.max() == pytest.approx(1, abs=1e-6)
    assert (np.diff(level) > 0).all()
    np.testing.assert_allclose(height_of(level), height, atol=1e-6)
    thin = np.array([0.0, 0.02], np.float32)
    step = np.abs(height_of(level_of(thin) + np.float32(1 / 255)) - thin)
    assert step.max() < 0.0015


def test_parts_come_back_from_a_file(parts: Parts, tmp_path: Path) -> None:
    path = tmp_path / "parts.safetensors"
    save_parts(path, parts, {"seed": 1})
    found = load_parts(path)
    assert len(found) == 3
    assert found.labels == LABELS
    part, true = found.part(2), drawn(2)
    assert torch.equal(part.clothed, torch.from_numpy(true.clothed))
    assert (part.height - torch.from_numpy(true.height)).abs().median() < 0.001
    assert (part.share - torch.from_numpy(true.share)).abs().mean() < 0.01
    assert (torch.sigmoid(part.hair).mean() * 255 - true.hair.mean()).abs() < 2
    again = tmp_path / "again.safetensors"
    save_parts(again, parts, {"seed": 1})
    assert again.read_bytes() == path.read_bytes()


def test_files_that_lack_something_are_refused(parts: Parts, tmp_path: Path) -> None:
    files = [dict(files) for files in parts.files]
    del files[1]["hair"]
    lacking, empty = tmp_path / "lacking.safetensors", tmp_path / "empty.safetensors"
    save_parts(lacking, replace(parts, files=files), {})
    with pytest.raises(CheckpointError, match=r"lacks the picture '001\.hair'"):
        load_parts(lacking)
    save_parts(empty, Parts([], []), {})
    with pytest.raises(CheckpointError, match="holds no heads"):
        load_parts(empty)


def test_the_bundled_parts_suit_each_other() -> None:
    parts = load_parts()
    assert (BUNDLED_DIR / ASSET).stat().st_size < 6 * 2**20
    assert {"female", "male"} == {row["sex"] for row in parts.labels}
    assert len({row["hair"] for row in parts.labels}) >= 10
    part = parts.part(len(parts) - 1)
    assert part.body.shape == part.hair.shape == (3, SIZE, SIZE)
    assert part.clothed.shape == (SIZE, SIZE)
    assert part.height.shape == part.share.shape == (SIZE // 2, SIZE // 2)
    assert 0.05 < part.clothed.mean() < 0.5
    lips, chest = part.clothed[round(0.62 * SIZE)], part.clothed[round(0.2 * SIZE)]
    assert lips.sum() == 0
    assert chest.mean() > 0.5
