"""Pictures of a run: the averaged generator's images of fixed latents, and images to measure."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from mien.core.camera import Camera
from mien.generator.eg3d.generator import Eg3dGenerator, unit_image
from mien.training.gan.draws import chunk_random, random_labels
from mien.training.gan.phases import cameras_of
from mien.training.gan.trainer import GanTrainer

SHEET_YAWS_RAD: Final = (-0.4, 0.0, 0.4)
SHEET_PEOPLE: Final = 8
SHEET, MEASURED = 0, 1
"""Different random numbers for the two uses."""


def to_8_bit(image: Tensor) -> UInt8[Tensor, "*batch 3 height width"]:
    """RGB in [-1, 1] to 8 bit."""
    return (unit_image(image) * 255).round().to(torch.uint8)


@torch.no_grad()
def sheet(trainer: GanTrainer, people: int = SHEET_PEOPLE) -> UInt8[np.ndarray, "height width 3"]:
    """The same latents every time, one per column, seen from the left, the front and the right."""
    generator, device = trainer.average, trainer.device
    random = chunk_random(trainer.config.seed, "samples", SHEET, 0, device)
    z = torch.randn(people, generator.config.backbone.mapping.z_dim, generator=random, device=device)
    intrinsics = trainer.data.labels[0, 16:].reshape(3, 3)
    cameras = [_orbit(generator, yaw, intrinsics).to(device) for yaw in SHEET_YAWS_RAD]
    front = cameras[len(cameras) // 2].to_label().expand(people, -1)
    columns = []
    for person, label in zip(z, front, strict=True):
        w = generator.map_w(person[None], label[None])
        planes = generator.planes(w)
        images = generator.render(planes, w, cameras, neural_resolution=trainer.moment.neural_px).image
        columns.append(to_8_bit(images))
    rows = [torch.cat([column[k] for column in columns], 2) for k in range(len(cameras))]
    return torch.cat(rows, 1).permute(1, 2, 0).cpu().numpy()


@torch.no_grad()
def fakes(trainer: GanTrainer, count: int) -> Iterator[UInt8[Tensor, "batch 3 height width"]]:
    """`count` images of the averaged generator, of cameras of the data set; the same latents every time."""
    generator, size = trainer.average, trainer.config.chunk
    for chunk in range(-(-count // size)):
        random = chunk_random(trainer.config.seed, "samples", MEASURED, chunk, trainer.device)
        batch = min(size, count - chunk * size)
        z = torch.randn(
            batch, generator.config.backbone.mapping.z_dim, generator=random, device=trainer.device
        )
        labels = random_labels(trainer.phases.labels, batch, random)
        w = generator.map_w(z, labels)
        render = generator.render(
            generator.planes(w), w, cameras_of(labels), neural_resolution=trainer.moment.neural_px
        )
        yield to_8_bit(render.image)


def _orbit(generator: Eg3dGenerator, yaw_rad: float, intrinsics: Tensor) -> Camera:
    camera = Camera.orbit(yaw_rad, 0.0, radius=generator.config.camera_radius)
    return Camera(camera.T_world_camera, intrinsics)
