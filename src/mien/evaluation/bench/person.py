"""One person of the benchmark: every view of every subject against the truth."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float
from torch import Tensor

from mien.animation.viewer import Seen
from mien.core.camera import Camera
from mien.core.errors import InputError
from mien.evaluation.bench.eyes import Eyes
from mien.evaluation.bench.frames import bench_camera, turn_between
from mien.evaluation.bench.heads import BenchHead, TrueView
from mien.evaluation.bench.plan import NEUTRAL, VIEW_PX, ViewPlan, expression_of, side_of
from mien.evaluation.bench.scores import Rgb, Shown, Truth, ViewScore, over_grey, score_view
from mien.evaluation.bench.subjects import Subject
from mien.evaluation.metrics.jitter import WINDOW, landmark_jitter
from mien.evaluation.metrics.landmarks import interocular_px
from mien.evaluation.metrics.perceptual import PerceptualDistance
from mien.evaluation.metrics.warping import warping_error

TRUE: Final = "truth"


@dataclass(frozen=True)
class ScoredView:
    """A view's place in the plan, and the figures of each subject."""

    yaw_deg: float
    """Without its sign."""
    pitch_deg: float
    expression: str
    scores: dict[str, ViewScore]


@dataclass(frozen=True)
class TurnScore:
    """A short turn of the neutral face."""

    jitter_seen: float | None
    """Of tracked landmarks, shares of the eyes' distance per frame^2; None if a frame shows no face."""
    warping_error: float
    """By the frames' own flow."""


@dataclass(frozen=True)
class PersonScore:
    """All of one person."""

    views: list[ScoredView]
    turns: dict[str, TurnScore]
    """By subject; the truth's own are there too, as what the measures show where nothing is wrong."""
    seconds_per_view: dict[str, float]


@dataclass(frozen=True, eq=False)
class Bench:
    """What all persons share."""

    plan: ViewPlan
    eyes: Eyes
    perceptual: PerceptualDistance | None = None
    size_px: int = VIEW_PX


@dataclass(frozen=True, eq=False)
class Sight:
    """A camera of the plan, and what the truth and every subject show of the neutral face there."""

    camera: Camera
    turn: Float[Tensor, "3 3"]
    neutral: TrueView
    neutral_shown: dict[str, Seen]


def score_person(
    bench: Bench, head: BenchHead, subjects: Mapping[str, Subject], index: int
) -> tuple[PersonScore, list[list[Rgb]]]:
    """All figures of a person, and rows of pictures of the neutral face at every yaw.

    The rows: the truth, each subject, and the mean of the truth and the first subject, which shows whether
    they lie on each other.
    """
    views, seconds = [], {name: [0.0, 0.0] for name in subjects}
    rows: list[list[Rgb]] = [[] for _ in range(len(subjects) + 2)]
    level: dict[float, dict[str, Seen]] = {}
    for yaw, pitch, sight in _sights(bench, head, subjects, index, seconds):
        if pitch == _level(bench.plan):
            shown = {TRUE: _as_seen(sight.neutral), **sight.neutral_shown}
            if pitch == 0:
                level[side_of(index) * yaw] = shown
            pictures = [over_grey(seen) for seen in shown.values()]
            overlay = (pictures[0].astype(np.uint16) + pictures[1]) // 2
            for row, picture in zip(rows, [*pictures, overlay.astype(np.uint8)], strict=True):
                row.append(picture)
        views += [
            _scored(bench, head, subjects, sight, (yaw, pitch, name), seconds)
            for name in bench.plan.expressions
        ]
    turns = score_turns(bench, head, subjects, side_of(index), level)
    per_view = {name: total / max(count, 1) for name, (total, count) in seconds.items()}
    return PersonScore(views, turns, per_view), rows


def score_turns(
    bench: Bench, head: BenchHead, subjects: Mapping[str, Subject], side: int,
    level: Mapping[float, Mapping[str, Seen]] | None = None,
) -> dict[str, TurnScore]:  # fmt: skip
    """Jitter and warping error of a short even turn.

    level: what is known of the neutral face at pitch 0, by yaw in degrees and by subject.
    """
    plan, neutral = bench.plan, expression_of(NEUTRAL)
    if plan.frames < WINDOW:
        raise InputError(f"The turn has {plan.frames} frames; jitter needs {WINDOW} or more.")
    front, known = bench_camera(0.0, 0.0), level or {}
    clips: dict[str, list[Seen]] = {name: [] for name in (TRUE, *subjects)}
    for yaw in side * np.linspace(-plan.turn_deg / 2, plan.turn_deg / 2, plan.frames):
        if (frame := known.get(float(yaw))) is None:
            camera = bench_camera(yaw, 0.0)
            turn = turn_between(front, camera)
            frame = {TRUE: _as_seen(head.view(neutral, camera, bench.size_px))}
            frame |= {name: s.see(turn, neutral, bench.size_px) for name, s in subjects.items()}
        for name, clip in clips.items():
            clip.append(frame[name])
    return {name: _turn_score(bench, [over_grey(seen) for seen in clip]) for name, clip in clips.items()}


def _turn_score(bench: Bench, frames: list[Rgb]) -> TurnScore:
    glances = [bench.eyes.look(frame, identity=False) for frame in frames]
    points = [glance.landmarks_px for glance in glances if glance is not None]
    jitter = landmark_jitter(np.stack(points)) if len(points) == len(frames) else None
    return TurnScore(jitter, warping_error(frames))


def _sights(
    bench: Bench,
    head: BenchHead,
    subjects: Mapping[str, Subject],
    index: int,
    seconds: dict[str, list[float]],
) -> Iterator[tuple[float, float, Sight]]:
    front, neutral = bench_camera(0.0, 0.0), expression_of(NEUTRAL)
    for yaw in bench.plan.yaws_deg:
        for pitch in bench.plan.pitches_deg:
            camera = bench_camera(side_of(index) * yaw, pitch)
            turn = turn_between(front, camera)
            shown = {n: _timed(s, turn, neutral, bench, seconds[n]) for n, s in subjects.items()}
            yield yaw, pitch, Sight(camera, turn, head.view(neutral, camera, bench.size_px), shown)


def _scored(
    bench: Bench, head: BenchHead, subjects: Mapping[str, Subject], sight: Sight,
    place: tuple[float, float, str], seconds: dict[str, list[float]],
) -> ScoredView:  # fmt: skip
    yaw, pitch, name = place
    expression, is_neutral = expression_of(name), name == NEUTRAL
    true = sight.neutral if is_neutral else head.view(expression, sight.camera, bench.size_px)
    truth = _truth(bench, true, sight)
    scores = {}
    for subject_name, subject in subjects.items():
        neutral = sight.neutral_shown[subject_name]
        seen = (
            neutral if is_neutral else _timed(subject, sight.turn, expression, bench, seconds[subject_name])
        )
        rgb = over_grey(seen)
        shown = Shown(
            rgb=rgb,
            rgb_neutral=over_grey(neutral),
            alpha=seen.alpha,
            distance=seen.distance,
            pose=subject.pose(sight.turn, expression),
            landmarks_neutral=subject.pose(sight.turn, expression_of(NEUTRAL)).landmarks,
            glance=bench.eyes.look(rgb),
        )
        scores[subject_name] = score_view(shown, truth, is_neutral=is_neutral, perceptual=bench.perceptual)
    return ScoredView(yaw, pitch, name, scores)


def _truth(bench: Bench, true: TrueView, sight: Sight) -> Truth:
    rgb = over_grey(_as_seen(true))
    front = bench_camera(0.0, 0.0).project(sight.neutral.landmarks).uv.numpy() * bench.size_px
    return Truth(
        rgb=rgb,
        rgb_neutral=over_grey(_as_seen(sight.neutral)),
        alpha=true.alpha,
        camera=sight.camera,
        landmarks=true.landmarks,
        landmarks_neutral=sight.neutral.landmarks,
        depth=true.depth,
        regions=true.regions,
        features=None if bench.perceptual is None else bench.perceptual.features(rgb),
        unit_px=float(interocular_px(front)),
        glance=bench.eyes.look(rgb),
    )


def _timed(subject: Subject, turn: Tensor, expression: Tensor, bench: Bench, seconds: list[float]) -> Seen:
    start = time.perf_counter()
    seen = subject.see(turn, expression, bench.size_px)
    seconds[0], seconds[1] = seconds[0] + time.perf_counter() - start, seconds[1] + 1
    return seen


def _as_seen(view: TrueView) -> Seen:
    return Seen(view.rgb, view.alpha)


def _level(plan: ViewPlan) -> float:
    """The pitch whose views are pictured: that nearest to 0."""
    return min(plan.pitches_deg, key=abs)
