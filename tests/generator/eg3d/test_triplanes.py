import pytest
import torch

from mien.generator.eg3d.triplanes import PlaneAxes, axes_of_matrices, project_points, sample_triplanes

POINTS = torch.rand(1, 40, 3, generator=torch.Generator().manual_seed(0)) - 0.5


def ramp(size: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """Planes that hold their own column and row, in [-1, 1] between the outer edges."""
    middle = (torch.arange(size) + 0.5) / size * 2 - 1
    return middle.expand(size, size), middle[:, None].expand(size, size)


@pytest.mark.parametrize(
    ("axes", "pairs"),
    [("official", ((0, 1), (0, 2), (2, 0))), ("corrected", ((0, 1), (0, 2), (2, 1)))],
)
def test_each_plane_holds_its_coordinates(axes: PlaneAxes, pairs: tuple[tuple[int, int], ...]) -> None:
    column, row = ramp()
    points = POINTS * 0.9  # inside the outermost texels, where a ramp is exact
    for k, (along_columns, along_rows) in enumerate(pairs):
        planes = torch.zeros(1, 3, 2, 64, 64)
        planes[0, k, 0], planes[0, k, 1] = column, row
        found = 3 * sample_triplanes(planes, points, box_side=1.0, axes=axes)
        torch.testing.assert_close(found[..., 0], points[..., along_columns] * 2, atol=1e-5, rtol=0)
        torch.testing.assert_close(found[..., 1], points[..., along_rows] * 2, atol=1e-5, rtol=0)


def test_y_is_seen_by_one_official_plane_and_two_corrected_ones() -> None:
    moved = POINTS + torch.tensor([0.0, 0.1, 0.0])
    seen: dict[PlaneAxes, int] = {"official": 1, "corrected": 2}
    for axes, count in seen.items():
        before, after = (project_points(points, axes) for points in (POINTS, moved))
        assert int((before != after).flatten(1).any(1).sum()) == count


def test_the_box_scales_and_outside_is_nothing() -> None:
    planes = torch.rand(2, 3, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    points = POINTS.expand(2, -1, -1)
    one = sample_triplanes(planes, points, box_side=1.0, axes="official")
    two = sample_triplanes(planes, points * 1.6, box_side=1.6, axes="official")
    torch.testing.assert_close(one, two)
    far = sample_triplanes(planes, points + 5, box_side=1.0, axes="official")
    assert (far == 0).all()


def test_axes_have_names() -> None:
    official = torch.tensor(
        [
            [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
            [[1, 0, 0], [0, 0, 1], [0, 1, 0]],
            [[0, 0, 1], [1, 0, 0], [0, 1, 0]],
        ]
    ).float()
    assert axes_of_matrices(official) == "official"
    assert axes_of_matrices(official * 2) is None
