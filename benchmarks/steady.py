"""Measures how steady an animation is: tracker noise, smoothing's lag, false and lost faces, drift, jitter.

    python benchmarks/steady.py [--media FOLDER] [--videos FOLDER]

Noise is measured on the drivers; lag, false poses, lost faces and drift on synthetic motions of known truth
with that noise added; jitter on outputs NAME_x_DRIVER.mp4 and avatars NAME.mien in `--videos`, such as those
of `benchmarks/animation.py`. Writes results/steady.json and docs/media/steady.png.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import savgol_filter

from mien.animation.filling import fill_gaps
from mien.animation.follow import FaceFollower
from mien.animation.kinds import read_avatar
from mien.animation.kinds.base import carry_to_avatar
from mien.animation.motion import Motion, MotionFrame, MotionSource
from mien.animation.retarget import Retargeting
from mien.animation.rotations import rotation_angle, rotation_exp, rotation_log
from mien.animation.smoothing import Smoothing, StreamingSmoother, smooth_motion
from mien.animation.track import ClipTracker, track_video, without_false_poses
from mien.animation.translate import Translation
from mien.core.arkit import ARKIT_INDEX
from mien.core.atomic import atomic_path
from mien.evaluation.clips import SeenClip, see_clip
from mien.evaluation.metrics.jitter import DEGREE, WINDOW, landmark_jitter
from mien.evaluation.metrics.landmarks import interocular_px
from mien.io.video import VideoReader
from mien.morphable.model import load_head_model

ROOT = Path(__file__).resolve().parent.parent
DRIVERS = ("driver_man_18.mp4", "driver_woman_10.mp4")
STRENGTHS = (0.5, 1.0, 2.0, 4.0)
FPS = 30
SECONDS = 40
CALM = 15
"""Frames over which a motion is smoothed that the tracker should find smooth."""
FINE = 20
"""Steps per frame in which lags are looked for."""
JAW, BLINK = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["eyeBlinkLeft"]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Noise:
    """Standard deviations of what a parabola over nine frames leaves in the calm half of a clip."""

    rotation_deg: float
    coefficients: float
    place: float

    @classmethod
    def of(cls, motion: Motion) -> "Noise":
        """Of a tracked, not smoothed motion."""
        turns = np.degrees(rotation_log(motion.R_camera_head @ motion.R_camera_head[0].T))
        return cls(*(_calm_rest(v) for v in (turns, motion.coefficients, motion.translation_head)))


def _calm_rest(values: NDArray[np.floating]) -> float:
    """Of the calm half, as a parabola leaves motion over too; corrected for what it takes of white noise."""
    rest = np.asarray(values, np.float64) - savgol_filter(values, WINDOW, DEGREE, axis=0)
    power = (rest**2).mean(1)
    impulse = np.zeros(4 * WINDOW)
    impulse[2 * WINDOW] = 1
    left = ((impulse - savgol_filter(impulse, WINDOW, DEGREE)) ** 2).sum()
    return float(np.sqrt(power[power <= np.median(power)].mean() / left))


def synthetic(count: int) -> Motion:
    """A head that turns (0.25 to 2 Hz), speaks (syllables of 4 Hz), and blinks (0.2 s) without noise."""
    time_s = np.arange(count) / FPS
    rate_hz = 0.25 + 1.75 * (time_s / time_s[-1])
    yaw = np.radians(15) * np.sin(2 * np.pi * np.cumsum(rate_hz) / FPS)
    nod = np.radians(6) * np.sin(2 * np.pi * 0.7 * time_s)
    coefficients = np.zeros((count, 52))
    coefficients[:, JAW] = 0.25 * (1 - np.cos(2 * np.pi * 4 * time_s)) * (np.sin(0.9 * time_s) > -0.3)
    coefficients[:, BLINK] = np.clip(1 - np.abs((time_s % 2.7) - 1) / 0.1, 0, 1) ** 0.5
    vectors = np.stack([nod, yaw, 0 * yaw], 1)
    place = np.stack([0.1 * np.sin(2 * np.pi * 0.4 * time_s), 0 * yaw, -1 + 0 * yaw], 1)
    return Motion(
        time_s, coefficients.astype(np.float32), rotation_exp(vectors).astype(np.float32),
        place.astype(np.float32), np.ones(count, bool), Fraction(FPS), MotionSource("synthetic", ""),
    )  # fmt: skip


def noisy(motion: Motion, noise: Noise, seed: int = 0) -> Motion:
    """The motion as a tracker with this noise sees it."""
    random = np.random.default_rng(seed)
    turn = rotation_exp(random.normal(0, np.radians(noise.rotation_deg), (len(motion), 3)))
    coefficients = motion.coefficients + random.normal(0, noise.coefficients, motion.coefficients.shape)
    place = motion.translation_head + random.normal(0, noise.place, (len(motion), 3))
    return replace(
        motion,
        coefficients=np.clip(coefficients, 0, 1).astype(np.float32),
        R_camera_head=(turn @ motion.R_camera_head).astype(np.float32),
        translation_head=place.astype(np.float32),
    )


def streamed(motion: Motion, smoothing: Smoothing) -> Motion:
    """As live input is smoothed."""
    smoother = StreamingSmoother(smoothing)
    return Motion.from_frames([smoother(frame) for frame in motion], motion.fps, motion.source)


def lag_ms(signal: Array, truth: Array) -> float:
    """The shift of the signal that fits the truth best, in ms; positive is late."""
    at = np.arange(len(truth) * FINE) / FINE
    fine_truth = np.interp(at, np.arange(len(truth)), truth)
    fine = np.interp(at, np.arange(len(signal)), signal)
    shifts = np.arange(-3 * FINE, 6 * FINE + 1)
    middle = slice(8 * FINE, -8 * FINE)
    apart = [np.mean((np.roll(fine, -s)[middle] - fine_truth[middle]) ** 2) for s in shifts]
    return float(shifts[int(np.argmin(apart))] / FINE / FPS * 1000)


def yaw_deg(motion: Motion) -> Array:
    """Turn about the upright axis since the identity."""
    return np.asarray(np.degrees(rotation_log(motion.R_camera_head)[:, 1]))


def measure_smoothing(noise: Noise) -> dict[str, Any]:
    """Lag, what noise is left at rest, and the error against the truth, by strength."""
    truth = synthetic(SECONDS * FPS)
    still = replace(
        truth,
        coefficients=np.full_like(truth.coefficients, 0.3),
        R_camera_head=np.repeat(truth.R_camera_head[:1], len(truth), 0),
    )
    seen, rest = noisy(truth, noise), noisy(still, noise)
    rows: dict[str, Any] = {"unsmoothed": {"pose_error_deg": _pose_error(seen, truth)}}
    for way, smooth in (("file", smooth_motion), ("live", streamed)):
        for strength in STRENGTHS:
            smoothing = Smoothing(strength=strength)
            out, calm = smooth(seen, smoothing), smooth(rest, smoothing)
            rows[f"{way} {strength:g}"] = {
                "lag_turn_ms": lag_ms(yaw_deg(out), yaw_deg(truth)),
                "lag_jaw_ms": lag_ms(out.coefficients[:, JAW], truth.coefficients[:, JAW]),
                "lag_blink_ms": lag_ms(out.coefficients[:, BLINK], truth.coefficients[:, BLINK]),
                "jaw_amplitude": float(
                    np.quantile(out.coefficients[:, JAW], 0.95)
                    / np.quantile(truth.coefficients[:, JAW], 0.95)
                ),
                "noise_left_turn": float(np.diff(yaw_deg(calm)).std() / np.diff(yaw_deg(rest)).std()),
                "noise_left_jaw": float(
                    np.diff(calm.coefficients[:, JAW]).std() / np.diff(rest.coefficients[:, JAW]).std()
                ),
                "pose_error_deg": _pose_error(out, truth),
            }
    return rows


def _pose_error(motion: Motion, truth: Motion) -> float:
    apart = np.swapaxes(truth.R_camera_head, -1, -2).astype(np.float64) @ motion.R_camera_head
    return float(np.degrees(rotation_angle(apart)).mean())


def measure_losses(noise: Noise) -> dict[str, Any]:
    """Largest pose errors in degrees where single frames are false, and where frames are blank."""
    truth = synthetic(10 * FPS)
    seen = noisy(truth, noise)
    frames: list[MotionFrame | None] = list(seen)
    false = [*range(40, 280, 24)]
    for k in false:
        frame = seen[k]
        spin = rotation_exp(np.array([[0.5, -0.9, 0.3]]))[0]
        frames[k] = replace(frame, R_camera_head=(frame.R_camera_head @ spin).astype(np.float32))
    left = smooth_motion(_filled(frames, truth))
    removed = smooth_motion(_filled(without_false_poses(frames, truth.time_s), truth))
    blank = smooth_motion(_filled([None if 100 <= k < 106 else f for k, f in enumerate(seen)], truth))
    lost = smooth_motion(_filled([None if 100 <= k < 160 else f for k, f in enumerate(seen)], truth))
    kept = smooth_motion(seen)
    return {
        "false_frames": len(false),
        "false_frames_found": int((~removed.found).sum()),
        "largest_error_with_false_frames_deg": _largest_error(left, truth),
        "largest_error_without_them_deg": _largest_error(removed, truth),
        "largest_error_of_the_clean_clip_deg": _largest_error(kept, truth),
        "largest_error_6_blank_frames_deg": _largest_error(blank, truth),
        "largest_step_60_blank_frames_deg": _largest_step(lost),
        "largest_step_of_the_clean_clip_deg": _largest_step(kept),
    }


def _filled(frames: Sequence[MotionFrame | None], like: Motion) -> Motion:
    return Motion.from_frames(fill_gaps(list(frames), like.time_s), like.fps, like.source)


def _largest_error(motion: Motion, truth: Motion) -> float:
    apart = np.swapaxes(truth.R_camera_head, -1, -2).astype(np.float64) @ motion.R_camera_head
    return float(np.degrees(rotation_angle(apart)).max())


def _largest_step(motion: Motion) -> float:
    steps = np.swapaxes(motion.R_camera_head[:-1], -1, -2).astype(np.float64) @ motion.R_camera_head[1:]
    return float(np.degrees(rotation_angle(steps)).max())


def looped(motion: Motion, count: int = 1000) -> Motion:
    """The clip there and back again and again, 1 s of its first frame at both ends; about `count` frames."""
    length = len(motion)
    there = np.concatenate([np.arange(length), np.arange(length - 2, 0, -1)])
    rounds = max(round((count - 2 * FPS) / len(there)), 1)
    rest = np.zeros(FPS, np.int64)
    index = np.concatenate([rest, *[there] * rounds, rest])
    return Motion(
        np.arange(len(index)) / float(motion.fps), motion.coefficients[index], motion.R_camera_head[index],
        motion.translation_head[index], motion.found[index], motion.fps, motion.source,
    )  # fmt: skip


def measure_drift(motion: Motion) -> dict[str, Any]:
    """What differs between the first and the last frame of a loop after smoothing."""
    loop = smooth_motion(looped(motion))
    turn = loop.R_camera_head[0].T.astype(np.float64) @ loop.R_camera_head[-1]
    return {
        "frames": len(loop),
        "turn_deg": float(np.degrees(rotation_angle(turn))),
        "largest_coefficient": float(np.abs(loop.coefficients[0] - loop.coefficients[-1]).max()),
        "shift": float(np.abs(loop.translation_head[0] - loop.translation_head[-1]).max()),
    }  # fmt: skip


def trembling(clip: SeenClip) -> Array:
    """What a parabola over nine frames leaves of the landmarks, RMS per frame in eyes' distances, [T]."""
    points = clip.landmarks_px[clip.found].astype(np.float64)
    rest = points - savgol_filter(points, WINDOW, DEGREE, axis=0)
    return np.asarray(np.sqrt((rest**2).sum(-1).mean(-1)) / np.median(interocular_px(points)))


def tracker_jitter(path: Path, clip: SeenClip) -> float:
    """Jitter that the tracker finds where there is none: a clip's first frame, moved, turned and scaled in
    the picture as smoothly as the clip's landmarks move over half a second."""
    points = savgol_filter(clip.landmarks_px[clip.found].astype(np.float64), CALM, DEGREE, axis=0)
    with VideoReader(path) as reader:
        first = next(iter(reader)).rgb
    follow, tracked = FaceFollower(), []
    with ClipTracker() as tracker:
        for index, place in enumerate(points):
            motion = cv2.estimateAffinePartial2D(points[0], place)[0]
            moved = cv2.warpAffine(
                first, motion, first.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
            )
            face = follow(tracker.detect(np.asarray(moved, np.uint8), index / float(clip.fps)))
            if face is not None:
                tracked.append(face.landmarks_px)
    return landmark_jitter(np.stack(tracked))


def mesh_jitter(avatar: Path, motion: Motion) -> dict[str, float]:
    """Jitter of the head model's own landmarks, moved by the smoothed driver's coefficients and by those that
    are sent to an avatar in their place: what the translation adds, without any tracker's noise."""
    carried = carry_to_avatar(read_avatar(avatar), smooth_motion(motion), Retargeting())
    assert isinstance(carried, Translation)
    model = load_head_model()
    nobody = torch.zeros(len(motion), model.component_count)
    rows = {"driver": carried.plain.expression, "sent": carried.sent()}
    return {
        name: landmark_jitter(
            model.landmarks(model.vertices(nobody, torch.from_numpy(values)))[..., :2].double().numpy()
        )
        for name, values in rows.items()
    }


def plot(path: Path, curves: dict[str, tuple[Array, Array]], smoothing: dict[str, Any]) -> None:
    """Trembling of drivers and outputs over time; lag by strength."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    count = len(curves) + 1
    figure, grid = plt.subplots(count, 1, figsize=(9, 2.2 * count), squeeze=False)
    axes = grid[:, 0]
    for axis, (name, (driver, output)) in zip(axes[:-1], curves.items(), strict=True):
        axis.plot(100 * driver, color="0.6", linewidth=1, label="driver")
        axis.plot(100 * output, color="tab:red", linewidth=1, label="output")
        axis.set(title=name, xlabel="frame", ylabel="% of the eyes' distance")
        axis.legend(loc="upper right")
    for way in ("file", "live"):
        for part, style in (("turn", "-"), ("jaw", "--"), ("blink", ":")):
            lags = [smoothing[f"{way} {s:g}"][f"lag_{part}_ms"] for s in STRENGTHS]
            color = "tab:blue" if way == "live" else "tab:green"
            axes[-1].plot(STRENGTHS, lags, style, marker="o", color=color, label=f"{way}, {part}")
    axes[-1].set(xlabel="strength", ylabel="lag (ms)")
    axes[-1].legend(ncols=2)
    figure.tight_layout()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=70)
    plt.close(figure)


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--media", type=Path, default=ROOT.parent / "shared" / "media")
    parser.add_argument("--videos", type=Path, default=ROOT / "build" / "benchmarks" / "animation")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results" / "steady.json")
    parser.add_argument("--picture", type=Path, default=ROOT / "docs" / "media" / "steady.png")
    options = parser.parse_args()
    drivers = [options.media / name for name in DRIVERS if (options.media / name).is_file()]
    if not drivers:
        print(f"skipped: {options.media} lacks drivers; give their folder by --media")
        return
    motions = {path.stem: track_video(path) for path in drivers}
    noises = {name: Noise.of(motion) for name, motion in motions.items()}
    worst = Noise(*np.max([list(vars(noise).values()) for noise in noises.values()], axis=0).tolist())
    smoothing = measure_smoothing(worst)
    results: dict[str, Any] = {
        "noise": {name: vars(noise) for name, noise in noises.items()},
        "smoothing": smoothing,
        "losses": measure_losses(worst),
        "drift": {name: measure_drift(motion) for name, motion in motions.items()},
        "false_poses_in_drivers": {name: int((~motion.found).sum()) for name, motion in motions.items()},
        "jitter": {},
        "mesh_jitter": {
            f"{avatar.stem}_x_{name}": mesh_jitter(avatar, motion)
            for avatar in sorted(options.videos.glob("*.mien"))
            for name, motion in motions.items()
        },
    }
    curves = {}
    for path in drivers:
        videos = sorted(options.videos.glob(f"*_x_{path.stem}.mp4"))
        seen = see_clip(path) if videos else None
        for video in videos:
            assert seen is not None
            output = see_clip(video)
            jitters = [landmark_jitter(clip.landmarks_px[clip.found]) for clip in (output, seen)]
            results["jitter"][video.stem] = dict(
                zip(
                    ("output", "driver", "tracker_alone"),
                    (*jitters, tracker_jitter(video, output)),
                    strict=True,
                )
            )
            curves[video.stem] = trembling(seen), trembling(output)
    with atomic_path(options.results) as temporary:
        temporary.write_text(json.dumps(_rounded(results), indent=1) + "\n")
    plot(options.picture, curves, smoothing)
    print(json.dumps(_rounded(results), indent=1))


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main()
