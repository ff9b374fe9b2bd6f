import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mien.generator.eg3d.generator import Eg3dGenerator
from mien.generator.stylegan2.layers import draw_weights
from mien.training.discriminator import DualDiscriminator, resized
from mien.training.gan.config import GanConfig
from mien.training.gan.dataset import Reals
from mien.training.gan.draws import EndlessOrder, chunk_random, random_labels, swapped
from mien.training.gan.losses import (
    blurred,
    density_loss,
    fake_loss,
    generator_loss,
    neighbours,
    real_loss,
)
from mien.training.gan.phases import Moment, Phases


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def phases(tiny_config: GanConfig) -> Phases:
    """Random networks in double precision whose images do not depend on each other."""
    alone = replace(tiny_config.discriminator, group_size=1)
    config = replace(tiny_config, discriminator=alone)
    generator, discriminator = Eg3dGenerator(config.generator), DualDiscriminator(alone)
    draw_weights(generator, seeded())
    draw_weights(discriminator, seeded(1))
    return Phases(config, generator, discriminator, draw(5, 25))


def reals() -> Reals:
    return Reals(draw(2, 3, 64, 64).clamp(-1, 1), draw(2, 25, seed=1))


def test_the_losses_are_log_likelihoods() -> None:
    logits = draw(8, 1) * 4
    p = torch.sigmoid(logits.double())
    torch.testing.assert_close(generator_loss(logits).double(), -p.log().mean())
    torch.testing.assert_close(real_loss(logits).double(), -p.log().mean())
    torch.testing.assert_close(fake_loss(logits).double(), -(1 - p).log().mean())
    extreme = torch.tensor([[1000.0], [-1000.0]], requires_grad=True)
    generator_loss(extreme).backward()
    torch.testing.assert_close(extreme.grad, torch.tensor([[0.0], [-0.5]]))  # does not saturate


def test_neighbours_fill_the_cube_and_lie_close() -> None:
    points, beside = neighbours((3, 4000), 0.01, seeded())
    assert points.abs().max() <= 1
    torch.testing.assert_close(points.mean((0, 1)), torch.zeros(3), atol=0.03, rtol=0)
    torch.testing.assert_close(points.std((0, 1)), torch.full((3,), 1 / math.sqrt(3)), atol=0.02, rtol=0)
    torch.testing.assert_close((beside - points).std((0, 1)), torch.full((3,), 0.01), atol=3e-4, rtol=0)


def test_the_density_loss_is_the_mean_difference() -> None:
    a, b = draw(2, 7, 1), draw(2, 7, 1, seed=1)
    expected = sum(abs(float(x - y)) for x, y in zip(a.flatten(), b.flatten(), strict=True)) / 14
    assert float(density_loss(a, b)) == pytest.approx(expected)
    assert density_loss(a, a) == 0


def test_density_is_compared_at_neighbours_of_new_fakes(phases: Phases) -> None:
    """The phase against doing its draws again by hand; only shape and colour networks learn from it."""
    phases.generator.requires_grad_(True)
    moment = Moment(0.5, 6, 0.0)
    (term,) = phases.density_terms(moment, seeded(3))
    random = seeded(3)
    w, _ = phases.latents(moment, random)
    planes = phases.generator.planes(w, noise="random", random=random)
    record, count = phases.config.generator.training, phases.config.loss.density_points
    points, beside = neighbours((2, count), record.density_reg_distance, random)
    ends = [phases.generator.field(planes, p).sigma for p in (points, beside)]
    torch.testing.assert_close(term.loss, record.density_reg * (ends[0] - ends[1]).abs().mean())
    term.loss.backward()
    touched = {name.split(".")[0] for name, p in phases.generator.named_parameters() if p.grad is not None}
    assert touched == {"backbone", "decoder"}


@pytest.mark.parametrize("blur_px", [0.0, 1.0])
def test_the_penalty_is_of_both_images_one_by_one(phases: Phases, blur_px: float) -> None:
    """The R1 phase against gradients of each image's logit by itself, in double precision."""
    phases.discriminator.double()
    found = reals()
    found = Reals(found.images.double(), found.labels.double())
    moment = Moment(0.5, 6, blur_px)
    (term,) = phases.penalty_terms(moment, seeded(), found)
    squares = []
    for k in range(2):
        image = found.images[k : k + 1].clone().requires_grad_()
        raw = blurred(resized(found.images[k : k + 1], 6), blur_px).requires_grad_()
        logit = phases.discriminator(blurred(image, blur_px), raw, found.labels[k : k + 1])
        gradients = torch.autograd.grad(logit.sum(), [image, raw])
        squares.append(sum(g.square().sum() for g in gradients))
    expected = phases.config.loss.r1_gamma / 2 * (squares[0] + squares[1]) / 2
    torch.testing.assert_close(term.loss, torch.as_tensor(expected))


def test_the_penalty_is_learned_from_as_finite_differences_say(phases: Phases) -> None:
    phases.discriminator.double().requires_grad_(True)
    found = reals()
    found = Reals(found.images.double(), found.labels.double())

    def penalty() -> Tensor:
        (term,) = phases.penalty_terms(Moment(0.5, 6, 0.5), seeded(), found)
        return term.loss

    weight = phases.discriminator.get_parameter("b32.conv1.weight")
    (gradient,) = torch.autograd.grad(penalty(), [weight])
    step = 1e-6 * gradient / gradient.norm()
    values = []
    for sign in (1, -1):
        weight.data.add_(sign * step)
        values.append(float(penalty().detach()))
        weight.data.sub_(sign * step)
    assert (values[0] - values[1]) / 2e-6 == pytest.approx(float(gradient.norm()), rel=1e-3)


def test_each_phase_teaches_its_own_network(phases: Phases) -> None:
    moment = Moment(0.5, 6, 0.0)
    phases.generator.requires_grad_(True)
    phases.discriminator.requires_grad_(False)
    for term in phases.generator_terms(moment, seeded()):
        term.loss.backward()
    assert phases.generator.get_parameter("backbone.mapping.fc0.weight").grad is not None
    assert phases.generator.get_parameter("superresolution.block0.conv0.weight").grad is not None
    phases.generator.zero_grad()
    phases.discriminator.requires_grad_(True)
    means: list[Tensor] = []
    terms = []
    for term in phases.discriminator_terms(moment, seeded(), reals(), means):
        term.loss.backward()
        terms.append(term)
    assert len(terms) == 2
    assert all(p.grad is None for p in phases.generator.parameters())
    assert phases.discriminator.get_parameter("b64.fromrgb.weight").grad is not None
    assert len(means) == 1
    w, _ = phases.latents(moment, seeded())
    torch.testing.assert_close(means[0], w.mean(0).detach())


def test_labels_are_swapped_with_the_one_before() -> None:
    labels = torch.arange(50.0).reshape(2000 // 1000, 25)
    assert torch.equal(swapped(labels, 0.0, seeded()), labels)
    assert torch.equal(swapped(labels, 1.0, seeded()), labels.roll(1, 0))
    many = torch.arange(2000.0)[:, None].expand(-1, 25)
    share = (swapped(many, 0.3, seeded()) != many).any(1).float().mean()
    assert 0.25 < float(share) < 0.35


def test_without_pose_conditioning_the_mapping_sees_no_camera(phases: Phases) -> None:
    given = phases.config.generator
    record = replace(given.training, pose_swap_probability=None)
    blind = replace(phases.config, generator=replace(given, training=record))
    seen = []
    for labels in (draw(5, 25), draw(5, 25, seed=1)):
        with torch.no_grad():
            seen.append(Phases(blind, phases.generator, phases.discriminator, labels).latents(
                Moment(0.0, 6, 0.0), seeded()))  # fmt: skip
    torch.testing.assert_close(seen[0][0], seen[1][0])
    assert not torch.equal(seen[0][1], seen[1][1])


def test_blurring_is_gaussian() -> None:
    spot = torch.zeros(1, 2, 31, 31)
    spot[:, :, 15, 15] = 1
    out = blurred(spot, 2.0)
    torch.testing.assert_close(out.sum((2, 3)), torch.ones(1, 2))
    place = torch.arange(31.0) - 15
    variance = (out[0, 0].sum(0) * place**2).sum()
    assert float(variance) == pytest.approx(4.0, rel=0.03)
    torch.testing.assert_close(out, out.transpose(2, 3))
    assert blurred(spot, 0.2) is spot


def test_draws_follow_from_their_place() -> None:
    first = torch.rand(4, generator=chunk_random(0, "generator", 7, 1))
    assert torch.equal(first, torch.rand(4, generator=chunk_random(0, "generator", 7, 1)))
    others = [(1, "generator", 7, 1), (0, "density", 7, 1), (0, "generator", 8, 1), (0, "generator", 7, 0)]
    for other in others:
        assert not torch.equal(first, torch.rand(4, generator=chunk_random(*other)))  # type: ignore[arg-type]


def test_the_order_shows_every_item_once_a_round() -> None:
    order = EndlessOrder(7, seed=3)
    shown = [order[k] for k in range(21)]
    rounds = [shown[k : k + 7] for k in (0, 7, 14)]
    assert all(sorted(r) == list(range(7)) for r in rounds)
    assert rounds[0] != rounds[1]
    assert [EndlessOrder(7, seed=3)[k] for k in (20, 3, 9)] == [shown[k] for k in (20, 3, 9)]


def test_cameras_of_fakes_come_from_all_labels() -> None:
    labels = torch.arange(4.0)[:, None].expand(-1, 25)
    assert set(random_labels(labels, 200, seeded())[:, 0].tolist()) == {0, 1, 2, 3}
