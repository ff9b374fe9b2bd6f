"""The geometry encoder against an image encoder, before and after the fit, on heads that neither has seen.

    python benchmarks/encoders.py HEADS --encoder image_encoder.safetensors -o encoders.json

The last --heads of the folder are looked at: give a set of another seed, or one whose end was held out.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from mien.morphable.encoder import EncodedFace, load_face_encoder
from mien.morphable.expect import FitConfig, with_seen_lines
from mien.morphable.imageencoder import read_image_encoder
from mien.morphable.model import load_head_model
from mien.tracking.faces import FaceObservation
from mien.training.encoder.comparison import compare, known_faces
from mien.training.procedural.shards import shards_in


def main() -> None:
    """Compare and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--heads", type=int, default=40)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model, image = load_head_model(), read_image_encoder(options.encoder)
    unseen = shards_in(options.data)[-options.heads :]
    faces = known_faces(unseen, model)
    geometry = load_face_encoder()

    def shipped(rgb: np.ndarray, face: FaceObservation) -> EncodedFace:
        return with_seen_lines(image.encode(rgb, face), face, FitConfig())

    ways = {
        "geometry": (lambda rgb, face: geometry.encode(face), FitConfig()),
        "image": (image.encode, FitConfig()),
        "image, prior x0.5": (image.encode, FitConfig(prior_gain=0.5)),
        "image, prior x2": (image.encode, FitConfig(prior_gain=2.0)),
        "image, lines as tracked": (shipped, FitConfig()),
    }
    rows = {name: asdict(scores) for name, scores in compare(faces, ways, model).items()}
    for name in next(iter(rows.values())):
        print(f"{name:22}", *(_text(row[name]) for row in rows.values()), sep="  ")
    if options.output:
        options.output.write_text(json.dumps(rows, indent=1) + "\n")


def _text(value: float | tuple[float, ...]) -> str:
    return " ".join(f"{v:.3f}" for v in value) if isinstance(value, tuple) else f"{value:9.4f}"


if __name__ == "__main__":
    main()
