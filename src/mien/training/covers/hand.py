"""A hand with its forearm: bones, and where the skin is when they are bent."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import torch

from mien.core.assets import asset_path
from mien.core.checkpoint import read_safetensors, require_keys
from mien.core.errors import CheckpointError
from mien.core.geometry import axis_angle_to_matrix

KIND: Final = "hand_model"
ASSET: Final = "hand_model.safetensors"
FINGERS: Final = 5
BONES: Final = (
    "forearm", "wrist", "metacarpal1", "metacarpal2", "metacarpal3", "metacarpal4",
    *(f"finger{f}-{k}" for f in range(1, FINGERS + 1) for k in (1, 2, 3)),
)  # fmt: skip
"""Finger 1 is the thumb; metacarpals 1 to 4 carry fingers 2 to 5. Parents come before their children."""
WRIST: Final = BONES.index("wrist")


def parent_of(bone: str) -> str | None:
    """The bone that moves a bone; None of the forearm."""
    if bone == "forearm":
        return None
    if bone == "wrist":
        return "forearm"
    if bone.startswith("metacarpal"):
        return "wrist"
    finger, link = int(bone[6]), int(bone[8])
    if link > 1:
        return f"finger{finger}-{link - 1}"
    return "wrist" if finger == 1 else f"metacarpal{finger - 1}"


PARENTS: Final = tuple(BONES.index(p) if (p := parent_of(bone)) else -1 for bone in BONES)


@dataclass(frozen=True, eq=False)
class HandModel:
    """A left hand at rest, its wrist at the origin, EG3D units; a right one is its mirror image."""

    vertices: np.ndarray
    """float64 [V, 3]."""
    faces: np.ndarray
    """int32 [F, 3]."""
    weights: np.ndarray
    """float64 [V, bone], how far each bone carries a vertex; they sum to 1."""
    joints: np.ndarray
    """float64 [bone, 3], where bones begin."""
    tips: np.ndarray
    """float64 [bone, 3], where they end."""

    @property
    def directions(self) -> np.ndarray:
        """float64 [bone, 3], unit, along the bones."""
        along = self.tips - self.joints
        return np.asarray(along / np.linalg.norm(along, axis=1, keepdims=True))

    @property
    def palm(self) -> np.ndarray:
        """float64 [3], unit: the way the palm faces, to which fingers bend."""
        across = self.joints[BONES.index("finger5-1")] - self.joints[BONES.index("finger2-1")]
        normal = np.cross(across, self.joints[BONES.index("finger3-1")])
        bent = sum(
            self.directions[BONES.index(f"finger{f}-3")] - self.directions[BONES.index(f"finger{f}-1")]
            for f in range(2, FINGERS + 1)
        )
        return np.asarray(normal / np.linalg.norm(normal) * np.sign(normal @ bent))

    def posed(self, bend_rad: np.ndarray, spread_rad: np.ndarray, wrist_rad: np.ndarray) -> np.ndarray:
        """Vertices [V, 3] by linear blend skinning.

        `bend_rad` [5, 3] bends each link of each finger to the palm, `spread_rad` [5] turns a finger in the
        palm's plane, `wrist_rad` [3] is the hand's turn against the forearm, an axis times an angle.
        """
        R, shift = np.zeros((len(BONES), 3, 3)), np.zeros((len(BONES), 3))
        for k, bone in enumerate(BONES):
            own = _rotation(self._turn(k, bone, bend_rad, spread_rad, wrist_rad))
            parent = PARENTS[k]
            base, moved = (np.eye(3), np.zeros(3)) if parent < 0 else (R[parent], shift[parent])
            R[k] = base @ own
            shift[k] = base @ self.joints[k] + moved - R[k] @ self.joints[k]
        carried = np.einsum("kij,vj->vki", R, self.vertices) + shift
        return np.asarray((carried * self.weights[..., None]).sum(1))

    def _turn(self, k: int, bone: str, bend: np.ndarray, spread: np.ndarray, wrist: np.ndarray) -> np.ndarray:
        if k == WRIST:
            return wrist
        if not bone.startswith("finger"):
            return np.zeros(3)
        finger, link = int(bone[6]) - 1, int(bone[8]) - 1
        towards = self.palm if finger else self._palm_middle() - self.joints[k]
        axis = np.cross(self.directions[k], towards)
        turn = bend[finger, link] * axis / np.linalg.norm(axis)
        return np.asarray(turn + (spread[finger] * self.palm if link == 0 else 0))

    def _palm_middle(self) -> np.ndarray:
        knuckles = [self.joints[BONES.index(f"finger{f}-1")] for f in range(2, FINGERS + 1)]
        return np.asarray(np.mean(knuckles, 0) * 0.7 + 0.05 * self.palm)


def _rotation(turn: np.ndarray) -> np.ndarray:
    return axis_angle_to_matrix(torch.from_numpy(np.asarray(turn, np.float64))).numpy()


def read_hand_model(path: Path) -> HandModel:
    """Read a hand. Raises CheckpointError for a file that is none."""
    tensors = read_safetensors(path, kind=KIND).tensors
    count = len(tensors["vertices"]) if "vertices" in tensors else 0
    bones = (len(BONES), 3)
    shapes = {"vertices": (count, 3), "weights": (count, len(BONES)), "joints": bones, "tips": bones}
    require_keys({n: t for n, t in tensors.items() if n != "faces"}, shapes, source=str(path))
    if "faces" not in tensors:
        raise CheckpointError(f"{path} holds no triangles; make it again.")
    own = {name: tensors[name].double().numpy() for name in shapes}
    weights = own.pop("weights")
    faces = tensors["faces"].int().numpy()
    return HandModel(faces=faces, weights=weights / weights.sum(1, keepdims=True), **own)


@lru_cache(maxsize=1)
def load_hand_model() -> HandModel:
    """The bundled hand."""
    return read_hand_model(asset_path(ASSET))
