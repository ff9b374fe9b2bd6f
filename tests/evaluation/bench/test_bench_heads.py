"""The persons of mien-bench: their truth fits together, and a photo shows the same as the views."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mien.core.camera import Camera
from mien.evaluation.bench.backdrop import draw_backdrop
from mien.evaluation.bench.frames import bench_camera
from mien.evaluation.bench.heads import BenchHead, ProceduralBenchHead, TrueView, bench_head
from mien.evaluation.bench.plan import BENCH_SEED, expression_of
from mien.evaluation.bench.regions import CHIN, Region, region_map
from mien.evaluation.metrics.psnr import psnr_db
from mien.morphable.model import MorphableModel, load_head_model
from mien.training.procedural.lighting import draw_light
from mien.training.procedural.semantics import Semantic

PX = 96
BALD = 5
"""Number of a person without hair: compiling its growth takes longer than all else here."""
NOSE, FOREHEAD, CHEEKS = 4, 151, (50, 280, 101, 330, 205, 425)


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return load_head_model()


@pytest.fixture(scope="module")
def head(model: MorphableModel) -> BenchHead:
    return bench_head(model, BALD)


@pytest.fixture(scope="module")
def front(head: BenchHead) -> TrueView:
    return head.view(expression_of("neutral"), bench_camera(0.0, 0.0), PX)


def pixels(view: TrueView, camera: Camera, points: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Row and column of landmarks."""
    column, row = (camera.project(view.landmarks[list(points)]).uv * len(view.alpha)).long().T
    return row, column


def test_persons_depend_on_their_number_only(model: MorphableModel, head: BenchHead, front: TrueView) -> None:
    again, other = bench_head(model, BALD), bench_head(model, BALD + 1)
    view = again.view(expression_of("neutral"), bench_camera(0.0, 0.0), PX)
    assert torch.equal(front.rgb, view.rgb)
    assert torch.equal(front.depth, view.depth)
    assert isinstance(head, ProceduralBenchHead)
    assert isinstance(other, ProceduralBenchHead)
    assert head.person.labels() != other.person.labels()
    assert head.response != other.response


def test_hair_and_glasses_are_regions_and_edges_take_the_nearest(head: BenchHead, front: TrueView) -> None:
    assert isinstance(head, ProceduralBenchHead)
    seen = head._look(expression_of("neutral"), bench_camera(0.0, 0.0), PX)
    meaning = seen.semantic.copy()
    middle = slice(PX // 2 - 6, PX // 2 + 6)
    meaning[PX // 2 - 4, middle], meaning[PX // 2, middle] = Semantic.HAIR, Semantic.LENS
    meaning[PX // 2 + 4, middle] = Semantic.BACKGROUND  # a solid pixel without a meaning
    found = region_map(replace(seen, semantic=meaning), front.landmarks)
    assert (found[PX // 2 - 4, middle] == Region.HAIR).all()
    assert (found[PX // 2, middle] == Region.GLASSES).all()
    assert (found[PX // 2 + 4, middle] == Region.FACE).all()


def test_the_photo_depends_on_the_number_only_too(model: MorphableModel, head: BenchHead) -> None:
    np.testing.assert_array_equal(head.photo(PX), bench_head(model, BALD).photo(PX))


def test_alpha_is_soft_and_covers_what_has_a_depth(front: TrueView) -> None:
    solid = front.alpha > 0.99
    assert ((front.alpha > 0.05) & (front.alpha < 0.95)).sum() > PX  # along the outline
    assert ((front.depth[solid] > 2) & (front.depth[solid] < 3.4)).all()
    assert (front.depth[front.alpha == 0] == 0).all()
    assert (front.rgb <= front.alpha[..., None] + 1e-5).all()


@pytest.mark.parametrize(("yaw_deg", "expression"), [(0.0, "jaw open"), (30.0, "neutral")])
def test_landmarks_lie_on_the_surface_that_is_seen(head: BenchHead, yaw_deg: float, expression: str) -> None:
    camera = bench_camera(yaw_deg, 0.0)
    view = head.view(expression_of(expression), camera, 2 * PX)
    points: tuple[int, ...] = (NOSE, FOREHEAD, CHIN, 50)  # the cheek on the side to which the camera goes
    distance = (view.landmarks[list(points)] - camera.position).norm(dim=-1)
    if yaw_deg:
        points = points[:2]
    row, column = pixels(view, camera, points)
    torch.testing.assert_close(view.depth[row, column], distance[: len(points)], atol=0.012, rtol=0)


def test_regions_are_where_they_belong(front: TrueView) -> None:
    camera = bench_camera(0.0, 0.0)
    row, column = pixels(front, camera, (NOSE, FOREHEAD, *CHEEKS))
    assert (front.regions[row, column] == Region.FACE).all()
    assert torch.equal(front.regions == Region.BACKGROUND, front.alpha < 0.5)
    chin = pixels(front, camera, (CHIN,))[0].item()
    rows = torch.arange(PX)[:, None].expand(PX, PX)
    assert rows[front.regions == Region.NECK].min() >= chin - 4  # farther away than the chin, so drawn higher
    assert rows[front.regions == Region.HEAD].max() <= chin
    assert rows[front.regions == Region.CLOTHES].double().mean() > chin + 5
    assert {Region.FACE, Region.HEAD, Region.NECK, Region.CLOTHES} <= set(front.regions.unique().tolist())
    top = rows[front.alpha > 0.9].min()  # a bald head: skin up to the top
    assert front.regions[top, column[0]] == Region.HEAD


def test_the_photo_shows_what_the_view_shows_but_for_noise(head: BenchHead, front: TrueView) -> None:
    inside = (front.alpha > 0.999).numpy()
    inside[:-2] &= inside[2:]  # the lens' blur mixes in the background at the edge
    inside[2:] &= inside[:-2]
    inside[:, 2:] &= inside[:, :-2]
    inside[:, :-2] &= inside[:, 2:]
    view = (front.rgb.numpy() * 255 + 0.5).astype(np.uint8)
    photo = head.photo(PX)
    assert 33 < psnr_db(photo, view, weight=inside.astype(float)) < 60
    outside = (front.alpha < 1e-3).numpy()
    assert photo[outside].astype(float).std() > 1


def test_light_stays_with_the_head_when_the_camera_turns(head: BenchHead) -> None:
    colours = []
    for yaw_deg in (-15.0, 15.0):
        camera = bench_camera(yaw_deg, 0.0)
        view = head.view(expression_of("neutral"), camera, PX)
        row, column = pixels(view, camera, CHEEKS)
        colours.append(view.rgb[row, column])
    assert colours[0].std() > 0.03
    assert (colours[0] - colours[1]).abs().mean() < 0.05  # shine moves, shade does not


def test_expressions_move_the_picture_and_are_posed_once(head: BenchHead, front: TrueView) -> None:
    assert isinstance(head, ProceduralBenchHead)
    smile = head.view(expression_of("smile"), bench_camera(0.0, 0.0), PX)
    face = front.regions == Region.FACE
    assert (smile.rgb - front.rgb).abs()[face].mean() > 0.003
    assert (smile.landmarks - front.landmarks).norm(dim=-1).max() > 0.01
    count = len(head._posed)
    head.view(expression_of("smile"), bench_camera(15.0, 0.0), 32)
    assert len(head._posed) == count


def test_seeds_of_training_are_far_away() -> None:
    assert BENCH_SEED > 1_000_000_000


def test_backdrops_are_soft_positive_and_different() -> None:
    pictures = []
    for k in range(4):
        rng = np.random.default_rng(k)
        pictures.append(draw_backdrop(draw_light(rng), rng, 64))
    for picture in pictures:
        assert picture.shape == (64, 64, 3)
        assert picture.min() > 0
        assert np.abs(np.diff(picture, axis=0)).max() < 0.5 * (picture.max() - picture.min())
    assert len({float(p.mean()) for p in pictures}) == 4
