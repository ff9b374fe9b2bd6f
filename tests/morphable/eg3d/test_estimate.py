"""The estimate on heads of known pose, and what it must not depend on."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch
from tests.morphable.conftest import KnownHead

from mien.core.errors import NoFaceError
from mien.core.viewpoint import ViewAngles
from mien.morphable.eg3d.alignment import Eg3dAlignment
from mien.morphable.eg3d.estimate import OPENCV, AlignConfig, Aligner
from mien.morphable.model import MorphableModel

Align = Callable[[np.ndarray], Eg3dAlignment]


def degrees(angles: ViewAngles) -> np.ndarray:
    return np.degrees([angles.yaw_rad, angles.pitch_rad, angles.roll_rad])


def corners(alignment: Eg3dAlignment) -> np.ndarray:
    """The crop's corners in the photo, in crop pixels."""
    return alignment.photo_from_crop(np.array([[0.0, 0.0], [512.0, 512.0]]))


@pytest.mark.parametrize(
    "A", [[[1.7, 0, 0], [0, 1.7, 0]], [[0.6, 0, 37.3], [0, 0.6, 61.8]], [[1, 0, 200], [0, 1, 80]]],
    ids=["larger", "smaller", "padded"],
)  # fmt: skip
def test_scaled_and_shifted_photos_give_the_same_crop(
    A: list[list[float]], astronaut: np.ndarray, alignment: Eg3dAlignment, align: Align
) -> None:
    M = np.array(A, dtype=np.float64)
    centres = M.copy()
    centres[:, 2] += (M[0, 0] - 1) / 2
    size = (round(512 * M[0, 0] + M[0, 2]), round(512 * M[1, 1] + M[1, 2]))
    flags = cv2.INTER_AREA if M[0, 0] < 1 else cv2.INTER_LINEAR
    photo = cv2.warpAffine(astronaut, centres, size, flags=flags, borderValue=(128, 128, 128))
    moved = align(photo)
    back = (corners(moved) - M[:, 2]) / M[0, 0]
    off_px = np.abs(back - corners(alignment)) * 512 / alignment.crop.side_px
    assert off_px.max() < 1.5  # of the crop's 512
    np.testing.assert_allclose(degrees(moved.angles), degrees(alignment.angles), atol=1.0)


def test_a_mirrored_photo_has_the_mirrored_camera(
    astronaut: np.ndarray, alignment: Eg3dAlignment, align: Align
) -> None:
    flipped = align(np.ascontiguousarray(astronaut[:, ::-1]))
    label, expected = flipped.camera.to_label(), alignment.camera.mirrored().to_label()
    torch.testing.assert_close(label, expected, atol=0.03, rtol=0)
    assert flipped.crop.centre_x_px == pytest.approx(512 - alignment.crop.centre_x_px, abs=0.5)
    assert flipped.crop.side_px == pytest.approx(alignment.crop.side_px, rel=0.01)


@pytest.mark.parametrize("turn_deg", [-35, 50, 180])
def test_a_turned_photo_has_another_roll_only(
    turn_deg: int, astronaut: np.ndarray, alignment: Eg3dAlignment, align: Align
) -> None:
    face = tuple(float(t) for t in (alignment.crop.centre_x_px, alignment.crop.centre_y_px))
    A = cv2.getRotationMatrix2D(face, turn_deg, 1.0)
    A[:, 2] += 256 - np.array(face)
    turned = align(cv2.warpAffine(astronaut, A, (512, 512), borderValue=(128, 128, 128)))
    change = (degrees(turned.angles) - degrees(alignment.angles) + 180) % 360 - 180
    np.testing.assert_allclose(np.abs(change), [0, 0, abs(turn_deg)], atol=2.0)
    if abs(turn_deg) < 180:
        assert np.sign(change[2]) == np.sign(turn_deg)


def test_rendered_heads(
    known_heads: Callable[[int, int], list[KnownHead]], render: Callable[[KnownHead], np.ndarray],
    model: MorphableModel,
) -> None:  # fmt: skip
    errors = []
    with Aligner(model) as aligner:
        for head in known_heads(5, 8):
            truth = ViewAngles.of(head.R_camera_head.double().T @ OPENCV)
            errors.append(degrees(aligner.align(render(head)).angles) - degrees(truth))
    assert (np.abs(errors).mean(0) < 4).all(), np.round(errors, 1)


def test_the_pitch_response_is_taken_back(
    astronaut: np.ndarray, alignment: Eg3dAlignment, model: MorphableModel
) -> None:
    with Aligner(model, AlignConfig(pitch_response=1.0, outside="black")) as aligner:
        plain = aligner.align(astronaut)
    assert alignment.angles.pitch_rad == pytest.approx(plain.angles.pitch_rad / 0.85)
    assert alignment.angles.yaw_rad == plain.angles.yaw_rad
    assert (plain.image[:40] == 0).all() == (plain.crop.corner_px[1] < -20)


def test_no_face_is_an_error(align: Align) -> None:
    with pytest.raises(NoFaceError, match="No face was found"):
        align(np.full((200, 200, 3), 128, np.uint8))
