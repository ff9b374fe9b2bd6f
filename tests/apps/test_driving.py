"""Options of drivers and retargeting: what they hand on, and how the help shows them."""

from itertools import pairwise
from pathlib import Path

import pytest

from mien.animation.motion import Motion
from mien.apps.cli import run
from mien.apps.driving import retargeting
from mien.core.arkit import ARKIT_INDEX
from mien.core.errors import InputError

PLAIN = {
    "pose": None, "relative_expression": False, "neutral": None, "regions": (), "side": "same", "matched": (),
    "limits": (), "no_pose": False, "no_expression": False,
}  # fmt: skip


def test_no_option_is_the_default() -> None:
    from mien.animation.retarget import Retargeting

    assert retargeting(**PLAIN) == Retargeting()  # type: ignore[arg-type]


def test_options_reach_the_retargeting() -> None:
    how = retargeting(
        **PLAIN  # type: ignore[arg-type]
        | {
            "regions": ({"mouth": 1.5, "brows": None}, {"head": 0.5}), "matched": ("eyes", "lips"),
            "limits": ({"yaw": 30.0}, {"zoom": 0.1}), "side": "mirrored", "neutral": "clip",
        }
    )  # fmt: skip
    assert (how.gains.mouth, how.gains.brows, how.gains.jaw, how.pose_strength) == (1.5, None, 1.0, 0.5)
    assert (how.limits.yaw_deg, how.limits.pitch_deg, how.limits.zoom) == (30.0, 35.0, 0.1)
    assert (how.match_eyes, how.match_lips, how.side) == (True, True, "mirrored")
    assert (how.neutral, how.pose_neutral) == ("clip", "clip")
    off = retargeting(**PLAIN | {"regions": ({"head": None},)})  # type: ignore[arg-type]
    assert not off.use_pose
    with pytest.raises(InputError, match="gain of jaw"):
        retargeting(**PLAIN | {"regions": ({"jaw": 9.0},)})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--region", "nose=1"], "'nose' is none of eyes"),
        (["--region", "mouth=loud"], "'mouth=loud' is not mouth=NUMBER or off"),
        (["--limit", "yaw=off"], "'yaw=off' is not yaw=NUMBER"),
        (["--edit", "jawopen=1"], "did you mean jawOpen"),
        (["--edit", "jawOpen=0.1", "--limit", "yaw=200"], "limit of yaw is 200"),
        (["--driver-fps", "0"], "1 to 240"),
        (["--side", "left"], "left"),
    ],
)
def test_bad_options_are_one_sentence(
    options: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"x")
    more = [] if "--edit" in options else ["--edit", "jawOpen=0.1"]
    assert run(["animate", str(photo), "-o", str(tmp_path / "o.mp4"), *options, *more]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error


def test_a_driver_or_an_edit_is_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["animate", "photo.png", "-o", str(tmp_path / "o.mp4")]) == 2
    assert "'--drive' or '--edit'" in capsys.readouterr().err
    assert run(["motion", "-o", str(tmp_path / "m.json")]) == 2
    assert "'--edit'" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["animate", "motion"])
def test_the_help_shows_every_option_once(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    import importlib

    assert run([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.index("Driver:") < text.index("Other options:")
    options = importlib.import_module(f"mien.apps.commands.{command}").command.params
    for name in {o for option in options for o in option.opts if o.startswith("--")}:
        assert text.count(f"{name} ") + text.count(f"{name}\n") >= 1, name


def test_motions_go_from_form_to_form(tmp_path: Path) -> None:
    names = ["a.json", "b.csv", "c.arkit.json", "d.npz"]
    files = [str(tmp_path / name) for name in names]
    edits = ["--edit", "0:", "--edit", "1:jawOpen=0.5,yaw=20", "--edit", "2:"]
    assert run(["motion", *edits, "-o", files[0]]) == 0
    for source, target in pairwise(files):
        assert run(["motion", source, "-o", target]) == 0
    first, last = Motion.load(files[0]), Motion.load(files[-1])
    assert len(last) == 50
    assert last.fps == 25
    jaw = ARKIT_INDEX["jawOpen"]
    assert abs(first.coefficients - last.coefficients).max() < 1e-6
    assert last.coefficients[:, jaw].max() == pytest.approx(0.5, abs=1e-3)
    assert abs(first.R_camera_head - last.R_camera_head).max() < 1e-4


def test_a_photo_is_moved_by_edits_alone(avatar_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "o.mp4"
    edits = ["--edit", "0:", "--edit", "0.12:jawOpen=0.5,yaw=20"]
    assert run(["animate", str(avatar_file), *edits, "--crop", "64", "-o", str(output)]) == 0
    from mien.io.video import VideoReader

    with VideoReader(output) as reader:
        frames = [frame.rgb.astype(int) for frame in reader]
    assert len(frames) == 3
    assert abs(frames[0] - frames[-1]).mean() > 2
