import json
from pathlib import Path

import numpy as np
import pytest
import trimesh

from mien.core.errors import InputError
from mien.io.mesh import METRES_PER_UNIT, Mesh, read_mesh, to_linear, to_srgb, write_mesh


@pytest.fixture
def ball() -> Mesh:
    """A ball with a colour and a normal of its own at each vertex."""
    shape = trimesh.creation.icosphere(3)
    random = np.random.default_rng(0)
    normals = shape.vertices + 0.3 * random.normal(size=shape.vertices.shape)
    return Mesh(
        vertices=(0.3 * shape.vertices).astype(np.float32),
        faces=shape.faces.astype(np.int32),
        normals=(normals / np.linalg.norm(normals, axis=1, keepdims=True)).astype(np.float32),
        colours=random.integers(0, 256, shape.vertices.shape).astype(np.uint8),
    )


@pytest.mark.parametrize("suffix", [".glb", ".ply"])
def test_what_is_written_is_read_again(suffix: str, ball: Mesh, tmp_path: Path) -> None:
    path = tmp_path / f"ball{suffix}"
    write_mesh(path, ball)
    again = read_mesh(path)
    np.testing.assert_allclose(again.vertices, ball.vertices, atol=1e-6)
    np.testing.assert_array_equal(again.faces, ball.faces)
    np.testing.assert_allclose(again.normals, ball.normals, atol=1e-6)
    np.testing.assert_array_equal(again.colours, ball.colours)


@pytest.mark.parametrize("suffix", [".glb", ".ply"])
def test_the_same_mesh_gives_the_same_bytes(suffix: str, ball: Mesh, tmp_path: Path) -> None:
    one, other = tmp_path / f"one{suffix}", tmp_path / f"other{suffix}"
    write_mesh(one, ball)
    write_mesh(other, ball)
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("suffix", [".glb", ".ply"])
def test_another_program_sees_metres_and_a_closed_surface(suffix: str, ball: Mesh, tmp_path: Path) -> None:
    path = tmp_path / f"ball{suffix}"
    write_mesh(path, ball)
    seen = trimesh.load_mesh(path, process=False)
    np.testing.assert_allclose(seen.vertices, ball.vertices * METRES_PER_UNIT, atol=1e-6)
    assert seen.is_watertight
    assert seen.volume > 0


def test_colours_of_a_ply_are_srgb_bytes(ball: Mesh, tmp_path: Path) -> None:
    write_mesh(tmp_path / "ball.ply", ball)
    seen = trimesh.load_mesh(tmp_path / "ball.ply", process=False)
    assert isinstance(seen.visual, trimesh.visual.ColorVisuals)
    np.testing.assert_array_equal(np.asarray(seen.visual.vertex_colors)[:, :3], ball.colours)


def test_a_glb_is_unlit_and_its_colours_are_linear(ball: Mesh, tmp_path: Path) -> None:
    write_mesh(tmp_path / "ball.glb", ball)
    data = (tmp_path / "ball.glb").read_bytes()
    assert data[:4] == b"glTF"
    tree = json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])
    part = tree["meshes"][0]["primitives"][0]
    assert tree["materials"][part["material"]]["extensions"] == {"KHR_materials_unlit": {}}
    assert tree["extensionsUsed"] == ["KHR_materials_unlit"]
    assert set(part["attributes"]) == {"POSITION", "NORMAL", "COLOR_0"}
    colour = tree["accessors"][part["attributes"]["COLOR_0"]]
    assert (colour["componentType"], colour["type"], colour["normalized"]) == (5123, "VEC4", True)
    start = data.index(b"BIN\0") + 4 + tree["bufferViews"][colour["bufferView"]]["byteOffset"]
    rgba = np.frombuffer(data, "<u2", 4 * colour["count"], start).reshape(-1, 4) / 65535
    np.testing.assert_allclose(rgba[:, :3], to_linear(ball.colours), atol=1e-5)
    assert (rgba[:, 3] == 1).all()


def test_every_byte_survives_linear_light() -> None:
    grey = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, 1)
    linear = to_linear(grey)
    assert (np.diff(linear[:, 0]) > 0).all()
    assert (linear[0, 0], linear[-1, 0]) == (0, 1)
    assert abs(linear[188, 0] - 0.5) < 0.005  # half the light is sRGB 188
    np.testing.assert_array_equal(to_srgb(linear), grey)


def test_other_suffixes_and_files_are_refused(ball: Mesh, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has the suffix '\.obj'; expected one of \.glb, \.ply"):
        write_mesh(tmp_path / "ball.obj", ball)
    for name in ("text.glb", "text.ply"):
        (tmp_path / name).write_text("Dear reader, this is no mesh. " * 10)
        with pytest.raises(InputError, match="is not a mesh that mien wrote"):
            read_mesh(tmp_path / name)
    with pytest.raises(InputError, match="is not a mesh that mien wrote"):
        read_mesh(tmp_path / "missing.glb")
