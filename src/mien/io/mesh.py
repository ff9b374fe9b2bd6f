"""Coloured triangle meshes as files: GLB for viewers and engines, PLY for mesh tools.

In mien a mesh is in EG3D units in the head's frame (x to the picture's right, y up, z to the viewer), which
are glTF's axes too. In files it is in metres. The same mesh gives the same bytes.

trimesh is imported where a file is read or written: it takes a third of a second, and few commands do.
"""

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jaxtyping import Float32, Int32, UInt8

from mien.core.atomic import atomic_path
from mien.core.errors import InputError

if TYPE_CHECKING:
    import trimesh

METRES_PER_UNIT: Final = 1 / 1.9
"""Length of one EG3D unit, see docs/conventions.md."""
MESH_SUFFIXES: Final = (".glb", ".ply")
_COLOUR: Final = "_MIEN_COLOUR"
"""Name under which trimesh carries the 16-bit colours of a GLB until they become COLOR_0."""
_WHITE_16: Final = 65535


@dataclass(frozen=True, eq=False)
class Mesh:
    """A coloured surface of V vertices and F triangles, counter-clockwise seen from outside."""

    vertices: Float32[np.ndarray, "vertex 3"]
    """EG3D units, in the head's frame."""
    faces: Int32[np.ndarray, "face 3"]
    normals: Float32[np.ndarray, "vertex 3"]
    """Unit vectors, outward."""
    colours: UInt8[np.ndarray, "vertex 3"]
    """sRGB."""


def write_mesh(path: str | Path, mesh: Mesh) -> None:
    """Write GLB or PLY by the path's suffix, whole or not at all; InputError for another suffix.

    A GLB has linear 16-bit vertex colours (glTF 2.0, 3.7.2.1) and is unlit, as the light is in the colours
    already; a PLY has sRGB bytes. Both have normals.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in MESH_SUFFIXES:
        raise InputError(
            f"{path} has the suffix {path.suffix!r}; expected one of {', '.join(MESH_SUFFIXES)}. "
            "Choose another output name."
        )
    data = _glb(mesh) if suffix == ".glb" else _ply(mesh)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def read_mesh(path: str | Path) -> Mesh:
    """A mesh that `write_mesh` wrote. Raises InputError if the file is none."""
    path = Path(path)
    try:
        return _from_glb(path.read_bytes()) if path.suffix.lower() == ".glb" else _from_ply(path)
    except (OSError, ValueError, LookupError, AttributeError, TypeError, struct.error) as error:
        raise InputError(
            f"{path} is not a mesh that mien wrote ({error}); give a .glb or .ply made by `mien mesh`."
        ) from error


def to_linear(srgb: UInt8[np.ndarray, "vertex 3"]) -> Float32[np.ndarray, "vertex 3"]:
    """sRGB bytes to linear light in [0, 1] (IEC 61966-2-1)."""
    x = srgb.astype(np.float32) / 255
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4).astype(np.float32)


def to_srgb(linear: Float32[np.ndarray, "vertex 3"]) -> UInt8[np.ndarray, "vertex 3"]:
    """Inverse of `to_linear`."""
    x = np.clip(linear, 0, 1)
    encoded = np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 1e-9) ** (1 / 2.4) - 0.055)
    return np.rint(255 * encoded).astype(np.uint8)


def _trimesh(mesh: Mesh, **more: Any) -> "trimesh.Trimesh":
    import trimesh

    made = trimesh.Trimesh(
        mesh.vertices.astype(np.float64) * METRES_PER_UNIT, mesh.faces, process=False, **more
    )
    made.vertex_normals = mesh.normals  # type: ignore[method-assign]  # last, as any other change makes trimesh forget them
    return made


def _ply(mesh: Mesh) -> bytes:
    import trimesh

    return trimesh.exchange.ply.export_ply(_trimesh(mesh, vertex_colors=mesh.colours), vertex_normal=True)


def _glb(mesh: Mesh) -> bytes:
    import trimesh

    linear = np.rint(to_linear(mesh.colours) * _WHITE_16).astype(np.uint16)
    rgba = np.concatenate([linear, np.full((len(linear), 1), _WHITE_16, np.uint16)], 1)
    scene = trimesh.Scene()
    scene.add_geometry(_trimesh(mesh, vertex_attributes={_COLOUR: rgba}), geom_name="head", node_name="head")
    return trimesh.exchange.gltf.export_glb(scene, include_normals=True, tree_postprocessor=_finish_tree)


def _finish_tree(tree: dict[str, Any]) -> None:
    """Name the colours as glTF does, and draw them as they are."""
    part = tree["meshes"][0]["primitives"][0]
    colour = part["attributes"].pop(_COLOUR)
    part["attributes"]["COLOR_0"] = colour
    tree["accessors"][colour]["normalized"] = True
    unlit = "KHR_materials_unlit"
    surface = {"baseColorFactor": [1.0, 1.0, 1.0, 1.0], "metallicFactor": 0.0, "roughnessFactor": 1.0}
    tree["materials"] = [
        {"name": "head", "pbrMetallicRoughness": surface, "extensions": {unlit: {}}, "doubleSided": True}
    ]
    part["material"] = 0
    tree["extensionsUsed"] = sorted({*tree.get("extensionsUsed", []), unlit})


def _from_glb(data: bytes) -> Mesh:
    length = struct.unpack_from("<I", data, 12)[0]
    tree = json.loads(data[20 : 20 + length])
    part = tree["meshes"][0]["primitives"][0]

    def values(accessor: int, kind: str, width: int) -> np.ndarray:
        about = tree["accessors"][accessor]
        start = 28 + length + tree["bufferViews"][about["bufferView"]]["byteOffset"]
        return np.frombuffer(data, kind, about["count"] * width, start).reshape(-1, width)

    named = part["attributes"]
    linear = values(named["COLOR_0"], "<u2", 4)[:, :3] / np.float32(_WHITE_16)
    return Mesh(
        vertices=values(named["POSITION"], "<f4", 3) / np.float32(METRES_PER_UNIT),
        faces=values(part["indices"], "<u4", 1).reshape(-1, 3).astype(np.int32),
        normals=values(named["NORMAL"], "<f4", 3).copy(),
        colours=to_srgb(linear.astype(np.float32)),
    )


def _from_ply(path: Path) -> Mesh:
    import trimesh

    loaded = trimesh.load_mesh(path, process=False)
    vertex = loaded.metadata["_ply_raw"]["vertex"]["data"]  # trimesh itself would make the normals anew
    columns = {name: vertex[name].reshape(-1) for name in ("nx", "ny", "nz", "red", "green", "blue")}
    return Mesh(
        vertices=(np.asarray(loaded.vertices) / METRES_PER_UNIT).astype(np.float32),
        faces=np.asarray(loaded.faces).astype(np.int32),
        normals=np.stack([columns[c] for c in ("nx", "ny", "nz")], 1).astype(np.float32),
        colours=np.stack([columns[c] for c in ("red", "green", "blue")], 1).astype(np.uint8),
    )
