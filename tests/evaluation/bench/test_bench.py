"""mien-bench with a plain head whose truth is cheap: frames, alignment, baselines, resuming."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mien.animation.viewer import FittedFace, Seen
from mien.core.camera import Camera
from mien.core.errors import InputError, ResumeError
from mien.core.geometry import axis_angle_to_matrix
from mien.evaluation.bench import eyes, run
from mien.evaluation.bench.eyes import Eyes, Glance
from mien.evaluation.bench.frames import (
    bench_camera,
    head_pose,
    rotation_between,
    to_camera,
    turn_between,
    turned_camera,
)
from mien.evaluation.bench.heads import BenchHead, TrueView
from mien.evaluation.bench.person import TRUE, Bench, PersonScore, score_person, score_turns
from mien.evaluation.bench.plan import EXPRESSIONS, PLANS, ViewPlan, expression_of
from mien.evaluation.bench.regions import Region, hull_mask
from mien.evaluation.bench.report import JSON_FILE, PLOT_FILE, SHEET_FILE, TABLE_FILE, write_report
from mien.evaluation.bench.rerender import MeshRerender
from mien.evaluation.bench.run import BenchOptions, person_file, run_bench
from mien.evaluation.bench.scores import seen_errors
from mien.evaluation.bench.subject_files import COPY, OURS, RERENDER, InversionCost, Sat, SittingError
from mien.evaluation.bench.subjects import AvatarSubject, PhotoCopy
from mien.evaluation.metrics.pose import rotation_angles_deg
from mien.io.mesh import Mesh
from mien.morphable.meshview import MeshViewer
from mien.morphable.model import MorphableModel, load_head_model
from mien.morphable.raster import vertex_normals

SMALL = ViewPlan(
    yaws_deg=(0.0, 30.0), pitches_deg=(0.0,), expressions=("neutral", "jaw open"), frames=9, turn_deg=8.0
)
PX = 96


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return load_head_model()


class PlainHead:
    """The head model itself, its colours a smooth pattern over the rest pose."""

    def __init__(self, model: MorphableModel, index: int = 0) -> None:
        self.model = model
        self.identity = torch.from_numpy(np.random.default_rng(index).normal(0, 0.5, 80)).float()
        rest = model.vertices(self.identity, torch.zeros(52)).numpy()
        waves = 0.5 + 0.25 * np.sin(rest @ np.array([[9.0, 4, 2], [3, 9, 5], [5, 2, 9]]))
        self.colours = (waves * 255).astype(np.uint8)

    def view(self, expression: torch.Tensor, camera: Camera, size_px: int) -> TrueView:
        vertices = self.model.vertices(self.identity, expression)
        normals = vertex_normals(vertices.numpy(), self.model.faces_np).astype(np.float32)
        mesh = Mesh(vertices.numpy(), self.model.faces_np, normals, self.colours)
        seen = MeshViewer(mesh).draw(camera, size_px)
        rgb, alpha, depth = (torch.from_numpy(m.copy()) for m in (seen.rgb, seen.alpha, seen.distance))
        landmarks = self.model.landmarks(vertices)
        inside = hull_mask(camera.project(landmarks).uv.double().numpy() * size_px, size_px)
        regions = np.where(inside, Region.FACE, Region.HEAD) * (alpha.numpy() >= 0.5)
        return TrueView(rgb, alpha, depth, landmarks, torch.from_numpy(regions.astype(np.uint8)))

    def photo(self, size_px: int) -> np.ndarray:
        view = self.view(expression_of("neutral"), bench_camera(0.0, 0.0), size_px)
        wall = np.linspace([0.6, 0.55, 0.5], [0.4, 0.4, 0.42], size_px)[None]
        rgb = view.rgb.numpy() + (1 - view.alpha.numpy()[..., None]) * wall
        return np.round(rgb.clip(0, 1) * 255).astype(np.uint8)

    def groups(self) -> dict[str, str]:
        return {"hair": "none"}


class Sitter:
    """The truth itself as a viewer, if wanted with a camera that is wrong."""

    def __init__(self, head: PlainHead, camera: Camera | None = None) -> None:
        self.head = head
        self.face = FittedFace(camera or bench_camera(0.0, 0.0), head.identity, expression_of("neutral"))

    def see(self, camera: Camera, expression: torch.Tensor, size_px: tuple[int, int]) -> Seen:
        view = self.head.view(expression, camera, size_px[0])
        return Seen(view.rgb, view.alpha, view.depth)


class BlindEyes(Eyes):
    """Sees nothing, at once: the plain heads have no face that a tracker would find."""

    def __init__(self) -> None:
        pass

    def __exit__(self, *exc_info: object) -> None:
        pass

    def look(self, rgb: np.ndarray, *, identity: bool = True) -> None:
        return None


@pytest.fixture(autouse=True)
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "Eyes", BlindEyes)


def scored(head: PlainHead, subjects: dict, plan: ViewPlan = SMALL) -> PersonScore:
    with BlindEyes() as blind_eyes:
        return score_person(Bench(plan, blind_eyes, size_px=PX), head, subjects, 1)[0]


def test_eyes_keep_what_they_saw_by_the_bytes_of_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []

    class CountingEyes(Eyes):
        def look_afresh(self, rgb: np.ndarray, *, identity: bool = True) -> Glance | None:
            looked.append(int(rgb[0, 0, 0]))
            points = np.full((478, 2), float(rgb[0, 0, 0]))
            return Glance(np.eye(3), np.zeros(52), points, np.zeros(128) if identity else None)

    monkeypatch.setattr(eyes, "MOST_KEPT", 2)
    pictures = [np.full((8, 8, 3), level, np.uint8) for level in range(3)]
    with CountingEyes() as looking:
        for level in (0, 1, 0, 2, 0, 1):
            glance = looking.look(pictures[level].copy())
            assert glance is not None
            assert glance.landmarks_px[0, 0] == level
        assert looked == [0, 1, 2, 1]
        plain = looking.look(pictures[1], identity=False)
        assert plain is not None
        assert plain.identity is None


def test_the_mesh_takes_colours_from_the_chart_where_the_photo_is_not_trusted(model: MorphableModel) -> None:
    head = PlainHead(model)
    photo = head.photo(PX)
    alpha = head.view(expression_of("neutral"), bench_camera(0.0, 0.0), PX).alpha.numpy().astype(np.float32)
    mesh = MeshRerender(photo, alpha, Sitter(head).face, model)
    for yaw in (0.0, 40.0):
        rays = bench_camera(yaw, 0.0).rays(64, 64).directions.reshape(-1, 3).numpy()
        hits = mesh._scene.cast(bench_camera(yaw, 0.0).position.numpy(), rays)
        hits = hits.of(np.flatnonzero(hits.hit))
        direct, trust = mesh._from_photo(hits)
        assert (trust < 1).any()
        assert (trust == 1).any()
        mixed = trust[:, None] * direct + (1 - trust[:, None]) * mesh._from_chart(hits)
        assert (mesh._textured(hits) == mixed).all()


def test_frames_of_the_turn_that_are_views_too_are_drawn_once(model: MorphableModel) -> None:
    head, drawn = PlainHead(model), []

    class CountingHead(PlainHead):
        def view(self, expression: torch.Tensor, camera: Camera, size_px: int) -> TrueView:
            drawn.append(camera)
            return super().view(expression, camera, size_px)

    plan = replace(SMALL, yaws_deg=(0.0, 4.0), expressions=("neutral",))
    subjects = {OURS: AvatarSubject(Sitter(head), model)}
    score = scored(CountingHead(model), subjects, plan)
    assert len(drawn) == len(plan.yaws_deg) + plan.frames - 2
    with BlindEyes() as blind_eyes:
        assert score.turns == score_turns(Bench(plan, blind_eyes, size_px=PX), head, subjects, 1)


def test_turned_cameras_are_the_true_ones() -> None:
    front = bench_camera(0.0, 0.0)
    for yaw, pitch in ((0.0, 0.0), (60.0, -20.0), (-30.0, 20.0)):
        true = bench_camera(yaw, pitch)
        found = turned_camera(front, turn_between(front, true))
        torch.testing.assert_close(found.to_label(), true.to_label(), atol=1e-5, rtol=0)


def test_a_turn_is_in_camera_axes_and_keeps_place_and_framing() -> None:
    camera = Camera.orbit(0.2, -0.1, pivot=(0.03, 0.05, -0.02))
    turn = axis_angle_to_matrix(torch.tensor([0.1, 0.5, 0.0]))
    (R, place), (R_turned, place_turned) = head_pose(camera), head_pose(turned_camera(camera, turn))
    torch.testing.assert_close(R_turned, turn @ R)
    torch.testing.assert_close(place_turned, place)
    origin = torch.zeros(1, 3)
    torch.testing.assert_close(
        camera.project(origin).uv, turned_camera(camera, turn).project(origin).uv, atol=1e-6, rtol=0
    )
    point = torch.tensor([[0.1, 0.2, 0.3]])
    torch.testing.assert_close(to_camera(turned_camera(camera, turn), point), point @ R.T @ turn.T + place)


def test_the_camera_to_the_right_sees_the_head_turn_to_the_left() -> None:
    front, side = bench_camera(0.0, 0.0), bench_camera(30.0, 0.0)
    nose = turn_between(front, side) @ torch.tensor([0.0, 0.0, 1.0])
    torch.testing.assert_close(nose, torch.tensor([-0.5, 0.0, math.cos(math.pi / 6)]), atol=1e-6, rtol=0)


def test_rotation_between_ignores_place_and_size() -> None:
    points = torch.from_numpy(np.random.default_rng(0).normal(size=(478, 3))).float()
    R = axis_angle_to_matrix(torch.tensor([0.0, 0.0, math.radians(7)]))
    found = rotation_between(1.3 * points @ R.T + 2, points)
    np.testing.assert_allclose(found, R.numpy(), atol=1e-5)


def test_the_truth_itself_is_perfect(model: MorphableModel) -> None:
    head = PlainHead(model)
    result = scored(head, {OURS: AvatarSubject(Sitter(head), model)})
    assert [(v.yaw_deg, v.expression) for v in result.views] == [
        (0.0, "neutral"), (0.0, "jaw open"), (30.0, "neutral"), (30.0, "jaw open"),
    ]  # fmt: skip
    for view in result.views:
        score = view.scores[OURS]
        assert score.psnr_face_db is not None
        assert score.psnr_face_db > 55
        assert score.psnr_db > 55  # the camera goes through a rotation and back, so single pixels may differ
        assert score.ssim > 0.999
        assert score.sharpness == pytest.approx(1, abs=0.01)
        assert score.alpha_error < 1e-4
        assert score.pose_error_deg < 0.01
        assert score.landmark_error < 1e-4
        assert score.depth_error_mm is not None
        assert score.depth_error_mm < 0.01
        if view.expression == "neutral":
            assert score.expression_error is None
            assert score.expression_picture_error is None
        else:
            assert score.expression_error is not None
            assert score.expression_error < 1e-4
            assert score.expression_picture_error is not None
            assert score.expression_picture_error < 0.02
            assert score.expression_change is not None
            assert score.expression_change > 0.1
    assert result.turns[OURS].warping_error == pytest.approx(result.turns[TRUE].warping_error, rel=0.05)
    assert result.seconds_per_view[OURS] > 0


@pytest.mark.parametrize("degrees", [2.0, 8.0])
def test_a_pose_that_is_wrong_gives_its_angle_in_every_view(model: MorphableModel, degrees: float) -> None:
    head = PlainHead(model)
    wrong = axis_angle_to_matrix(torch.tensor([0.0, math.radians(degrees), 0.0]))
    camera = turned_camera(bench_camera(0.0, 0.0), wrong)
    result = scored(head, {OURS: AvatarSubject(Sitter(head, camera), model)})
    for view in result.views:
        assert view.scores[OURS].pose_error_deg == pytest.approx(degrees, abs=0.02)
        assert view.scores[OURS].psnr_db < 40
        assert view.scores[OURS].landmark_error > 0.005 * degrees


def test_a_shift_of_the_head_is_a_landmark_error_but_no_pose_error(model: MorphableModel) -> None:
    head = PlainHead(model)
    camera = bench_camera(0.0, 0.0)
    K = camera.intrinsics.clone()
    K[0, 2] += 0.05  # of the picture's side
    result = scored(head, {OURS: AvatarSubject(Sitter(head, replace(camera, intrinsics=K)), model)})
    corners = camera.project(head.view(expression_of("neutral"), camera, PX).landmarks[[33, 263]]).uv
    expected = 0.05 / float((corners[0] - corners[1]).norm())
    for view in result.views:
        assert view.scores[OURS].landmark_error == pytest.approx(expected, rel=1e-3)
        assert view.scores[OURS].pose_error_deg < 0.01


def glance(yaw_deg: float, blink: float, identity: float | None) -> Glance:
    coefficients = np.zeros(52, np.float32)
    coefficients[0] = blink
    R = axis_angle_to_matrix(torch.tensor([0.0, math.radians(yaw_deg), 0.0])).numpy()
    numbers = None if identity is None else np.full(128, identity)
    return Glance(R, coefficients, np.zeros((478, 2)), numbers)


def test_what_is_seen_is_compared_with_what_is_seen_of_the_truth() -> None:
    pose, aed, identity = seen_errors(glance(5.0, 0.52, 0.1), glance(2.0, 0.0, 0.0))
    assert pose == pytest.approx(3, abs=1e-4)
    assert aed == pytest.approx(0.01)
    assert identity == pytest.approx(0.1 * 128**0.5)
    assert seen_errors(glance(5.0, 0.0, None), glance(2.0, 0.0, 0.0))[2] is None
    assert seen_errors(None, glance(2.0, 0.0, 0.0)) == (None, None, None)


def photo_of(head: BenchHead, size_px: int = 2 * PX) -> tuple[np.ndarray, np.ndarray]:
    view = head.view(expression_of("neutral"), bench_camera(0.0, 0.0), size_px)
    return head.photo(size_px), view.alpha.numpy()


def test_the_copied_photo_is_right_in_front_and_decays_with_the_turn(model: MorphableModel) -> None:
    head = PlainHead(model)
    rgb, alpha = photo_of(head)
    plan = replace(SMALL, yaws_deg=(0.0, 15.0, 30.0, 60.0))
    result = scored(head, {COPY: PhotoCopy(rgb, alpha, Sitter(head).face, model)}, plan)
    neutral = [v for v in result.views if v.expression == "neutral"]
    psnr = [v.scores[COPY].psnr_db for v in neutral]
    assert psnr[0] > 33
    assert psnr[0] > psnr[1] + 5
    assert psnr[1] > psnr[2] > psnr[3]
    for view in neutral:
        assert view.scores[COPY].pose_error_deg == pytest.approx(view.yaw_deg, abs=0.01)
    for view in result.views:
        if view.expression != "neutral":
            assert view.scores[COPY].expression_error == pytest.approx(1)
            assert view.scores[COPY].expression_picture_error == pytest.approx(1)
    assert result.turns[COPY].warping_error < 1e-9


def test_the_rerender_of_the_true_mesh_is_near_the_truth(model: MorphableModel) -> None:
    head = PlainHead(model)
    rgb, alpha = photo_of(head, 4 * PX)
    face = Sitter(head).face
    result = scored(
        head, {RERENDER: MeshRerender(rgb, alpha, face, model), COPY: PhotoCopy(rgb, alpha, face, model)}
    )
    by = {(v.yaw_deg, v.expression): v.scores for v in result.views}
    assert by[0.0, "neutral"][RERENDER].psnr_db > 27
    assert by[0.0, "neutral"][RERENDER].alpha_error < 0.01
    depth = by[30.0, "neutral"][RERENDER].depth_error_mm
    assert depth is not None
    assert depth < 2  # the nearest of a pixel's four rays; a pixel is 4 mm wide here
    assert by[30.0, "neutral"][COPY].depth_error_mm is None
    for expression in SMALL.expressions:
        assert by[30.0, expression][RERENDER].psnr_db > by[30.0, expression][COPY].psnr_db + 3
    change = by[0.0, "jaw open"][RERENDER].expression_picture_error
    assert change is not None
    assert change < 0.7


def test_what_the_photo_hides_is_filled_from_the_other_side(model: MorphableModel) -> None:
    """A grey head from beside and behind: nothing is left black or white."""
    head = PlainHead(model)
    head.colours = np.full_like(head.colours, 128)
    rgb, alpha = photo_of(head, 2 * PX)
    rerender = MeshRerender(rgb, alpha, Sitter(head).face, model)
    turn = turn_between(bench_camera(0.0, 0.0), bench_camera(110.0, 0.0))
    seen = rerender.see(turn, expression_of("neutral"), PX)
    inside = seen.rgb[seen.alpha > 0.99]
    assert len(inside) > 500
    assert (inside - 128 / 255).abs().quantile(0.98) < 0.06


def test_plans_hold_what_the_benchmark_promises() -> None:
    full = PLANS["full"]
    assert list(full.yaws_deg) == [0, 15, 30, 45, 60]
    assert list(full.pitches_deg) == [-20, 0, 20]
    assert len(full.expressions) == len(EXPRESSIONS) == 6
    assert set(PLANS["quick"].expressions) < set(EXPRESSIONS)
    different = {tuple(expression_of(name).tolist()) for name in EXPRESSIONS}
    assert len(different) == 6


class Fake:
    """Subjects without an inversion; counts, and fails for given persons."""

    def __init__(self, model: MorphableModel, failing: tuple[int, ...] = ()) -> None:
        self.model, self.failing, self.calls = model, failing, []  # type: ignore[var-annotated]

    def __call__(self, photo: Path) -> Sat:
        assert photo.is_file()
        index = int(photo.name.split(".")[1])
        self.calls.append(index)
        if index in self.failing:
            raise SittingError("No face was found.")
        head = PlainHead(self.model, index)
        return Sat({OURS: AvatarSubject(Sitter(head), self.model)}, InversionCost(2.0, 3.0, 0.5))


def test_a_run_goes_on_where_it_was_and_reports(tmp_path: Path, model: MorphableModel) -> None:
    plan = replace(SMALL, yaws_deg=(0.0,), expressions=("neutral",))
    options = BenchOptions(plan, identities=3, facts={"model": "fake"})
    make_head = lambda index: PlainHead(model, index)  # noqa: E731
    run_bench(tmp_path / "out", one := Fake(model, (2,)), replace(options, shard=(0, 2)), make_head=make_head)
    assert one.calls == [0, 2]
    with pytest.raises(InputError, match="--resume"):
        run_bench(tmp_path / "out", one, options, make_head=make_head)
    resumed = replace(options, resume=True)
    run_bench(tmp_path / "out", rest := Fake(model), resumed, make_head=make_head)
    assert rest.calls == [1]
    with pytest.raises(ResumeError, match="another model"):
        run_bench(tmp_path / "out", rest, replace(resumed, facts={"model": "other"}), make_head=make_head)
    report = write_report(tmp_path / "out")
    assert report.persons == 2
    assert report.failed == {"2": "No face was found."}
    assert report.cost == {"seconds": 2.0, "cpu_seconds": 3.0, "peak_gib": 0.5}
    interval = report.table[OURS]["0"]["psnr_db"]
    assert interval is not None
    assert interval.count == 2
    assert interval.low <= interval.mean <= interval.high
    assert report.table[OURS]["0"]["expression_picture_error"] is None
    written = json.loads((tmp_path / "out" / JSON_FILE).read_text())
    assert written["table"][OURS]["0"]["psnr_db"]["mean"] == pytest.approx(interval.mean, rel=1e-5)
    shares = [mean.pixel_share for mean in report.regions[OURS]["0"].values()]
    assert sum(shares) == pytest.approx(1)
    assert report.regions[OURS]["0"]["face"].persons == 2
    assert report.groups["hair"]["none"].persons == 2
    assert report.groups["hair"]["none"].psnr_db == {"0": pytest.approx(interval.mean), "30": None}
    table = (tmp_path / "out" / TABLE_FILE).read_text()
    assert "2 persons, 1 that could not be inverted" in table
    assert f"| {OURS} | 0° |" in table
    for name in (PLOT_FILE, SHEET_FILE):
        assert (tmp_path / "out" / name).stat().st_size > 1000
    assert not list((tmp_path / "out").rglob(".*.png"))


def test_expressions_count_by_how_much_they_change(tmp_path: Path, model: MorphableModel) -> None:
    plan = replace(SMALL, yaws_deg=(0.0,), expressions=("neutral", "jaw open", "smile"))
    options = BenchOptions(plan, identities=1)
    run_bench(tmp_path, Fake(model), options, make_head=lambda index: PlainHead(model, index))
    person = json.loads(person_file(tmp_path, 0).read_text())
    jaw, smile = (view["scores"][OURS] for view in person["views"][1:])
    jaw |= {"expression_picture_error": 0.5, "expression_change": 9.0}
    smile |= {"expression_picture_error": 3.0, "expression_change": 1.0}  # (9 * 0.5 + 1 * 3) / 10
    person_file(tmp_path, 0).write_text(json.dumps(person))
    interval = write_report(tmp_path).table[OURS]["0"]["expression_picture_error"]
    assert interval is not None
    assert interval.mean == pytest.approx(0.75)


def test_nothing_to_report_is_said(tmp_path: Path, model: MorphableModel) -> None:
    options = BenchOptions(SMALL, identities=1)
    run_bench(tmp_path, Fake(model, (0,)), options, make_head=lambda index: PlainHead(model, index))
    with pytest.raises(InputError, match="None of the 1 persons"):
        write_report(tmp_path)
    person_file(tmp_path, 0).write_text("{")
    with pytest.raises(ResumeError, match="delete it"):
        write_report(tmp_path)


def test_angles_of_turns() -> None:
    front = bench_camera(0.0, 0.0)
    turns = torch.stack([turn_between(front, bench_camera(yaw, 0.0)) for yaw in (15.0, -60.0)])
    np.testing.assert_allclose(rotation_angles_deg(turns.numpy()), [15, 60], atol=1e-3)
