import pytest
import torch

from mien.generator.backbones.blocks import HARMONICS, BlocksBackbone, BlocksConfig, clothes_rows
from mien.generator.decoder import HAIR_HEIGHT, HEIGHT_SCALE
from mien.generator.volume import SIGMA
from mien.morphable import chart
from mien.morphable.carry import chart_grid
from mien.training.blockstart import HeadMaps, block_start, components, density_share, fit_light, regress

SIZE, HEADS = 32, 12
CONFIG = BlocksConfig(
    appearance=4,
    hair=4,
    clothes=3,
    expression_codes=2,
    mean_size=64,
    basis_size=SIZE,
    height_bins=8,
    side_size=16,
)


def harmonics() -> torch.Tensor:
    theta = chart_grid(SIZE)[..., 0] * torch.pi
    v = chart_grid(SIZE)[..., 1]
    one = [torch.ones_like(v), v, theta.cos(), theta.sin(), v * theta.sin(), v * theta.cos(), 3 * v * v - 1,
           theta.sin() * theta.cos(), (2 * theta).cos()]  # fmt: skip
    return torch.stack([torch.stack(one)] * 2)


def known_maps() -> tuple[HeadMaps, torch.Tensor]:
    """Heads made of two appearances, two kinds of hair, one of cloth, and light."""
    random = torch.Generator().manual_seed(0)

    def rand(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=random)

    def smooth(*shape: int) -> torch.Tensor:
        return torch.nn.functional.interpolate(rand(*shape, 6, 6), size=(SIZE, SIZE), mode="bilinear")

    a, h, c = rand(HEADS, 2), rand(HEADS, 2), rand(HEADS, 1)
    light = 0.2 * rand(HEADS, HARMONICS, 3)
    skin, strands, cloth = 0.4 * smooth(2, 3), 0.4 * smooth(2, 3), 0.6 * smooth(1, 3)
    zone = slice(round((1 + chart.V_BODY[0]) / 2 * SIZE), clothes_rows(SIZE))
    mask = torch.zeros(SIZE, SIZE)
    mask[zone] = 1
    white = torch.tensordot(a, skin, 1) + torch.tensordot(c, cloth, 1) * mask
    hair = torch.tensordot(h, strands, 1)
    shading = torch.einsum("hkc,skvu->hscvu", light, harmonics())
    height = 0.03 + 0.01 * torch.tensordot(h, smooth(2, 1), 1)
    maps = HeadMaps(
        torch.sigmoid(white + shading[:, 0]), torch.sigmoid(white), torch.sigmoid(hair + shading[:, 1]),
        torch.sigmoid(hair), height, torch.full((HEADS, 1, SIZE, SIZE), 0.6), mask.expand(HEADS, 1, -1, -1),
    )  # fmt: skip
    return maps, light


def test_heads_of_few_factors_come_back() -> None:
    maps, light = known_maps()
    torch.manual_seed(0)
    backbone = BlocksBackbone(CONFIG).requires_grad_(False)
    start = block_start(backbone, maps, harmonics())
    planes = backbone.planes(start.codes, torch.zeros(HEADS, 52)).uv
    small = torch.nn.functional.avg_pool2d(planes, 2)
    rows = slice(4, None)
    body = torch.sigmoid(small[:, :3, rows])
    assert (body - maps.body[:, :, rows]).abs().mean() < 0.03
    assert (torch.sigmoid(small[:, 3:6, rows]) - maps.hair[:, :, rows]).abs().mean() < 0.03
    found = small[:, HAIR_HEIGHT : HAIR_HEIGHT + 1, rows] * HEIGHT_SCALE
    assert (found - maps.height[:, :, rows]).abs().mean() < 0.003
    assert min(start.explained.values()) > 0.97
    codes = start.codes[:, backbone.blocks["light"]]
    found = torch.einsum("hl,lkc->hkc", codes, backbone.light_mix[: codes.shape[1]])
    assert (found - (light - light.mean(0))).abs().mean() < 0.05


def test_light_is_found_again() -> None:
    random = torch.Generator().manual_seed(1)
    light = torch.randn(3, HARMONICS, 3, generator=random)
    change = torch.einsum("hkc,skvu->hscvu", light, harmonics())
    weight = torch.ones(3, 2, 1, SIZE, SIZE)
    found = fit_light(change, weight, harmonics())
    torch.testing.assert_close(found, light, atol=0.12, rtol=0.1)


def test_components_are_a_metric_s() -> None:
    random = torch.Generator().manual_seed(2)
    images = torch.randn(6, 2, 4, 4, generator=random)
    images = images - images.mean(0)
    weight = torch.ones(4, 4)
    weight[0] = 0
    found = components(images, weight, 5)
    assert found.basis[:, :, 0].abs().max() == 0
    back = torch.tensordot(found.codes, found.basis, 1)
    torch.testing.assert_close(back[:, :, 1:], images[:, :, 1:], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found.codes.square().sum(0) / 5, torch.ones(5), atol=1e-4, rtol=1e-4)


def test_regression_leaves_out_what_is_hidden() -> None:
    random = torch.Generator().manual_seed(3)
    codes = torch.randn(200, 2, generator=random)
    truth = torch.randn(2, 3, 2, 2, generator=random)
    images = torch.tensordot(codes, truth, 1)
    weight = (torch.rand(200, 1, 2, 2, generator=random) > 0.5).float()
    spoiled = torch.where(weight > 0, images, 100.0)
    torch.testing.assert_close(regress(codes, spoiled, weight), truth, atol=0.1, rtol=0.1)


@pytest.mark.parametrize("opacity", [0.1, 0.5, 0.9])
def test_density_gives_the_opacity_back(opacity: float) -> None:
    height = torch.tensor([0.05])
    share = density_share(torch.tensor([opacity]), height)
    assert float(1 - torch.exp(-SIGMA * share * height)) == pytest.approx(max(opacity, 0.2), abs=0.02)
