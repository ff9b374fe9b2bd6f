"""The table of body colours against the decoder, and in renders."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from mien.core.camera import Camera
from mien.generator.bodycolours import SAME, tabulate_body
from mien.generator.kernels import body as kernels
from mien.generator.planes import lookup, unwrapped
from mien.generator.posed import make_hair_shell, tabulated
from mien.generator.render import render
from mien.generator.samples import StillHead, still_head
from mien.morphable.chart import V_BODY
from mien.morphable.model import MorphableModel

SIZE = 64


@pytest.fixture(scope="module")
def head(known, model: MorphableModel) -> StillHead:  # type: ignore[no-untyped-def]
    return still_head(known.generator, model, known.identities[1], known.codes[1])


def test_the_table_is_the_decoder_where_the_body_is_outermost(head: StillHead, model: MorphableModel) -> None:
    torch.manual_seed(0)
    planes = replace(head.planes, residual=0.3 * torch.randn(1, 7, 512, 512))
    table = torch.from_numpy(tabulate_body(head.generator, planes, model)).permute(2, 0, 1)[None]
    random = np.random.default_rng(0)
    face = random.integers(len(model.faces), size=20000)
    share = torch.from_numpy(random.dirichlet([1, 1, 1], 20000)).float()
    points = torch.einsum("nc,ncd->nd", share, model.canonical_corners[face])
    points[:, 0] = torch.remainder(points[:, 0] + 1, 2) - 1
    found = lookup(table, unwrapped(points[None, :, 0], table), points[None, :, 1])[0]
    same = (found[:, 3] - points[:, 2]).abs() < SAME
    skin = points[:, 1] > V_BODY[0]
    assert (
        0.6 < same[skin].float().mean() < 0.97
    )  # lips lie before the mouth's walls, ears before their backs
    decoded = head.generator.decode(planes, points[None]).body_rgb[0]
    assert decoded.std() > 0.05
    error = (torch.sigmoid(found[:, :3]) - decoded).abs()[same]
    assert error.mean() < 0.002
    assert error.amax(1).quantile(0.99) < 0.03


def test_the_table_holds_heights_of_the_outermost(head: StillHead, model: MorphableModel) -> None:
    table = tabulate_body(head.generator, head.planes, model)
    corners = model.canonical_corners.numpy()
    mouth = corners[np.asarray(model.part_faces("mouth"))].reshape(-1, 3)
    at = ((mouth[:, 1] + 1) / 2 * 512).astype(int), ((mouth[:, 0] + 1) / 2 * 512).astype(int) % 512 + 1
    is_skin = mouth[:, 1] > V_BODY[0]
    assert (mouth[:, 2] <= table[..., 3][at] + 0.05)[is_skin].all()
    assert np.isfinite(table).all()


@pytest.mark.parametrize("yaw_deg", [0.0, 50.0])
def test_renders_with_the_table_agree(
    head: StillHead, model: MorphableModel, yaw_deg: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    height = torch.nn.functional.interpolate(torch.full((1, 1, 4, 4), 0.01), size=(64, 64))
    planes = replace(head.planes, hair_height=height)
    shell = make_hair_shell(head.generator, planes, model, head.posed.carrier)
    assert shell is not None
    shell = tabulated(shell, head.generator, planes, head.posed.carrier)
    camera = Camera.orbit(math.radians(yaw_deg), 0.1)
    missing: list[int] = []
    compose = kernels.compose

    def counted(*arguments: object) -> int:
        missing.append(compose(*arguments))
        return missing[-1]

    monkeypatch.setattr(kernels, "compose", counted)
    plain, quick = (
        render(head.generator, p, head.posed, camera, SIZE, SIZE, shell=shell)
        for p in (planes, replace(planes, body=tabulate_body(head.generator, planes, model)))
    )
    assert missing[1] < 0.2 * missing[0]  # the table is used
    difference = (plain.rgb - quick.rgb).abs()
    assert difference.mean() < 1e-3
    assert difference.square().mean() < 10**-4.7
    assert torch.equal(plain.alpha, quick.alpha)
