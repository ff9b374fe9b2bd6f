"""EG3D's generator against reference numbers of the official code: the largest difference of every array.

    python benchmarks/parity.py [--reference FOLDER]

Writes results/parity.json and prints a table. Differences are per standard deviation of the reference. Those
of gradients are of lengths; the reference was made in float32, so gradients in float64 differ from it too.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import torch

from mien.core.atomic import atomic_path
from mien.evaluation.parity import (
    GROUPS,
    Difference,
    ParitySet,
    compare,
    compare_discriminator,
    compare_gradients,
    compare_resize,
    compare_superres,
)
from mien.generator.eg3d.superres import OFFICIAL_NAMES

ROOT: Final = Path(__file__).resolve().parent.parent


def main() -> None:
    """Compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", type=Path, default=ROOT.parent / "shared" / "parity")
    folder = parser.parse_args().reference
    parity = ParitySet(folder)
    torch.set_num_threads(1)
    found: dict[str, list[Difference]] = {group: compare(parity, group) for group in GROUPS}
    with torch.no_grad():
        found |= {name: compare_superres(folder, name) for name in OFFICIAL_NAMES}
        found["resize"] = compare_resize(folder)
    found["discriminator"] = compare_discriminator(folder)
    gradients = {
        str(t).removeprefix("torch."): compare_gradients(parity, t) for t in (torch.float32, torch.float64)
    }
    for group, items in found.items():
        print(f"\n{group}")
        for d in items:
            print(f"  {d.name:<52} {d.largest:9.2e} {d.relative:9.2e}")
    for dtype, lengths in gradients.items():
        print(f"\ngradients in {dtype} (the five largest differences)")
        for g in sorted(lengths, key=lambda g: -g.length)[:5]:
            print(f"  {g.name:<52} {g.length:19.2e}")
    results: dict[str, Any] = {
        "torch": torch.__version__,
        "largest_relative": max(d.relative for items in found.values() for d in items),
        "arrays": {
            group: {d.name: {**asdict(d), "relative": d.relative} for d in items}
            for group, items in found.items()
        },
        "gradients": {dtype: {g.name: g.length for g in items} for dtype, items in gradients.items()},
    }
    for items in results["arrays"].values():
        for name, entry in items.items():
            assert entry.pop("name") == name
    with atomic_path(ROOT / "benchmarks" / "results" / "parity.json") as path:
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
