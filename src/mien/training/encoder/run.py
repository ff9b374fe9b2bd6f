"""`mien train encoder`: rendered heads through the tracker, regression, scores, the file."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

from mien.core.parallel import one_thread
from mien.morphable.encoder import ASSET, save_encoder
from mien.morphable.model import load_head_model
from mien.training.encoder.examples import ExampleConfig, build_examples
from mien.training.encoder.geometry import GeometryConfig, GeometryScores, train_geometry_encoder
from mien.training.procedural.shards import shards_in


@dataclass(frozen=True)
class EncoderPlan:
    """What `mien train encoder` is asked for."""

    heads: int = 1000
    """At most; the first ones of the set."""
    examples: ExampleConfig = field(default_factory=ExampleConfig)
    geometry: GeometryConfig = field(default_factory=GeometryConfig)


@dataclass(frozen=True)
class EncoderRun:
    """What was made."""

    path: Path
    bytes: int
    scores: GeometryScores


def train_encoder(
    folder: Path, data_folder: Path, *, plan: EncoderPlan | None = None, command: str = ""
) -> EncoderRun:
    """Make `face_encoder.safetensors` in `folder`; called again, it goes on where tracking was interrupted.

    The same heads and settings give the same bytes. Raises InputError if there are no heads or too few.
    """
    plan = plan or EncoderPlan()
    with one_thread():
        examples = build_examples(shards_in(data_folder)[: plan.heads], folder / "examples", plan.examples)
        encoder, scores = train_geometry_encoder(examples, load_head_model(), plan.geometry)
    path = folder / ASSET
    training = {
        "command": command, "heads": int(examples.head.unique().numel()), "faces": len(examples.points),
        "examples": asdict(plan.examples), "geometry": asdict(plan.geometry), "scores": asdict(scores),
    }  # fmt: skip
    save_encoder(path, encoder, {"training": training})
    return EncoderRun(path, path.stat().st_size, scores)
