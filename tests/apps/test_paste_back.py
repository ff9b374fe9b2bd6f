"""Heads pasted back, through the command line: what is written, and sentences for what cannot be."""

from collections.abc import Iterable
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

from mien.animation.paste.cast import chosen_faces
from mien.apps.casting import Part, parsed_cast
from mien.apps.cli import run
from mien.core.errors import InputError, NoFaceError
from mien.io.images import read_photo
from mien.io.video import VideoReader

MOTION = '{"fps": 10, "keyframes": [{"time_s": 0}, {"time_s": 0.2, "jawOpen": 0.5}]}'


@pytest.fixture(scope="module")
def pair_file(portrait_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The portrait on the left, and larger and mirrored on the right."""
    portrait = Image.open(portrait_file)
    picture = Image.new("RGB", (700, 384), (90, 110, 130))
    picture.paste(portrait, (20, 100))
    picture.paste(portrait.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((384, 384)), (316, 0))
    path = tmp_path_factory.mktemp("pair") / "pair.png"
    picture.save(path)
    return path


@pytest.fixture
def motion(tmp_path: Path) -> Path:
    path = tmp_path / "m.json"
    path.write_text(MOTION)
    return path


def test_faces_and_drivers_are_parsed() -> None:
    assert parsed_cast([], "a.mp4") == [Part("largest", None)]
    assert parsed_cast(["left"], "a.mp4") == [Part("left", None)]
    assert parsed_cast(["0:a.mp4", "right:webcam:0"], None) == [Part("0", "a.mp4"), Part("right", "webcam:0")]


@pytest.mark.parametrize(
    ("faces", "drive", "words"),
    [
        (["0:a.mp4"], "b.mp4", "both give a driver"),
        (["0:a.mp4", "1"], None, "--face 1 has no driver"),
        (["0", "1"], "b.mp4", "--face 0 has no driver"),
        (["0:"], None, "expected a face or FACE:DRIVER"),
        ([":a.mp4"], None, "expected a face or FACE:DRIVER"),
    ],
)
def test_what_does_not_go_together(faces: list[str], drive: str | None, words: str) -> None:
    with pytest.raises(click.UsageError, match=words):
        parsed_cast(faces, drive)


def test_faces_are_numbered_by_size(pair_file: Path) -> None:
    photo = read_photo(pair_file)
    assert chosen_faces(photo, ["left", "right"]) == ["1", "0"]
    assert chosen_faces(photo, ["largest", "1"]) == ["0", "1"]
    with pytest.raises(InputError, match=r"0 and right are the same face"):
        chosen_faces(photo, ["0", "right"])
    with pytest.raises(InputError, match=r"\(face 1\)"):
        chosen_faces(photo, ["1", "1"])
    with pytest.raises(NoFaceError, match="2 faces were found"):
        chosen_faces(photo, ["0", "2"])


def refusals(pair: Path, motion: Path, avatar: Path, portrait: Path) -> Iterable[tuple[list[str], str]]:
    m = str(motion)
    yield [str(pair), "--face", f"5:{m}"], "Face number 5 was asked for"
    yield [str(pair), "--face", f"0:{m}", "--face", f"largest:{m}"], "Two drivers were given for one face"
    yield [str(pair), "--face", "0:none.mp4"], "none.mp4 does not exist"
    yield [str(pair), "--face", f"0:{m}", "--crop"], "--crop draws the head alone"
    yield [str(pair), "--face", f"nose:{m}"], "does not choose a face"
    yield [str(avatar), "--drive", m, "--paste-back"], "--into"
    yield [str(avatar), "--drive", m, "--paste-back", "--into", str(pair)], "is not the photo of the avatar"
    yield [str(avatar), "--face", f"0:{m}", "--face", f"1:{m}"], "give the photo as source"
    yield [str(portrait), "--drive", m, "--paste-back", "-o", "nowhere/a.mp4"], "nowhere does not exist"


def test_refusals_are_one_sentence_before_the_work(
    pair_file: Path, motion: Path, avatar_file: Path, portrait_file: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for arguments, words in refusals(pair_file, motion, avatar_file, portrait_file):
        assert run(["animate", "-o", str(tmp_path / "a.mp4"), *arguments]) == 2, arguments
        out, err = capsys.readouterr()
        assert out == ""
        assert words in err
        assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["m.json"]


def test_an_avatar_goes_back_into_its_photo(
    avatar_file: Path, portrait_file: Path, motion: Path, tmp_path: Path
) -> None:
    output = tmp_path / "a.mp4"
    line = ["animate", str(avatar_file), "--drive", str(motion), "--paste-back", "--into", str(portrait_file)]
    assert run([*line, "-o", str(output)]) == 0
    with VideoReader(output) as reader:
        frames = [frame.rgb for frame in reader]
    photo = read_photo(portrait_file).rgb
    assert frames[0].shape == photo.shape
    assert np.abs(frames[0][-40:].astype(int) - photo[-40:]).mean() < 3  # her chest, but for compression
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "m.json"]
