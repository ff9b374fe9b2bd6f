"""The files of one photo's alignment."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mien.core.camera import Camera
from mien.io.images import read_photo
from mien.morphable.eg3d.alignment import Eg3dAlignment
from mien.morphable.eg3d.report import Correction, beside, camera_picture, write_alignment
from mien.morphable.model import MorphableModel


def test_three_files_and_the_users_angles(portrait_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "face.png"
    alignment = write_alignment(portrait_file, output, correction=Correction(yaw_deg=12.0, roll_deg=-7.0))
    json_path, picture_path = beside(output)
    assert {path.name for path in tmp_path.iterdir()} == {"face.png", json_path.name, picture_path.name}
    facts = json.loads(json_path.read_text())
    assert facts["yaw_deg"] == 12
    assert facts["roll_deg"] == -7
    assert facts["pitch_deg"] == facts["estimated"]["pitch_deg"]
    assert facts["estimated"]["yaw_deg"] != 12
    camera = Camera.from_label(torch.tensor(facts["label"]))
    torch.testing.assert_close(camera.to_label(), alignment.camera.to_label(), atol=1e-6, rtol=0)
    A, B = (np.vstack([facts[name], [0, 0, 1]]) for name in ("A_crop_photo", "A_photo_crop"))
    np.testing.assert_allclose(A @ B, np.eye(3), atol=1e-9)
    np.testing.assert_array_equal(read_photo(output).rgb, alignment.image)
    assert read_photo(picture_path).rgb.shape == (512, 3 * 512, 3)


def test_the_picture_shows_a_wrong_angle(alignment: Eg3dAlignment, model: MorphableModel) -> None:
    right, wrong = (camera_picture(a, model) for a in (alignment, alignment.corrected(yaw_rad=0.5)))
    np.testing.assert_array_equal(right[:, :512], wrong[:, :512])
    for part in (slice(512, 1024), slice(1024, 1536)):
        difference = np.abs(right[:, part].astype(int) - wrong[:, part]).max(-1)
        assert (difference > 30).mean() > 0.02


def test_nothing_is_written_without_a_face(tmp_path: Path) -> None:
    from mien.core.errors import NoFaceError
    from mien.io.images import write_image

    write_image(tmp_path / "grey.png", np.full((100, 100, 3), 128, np.uint8))
    with pytest.raises(NoFaceError):
        write_alignment(tmp_path / "grey.png", tmp_path / "out.png")
    assert [path.name for path in tmp_path.iterdir()] == ["grey.png"]
