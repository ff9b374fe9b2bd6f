"""StyleGAN2's layers: properties, and the plain way beside the fused one."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mien.generator.stylegan2.layers import (
    Conv,
    FullyConnected,
    SynthesisLayer,
    draw_weights,
    leaky,
    modulated_conv,
    unit_moment,
)
from mien.generator.stylegan2.resample import enlarge, low_pass, reduce, smooth
from mien.generator.stylegan2.synthesis import Synthesis, channels_of


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_resampling_keeps_a_constant_and_its_inside() -> None:
    kernel, flat = low_pass().double(), torch.full((1, 2, 8, 8), 3.0).double()
    big, small = enlarge(flat, kernel), reduce(flat, kernel)
    assert big.shape[-1] == 16
    assert small.shape[-1] == 4
    torch.testing.assert_close(big[..., 2:-2, 2:-2], torch.full((1, 2, 12, 12), 3.0).double())
    torch.testing.assert_close(small[..., 1:-1, 1:-1], torch.full((1, 2, 2, 2), 3.0).double())


def test_enlarging_is_the_transpose_of_reducing() -> None:
    kernel, x, y = low_pass().double(), noise(1, 3, 8, 8), noise(1, 3, 4, 4, seed=1)
    left, right = (reduce(x, kernel) * y).sum(), (x * enlarge(y, kernel)).sum() / 4
    torch.testing.assert_close(left, right)


def test_enlarging_by_hand() -> None:
    x, kernel = noise(1, 2, 5, 6), low_pass().double()
    spread = torch.zeros(1, 2, 10, 12).double()
    spread[..., ::2, ::2] = x
    expected = F.pad(spread, (2, 1, 2, 1)).unfold(2, 4, 1).unfold(3, 4, 1)
    torch.testing.assert_close(enlarge(x, kernel), (expected * kernel * 4).sum((-1, -2)))


@pytest.mark.parametrize("enlarges", [False, True])
@pytest.mark.parametrize("demodulate", [False, True])
def test_fused_and_plain_modulation_agree(enlarges: bool, demodulate: bool) -> None:
    kernel = low_pass().double() if enlarges else None
    inputs = [noise(3, 4, 6, 6), noise(5, 4, 3, 3, seed=1), noise(3, 4, seed=2)]
    results = []
    for fused in (True, False):
        leaves = [t.clone().requires_grad_() for t in inputs]
        out = modulated_conv(*leaves, kernel=kernel, demodulate=demodulate, fused=fused)
        assert out.shape == (3, 5, 12, 12) if enlarges else (3, 5, 6, 6)
        results.append([out, *torch.autograd.grad(out.square().sum(), leaves)])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b)


def test_demodulation_forgets_the_scale_of_weights_and_styles() -> None:
    x, weight, styles = noise(2, 4, 6, 6), noise(5, 4, 3, 3, seed=1), noise(2, 4, seed=2)
    expected = modulated_conv(x, weight, styles)
    torch.testing.assert_close(modulated_conv(x, weight * 7, styles * 3), expected, rtol=1e-6, atol=1e-7)
    single = modulated_conv(x[1:], weight, styles[1:])
    torch.testing.assert_close(single, expected[1:])


def test_an_enlarging_layer_is_zeros_convolution_and_filter() -> None:
    x, weight, styles, kernel = (
        noise(1, 2, 4, 4),
        noise(3, 2, 3, 3, seed=1),
        torch.ones(1, 2).double(),
        low_pass(),
    )
    spread = torch.zeros(1, 2, 9, 9).double()
    spread[..., 1::2, 1::2] = x
    convolved = F.conv2d(F.pad(spread, (1, 1, 1, 1)), weight.flip((2, 3)))
    expected = smooth(convolved, 4 * kernel.double(), padding=1)
    found = modulated_conv(x, weight, styles, kernel=kernel.double(), demodulate=False)
    torch.testing.assert_close(found, expected)


def test_activation_keeps_the_second_moment_about() -> None:
    x = noise(100_000)
    assert leaky(x).square().mean() == pytest.approx(1.04, abs=0.03)
    assert leaky(x * 100, gain=0.5, clamp=2.0).abs().max() == 1.0


def test_unit_moment() -> None:
    torch.testing.assert_close(unit_moment(noise(3, 50) * 9).square().mean(1), torch.ones(3).double())


def test_the_learning_rate_multiplier_does_not_change_the_start() -> None:
    x = noise(500, 64).float()
    for lr in (1.0, 0.01):
        layer = FullyConnected(64, 32, lr=lr)
        draw_weights(layer, torch.Generator().manual_seed(0))
        assert float(layer(x).detach().std()) == pytest.approx(1, abs=0.1)


def test_noise_modes() -> None:
    layer = SynthesisLayer(4, 4, w_dim=8, resolution=8, enlarges=False, clamp=None)
    draw_weights(layer, torch.Generator().manual_seed(0))
    x, w = noise(2, 4, 8, 8).float(), noise(2, 8, seed=1).float()
    with torch.no_grad():
        quiet = layer(x, w, noise="none")
        torch.testing.assert_close(layer(x, w), quiet)  # the strength starts at zero
        layer.noise_strength.fill_(0.5)
        const = layer(x, w)
        drawn = layer(x, w, noise="random", random=torch.Generator().manual_seed(0))
    assert not torch.equal(const, quiet)
    assert not torch.equal(drawn, const)


def test_each_layer_has_its_latent_and_to_rgb_shares_the_next() -> None:
    network = Synthesis(
        w_dim=8, resolution=16, image_channels=3, channels=channels_of(16, base=64, largest=6), clamp=None
    )
    draw_weights(network, torch.Generator().manual_seed(0))
    assert network.layers == 6
    assert channels_of(16, base=64, largest=6) == [6, 6, 4]
    ws = noise(1, network.layers, 8).float().requires_grad_()
    image = network(ws)
    assert image.shape == (1, 3, 16, 16)
    (gradient,) = torch.autograd.grad(image.square().sum(), [ws])
    assert (gradient.abs().amax((0, 2)) > 0).all()


def test_a_reducing_convolution_halves_and_scales_its_clamp() -> None:
    layer = Conv(3, 5, size=3, reduces=True, clamp=1.0)
    draw_weights(layer, torch.Generator().manual_seed(0))
    found = layer(noise(1, 3, 8, 8).float() * 100, gain=math.sqrt(0.5)).detach()
    assert found.shape == (1, 5, 4, 4)
    assert found.abs().max() == pytest.approx(math.sqrt(0.5))
