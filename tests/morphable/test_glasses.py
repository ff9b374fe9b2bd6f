"""Glasses as geometry: mirrored, before the face, on the ears; and the strip in which they are looked for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mien.core.camera import Camera
from mien.core.checkpoint import write_safetensors
from mien.core.errors import CheckpointError
from mien.morphable.eyecrop import (
    STRIP_PX,
    cut_strip,
    eye_crop,
    photo_from_strip,
    seen_points,
    strip_from_photo,
)
from mien.morphable.glasses import (
    MM,
    PARTS,
    Frame,
    eye_middles,
    front_z,
    glasses_geometry,
    lifted,
    superellipse,
)
from mien.morphable.glassesnet import CLASSES, KIND, read_glasses_net
from mien.morphable.landmarks import landmark_model
from mien.morphable.model import MorphableModel
from mien.morphable.partsnet import PartsNet, PartsNetConfig, save_parts_net

PHOTO = (300, 280)
SMALL = PartsNetConfig(widths=(8, 8, 8))


@pytest.fixture(scope="module")
def marks(model: MorphableModel) -> np.ndarray:
    return model.landmarks(model.mean).double().numpy()


@pytest.fixture(scope="module")
def frame(marks: np.ndarray) -> Frame:
    middles = eye_middles(marks)
    middles[:, 0] = np.sign(middles[:, 0]) * 0.066
    middles[:, 1:] = middles[:, 1:].mean(0)
    middles[:, 2] = front_z(marks, 3 * MM)
    return Frame(superellipse(25 * MM, 18 * MM, 3.0), middles, 3 * MM)


@pytest.mark.parametrize("power", [2.0, 4.0])
def test_an_outline_meets_its_equation_and_lifts_only_its_upper_half(power: float) -> None:
    outline = superellipse(2.0, 1.0, power)
    total = np.abs(outline[:, 0] / 2) ** power + np.abs(outline[:, 1]) ** power
    np.testing.assert_allclose(total, 1, rtol=1e-9)
    raised = lifted(outline, 0.3)
    low = outline[:, 1] <= 0
    np.testing.assert_array_equal(raised[low], outline[low])
    assert raised[:, 1].max() > outline[:, 1].max()
    assert raised[raised[:, 1].argmax(), 0] > 0


def test_the_two_rims_are_mirror_images_and_roll_keeps_their_shape(frame: Frame) -> None:
    right, left = frame.rim(0), frame.rim(1)
    np.testing.assert_allclose(right * [-1, 1, 1], left, atol=1e-12)
    rolled = replace(frame, roll_rad=0.1)
    turned = [rolled.rim(index) for index in range(2)]
    for one, other in ((right, turned[0]), (left, turned[1])):
        size, same = (np.linalg.norm(np.diff(p[:, :2], axis=0), axis=1) for p in (one, other))
        np.testing.assert_allclose(size, same, atol=1e-12)
    assert (turned[1][:, 1] - left[:, 1]).mean() > 0.005  # counter-clockwise: what is on the right goes up


def test_a_frame_stands_before_the_face_and_its_arms_reach_the_ears(
    model: MorphableModel, marks: np.ndarray, frame: Frame
) -> None:
    geometry = glasses_geometry(model, model.mean.double().numpy(), marks, frame)
    assert geometry.faces.max() < len(geometry.vertices)
    front = geometry.vertices[np.unique(geometry.faces[geometry.part == PARTS.index("rim")])]
    arms = geometry.vertices[np.unique(geometry.faces[geometry.part == PARTS.index("arm")])]
    assert (front[:, 2] > eye_middles(marks)[:, 2].max() - 0.005).all()
    assert arms[:, 2].min() < marks[127, 2] - 0.05
    assert set(np.sign(arms[:, 0])) == {-1.0, 1.0}
    assert geometry.is_lens.sum() == (geometry.part == PARTS.index("lens")).sum() > 0


@pytest.mark.parametrize("yaw", [-0.6, 0.0, 0.5])
def test_the_strip_holds_the_eyes_upright_wherever_they_are(model: MorphableModel, yaw: float) -> None:
    points = seen_points(Camera.orbit(yaw, 0.1), model.landmarks(model.mean), PHOTO)
    turn = torch.tensor([[0.9, -0.436, 0.0], [0.436, 0.9, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    rolled = points @ turn.T + points.new_tensor([40.0, -20.0, 0.0])
    places = []
    for seen in (points, rolled):
        crop = eye_crop(seen, landmark_model(model))
        strip = strip_from_photo(seen[:, :2], crop)
        torch.testing.assert_close(photo_from_strip(strip, crop), seen[:, :2])
        places.append(strip)
    torch.testing.assert_close(places[0], places[1], atol=0.3, rtol=0)
    eyes = places[0][[33, 133, 263, 362]]
    assert ((eyes > 0) & (eyes < eyes.new_tensor([STRIP_PX[1], STRIP_PX[0]]))).all()
    assert abs(float(eyes[:, 1].mean()) - STRIP_PX[0] / 2) < 6


def test_the_strip_shows_what_the_photo_has_there(model: MorphableModel) -> None:
    points = seen_points(Camera.orbit(0.2, 0.0), model.landmarks(model.mean), PHOTO)
    crop = eye_crop(points, landmark_model(model))
    y, x = np.mgrid[: PHOTO[1], : PHOTO[0]]
    ramp = np.repeat((40 + 0.5 * x + 0.2 * y)[..., None], 3, 2).astype(np.uint8)
    strip = cut_strip(ramp, crop)
    assert strip.shape == (3, *STRIP_PX)
    rows, columns = torch.meshgrid(torch.arange(STRIP_PX[0]), torch.arange(STRIP_PX[1]), indexing="ij")
    centres = torch.stack([columns, rows], -1).view(-1, 2).double() + 0.5
    px = photo_from_strip(centres, crop) - 0.5
    expected = 40 + 0.5 * px[:, 0] + 0.2 * px[:, 1]
    assert float((strip[0].flatten() * 255 - expected).abs().mean()) < 1.0
    wide = cut_strip(ramp, crop, beyond_px=8)
    torch.testing.assert_close(wide[:, 8:-8, 8:-8], strip, atol=2 / 255, rtol=0)


def test_a_network_is_the_same_once_read(tmp_path: Path) -> None:
    path = tmp_path / "finder.safetensors"
    torch.manual_seed(0)
    network = PartsNet(SMALL, CLASSES)
    network.train()(torch.rand(4, 3, *STRIP_PX))  # so that the norms know something
    network.fold()
    save_parts_net(path, network, KIND)
    strips = torch.rand(2, 3, *STRIP_PX)
    own, read = network(strips), read_glasses_net(path)(strips)
    assert own.parts.shape == (2, CLASSES, *STRIP_PX)
    torch.testing.assert_close(own.parts, read.parts, atol=0.02, rtol=0.02)
    torch.testing.assert_close(own.worn, read.worn, atol=0.02, rtol=0.02)


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "finder.safetensors"
    write_safetensors(path, {"x": torch.zeros(1)}, {"kind": KIND, "network": {"depth": [3]}})
    with pytest.raises(CheckpointError, match="does not say what network it holds"):
        read_glasses_net(path)
    torch.manual_seed(0)
    broken = PartsNet(SMALL, CLASSES).fold()
    broken.parts.weight.data[0] = torch.nan
    save_parts_net(path, broken, KIND)
    with pytest.raises(CheckpointError, match="not finite"):
        read_glasses_net(path)
