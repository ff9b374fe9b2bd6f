"""People who do not exist: latents of an EG3D generator, cameras around them, views."""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from mien.core.camera import FFHQ_FOCAL, Camera
from mien.generator.eg3d.generator import Eg3dGenerator, Eg3dRender, unit_image
from mien.generator.eg3d.renderer import Eg3dRenderer, eg3d_renderer
from mien.generator.eg3d.surface import density_normals, field_mesh
from mien.generator.view import SOLID, MeshConfig, View, viewer_normals, z_depth
from mien.io.mesh import Mesh

NORMAL_STEP: Final = 1 / 256
"""Share of the box over which the density's slope is taken: a texel of the published planes."""
STRIDE: Final = 100003


@dataclass(frozen=True, eq=False)
class Eg3dPerson:
    """One person of an EG3D generator, ready to be seen from anywhere."""

    generator: Eg3dGenerator
    planes: Float[Tensor, "1 3 channel y x"]
    renderer: Eg3dRenderer
    size_px: int | None = None
    """Side of the pictures, if not the generator's own."""

    def look(self, yaw_rad: float) -> View:
        """The person, see `Sitter`. The maps are of the size of the volume-rendered image."""
        camera = orbit_camera(self.generator, -yaw_rad).to(self.planes.device)
        out = self.renderer.render(camera)
        distance = out.depth[0, 0] * (out.alpha[0, 0] > SOLID)
        normals = self._normals(camera, distance)
        depth = z_depth(distance, camera).cpu()
        return View(_picture(out, self.size_px), depth, normals.cpu(), camera.to("cpu"))

    def mesh(self, config: MeshConfig | None = None) -> Mesh:
        """The surface, see `field_mesh`."""
        return field_mesh(self.generator, self.planes, config)

    def _normals(
        self, camera: Camera, distance: Float[Tensor, "height width"]
    ) -> Float[Tensor, "height width 3"]:
        """Down the density where each ray meets the surface, as the depth's own steps would show."""
        rays = camera.rays(*distance.shape)
        seen = distance > 0
        points = (rays.origins + rays.directions * distance[..., None])[seen]
        step = NORMAL_STEP * self.generator.config.rendering.box_side
        normals = torch.zeros(*distance.shape, 3, device=distance.device)
        with torch.no_grad():
            normals[seen] = density_normals(self.generator, self.planes, points, step=step)
        return viewer_normals(normals, camera)


def eg3d_person(
    generator: Eg3dGenerator, w: Float[Tensor, "1 layer w"], *, size_px: int | None = None
) -> Eg3dPerson:
    """Planes and renderer of a latent."""
    with torch.no_grad():
        planes = generator.planes(w)
    return Eg3dPerson(generator, planes, eg3d_renderer(generator, w, planes), size_px)


def random_person(
    generator: Eg3dGenerator, seed: int, *, truncation: float = 0.7, number: int = 0, **options: Any
) -> Eg3dPerson:
    """The `number`-th person of a seed; further options as of `eg3d_person`."""
    return eg3d_person(generator, random_w(generator, seed, truncation=truncation, number=number), **options)


def random_w(
    generator: Eg3dGenerator, seed: int, *, truncation: float = 0.7, number: int = 0
) -> Float[Tensor, "1 layer w"]:
    """Latent of the `number`-th person of a seed, conditioned on the frontal camera."""
    mapping = generator.config.backbone.mapping
    random = torch.Generator().manual_seed(seed * STRIDE + number)
    z = torch.randn(1, mapping.z_dim, generator=random)
    label = orbit_camera(generator, 0.0).to_label()[None]
    device = next(generator.parameters()).device
    with torch.no_grad():
        return generator.mapping(z.to(device), label.to(device), truncation=truncation)


def orbit_camera(generator: Eg3dGenerator, yaw_rad: float, pitch_rad: float = 0.0) -> Camera:
    """The camera on EG3D's own orbit, with FFHQ's intrinsics.

    It stays at the model's radius around the origin and looks at its pivot, which for faces lies before it.
    """
    config = generator.config
    sy, cy, sp, cp = math.sin(yaw_rad), math.cos(yaw_rad), math.sin(pitch_rad), math.cos(pitch_rad)
    position = config.camera_radius * torch.tensor([sy * cp, sp, cy * cp])
    return Camera.look_at(position, torch.tensor(config.camera_pivot), focal=FFHQ_FOCAL)


def _picture(out: Eg3dRender, size_px: int | None) -> np.ndarray:
    rgb = (unit_image(out.image[0]) * 255 + 0.5).to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    if size_px is None or size_px == len(rgb):
        return rgb
    return np.asarray(Image.fromarray(rgb).resize((size_px, size_px), Image.Resampling.LANCZOS))
