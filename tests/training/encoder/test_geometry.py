"""The geometry encoder is learned, and told apart from the mean of all heads."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mien.core.checkpoint import write_safetensors
from mien.core.errors import CheckpointError, InputError
from mien.core.geometry import axis_angle_to_matrix
from mien.morphable.encoder import save_encoder
from mien.morphable.landmarks import landmark_model
from mien.morphable.model import load_head_model
from mien.training.encoder.examples import ExampleConfig, Examples, build_examples
from mien.training.encoder.geometry import (
    GeometryConfig,
    mirrored_points,
    train_geometry_encoder,
    true_points_px,
    with_mirrored,
)
from mien.training.encoder.pictures import PictureConfig, draw_picture

CONFIG = GeometryConfig(components=40, ridge=1.0, folds=3)


def examples(heads: int, faces: int = 3) -> Examples:
    """Heads of few forms; points are seen 2 px too low, with noise, coefficients are half the truth."""
    random = torch.Generator().manual_seed(0)
    n, landmarks = heads * faces, landmark_model(load_head_model())
    identity = torch.zeros(heads, len(landmarks.identity))
    identity[:, :6] = 3 * torch.randn(heads, 6, generator=random)
    identity = identity.repeat_interleave(faces, 0)
    expression = torch.rand(n, 52, generator=random) * (torch.rand(n, 52, generator=random) < 0.1)
    R = axis_angle_to_matrix(torch.randn(n, 3, generator=random) * torch.tensor([0.1, 0.3, 0.02]))
    made = Examples(torch.zeros(n, 478, 3), expression / 2, R, R, expression, identity,
                    torch.arange(heads).repeat_interleave(faces).float())  # fmt: skip
    xyz = landmarks.points(identity.double(), expression.double()) @ R.double().transpose(1, 2)
    noise = 0.3 * torch.randn(n, 478, 3, generator=random)
    flat = true_points_px(made, landmarks) + torch.tensor([0.0, 2.0])
    points = torch.cat([flat, -400 * xyz[..., 2:]], 2).float() + noise
    return Examples(points, *(getattr(made, k) for k in list(Examples.__dataclass_fields__)[1:]))


def test_unseen_heads_are_recognised_and_points_put_right() -> None:
    encoder, scores = train_geometry_encoder(examples(64), load_head_model(), CONFIG)
    assert scores.heads == 8
    assert scores.rotation_deg < 2
    assert scores.landmarks_mm < 0.6 * scores.landmarks_mm_mean
    assert scores.expression < 0.85 * scores.expression_mean
    assert scores.points < 0.5 * scores.points_tracked
    precision = encoder.root.T @ encoder.root
    assert float(torch.linalg.eigvalsh(precision).min()) > 0


def test_the_same_examples_give_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        save_encoder(tmp_path / name, train_geometry_encoder(examples(48), load_head_model(), CONFIG)[0])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_too_few_heads_are_refused() -> None:
    with pytest.raises(InputError, match="12 heads are too few"):
        train_geometry_encoder(examples(12), load_head_model(), CONFIG)


def test_a_mirrored_mirror_image_is_the_example() -> None:
    model, made = load_head_model(), examples(2)
    twice = with_mirrored(with_mirrored(made, model), model)
    n = len(made.points)
    for name in Examples.__dataclass_fields__:
        torch.testing.assert_close(getattr(twice, name)[3 * n :], getattr(made, name))
    assert mirrored_points(model)[33] == 263


def test_pictures_keep_the_way_back_to_the_view() -> None:
    config = PictureConfig(blur_px=0.0, noise=0.0, quality=(94, 95))
    rgb, alpha = np.zeros((128, 128, 3), np.uint8), np.full((128, 128), 255, np.uint8)
    spotted = rgb.copy()
    spotted[40:44, 80:84] = 255
    plain, picture, again = (
        draw_picture(view, alpha, np.random.default_rng(3), config) for view in (rgb, spotted, spotted)
    )
    np.testing.assert_array_equal(again.rgb, picture.rgb)
    lit = np.abs(picture.rgb.astype(int) - plain.rgb.astype(int)).sum(-1)
    y, x = np.nonzero(lit > 0.5 * lit.max())
    spot = np.array([x.mean() + 0.5, y.mean() + 0.5])
    np.testing.assert_allclose(picture.to_view[:, :2] @ spot + picture.to_view[:, 2], [82, 42], atol=1.0)


def test_examples_of_other_settings_are_refused(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "000000.safetensors", {}, {"kind": "encoder_examples", "config": {}})
    with pytest.raises(CheckpointError, match="other settings"):
        build_examples([Path("000000.safetensors")], tmp_path, ExampleConfig())
