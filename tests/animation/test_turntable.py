from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.animation.turntable import MapFolders, TurnConfig, write_turn
from mien.core.errors import InputError
from mien.generator.loading import load_model
from mien.generator.people import random_sitter
from mien.io.maps import DEPTH_STEPS
from mien.io.video import VideoReader


def test_the_camera_goes_there_and_back() -> None:
    yaws = np.degrees(TurnConfig(yaw_deg=30.0, seconds=1.0, fps=5).yaws_rad())
    np.testing.assert_allclose(yaws, [-30, 0, 30, 0, -30], atol=1e-9)
    assert len(TurnConfig(seconds=0.01).yaws_rad()) == 2


def test_video_and_maps_have_a_frame_for_each_yaw(ball_file: Path, tmp_path: Path) -> None:
    sitter = random_sitter(load_model(ball_file), size_px=64)
    config = TurnConfig(yaw_deg=20.0, seconds=0.12)
    maps = MapFolders(tmp_path / "depth", tmp_path / "normals")
    count = write_turn(sitter, tmp_path / "turn.mp4", config, maps=maps, show_progress=False)
    assert count == 3
    with VideoReader(tmp_path / "turn.mp4") as reader:
        assert reader.size == (64, 64)
        assert len(list(reader)) == 3
    names = ["0000.png", "0001.png", "0002.png"]
    assert sorted(p.name for p in (tmp_path / "depth").iterdir()) == names
    assert sorted(p.name for p in (tmp_path / "normals").iterdir()) == names
    view = sitter.look(float(config.yaws_rad()[1]))
    with Image.open(tmp_path / "depth" / "0001.png") as file:
        found = np.asarray(file) / DEPTH_STEPS
    np.testing.assert_allclose(found, view.depth.numpy(), atol=1e-4)


def test_folders_are_checked_first(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file"):
        MapFolders(normals=tmp_path / "file").check()
    MapFolders(tmp_path / "new").check()
