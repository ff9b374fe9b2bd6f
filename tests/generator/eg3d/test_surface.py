import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh

from mien.core.errors import InputError
from mien.generator.eg3d import surface
from mien.generator.eg3d.checkpoint import load_eg3d
from mien.generator.eg3d.generator import Eg3dGenerator
from mien.generator.eg3d.person import random_w
from mien.generator.eg3d.surface import density_normals, field_mesh, largest_part
from mien.generator.view import MeshConfig
from mien.io.mesh import Mesh

RADIUS = 0.3
ORANGE = (0.9, 0.5, 0.1)


@pytest.fixture(scope="module")
def ball(ball_file: Path) -> Eg3dGenerator:
    return load_eg3d(ball_file)


@pytest.fixture(scope="module")
def planes(ball: Eg3dGenerator) -> torch.Tensor:
    return ball.planes(random_w(ball, 0))


def closed(mesh: Mesh) -> trimesh.Trimesh:
    shape = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    assert shape.is_watertight
    assert shape.is_winding_consistent
    return shape


def test_a_ball_has_its_radius_volume_normals_and_colour(ball: Eg3dGenerator, planes: torch.Tensor) -> None:
    mesh = field_mesh(ball, planes, MeshConfig(64))
    radii = np.linalg.norm(mesh.vertices, axis=1)
    np.testing.assert_allclose(radii, RADIUS, rtol=0.01)
    assert closed(mesh).volume == pytest.approx(4 / 3 * math.pi * RADIUS**3, rel=0.01)
    assert ((mesh.normals * mesh.vertices).sum(1) / radii).min() > 0.995
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(mesh.colours / 255, np.broadcast_to(ORANGE, mesh.colours.shape), atol=0.006)


def test_the_fast_path_is_the_reference(tiny: Eg3dGenerator, ball: Eg3dGenerator, planes: Any) -> None:
    """For a ball all is equal; of a rough field the fast path may miss what no coarse sample is near to."""
    one, other = (field_mesh(ball, planes, MeshConfig(40), path=p) for p in ("reference", "fast"))
    for a, b in zip(vars(one).values(), vars(other).values(), strict=True):
        np.testing.assert_array_equal(a, b)
    rough = tiny.planes(random_w(tiny, 3))
    level = float(surface.density_at(tiny, rough, torch.rand(4000, 3) - 0.5).quantile(0.6))
    config = MeshConfig(40, level=level, largest_only=False)
    one, other = (field_mesh(tiny, rough, config, path=p) for p in ("reference", "fast"))
    assert closed(other).volume == pytest.approx(closed(one).volume, rel=0.02)


def test_slabs_make_no_difference(
    ball: Eg3dGenerator, planes: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surface, "SLAB", 5)
    many = field_mesh(ball, planes, MeshConfig(48))
    monkeypatch.setattr(surface, "SLAB", 1000)
    one = field_mesh(ball, planes, MeshConfig(48))
    np.testing.assert_array_equal(many.faces, one.faces)
    np.testing.assert_allclose(many.vertices, one.vertices, atol=1e-6)


def test_where_the_box_cuts_it_there_is_a_flat_lid(ball: Eg3dGenerator, planes: torch.Tensor) -> None:
    cut_at = 10 - 20000 * (0.55**2 - RADIUS**2)  # the level at a radius of 0.55
    mesh = field_mesh(ball, planes, MeshConfig(48, level=cut_at))
    assert closed(mesh).volume > 0.5
    assert np.abs(mesh.vertices).max() == pytest.approx(0.5, abs=1e-6)
    lid = (mesh.vertices[:, 0] > 0.4999) & (np.linalg.norm(mesh.vertices[:, 1:], axis=1) < 0.15)
    assert lid.any()
    assert mesh.normals[lid, 0].min() > 0.99


def test_no_surface_is_an_error(ball: Eg3dGenerator, planes: torch.Tensor) -> None:
    with pytest.raises(InputError, match=r"crosses 1e\+06 nowhere .* give another --level"):
        field_mesh(ball, planes, MeshConfig(16, level=1e6))


def test_normals_are_those_of_the_densitys_gradient(tiny: Eg3dGenerator) -> None:
    planes = tiny.planes(random_w(tiny, 1))
    points = (torch.rand(50, 3, generator=torch.Generator().manual_seed(0)) - 0.5) * 0.8
    points.requires_grad_(True)
    slope = torch.autograd.grad(tiny.field(planes, points[None]).sigma.sum(), points)[0]
    found = density_normals(tiny, planes, points.detach(), step=1e-3)
    cosine = -torch.nn.functional.cosine_similarity(found, slope, dim=-1)
    assert cosine.median() > 0.9999
    assert (cosine > 0.98).float().mean() > 0.9  # the rest lie on the edge of a texel


def test_the_largest_part_stays() -> None:
    small, large = trimesh.creation.icosphere(1), trimesh.creation.icosphere(2)
    vertices = np.concatenate([small.vertices, large.vertices + 5])
    faces = np.concatenate([small.faces, large.faces + len(small.vertices)])
    everywhere, nowhere = np.ones(len(vertices), bool), np.zeros(len(vertices), bool)
    for counts in (everywhere, nowhere):
        kept, its_faces = largest_part(vertices, faces, counts)
        np.testing.assert_array_equal(kept, large.vertices + 5)
        np.testing.assert_array_equal(its_faces, large.faces)
    kept, _ = largest_part(vertices, faces, np.linalg.norm(vertices, axis=1) < 2)
    np.testing.assert_array_equal(kept, small.vertices)
