"""The rasteriser against ray casting."""

import math

import numpy as np
import pytest
import torch

from mien.core.camera import Camera
from mien.morphable.model import MorphableModel
from mien.morphable.pixels import CompiledPixelScene, first_hits
from mien.morphable.raster import MISS_DEPTH, RayScene, interpolate
from mien.morphable.zbuffer import PixelScene

HEIGHT, WIDTH = 60, 84


def camera(yaw_deg: float) -> Camera:
    """A camera whose pixels are not square and whose axis is not in the middle."""
    straight = Camera.orbit(math.radians(yaw_deg), 0.2)
    K = straight.intrinsics.clone()
    K[0, 1], K[0, 2], K[1, 2] = 0.03, 0.47, 0.55
    return Camera(straight.T_world_camera, K)


def scenes(model: MorphableModel, view: Camera) -> tuple[RayScene, PixelScene, np.ndarray, np.ndarray]:
    rays = view.rays(HEIGHT, WIDTH)
    origins, directions = (t.reshape(-1, 3).numpy() for t in (rays.origins, rays.directions))
    cast = RayScene(model.mean.numpy(), model.faces_np)
    return cast, PixelScene(model.mean, model.faces, view, HEIGHT, WIDTH), origins, directions


@pytest.mark.parametrize("yaw_deg", [0, 50, 170])
def test_first_hits_are_those_of_ray_casting(model: MorphableModel, yaw_deg: float) -> None:
    cast, raster, origins, directions = scenes(model, camera(yaw_deg))
    ray, pixel = cast.cast(origins, directions), raster.first_hits()
    assert 0.1 < ray.hit.mean() < 0.9
    assert (ray.hit != pixel.hit).mean() < 1e-3
    both = ray.hit & pixel.hit
    np.testing.assert_allclose(pixel.depth[both], ray.depth[both], atol=5e-5)
    assert (ray.face == pixel.face)[both].mean() > 0.99  # a ray through an edge may take either side
    assert (pixel.depth[~pixel.hit] == MISS_DEPTH).all()
    assert (pixel.barycentric[~pixel.hit] == 0).all()
    point = interpolate(model.mean.numpy(), model.faces_np, pixel)[pixel.hit]
    along = origins[pixel.hit] + directions[pixel.hit] * pixel.depth[pixel.hit][:, None]
    np.testing.assert_allclose(point, along, atol=5e-5)


def test_surfaces_behind_the_first_are_those_of_ray_casting(model: MorphableModel) -> None:
    cast, raster, origins, directions = scenes(model, camera(20))
    first = cast.cast(origins, directions)
    some = np.flatnonzero(first.hit)[::3]
    start = torch.from_numpy(first.depth[some]) + 0.02
    moved = origins[some] + directions[some] * start.numpy()[:, None]
    behind = cast.cast(moved, directions[some])
    distance, leaving = raster.next_surface(torch.from_numpy(some), start)
    found = distance.numpy() < MISS_DEPTH
    assert (found == behind.hit).mean() > 0.99
    both = found & behind.hit
    np.testing.assert_allclose(distance.numpy()[both], behind.depth[both] + start.numpy()[both], atol=1e-4)
    assert (leaving.numpy() == cast.leaving(behind, directions[some])).mean() > 0.99
    assert 0.5 < leaving.float().mean() <= 1


def test_some_pixels_are_seen_as_among_all(model: MorphableModel) -> None:
    view, random = camera(20), np.random.default_rng(0)
    some = torch.from_numpy(np.sort(random.choice(HEIGHT * WIDTH, 700, replace=False)))
    all_, few = (
        PixelScene(model.mean, model.faces, view, HEIGHT, WIDTH, pixels=pixels) for pixels in (None, some)
    )
    np.testing.assert_array_equal(
        all_.first_hits().of(some.numpy()).face, few.first_hits().of(some.numpy()).face
    )
    start = torch.full((len(some),), 2.5)
    for one, other in zip(all_.next_surface(some, start), few.next_surface(some, start), strict=True):
        assert torch.equal(one, other)
    assert len(few.fragments.pixel) < 0.3 * len(all_.fragments.pixel)


def test_no_ray_slips_through_a_closed_surface() -> None:
    corners = torch.tensor([[x, y, 0.0] for y in (-1, 0, 1) for x in (-1, 0, 1)]) * 0.5
    quads = [(i, i + 1, i + 4, i + 3) for i in (0, 1, 3, 4)]
    faces = torch.tensor([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))])
    scene = PixelScene(corners, faces, Camera.orbit(0.0, 0.0), 64, 64)  # edges run through pixel centres
    assert scene.first_hits().hit.all()


def test_what_is_behind_the_camera_is_not_seen() -> None:
    triangle = torch.tensor([[-1.0, -1.0, 4.0], [1.0, -1.0, 4.0], [0.0, 1.0, 4.0]])
    scene = PixelScene(triangle, torch.tensor([[0, 1, 2]]), Camera.orbit(0.0, 0.0), 16, 16)
    assert not scene.first_hits().hit.any()


@pytest.mark.parametrize("share", [1.0, 0.2])
def test_compiled_loops_find_what_the_plain_ones_find(model: MorphableModel, share: float) -> None:
    view, random = camera(30), np.random.default_rng(1)
    kept = torch.from_numpy(np.flatnonzero(random.uniform(size=HEIGHT * WIDTH) < share))
    plain = PixelScene(model.mean, model.faces, view, HEIGHT, WIDTH, pixels=kept)
    compiled = CompiledPixelScene(model.mean, model.faces, view, HEIGHT, WIDTH, pixels=kept)
    assert compiled.count == len(plain.fragments.face)
    one, other = plain.first_hits(), compiled.first_hits()
    assert 0.5 * share * 0.2 < one.hit.mean()
    np.testing.assert_array_equal(other.face, one.face)
    np.testing.assert_allclose(other.depth, one.depth, atol=2e-6)
    np.testing.assert_allclose(other.barycentric, one.barycentric, atol=1e-5)
    alone = first_hits(model.mean, model.faces, view, HEIGHT, WIDTH, kept)
    np.testing.assert_array_equal(alone.face, one.face[kept.numpy()])
    np.testing.assert_allclose(alone.depth, one.depth[kept.numpy()], atol=2e-6)
    np.testing.assert_allclose(alone.barycentric, one.barycentric[kept.numpy()], atol=1e-5)
    start = torch.from_numpy(one.depth[kept.numpy()]) + 0.01
    start[one.face[kept.numpy()] < 0] = 0
    for found, expected in zip(
        compiled.next_surface(kept, start), plain.next_surface(kept, start), strict=True
    ):
        np.testing.assert_allclose(found.float(), expected.float(), atol=1e-5)
