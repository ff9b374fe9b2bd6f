"""Crops lie where they say; the image encoder's answers are carried into the photo; its files are checked."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from tests.morphable.conftest import KnownHead
from torch import nn

from mien.core.checkpoint import write_safetensors
from mien.core.errors import CheckpointError
from mien.core.geometry import geodesic_angle
from mien.io.images import read_photo
from mien.morphable import expect as expect_module
from mien.morphable.expect import FitConfig, with_seen_lines
from mien.morphable.facecrop import CROP_UNITS, FaceCrop, crop_for, cut_crop, observed_points
from mien.morphable.fit import fit_face
from mien.morphable.imageencoder import (
    KIND,
    ImageEncoder,
    ImageEncoderConfig,
    ImageNetwork,
    read_image_encoder,
    save_image_encoder,
)
from mien.morphable.landmarks import (
    BROW_LEFT,
    BROW_RIGHT,
    EYELIDS_LEFT,
    EYELIDS_RIGHT,
    IRISES,
    LIPS_INNER,
    LIPS_OUTER,
    landmark_model,
)
from mien.morphable.model import MorphableModel
from mien.tracking.faces import FaceObservation, find_faces

SMALL = ImageEncoderConfig(size_px=64, widths=(4, 6, 8, 8, 8), blocks=(0, 1, 0, 0, 1), places=4, hidden=16)
MOST_BYTES = 9_000_000
MEDIA = Path(__file__).parents[2].parent / "shared" / "media"


@pytest.fixture(scope="module")
def face(known_heads: Callable[[int, int], list[KnownHead]], model: MorphableModel) -> FaceObservation:
    """Points of a head with their depth, as a tracker without error sees them in 512 x 512 pixels."""
    head = known_heads(2, 1)[0]
    xyz = model.landmarks(head.vertices)
    return FaceObservation(
        landmarks_px=head.project_px(xyz).astype(np.float32),
        landmarks_depth=(-(xyz @ head.R_camera_head.T)[:, 2].numpy() * 800).astype(np.float32),
        coefficients=np.full(52, 0.1, np.float32),
        R_camera_head=head.R_camera_head.numpy().astype(np.float32),
        translation_cm=np.zeros(3, np.float32),
        box_px=(0.0, 0.0, 512.0, 512.0),
    )


def random_network(config: ImageEncoderConfig = SMALL, seed: int = 0) -> ImageNetwork:
    """A network of random weights and norms, whose answers depend on the picture."""
    torch.manual_seed(seed)
    network = ImageNetwork(config)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
    nn.init.normal_(network.out.weight, std=0.1)
    return network.eval()


def random_encoder() -> ImageEncoder:
    """An encoder of a random network."""
    out = 55 + SMALL.identity
    return ImageEncoder(random_network().fold(), torch.eye(out).double(), torch.ones(478).double())


def moved(
    face: FaceObservation, angle_rad: float, scale: float, shift_px: tuple[float, float]
) -> FaceObservation:
    """The face turned counter-clockwise as seen, then scaled and shifted."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    turn = np.array([[cos, sin], [-sin, cos]])
    return replace(
        face,
        landmarks_px=(scale * face.landmarks_px @ turn.T + shift_px).astype(np.float32),
        landmarks_depth=face.landmarks_depth * np.float32(scale),
    )


def opening(landmarks_px: np.ndarray) -> float:
    """Gap of the lips over the mouth's width."""
    gap, width = (np.linalg.norm(landmarks_px[a] - landmarks_px[b]) for a, b in ((13, 14), (61, 291)))
    return float(gap / width)


def test_a_crop_follows_its_face(face: FaceObservation, model: MorphableModel) -> None:
    landmarks = landmark_model(model)
    a, b = (
        crop_for(observed_points(f)[None], landmarks) for f in (face, moved(face, 0.5, 2.5, (300.0, -40.0)))
    )
    torch.testing.assert_close(b.side_px, 2.5 * a.side_px)
    torch.testing.assert_close(b.roll_rad, a.roll_rad + 0.5)
    in_crop = [c.from_photo(torch.from_numpy(f.landmarks_px).double()[None]) for c, f in
               ((a, face), (b, moved(face, 0.5, 2.5, (300.0, -40.0))))]  # fmt: skip
    torch.testing.assert_close(in_crop[0], in_crop[1], atol=1e-5, rtol=0)
    torch.testing.assert_close(a.to_photo(in_crop[0])[0].float(), torch.from_numpy(face.landmarks_px))
    width = float(in_crop[0][..., 0].max() - in_crop[0][..., 0].min())
    assert width == pytest.approx(0.27 / CROP_UNITS, rel=0.25)
    assert float(in_crop[0].abs().max()) < 0.5


@pytest.mark.parametrize("side_px", [40.0, 300.0])
def test_a_spot_is_cut_out_where_the_crop_says(side_px: float) -> None:
    rgb, at = np.zeros((400, 500, 3), np.uint8), (290, 180)
    radius = max(1, round(side_px / 40))
    cv2.circle(rgb, at, radius, (255, 255, 255), -1)
    crop = FaceCrop(torch.tensor([[280.0, 185.0]]).double(), torch.tensor([side_px]).double(),
                    torch.tensor([0.6]).double())  # fmt: skip
    cut = cut_crop(rgb, crop, 96)[0, 0]
    y, x = torch.nonzero(cut > 0.5, as_tuple=True)
    spot = torch.stack([x.double().mean(), y.double().mean()]) + 0.5
    expected = crop.from_photo(torch.tensor([[[at[0] + 0.5, at[1] + 0.5]]]).double())[0, 0]
    torch.testing.assert_close(spot / 96 - 0.5, expected, atol=0.01, rtol=0)


def test_beyond_the_picture_its_edge_goes_on() -> None:
    rgb = np.full((50, 50, 3), 200, np.uint8)
    crop = FaceCrop(torch.tensor([[0.0, 25.0]]), torch.tensor([60.0]), torch.tensor([0.3]))
    torch.testing.assert_close(cut_crop(rgb, crop, 32), torch.full((1, 3, 32, 32), 200 / 255))


def test_folded_norms_change_nothing() -> None:
    network, crops = random_network(), torch.rand(2, 3, 64, 64)
    plain = network.requires_grad_(False)(crops)
    folded = network.fold()(crops)
    for name in ("points", "point_log_sd", "turn", "shape", "log_sd"):
        torch.testing.assert_close(getattr(folded, name), getattr(plain, name), atol=1e-4, rtol=1e-4)
    assert float((plain.points[0] - plain.points[1]).abs().max()) > 1e-3
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_a_turned_face_has_a_turned_answer(face: FaceObservation) -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (512, 512, 3), np.uint8)
    rgb = cv2.GaussianBlur(rgb, (0, 0), 12)
    encoder, angle = random_encoder(), 0.35
    other = moved(face, angle, 1.5, (60.0, 200.0))
    A = 1.5 * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    to_other = np.concatenate([A, (A @ [[0.5], [0.5]]) + [[60.0], [200.0]] - 0.5], 1)
    warped = cv2.warpAffine(rgb, to_other, (1200, 1200), flags=cv2.INTER_LINEAR)
    a, b = encoder.encode(rgb, face), encoder.encode(warped, other)
    roll = torch.tensor([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    assert float(geodesic_angle(roll @ a.prior.R_camera_head, b.prior.R_camera_head)) < 2e-3
    expected = a.points_px.numpy() @ A.T + [60.0, 200.0]
    assert float(np.abs(b.points_px.numpy() - expected).max()) < 1.0
    torch.testing.assert_close(a.point_sd, b.point_sd, rtol=0.02, atol=0)
    torch.testing.assert_close(a.prior.identity, b.prior.identity, rtol=0, atol=0.02)


def test_the_fit_holds_on_to_the_encoder_where_the_picture_is_given(
    face: FaceObservation, model: MorphableModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    rgb, size = np.zeros((512, 512, 3), np.uint8), (512, 512)
    encoder = replace(random_encoder(), root=1e4 * torch.eye(135).double())
    monkeypatch.setattr(expect_module, "load_image_encoder", lambda: None)
    without = fit_face(face, size, model=model)
    assert torch.equal(fit_face(face, size, model=model, rgb=rgb).identity, without.identity)
    monkeypatch.setattr(expect_module, "load_image_encoder", lambda: encoder)
    assert torch.equal(fit_face(face, size, model=model).identity, without.identity)
    fit = fit_face(face, size, model=model, rgb=rgb)
    expected = encoder.encode(rgb, face).prior
    torch.testing.assert_close(fit.identity.double(), expected.identity, atol=0.02, rtol=0)
    assert float(geodesic_angle(fit.R_camera_head.double(), expected.R_camera_head)) < 1e-3


def test_lines_of_a_photo_are_the_trackers_and_the_rest_is_the_encoders(face: FaceObservation) -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (512, 512, 3), np.uint8)
    told = random_encoder().encode(rgb, face)
    seen = with_seen_lines(told, face, FitConfig(line_sd=0.001, brow_sd=float("inf")))
    lines = torch.zeros(478, dtype=torch.bool)
    lines[list(LIPS_INNER + LIPS_OUTER + EYELIDS_LEFT + EYELIDS_RIGHT + IRISES)] = True
    tracked = torch.from_numpy(face.landmarks_px).double()
    assert torch.equal(seen.points_px[lines], tracked[lines])
    assert not torch.equal(told.points_px[lines], tracked[lines])
    assert torch.equal(seen.points_px[~lines], told.points_px[~lines])
    assert float((seen.point_sd[lines] - 0.001).abs().max()) < 1e-9
    assert torch.equal(seen.point_sd[~lines], told.point_sd[~lines])
    brows = torch.tensor(BROW_LEFT + BROW_RIGHT)
    assert torch.equal(with_seen_lines(told, face, FitConfig()).points_px[brows], tracked[brows])


@pytest.mark.parametrize("name", ["astronaut.png", "woman_waterfall.jpg"])
def test_lips_of_a_photo_are_open_as_far_as_the_tracker_sees_them(name: str, model: MorphableModel) -> None:
    if not (MEDIA / name).exists():
        pytest.skip(f"{MEDIA / name} is not there")
    rgb = read_photo(MEDIA / name).rgb
    face = find_faces(rgb)[0]
    fit = fit_face(face, (rgb.shape[1], rgb.shape[0]), model=model, rgb=rgb)
    expected = opening(face.landmarks_px)
    assert expected > 0.12
    assert opening(fit.landmarks_px.numpy()) == pytest.approx(expected, abs=0.03)


def test_files_give_back_the_encoder_and_are_small(tmp_path: Path, face: FaceObservation) -> None:
    path = tmp_path / "a.safetensors"
    rgb = np.random.default_rng(0).integers(0, 255, (512, 512, 3), np.uint8)
    encoder = random_encoder()
    save_image_encoder(path, encoder)
    a, b = encoder.encode(rgb, face), read_image_encoder(path).encode(rgb, face)
    torch.testing.assert_close(a.prior.identity, b.prior.identity, atol=0.01, rtol=0.01)
    full = ImageEncoder(ImageNetwork().fold(), torch.eye(135).double(), torch.ones(478).double())
    save_image_encoder(path, full)
    assert path.stat().st_size < MOST_BYTES


@pytest.mark.parametrize("fault", ["missing", "shape", "nan", "kind", "network"])
def test_bad_files_are_refused(tmp_path: Path, fault: str) -> None:
    path, out = tmp_path / "bad.safetensors", 135
    tensors = {f"network.{k}": v.clone() for k, v in random_network().fold().state_dict().items()}
    tensors |= {"root": torch.eye(out), "point_gain": torch.ones(478)}
    header = {k: getattr(SMALL, k) for k in SMALL.__dataclass_fields__}
    if fault == "missing":
        del tensors["root"]
    if fault == "shape":
        tensors["point_gain"] = torch.ones(3)
    if fault == "nan":
        tensors["root"] = torch.full((out, out), torch.nan)
    if fault == "network":
        header["depth"] = 3
    write_safetensors(path, tensors, {"kind": "avatar" if fault == "kind" else KIND, "network": header})
    words = {"missing": "missing: root", "shape": "another shape", "nan": "not finite", "kind": "avatar",
             "network": "what network"}  # fmt: skip
    with pytest.raises(CheckpointError, match=words[fault]):
        read_image_encoder(path)
