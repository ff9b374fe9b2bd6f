"""Portraits of procedural heads with known fit, and one inversion of them."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from mien.core.arkit import ARKIT_INDEX
from mien.core.camera import Camera
from mien.generator.model import Generator, load_generator
from mien.inversion.evidence import PhotoEvidence, gather_evidence
from mien.inversion.hair import HairConfig
from mien.inversion.invert import Inversion, InversionConfig, invert
from mien.morphable.crop import CropRegion
from mien.morphable.fit import FaceFit, orbit_camera
from mien.morphable.model import MorphableModel, load_head_model
from mien.training.heads import Head, random_head, render_rgba

PHOTO_PX = 144
QUICK = InversionConfig(hair=HairConfig(rays=3000, steps=60, batch=1500, samples=24))


@dataclass(frozen=True, eq=False)
class Portrait:
    """A rendered head before a grey wall, and its exact fit."""

    head: Head
    fit: FaceFit
    rgb: np.ndarray  # uint8 [PHOTO_PX, PHOTO_PX, 3]
    alpha: np.ndarray  # float32 [PHOTO_PX, PHOTO_PX]

    def evidence(self, model: MorphableModel) -> PhotoEvidence:
        return gather_evidence(self.rgb, self.alpha, self.fit, model)

    def truth(self, model: MorphableModel, camera: Camera, size_px: int) -> np.ndarray:
        """Premultiplied RGBA of the head from any camera."""
        return render_rgba(model, self.head, self.fit.expression.numpy(), camera, size_px)


def make_portrait(model: MorphableModel, **expression: float) -> Portrait:
    """The same person with any expression."""
    head = random_head(model, np.random.default_rng(11))
    coefficients = torch.zeros(52)
    for name, value in expression.items():
        coefficients[ARKIT_INDEX[name]] = value
    identity, R = torch.from_numpy(head.identity), torch.eye(3)
    camera, crop = orbit_camera(R), CropRegion(PHOTO_PX * 0.5, PHOTO_PX * 0.45, PHOTO_PX * 0.62)
    fit = FaceFit(identity, coefficients, R, camera, crop, 0.0, torch.zeros(478, 2))
    photo_camera = fit.photo_camera(PHOTO_PX, PHOTO_PX)
    uv = photo_camera.project(model.landmarks(fit.vertices(model))).uv
    fit = FaceFit(identity, coefficients, R, camera, crop, 0.0, uv * PHOTO_PX)
    rgba = render_rgba(model, head, coefficients.numpy(), photo_camera, PHOTO_PX)
    rgb = rgba[..., :3] + 0.5 * (1 - rgba[..., 3:])
    return Portrait(head, fit, (rgb * 255 + 0.5).astype(np.uint8), rgba[..., 3])


@dataclass(frozen=True, eq=False)
class Inverted:
    """One inversion and what it came from."""

    portrait: Portrait
    evidence: PhotoEvidence
    inversion: Inversion


@pytest.fixture(scope="session")
def model() -> MorphableModel:
    return load_head_model()


@pytest.fixture(scope="session")
def generator() -> Generator:
    """The bundled mien-base."""
    return load_generator()


@pytest.fixture(scope="session")
def portrait(model: MorphableModel) -> Portrait:
    return make_portrait(model)


@pytest.fixture(scope="session")
def evidence(portrait: Portrait, model: MorphableModel) -> PhotoEvidence:
    return portrait.evidence(model)


@pytest.fixture(scope="session")
def inverted(
    portrait: Portrait, evidence: PhotoEvidence, generator: Generator, model: MorphableModel
) -> Inverted:
    return Inverted(portrait, evidence, invert(evidence, portrait.fit, generator, model, config=QUICK))


def psnr(a: Tensor | np.ndarray, b: Tensor | np.ndarray, where: Tensor | np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of pictures in [0, 1] over a mask."""
    mask = np.asarray(where, bool)
    return float(-10 * np.log10(np.mean((np.asarray(a)[mask] - np.asarray(b)[mask]) ** 2) + 1e-12))
