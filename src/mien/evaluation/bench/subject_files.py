"""From a photo file to subjects, through the command that users have."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.animation.kinds import kind_of, read_avatar
from mien.animation.kinds.interface import Tools
from mien.core.device import DeviceChoice
from mien.core.errors import MienError
from mien.evaluation.bench.rerender import MeshRerender
from mien.evaluation.bench.subjects import AvatarSubject, PhotoCopy, Subject
from mien.evaluation.process import run_measured
from mien.morphable.model import load_head_model

OURS, COPY, RERENDER = "avatar", "photo copied", "3DMM re-render"


@dataclass(frozen=True)
class InversionCost:
    """Of the whole command, its start included."""

    seconds: float
    cpu_seconds: float
    peak_gib: float


@dataclass(frozen=True, eq=False)
class Sat:
    """A person who has sat for a photo: the subjects made of it, and what that cost."""

    subjects: dict[str, Subject]
    cost: InversionCost


class SittingError(MienError):
    """A photo could not be inverted."""


MakeSubjects = Callable[[Path], Sat]
"""From a photo file to subjects; SittingError if the pipeline fails."""


@dataclass(frozen=True)
class PhotoPipeline:
    """`mien invert` in its own process, and what is made of the avatar."""

    model: Path | None = None
    effort: str = "normal"
    device: DeviceChoice = "auto"
    seed: int = 0
    with_baselines: bool = True

    def __call__(self, photo: Path) -> Sat:
        """Invert a photo file. The avatar's file lies beside it only meanwhile."""
        path = photo.with_suffix(".mien")
        command = [
            sys.executable,
            "-m",
            "mien",
            "invert",
            str(photo),
            "-o",
            str(path),
            "--effort",
            self.effort,
        ]
        command += ["--seed", str(self.seed)] + (["--model", str(self.model)] if self.model else [])
        run = run_measured(command, check=False)
        if run.returncode != 0:
            lines = run.output.strip().splitlines()
            raise SittingError(lines[-1] if lines else f"mien invert ended with exit code {run.returncode}.")
        avatar = read_avatar(path)
        path.unlink()
        model = load_head_model()
        viewer = kind_of(avatar).viewer(avatar, Tools(self.model, self.device))
        subjects: dict[str, Subject] = {OURS: AvatarSubject(viewer, model)}
        if self.with_baselines:
            rgb, alpha = avatar.photo.numpy(), avatar.alpha.numpy().astype(np.float32) / 255
            subjects[COPY] = PhotoCopy(rgb, alpha, viewer.face, model)
            subjects[RERENDER] = MeshRerender(rgb, alpha, viewer.face, model)
        return Sat(subjects, InversionCost(run.seconds, run.cpu_seconds, run.peak_gib))
