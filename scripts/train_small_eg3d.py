"""A small EG3D generator of procedural heads, for trying what published checkpoints do without having one.

    python scripts/train_small_eg3d.py OUTPUT.safetensors [--people N] [--steps N] [--seed N]

The layout is the official one (StyleGAN2 planes, camera conditioning, Hybrid2X super-resolution), with few
channels: 64 px rendered, 128 px out. It is no GAN: every person has a fixed z, and the whole generator,
mapping included, learns by reconstruction what that person looks like from known cameras. Empty space stays
empty, so pictures have a black background. The defaults take about 15 minutes on one core.
"""

import argparse
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mien.core.camera import Camera, Rays
from mien.core.progress import progress
from mien.core.viewpoint import ViewAngles
from mien.generator.backbones import StyleGan2Config
from mien.generator.eg3d.checkpoint import save_eg3d
from mien.generator.eg3d.config import Eg3dConfig
from mien.generator.eg3d.generator import Eg3dGenerator
from mien.generator.eg3d.march import Marched
from mien.generator.eg3d.render import RenderingConfig
from mien.generator.eg3d.superres import Hybrid2XConfig
from mien.generator.stylegan2.layers import draw_weights
from mien.morphable.crop import CropRegion
from mien.morphable.eg3d.alignment import Eg3dAlignment, place
from mien.morphable.eg3d.crop import CROP_PX, standard_head
from mien.morphable.fit import FaceFit, orbit_camera
from mien.morphable.model import MorphableModel, load_head_model
from mien.training.procedural.draws import draw_expression
from mien.training.procedural.person import draw_person
from mien.training.procedural.render.scene import make_sitter, pose
from mien.training.procedural.render.view import render_view

RAW_PX: Final = 64
OUT_PX: Final = 128
FACE_DISTANCE: Final = 2.683
"""Of the face's centroid from the camera before EG3D's positions are scaled: the crop is then 233 mm wide."""


@dataclass(frozen=True)
class TrainConfig:
    """Size of the set and of the training."""

    people: int = 64
    views: int = 10
    steps: int = 1500
    batch: int = 4
    rays: int = 1024
    """Per picture and step."""
    samples: tuple[int, int] = (16, 12)
    learning_rate: float = 0.004
    superres_every: int = 3
    """Only every so many steps draw a whole picture."""
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Views:
    """All views of all people, person by person."""

    cameras: list[Camera]
    labels: Tensor
    raw: Tensor
    """[view, 3, RAW_PX, RAW_PX] in [-1, 1]"""
    depth: Tensor
    """[view, RAW_PX^2] along the rays, EG3D units; 0 where nothing is seen"""
    image: Tensor
    """[view, 3, OUT_PX, OUT_PX] in [-1, 1]"""


def small_config() -> Eg3dConfig:
    """The official layout, small."""
    return Eg3dConfig(
        backbone=StyleGan2Config(resolution=128, channel_base=4096, channel_max=64),
        superres=Hybrid2XConfig(),
        rendering=RenderingConfig(coarse=24, fine=24),
        neural_resolution=RAW_PX,
    )


def standard_view(model: MorphableModel, yaw_rad: float, pitch_rad: float) -> Eg3dAlignment:
    """EG3D's camera of a head of average size in the middle of its crop."""
    return place(
        ViewAngles(yaw_rad, pitch_rad, 0.0),
        torch.tensor([0.0, 0.0, FACE_DISTANCE], dtype=torch.float64),
        torch.from_numpy(standard_head(model).origin),
        image=np.zeros((CROP_PX, CROP_PX, 3), np.uint8),
        crop=CropRegion(CROP_PX / 2, CROP_PX / 2, CROP_PX),
        fit=_no_fit(model),
    )


def world_camera(model: MorphableModel, yaw_rad: float, pitch_rad: float) -> tuple[Camera, Camera]:
    """The camera in EG3D's world (of the frontal view's scale for all) and in the head's frame."""
    frontal, view = standard_view(model, 0.0, 0.0), standard_view(model, yaw_rad, pitch_rad)
    head = view.head_camera
    T = head.T_world_camera.clone()
    T[:3, 3] = frontal.to_world(head.position)
    return Camera(T, head.intrinsics), head


def draw_views(model: MorphableModel, config: TrainConfig) -> Views:
    """Render the set; every person keeps one expression."""
    rng = np.random.default_rng(config.seed)
    scale = standard_view(model, 0.0, 0.0).world_scale
    cameras, raw, depth, image = [], [], [], []
    for _ in progress(range(config.people), desc="people"):
        scene = pose(make_sitter(model, draw_person(model, rng)), draw_expression(rng))
        shadows = scene.shadows(scene.sitter.person.light)
        for k in range(config.views):
            yaw = 0.0 if k == 0 else float(np.clip(rng.normal(0, 0.5), -1.1, 1.1))
            world, own = world_camera(model, yaw, float(np.clip(rng.normal(0, 0.15), -0.4, 0.4)))
            seen = render_view(scene, own, OUT_PX, shadows=shadows)
            coarse = render_view(scene, own, RAW_PX, shadows=shadows)
            rgb = torch.from_numpy(seen.rgb).permute(2, 0, 1)
            cameras.append(world)
            image.append(rgb * 2 - 1)
            raw.append(F.avg_pool2d(rgb[None], OUT_PX // RAW_PX)[0] * 2 - 1)
            depth.append(torch.from_numpy(coarse.depth).reshape(-1) * scale)
    labels = torch.stack([camera.to_label() for camera in cameras])
    return Views(cameras, labels, torch.stack(raw), torch.stack(depth), torch.stack(image))


def train(config: TrainConfig, model: MorphableModel) -> Eg3dGenerator:
    """Reconstruct all people."""
    random = torch.Generator().manual_seed(config.seed)
    generator = Eg3dGenerator(small_config())
    draw_weights(generator, random)
    z = torch.randn(config.people, generator.config.backbone.mapping.z_dim, generator=random)
    views = draw_views(model, config)
    optimizer = torch.optim.Adam(generator.parameters(), lr=config.learning_rate, betas=(0.0, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=config.steps, pct_start=0.1, cycle_momentum=False
    )
    for step in progress(range(config.steps), desc="training"):
        index = torch.randint(len(views.cameras), (config.batch,), generator=random)
        w = generator.map_w(z[index // config.views], views.labels[index])
        generator.backbone.mapping.update_w_avg(w)
        planes = generator.planes(w, noise="none")
        loss = ray_loss(generator, planes, views, index, config, random)
        if step % config.superres_every == 0 and step > config.steps // 5:
            loss = loss + picture_loss(generator, planes[:1], w[:1], views, int(index[0]), random)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            print(f"\nstep {step}: {loss.item():.4f}", flush=True)
    return generator.eval().requires_grad_(False)


def ray_loss(
    generator: Eg3dGenerator, planes: Tensor, views: Views, index: Tensor, config: TrainConfig,
    random: torch.Generator,
) -> Tensor:  # fmt: skip
    """Colour, coverage and depth along some rays."""
    chosen = torch.randint(RAW_PX**2, (config.rays,), generator=random)
    rays = [views.cameras[i].rays(RAW_PX, RAW_PX) for i in index.tolist()]
    origins = torch.stack([r.origins.reshape(-1, 3)[chosen] for r in rays])
    directions = torch.stack([r.directions.reshape(-1, 3)[chosen] for r in rays])
    met = generator.march(planes, Rays(origins, directions), samples=config.samples, random=random)
    colour = views.raw[index].flatten(2).transpose(1, 2)[:, chosen]
    depth = views.depth[index][:, chosen]
    error = (met.features[..., :3] - colour).abs().mean() + 2 * F.mse_loss(met.features[..., :3], colour)
    return error + 0.3 * _shape_loss(met, depth)


def _shape_loss(met: Marched, depth: Tensor) -> Tensor:
    seen = (depth > 0).float()
    coverage = F.mse_loss(met.alpha[..., 0], seen)
    off = ((met.depth[..., 0] - depth).abs() * seen * met.alpha[..., 0].detach()).mean()
    return coverage + 10 * off


def picture_loss(
    generator: Eg3dGenerator, planes: Tensor, w: Tensor, views: Views, view: int, random: torch.Generator
) -> Tensor:
    """The final picture of one view; super-resolution learns alone, on what is rendered."""
    with torch.no_grad():
        raw = generator.render_raw(planes, views.cameras[view], samples=(16, 12), random=random)
    image = generator.enhance(raw.features, w)
    target = views.image[view][None]
    return (image - target).abs().mean() + 2 * F.mse_loss(image, target)


def _no_fit(model: MorphableModel) -> FaceFit:
    R = torch.eye(3)
    none = torch.zeros(478, 2)
    return FaceFit(
        torch.zeros(model.component_count),
        torch.zeros(52),
        R,
        orbit_camera(R),
        CropRegion(0, 0, 1),
        0.0,
        none,
    )


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    for name in ("people", "steps", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(TrainConfig(), name))
    given = parser.parse_args()
    config = TrainConfig(people=given.people, steps=given.steps, seed=given.seed)
    generator = train(config, load_head_model())
    count = sum(p.numel() for p in generator.parameters())
    source = {"made_by": "scripts/train_small_eg3d.py", "seed": config.seed, "steps": config.steps}
    save_eg3d(given.output, generator, header={"provenance": source})
    print(f"{given.output}: {count / 1e6:.1f} M parameters, {math.prod((config.people, config.views))} views")


if __name__ == "__main__":
    main()
