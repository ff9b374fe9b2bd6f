from dataclasses import replace

import torch
from torch import Tensor

from mien.generator.completion import EVIDENCE_SIZE, Completer, CompletionConfig
from mien.generator.decoder import BODY_RGB, HAIR_HEIGHT, HAIR_RGB, HEIGHT_SCALE
from mien.generator.detail import FACING, SeenHair, complete, put_hidden
from mien.generator.grain import HUE_PULL
from mien.generator.laid import Swatch, hair_texel_sides
from mien.generator.model import Generator, load_generator
from mien.inversion.complete import chart_evidence
from mien.inversion.hidden import Observations
from mien.morphable import chart
from mien.morphable.carry import chart_grid
from mien.morphable.regions import azimuth_and_height

CONFIG = CompletionConfig(widths=(8, 12))


def completing_generator() -> Generator:
    generator = load_generator()
    generator.config = replace(generator.config, completion=CONFIG)
    torch.manual_seed(0)
    generator.completer = Completer(CONFIG).eval().requires_grad_(False)
    torch.nn.init.normal_(generator.completer.leave.conv.weight, 0, 0.1)
    return generator


def observed(channels: slice, side: float) -> Observations:
    """Colours everywhere on one half of the body: u of the sign `side`."""
    random = torch.Generator().manual_seed(1)
    points = torch.rand(120_000, 3, generator=random) * 2 - 1
    points[:, 0] = side * points[:, 0].abs()
    points[:, 1] = points[:, 1].clamp(min=chart.V_BODY[0] + 0.05)
    return Observations(points, channels, torch.full((len(points), 3), 0.7), torch.ones(len(points)))


def test_what_is_seen_keeps_its_residual_and_the_rest_is_completed() -> None:
    generator = completing_generator()
    planes = generator.planes(generator.mapping.w_avg[None], torch.zeros(1, 52))
    height = torch.zeros(128, 128)
    shown = chart_evidence(generator, planes, height, observed(BODY_RGB, 1.0), observed(HAIR_RGB, 1.0))
    completed = complete(generator, shown)
    residual = torch.randn(1, 7, 256, 256, generator=torch.Generator().manual_seed(2))
    out = put_hidden(residual, shown, completed)
    rows = slice(60, 250)
    seen, hidden = slice(140, 240), slice(20, 110)
    assert torch.equal(out[..., rows, seen], residual[..., rows, seen])
    assert (out[:, BODY_RGB, rows, hidden] - residual[:, BODY_RGB, rows, hidden]).abs().mean() > 0.1
    assert torch.equal(out[:, HAIR_HEIGHT], residual[:, HAIR_HEIGHT])
    wanted = torch.nn.functional.interpolate(completed.body[None], size=(256, 256), mode="area")[0]
    base = torch.nn.functional.interpolate(shown.base[None, BODY_RGB], scale_factor=2, mode="bilinear")
    base = torch.nn.functional.interpolate(base, size=(256, 256), mode="area")[0]
    found = (out[0, BODY_RGB] + base)[:, rows, hidden]
    torch.testing.assert_close(found, wanted[:, rows, hidden], atol=1e-3, rtol=1e-3)


def test_what_is_seen_edge_on_is_completed() -> None:
    generator = completing_generator()
    planes = generator.planes(generator.mapping.w_avg[None], torch.zeros(1, 52))
    shown = chart_evidence(
        generator, planes, torch.zeros(128, 128), observed(BODY_RGB, 1.0), observed(HAIR_RGB, 1.0)
    )
    total, weight = shown.body
    grazed = torch.ones_like(weight)
    middle, edge = EVIDENCE_SIZE // 2, int(0.9 * EVIDENCE_SIZE)
    grazed[:, edge:] = 0.05
    shown = replace(shown, body=(total * grazed, weight * grazed))
    completed = complete(generator, shown)
    residual = torch.randn(1, 7, 256, 256, generator=torch.Generator().manual_seed(2))
    out = put_hidden(residual, shown, completed)[:, BODY_RGB, 60:250]
    change = (out - residual[:, BODY_RGB, 60:250]).abs().mean((0, 1, 2))
    texel = 256 // EVIDENCE_SIZE or 1
    assert change[(middle + 6) * texel : (edge - 6) * texel].max() == 0
    assert change[(edge + 6) * texel : 250].min() > 0.1


def test_colours_filled_in_next_to_what_is_seen_do_not_show() -> None:
    """Beside the seen half the residual has whatever was near it; within it, gaps stay as they are filled."""
    generator = completing_generator()
    planes = generator.planes(generator.mapping.w_avg[None], torch.zeros(1, 52))
    shown = chart_evidence(
        generator, planes, torch.zeros(128, 128), observed(BODY_RGB, 1.0), observed(HAIR_RGB, 1.0)
    )
    total, weight = (image.clone() for image in shown.body)
    total[..., 150:153, 180:183] = weight[..., 150:153, 180:183] = 0  # a gap
    shown, size = replace(shown, body=(total, weight)), EVIDENCE_SIZE
    completed = complete(generator, shown)
    dark = torch.zeros(1, 7, size, size)
    dark[..., : size // 2] = -50.0
    rows = slice(60, 250)
    out = put_hidden(dark, shown, completed)[0, BODY_RGB, rows]
    assert out[..., : size // 2 - 1].min() > -10
    assert out[..., : size // 2].min() > -50 / 2  # where both meet
    assert torch.equal(out[..., size // 2 + 6 : -8], torch.zeros_like(out[..., size // 2 + 6 : -8]))


def test_completion_follows_its_seed() -> None:
    generator = completing_generator()
    planes = generator.planes(generator.mapping.w_avg[None], torch.zeros(1, 52))
    shown = chart_evidence(
        generator, planes, torch.zeros(128, 128), observed(BODY_RGB, -1.0), observed(HAIR_RGB, 1.0)
    )
    assert shown.body[0].shape == (3, EVIDENCE_SIZE, EVIDENCE_SIZE)
    one, again, other = (complete(generator, shown, seed=s).hair for s in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_hair_of_a_colour_never_seen_is_completed_like_other_hair() -> None:
    generator = completing_generator()
    planes = generator.planes(generator.mapping.w_avg[None], torch.zeros(1, 52))
    hair = observed(HAIR_RGB, 1.0)
    green = replace(hair, target=hair.target + torch.tensor([-1.0, 1.5, -0.5]))
    body, height = observed(BODY_RGB, 1.0), torch.zeros(128, 128)
    plain, dyed = (
        complete(generator, chart_evidence(generator, planes, height, body, h)) for h in (hair, green)
    )
    difference = dyed.hair - plain.hair
    expected = torch.tensor([-1.0, 1.5, -0.5])[:, None, None].expand_as(difference)
    torch.testing.assert_close(difference, expected, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(dyed.body, plain.body, atol=1e-3, rtol=1e-3)


def test_what_was_seen_in_the_place_of_hair_is_kept_unless_edge_on() -> None:
    generator = completing_generator()
    planes = generator.planes(generator.mapping.w_avg[None], torch.zeros(1, 52))
    shown = chart_evidence(
        generator, planes, torch.zeros(128, 128), observed(BODY_RGB, 1.0), observed(HAIR_RGB, 1.0)
    )
    completed, residual = complete(generator, shown), torch.zeros(1, 7, 256, 256)
    none = torch.zeros(EVIDENCE_SIZE, EVIDENCE_SIZE)
    blank = Swatch(torch.zeros(3, 64, 64), torch.zeros(64, 64), torch.zeros(2, 64, 64), 0.001)
    from_the_front = hair_texel_sides(shown.height[0] * HEIGHT_SCALE).prod(0) / blank.pixel**2

    def put(hair: Tensor, other: Tensor) -> Tensor:
        return put_hidden(residual, shown, completed, SeenHair(hair, other, blank, blank, blank))[:, HAIR_RGB]

    assert put_hidden(residual, shown, completed)[:, HAIR_RGB].abs().max() > 0
    assert put(FACING[1] * 1.1 * from_the_front, none)[..., 60:240, 8:-8].abs().max() == 0
    edge_on = put(FACING[0] * 0.9 * from_the_front, none)[..., 60:240, 8:-8]
    assert (edge_on != 0).float().mean() > 0.99
    clothes = torch.full_like(none, 0.1)  # little is seen of them, but they are no hair
    assert put(none, clothes).abs().max() == 0


def test_hidden_skin_goes_towards_the_hue_of_seen_cheeks_and_keeps_its_lightness() -> None:
    generator = completing_generator()
    planes = generator.planes(generator.mapping.w_avg[None], torch.zeros(1, 52))
    shown = chart_evidence(
        generator, planes, torch.zeros(128, 128), observed(BODY_RGB, 1.0), observed(HAIR_RGB, 1.0)
    )
    tan = torch.tensor([1.0, 0.2, -0.9])[:, None, None]
    completed = complete(generator, shown)
    completed = replace(completed, body=tan.expand_as(completed.body))
    none = torch.zeros(EVIDENCE_SIZE, EVIDENCE_SIZE)
    blank = Swatch(torch.zeros(3, 64, 64), torch.zeros(64, 64), torch.zeros(2, 64, 64), 0.001)
    residual = torch.zeros(1, 7, EVIDENCE_SIZE, EVIDENCE_SIZE)
    plain = put_hidden(residual, shown, completed)
    pulled = put_hidden(residual, shown, completed, SeenHair(none, none, blank, blank, blank))
    moved = (pulled - plain)[0, BODY_RGB]
    azimuth, height = azimuth_and_height(chart_grid(EVIDENCE_SIZE))
    left = chart_grid(EVIDENCE_SIZE)[..., 0] < 0
    cheek = left & (azimuth > 50) & (azimuth < 90) & (height > -0.15) & (height < 0.0)
    expected = -HUE_PULL * (tan - tan.mean())[:, 0].expand(3, 1)  # the seen colour is grey
    torch.testing.assert_close(moved[:, cheek], expected.expand(3, int(cheek.sum())), atol=0.05, rtol=0.05)
    assert moved.mean(0).abs().max() < 1e-3
    assert moved[:, left & (azimuth > 140)].abs().max() < 1e-3
