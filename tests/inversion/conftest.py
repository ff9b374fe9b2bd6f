"""Portraits of procedural heads with known fit, and one inversion of them."""

from dataclasses import dataclass
from functools import lru_cache

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
from mien.training.procedural.person import draw_person
from mien.training.procedural.render.scene import Scene, Sitter, make_sitter, pose
from mien.training.procedural.render.view import ProceduralView, render_view

PHOTO_PX = 144
PERSON = 6
"""A man of 34 with long straight hair below an overcast sky; neither beard nor glasses."""
QUICK = InversionConfig(hair=HairConfig(rays=3000, steps=60, batch=1500, samples=24))


@dataclass(frozen=True, eq=False)
class Portrait:
    """A rendered head before a grey wall, and its exact fit."""

    scene: Scene
    fit: FaceFit
    rgb: np.ndarray  # uint8 [PHOTO_PX, PHOTO_PX, 3]
    alpha: np.ndarray  # float32 [PHOTO_PX, PHOTO_PX]

    @property
    def view(self) -> ProceduralView:
        """What the photo's camera sees."""
        return look(self.scene, self.fit.photo_camera(PHOTO_PX, PHOTO_PX), PHOTO_PX)

    def evidence(self, model: MorphableModel) -> PhotoEvidence:
        return gather_evidence(self.rgb, self.alpha, self.fit, model)

    def truth(self, camera: Camera, size_px: int) -> np.ndarray:
        """Premultiplied RGBA of the head from any camera."""
        return rgba_of(look(self.scene, camera, size_px))


def look(scene: Scene, camera: Camera, size_px: int) -> ProceduralView:
    """With many samples a pixel, so that strands are no noise."""
    return render_view(scene, camera, size_px, supersampling=4)


def rgba_of(view: ProceduralView) -> np.ndarray:
    return np.concatenate([view.rgb, view.alpha[..., None]], -1)


@lru_cache(maxsize=1)
def sitter_of(model: MorphableModel) -> Sitter:
    return make_sitter(model, draw_person(model, np.random.default_rng(PERSON)))


def make_portrait(model: MorphableModel, **expression: float) -> Portrait:
    """The same person with any expression."""
    sitter = sitter_of(model)
    coefficients = torch.zeros(52)
    for name, value in expression.items():
        coefficients[ARKIT_INDEX[name]] = value
    identity, R = torch.from_numpy(sitter.person.shape.identity).float(), torch.eye(3)
    camera, crop = orbit_camera(R), CropRegion(PHOTO_PX * 0.5, PHOTO_PX * 0.45, PHOTO_PX * 0.62)
    fit = FaceFit(identity, coefficients, R, camera, crop, 0.0, torch.zeros(478, 2))
    photo_camera = fit.photo_camera(PHOTO_PX, PHOTO_PX)
    uv = photo_camera.project(model.landmarks(fit.vertices(model))).uv
    fit = FaceFit(identity, coefficients, R, camera, crop, 0.0, uv * PHOTO_PX)
    scene = pose(sitter, coefficients.numpy())
    rgba = rgba_of(look(scene, photo_camera, PHOTO_PX))
    rgb = rgba[..., :3] + 0.5 * (1 - rgba[..., 3:])
    return Portrait(scene, fit, (rgb * 255 + 0.5).astype(np.uint8), rgba[..., 3])


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
