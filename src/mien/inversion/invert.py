"""Inversion of one photo: W by least squares, hair from the silhouette, residual planes (pivotal tuning).

Masked inversion after Lin et al. 2022 (section 3.2), pivotal tuning after Roich et al. 2022, with planes in
canonical space: geometry is anchored to the morphable fit and to a smooth height field of hair, so a head
stays a head from the side; colours follow the photo where it shows them, and the prior elsewhere.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from mien.generator.decoder import BODY_RGB, HAIR_HEIGHT, HAIR_RGB, HEIGHT_SCALE, OUTPUTS
from mien.generator.detail import complete, put_hidden
from mien.generator.model import Generator
from mien.generator.planes import Planes, resize, sample_planes
from mien.generator.render import HairTrace, PosedHead, make_hair_shell, trace_hair
from mien.generator.texels import SIZE, Splatted, fill_chart, splat
from mien.inversion.beardform import formed_on_chart
from mien.inversion.complete import chart_evidence
from mien.inversion.density import DensityConfig, fit_density, paths_of, trace_of
from mien.inversion.evidence import PhotoEvidence, near_person
from mien.inversion.hair import HairConfig, fit_shape, sample_silhouette
from mien.inversion.hairprior import HairShape, hair_prior, knows_hair
from mien.inversion.hidden import (
    HiddenConfig,
    Observations,
    dye_scalp,
    hidden_hair,
    join,
    logit,
    scalp_guess,
    tooth_guess,
)
from mien.inversion.lids import lid_guess
from mien.inversion.mouth import mouth_guess
from mien.inversion.nape import axis_plane, end_of_hair, ended, seen_clothes, worn_texels
from mien.inversion.swatches import look_at_hair
from mien.morphable import chart
from mien.morphable.carry import chart_grid, make_carrier
from mien.morphable.fit import FaceFit
from mien.morphable.model import MorphableModel
from mien.morphable.regions import near_ears

Report = Callable[[str, float], None]
"""Called with the name of the stage that begins and the share done of the whole inversion."""


@dataclass(frozen=True)
class InversionConfig:
    """Weights and steps."""

    seed: int = 0
    ridge: float = 3.0
    """Weight of the prior in the linear solve for W, in units of logit variance."""
    effective_pixels: float = 400.0
    """Pixels are correlated: together they count as this many."""
    hair_share: float = 0.5
    height_share: float = 0.4
    """Weight of the hair's colour and height beside the body's colour."""
    hair: HairConfig = field(default_factory=HairConfig)
    density: DensityConfig = field(default_factory=DensityConfig)
    reach: float = 0.03
    """Width of the rim around the person in which the hair's density is fitted, of the region's side."""
    scalp_dye: float = 0.2
    """Weight of a hair pixel's colour on the scalp under it."""
    hidden: HiddenConfig = field(default_factory=HiddenConfig)
    rounds: int = 2
    """Rounds of back-projection."""
    gain: float = 0.7
    texels_per_pixel: float = 1.8
    """Most texels of the residual, around the whole head, per pixel of the crop's side. Between the pixels of
    a small face finer texels would only hold noise."""


@dataclass(frozen=True, eq=False)
class Inversion:
    """A person in the generator: pivot, residual planes, hair."""

    w: Float[Tensor, " w"]
    residual: Float[Tensor, "channel size size"]
    """Added to the decoder's outputs, over the (u, v) plane."""
    hair_height: Float[Tensor, "v u"]
    """Outer surface of the hair over the chart, EG3D units above the smooth body."""
    expression: Float[Tensor, "52"]
    """Of the photo."""
    hair_density: Float[Tensor, "v u"] | None = None
    """In [0, 1] over the chart; None is as dense as can be."""

    def planes(self, generator: Generator, expression: Float[Tensor, "52"]) -> Planes:
        """Tuned planes for an expression."""
        device = generator.mapping.w_avg.device
        w, residual, height = (t.to(device)[None] for t in (self.w, self.residual, self.hair_height))
        base = generator.planes(w, expression.to(device)[None])
        density = None if self.hair_density is None else self.hair_density.to(device)[None, None]
        return replace(base, residual=residual, hair_height=height[None], hair_density=density)


def invert(
    evidence: PhotoEvidence,
    fit: FaceFit,
    generator: Generator,
    model: MorphableModel,
    *,
    config: InversionConfig | None = None,
    report: Report = lambda stage, share: None,
) -> Inversion:
    """Find the person of a photo in the generator. Deterministic for a seed."""
    config = config or InversionConfig()
    random = torch.Generator().manual_seed(config.seed)
    carrier = make_carrier(model, fit.neutral(model))
    head = PosedHead(model, fit.vertices(model).numpy(), carrier)
    with torch.no_grad():
        report("W", 0.0)
        body = body_observations(evidence, config)
        silhouette = sample_silhouette(evidence, carrier, config.hair, random)
        plane = axis_plane(evidence, carrier)
        clothes = seen_clothes(evidence, plane)
        end = end_of_hair(evidence, plane, clothes)
        # Hair that is known without W needs neither a first W nor a second look.
        w, repeats = generator.mapping.w_avg, 1
        if not knows_hair(generator):
            w, repeats = solve_w([body], fit, generator, config), 2
    for repeat in range(repeats):
        report("hair", 0.1 + 0.7 * repeat / repeats)
        prior = hair_prior(generator, w, fit.expression)
        shape = fit_shape(prior, silhouette, config.hair, random)
        if end is not None:
            shape = ended(shape, end, worn_texels(evidence, carrier, clothes, shape.height))
        person, trace, density = seen_hair(evidence, fit, generator, head, w, shape, config, random)
        with torch.no_grad():
            rows = [
                body,
                hair_observations(evidence, person, trace, config),
                height_observations(shape.height, config),
            ]
            w = solve_w(rows, fit, generator, config)
    report("planes", 0.8)
    with torch.no_grad():
        residual = back_project(evidence, fit, generator, model, w, shape.height, person, trace, config)
    report("done", 1.0)
    return Inversion(w, residual, shape.height, fit.expression, density)


def solve_w(
    observations: list[Observations], fit: FaceFit, generator: Generator, config: InversionConfig
) -> Float[Tensor, " w"]:
    """Ridge regression on the basis planes: features are linear in W. The prior is N(w_avg, w_std)."""
    k = generator.config.mapping.w_size
    expression = fit.expression[None]
    start = generator.mapping.w_avg
    precision = torch.diag(1 / generator.w_std.square())
    normal, right = config.ridge * precision, torch.zeros(k)
    used = [o for o in observations if len(o.points)]
    places = [(o.points, o.channels) for o in used]
    first = generator.planes(start[None], expression)
    for o, jacobian in zip(used, w_jacobians(generator, places, fit.expression), strict=True):
        at_start = sample_planes(first, o.points[None])[0, :, o.channels]
        A = jacobian.reshape(-1, k)
        b = (o.target - at_start).reshape(-1)
        weight = o.weight.repeat_interleave(o.target.shape[1])
        normal = normal + A.T @ (weight[:, None] * A)
        right = right + A.T @ (weight * b)
    return start + torch.linalg.solve(normal, right)


def w_jacobians(
    generator: Generator, places: list[tuple[Tensor, slice]], expression: Float[Tensor, "52"]
) -> list[Float[Tensor, "point channel w"]]:
    """What each number of W adds to features at plane coordinates [N, 3]: some of their channels at each of
    some sets of points. It is the same for every W."""
    k = generator.config.mapping.w_size
    rows: list[list[Tensor]] = [[] for _ in places]
    for part in torch.cat([torch.zeros(1, k), torch.eye(k)]).split(8):
        planes = generator.planes(part, expression.expand(len(part), -1))
        for row, (points, channels) in zip(rows, places, strict=True):
            row.append(sample_planes(planes, points.expand(len(part), -1, -1))[..., channels])
    alone = [torch.cat(row) for row in rows]
    return [(row[1:] - row[:1]).permute(1, 2, 0) for row in alone]


def body_observations(evidence: PhotoEvidence, config: InversionConfig) -> Observations:
    """Colour logits of the visible body."""
    skin = evidence.colour_weight * (1 - 2 * evidence.hair).clamp(0, 1)
    index = torch.nonzero(skin > 0.3)[:, 0]
    index = index[:: max(1, len(index) // 3000)]
    weight = _normalised(skin[index], config.effective_pixels)
    return Observations(evidence.body_planes[index], BODY_RGB, logit(evidence.rgb[index]), weight)


def hair_observations(
    evidence: PhotoEvidence, person: Tensor, trace: HairTrace, config: InversionConfig
) -> Observations:
    """Colour logits of the visible hair, at the heaviest sample of each ray."""
    index = torch.nonzero((trace.alpha > 0.5) & (evidence.hair[person] > 0.5))[:, 0]
    index = index[:: max(1, len(index) // 1500)]
    weight = _normalised(
        trace.alpha[index] * (evidence.interior * evidence.locks)[person[index]],
        config.effective_pixels * config.hair_share,
    )
    return Observations(trace.mean_planes[index], HAIR_RGB, logit(evidence.rgb[person[index]]), weight)


def height_observations(height: Float[Tensor, "v u"], config: InversionConfig) -> Observations:
    """The fitted height field, at its own surface, on the front half of the head."""
    uv = chart_grid(32).reshape(-1, 2)
    uv = uv[(uv[:, 1] > chart.V_BODY[0]) & (uv[:, 0].abs() < 0.75)]
    values = torch.nn.functional.grid_sample(height[None, None], uv[None, None], align_corners=False)[0, 0, 0]
    points = torch.cat([uv, chart.height_coordinate(values)[:, None]], 1)
    weight = _normalised(torch.ones(len(uv)), config.effective_pixels * config.height_share)
    return Observations(points, slice(HAIR_HEIGHT, HAIR_HEIGHT + 1), values[:, None] / HEIGHT_SCALE, weight)


def back_project(
    evidence: PhotoEvidence, fit: FaceFit, generator: Generator, model: MorphableModel, w: Tensor,
    height: Tensor, person: Tensor, trace: HairTrace, config: InversionConfig,
) -> Float[Tensor, "channel size size"]:  # fmt: skip
    """Residual of the decoded channels that makes the render the photo, filled where it shows nothing."""
    base = generator.planes(w[None], fit.expression[None])
    size = residual_size(fit.crop.side_px, config.texels_per_pixel)
    target = logit(evidence.rgb[person])
    # The scalp under the hair is dyed like the hair above it, so that a gap never shows bare skin.
    dye = config.scalp_dye * trace.alpha * evidence.hair[person]
    # Hair that is seen beside a fitted ear is not to be painted on it.
    beside = evidence.hair[person] * near_ears(evidence.body_planes[person, :2])
    body_share = ((1 - trace.alpha) * (1 - beside) + dye) * evidence.colour_weight[person]
    hair_share = trace.weight * ((evidence.hair > 0.4) * evidence.interior)[person][:, None]
    # An ear beyond the fitted one counts as hair, but is not to be painted on it.
    hair_share = hair_share * (1 - near_ears(trace.planes[..., :2]) * (1 - evidence.locks[person])[:, None])
    seen = Observations(evidence.body_planes[person], BODY_RGB, target, body_share)
    # The other side of the face lends skin only: the edge of a scarf or fringe seldom is symmetric.
    lids = lid_guess(evidence, fit, model)
    skin = torch.cat([(evidence.hair[person] < 0.3).float(), torch.ones(len(lids.points))])
    seen = join(seen, lids)
    scalp = scalp_guess(evidence, seen, model, config.hidden)
    teeth = tooth_guess(evidence, seen, generator, base, model, config.hidden)
    mouth = mouth_guess(generator, base, model, config.hidden.mouth)
    body = join(seen, scalp, teeth, mouth)
    dyed = slice(len(seen.points), len(seen.points) + len(scalp.points))
    skin = torch.cat([skin, torch.ones(len(body.points) - len(skin))])
    hair_points = trace.planes.reshape(-1, 3)
    residual = torch.zeros(1, OUTPUTS, size, size)
    for round_ in range(config.rounds):
        planes = replace(base, residual=residual, hair_height=height[None, None])
        gain = 1.0 if round_ == 0 else config.gain
        hair = generator.decode(planes, hair_points[None]).hair_rgb.view(*trace.weight.shape, 3)
        mean_hair = (trace.weight[..., None] * hair).sum(1) / trace.alpha.clamp(min=1e-3)[:, None]
        hair_error = (target - logit(mean_hair)).repeat_interleave(trace.weight.shape[1], 0)
        decoded = generator.decode(planes, body.points[None])
        wanted = body.target.clone()
        wanted[dyed] = logit(decoded.hair_rgb[0, dyed])
        body_error = wanted - logit(decoded.body_rgb[0])
        lent = splat_seen(body.points, body_error, body.weight * skin, size)
        hair_splat = splat_seen(hair_points, hair_error, hair_share.reshape(-1), size)
        residual[0, HAIR_RGB] += gain * fill_chart(*hair_splat)
        own = splat_seen(body.points, body_error, body.weight, size)
        residual[0, BODY_RGB] += gain * fill_chart(*own, lent)
    if generator.completer is not None:
        locks = (hair_share * evidence.locks[person][:, None]).reshape(-1)
        shades = target.repeat_interleave(trace.weight.shape[1], 0)
        strands = Observations(hair_points, HAIR_RGB, shades, locks)
        shown = chart_evidence(generator, base, height, seen, strands)
        completed = complete(generator, shown, seed=config.seed)
        looked = look_at_hair(evidence, person, trace)
        if fit.beard is not None:
            looked = replace(looked, formed=formed_on_chart(model, fit.beard, len(shown.body[1])))
        residual = put_hidden(residual, shown, completed, looked, islands=False)
        dyed_planes = replace(base, residual=residual, hair_height=height[None, None])
        return resize(dye_scalp(generator, dyed_planes, scalp, config.hidden), SIZE)[0]
    mean = (target * hair_share.sum(1, keepdim=True)).sum(0) / hair_share.sum().clamp(min=1e-3)
    other = (target - mean).repeat_interleave(hair_share.shape[1], 0)
    colours = splat_seen(hair_points, other, hair_share.reshape(-1), size)
    guess, share = hidden_hair(generator, replace(base, hair_height=height[None, None]), colours, mean)
    residual[0, HAIR_RGB] = torch.lerp(residual[0, HAIR_RGB], guess, share)
    return resize(residual, SIZE)[0]


def residual_size(side_px: float, texels_per_pixel: float) -> int:
    """Texels around the head that a photo can fill: a power of two, at most `SIZE`."""
    size = SIZE
    while size > 64 and size > texels_per_pixel * side_px:
        size //= 2
    return size


def splat_seen(points: Tensor, error: Tensor, weight: Tensor, size: int) -> Splatted:
    """`splat` of the points that count, without leaps."""
    used = weight > 1e-3
    return splat(points[used, :2], error[used].clamp(-4, 4), weight[used], size)


def seen_hair(
    evidence: PhotoEvidence, fit: FaceFit, generator: Generator, head: PosedHead, w: Tensor, shape: HairShape,
    config: InversionConfig, random: torch.Generator,
) -> tuple[Tensor, HairTrace, Tensor | None]:  # fmt: skip
    """The person's pixels, where their rays meet hair, and the hair's density, if it has one of its own."""
    planes = generator.planes(w[None], fit.expression[None])
    planes = replace(planes, hair_height=shape.height[None, None])
    thin = config.density.thin
    if shape.density is not None:
        planes = replace(planes, hair_density=torch.full_like(shape.height, thin)[None, None])
    with torch.no_grad():
        shell = make_hair_shell(generator, planes, head.model, head.carrier)
        near = torch.nonzero(near_person(evidence, config.reach))[:, 0]
        o, d, depth = evidence.origins[near], evidence.directions[near], evidence.body_depth[near]
        traced = trace_hair(generator, planes, head, o, d, depth, shell)
    person = evidence.alpha[near] > 0.5
    if shape.density is None:
        return near[person], traced.of(person), None
    paths = paths_of(traced, thin)
    # On the mesh but outside the person the fit is off.
    weight = torch.where(evidence.body_hit[near] & (evidence.alpha[near] < 0.3), 0.1, 1.0)
    density = fit_density(shape.density, paths, evidence.hair[near], weight, config.density, random)
    return near[person], trace_of(paths, density).of(person), density


def _normalised(weight: Tensor, total: float) -> Tensor:
    return weight * (total / weight.sum().clamp(min=1e-6))
