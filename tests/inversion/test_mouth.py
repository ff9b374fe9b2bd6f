"""The inside of the mouth is dark where no light comes in."""

from dataclasses import replace

import torch
from tests.inversion.conftest import Inverted

from mien.generator.decoder import BODY_RGB
from mien.generator.model import Generator
from mien.generator.texels import island_rows
from mien.inversion.invert import Inversion
from mien.inversion.mouth import DARKEST, mouth_guess, openness
from mien.morphable import chart
from mien.morphable.model import MorphableModel


def test_the_mouth_gets_darker_towards_its_back(model: MorphableModel) -> None:
    light = openness(model)
    tongue = model.part_vertices("tongue")
    assert light.min() == 0
    assert light.max() == 1
    depth = model.mean[tongue, 2]  # z to the viewer
    front, back = depth > depth.quantile(0.8), depth < depth.quantile(0.2)
    assert light[tongue][front].mean() > 3 * light[tongue][back].mean()
    outside = torch.ones(len(light), dtype=torch.bool)
    outside[tongue] = outside[model.part_vertices("mouth")] = False
    assert light[outside].max() == 0


def test_the_guess_is_the_generators_colour_times_the_light(
    generator: Generator, model: MorphableModel
) -> None:
    planes = generator.planes(generator.mapping.w_avg[None], torch.zeros(1, 52))
    guess = mouth_guess(generator, planes, model, 0.5)
    assert guess.channels == BODY_RGB
    assert (guess.weight == 0.5).all()
    assert (guess.points[:, 1] < chart.V_BODY[0]).all()
    drawn = generator.decode(planes, guess.points[None]).body_rgb[0]
    wanted = torch.sigmoid(guess.target)
    assert wanted.max() < drawn.max()
    assert wanted.min() < 2 * DARKEST["mouth"] * drawn.mean()


def test_an_inverted_person_has_a_dark_mouth(
    inverted: Inverted, generator: Generator, model: MorphableModel
) -> None:
    """The guess reaches the residual, and no network paints over it."""
    inversion: Inversion = inverted.inversion
    planes = inversion.planes(generator, torch.zeros(52))
    base = replace(planes, residual=None)
    guess = mouth_guess(generator, base, model, 0.5)
    found = generator.decode(planes, guess.points[None]).body_rgb[0]
    assert (found - torch.sigmoid(guess.target)).abs().mean() < 0.04
    assert inversion.residual[BODY_RGB, : island_rows(inversion.residual.shape[-1])].abs().max() > 0.1
