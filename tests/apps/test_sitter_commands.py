"""`mien mesh`, `orbit` and `sample` with both kinds of model."""

from pathlib import Path

import numpy as np
import pytest

from mien.apps.cli import run
from mien.io.images import read_photo
from mien.io.mesh import read_mesh
from mien.io.video import VideoReader


def test_mesh_of_an_avatar(avatar_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, picture = tmp_path / "head.glb", tmp_path / "sheet.png"
    arguments = ["mesh", str(avatar_file), "--resolution", "128", "-o"]
    assert run([*arguments, str(out), "--picture", str(picture)]) == 0
    assert "vertices" in capsys.readouterr().out
    mesh = read_mesh(out)
    assert mesh.vertices[:, 1].max() > 0.22  # the crown, y up
    assert read_photo(picture).rgb.shape[1] > 1000
    assert run([*arguments, str(tmp_path / "head.ply")]) == 0
    same = read_mesh(tmp_path / "head.ply")
    np.testing.assert_array_equal(same.colours, mesh.colours)
    np.testing.assert_array_equal(same.faces, mesh.faces)
    np.testing.assert_allclose(same.vertices, mesh.vertices, atol=1e-6)
    again = tmp_path / "again.ply"
    assert run([*arguments, str(again)]) == 0
    assert again.read_bytes() == (tmp_path / "head.ply").read_bytes()


def test_mesh_of_an_eg3d_person(ball_file: Path, tmp_path: Path) -> None:
    arguments = ["mesh", "--model", str(ball_file), "--seed", "3", "--resolution", "64", "-o"]
    for name in ("one.glb", "other.glb"):
        assert run([*arguments, str(tmp_path / name)]) == 0
    assert (tmp_path / "one.glb").read_bytes() == (tmp_path / "other.glb").read_bytes()
    radii = np.linalg.norm(read_mesh(tmp_path / "one.glb").vertices, axis=1)
    np.testing.assert_allclose(radii, 0.3, rtol=0.02)


def test_orbit_and_sample_with_an_eg3d_model(ball_file: Path, tmp_path: Path) -> None:
    model = ["--model", str(ball_file), "--seed", "3"]
    maps = ["--depth", str(tmp_path / "depth"), "--normals", str(tmp_path / "normals")]
    turn = ["orbit", *model, *maps, "--seconds", "0.1", "--size", "64", "-o", str(tmp_path / "turn.mp4")]
    assert run(turn) == 0
    with VideoReader(tmp_path / "turn.mp4") as reader:
        frame = next(iter(reader)).rgb
    assert frame.shape == (64, 64, 3)
    assert (tmp_path / "depth" / "0001.png").is_file()
    assert (tmp_path / "normals" / "0001.png").is_file()
    assert run(["sample", *model, "--count", "1", "-o", str(tmp_path / "sheet.png")]) == 0
    assert read_photo(tmp_path / "sheet.png").rgb.shape == (262, 1816, 3)


def test_orbit_of_a_random_person_of_mien_base(tmp_path: Path) -> None:
    assert (
        run(["orbit", "--seed", "1", "--seconds", "0.1", "--size", "64", "-o", str(tmp_path / "t.mp4")]) == 0
    )
    with VideoReader(tmp_path / "t.mp4") as reader:
        assert len(list(reader)) == 2


def test_bad_input_of_mesh(
    avatar_file: Path, ball_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    for arguments, sentence in (
        (["mesh", str(avatar_file), "-o", str(tmp_path / "o.obj")], "expected one of .glb, .ply"),
        (["mesh", str(tmp_path / "no.mien"), "-o", str(tmp_path / "o.glb")], "no.mien does not exist"),
        (
            ["mesh", "--model", str(avatar_file), "-o", str(tmp_path / "o.glb")],
            "of kind 'avatar', but a model",
        ),
        (["mesh", "--model", str(ball_file), "--level", "1e9", "-o", str(tmp_path / "o.glb")], "--level"),
        (
            ["mesh", "-o", str(tmp_path / "o.glb"), "--picture", str(tmp_path / "o.gif")],
            "o.gif has the suffix",
        ),
        (["orbit", "--depth", str(tmp_path / "file"), "-o", str(tmp_path / "o.mp4")], "is a file"),
        (
            ["sample", "--model", str(avatar_file), "-o", str(tmp_path / "o.png")],
            "of kind 'avatar', but a model",
        ),
    ):
        assert run(arguments) == 2
        err = capsys.readouterr().err
        assert sentence in err
        assert err.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]
