import pytest
import torch
from torch import Tensor

from mien.generator.stylegan2.layers import draw_weights
from mien.training.discriminator import (
    DiscriminatorConfig,
    DualDiscriminator,
    batch_spread,
    r1_penalty,
    resized,
)

SMALL = DiscriminatorConfig(image_px=16, channel_max=8)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def discriminator() -> DualDiscriminator:
    made = DualDiscriminator(SMALL)
    draw_weights(made, torch.Generator().manual_seed(0))
    return made.eval().requires_grad_(False)


def test_it_sees_both_images_and_the_camera(discriminator: DualDiscriminator) -> None:
    image, raw, label = draw(2, 3, 16, 16), draw(2, 3, 8, 8, seed=1), draw(2, 25, seed=2)
    kept = image.clone(), raw.clone(), label.clone()
    logits = discriminator(image, raw, label)
    assert logits.shape == (2, 1)
    for change in ((image + 1, raw, label), (image, raw + 1, label), (image, raw, label.flip(1))):
        assert not torch.allclose(discriminator(*change), logits)
    noisy = DualDiscriminator(DiscriminatorConfig(image_px=16, channel_max=8, label_noise=0.5))
    noisy.load_state_dict(discriminator.state_dict())
    assert not torch.allclose(noisy(image, raw, label, random=torch.Generator().manual_seed(0)), logits)
    torch.testing.assert_close(noisy(image, raw, label), logits)
    assert all(torch.equal(a, b) for a, b in zip(kept, (image, raw, label), strict=True))


def test_the_full_size_matches_the_published_layout() -> None:
    with torch.device("meta"):
        state = DualDiscriminator(DiscriminatorConfig()).state_dict()
    assert state["b512.fromrgb.weight"].shape == (64, 6, 1, 1)
    assert state["b512.conv1.weight"].shape == (128, 64, 3, 3)
    assert state["b4.conv.weight"].shape == (512, 513, 3, 3)
    assert state["b4.fc.weight"].shape == (512, 8192)
    assert state["mapping.fc7.weight"].shape == (512, 512)
    assert "mapping.w_avg" not in state


def test_the_spread_is_of_groups() -> None:
    x = draw(8, 3, 4, 4)
    assert (batch_spread(x[:1].expand(4, -1, -1, -1), 4, 1) < 1e-3).all()
    found = batch_spread(x, 4, 1)
    first = batch_spread(x[::2], 4, 1)
    torch.testing.assert_close(found[::2], first)
    expected = x[::2].var(0, unbiased=False).add(1e-8).sqrt().mean()
    torch.testing.assert_close(first, expected.expand_as(first))
    with pytest.raises(ValueError, match="The batch has 6 images; expected a multiple"):
        batch_spread(x[:6], 4, 1)


def test_the_penalty_is_the_squared_gradient_of_each_image() -> None:
    image, raw = draw(3, 3, 4, 4).requires_grad_(), draw(3, 3, 2, 2, seed=1).requires_grad_()
    weight = draw(3, 4, 4, seed=2)
    logits = ((image * weight).sum((1, 2, 3)) + 2 * raw.sum((1, 2, 3)))[:, None]
    penalty = r1_penalty(logits, [image, raw])
    torch.testing.assert_close(penalty, (weight.square().sum() + 4 * 12).expand(3))


def test_the_penalty_can_be_learned_from(discriminator: DualDiscriminator) -> None:
    """Its derivative against finite differences, in float64."""
    network = discriminator.double().requires_grad_(True)
    image, raw = (
        draw(2, 3, 16, 16).double().requires_grad_(),
        draw(2, 3, 8, 8, seed=1).double().requires_grad_(),
    )
    label = draw(2, 25, seed=2).double()

    def penalty() -> Tensor:
        return r1_penalty(network(image, raw, label), [image, raw]).sum()

    weight = network.get_parameter("b16.conv0.weight")
    (gradient,) = torch.autograd.grad(penalty(), [weight])
    step = 1e-6 * gradient / gradient.norm()
    values = []
    for sign in (1, -1):
        weight.data.add_(sign * step)
        values.append(float(penalty().detach()))
        weight.data.sub_(sign * step)
    assert (values[0] - values[1]) / 2e-6 == pytest.approx(float(gradient.norm()), rel=1e-3)


def test_resizing_keeps_a_constant() -> None:
    flat = torch.full((1, 3, 8, 8), 0.3)
    for side in (5, 8, 20):
        torch.testing.assert_close(resized(flat, side), torch.full((1, 3, side, side), 0.3))
