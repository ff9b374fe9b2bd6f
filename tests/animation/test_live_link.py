"""CSV files of Live Link Face: what recordings look like is read, and what is written is read by others."""

import csv
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from tests.animation.test_retarget import make_motion

from mien.animation.drivers import read_driver, write_any_motion
from mien.animation.live_link import (
    COLUMNS,
    LIVE_LINK_NAMES,
    eye_columns,
    head_columns,
    head_rotations,
    read_live_link,
    write_live_link,
)
from mien.animation.motion import Motion
from mien.animation.rotations import head_angles, head_rotation, rotation_angle
from mien.core.arkit import ARKIT_INDEX, ARKIT_NAMES
from mien.core.errors import InputError

JAW = ARKIT_INDEX["jawOpen"]
HEADER = ("Timecode", "BlendShapeCount", *COLUMNS)


def cells(jaw: float = 0.25, **more: float) -> list[str]:
    """The 61 numbers of a row, as the app writes them."""
    values = dict.fromkeys(COLUMNS, 0.0) | {"JawOpen": jaw} | more
    return [f"{values[name]:.10f}" for name in COLUMNS]


def take(path: Path, rows: list[list[str]], header: tuple[str, ...] = HEADER) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def timed(count: int, base: int = 60, step: int = 1) -> list[str]:
    frames = [532 * 60 + 7 + k * step for k in range(count)]
    return [
        f"00:{f // base // 60:02d}:{f // base % 60:02d}:{f % base:02d}.{k:03d}" for k, f in enumerate(frames)
    ]


def test_the_columns_are_the_apps() -> None:
    assert len(COLUMNS) == 61
    assert COLUMNS[:2] == ("EyeBlinkLeft", "EyeLookDownLeft")
    assert COLUMNS[14:18] == ("JawForward", "JawRight", "JawLeft", "JawOpen")
    assert COLUMNS[21:23] == ("MouthRight", "MouthLeft")
    assert COLUMNS[51:] == (
        "TongueOut", "HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw", "LeftEyePitch", "LeftEyeRoll",
        "RightEyeYaw", "RightEyePitch", "RightEyeRoll",
    )  # fmt: skip
    assert sorted(LIVE_LINK_NAMES) == sorted(ARKIT_NAMES)


def test_names_not_places_decide(tmp_path: Path) -> None:
    """Left and right of the jaw stand the other way round than in mien."""
    rows = [[code, "61", *cells(JawRight=0.1, JawLeft=0.2, MouthRight=0.3)] for code in timed(3)]
    motion = read_live_link(take(tmp_path / "take.csv", rows))
    assert motion.coefficients[0, ARKIT_INDEX["jawRight"]] == np.float32(0.1)
    assert motion.coefficients[0, ARKIT_INDEX["jawLeft"]] == np.float32(0.2)
    assert motion.coefficients[0, ARKIT_INDEX["mouthRight"]] == np.float32(0.3)


@pytest.mark.parametrize(("base", "step", "fps"), [(60, 1, 60), (60, 2, 30), (30, 1, 30), (25, 1, 25)])
def test_rates_are_found(tmp_path: Path, base: int, step: int, fps: int) -> None:
    """At 30 frames a second the app counts two numbers of 60 a frame; other clocks have their own rate."""
    rows = [[code, "61", *cells()] for code in timed(3 * base, base, step)]
    motion = read_live_link(take(tmp_path / "take.csv", rows))
    assert motion.fps == fps
    assert len(motion) == int(motion.found.sum()) == 3 * base
    np.testing.assert_allclose(motion.time_s, np.arange(3 * base) / fps, atol=0.1 / base * 3)


def test_coefficients_a_little_beyond_one_are_clipped(tmp_path: Path) -> None:
    rows = [[code, "61", *cells(EyeLookInLeft=1.0758537054, TongueOut=-1e-6)] for code in timed(4)]
    motion = read_live_link(take(tmp_path / "take.csv", rows))
    assert motion.coefficients.max() == 1.0
    assert motion.coefficients.min() == 0.0


def test_rows_without_a_face_are_interpolated(tmp_path: Path) -> None:
    codes = timed(7)
    rows = [[code, "61", *cells(0.1 * k)] for k, code in enumerate(codes)]
    rows[2] = [codes[2], "0"]
    rows[3] = [codes[3], "0", *[""] * 61]
    rows[5][2 + COLUMNS.index("JawOpen")] = "nan"
    motion = read_live_link(take(tmp_path / "take.csv", rows))
    np.testing.assert_array_equal(motion.found, [True, True, False, False, True, False, True])
    np.testing.assert_allclose(motion.coefficients[:, JAW], 0.1 * np.arange(7), atol=3e-3)


def test_rows_that_come_twice_count_once(tmp_path: Path) -> None:
    codes = timed(6)
    rows = [[code, "61", *cells()] for code in (*codes[:3], codes[2], *codes[3:])]
    assert len(read_live_link(take(tmp_path / "take.csv", rows))) == 6


def test_a_given_rate_counts_rows(tmp_path: Path) -> None:
    rows = [["no timecode", "61", *cells()] for _ in range(5)]
    motion = read_live_link(take(tmp_path / "take.csv", rows), fps=Fraction(24))
    np.testing.assert_allclose(motion.time_s, np.arange(5) / 24)
    assert motion.fps == 24


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll", "angles"),
    [(0.3, 0, 0, (-0.3, 0, 0)), (0, 0.2, 0, (0, -0.2, 0)), (0, 0, 0.1, (0, 0, -0.1))],
)
def test_head_angles_have_the_apps_signs(
    yaw: float, pitch: float, roll: float, angles: tuple[float, float, float]
) -> None:
    """To the own right is the picture's left, pitch is down, roll is clockwise."""
    R = head_rotations(np.array([[yaw, pitch, roll]]))
    np.testing.assert_allclose(head_angles(R)[0], angles, atol=1e-12)


def test_eye_angles_are_those_of_recordings() -> None:
    """Rows of a recording, in which an eye at rest looks 0.067 rad outwards: slopes and roll agree."""
    recorded = np.array(  # LookDown, LookIn, LookOut, LookUp of the left eye; its yaw, pitch, roll
        [
            [0.0, 0.0, 0.4747245610, 0.4236015081, -0.3406138718, -0.1919288635, 0.0648249611],
            [0.0, 1.0689506531, 0.0, 0.4973451495, 0.5971008539, -0.2707789242, -0.1548289359],
            [0.2114743441, 0.0722227991, 0.0, 0.0, -0.0278781932, 0.1291915625, -0.0036213147],
        ]
    )
    coefficients = np.zeros((3, 52))
    names = [f"eyeLook{way}Left" for way in ("Down", "In", "Out", "Up")]
    coefficients[:, [ARKIT_INDEX[name] for name in names]] = recorded[:, :4]
    found = eye_columns(coefficients)[:, :3]
    np.testing.assert_allclose(found[:, 0] - 0.067, recorded[:, 4], atol=0.015)
    np.testing.assert_allclose(found[:, 1], recorded[:, 5], atol=0.06)
    roll = np.arctan(np.tan(recorded[:, 5]) * np.sin(recorded[:, 4]))
    np.testing.assert_allclose(roll, recorded[:, 6], atol=2e-5)


@pytest.fixture
def motion() -> Motion:
    rng = np.random.default_rng(0)
    R = head_rotation(rng.normal(0, 0.3, (90, 3)))
    motion = make_motion(rng.uniform(0, 1, (90, 52)), R, np.tile([0.0, 0.0, -0.95], (90, 1)))
    return replace(motion, time_s=np.arange(90) / 30, fps=Fraction(30))


def test_round_trip(motion: Motion, tmp_path: Path) -> None:
    write_any_motion(motion, tmp_path / "take.csv")
    again = read_driver(tmp_path / "take.csv")
    assert again.fps == 30
    np.testing.assert_allclose(again.time_s, motion.time_s, atol=1e-5)
    np.testing.assert_allclose(again.coefficients, motion.coefficients, atol=1e-7)
    assert rotation_angle(np.swapaxes(again.R_camera_head, 1, 2) @ motion.R_camera_head).max() < 1e-3
    write_any_motion(again, tmp_path / "again.csv")
    assert read_driver(tmp_path / "again.csv").coefficients.tobytes() == again.coefficients.tobytes()


def test_head_columns_invert_head_rotations(motion: Motion) -> None:
    R = motion.R_camera_head
    np.testing.assert_allclose(head_rotations(head_columns(R)), R, atol=1e-6)


@pytest.mark.parametrize("count", [1, 10, 90])
def test_what_is_written_is_what_unreals_importer_asks_for(
    motion: Motion, tmp_path: Path, count: int
) -> None:
    """Its rules: the first two names exactly, as many columns in every row, four parts in a timecode, and 60
    frames a second only if a frame number is above 30."""
    short = Motion.from_frames(list(motion)[:count], motion.fps, motion.source)
    write_live_link(short, tmp_path / "take.csv")
    lines = (tmp_path / "take.csv").read_bytes().decode("ascii").splitlines()
    header = lines[0].split(",")
    assert header[:2] == ["Timecode", "BlendShapeCount"]
    rows = [line.split(",") for line in lines[1:]]
    assert {len(row) for row in rows} == {len(header)} == {63}
    parts = [row[0].split(":") for row in rows]
    assert {len(part) for part in parts} == {4}
    frame = np.array([float(part[3]) for part in parts])
    assert frame.max() > 30
    seconds = np.array([int(h) * 3600 + int(m) * 60 + int(s) for h, m, s, _ in parts]) + frame / 60
    np.testing.assert_allclose(seconds - seconds[0], short.time_s, atol=1e-4)


@pytest.mark.parametrize(
    ("header", "row", "words"),
    [
        (("Timecode", "BlendShapeCount", "a", "b"), ["00:00:00:00", "61", "0", "0"], "no ARKit coefficient"),
        (("Time", "x"), ["0", "1"], "x"),
        ((*HEADER[:18], "JawOpn", *HEADER[20:]), None, "did you mean jawOpen"),
        ((*HEADER, "jawOpen"), [*["0"] * 64], "two columns of jawOpen"),
        (HEADER, ["00:00:00:00", "61", "0.5"], r"take\.csv, line 2 has 3 columns, expected 63"),
        (HEADER, ["oops", "61", *cells()], r"take\.csv, line 2 has the timecode 'oops'"),
        (HEADER, ["00:00:00:00", "61", "x", *cells()[1:]], r"take\.csv, line 2 has a cell that is no number"),
        (HEADER, ["00:00:00:00", "61", *cells(85.0)], "percentages"),
        (HEADER, ["00:00:00:00", "0"], "no row with numbers"),
    ],
)  # fmt: skip
def test_wrong_columns_are_named(
    tmp_path: Path, header: tuple[str, ...], row: list[str] | None, words: str
) -> None:
    path = take(tmp_path / "take.csv", [row or ["00:00:00:00", *["0"] * (len(header) - 1)]], header)
    with pytest.raises(InputError, match=words):
        read_driver(path)


def test_timecodes_that_stand_still_are_named(tmp_path: Path) -> None:
    rows = [["00:00:00:00.000", "61", *cells()] for _ in range(5)]
    with pytest.raises(InputError, match="do not rise in 4 of 5 rows"):
        read_driver(take(tmp_path / "take.csv", rows))


@pytest.mark.parametrize("content", [b"", b"Timecode,BlendShapeCount\n", b"\xff\xfe\x00\x01"])
def test_empty_and_binary_files_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "take.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"take\.csv"):
        read_driver(tmp_path / "take.csv")


def test_a_byte_order_mark_is_no_part_of_the_name(tmp_path: Path) -> None:
    path = take(tmp_path / "take.csv", [[code, "61", *cells()] for code in timed(3)])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    motion = read_driver(path)
    assert len(motion) == 3
    assert len(motion.source.sha256) == 64
