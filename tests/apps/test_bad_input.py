"""Bad input through the command line: exit code 2, one helpful sentence, nothing left behind."""

import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from mien.apps.cli import run
from mien.core.checkpoint import read_safetensors, write_safetensors
from mien.io.video import VideoWriter

Make = Callable[[Path], Path]


@pytest.fixture
def refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must fail; checks how, and that no file came or changed; gives the sentence."""

    def check(*arguments: str | Path) -> str:
        before = listing(tmp_path)
        capfd.readouterr()
        assert run([str(argument) for argument in arguments]) == 2
        out, err = capfd.readouterr()
        assert out == ""
        assert_one_sentence(err)
        assert listing(tmp_path) == before
        return err

    return check


def listing(folder: Path) -> dict[Path, tuple[int, int]]:
    return {path: (s.st_size, s.st_mtime_ns) for path in folder.rglob("*") if (s := path.stat())}


def assert_one_sentence(err: str) -> None:
    assert err.startswith("mien: ")
    assert err.endswith((".\n", "?\n"))
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    assert 30 < len(err) < 500, err


# -------------------------------------------------------------------------- files that are not what they seem


def missing(folder: Path) -> Path:
    return folder / "missing.png"


def directory(folder: Path) -> Path:
    (folder / "folder.png").mkdir()
    return folder / "folder.png"


def empty(folder: Path) -> Path:
    (folder / "empty.png").touch()
    return folder / "empty.png"


def text(folder: Path) -> Path:
    (folder / "text.png").write_text("Dear reader, this is no picture. " * 40)
    return folder / "text.png"


def cut_jpeg(folder: Path) -> Path:
    path = folder / "cut.jpg"
    noise_picture(path)
    path.write_bytes(path.read_bytes()[:3000])
    return path


def noise(folder: Path) -> Path:
    return noise_picture(folder / "noise.png")


def noise_picture(path: Path) -> Path:
    pixels = np.random.default_rng(1).integers(0, 256, (96, 128, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


PHOTOS: list[tuple[Make, str]] = [
    (missing, "cannot be opened|does not exist"),
    (directory, "is a folder|holds no photos"),
    (empty, r"is empty \(0 bytes\)"),
    (text, "is not a picture"),
    (cut_jpeg, "damaged or cut off"),
    (noise, "No face was found"),
]


def names(cases: list[tuple[Make, str]]) -> list[str]:
    return [make.__name__ for make, _ in cases]


def photo_command(command: str, photo: Path, portrait: Path) -> list[str | Path]:
    """A command line on a photo, with all else in order."""
    output = photo.parent / output_name(command)
    driver: list[str | Path] = ["--drive", portrait] if command == "animate" else []
    return [command, photo, *driver, "-o", output]


@pytest.mark.parametrize("command", ["invert", "fit", "align", "animate", "orbit"])
@pytest.mark.parametrize(("make", "sentence"), PHOTOS, ids=names(PHOTOS))
def test_photo(
    command: str, make: Make, sentence: str, tmp_path: Path, portrait_file: Path, refused: Callable[..., str]
) -> None:
    photo = make(tmp_path)
    err = refused(*photo_command(command, photo, portrait_file))
    assert_matches(sentence, err)
    assert photo.name in err or "No face" in err


@pytest.mark.parametrize("command", ["invert", "fit", "align", "animate", "orbit"])
@pytest.mark.parametrize(
    ("face", "sentence"),
    [("3", "Face number 3 was asked for, but one face was found"), ("top", "'top' does not choose a face")],
)
def test_face_that_is_not_there(
    command: str, face: str, sentence: str, tmp_path: Path, portrait_file: Path, refused: Callable[..., str]
) -> None:
    photo = tmp_path / "portrait.png"
    photo.write_bytes(portrait_file.read_bytes())
    assert sentence in refused(*photo_command(command, photo, portrait_file), "--face", face)


# ---------------------------------------------------------------------------- drivers


def text_video(folder: Path) -> Path:
    (folder / "text.mp4").write_text("Dear reader, this is no video. " * 40)
    return folder / "text.mp4"


def only_sound(folder: Path) -> Path:
    path = folder / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        stream.layout = "mono"
        tone = np.sin(np.arange(1024 * 20) * 2 * math.pi * 440 / 48000).astype(np.float32)[None]
        for start in range(0, tone.shape[1], 1024):
            frame = av.AudioFrame.from_ndarray(tone[:, start : start + 1024], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def faceless_video(folder: Path) -> Path:
    path = folder / "noise.mp4"
    pixels = np.random.default_rng(1).integers(0, 256, (96, 128, 3), np.uint8)
    with VideoWriter(path, 25, 128, 96) as writer:
        for _ in range(4):
            writer.write(pixels)
    return path


def cut_video(folder: Path) -> Path:
    path = faceless_video(folder).rename(folder / "cut.mp4")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def json_file(content: str) -> Make:
    def make(folder: Path) -> Path:
        (folder / "motion.json").write_text(content)
        return folder / "motion.json"

    return make


def no_npz(folder: Path) -> Path:
    (folder / "motion.npz").write_bytes(b"PK\x03\x04 and no more")
    return folder / "motion.npz"


VIDEOS: list[tuple[Make, str]] = [
    (missing, "does not exist|cannot be opened"),
    (directory, "is a folder|has no pictures"),
    (empty, "is empty"),
    (text_video, "cannot be read as a video"),
    (only_sound, r"has no video stream \(only sound\)"),
    (cut_video, "cut off|cannot be read"),
    (faceless_video, "No face was found"),
    (noise, "No face was found"),
    (cut_jpeg, "damaged or cut off"),
]
BROKEN_JSON: dict[str, str] = {
    "broken": '{"format": "mien-motion", "version": 1,',
    "list": "[1, 2, 3]",
    "kind": '{"format": "mien-fit", "version": 1}',
    "version": '{"format": "mien-motion", "version": 99}',
    "frames": json.dumps({"format": "mien-motion", "version": 1, "fps": "25", "names": [], "frames": []}),
    "slider": '{"jawOpenn": 0.5}',
}


@pytest.mark.parametrize(("make", "sentence"), VIDEOS, ids=names(VIDEOS))
@pytest.mark.parametrize("command", ["motion", "animate"])
def test_driver(
    command: str, make: Make, sentence: str, tmp_path: Path, avatar_file: Path, refused: Callable[..., str]
) -> None:
    assert_matches(sentence, refused(*driver_command(command, make(tmp_path), avatar_file)))


def driver_command(command: str, driver: Path, avatar: Path) -> list[str | Path]:
    """A command line on a driver, with all else in order."""
    if command == "motion":
        return ["motion", driver, "-o", driver.parent / "out.json"]
    return ["animate", avatar, "--drive", driver, "-o", driver.parent / "out.mp4"]


@pytest.mark.parametrize("content", BROKEN_JSON.values(), ids=list(BROKEN_JSON))
@pytest.mark.parametrize("command", ["motion", "animate"])
def test_motion_file(
    command: str, content: str, tmp_path: Path, avatar_file: Path, refused: Callable[..., str]
) -> None:
    driver = json_file(content)(tmp_path)
    assert "motion.json" in refused(*driver_command(command, driver, avatar_file))


def test_motion_archive(tmp_path: Path, avatar_file: Path, refused: Callable[..., str]) -> None:
    assert "motion.npz" in refused(*driver_command("animate", no_npz(tmp_path), avatar_file))


def test_driver_face_that_is_not_there(
    portrait_file: Path, avatar_file: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    arguments = ["animate", avatar_file, "--drive", portrait_file, "-o", tmp_path / "out.mp4"]
    assert "Face number 2 was asked for" in refused(*arguments, "--driver-face", "2")


# ---------------------------------------------------------------------------- avatars


def renamed_photo(folder: Path, avatar: Path) -> Path:
    return noise_picture(folder / "a.png").rename(folder / "a.mien")


def cut_avatar(folder: Path, avatar: Path) -> Path:
    (folder / "a.mien").write_bytes(avatar.read_bytes()[:100_000])
    return folder / "a.mien"


def empty_avatar(folder: Path, avatar: Path) -> Path:
    (folder / "a.mien").touch()
    return folder / "a.mien"


def other_kind(folder: Path, avatar: Path) -> Path:
    write_safetensors(folder / "a.mien", {"x": torch.zeros(3)}, {"kind": "generator"})
    return folder / "a.mien"


def foreign(folder: Path, avatar: Path) -> Path:
    save_file({"x": torch.zeros(3)}, folder / "a.mien")
    return folder / "a.mien"


def missing_avatar(folder: Path, avatar: Path) -> Path:
    return folder / "a.mien"


def directory_avatar(folder: Path, avatar: Path) -> Path:
    (folder / "a.mien").mkdir()
    return folder / "a.mien"


def changed(**tensors: torch.Tensor | None) -> Callable[[Path, Path], Path]:
    """A copy of the avatar with other tensors; None leaves one out."""

    def make(folder: Path, avatar: Path) -> Path:
        checkpoint = read_safetensors(avatar, kind="avatar")
        kept = {k: v for k, v in (checkpoint.tensors | tensors).items() if v is not None}
        write_safetensors(folder / "a.mien", kept, dict(checkpoint.header))
        return folder / "a.mien"

    return make


AVATARS: dict[str, tuple[Callable[[Path, Path], Path], str]] = {
    "missing": (missing_avatar, "does not exist"),
    "directory": (directory_avatar, "not a file|is a folder"),
    "renamed_photo": (renamed_photo, "not a readable safetensors file"),
    "cut": (cut_avatar, "not a readable safetensors file"),
    "empty": (empty_avatar, "not a readable safetensors file"),
    "other_kind": (other_kind, "of kind 'generator', but an avatar"),
    "foreign": (foreign, "without mien's header"),
    "no_w": (changed(w=None), "missing: w"),
    "one_more": (changed(more=torch.zeros(2)), "not expected: more"),
    "wrong_shape": (changed(identity=torch.zeros(7)), r"identity \(7,\) instead of \(80,\)"),
    "two_sizes": (changed(plate=torch.zeros(4, 4, 3, dtype=torch.uint8)), "of another shape: plate"),
    "wrong_type": (changed(alpha=torch.zeros(256, 256)), "holds alpha as torch.float32"),
    "chest": (changed(chest=torch.zeros(4, 4, dtype=torch.uint8)), "of another shape: chest"),
    "nan": (changed(expression=torch.full((52,), math.nan)), "expression that are not finite"),
}


@pytest.mark.parametrize(("make", "sentence"), AVATARS.values(), ids=list(AVATARS))
@pytest.mark.parametrize("command", ["info", "animate", "orbit"])
def test_avatar(
    command: str, make: Callable[[Path, Path], Path], sentence: str, tmp_path: Path, avatar_file: Path,
    portrait_file: Path, refused: Callable[..., str],
) -> None:  # fmt: skip
    avatar = make(tmp_path, avatar_file)
    if command == "info":
        err = refused("info", avatar)
    else:
        err = refused(*photo_command(command, avatar, portrait_file))
    assert_matches(sentence, err)
    assert "a.mien" in err


def test_avatar_of_another_generator(
    tmp_path: Path, avatar_file: Path, portrait_file: Path, refused: Callable[..., str]
) -> None:
    checkpoint = read_safetensors(avatar_file, kind="avatar")
    header = checkpoint.header | {
        "provenance": checkpoint.header["provenance"] | {"generator_sha256": "0" * 64}
    }
    write_safetensors(tmp_path / "a.mien", checkpoint.tensors, header)
    assert "made with generator 000000000000" in refused(
        *photo_command("orbit", tmp_path / "a.mien", portrait_file)
    )


# ---------------------------------------------------------------------------- generators


@pytest.mark.parametrize("command", ["sample", "orbit", "animate", "invert"])
@pytest.mark.parametrize("make", [missing, text, noise])
def test_generator_file(
    command: str,
    make: Make,
    tmp_path: Path,
    portrait_file: Path,
    avatar_file: Path,
    refused: Callable[..., str],
) -> None:
    weights = make(tmp_path)
    if command == "sample":
        arguments: list[str | Path] = ["sample", "-o", tmp_path / "out.png", "--count", "1"]
    else:
        source = avatar_file if command != "invert" else portrait_file
        arguments = [*photo_command(command, source, portrait_file)[:-1], tmp_path / output_name(command)]
    assert weights.name in refused(*arguments, "--model", weights)


# ---------------------------------------------------------------------------- outputs


def output_name(command: str) -> str:
    pictures = dict.fromkeys(("fit", "align", "sample"), "out.png")
    return (pictures | {"invert": "out.mien", "motion": "out.json"}).get(command, "out.mp4")


def with_output(command: str, output: Path, portrait: Path, avatar: Path) -> list[str | Path]:
    """A command line that is in order but for its output."""
    source: list[str | Path] = [avatar if command in ("animate", "orbit") else portrait]
    driver: list[str | Path] = ["--drive", portrait] if command == "animate" else []
    return [command, *(source if command != "sample" else []), *driver, "-o", output]


WRITERS = ["invert", "fit", "align", "sample", "motion", "animate", "orbit"]


@pytest.mark.parametrize("command", WRITERS)
def test_output_folder_is_missing(
    command: str, tmp_path: Path, portrait_file: Path, avatar_file: Path, refused: Callable[..., str]
) -> None:
    output = tmp_path / "nowhere" / output_name(command)
    assert "nowhere does not exist" in refused(*with_output(command, output, portrait_file, avatar_file))


@pytest.mark.parametrize("command", WRITERS)
@pytest.mark.parametrize("name", ["out.xyz", "out"])
def test_output_suffix_is_unknown(
    command: str,
    name: str,
    tmp_path: Path,
    portrait_file: Path,
    avatar_file: Path,
    refused: Callable[..., str],
) -> None:
    err = refused(*with_output(command, tmp_path / name, portrait_file, avatar_file))
    assert_matches(r"has the suffix .*; expected (one of )?\.", err)


@pytest.mark.parametrize("command", WRITERS)
def test_output_is_a_folder(
    command: str, tmp_path: Path, portrait_file: Path, avatar_file: Path, refused: Callable[..., str]
) -> None:
    output = tmp_path / output_name(command)
    output.mkdir()
    assert "is a folder" in refused(*with_output(command, output, portrait_file, avatar_file))


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("invert", "in.mien"),
        ("fit", "in.png"),
        ("align", "in.png"),
        ("motion", "in.json"),
        ("animate", "in.mp4"),
        ("orbit", "in.mp4"),
    ],
)
def test_output_is_the_input(
    command: str,
    name: str,
    tmp_path: Path,
    portrait_file: Path,
    avatar_file: Path,
    refused: Callable[..., str],
) -> None:
    path = tmp_path / name
    path.write_bytes(portrait_file.read_bytes())
    source = ["animate", avatar_file, "--drive", path] if command == "animate" else [command, path]
    link = tmp_path / f"link{path.suffix}"
    link.symlink_to(path)
    for output in (path, link):
        assert "is the input itself" in refused(*source, "-o", output)


def test_picture_of_an_avatar_is_checked_before_the_work(
    tmp_path: Path, portrait_file: Path, refused: Callable[..., str]
) -> None:
    arguments = ["invert", portrait_file, "-o", tmp_path / "out.mien", "--picture"]
    assert "out.gif has the suffix" in refused(*arguments, tmp_path / "out.gif")
    assert "nowhere does not exist" in refused(*arguments, tmp_path / "nowhere" / "out.jpg")


# ---------------------------------------------------------------------------- EG3D's cameras


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--yaw-deg", "nan"], "yaw is nan degrees; expected a number"),
        (["--pitch-deg", "95"], "95.0 is not in the range -89.0<=x<=89.0"),
        (["--roll-deg", "much"], "'much' is not a valid float"),
        (["--outside", "white"], "'white' is not one of 'reflect', 'black'"),
        (["--mirror"], "--mirror is for a folder"),
    ],
)
def test_align_options(
    more: list[str], sentence: str, tmp_path: Path, portrait_file: Path, refused: Callable[..., str]
) -> None:
    assert_matches(sentence, refused("align", portrait_file, "-o", tmp_path / "out.png", *more))


def test_align_would_overwrite_the_photo_with_its_picture(
    tmp_path: Path, portrait_file: Path, refused: Callable[..., str]
) -> None:
    photo = tmp_path / "a_camera.png"
    photo.write_bytes(portrait_file.read_bytes())
    assert "is the input itself" in refused("align", photo, "-o", tmp_path / "a.png")


def test_align_a_folder(tmp_path: Path, refused: Callable[..., str]) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    assert "holds no photos" in refused("align", folder, "-o", tmp_path / "set")
    noise(folder)
    assert "are for one photo" in refused("align", folder, "-o", tmp_path / "set", "--yaw-deg", "3")
    assert "lie in each other" in refused("align", folder, "-o", folder / "set")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    assert "is not empty" in refused("align", folder, "-o", tmp_path / "full")


# ---------------------------------------------------------------------------- as a process of its own


@pytest.mark.parametrize(
    "arguments", [["invert", "text.png", "-o", "out.mien"], ["invert", "noise.png", "-o", "out.mien"]]
)
def test_a_real_process(arguments: list[str], tmp_path: Path) -> None:
    text(tmp_path)
    noise(tmp_path)
    before = listing(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "mien", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert_one_sentence(done.stderr)
    assert listing(tmp_path) == before


def assert_matches(sentence: str, err: str) -> None:
    assert re.search(sentence, err), err
