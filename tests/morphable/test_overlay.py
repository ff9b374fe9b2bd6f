"""The overlay picture and the report."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from skimage.data import astronaut
from tests.morphable.conftest import IMAGE_PX, KnownHead

from mien.apps.cli import run
from mien.core.arkit import ARKIT_NAMES
from mien.io.images import write_image
from mien.morphable.fit import FitConfig, fit_face
from mien.morphable.model import MorphableModel
from mien.morphable.overlay import OverlayConfig, draw_overlay, shade
from mien.tracking.faces import FaceObservation

Heads = Callable[[int, int], list[KnownHead]]


def test_the_mesh_covers_the_face_and_not_the_corners(
    model: MorphableModel,
    known_heads: Heads,
    exact_observation: Callable[..., FaceObservation],
    render: Callable[[KnownHead], np.ndarray],
) -> None:
    head = known_heads(5, 1)[0]
    photo, face = render(head), exact_observation(head)
    fit = fit_face(face, (IMAGE_PX, IMAGE_PX), model=model, config=FitConfig(encoder=False))
    _, seen = shade(fit, model, fit.photo_camera(IMAGE_PX, IMAGE_PX), (IMAGE_PX, IMAGE_PX))
    silhouette = (photo != photo[0, 0]).any(-1)
    assert (seen & silhouette).sum() > 0.95 * (seen | silhouette).sum()
    picture = draw_overlay(photo, fit, model, detected_px=face.landmarks_px)
    assert picture.shape == photo.shape
    assert (picture[~seen & ~silhouette] == photo[~seen & ~silhouette]).mean() > 0.95
    small = draw_overlay(photo, fit, model, config=OverlayConfig(longest_side_px=128))
    assert small.shape == (128, 128, 3)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "astronaut.png"
    write_image(path, astronaut())
    return path


def test_fit_command_writes_picture_and_numbers(photo: Path, tmp_path: Path) -> None:
    picture, numbers = tmp_path / "overlay.png", tmp_path / "fit.json"
    assert run(["fit", str(photo), "-o", str(picture), "--json", str(numbers)]) == 0
    assert picture.stat().st_size > 10_000
    report = json.loads(numbers.read_text(encoding="utf-8"))
    assert report["format"] == "mien-fit"
    assert tuple(report["expression"]) == ARKIT_NAMES
    assert report["residual"] < 0.015
    assert report["expression"]["mouthSmileLeft"] > 0.4
    assert np.array(report["landmarks_px"]).shape == (478, 2)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{photo}", "-o", "{tmp}/x.png", "--json", "{tmp}/x.txt"], "expected .json"),
        (["{photo}", "-o", "{tmp}/x.xyz", "--json", "{tmp}/x.json"], "suffix"),
        (["{photo}", "-o", "{photo}"], "overwritten"),
        (["{photo}", "-o", "{tmp}/x.png", "--face", "7"], "Face number 7"),
        (["{grey}", "-o", "{tmp}/x.png", "--json", "{tmp}/x.json"], "No face was found"),
        (["{tmp}/missing.png", "-o", "{tmp}/x.png"], "cannot be opened"),
    ],
)
def test_bad_input_is_one_sentence_and_no_file(
    arguments: list[str], sentence: str, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grey = tmp_path / "grey.png"
    write_image(grey, np.full((200, 200, 3), 128, np.uint8))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    filled = [a.format(photo=photo, tmp=tmp_path, grey=grey) for a in arguments]
    assert run(["fit", *filled]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
