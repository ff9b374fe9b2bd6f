"""Examples of the image encoder keep the truth through crops, mirrors and pictures; costs are as said."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.fft import dctn, idctn

from mien.core.errors import InputError
from mien.core.geometry import axis_angle_to_matrix
from mien.morphable.imageencoder import ImageAnswer
from mien.morphable.landmarks import LandmarkModel, landmark_model
from mien.morphable.model import load_head_model
from mien.training.encoder.augment import CLEAN, AugmentConfig, _packed, draw_examples
from mien.training.encoder.imagecosts import CostWeights, _likelihood, image_costs, image_scores, on_device
from mien.training.encoder.imagerun import precision_root
from mien.training.encoder.views import Views, load_views, mirrored_identity, with_truth

MOVED = replace(CLEAN, scale=0.12, shift=0.08, roll_deg=10.0)


@pytest.fixture(scope="module")
def landmarks() -> LandmarkModel:
    return landmark_model(load_head_model())


def made_views(count: int, size: int = 256, spot: int | None = None) -> Views:
    """Heads of few forms, turned anyhow; their pictures are grey, or white at one of the points only."""
    random = torch.Generator().manual_seed(0)
    identity = torch.randn(count, 80, generator=random) * (torch.arange(80) < 6)
    expression = torch.rand(count, 52, generator=random) * (torch.rand(count, 52, generator=random) < 0.1)
    R = axis_angle_to_matrix(
        torch.randn(count, 3, generator=random) * torch.tensor([0.15, 0.4, 0.0])
    ).double()
    shape = torch.cat([expression, identity], 1).double()
    pixels = torch.full((count, 4, size, size), 127, dtype=torch.uint8)
    views = with_truth(pixels, torch.arange(count), R, shape, load_head_model())
    if spot is None:
        return views
    line = (torch.arange(size) + 0.5) / size
    away = (line - views.points[:, 0, spot, :1]) ** 2, (line - views.points[:, 0, spot, 1:]) ** 2
    light = torch.exp(-(away[1][:, :, None] + away[0][:, None]) / 2 / 0.012**2)
    pixels = torch.cat(
        [(255 * light)[:, None].expand(-1, 3, -1, -1), torch.full((count, 1, size, size), 255)], 1
    )
    return replace(views, pixels=pixels.to(torch.uint8))


@pytest.mark.parametrize("mirror", [0.0, 1.0])
def test_points_stay_on_the_picture(landmarks: LandmarkModel, mirror: float) -> None:
    spot, other = 33, 263  # the outer corners of the right and the left eye
    views, config = made_views(12, spot=spot), replace(MOVED, mirror=mirror)
    dark = replace(views, pixels=torch.cat([0 * views.pixels[:, :3], views.pixels[:, 3:]], 1))
    size = 160
    made, without = (
        draw_examples(v, torch.arange(12), size, torch.Generator().manual_seed(3), config)
        for v in (views, dark)
    )
    light = (made.image - without.image).mean(1)
    light = light * (light > 0.2)
    line = (torch.arange(size) + 0.5) / size - 0.5
    x, y = (light * line).sum((1, 2)), (light * line[:, None]).sum((1, 2))
    found = torch.stack([x, y], 1) / light.sum((1, 2))[:, None]
    true = made.points[:, other if mirror else spot]
    assert float((found - true).abs().max()) < (
        0.006 if mirror else 0.003
    )  # 256 px of a view are 0.0054 apart
    assert float(found.std(0).min()) > 0.02


def test_the_truth_of_an_example_projects_onto_its_points(landmarks: LandmarkModel) -> None:
    views = made_views(16)
    made = draw_examples(views, torch.arange(16), 64, torch.Generator().manual_seed(0), AugmentConfig())
    answer = ImageAnswer(
        made.points, torch.full((16, 478), -3.0), made.turn, made.shape, torch.full((16, 135), -2.0)
    )
    lm, sd = on_device(landmarks, torch.device("cpu")), torch.full((956 + 135,), 0.5)
    costs = image_costs(answer, made, lm, sd, CostWeights(beta=0.0))
    assert float(costs["reprojected"]) < 1e-4
    assert float(costs["rest"]) < 1e-4
    scores = image_scores(answer, made, lm)
    assert float(scores.abs().max()) < 1e-3
    off = replace(answer, turn=answer.turn + 0.1)
    assert float(image_costs(off, made, lm, sd, CostWeights())["reprojected"]) > 0.05


def test_clean_examples_are_upright_and_whole(landmarks: LandmarkModel) -> None:
    views = made_views(8)
    made = draw_examples(views, torch.arange(8), 64, torch.Generator().manual_seed(0), CLEAN)
    across = axis_angle_to_matrix(made.turn)[:, 1, 0]
    assert float(across.abs().max()) < 0.05  # of the truth; the crop is upright for the mean head's turn
    assert float(made.points.abs().max()) < 0.5
    torch.testing.assert_close(made.shape, views.shape[:, 0])


def test_examples_depend_on_the_seed_alone(landmarks: LandmarkModel) -> None:
    views = made_views(6)
    a, b, c = (
        draw_examples(views, torch.arange(6), 64, torch.Generator().manual_seed(seed)).image
        for seed in (1, 1, 2)
    )
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert float(a.min()) >= 0
    assert float(a.max()) <= 1


def test_a_mirror_image_of_a_mirror_image_is_the_head() -> None:
    model = load_head_model()
    twice = mirrored_identity(model) @ mirrored_identity(model)
    torch.testing.assert_close(twice[:12, :12], torch.eye(12).double(), atol=0.01, rtol=0)


def test_packing_is_rounding_of_cosine_transforms() -> None:
    image = torch.rand(1, 2, 16, 24, generator=torch.Generator().manual_seed(0))
    k = np.arange(8)
    table = 0.05 * (1 + k[:, None] + k)
    expected = image.numpy().copy()
    for channel, i, j in np.ndindex(2, 2, 3):
        part = expected[0, channel, 8 * i : 8 * i + 8, 8 * j : 8 * j + 8]
        part[:] = idctn(table * np.round(dctn(part, norm="ortho") / table), norm="ortho")
    packed = _packed(image, torch.full((1, 1, 1, 1, 1), 0.05))
    torch.testing.assert_close(packed, torch.from_numpy(expected), atol=1e-5, rtol=0)
    assert float((packed - image).abs().max()) > 0.02


def test_the_likelihood_is_pytorchs() -> None:
    random = torch.Generator().manual_seed(0)
    e, log_sd = torch.randn(5, 7, generator=random), torch.randn(5, 7, generator=random)
    expected = torch.nn.functional.gaussian_nll_loss(e, torch.zeros(5, 7), (2 * log_sd).exp())
    torch.testing.assert_close(_likelihood(e.square(), log_sd, 1, 0.0), expected)


def test_the_root_is_of_the_errors_precision() -> None:
    A = torch.randn(6, 6, generator=torch.Generator().manual_seed(0)).double()
    errors = torch.randn(200_000, 6, generator=torch.Generator().manual_seed(1)).double() @ A
    root = precision_root(errors)
    moments = torch.linalg.inv(root.T @ root)
    torch.testing.assert_close(moments.diagonal(), (A.T @ A).diagonal(), rtol=0.02, atol=0)
    away = moments / (A.T @ A)
    assert float(away[~torch.eye(6, dtype=torch.bool)].median()) == pytest.approx(0.85, abs=0.02)


def test_no_views_are_refused() -> None:
    with pytest.raises(InputError, match="No view of 0 heads"):
        load_views([], load_head_model())
