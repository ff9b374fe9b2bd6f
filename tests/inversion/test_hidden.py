"""Guesses about what a photo does not show, and how little outlines count."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.inversion.conftest import Portrait, make_portrait
from torch import Tensor

from mien.generator.decoder import BODY_RGB
from mien.generator.model import Generator
from mien.generator.planes import Planes
from mien.generator.texels import splat, unseen_share
from mien.inversion.evidence import RIM_WEIGHT, PhotoEvidence, interior_weight
from mien.inversion.hidden import (
    HiddenConfig,
    Observations,
    dye_scalp,
    hair_on_top,
    hidden_hair,
    join,
    logit,
    region_points,
    scalp_guess,
    tooth_colour,
    tooth_guess,
    tooth_points,
)
from mien.morphable import chart
from mien.morphable.carry import chart_grid
from mien.morphable.chart import V_BODY
from mien.morphable.model import MorphableModel
from mien.morphable.raster import MISS_DEPTH
from mien.morphable.regions import on_scalp

CONFIG = HiddenConfig()


def seen_body(evidence: PhotoEvidence) -> Observations:
    person = evidence.alpha > 0.5
    weight = evidence.colour_weight * (1 - evidence.hair)
    return Observations(evidence.body_planes[person], BODY_RGB, logit(evidence.rgb[person]), weight[person])


def test_outlines_weigh_little() -> None:
    alpha = np.zeros((60, 80), np.float32)
    alpha[10:50, 10:70] = 1
    depth = np.full((60, 80), 2.5, np.float32)
    depth[:, 40:] = 2.7  # a step inside the person
    weight = interior_weight(alpha, depth, 300.0)
    assert weight[30, 10] < 0.1
    assert weight[30, 40] == np.float32(RIM_WEIGHT)
    assert weight[30, 25] == 1
    everywhere_missed = interior_weight(np.ones_like(alpha), np.full_like(depth, MISS_DEPTH), 300.0)
    assert (everywhere_missed == 1).all()


def test_points_of_a_region_fill_it(model: MorphableModel) -> None:
    points = region_points(model, "scalp")
    assert len(points) > 10_000
    assert on_scalp(points[:, :2]).float().mean() > 0.9
    assert (points[:, 1] > chart.V_BODY[0]).all()


def test_only_the_hidden_scalp_is_guessed(evidence: PhotoEvidence, model: MorphableModel) -> None:
    seen = seen_body(evidence)
    guess = scalp_guess(evidence, seen, model, CONFIG)
    front, behind = guess.points[:, 0].abs() < 0.4, guess.points[:, 0].abs() > 0.8
    assert guess.weight[behind].mean() > 0.4
    highest = float(guess.points[:, 1].max())
    crown = front & (guess.points[:, 1] > highest - 0.05)
    assert guess.weight[crown].mean() > 0.4  # hair is seen below it
    shown = unseen_share(splat(seen.points[:, :2], seen.target, seen.weight)[1], guess.points[:, :2]) == 0
    assert (front & shown).any()
    assert (guess.weight[shown] == 0).all()
    bald = replace(evidence, hair=torch.zeros_like(evidence.hair))
    assert (scalp_guess(bald, seen, model, CONFIG).weight == 0).all()


def test_a_crown_is_hairy_where_hair_is_seen_below_it(evidence: PhotoEvidence) -> None:
    u = torch.tensor([-0.3, 0.0, 0.3])
    assert (hair_on_top(evidence, u) > 0.5).all()
    on_head = torch.where(evidence.body_hit, torch.zeros_like(evidence.hair), evidence.hair)
    assert (hair_on_top(replace(evidence, hair=on_head), u) == 0).all()
    left = torch.where(evidence.body_planes[:, 0] < 0.1, evidence.hair, torch.zeros_like(evidence.hair))
    assert (hair_on_top(replace(evidence, hair=left), u)[[0, 2]] > 0.5).tolist() == [True, False]


def test_a_hidden_scalp_takes_the_colour_of_the_hair_over_it(
    evidence: PhotoEvidence, generator: Generator, model: MorphableModel
) -> None:
    no_crown = replace(evidence, hair=torch.where(evidence.body_hit, 0.0, evidence.hair))
    scalp = scalp_guess(no_crown, seen_body(evidence), model, CONFIG)
    planes = generator.planes(generator.mapping.w_avg[None], torch.zeros(1, 52))
    height, residual = torch.full((1, 1, 128, 128), 0.02), torch.zeros(1, 7, 256, 256)
    residual[:, BODY_RGB] = 1.0
    planes = replace(planes, hair_height=height, residual=residual)
    out = dye_scalp(generator, planes, scalp, CONFIG)
    behind = scalp.points[scalp.weight == CONFIG.scalp]
    over = behind.clone()
    over[:, 2] = chart.height_coordinate(torch.tensor(0.02))
    hair = generator.decode(planes, over[None]).hair_rgb[0]
    before = (generator.decode(planes, behind[None]).body_rgb[0] - hair).abs().mean()
    dyed = generator.decode(replace(planes, residual=out), behind[None]).body_rgb[0]
    assert (dyed - hair).abs().mean() < 0.35 * before
    front = scalp.points[scalp.weight == 0]
    front = front[front[:, 0].abs() < 0.3]
    unchanged = generator.decode(replace(planes, residual=out), front[None]).body_rgb
    torch.testing.assert_close(unchanged, generator.decode(planes, front[None]).body_rgb)


def test_teeth_are_guessed_unless_they_are_seen(
    portrait: Portrait, generator: Generator, model: MorphableModel
) -> None:
    smiling = make_portrait(
        model, mouthSmileLeft=0.9, mouthSmileRight=0.9, mouthUpperUpLeft=0.9, mouthUpperUpRight=0.9,
        mouthLowerDownLeft=0.7, mouthLowerDownRight=0.7, jawOpen=0.1,
    )  # fmt: skip
    weights = []
    front = tooth_points(model)[1].abs() < 15
    for one in (portrait, smiling):
        evidence = one.evidence(model)
        planes = generator.planes(generator.mapping.w_avg[None], torch.zeros(1, 52))
        guess = tooth_guess(evidence, seen_body(evidence), generator, planes, model, CONFIG)
        assert torch.isfinite(guess.target).all()
        weights.append(float(guess.weight[front].max()))
        assert float(guess.weight.max()) == pytest.approx(CONFIG.teeth)
        shown = guess.target[front]
        least_red = shown.sigmoid()[redness(shown) <= redness(shown).median()]
        tooth = float(tooth_colour(evidence, CONFIG.tooth_over_skin).mean())
        assert float(least_red.mean(1).quantile(0.9)) == pytest.approx(tooth, rel=0.4)
        assert float(least_red.mean(1).std()) > 0.02, "no single teeth"
    assert weights == [CONFIG.teeth, 0.0]


def redness(target: Tensor) -> Tensor:
    """Red less green over lightness, of logits [N, 3]."""
    rgb = target.sigmoid()
    return (rgb[:, 0] - rgb[:, 1]) / rgb.mean(1)


def test_teeth_take_the_light_of_the_photo(evidence: PhotoEvidence) -> None:
    plain = tooth_colour(evidence, CONFIG.tooth_over_skin)
    yellow = replace(evidence, rgb=evidence.rgb * torch.tensor([1.0, 0.8, 0.4]))
    tinted = tooth_colour(yellow, CONFIG.tooth_over_skin)
    assert tinted[2] / tinted[0] < 0.7 * plain[2] / plain[0]
    skin = evidence.rgb[(evidence.colour_weight > 0.5) & (evidence.hair < 0.1)].mean()
    assert plain.mean() > 0.75 * skin


def test_teeth_are_somewhat_as_warm_as_skin_though_whites_are_blue(evidence: PhotoEvidence) -> None:
    eyes = (evidence.body_planes[:, 1] < V_BODY[0])[:, None]
    warm = (1.5 * evidence.rgb * torch.tensor([1.0, 0.75, 0.6])).clamp(max=1)
    behind_lenses = replace(evidence, rgb=torch.where(eyes, torch.tensor([0.4, 0.5, 0.9]), warm))
    tooth = tooth_colour(behind_lenses, CONFIG.tooth_over_skin)
    skin = warm[(evidence.colour_weight > 0.5) & (evidence.hair < 0.1) & ~eyes[:, 0]].mean(0)
    assert tooth[2] / tooth[0] <= 1 - 0.2 * (1 - skin[2] / skin[0])


def test_teeth_are_never_teal(evidence: PhotoEvidence, generator: Generator, model: MorphableModel) -> None:
    blue = replace(evidence, rgb=evidence.rgb * torch.tensor([0.6, 0.9, 1.0]))
    tooth = tooth_colour(blue, CONFIG.tooth_over_skin)
    assert (tooth <= tooth[0] + 1e-6).all()
    planes = generator.planes(generator.mapping.w_avg[None], torch.zeros(1, 52))
    guess = tooth_guess(blue, seen_body(blue), generator, planes, model, CONFIG)
    rgb = guess.target.sigmoid()
    assert ((rgb[:, 1:] / rgb[:, :1]) <= tooth[1:] / tooth[0] + 0.02).all()


def test_joined_observations_are_one_after_the_other() -> None:
    one, other = (
        Observations(torch.full((n, 3), float(n)), BODY_RGB, torch.zeros(n, 3), torch.ones(n)) for n in (2, 5)
    )
    both = join(one, other)
    assert both.points[:, 0].tolist() == [2.0] * 2 + [5.0] * 5
    assert len(both.weight) == 7


def test_hidden_hair_has_the_hue_of_the_seen_and_strands_of_its_own(generator: Generator) -> None:
    size, random = 64, torch.Generator().manual_seed(5)
    base = generator.planes(generator.mapping.w_avg[None], torch.zeros(1, 52))
    noise = torch.randn(base.uv.shape, generator=random)
    planes = Planes(base.uv + noise, base.uh, base.vh, torch.full((1, 1, 32, 32), 0.03))
    mean, seen = torch.tensor([0.9, 0.1, -0.8]), torch.zeros(size, size)
    seen[30:40, 20:44] = 2.0
    residual, share = hidden_hair(generator, planes, (torch.zeros(3, size, size), seen), mean)
    assert share[35, 32] == 0
    assert share[60, 2] == 1
    uv = chart_grid(size).reshape(1, -1, 2)
    surface = chart.height_coordinate(torch.full((1, size * size), 0.03))
    points = torch.cat([uv, surface[..., None]], -1)
    drawn = logit(generator.decode(planes, points).hair_rgb[0]).T.reshape(3, size, size)
    found = drawn + residual - mean[:, None, None]
    assert drawn.std() > 0.2
    torch.testing.assert_close(found[0], found[1], atol=1e-4, rtol=0)  # one shade, light or dark
    torch.testing.assert_close(found[1], found[2], atol=1e-4, rtol=0)
    assert found.std() > 0.1
    assert found.mean().abs() < 0.05
