"""Paper mode in mien-base: W per key frame by least squares, one back-projection over all of them.

Features are linear in W, and what a number of W adds at a texel does not depend on the frame. So the key
frames' pixels are gathered on the same texels, and the generator's Jacobian there is needed once for the
whole clip: as many passes as W has numbers.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mien.animation.drive import Puppet, make_puppet
from mien.animation.paper.config import PaperConfig, Passes
from mien.animation.paper.edited import EditedRender, edited_render
from mien.animation.paper.latents import Quadratic, choose_keys, solve_jointly, spread_latents
from mien.animation.paper.layers import PhotoLayers, first_hits
from mien.animation.paper.targets import inpaint_mouth
from mien.generator.decoder import BODY_RGB
from mien.generator.model import Generator
from mien.generator.planes import Planes
from mien.generator.texels import fill_chart, splat
from mien.inversion.evidence import interior_weight
from mien.inversion.hidden import logit
from mien.inversion.invert import splat_seen, w_jacobians
from mien.morphable.raster import interpolate_corners

TEXELS: Final = 64
"""Side of the chart on which pixels are gathered for W."""
LEAST_WEIGHT: Final = 0.5
"""Pixels that a texel must gather over the clip to count."""
ANCHOR: Final = 0.3
"""Weight of the latent's own colours where they fill the mouth."""


@dataclass(frozen=True, eq=False)
class KeyFrame:
    """An edited render and what the mesh shows in it, N pixels of the face."""

    edited: EditedRender
    expression: Float[Tensor, "52"]
    points: Float[Tensor, "pixel 3"]
    """Plane coordinates."""
    target: Float[Tensor, "pixel 3"]
    """Colours in [0, 1]."""
    weight: Float[Tensor, " pixel"]
    """Of the face mask; of the mouth's opening only where the photo's own teeth are kept."""
    mouth: Float[Tensor, " pixel"]
    """Of the opening, which the latent itself fills."""


@dataclass(frozen=True, eq=False)
class BaseSequence:
    """A clip in mien-base: a latent per frame and one tuning."""

    puppet: Puppet
    """Tuned; its planes are those of the photo's expression."""
    latents: Float[Tensor, "frame w"]
    keys: list[int]
    passes: Passes
    error: float
    """Mean absolute error of the tuned generator's pictures of the key frames inside the face masks."""

    def planes(self, frame: int, expression: Float[Tensor, "52"]) -> Planes:
        """The tuned planes of a frame."""
        inversion = replace(self.puppet.avatar.inversion, w=self.latents[frame])
        return inversion.planes(self.puppet.generator, expression)


def invert_clip(
    puppet: Puppet, layers: PhotoLayers, expressions: np.ndarray, time_s: np.ndarray, config: PaperConfig
) -> BaseSequence:
    """Latents and tuning for expressions float32 [T, 52] at times [T]. Deterministic."""
    passes = Passes()
    with torch.no_grad():
        keys = choose_keys(expressions, config.keys)
        frames = [key_frame(layers, torch.from_numpy(expressions[k]), config) for k in keys]
        at_keys = key_latents(puppet, frames, time_s[keys], config, passes)
        own = puppet.avatar.fit.expression[None].numpy()
        spread = spread_latents(expressions[keys], at_keys, np.concatenate([expressions, own]))
        latents = spread[:-1] if len(keys) < len(expressions) else at_keys
        residual, error = _tuned(puppet, frames, at_keys, config, passes)
        # What the photo shows beyond the tuned generator is told with a latent of this clip.
        tuned = replace(puppet.avatar.inversion, residual=residual, w=spread[-1])
        made = make_puppet(
            replace(puppet.avatar, inversion=tuned), puppet.generator, puppet.model, detail=config.detail
        )
        passes.tuning += int(config.detail)
    return BaseSequence(made, latents, keys, passes, error)


def key_frame(layers: PhotoLayers, expression: Float[Tensor, "52"], config: PaperConfig) -> KeyFrame:
    """The edited render of an expression, as observations."""
    source = layers.source
    vertices = source.posed(expression)
    edited, hits = edited_render(layers, vertices), first_hits(source, vertices)
    interior = interior_weight(source.alpha, edited.distance, source.fit.crop.side_px)
    face, opening = inpaint_mouth(edited, source.face_width_px, config)
    kept = edited.opening * edited.shown if config.keeps_seen_mouth else np.zeros_like(face)
    weight = np.maximum(face * edited.shown, kept) * interior
    index = np.flatnonzero(hits.hit & (np.maximum(weight, opening).reshape(-1) > 0.02))
    points = interpolate_corners(source.model.canonical_corners.numpy(), hits.of(index))
    weight, mouth, rgb = (
        torch.from_numpy(np.ascontiguousarray(x.reshape(len(hits.face), -1)[index])).float()
        for x in (weight, opening * (1 - kept), edited.rgb)
    )
    return KeyFrame(
        edited, expression, torch.from_numpy(points).float(), rgb, weight[:, 0], mouth[:, 0]
    )  # fmt: skip


def key_latents(
    puppet: Puppet, frames: list[KeyFrame], time_s: np.ndarray, config: PaperConfig, passes: Passes
) -> Float[Tensor, "key w"]:
    """The latents of key frames at times [K], in the generator before any tuning; no gradients."""
    generator = puppet.generator
    k = generator.config.mapping.w_size
    start = generator.mapping.w_avg if config.start == "mean" else puppet.avatar.inversion.w
    precision = torch.diag(1 / generator.w_std.square())
    splats = [_gathered(frame) for frame in frames]
    total = torch.stack([weight for _, weight in splats]).sum(0)
    used = total.flatten() > LEAST_WEIGHT
    mean = sum(values[:3] for values, _ in splats).flatten(1)[:, used] / total.flatten()[used]  # type: ignore[union-attr]
    points = mean.T
    (A,) = w_jacobians(generator, [(points, BODY_RGB)], frames[0].expression)
    passes.latent += k + 1
    own = []
    for frame, (values, weight) in zip(frames, splats, strict=True):
        w = weight.flatten()[used]
        target = logit((values[3:].flatten(1)[:, used] / w.clamp(min=1e-6)).T.clamp(0, 1))
        planes = generator.planes(start[None], frame.expression[None])
        passes.latent += 1
        error = target - logit(generator.decode(planes, points[None]).body_rgb[0])
        share = w * (config.effective_pixels / w.sum().clamp(min=1e-6))
        weighted = share[:, None, None] * A
        normal = torch.einsum("pcw,pcv->wv", weighted, A)
        own.append(Quadratic(normal, torch.einsum("pcw,pc->w", weighted, error)))
    return start + _moved(own, precision, time_s, config)


def _moved(
    own: list[Quadratic], precision: Float[Tensor, "w w"], time_s: np.ndarray, config: PaperConfig
) -> Float[Tensor, "key w"]:
    """How far each latent goes from the start: all together, or one after the other from the one before."""
    prior = config.ridge * precision
    if config.joint:
        held = [Quadratic(q.normal + prior, q.right) for q in own]
        return solve_jointly(held, np.diff(time_s) / config.smooth_s, prior)
    found: list[Tensor] = []
    for q in own:
        before = found[-1] if found else torch.zeros_like(q.right)
        found.append(torch.linalg.solve(q.normal + prior, q.right + prior @ before))
    return torch.stack(found)


def _gathered(frame: KeyFrame) -> tuple[Float[Tensor, "6 v u"], Float[Tensor, "v u"]]:
    """Sums over the pixels at each texel: plane coordinates, colours; weights."""
    values = torch.cat([frame.points, frame.target], 1)
    return splat(frame.points[:, :2], values, frame.weight, TEXELS)


def _tuned(
    puppet: Puppet, frames: list[KeyFrame], latents: Float[Tensor, "key w"], config: PaperConfig,
    passes: Passes,
) -> tuple[Float[Tensor, "channel v u"], float]:  # fmt: skip
    """One residual for all key frames, their latents fixed; hair and clothes stay the avatar's."""
    generator, inversion = puppet.generator, puppet.avatar.inversion
    residual = inversion.residual.clone()[None]
    if config.start == "mean":
        residual[0, BODY_RGB] = 0
    bases = [
        generator.planes(w[None], frame.expression[None]) for w, frame in zip(latents, frames, strict=True)
    ]
    passes.mouth += len(frames)  # the latents' own colours, of which the mouth's are kept
    size = residual.shape[-1]
    for round_ in range(config.rounds):
        total, weight = torch.zeros(3, size, size), torch.zeros(size, size)
        for frame, base in zip(frames, bases, strict=True):
            error = logit(frame.target) - _drawn(generator, base, residual, frame)
            passes.tuning += 1
            # Where the latent itself is the target there is no error, which holds what is around off.
            amount = frame.weight + ANCHOR * frame.mouth * (frame.weight < 0.1)
            error = error * (frame.weight / amount.clamp(min=1e-6))[:, None]
            sums = splat_seen(frame.points, error, amount, size)
            total, weight = total + sums[0], weight + sums[1]
        residual[0, BODY_RGB] += (1.0 if round_ == 0 else 0.7) * fill_chart(total, weight)
    errors = [
        masked_error(generator, replace(base, residual=residual), frame)
        for frame, base in zip(frames, bases, strict=True)
    ]
    return residual[0], float(np.mean(errors))


def masked_error(generator: Generator, planes: Planes, frame: KeyFrame) -> float:
    """Mean absolute error of tuned planes against an edited render inside its face mask, in [0, 1]."""
    with torch.no_grad():
        off = (generator.decode(planes, frame.points[None]).body_rgb[0] - frame.target).abs().mean(1)
    return float((off * frame.weight).sum() / frame.weight.sum().clamp(min=1e-6))


def clip_error(
    sequence: BaseSequence, layers: PhotoLayers, expressions: np.ndarray, config: PaperConfig
) -> float:
    """`masked_error` over all frames of a clip, key frames or not."""
    errors = []
    for k, expression in enumerate(torch.from_numpy(expressions)):
        frame = key_frame(layers, expression, config)
        errors.append(masked_error(sequence.puppet.generator, sequence.planes(k, expression), frame))
    return float(np.mean(errors))


def _drawn(
    generator: Generator, base: Planes, residual: Float[Tensor, "1 channel v u"], frame: KeyFrame
) -> Float[Tensor, "pixel 3"]:
    """Logits of the generator's colours at a frame's pixels."""
    planes = replace(base, residual=residual)
    return logit(generator.decode(planes, frame.points[None]).body_rgb[0])
