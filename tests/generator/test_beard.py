import pytest
import torch
from torch import Tensor

from mien.generator.beard import JAW_HEIGHT, beard_share, continued, with_beard
from mien.generator.completion import EVIDENCE_SIZE
from mien.generator.laid import Swatch
from mien.generator.texels import Splatted
from mien.morphable.carry import chart_grid
from mien.morphable.regions import azimuth_and_height, on_face

SIZE = EVIDENCE_SIZE
GRID = chart_grid(SIZE)
AZIMUTH, HEIGHT = azimuth_and_height(GRID)
FACE = on_face(GRID)
SEEN = FACE & (AZIMUTH < 60)


def pixels(jaw: float, cheek: float) -> Swatch:
    """A photo as wide as the chart: skin whose light varies so much on jaw and cheek."""
    random = torch.randn(1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    rough = torch.where(JAW_HEIGHT[1] > HEIGHT, jaw, cheek)
    image = (0.5 + rough * random).expand(3, -1, -1)
    return Swatch(image, SEEN.float(), GRID.permute(2, 0, 1), 0.00245)


def colours(jaw: float, cheek: float) -> Splatted:
    image = torch.where(JAW_HEIGHT[1] > HEIGHT, jaw, cheek).expand(3, -1, -1)
    return image * SEEN, SEEN.float()


@pytest.mark.parametrize(("jaw", "cheek", "share"), [(0.1, 0.1, 0.0), (0.05, 0.1, 0.0), (0.3, 0.1, 1.0)])
def test_rough_jaws_are_bearded(jaw: float, cheek: float, share: float) -> None:
    assert beard_share(pixels(jaw, cheek)) == share


def test_faces_of_which_too_little_is_seen_are_not_judged() -> None:
    swatch = pixels(0.3, 0.1)
    nothing = Swatch(swatch.image, torch.zeros_like(swatch.shown), swatch.uv, swatch.pixel)
    assert beard_share(nothing) == 0


def at(image: Tensor, azimuth: float, height: float) -> Tensor:
    near = ((AZIMUTH - azimuth) / 100).square() + (HEIGHT - height).square()
    return image.flatten(-2)[..., near.argmin()]


def test_a_beard_goes_on_to_the_sides_and_smooth_faces_keep_their_guess() -> None:
    guess = torch.full((3, SIZE, SIZE), 1.0)
    seen = colours(-1.0, 1.0)
    assert with_beard(guess, seen, pixels(0.1, 0.1), pixels(0.1, 0.1)) is guess
    bearded = with_beard(guess, seen, pixels(0.3, 0.1), pixels(0.3, 0.1))
    hidden_jaw, scalp = at(bearded, 70, -0.12), at(bearded, 70, 0.15)
    assert hidden_jaw.mean() < 0.5
    torch.testing.assert_close(scalp, torch.ones(3))


def test_what_is_hidden_of_a_beard_that_stands_off_looks_like_what_is_seen() -> None:
    guess = torch.full((3, SIZE, SIZE), 1.0)
    formed = ((JAW_HEIGHT[1] > HEIGHT) & FACE).float()
    bearded = with_beard(guess, colours(-1.0, 1.0), pixels(0.1, 0.1), pixels(0.1, 0.1), formed)
    assert at(bearded, 70, -0.12).mean() < -0.4
    torch.testing.assert_close(bearded[:, formed == 0], guess[:, formed == 0])


def test_colours_go_on_from_where_they_are_seen() -> None:
    filled = continued(colours(-1.0, 1.0))
    assert at(filled, 66, -0.12).mean() < -0.5
    assert at(filled, 66, 0.0).mean() > 0.3
    nothing = torch.zeros(3, SIZE, SIZE), torch.zeros(SIZE, SIZE)
    assert continued(nothing).abs().max() == 0


def test_far_sides_are_as_what_is_seen_as_high() -> None:
    """A light forehead, nose and mouth do not lighten a dark jaw's hidden side."""
    total, weight = colours(-1.0, 0.0)
    light = SEEN & (AZIMUTH < 20)
    filled = continued((torch.where(light, torch.tensor([4.0, 2.0, 2.0])[:, None, None], total), weight))
    far = at(filled, 100, -0.14)
    assert (far + 1).abs().max() < 0.3
    assert (far.max() - far.min()) < 0.1
    assert (at(filled, 100, 0.0)).abs().max() < 0.3


def test_a_guess_that_is_darker_than_the_beard_is_hardly_lightened() -> None:
    dark = torch.full((3, SIZE, SIZE), -2.0)
    bearded = with_beard(dark, colours(-1.0, 1.0), pixels(0.3, 0.1), pixels(0.3, 0.1))
    there = FACE & (AZIMUTH > 65) & (JAW_HEIGHT[1] > HEIGHT)
    assert -2.0 < bearded[:, there].mean() < -1.7


def test_the_edge_of_a_face_lends_its_lightness_and_not_its_hue() -> None:
    total, weight = colours(0.0, 0.0)
    rim = SEEN & (AZIMUTH > 50)
    total = total + torch.tensor([1.0, 0.0, -1.0])[:, None, None] * rim - 0.5 * rim
    filled = at(continued((total, weight)), 66, -0.12)
    assert (filled.max() - filled.min()) < 0.6  # 2 at the rim; what is left is the mean's
    assert filled.mean() < -0.25
