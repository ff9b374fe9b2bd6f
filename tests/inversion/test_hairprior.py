from dataclasses import replace

import pytest
import torch
from tests.inversion.conftest import Portrait
from torch import Tensor

from mien.generator.backbones import BasisConfig
from mien.generator.backbones.blocks import BlocksConfig
from mien.generator.decoder import HAIR_HEIGHT, HEIGHT_SCALE, OUTPUTS, DecoderConfig
from mien.generator.mapping import BlockMappingConfig
from mien.generator.model import Generator, GeneratorConfig
from mien.generator.superres import SuperResolutionConfig
from mien.generator.volume import SIGMA
from mien.inversion.evidence import PhotoEvidence
from mien.inversion.hair import HairConfig, Silhouette, fit_code, fit_shape, sample_silhouette
from mien.inversion.hairprior import SURFACE, HairPrior, HairShape, at_surface, hair_prior, knows_hair
from mien.morphable.carry import chart_grid, make_carrier, sample_chart
from mien.morphable.model import MorphableModel

CONFIG = HairConfig(rays=3000, steps=60, batch=1500, samples=24)
BACKBONE = BlocksConfig(
    appearance=2,
    hair=3,
    clothes=2,
    expression_codes=2,
    mean_size=128,
    basis_size=128,
    height_bins=8,
    side_size=16,
)


@pytest.fixture(scope="module")
def blocks() -> Generator:
    """Linear, with hair of random height and density."""
    torch.manual_seed(0)
    sizes = tuple(part.stop - part.start for part in BACKBONE.blocks.values())
    made = Generator(
        GeneratorConfig(
            backbone=BACKBONE,
            decoder=DecoderConfig(hidden=8, outputs=OUTPUTS + 1),
            mapping=BlockMappingConfig(sizes, hidden=8),
            superres=SuperResolutionConfig(channels=4),
        )
    )
    for name, parameter in made.backbone.named_parameters():
        small = torch.randn(*parameter.shape[:-2], 2, 2) if parameter.ndim > 2 else parameter
        smooth = torch.nn.functional.interpolate(
            small.reshape(1, -1, 2, 2), parameter.shape[-2:], mode="bilinear"
        ) if parameter.ndim > 2 else parameter  # fmt: skip
        parameter.data = (
            0.2 * smooth.reshape(parameter.shape) if "uv" in name else torch.zeros_like(parameter)
        )
    made.w_std.copy_(torch.linspace(0.5, 1.5, len(made.w_std)))
    return made.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def silhouette(evidence: PhotoEvidence, portrait: Portrait, model: MorphableModel) -> Silhouette:
    carrier = make_carrier(model, model.vertices(portrait.fit.identity, torch.zeros(52)))
    return sample_silhouette(evidence, carrier, CONFIG, torch.Generator().manual_seed(0))


def hair_heads() -> HairPrior:
    """Heads whose front and back rise together, and which differ in the sides as well."""
    uv, none = chart_grid(128), torch.zeros(2, 128, 128)
    up = torch.sigmoid((uv[..., 1] - 0.45) / 0.08)
    side = torch.exp(-((uv[..., 1] - 0.3) ** 2 + (uv[..., 0].abs() - 0.5) ** 2) / 0.05)
    mean = HairShape(-0.03 + 0.05 * up, torch.zeros(128, 128))
    return HairPrior(mean, torch.stack([0.04 * up, 0.03 * side]), none)


def shows_hair(height: Tensor, s: Silhouette) -> Tensor:
    outer = sample_chart(height[None], s.uv)[..., 0]
    return (torch.where(s.valid, outer - s.height, -1.0) > 0).any(1)


def test_the_prior_of_blocks_is_what_the_generator_draws(blocks: Generator) -> None:
    part, w = BACKBONE.blocks["hair"], blocks.mapping.w_avg.clone()
    prior = hair_prior(blocks, w, torch.zeros(52))
    assert prior.learned
    assert knows_hair(blocks)
    z = torch.tensor([0.5, -1.0, 0.3])
    w[part] += z * blocks.w_std[part]
    drawn = blocks.planes(w[None], torch.zeros(1, 52)).uv[0, HAIR_HEIGHT] * HEIGHT_SCALE
    inside = (drawn > -0.1) & (prior.mean.height > -0.1)
    torch.testing.assert_close(prior.heights(z)[inside], drawn[inside], atol=1e-3, rtol=1e-3)


def test_without_blocks_it_is_the_hair_of_w() -> None:
    torch.manual_seed(0)
    generator = Generator(GeneratorConfig(BasisConfig())).eval().requires_grad_(False)
    average = generator.mapping.w_avg
    prior = hair_prior(generator, average, torch.zeros(52))
    assert not prior.learned
    assert not knows_hair(generator)
    assert prior.mean.density is None
    other = hair_prior(generator, average + generator.w_std, torch.zeros(52))
    assert not torch.equal(prior.mean.height, other.mean.height)


def test_the_back_of_the_hair_is_told_from_its_front(silhouette: Silhouette) -> None:
    prior, z = hair_heads(), torch.tensor([1.2, -0.8])
    seen = replace(silhouette, target=shows_hair(prior.heights(z), silhouette).float())
    found = fit_code(prior, seen, CONFIG, torch.Generator().manual_seed(0))
    behind = chart_grid(128)[..., 0].abs() > 0.75
    before, after = (
        (prior.heights(code) - prior.heights(z))[behind].abs().mean() for code in (torch.zeros(2), found)
    )
    assert after < 0.4 * before
    assert (found * z > 0).all()


def test_what_is_worn_below_is_no_hair_of_the_head(silhouette: Silhouette) -> None:
    """Rays that only clothes explain do not move the code."""
    prior = hair_heads()
    worn = replace(
        silhouette, target=torch.ones_like(silhouette.target), of_head=torch.zeros_like(silhouette.of_head)
    )
    assert fit_code(prior, worn, CONFIG, torch.Generator().manual_seed(0)).abs().max() < 0.02


def test_a_rest_is_added_to_what_the_prior_knows(silhouette: Silhouette) -> None:
    prior = hair_heads()
    shape = fit_shape(prior, silhouette, CONFIG, torch.Generator().manual_seed(0))
    again = fit_shape(prior, silhouette, CONFIG, torch.Generator().manual_seed(0))
    assert torch.equal(shape.height, again.height)
    assert shape.density is not None
    code = fit_code(prior, silhouette, CONFIG, torch.Generator().manual_seed(0))
    target = silhouette.target > 0.5
    errors = [
        (shows_hair(h, silhouette) != target).float().mean() for h in (prior.heights(code), shape.height)
    ]
    assert errors[1] < errors[0]


def test_thick_hair_is_dense_outside_and_thin_hair_stays_thin() -> None:
    share, height = torch.tensor([0.12, 0.02, 0.9, 0.3]), torch.tensor([0.15, 0.02, 0.15, -0.05])
    dense = at_surface(share, height)
    torch.testing.assert_close(dense[0], torch.tensor(SURFACE))
    torch.testing.assert_close(dense[1:], share[1:])
    assert SIGMA * share[0] * height[0] > 3
