"""Ray casting against brute force."""

import numpy as np

from mien.morphable.model import MorphableModel
from mien.morphable.raster import MISS_DEPTH, cast_rays, interpolate, interpolate_corners, vertex_normals


def brute_force(
    v: np.ndarray, faces: np.ndarray, origin: np.ndarray, directions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Moeller and Trumbore's test of every ray with every triangle: nearest face (or -1) and distance."""
    a, b, c = (v[faces[:, k]].astype(np.float64) for k in range(3))
    e1, e2, s = b - a, c - a, origin - a
    h = np.cross(directions[:, None], e2[None])
    det = (e1 * h).sum(-1)
    safe = np.where(np.abs(det) < 1e-12, np.inf, det)
    u = (s * h).sum(-1) / safe
    q = np.cross(s, e1)
    w = (directions[:, None] * q[None]).sum(-1) / safe
    t = (e2 * q).sum(-1) / safe
    inside = (np.abs(det) >= 1e-12) & (u >= 0) & (w >= 0) & (u + w <= 1) & (t > 1e-6)
    t = np.where(inside, t, np.inf)
    face = t.argmin(1)
    nearest = t[np.arange(len(t)), face]
    return np.where(np.isfinite(nearest), face, -1), nearest


def rays(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    origin = np.array([0.4, 0.2, 2.6])
    target = rng.uniform([-0.35, -0.5, -0.2], [0.35, 0.35, 0.2], (count, 3))
    d = target - origin
    return origin, d / np.linalg.norm(d, axis=1, keepdims=True)


def test_first_hits_agree_with_brute_force(model: MorphableModel) -> None:
    origin, directions = rays(150)
    v, faces = model.mean.numpy(), model.faces_np
    hits = cast_rays(v, faces, origin, directions)
    face, depth = brute_force(v, faces, origin, directions)
    assert 0.2 < hits.hit.mean() < 0.98
    np.testing.assert_array_equal(hits.hit, face >= 0)
    np.testing.assert_allclose(hits.depth[hits.hit], depth[hits.hit], atol=2e-5)
    assert (hits.face == face).mean() > 0.97  # a ray through an edge may take either side
    assert (hits.depth[~hits.hit] == MISS_DEPTH).all()


def test_barycentric_coordinates_give_the_hit_point(model: MorphableModel) -> None:
    origin, directions = rays(400, seed=1)
    v, faces = model.mean.numpy(), model.faces_np
    hits = cast_rays(v, faces, origin, directions)
    point = interpolate(v, faces, hits)[hits.hit]
    along = origin + directions[hits.hit] * hits.depth[hits.hit][:, None]
    np.testing.assert_allclose(point, along, atol=2e-5)
    np.testing.assert_allclose(interpolate_corners(v[faces], hits), interpolate(v, faces, hits), atol=1e-6)
    assert (hits.barycentric[~hits.hit] == 0).all()


def test_normals_of_the_face_look_outwards(model: MorphableModel) -> None:
    normal = vertex_normals(model.mean.numpy(), model.faces_np)
    np.testing.assert_allclose(np.linalg.norm(normal, axis=1), 1, atol=1e-4)
    nose = int((model.mean - model.landmarks(model.mean)[1]).norm(dim=-1).argmin())
    assert normal[nose, 2] > 0.7
