from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mien.core.errors import InputError
from mien.io.maps import DEPTH_STEPS, check_folder, write_depth, write_normals


def test_depth_is_kept_to_half_a_step(tmp_path: Path) -> None:
    depth = 2.2 + torch.rand(8, 12, generator=torch.Generator().manual_seed(0))
    depth[0, :5] = 0
    write_depth(tmp_path / "depth.png", depth)
    with Image.open(tmp_path / "depth.png") as file:
        assert file.mode == "I;16"
        found = np.asarray(file).astype(np.float64) / DEPTH_STEPS
    np.testing.assert_allclose(found, depth, atol=0.51 / DEPTH_STEPS)
    assert (found[0, :5] == 0).all()


def test_normals_are_kept_to_a_degree(tmp_path: Path) -> None:
    drawn = torch.randn(8, 12, 3, generator=torch.Generator().manual_seed(0))
    normals = torch.nn.functional.normalize(drawn, dim=-1)
    normals[0, :5] = 0
    write_normals(tmp_path / "normals.png", normals)
    with Image.open(tmp_path / "normals.png") as file:
        bytes_ = np.asarray(file)
    assert (bytes_[0, :5] == 0).all()
    found = bytes_ / 127.5 - 1
    found /= np.linalg.norm(found, axis=-1, keepdims=True)
    cosine = (found * normals.numpy()).sum(-1)
    cosine[0, :5] = 1
    assert np.degrees(np.arccos(cosine.clip(-1, 1))).max() < 1


def test_the_folder_is_checked(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file, but a folder of maps"):
        check_folder(tmp_path / "file")
    with pytest.raises(InputError, match="does not exist"):
        check_folder(tmp_path / "nowhere" / "maps")
    check_folder(tmp_path / "maps")
    check_folder(tmp_path)
