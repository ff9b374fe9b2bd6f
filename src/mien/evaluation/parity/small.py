"""The small generator of the reference: every output again, in groups."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from mien.core.camera import Camera
from mien.evaluation.parity.differences import Difference, GradientDifference, difference, normal
from mien.generator.eg3d.checkpoint import generator_of
from mien.generator.eg3d.config import Eg3dConfig
from mien.generator.eg3d.generator import Eg3dGenerator, Eg3dRender
from mien.generator.eg3d.rays import camera_rays
from mien.generator.eg3d.sampling import box_limits

INPUTS: Final = {"z", "c", "c_cond", "c_real_00018", "yaw_pitch", "query_xyz"}
"""Arrays of the reference that are given, not compared."""
RAY_PX: Final = 32
SEED: Final = 1234


@dataclass(frozen=True, eq=False)
class Gradients:
    """Of one number made from one image."""

    ws: Tensor
    label: Tensor
    parameters: dict[str, Tensor | None]
    """None for those that have no part in the image."""


class ParitySet:
    """The reference of a small generator, of all super-resolution modules, and of a small discriminator."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read_json(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text(encoding="utf-8"))

    @cached_property
    def reference(self) -> dict[str, np.ndarray]:
        """Arrays of the small generator, by name."""
        return dict(np.load(self.folder / "small_reference.npz", allow_pickle=False))

    @cached_property
    def config(self) -> Eg3dConfig:
        """Configuration of the small generator."""
        data = self.read_json("small_config.json")
        return Eg3dConfig.from_official(data["class_name"], data["init_kwargs"], data["attributes"])

    def generator(self, config: Eg3dConfig | None = None) -> Eg3dGenerator:
        """The small generator, or another one with its weights."""
        tensors = load_file(self.folder / "small_state.safetensors")
        return generator_of(config or self.config, tensors)

    @cached_property
    def small(self) -> Eg3dGenerator:
        """The small generator."""
        return self.generator()

    @cached_property
    def cameras(self) -> list[Camera]:
        """The three cameras of the reference."""
        return [Camera.from_label(label) for label in self.input("c")]

    def input(self, name: str) -> Tensor:
        """An array of the reference as a tensor."""
        return torch.from_numpy(self.reference[name])

    @cached_property
    def ws(self) -> Tensor:
        """Latents per layer of the three z, conditioned on the frontal camera."""
        return self.small.mapping(self.input("z"), self.input("c_cond").expand(3, -1))

    @cached_property
    def planes(self) -> Tensor:
        """Their planes."""
        return self.small.planes(self.ws)

    def gradients(self, dtype: torch.dtype = torch.float32) -> Gradients:
        """Gradients of sum(image weight); weight: normal, seed 7."""
        network = self.generator().to(dtype).requires_grad_(True)
        ws, label = (x[:1].to(dtype).requires_grad_() for x in (self.ws, self.input("c")))
        image = network.render(network.planes(ws), ws, Camera.from_label(label[0])).image
        (image * normal(7, tuple(image.shape)).to(dtype)).sum().backward()
        assert ws.grad is not None
        assert label.grad is not None
        return Gradients(ws.grad, label.grad, {name: p.grad for name, p in network.named_parameters()})


def latents(parity: ParitySet) -> dict[str, Tensor]:
    """Mapping network: three kinds of conditioning and truncation."""
    small, z = parity.small, parity.input("z")
    front = parity.input("c_cond").expand(3, -1)
    return {
        "w": parity.ws[:, 0],
        "w_self_cond": small.mapping(z, parity.input("c"))[:, 0],
        "w_trunc07": small.mapping(z, front, truncation=0.7)[:, 0],
        "ws_trunc05_cut7": small.mapping(z, front, truncation=0.5, cutoff=7),
    }


def planes(parity: ParitySet) -> dict[str, Tensor]:
    """Synthesis network."""
    maps = parity.planes.flatten(1, 2)
    quiet = parity.small.planes(parity.ws[:1], noise="none").flatten(1, 2)
    return {
        "planes_sub8_w0": maps[:1, :, ::8, ::8],
        "planes_mean": maps.mean((2, 3)),
        "planes_std": maps.std((2, 3)),
        "planes_nonoise_sub8_w0": quiet[..., ::8, ::8],
    }


def rays(parity: ParitySet) -> dict[str, Tensor]:
    """Ray casting and the limits of the box."""
    like = parity.input("z")
    found = camera_rays(parity.cameras, RAY_PX, like)
    real = camera_rays([Camera.from_label(parity.input("c_real_00018")[0])], RAY_PX, like)
    near, far = (
        t.unflatten(1, (RAY_PX, RAY_PX)) for t in box_limits(found, parity.config.rendering.box_side)
    )
    return {
        "ray_origins": found.origins[:, 0],
        "ray_dirs": found.directions.unflatten(1, (RAY_PX, RAY_PX))[:, ::8, ::8],
        "ray_dirs_real": real.directions.unflatten(1, (RAY_PX, RAY_PX))[:, ::8, ::8],
        "auto_tmin": near[:, ::4, ::4],
        "auto_tmax": far[:, ::4, ::4],
    }


def field(parity: ParitySet) -> dict[str, Tensor]:
    """Density and colour features at points."""
    found = parity.small.field(parity.planes, parity.input("query_xyz"))
    return {"query_sigma": found.sigma, "query_rgb": found.rgb}


def images(parity: ParitySet) -> dict[str, Tensor]:
    """Both render passes and super-resolution, without random numbers."""
    small, ws, maps = parity.small, parity.ws, parity.planes
    out: dict[str, Tensor] = {}
    for k, camera in enumerate(parity.cameras):
        found = small.render(maps[k : k + 1], ws[k : k + 1], camera)
        out |= _three(found, f"mid_{{}}_{k}")
        if k == 0:
            out["mid_feature_0"] = found.features.flatten(2).transpose(1, 2)
            out["mid_alpha_0"] = found.alpha.flatten(2).transpose(1, 2)
    out |= _three(small.render(maps, ws, parity.cameras), "mid_batch_{}")
    real = Camera.from_label(parity.input("c_real_00018")[0])
    return out | _three(small.render(maps[:1], ws[:1], real), "mid_real_{}")


def larger_image(parity: ParitySet) -> dict[str, Tensor]:
    """Another neural resolution. The official code writes the first block's RGB over its raw image."""
    small, ws = parity.small, parity.ws[:1]
    found = small.render(parity.planes[:1], ws, parity.cameras[0], neural_resolution=64)
    latents_of_block = ws[:, -1:].expand(-1, 3, -1)
    block = small.superresolution.get_submodule("block0")
    overwritten = block(found.features, found.image_raw, latents_of_block, noise="none")[1]
    return {
        "mid64_image": found.image,
        "mid64_image_raw_true": found.image_raw,
        "mid64_image_raw_as_returned": overwritten,
    }


def corrected_planes(parity: ParitySet) -> dict[str, Tensor]:
    """The third plane as (z, y)."""
    rendering = replace(parity.config.rendering, plane_axes="corrected")
    network = parity.generator(replace(parity.config, rendering=rendering))
    raw = network.render_raw(parity.planes[:1], parity.cameras[0])
    return {"mid_fixedplanes_image_raw": raw.image_raw}


def seeded(parity: ParitySet) -> dict[str, Tensor]:
    """Random numbers in the official order, from one seed."""
    small, ws, camera = parity.small, parity.ws[:1], parity.cameras[0]
    count, passes = RAY_PX**2, parity.config.rendering
    random = torch.Generator().manual_seed(SEED)
    first = torch.rand(1, count, passes.coarse, 1, generator=random)
    second = torch.rand(count, passes.fine, generator=random)
    still = small.render(parity.planes[:1], ws, camera, random=random.manual_seed(SEED))
    random.manual_seed(SEED)
    noisy = small.planes(ws, noise="random", random=random)
    return {
        "seed1234_u_coarse_first8": first.flatten()[:8],
        "seed1234_u_fine_first8": second.flatten()[:8],
        **_three(still, "seed1234_{}"),
        "seed1234_randomnoise_image": small.render(noisy, ws, camera, random=random).image,
    }


GROUPS: Final[dict[str, Callable[[ParitySet], dict[str, Tensor]]]] = {
    "latents": latents,
    "planes": planes,
    "rays": rays,
    "field": field,
    "images": images,
    "larger_image": larger_image,
    "corrected_planes": corrected_planes,
    "seeded": seeded,
}
"""Everything of the small generator, but gradients."""


def compare(parity: ParitySet, group: str) -> list[Difference]:
    """Differences of one group."""
    with torch.no_grad():
        ours = GROUPS[group](parity)
    return [difference(name, tensor, parity.reference[name]) for name, tensor in ours.items()]


def compare_gradients(parity: ParitySet, dtype: torch.dtype = torch.float32) -> list[GradientDifference]:
    """Whole gradients by latents and camera, and the length of every parameter's, computed in `dtype`.

    Raises ValueError if a parameter has a gradient and its reference none, or the other way round.
    """
    ours, out = parity.gradients(dtype), []
    for name, gradient in (("grad_ws", ours.ws), ("grad_c", ours.label)):
        expected = parity.input(name).double()
        out.append(GradientDifference(name, float((gradient.double() - expected).norm() / expected.norm())))
    reference = parity.read_json("small_param_grads.json")
    if reference.keys() != ours.parameters.keys():
        raise ValueError("The reference has gradients of other parameters than the generator has.")
    for name, found in ours.parameters.items():
        if (found is None) != (reference[name] is None):
            raise ValueError(f"Only one of ours and the reference has a gradient of {name}.")
        if found is not None:
            length = float(found.double().norm())
            out.append(GradientDifference(name, abs(length / reference[name][0] - 1)))
    return out


def _three(found: Eg3dRender, pattern: str) -> dict[str, Tensor]:
    parts = {"image": found.image, "image_raw": found.image_raw, "image_depth": found.depth}
    return {pattern.format(name): tensor for name, tensor in parts.items()}
