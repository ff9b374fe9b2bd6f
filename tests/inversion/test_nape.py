"""Hidden hair ends where seen hair does."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.inversion.conftest import Portrait

from mien.inversion.evidence import PhotoEvidence
from mien.inversion.hairprior import HairShape
from mien.inversion.nape import (
    BELOW,
    NAPE,
    TAPER,
    UNDER_SKIN,
    axis_plane,
    end_of_hair,
    ended,
    seen_clothes,
    worn_texels,
)
from mien.morphable import chart
from mien.morphable.carry import Carrier, make_carrier
from mien.morphable.model import MorphableModel

BROWN, BLUE = (0.3, 0.2, 0.1), (0.2, 0.3, 0.8)


@pytest.fixture(scope="module")
def seen(portrait: Portrait, model: MorphableModel) -> PhotoEvidence:
    return portrait.evidence(model)


@pytest.fixture(scope="module")
def carrier(portrait: Portrait, model: MorphableModel) -> Carrier:
    return make_carrier(model, portrait.fit.neutral(model))


def heights(seen: PhotoEvidence, carrier: Carrier) -> np.ndarray:
    """Of the pixels over the chin, where they pass the head's axis, on the template head."""
    ahead = seen.camera.R_world_camera[:, 2]
    axis = torch.tensor([0.0, 0.0, chart.AXIS_Z])
    points = (
        seen.origins
        + seen.directions * (((axis - seen.origins) @ ahead) / (seen.directions @ ahead))[:, None]
    )
    y = carrier.to_canonical(points)[:, 1] - carrier.model.chin_y(carrier.model.mean)
    return np.asarray(y.view(seen.shape))


def dressed(seen: PhotoEvidence, hair: np.ndarray, clothes: np.ndarray) -> PhotoEvidence:
    """Brown hair and blue clothes before the seen body."""
    rgb = seen.rgb.view(*seen.shape, 3).numpy().copy()
    rgb[hair], rgb[clothes] = BROWN, BLUE
    body = seen.body_hit.view(seen.shape).numpy()
    flat = lambda mask: torch.from_numpy(np.ascontiguousarray(mask)).float().view(-1)  # noqa: E731
    return replace(
        seen, rgb=torch.from_numpy(rgb).view(-1, 3), hair=flat(hair | clothes),
        alpha=flat(hair | clothes | body), worn=flat(clothes), locks=flat(hair),
    )  # fmt: skip


def beside(seen: PhotoEvidence) -> np.ndarray:
    """Left of the face, a quarter of the region wide."""
    mask = np.zeros(seen.shape, bool)
    mask[:, seen.shape[1] // 8 : 3 * seen.shape[1] // 8] = True
    return mask


def end_of(seen: PhotoEvidence, carrier: Carrier) -> float | None:
    plane = axis_plane(seen, carrier)
    return end_of_hair(seen, plane, seen_clothes(seen, plane))


@pytest.mark.parametrize("lowest", [-0.1, 0.0, 0.05])
def test_hidden_hair_ends_a_little_below_the_seen(
    lowest: float, seen: PhotoEvidence, carrier: Carrier
) -> None:
    y = heights(seen, carrier)
    end = end_of(dressed(seen, (y > lowest) & beside(seen), np.zeros(seen.shape, bool)), carrier)
    assert end is not None
    assert end - carrier.model.chin_y(carrier.model.mean) == pytest.approx(lowest - BELOW, abs=0.03)


def test_hair_above_the_ears_ends_on_the_nape(seen: PhotoEvidence, carrier: Carrier) -> None:
    y = heights(seen, carrier)
    end = end_of(dressed(seen, (y > 0.3) & beside(seen), np.zeros(seen.shape, bool)), carrier)
    assert end == pytest.approx(carrier.model.chin_y(carrier.model.mean) + NAPE)


def test_a_bald_head_has_no_hair_below_the_nape(seen: PhotoEvidence, carrier: Carrier) -> None:
    none = np.zeros(seen.shape, bool)
    assert end_of(dressed(seen, none, none), carrier) == pytest.approx(
        carrier.model.chin_y(carrier.model.mean) + NAPE
    )


def test_clothes_are_no_hair_that_hangs(seen: PhotoEvidence, carrier: Carrier) -> None:
    y = heights(seen, carrier)
    clothes = (y < -0.05) & beside(seen)
    end = end_of(dressed(seen, (y > 0.2) & beside(seen), clothes), carrier)
    assert end == pytest.approx(carrier.model.chin_y(carrier.model.mean) + NAPE)


def test_hair_that_hangs_out_of_the_picture_may_go_on(seen: PhotoEvidence, carrier: Carrier) -> None:
    assert end_of(dressed(seen, beside(seen), np.zeros(seen.shape, bool)), carrier) is None


def test_hair_thins_out_towards_its_end() -> None:
    shape = HairShape(torch.full((128, 128), 0.05), torch.zeros(128, 128))
    end = -0.1
    cut = ended(shape, end, torch.zeros(128, 128))
    v = (torch.arange(128) + 0.5) / 64 - 1
    y = chart.CENTRE_Y + chart.unchart_uv(torch.stack([torch.zeros_like(v), v], 1))[:, 1]
    body = v > chart.V_BODY[0]
    assert (cut.height[body & (y > end + TAPER)] == 0.05).all()
    assert torch.allclose(cut.height[body & (y < end)], torch.tensor(UNDER_SKIN))
    assert (cut.height[~body] == 0.05).all()
    assert (cut.height[body][1:] >= cut.height[body][:-1]).all()
    assert cut.density is shape.density


def test_what_is_under_the_skin_stays_there() -> None:
    shape = HairShape(torch.full((128, 128), -0.05), None)
    assert torch.equal(ended(shape, -0.1, torch.zeros(128, 128)).height, shape.height)


def test_clothes_keep_the_volume_that_explains_them(seen: PhotoEvidence, carrier: Carrier) -> None:
    y = heights(seen, carrier)
    left = beside(seen)
    both = left | left[:, ::-1]
    worn = dressed(seen, (y > 0.2) & both, (y < -0.05) & (y > -0.2) & left)
    clothes = seen_clothes(worn, axis_plane(worn, carrier))
    assert clothes[:, : clothes.shape[1] // 2].sum() > 100
    shape = HairShape(torch.full((128, 128), 0.2), None)
    texels = worn_texels(worn, carrier, clothes, shape.height)
    assert 20 < texels.sum() < 3000
    columns = torch.nonzero(texels.sum(0))[:, 0]
    assert (columns < 64).all() or (columns >= 64).all()
    cut = ended(shape, carrier.model.chin_y(carrier.model.mean) + NAPE, texels)
    assert (cut.height[texels == 1] == 0.2).all()
    assert (cut.height < 0).any()
    assert worn_texels(worn, carrier, np.zeros_like(clothes), shape.height).max() == 0
