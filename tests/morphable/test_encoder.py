"""The geometry encoder: invariances, and files that are none."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.morphable.conftest import KnownHead

from mien.core.checkpoint import write_safetensors
from mien.core.errors import CheckpointError
from mien.core.geometry import geodesic_angle
from mien.morphable.encoder import (
    KIND,
    align,
    load_face_encoder,
    read_encoder,
    save_encoder,
    turned,
    upright,
)
from mien.morphable.fit import FitConfig, fit_face
from mien.morphable.model import MorphableModel
from mien.tracking.faces import FaceObservation

Heads = Callable[[int, int], list[KnownHead]]


@pytest.fixture(scope="module")
def face(model: MorphableModel, known_heads: Heads) -> FaceObservation:
    """Points of a head with their depth, as a tracker without error sees them."""
    head = known_heads(2, 1)[0]
    xyz = model.landmarks(head.vertices)
    points_px = head.project_px(xyz).astype(np.float32)
    depth = -(xyz @ head.R_camera_head.T)[:, 2].numpy() * 800
    return FaceObservation(
        landmarks_px=points_px,
        landmarks_depth=depth.astype(np.float32),
        coefficients=np.full(52, 0.1, np.float32),
        R_camera_head=head.R_camera_head.numpy().astype(np.float32),
        translation_cm=np.zeros(3, np.float32),
        box_px=(0.0, 0.0, 512.0, 512.0),
    )


def test_place_size_and_roll_change_only_the_roll(face: FaceObservation) -> None:
    angle = np.radians(25.0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned_px = face.landmarks_px * [1, -1] @ turn.T * [1, -1]  # y points down
    moved = replace(
        face,
        landmarks_px=(turned_px * 2.5 + [300, -40]).astype(np.float32),
        landmarks_depth=face.landmarks_depth * np.float32(2.5),
    )
    a, b = (load_face_encoder().encode(f) for f in (face, moved))
    torch.testing.assert_close(a.prior.expression, b.prior.expression, atol=1e-4, rtol=0)
    torch.testing.assert_close(a.prior.identity, b.prior.identity, atol=2e-3, rtol=0)
    roll = torch.eye(3, dtype=torch.float64)
    roll[:2, :2] = torch.from_numpy(turn)
    assert float(geodesic_angle(roll @ a.prior.R_camera_head, b.prior.R_camera_head)) < 1e-3
    shift = (a.points_px.numpy() - face.landmarks_px) * [1, -1] @ turn.T * [1, -1] * 2.5
    np.testing.assert_allclose(b.points_px.numpy() - moved.landmarks_px, shift, atol=0.05)


def test_upright_is_the_inverse_of_turned() -> None:
    encoder = load_face_encoder()
    random = torch.Generator().manual_seed(0)
    points = torch.randn(3, 478, 3, generator=random).double()
    aligned = align(points, encoder.reference, encoder.weight)
    shift = torch.randn(3, 478, 2, generator=random).double()
    torch.testing.assert_close(upright(turned(shift, aligned), aligned), shift)


def test_the_reference_itself_is_aligned_without_rest() -> None:
    encoder = load_face_encoder()
    points = 70 * encoder.reference * torch.tensor([1.0, -1.0, -1.0]).double() + 5
    aligned = align(points[None], encoder.reference, encoder.weight)
    torch.testing.assert_close(aligned.R_camera_head[0], torch.eye(3).double())
    assert float(aligned.offset.abs().max()) < 1e-7
    assert float(aligned.scale) == pytest.approx(70)


def test_points_like_no_face_give_an_ordinary_one(face: FaceObservation) -> None:
    points = np.random.default_rng(0).uniform(0, 512, (478, 2)).astype(np.float32)
    prior = load_face_encoder().encode(replace(face, landmarks_px=points)).prior
    assert float(prior.identity.abs().max()) < 30
    assert ((prior.expression >= 0) & (prior.expression <= 1)).all()
    same = load_face_encoder().encode(replace(face, landmarks_px=np.ones_like(points))).prior
    assert all(bool(torch.isfinite(x).all()) for x in (same.R_camera_head, same.identity))


def test_the_fit_stays_near_a_strong_prior(face: FaceObservation, model: MorphableModel) -> None:
    prior = load_face_encoder().encode(face).prior
    fit = fit_face(face, (512, 512), model=model, config=FitConfig(prior_gain=1000.0))
    torch.testing.assert_close(fit.identity.double(), prior.identity, atol=0.02, rtol=0)
    assert float(geodesic_angle(fit.R_camera_head.double(), prior.R_camera_head)) < 1e-3


def test_files_give_back_the_encoder(tmp_path: Path, face: FaceObservation) -> None:
    encoder = load_face_encoder()
    save_encoder(tmp_path / "a.safetensors", encoder)
    again = read_encoder(tmp_path / "a.safetensors").encode(face).prior
    torch.testing.assert_close(again.identity, encoder.encode(face).prior.identity)


@pytest.mark.parametrize("fault", ["missing", "shape", "nan", "kind"])
def test_bad_files_are_refused(tmp_path: Path, fault: str) -> None:
    encoder, path = load_face_encoder(), tmp_path / "bad.safetensors"
    tensors = {name: value.float() for name, value in vars(encoder).items()}
    if fault == "missing":
        del tensors["limit"]
    if fault == "shape":
        tensors["gain"] = tensors["gain"][:-1]
    if fault == "nan":
        tensors["bias"] = tensors["bias"] * torch.nan
    write_safetensors(path, tensors, {"kind": "avatar" if fault == "kind" else KIND})
    words = {"missing": "missing: limit", "shape": "another shape", "nan": "not finite", "kind": "avatar"}
    with pytest.raises(CheckpointError, match=words[fault]):
        read_encoder(path)
