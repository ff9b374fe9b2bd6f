"""Motions: what they hold, what they refuse, and their files."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mien.animation.motion import Motion, MotionSource
from mien.animation.motion_files import motion_from_json, motion_to_json
from mien.animation.rotations import rotation_exp
from mien.core.arkit import ARKIT_NAMES
from mien.core.errors import InputError

COUNT = 7


@pytest.fixture
def motion() -> Motion:
    rng = np.random.default_rng(0)
    return Motion(
        time_s=np.cumsum(rng.uniform(0.02, 0.05, COUNT)),
        coefficients=rng.uniform(0, 1, (COUNT, 52)).astype(np.float32),
        R_camera_head=rotation_exp(rng.normal(0, 0.5, (COUNT, 3))).astype(np.float32),
        translation_head=rng.normal(0, 1, (COUNT, 3)).astype(np.float32),
        found=rng.uniform(size=COUNT) > 0.3,
        fps=Fraction(30000, 1001),
        source=MotionSource("clip.mp4", "ab" * 32),
    )


def assert_equal(one: Motion, other: Motion, tolerance: float) -> None:
    for name in ("time_s", "coefficients", "R_camera_head", "translation_head"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=tolerance, rtol=0)
        assert getattr(one, name).dtype == getattr(other, name).dtype
    np.testing.assert_array_equal(one.found, other.found)
    assert (one.fps, one.source) == (other.fps, other.source)


@pytest.mark.parametrize(("suffix", "tolerance"), [(".json", 1e-6), (".npz", 0.0), (".JSON", 1e-6)])
def test_files_keep_everything(motion: Motion, tmp_path: Path, suffix: str, tolerance: float) -> None:
    path = tmp_path / f"m{suffix}"
    motion.save(path)
    assert_equal(Motion.load(path), motion, tolerance)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_saving_twice_gives_the_same_bytes(motion: Motion, tmp_path: Path) -> None:
    motion.save(tmp_path / "a.json")
    Motion.load(tmp_path / "a.json").save(tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_other_order_of_names_is_understood(motion: Motion) -> None:
    data = json.loads(motion_to_json(motion))
    data["names"] = data["names"][::-1]
    for frame in data["frames"]:
        frame["coefficients"] = frame["coefficients"][::-1]
    assert_equal(motion_from_json(data, name="x"), motion, 1e-6)


def test_frames_can_be_walked(motion: Motion) -> None:
    frames = list(motion)
    assert len(frames) == len(motion) == COUNT
    assert_equal(Motion.from_frames(frames, motion.fps, motion.source), motion, 0.0)
    assert motion.duration_s == pytest.approx(COUNT * 1001 / 30000)
    assert motion.found_share == pytest.approx(motion.found.mean())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "other"}, "format 'other'"),
        ({"version": 9}, "version 9"),
        ({"names": ["jawOpen"]}, "52 ARKit names"),
        ({"frames": []}, "list of frames"),
        ({"frames": [{"time_s": 0}]}, "cannot be read"),
        ({"frames": 3}, "list of frames"),
        ({"fps": "x"}, "cannot be read"),
        ({"fps": "1/0"}, "cannot be read"),
        ({"fps": "-3"}, "frame rate"),
    ],
)
def test_bad_json_is_named(motion: Motion, change: dict[str, object], words: str) -> None:
    data = json.loads(motion_to_json(motion)) | change
    with pytest.raises(InputError, match=words):
        motion_from_json(data, name="bad.json")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("coefficients", [2.0] * 52, "outside"),
        ("coefficients", [0.0] * 51, "numbers"),
        ("coefficients", [float("nan")] * 52, "finite"),
        ("rotation", [2.0, 0, 0, 0, 1, 0, 0, 0, 1], "rotation"),
        ("rotation", [1.0, 0, 0, 0, 1, 0, 0, 0, -1], "rotation"),
        ("translation", ["a", 0, 0], "cannot be read"),
        ("time_s", -5, "rise"),
        ("time_s", float("inf"), "cannot be read"),
    ],
)
def test_bad_frame_is_named(motion: Motion, key: str, value: object, words: str) -> None:
    data = json.loads(motion_to_json(motion))
    data["frames"][3][key] = value
    with pytest.raises(InputError, match=words):
        motion_from_json(data, name="bad.json")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("m.json", b"", "not JSON"),
        ("m.json", b"\xff\xfe\x00", "not JSON"),
        ("m.json", b"[1, 2]", "not a motion file"),
        ("m.npz", b"", "not a motion file"),
        ("m.npz", b"PK\x03\x04 broken", "not a motion file"),
        ("m.txt", b"{}", "suffix"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words):
        Motion.load(tmp_path / name)


def test_missing_file_and_arrays_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no motion file"):
        Motion.load(tmp_path / "none.json")
    np.savez(tmp_path / "m.npz", header=np.array("{}"))
    with pytest.raises(InputError, match="no array time_s"):
        Motion.load(tmp_path / "m.npz")


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    arrays = dict.fromkeys(("header", "time_s", "coefficients", "R_camera_head", "translation_head", "found"))
    np.savez(tmp_path / "m.npz", **{name: np.array([{}], object) for name in arrays})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="not a motion file"):
        Motion.load(tmp_path / "m.npz")


def test_failed_save_leaves_nothing(motion: Motion, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="suffix"):
        motion.save(tmp_path / "m.pkl")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["coefficients", "R_camera_head", "translation_head", "found"])
def test_wrong_shape_is_refused(motion: Motion, name: str) -> None:
    with pytest.raises(InputError, match=name):
        replace(motion, **{name: getattr(motion, name)[:-1]})


def test_names_are_written(motion: Motion) -> None:
    assert json.loads(motion_to_json(motion))["names"] == list(ARKIT_NAMES)
