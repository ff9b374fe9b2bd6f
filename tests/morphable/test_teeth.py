"""Single teeth are where Wheeler's widths put them along the mesh's rows."""

import numpy as np
import pytest
import torch

from mien.morphable.model import MorphableModel
from mien.morphable.teeth import GAP_DEPTH, ROWS, WIDTHS_MM, along_row_mm, arch_mm, tooth_light


@pytest.mark.parametrize("row", ROWS)
def test_a_row_runs_from_the_right_to_the_left(model: MorphableModel, row: str) -> None:
    vertices = model.part_vertices(row)
    along = along_row_mm(model, row)[vertices]
    x = model.mean[vertices, 0]
    front = x.abs() > 0.005
    assert (along[front].sign() == x[front].sign()).all()
    _, length, tall = arch_mm(model, row)
    assert (np.diff(length) >= 0).all()
    assert 40 < length[-1] - length[0] < 160
    assert 5 < tall < 40
    others = torch.ones(len(model.mean), dtype=torch.bool)
    others[vertices] = False
    assert (along_row_mm(model, row)[others] == 0).all()


@pytest.mark.parametrize("row", ROWS)
def test_it_is_darkest_between_teeth_and_alike_on_both_sides(row: str) -> None:
    first, second = WIDTHS_MM[row][:2]
    at = torch.tensor([0.0, first / 2, first, first + second / 2, first + second])
    light = tooth_light(at, row)
    torch.testing.assert_close(light, tooth_light(-at, row))
    assert light[0] == pytest.approx(1 - GAP_DEPTH)
    assert light[1] > 0.95
    assert light[3] > 1.2 * light[2]
    assert light[3] > 1.2 * light[4]
    far = tooth_light(torch.tensor([60.0, 500.0]), row)
    assert (far < 0.4).all()
    assert (far >= 0).all()
