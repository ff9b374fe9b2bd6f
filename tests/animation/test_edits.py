"""Edits and keyframes: what they parse to, the way between them, and what they do to a motion."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from tests.animation.test_retarget import make_motion

from mien.animation.drivers import edited, read_driver, write_motion
from mien.animation.edits import Edits, parse_edits
from mien.animation.keyframes import Keyframe, evaluate, rotations_through
from mien.animation.motion import Motion
from mien.animation.retarget import Retargeting, retarget
from mien.animation.rotations import head_angles, head_rotation, rotation_angle
from mien.core.arkit import ARKIT_INDEX
from mien.core.errors import InputError

JAW, SMILE = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthSmileLeft"]
R_SOURCE = head_rotation(np.radians([12.0, -5.0, 3.0]))


def at(edits: Edits, *times_s: float) -> tuple[np.ndarray, np.ndarray]:
    track = edits.at(np.array(times_s))
    return track.coefficients, np.degrees(head_angles(track.R))


def test_an_edit_without_time_holds_always() -> None:
    coefficients, angles = at(parse_edits(["jawOpen=0.4,yaw=20", "roll=-5"]), 0.0, 3.0)
    assert coefficients[:, JAW].tolist() == [0.4, 0.4]
    np.testing.assert_allclose(angles, [[20, 0, -5]] * 2, atol=1e-9)


def test_keyframes_are_passed_and_held() -> None:
    edits = parse_edits(["1.5:jawOpen=0.6,yaw=20", "0:jawOpen=0,yaw=0", "2:jawOpen=0.6"])
    coefficients, angles = at(edits, 0.0, 0.75, 1.5, 1.75, 5.0)
    assert coefficients[:, JAW].tolist() == pytest.approx([0, coefficients[1, JAW], 0.6, 0.6, 0.6])
    assert 0 < coefficients[1, JAW] < 0.6
    np.testing.assert_allclose(angles[[0, 2, 3, 4], 0], [0, 20, 20, 20], atol=1e-9)
    assert edits.duration_s == 2.0


def test_an_empty_keyframe_sets_all_to_zero() -> None:
    coefficients, angles = at(parse_edits(["0:", "1:jawOpen=0.5,pitch=10", "2:"]), 0.0, 1.0, 2.0)
    assert coefficients[:, JAW].tolist() == pytest.approx([0, 0.5, 0])
    np.testing.assert_allclose(angles[:, 1], [0, 10, 0], atol=1e-9)


def test_constant_edits_lie_under_the_moving_ones() -> None:
    edits = parse_edits(["jawOpen=0.1,mouthSmileLeft=0.3,pitch=5", "0:jawOpen=0", "1:jawOpen=0.4,yaw=10"])
    coefficients, angles = at(edits, 0.0, 1.0)
    assert coefficients[:, JAW].tolist() == pytest.approx([0.1, 0.5])
    assert coefficients[:, SMILE].tolist() == pytest.approx([0.3, 0.3])
    np.testing.assert_allclose(angles[1], [10, 5, 0], atol=1e-6)


@pytest.mark.parametrize("suffix", [".json", ".csv"])
def test_keyframe_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"keys{suffix}"
    if suffix == ".json":
        frames = [{"time_s": 0, "yaw": -10}, {"time_s": 2, "jawOpen": -0.2, "yaw": 30}]
        path.write_text(json.dumps({"keyframes": frames}))
    else:
        path.write_text("time_s,jawOpen,yaw\n0,,-10\n\n2,-0.2,30\n")
    coefficients, angles = at(parse_edits([str(path)]), 0.0, 2.0)
    assert coefficients[:, JAW].tolist() == pytest.approx([-0.2, -0.2])  # held before its only keyframe
    np.testing.assert_allclose(angles[:, 0], [-10, 30], atol=1e-9)


def test_a_keyframe_table_is_a_driver_too(tmp_path: Path) -> None:
    path = tmp_path / "keys.csv"
    path.write_text("time_s,jawOpen,yaw_deg\n0,0,0\n1,0.8,30\n")
    motion = read_driver(path)
    assert (len(motion), motion.fps) == (25, Fraction(25))
    assert motion.coefficients[-1, JAW] == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["jawopen=0.5"], "did you mean jawOpen"),
        (["yaww=5"], "did you mean yaw"),
        (["smile=0.5"], "docs/motion.md"),
        (["jawOpen=1.5"], "from -1 to 1"),
        (["yaw=120"], "from -90 to 90"),
        (["jawOpen"], "name=number"),
        (["jawOpen=a"], "where a number is expected"),
        (["jawOpen=nan"], "from -1 to 1"),
        (["x:jawOpen=1"], "where a number is expected"),
        (["-1:jawOpen=1"], "rise from 0"),
        (["1:jawOpen=1", "1:yaw=3"], "rise from 0"),
        (["jawOpen=1,jawOpen=0"], "each slider once"),
        (["yaw=1,yaw_deg=2"], "twice"),
        ([""], "names no slider"),
        (["none.json"], "no keyframe file"),
    ],
)
def test_bad_edits_are_quoted(texts: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_edits(texts)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("time_s,jawOpn\n0,1\n", "line 2 has a slider 'jawOpn'.*did you mean jawOpen"),
        ("time_s,jawOpen\n0\n", "line 2 has 1 columns"),
        ("time_s,jawOpen\n0,x\n", "no number"),
        ("time_s,jawOpen\n,1\n", "no time"),
        ("time_s,jawOpen\n1,0\n0,0\n", "rise from 0"),
        ("jawOpen,yaw\n1,0\n", "starts with the column 'jawOpen'"),
    ],
)
def test_bad_tables_are_named(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "keys.csv").write_text(content)
    with pytest.raises(InputError, match=words):
        parse_edits([str(tmp_path / "keys.csv")])


def test_the_head_takes_the_shortest_way() -> None:
    R = head_rotation(np.radians([[0.0, 0.0, 0.0], [40.0, 20.0, 10.0]]))
    way = rotations_through(R, np.array([0.0, 1.0]), np.linspace(-0.5, 1.5, 81))
    np.testing.assert_allclose(way[0], R[0], atol=1e-12)
    np.testing.assert_allclose(way[-1], R[1], atol=1e-12)
    whole = rotation_angle(R[0].T @ R[1])
    before, after = rotation_angle(R[0].T @ way), rotation_angle(np.swapaxes(way, 1, 2) @ R[1])
    np.testing.assert_allclose(before + after, whole, atol=1e-9)


def test_the_head_slows_down_where_its_way_bends() -> None:
    """Straight on it keeps its pace; back again it stands still; no frame is beyond the keys."""
    fine = np.linspace(0, 2, 2001)
    on = rotations_through(
        head_rotation(np.radians(np.array([[0.0, 0, 0], [20, 0, 0], [40, 0, 0]]))), np.arange(3.0), fine
    )
    back = rotations_through(
        head_rotation(np.radians(np.array([[0.0, 0, 0], [20, 0, 0], [0, 0, 0]]))), np.arange(3.0), fine
    )
    yaw_on, yaw_back = np.degrees(head_angles(on))[:, 0], np.degrees(head_angles(back))[:, 0]
    assert (yaw_on[1001] - yaw_on[999]) / 0.002 == pytest.approx(20, rel=0.05)
    assert abs(yaw_back[1001] - yaw_back[999]) < 0.01
    assert yaw_back.max() == pytest.approx(20)
    assert (np.diff(yaw_on) >= -1e-9).all()
    for yaw in (yaw_on, yaw_back):  # no jumps of the pace
        assert np.abs(np.diff(yaw, 2)).max() < 1e-3


def test_keys_of_some_angles_leave_the_others_on_their_way() -> None:
    keyframes = [Keyframe(0.0, {"yaw_deg": 0.0, "pitch_deg": 0.0}), Keyframe(1.0, {"yaw_deg": 30.0}),
                 Keyframe(2.0, {"pitch_deg": 20.0})]  # fmt: skip
    angles = np.degrees(head_angles(evaluate(keyframes, np.array([0.0, 1.0, 2.0])).R))
    np.testing.assert_allclose(angles[[0, 2]], [[0, 0, 0], [30, 20, 0]], atol=1e-6)
    assert angles[1] == pytest.approx([30, 10, 0])


def motion_of(count: int = 11) -> Motion:
    rng = np.random.default_rng(0)
    turns = head_rotation(rng.normal(0, 0.05, (count, 3)))
    return make_motion(rng.uniform(0.1, 0.3, (count, 52)), turns, np.tile([0, 0, -1.0], (count, 1)))


def test_edits_are_added_to_a_driver() -> None:
    motion, source = motion_of(), np.full(52, 0.1)
    plain = retarget(motion, R_camera_head_source=R_SOURCE, expression_source=source)
    edits = parse_edits(["0:jawOpen=0,yaw=0", "0.4:jawOpen=0.5,yaw=20"])
    with_edits = retarget(
        motion, R_camera_head_source=R_SOURCE, expression_source=source, options=Retargeting(edits=edits)
    )
    offsets = with_edits.expression - plain.expression
    np.testing.assert_allclose(offsets[[0, -1], JAW], [0, 0.5], atol=1e-6)
    assert np.abs(np.delete(offsets, JAW, 1)).max() == 0
    yaw = np.degrees(head_angles(with_edits.R_camera_head) - head_angles(plain.R_camera_head))
    np.testing.assert_allclose(yaw[[0, -1]], [[0, 0, 0], [20, 0, 0]], atol=1e-3)


def test_edits_alone_move_the_photo() -> None:
    edits = parse_edits(["0:", "1:jawOpen=0.5,yaw=-20,pitch=10"])
    motion, source = edits.motion(), np.full(52, 0.1)
    assert len(motion) == 25
    driven = retarget(
        motion, R_camera_head_source=R_SOURCE, expression_source=source,
        options=Retargeting(edits=edits, use_expression=False, use_pose=False),
    )  # fmt: skip
    np.testing.assert_allclose(driven.expression[0], source, atol=1e-6)
    np.testing.assert_allclose(driven.R_camera_head[0], R_SOURCE, atol=1e-6)
    expected = 0.1 + edits.at(motion.time_s).coefficients[:, JAW]
    np.testing.assert_allclose(driven.expression[:, JAW], expected, atol=1e-6)
    assert rotation_angle(driven.R_camera_head[-1] @ R_SOURCE.T) > np.radians(20)
    assert (driven.translation_offset == 0).all()


def test_edits_stay_within_range_and_limits() -> None:
    edits = parse_edits(["jawOpen=1,mouthSmileLeft=-1,yaw=85"])
    driven = retarget(
        motion_of(), R_camera_head_source=R_SOURCE, expression_source=np.full(52, 0.1),
        options=Retargeting(edits=edits),
    )  # fmt: skip
    assert (driven.expression[:, JAW] == 1).all()
    assert (driven.expression[:, SMILE] == 0).all()
    assert np.degrees(head_angles(driven.R_camera_head)[:, 0]).max() <= 60.01


def test_edits_without_times_make_a_second() -> None:
    motion = parse_edits(["jawOpen=0.4,yaw=20"]).motion(Fraction(30))
    assert len(motion) == 30
    assert motion.fps == 30
    assert (motion.coefficients[:, JAW] == np.float32(0.4)).all()


def test_a_motion_file_can_be_edited_and_made_of_edits(tmp_path: Path) -> None:
    motion = motion_of()
    motion.save(tmp_path / "m.npz")
    edits = parse_edits(["jawOpen=0.4"])
    result = write_motion(tmp_path / "m.npz", tmp_path / "e.npz", edits=edits)
    unedited = write_motion(tmp_path / "m.npz", tmp_path / "f.npz")
    np.testing.assert_allclose(result.coefficients[:, JAW] - unedited.coefficients[:, JAW], 0.4, atol=1e-6)
    assert edited(motion, Edits()) is motion
    made = write_motion(None, tmp_path / "made.csv", edits=edits)
    assert read_driver(tmp_path / "made.csv").coefficients[:, JAW].tolist() == pytest.approx(
        [0.4] * len(made)
    )
    with pytest.raises(InputError, match="no driver and no edit"):
        write_motion(None, tmp_path / "x.json")
