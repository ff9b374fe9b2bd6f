"""The heads of mien-bench and their truth. The only place that knows which procedural head it is.

Another head takes the place of this one by giving `BenchHead`s from `bench_head`.

The light is the person's own and stays where it is in the head's frame: the camera goes around a person who
keeps still, so no shadow and no shade moves, and only shine depends on the view.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from mien.core.camera import Camera
from mien.evaluation.bench.backdrop import draw_backdrop
from mien.evaluation.bench.breakdown import groups_of
from mien.evaluation.bench.frames import bench_camera
from mien.evaluation.bench.plan import BENCH_SEED, NEUTRAL, PHOTO_PX, expression_of
from mien.evaluation.bench.regions import region_map
from mien.morphable.model import MorphableModel
from mien.training.procedural.person import Person, draw_person
from mien.training.procedural.render.scene import Scene, Sitter, make_sitter, pose
from mien.training.procedural.render.shadow import Shadows
from mien.training.procedural.render.view import ProceduralView, render_view
from mien.training.procedural.response import Response, draw_response, photograph

SAMPLES_PX: Final = 1024
"""Side in samples of every picture, so that thin strands look the same in the photo and in the views."""
MOST_SAMPLES: Final = 4
"""Samples per side of a pixel at most."""


@dataclass(frozen=True, eq=False)
class TrueView:
    """What a camera truly sees."""

    rgb: Float[Tensor, "height width 3"]
    """In [0, 1], premultiplied by alpha."""
    alpha: Float[Tensor, "height width"]
    depth: Float[Tensor, "height width"]
    """Along the ray to the first surface, EG3D units; 0 where there is nothing."""
    landmarks: Float[Tensor, "478 3"]
    """MediaPipe's points on the true surface, head frame, also those that are hidden."""
    regions: UInt8[Tensor, "height width"]
    """A `Region` for every pixel."""


@runtime_checkable
class BenchHead(Protocol):
    """A person whose truth is known."""

    def view(self, expression: Float[Tensor, "52"], camera: Camera, size_px: int) -> TrueView:
        """The person with true coefficients, from a camera of the head's frame."""
        ...

    def photo(self, size_px: int) -> UInt8[np.ndarray, "size size 3"]:
        """The neutral face from the front, before a background, as a camera takes it."""
        ...

    def groups(self) -> dict[str, str]:
        """What the person is counted under, by factor; may be empty."""
        ...


class ProceduralBenchHead:
    """A person of `mien.training.procedural`, painted and grown once. Expressions are kept once posed."""

    def __init__(
        self, model: MorphableModel, person: Person, response: Response, seed: tuple[int, ...]
    ) -> None:
        self.person, self.response = person, response
        self._model, self._seed = model, seed
        self._posed: dict[bytes, tuple[Scene, Shadows]] = {}

    @cached_property
    def _sitter(self) -> Sitter:
        return make_sitter(self._model, self.person)

    def view(self, expression: Float[Tensor, "52"], camera: Camera, size_px: int) -> TrueView:
        """With the photo's camera response, but without its noise."""
        seen = self._look(expression, camera, size_px)
        landmarks = self._landmarks(expression)
        return TrueView(
            rgb=torch.from_numpy(seen.rgb),
            alpha=torch.from_numpy(seen.alpha),
            depth=torch.from_numpy(seen.depth),
            landmarks=landmarks,
            regions=torch.from_numpy(region_map(seen, landmarks)),
        )

    def photo(self, size_px: int) -> UInt8[np.ndarray, "size size 3"]:
        """Noise included; person and background are one picture before the camera's response."""
        seen = self._look(expression_of(NEUTRAL), bench_camera(0.0, 0.0), size_px)
        behind = draw_backdrop(self.person.light, np.random.default_rng((*self._seed, 2)), size_px)
        linear = seen.linear + (1 - seen.alpha[..., None]) * behind
        noise = np.random.default_rng((*self._seed, 3))
        rgb = photograph(linear, _at_size(self.response, size_px), noise)
        return np.round(np.clip(rgb, 0, 1) * 255).astype(np.uint8)

    def groups(self) -> dict[str, str]:
        """By age, sex, skin, hair, beard and glasses."""
        return groups_of(self.person.labels())

    def _look(self, expression: Tensor, camera: Camera, size_px: int) -> ProceduralView:
        scene, shadows = self._scene(expression)
        return render_view(
            scene, camera, size_px,
            supersampling=min(max(SAMPLES_PX // size_px, 1), MOST_SAMPLES),
            shadows=shadows,
            response=replace(_at_size(self.response, size_px), noise=0.0),
            light_hidden=False,
        )  # fmt: skip

    def _scene(self, expression: Tensor) -> tuple[Scene, Shadows]:
        coefficients = expression.numpy().astype(np.float32)
        key = coefficients.tobytes()
        if key not in self._posed:
            scene = pose(self._sitter, coefficients)
            self._posed[key] = scene, scene.shadows(self.person.light)
        return self._posed[key]

    def _landmarks(self, expression: Tensor) -> Float[Tensor, "478 3"]:
        return self._model.landmarks(torch.from_numpy(self._scene(expression)[0].body.vertices))


def _at_size(response: Response, size_px: int) -> Response:
    """The lens' blur is that of the photo, whatever the size of the picture."""
    return replace(response, blur_px=response.blur_px * size_px / PHOTO_PX)


def bench_head(model: MorphableModel, index: int) -> BenchHead:
    """The person of a number, the same on every machine."""
    seed = (BENCH_SEED, index)
    person = draw_person(model, np.random.default_rng(seed))
    response = draw_response(np.random.default_rng((*seed, 1)), skin_luminance=person.skin_luminance)
    return ProceduralBenchHead(model, person, response, seed)
