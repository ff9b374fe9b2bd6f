"""A full-size EG3D generator whose planes hold a head: for timing, since no published checkpoint ships.

Planes and decoder are fitted to one of mien's procedural heads before a coloured wall, by points along rays
of many cameras: empty before the surface, opaque and of the right colour at and behind it. The wall stands
where published FFHQ generators put their backgrounds, so rays that miss the head meet something too. The
super-resolution has random weights, scaled so that it adds detail of visible but moderate contrast.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from mien.core.atomic import atomic_path
from mien.core.camera import Camera
from mien.core.progress import progress
from mien.generator.eg3d.config import Eg3dConfig
from mien.generator.eg3d.decoder import OsgDecoder
from mien.generator.eg3d.generator import Eg3dGenerator
from mien.generator.eg3d.triplanes import COORDINATES, sample_triplanes
from mien.generator.stylegan2.layers import ToRgb, draw_weights

SEED: Final = 11
VIEWS: Final = 40
VIEW_PX: Final = 192
STEPS: Final = 700
RAYS: Final = 3000
FREE_POINTS: Final = 7
"""Points drawn before each ray's surface."""
WALL_Z: Final = -0.3
WALL_REACH: Final = 0.49
"""Half the side of the wall (EG3D units)."""
THICKNESS: Final = 0.012
"""Over this distance (EG3D units) the raw density rises from EMPTY to SOLID."""
EMPTY: Final = -9.0
SOLID: Final = 150.0
DETAIL: Final = 0.12
"""Scale of the super-resolution's to-RGB weights, which would otherwise drown the picture in noise."""
SCALE: Final = 1.37
SHIFT: Final = (0.0, 0.034, 0.122)
"""From the head's frame to EG3D's world, as of an aligned photo of a frontal face (`Eg3dAlignment`), but
nearer to the camera by 0.084: so measured, surfaces lie on the photo's mesh (median over its landmarks)."""
SWAY: Final = 0.02
"""Share of the random backbone in the planes: how much they depend on w."""


@dataclass(frozen=True, eq=False)
class Surfaces:
    """Rays of all views and what they meet first."""

    origins: Tensor
    directions: Tensor
    depth: Tensor
    """Distance along the ray; infinite where nothing is met."""
    rgb: Tensor


class HeadGenerator(Eg3dGenerator):
    """Its planes are those of the head; they depend on w only through a share of the backbone's."""

    head: Tensor

    def planes(self, w: Tensor, **settings: Any) -> Tensor:
        """Planes of each latent."""
        return self.head.to(w.device) + SWAY * super().planes(w, **settings)


def swaying(generator: Eg3dGenerator, head: Tensor) -> HeadGenerator:
    """The generator itself, made to hold the planes `head`."""
    generator.__class__ = HeadGenerator
    assert isinstance(generator, HeadGenerator)
    generator.head = head
    return generator


def hold_head(cache: Path) -> None:
    """Put the planes of `cache` into every EG3D generator that the program loads from now on."""
    from mien.animation.kinds import eg3d
    from mien.generator.eg3d.checkpoint import load_eg3d

    def load(*given: Any, **settings: Any) -> Eg3dGenerator:
        return swaying(load_eg3d(*given, **settings), in_place(load_file(cache)["planes"]))

    eg3d.load_eg3d = load


def in_place(planes: Tensor) -> Tensor:
    """The planes of the head as large and where heads are in EG3D's world: there the surface lies where the
    mesh of an aligned photo does, and moves with it."""
    rendering = Eg3dConfig().rendering
    side = planes.shape[-1]
    world = ((torch.arange(side) + 0.5) / side - 0.5) * rendering.box_side
    moved = []
    for plane, (across, down) in zip(planes.unbind(1), COORDINATES[rendering.plane_axes], strict=True):
        x, y = (2 * (world - SHIFT[axis]) / (SCALE * rendering.box_side) for axis in (across, down))
        place = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)[None]
        moved.append(F.grid_sample(plane, place, padding_mode="border", align_corners=False))
    return torch.stack(moved, 1)


def head_generator(cache: Path) -> tuple[Eg3dGenerator, Tensor]:
    """The generator, in evaluation mode, and the planes [1, 3, 32, 256, 256] of the head."""
    generator = Eg3dGenerator(Eg3dConfig())
    draw_weights(generator, torch.Generator().manual_seed(SEED))
    with torch.no_grad():
        for layer in generator.superresolution.modules():
            if isinstance(layer, ToRgb):
                layer.weight.mul_(DETAIL)
    if not cache.is_file():
        with atomic_path(cache) as path:
            save_file(fit_planes(gather_surfaces()), path)
    fitted = load_file(cache)
    planes = fitted.pop("planes")
    generator.decoder.load_state_dict(fitted)
    return generator.eval().requires_grad_(False), planes


def gather_surfaces() -> Surfaces:
    """Look at one head from many sides."""
    # Only here: what measures memory should not carry the ray caster and its assets.
    from mien.morphable.model import load_head_model
    from mien.training.procedural.draws import draw_expression
    from mien.training.procedural.person import draw_person
    from mien.training.procedural.render.scene import make_sitter, pose
    from mien.training.procedural.render.view import render_view

    rng, model = np.random.default_rng(SEED), load_head_model()
    scene = pose(make_sitter(model, draw_person(model, rng)), draw_expression(rng))
    parts: list[Surfaces] = []
    for index in progress(range(VIEWS), desc="views"):
        yaw = np.linspace(-1.0, 1.0, VIEWS)[index]
        camera = Camera.orbit(float(yaw), float(rng.uniform(-0.35, 0.35)), pivot=Eg3dConfig().camera_pivot)
        seen = render_view(scene, camera, VIEW_PX)
        rays = camera.rays(VIEW_PX, VIEW_PX)
        origins, directions = rays.origins.reshape(-1, 3), rays.directions.reshape(-1, 3)
        wall, colour = _wall(origins, directions)
        distance = torch.from_numpy(seen.depth).reshape(-1)
        hit, cover = distance > 0, torch.from_numpy(seen.alpha).reshape(-1, 1)
        depth = torch.where(hit, distance, wall)
        bare = torch.from_numpy(seen.rgb).reshape(-1, 3) / cover.clamp(min=0.25)
        rgb = torch.where(hit[:, None], bare, colour)
        parts.append(Surfaces(origins, directions, depth, rgb))
    names = ("origins", "directions", "depth", "rgb")
    return Surfaces(*(torch.cat([getattr(part, name) for part in parts]) for name in names))


def _wall(origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Distance to the wall (infinite beside it) and its colour: a soft pattern."""
    t = (WALL_Z - origins[:, 2]) / directions[:, 2]
    x, y = (origins + t[:, None] * directions)[:, :2].unbind(1)
    beside = (x.abs() > WALL_REACH) | (y.abs() > WALL_REACH) | (t < 0)
    colour = torch.stack([0.35 + 0.2 * x, 0.45 + 0.15 * torch.sin(9 * x), 0.5 + 0.3 * y], 1)
    return torch.where(beside, torch.inf, t), colour.clamp(0, 1)


def fit_planes(surfaces: Surfaces) -> dict[str, Tensor]:
    """Planes and decoder, fitted by points along rays."""
    config = Eg3dConfig()
    random = torch.Generator().manual_seed(SEED)
    decoder = OsgDecoder(config.decoder)
    draw_weights(decoder, random)
    planes = nn.Parameter(0.3 * torch.randn((1, 3, 32, 256, 256), generator=random))
    groups = [{"params": [planes], "lr": 0.03}, {"params": decoder.parameters(), "lr": 0.01}]
    optimizer = torch.optim.Adam(groups, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, [0.05, 0.01], total_steps=STEPS)
    r = config.rendering
    for _ in progress(range(STEPS), desc="fit"):
        points, signed, rgb = _drawn_points(surfaces, random)
        features = sample_triplanes(planes, points[None], box_side=r.box_side, axes=r.plane_axes)
        found = decoder(features)
        loss = _density_cost(found.sigma[0, :, 0], signed)
        near = signed.abs() < 2 * THICKNESS
        loss = loss + 20 * F.mse_loss(found.rgb[0, near, :3], rgb[near])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
    return {"planes": planes.detach(), **decoder.state_dict()}


def _drawn_points(surfaces: Surfaces, random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Points [N, 3], their distance behind the surface along the ray [N] and the surface's colour [N, 3]."""
    chosen = torch.randint(len(surfaces.depth), (RAYS,), generator=random)
    depth = surfaces.depth[chosen]
    near, far = 2.1, 3.35
    limit = depth.clamp(max=far)
    free = near + torch.rand((FREE_POINTS, RAYS), generator=random) * (limit - near)
    close = depth + torch.randn((3, RAYS), generator=random) * 2 * THICKNESS
    behind = depth + torch.rand((1, RAYS), generator=random) * 0.08
    t = torch.cat([free, close, behind])
    keep = t.isfinite() & (t < far)
    signed = t - depth
    points = surfaces.origins[chosen] + t[..., None].nan_to_num(0, 0, 0) * surfaces.directions[chosen]
    rgb = surfaces.rgb[chosen].expand(len(t), -1, -1)
    return points[keep], signed[keep], rgb[keep]


def _density_cost(sigma: Tensor, signed: Tensor) -> Tensor:
    """Empty before the surface, solid from it on, with a ramp between; hinges where more is as good."""
    wanted = EMPTY + (SOLID - EMPTY) * ((signed / THICKNESS + 1) / 2).clamp(0, 1)
    error = (sigma - wanted) / 20
    error = torch.where(signed < -THICKNESS, 4 * error.clamp(min=0), error)
    error = torch.where(signed > THICKNESS, error.clamp(max=0), error)
    return F.smooth_l1_loss(error, torch.zeros_like(error))
