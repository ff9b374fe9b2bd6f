"""`mien invert`, `info`, `orbit`, `mesh` and `animate` with an EG3D model that knows a ball."""

import json
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mien.animation.paper.keymouths import OPENED
from mien.apps.cli import run
from mien.core.checkpoint import read_safetensors, write_safetensors
from mien.generator.eg3d.checkpoint import load_eg3d, save_eg3d
from mien.inversion.eg3d import latent
from mien.inversion.eg3d.avatar import KIND
from mien.inversion.eg3d.invert import EFFORTS, Eg3dInversionConfig
from mien.inversion.eg3d.latent import LatentConfig
from mien.inversion.eg3d.tuning import TuningConfig
from mien.io.images import read_photo
from mien.io.video import VideoReader

STEPS = 6
FEW = Eg3dInversionConfig(
    LatentConfig(steps=STEPS, samples=(8, 8), mean_of=20),
    TuningConfig(steps=4, whole=1, side_px=32, samples=(8, 8)),
    mouth_steps=1,
)


@pytest.fixture(scope="module", autouse=True)
def few_steps() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(EFFORTS, "quick", FEW)
        yield


@pytest.fixture(scope="module")
def face_file(ball_file: Path, portrait_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The portrait's avatar in the ball's generator. Not to be changed."""
    path = tmp_path_factory.mktemp("eg3d") / "face.mien"
    assert run(invert(portrait_file, path, ball_file)) == 0
    return path


def invert(photo: Path, output: Path, model: Path) -> list[str]:
    return [
        "invert",
        str(photo),
        "-o",
        str(output),
        "--model",
        str(model),
        "--effort",
        "quick",
        "--size",
        "256",
    ]


@pytest.fixture
def moves(tmp_path: Path) -> Path:
    """Five frames of a turn and an opening mouth."""
    keys = [{"time_s": 0}, {"time_s": 0.2, "yaw_deg": 20, "jawOpen": 0.6}]
    path = tmp_path / "moves.json"
    path.write_text(json.dumps({"fps": 25, "keyframes": keys}))
    return path


def frames(path: Path) -> list[np.ndarray]:
    with VideoReader(path) as reader:
        return [frame.rgb for frame in reader]


def test_info(face_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", str(face_file), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["working size"] == "256 x 256 px"
    assert facts["tuned"].startswith("planes (0.8 MiB)")
    assert facts["provenance: generator"] == "ball.safetensors"


def test_orbit_and_mesh(face_file: Path, ball_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "turn.mp4"
    arguments = ["orbit", str(face_file), "--model", str(ball_file), "--seconds", "0.12", "--size", "64"]
    assert run([*arguments, "-o", str(out)]) == 0
    assert [frame.shape for frame in frames(out)] == [(64, 64, 3)] * 3
    mesh = ["mesh", str(face_file), "--model", str(ball_file), "--resolution", "64"]
    assert run([*mesh, "-o", str(tmp_path / "a.ply")]) == 0


def test_animate_a_photo_as_its_avatar(
    face_file: Path, ball_file: Path, portrait_file: Path, moves: Path, tmp_path: Path
) -> None:
    more = ["--drive", str(moves), "--model", str(ball_file)]
    assert run(["animate", str(face_file), *more, "-o", str(tmp_path / "a.mp4")]) == 0
    shown = frames(tmp_path / "a.mp4")
    assert len(shown) == 5
    assert shown[0].shape == (256, 256, 3)
    assert np.abs(shown[0].astype(float) - read_photo(portrait_file).rgb).mean() < 15
    crop = ["--crop", "64", "--effort", "quick", "-o", str(tmp_path / "b.mp4")]
    assert run(["animate", str(portrait_file), *more, *crop]) == 0
    assert frames(tmp_path / "b.mp4")[0].shape == (64, 64, 3)
    assert not list(tmp_path.glob(".*"))


def test_without_pose_and_expression_nothing_moves(
    face_file: Path, ball_file: Path, moves: Path, tmp_path: Path
) -> None:
    out = tmp_path / "still.mp4"
    arguments = ["animate", str(face_file), "--drive", str(moves), "--model", str(ball_file), "--crop", "64"]
    assert run([*arguments, "--no-pose", "--no-expression", "-o", str(out)]) == 0
    shown = frames(out)
    assert np.abs(shown[0].astype(float) - shown[-1]).max() < 12  # the codec's doing


def test_killed_it_goes_on(
    face_file: Path, ball_file: Path, portrait_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, cost = tmp_path / "face.mien", latent.image_cost
    calls: list[int] = []

    def dies(*arguments: object) -> object:
        calls.append(0)
        if len(calls) == STEPS - 1:
            raise KeyboardInterrupt
        return cost(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(latent, "image_cost", dies)
    hours = SimpleNamespace(monotonic=count(step=3600).__next__)
    monkeypatch.setattr("mien.inversion.eg3d.descent.time", hours)  # so that every step is kept
    assert run(invert(portrait_file, out, ball_file)) == 130
    assert not out.exists()
    assert run(invert(portrait_file, out, ball_file)) == 0
    mouths = len(OPENED) * FEW.mouth_steps
    assert len(calls) == STEPS + 1 + mouths  # one was cut off, none was done twice
    assert out.read_bytes() == face_file.read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_a_model_by_its_name(
    face_file: Path, ball_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """The avatar finds its model among the imported ones, and says so if it is not there."""
    monkeypatch.setattr("mien.generator.official.library.cache_dir", lambda: tmp_path)
    turn = ["orbit", str(face_file), "--seconds", "0.1", "--size", "64", "-o", str(tmp_path / "t.mp4")]
    assert run(turn) == 2
    assert "model ball.safetensors" in (err := capsys.readouterr().err)
    assert "not among the imported models; give its file with --model." in err
    (tmp_path / "models").mkdir()
    shutil.copy(ball_file, tmp_path / "models" / "ball.safetensors")
    assert run(turn) == 0
    assert run([*turn, "--model", "ball"]) == 0
    assert run([*turn, "--model", "nobody"]) == 2
    assert "nobody is neither a file nor a model" in capsys.readouterr().err


def other_model(folder: Path, ball: Path) -> Path:
    generator = load_eg3d(ball)
    generator.decoder.get_parameter("net.2.bias")[0] += 1
    save_eg3d(folder / "other.safetensors", generator)
    return folder / "other.safetensors"


def test_another_model_is_refused(
    face_file: Path, ball_file: Path, avatar_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--seconds", "0.1", "-o", str(tmp_path / "t.mp4")]
    assert run(["orbit", str(face_file), *out, "--model", str(other_model(tmp_path, ball_file))]) == 2
    assert "made with the EG3D model ball.safetensors" in capsys.readouterr().err
    assert run(["orbit", str(avatar_file), *out, "--model", str(ball_file)]) == 2
    assert "mien-base" in capsys.readouterr().err
    assert not (tmp_path / "t.mp4").exists()


def without_w(path: Path) -> None:
    file = read_safetensors(path, kind=KIND)
    write_safetensors(path, {k: v for k, v in file.tensors.items() if k != "w"}, file.header)


def wrong_tuning(path: Path) -> None:
    file = read_safetensors(path, kind=KIND)
    smaller = file.tensors["tuning.planes"][..., :8, :8]
    write_safetensors(path, file.tensors | {"tuning.planes": smaller}, file.header)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [(without_w, "missing: w"), (wrong_tuning, "planes has the shape"),
     (lambda path: path.write_bytes(b"0"), "not a readable")],
    ids=["no_w", "tuning", "noise"],
)  # fmt: skip
def test_damaged_avatars(
    change: Callable[[Path], None], sentence: str, face_file: Path, ball_file: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path = tmp_path / "face.mien"
    shutil.copy(face_file, path)
    change(path)
    out = tmp_path / "t.mp4"
    assert run(["orbit", str(path), "--model", str(ball_file), "--seconds", "0.1", "-o", str(out)]) == 2
    assert sentence in capsys.readouterr().err
    assert not out.exists()
