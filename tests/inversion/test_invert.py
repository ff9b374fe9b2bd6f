from dataclasses import replace

import pytest
import torch
from tests.inversion.conftest import QUICK, Inverted, Portrait, look, psnr, rgba_of
from torch import Tensor

from mien.core.camera import Camera
from mien.generator.decoder import BODY_RGB, HAIR_HEIGHT, HAIR_RGB
from mien.generator.model import Generator
from mien.generator.planes import Planes, sample_planes
from mien.generator.render import RenderOutput, make_hair_shell, pose_head, render
from mien.inversion.invert import Inversion, InversionConfig, Observations, invert, residual_size, solve_w
from mien.morphable.carry import chart_grid, make_carrier
from mien.morphable.model import MorphableModel
from mien.morphable.regions import near_ears
from mien.training.procedural.semantics import Semantic

SIZE_PX = 96


def view(
    inversion: Inversion, portrait: Portrait, generator: Generator, model: MorphableModel, camera: Camera
) -> RenderOutput:
    fit = portrait.fit
    carrier = make_carrier(model, model.vertices(fit.identity, torch.zeros(52)))
    planes: Planes = inversion.planes(generator, fit.expression)
    shell = make_hair_shell(generator, planes, model, carrier)
    head = pose_head(model, fit.identity, fit.expression, carrier)
    return render(generator, planes, head, camera, SIZE_PX, SIZE_PX, shell=shell)


def test_solve_w_recovers_a_known_latent(portrait: Portrait, generator: Generator) -> None:
    random = torch.Generator().manual_seed(0)
    size = generator.config.mapping.w_size
    w = generator.mapping.w_avg + 0.7 * generator.w_std * torch.randn(size, generator=random)
    planes = generator.planes(w[None], portrait.fit.expression[None])
    points = torch.rand(1500, 3, generator=random) * 2 - 1
    features = sample_planes(planes, points[None])[0]
    weight = torch.full((1500,), 100.0)
    observations = [
        Observations(points, channels, features[:, channels], weight)
        for channels in (BODY_RGB, HAIR_RGB, slice(HAIR_HEIGHT, HAIR_HEIGHT + 1))
    ]
    found = solve_w(observations, portrait.fit, generator, InversionConfig(ridge=1e-3))
    distance = ((found - w) / generator.w_std).norm() / (
        (w - generator.mapping.w_avg) / generator.w_std
    ).norm()
    assert distance < 0.05


def test_without_evidence_the_latent_is_the_average(portrait: Portrait, generator: Generator) -> None:
    nothing = Observations(torch.zeros(0, 3), BODY_RGB, torch.zeros(0, 3), torch.zeros(0))
    w = solve_w([nothing], portrait.fit, generator, InversionConfig())
    torch.testing.assert_close(w, generator.mapping.w_avg)


def test_back_projection_brings_the_render_to_the_photo(
    inverted: Inverted, generator: Generator, model: MorphableModel
) -> None:
    portrait, camera = inverted.portrait, inverted.portrait.fit.camera
    seen = look(portrait.scene, camera, SIZE_PX)
    truth, person = rgba_of(seen), seen.alpha > 0.5
    solid = person & (seen.semantic != Semantic.HAIR)
    plain = replace(inverted.inversion, residual=torch.zeros_like(inverted.inversion.residual))
    tuned, untuned = (view(i, portrait, generator, model, camera).rgb for i in (inverted.inversion, plain))
    # 32.2 and 26.9 dB when this was written; with the hair, whose strands no plane holds, 29.9 and 26.8
    tuned_psnr = psnr(tuned, truth[..., :3], solid)
    assert tuned_psnr > psnr(untuned, truth[..., :3], solid) + 2
    assert tuned_psnr > 30
    whole_psnr = psnr(tuned, truth[..., :3], person)
    assert whole_psnr > psnr(untuned, truth[..., :3], person) + 2
    assert whole_psnr > 28


@pytest.mark.parametrize(
    ("side_px", "size"), [(20.0, 64), (100.0, 128), (206.0, 256), (470.0, 512), (4e3, 512)]
)
def test_a_small_face_has_no_fine_residual(side_px: float, size: int) -> None:
    assert residual_size(side_px, InversionConfig.texels_per_pixel) == size


@pytest.mark.parametrize("yaw_deg", [-30.0, 30.0])
def test_the_head_stays_itself_from_the_side(
    yaw_deg: float, inverted: Inverted, generator: Generator, model: MorphableModel
) -> None:
    camera = Camera.orbit(torch.deg2rad(torch.tensor(yaw_deg)).item(), 0.0)
    truth = inverted.portrait.truth(camera, SIZE_PX)
    out = view(inverted.inversion, inverted.portrait, generator, model, camera)
    # 25.1 and 24.2 dB when this was written: the hair's strands, highlights and rough outline are not held
    assert psnr(out.rgb, truth[..., :3], truth[..., 3] > 0.5) > 23
    either = (out.alpha.numpy() > 0.5) | (truth[..., 3] > 0.5)
    both = (out.alpha.numpy() > 0.5) & (truth[..., 3] > 0.5)
    assert both.sum() > 0.9 * either.sum()


def test_the_same_seed_gives_the_same_person(
    inverted: Inverted, generator: Generator, model: MorphableModel
) -> None:
    stages: list[tuple[str, float]] = []
    again = invert(
        inverted.evidence, inverted.portrait.fit, generator, model, config=QUICK,
        report=lambda stage, share: stages.append((stage, share)),
    )  # fmt: skip
    pairs: list[tuple[Tensor, Tensor]] = [
        (again.w, inverted.inversion.w),
        (again.residual, inverted.inversion.residual),
        (again.hair_height, inverted.inversion.hair_height),
    ]
    assert all(torch.equal(a, b) for a, b in pairs)
    shares = [share for _, share in stages]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_an_ear_is_not_painted_on_the_hair_behind_it(
    inverted: Inverted, generator: Generator, model: MorphableModel
) -> None:
    """What is seen as hair at the height of the ears is green; without the hair's colour it is an ear."""
    portrait, evidence = inverted.portrait, inverted.evidence
    ears = (near_ears(evidence.body_planes[:, :2]) & evidence.body_hit).view(evidence.shape)
    level = ears.any(1, keepdim=True).expand(evidence.shape).flatten()
    ears = level & (evidence.hair > 0.9)
    assert ears.sum() > 50
    green = torch.where(ears[:, None], torch.tensor([0.1, 0.9, 0.1]), evidence.rgb)
    grid = chart_grid(64).reshape(-1, 2)
    at_ears = grid[near_ears(grid) & (grid[:, 0].abs() < 0.6)]
    shares = []
    for locks in (torch.ones_like(evidence.locks), torch.zeros_like(evidence.locks)):
        seen = replace(evidence, rgb=green, locks=torch.where(ears, locks, evidence.locks))
        found = invert(seen, portrait.fit, generator, model, config=QUICK)
        points = torch.cat([at_ears, torch.full((len(at_ears), 1), 0.2)], 1)
        planes = found.planes(generator, portrait.fit.expression)
        colour = generator.decode(planes, points[None]).hair_rgb[0]
        shares.append(float((colour[:, 1] > 1.3 * colour[:, [0, 2]].amax(1)).float().mean()))
    as_hair, as_ear = shares
    assert as_hair > 0.1
    assert as_ear < 0.7 * as_hair  # green hair further back spreads there
