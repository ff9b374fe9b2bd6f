"""Random things before a face: hands in many poses, and bodies between boxes and balls, in the head frame."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import torch

from mien.core.geometry import axis_angle_to_matrix
from mien.morphable.raster import vertex_normals
from mien.training.covers.hand import BONES, FINGERS, HandModel, load_hand_model
from mien.training.procedural.chromophores import skin_albedo
from mien.training.procedural.glasses import GlassesMesh
from mien.training.procedural.person import Person

CM: Final = 0.019
"""A centimetre, EG3D units."""
SLEEVE_SHARE: Final = 0.5
"""Of forearms in a sleeve."""
FREE_SHARE: Final = 0.15
"""Of hands whose palm faces anywhere."""
BALL_RINGS: Final = 40


@dataclass(frozen=True, eq=False)
class Thing:
    """Triangles of something solid."""

    vertices: np.ndarray
    """float64 [V, 3], head frame."""
    faces: np.ndarray
    """int32 [F, 3]."""
    albedo: np.ndarray
    """float64 [F, 3], linear."""
    roughness: float


def draw_things(rng: np.random.Generator, person: Person, marks: np.ndarray) -> list[Thing]:
    """One thing or two before a face with MediaPipe's points [478, 3]."""
    kind = rng.uniform()
    if kind < 0.45:
        return [draw_hand(rng, person, marks)]
    if kind < 0.58:
        return [draw_hand(rng, person, marks) for _ in range(2)]
    if kind < 0.72:
        hand = draw_hand(rng, person, marks)
        held = hand.vertices[rng.integers(len(hand.vertices))]
        return [hand, draw_body(rng, held)]
    return [draw_body(rng, _before(rng, marks)) for _ in range(1 + (rng.uniform() < 0.3))]


def draw_hand(rng: np.random.Generator, person: Person, marks: np.ndarray) -> Thing:
    """A hand of the person (now and then of another) that touches the face or is before it."""
    model = load_hand_model()
    curl = rng.choice([0.0, 0.35, 0.8, 1.3], p=[0.25, 0.35, 0.2, 0.2])
    bend = np.clip(curl + rng.normal(0, 0.18, (FINGERS, 1)) + rng.normal(0, 0.1, (FINGERS, 3)), -0.15, 1.6)
    for finger in range(FINGERS):
        if rng.uniform() < 0.2:  # one finger straight, or bent, alone
            bend[finger] = rng.choice([0.0, 1.3])
    bend[0] *= 0.5
    spread = rng.normal(0, 0.12) * np.array([0.0, 1, 0.3, -0.3, -1]) + rng.normal(0, 0.05, FINGERS)
    wrist = rng.normal(0, 0.35, 3)
    vertices = model.posed(bend, spread, wrist)
    normals = vertex_normals(vertices.astype(np.float32), model.faces)
    palm, along = model.palm.copy(), model.joints[BONES.index("finger3-1")].copy()
    faces = model.faces
    if rng.uniform() < 0.5:
        vertices, normals, palm, along = (t * [-1, 1, 1] for t in (vertices, normals, palm, along))
        faces = faces[:, ::-1]
    goal = _before(rng, marks)
    # the forearm comes from below or from the side, the palm looks at the face, or anywhere
    angle = rng.normal(0, 0.9)
    towards = np.array([np.sin(angle), np.cos(angle), rng.normal(0, 0.35)])
    inwards = marks.mean(0) - goal - [0, 0, 0.1]
    facing = _unit(
        rng.normal(0, 1, 3) if rng.uniform() < FREE_SHARE else _unit(inwards) + rng.normal(0, 0.6, 3)
    )
    R = _frame(towards, facing) @ _frame(along, palm).T
    vertices = vertices * rng.uniform(0.85, 1.15) @ R.T
    normals = normals @ R.T
    reach = model.weights[:, 1:].sum(1) > 0.6
    facing_face = reach & (normals @ _unit(inwards) > 0.2)
    touching = rng.choice(np.flatnonzero(facing_face if facing_face.any() else reach))
    moved = vertices + goal - vertices[touching]
    return Thing(moved, np.ascontiguousarray(faces), _skin(rng, model, person), float(rng.uniform(0.4, 0.7)))


def draw_body(rng: np.random.Generator, goal: np.ndarray) -> Thing:
    """A ball, box, rod, sheet or anything between, at a point."""
    half = np.exp(rng.uniform(np.log(0.5), np.log(6.5), 3)) * CM
    if rng.uniform() < 0.3:
        half = np.array([1, 1, rng.uniform(3, 9)]) * rng.uniform(0.5, 3) * CM  # cups, sticks, bottles
    u, v = np.meshgrid(
        np.linspace(-np.pi, np.pi, 2 * BALL_RINGS, endpoint=False),
        np.linspace(-np.pi / 2, np.pi / 2, BALL_RINGS), indexing="ij",
    )  # fmt: skip
    a, b = rng.uniform(0.15, 1.2, 2)
    unit = np.stack(
        [_power(np.cos(v), a) * _power(np.cos(u), b), _power(np.cos(v), a) * _power(np.sin(u), b),
         _power(np.sin(v), a)], -1,
    )  # fmt: skip
    rings, steps = unit.shape[:2]
    i, j = np.meshgrid(np.arange(rings), np.arange(steps - 1), indexing="ij")
    corner = [((i + di) % rings) * steps + j + dj for di, dj in ((0, 0), (1, 0), (1, 1), (0, 1))]
    faces = np.stack([corner[0], corner[1], corner[2], corner[0], corner[2], corner[3]], -1).reshape(-1, 3)
    local = (unit * half).reshape(-1, 3)
    R = axis_angle_to_matrix(torch.from_numpy(rng.normal(0, 1.2, 3))).numpy()
    middle = local[faces].mean(1)
    first, second = (_colour(rng) for _ in range(2))
    share = (_waves(rng, middle, 3.0 * CM) > rng.uniform(0, 1.5))[:, None]
    albedo = np.where(share, first, second) * np.exp(0.15 * _waves(rng, middle, 1.0 * CM))[:, None]
    turned = local @ R.T
    back = turned[:, 2].min() * rng.uniform(0.2, 1.0)
    return Thing(
        turned + goal - [0, 0, back], faces.astype(np.int32), np.clip(albedo, 0.004, 0.9),
        float(rng.uniform(0.15, 0.8)),
    )  # fmt: skip


def with_things(glasses: GlassesMesh | None, things: Sequence[Thing]) -> GlassesMesh:
    """One mesh of all that is before a face, as the renderer takes glasses."""
    meshes = [] if glasses is None else [glasses]
    for thing in things:
        n = len(thing.faces)
        meshes.append(
            GlassesMesh(
                thing.vertices.astype(np.float32), thing.faces, thing.albedo.astype(np.float32),
                np.full(n, thing.roughness, np.float32), np.full(n, 0.04, np.float32),
                np.ones(n, np.float32), np.zeros((n, 3), np.float32), np.zeros(n, bool),
            )
        )  # fmt: skip
    start = np.cumsum([0, *(len(m.vertices) for m in meshes)])
    parts = {f.name: [getattr(m, f.name) for m in meshes] for f in fields(GlassesMesh)}
    parts["faces"] = [f + s for f, s in zip(parts["faces"], start, strict=False)]
    joined = {name: np.concatenate(values) for name, values in parts.items()}
    joined["faces"] = joined["faces"].astype(np.int32)
    return GlassesMesh(**joined)


def _skin(rng: np.random.Generator, model: HandModel, person: Person) -> np.ndarray:
    """Albedo of the hand's triangles: paler palms and nails, uneven blood, now and then a sleeve."""
    own = person.skin
    melanin, blood = own.melanin + rng.normal(0, 0.05), own.blood + rng.normal(0, 0.12)
    if rng.uniform() < 0.12:
        melanin = rng.uniform()
    middle = model.vertices[model.faces].mean(1)
    v = model.vertices[model.faces]
    normal = np.cross(v[:, 1] - v[:, 0], v[:, 2] - v[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
    inner = np.clip(0.5 + 0.9 * normal @ model.palm, 0, 1) * rng.uniform(0.2, 0.6)
    uneven = 0.08 * _waves(rng, middle, 2.0 * CM) + 0.04 * _waves(rng, middle, 0.7 * CM)
    tone = np.clip(melanin * (1 - inner) + 0.5 * uneven, 0, 1)
    flush = np.clip(blood + 0.25 * inner + uneven + 0.1, 0, 1)
    albedo = skin_albedo(tone, flush)
    weight = model.weights[model.faces].mean(1)
    for finger in range(1, FINGERS + 1):
        k = BONES.index(f"finger{finger}-3")
        length = np.linalg.norm(model.tips[k] - model.joints[k])
        far = (middle - model.joints[k]) @ model.directions[k] / length
        nail = (weight[:, k] > 0.8) & (far > 0.45) & (far < 1.05) & (normal @ model.palm < -0.55)
        albedo[nail] = albedo[nail] * 0.6 + 0.4 * skin_albedo(np.array([0.1]), np.array([0.7]))[0]
    if rng.uniform() < SLEEVE_SHARE:
        along = (middle - model.joints[1]) @ -model.directions[0]
        albedo[along > rng.uniform(0.0, 12) * CM] = _colour(rng)
    return np.asarray(albedo)


def _before(rng: np.random.Generator, marks: np.ndarray) -> np.ndarray:
    """A point on the face or some centimetres before it."""
    point = marks[rng.integers(len(marks))]
    outwards = _unit(point - marks.mean(0) + [0, 0, 0.1])
    return np.asarray(
        point + outwards * rng.choice([-0.6, 0.2, 2.0], p=[0.3, 0.45, 0.25]) * CM * rng.uniform()
    )


def _waves(rng: np.random.Generator, points: np.ndarray, length: float) -> np.ndarray:
    """Smooth noise of unit variance on points [N, 3]."""
    direction = rng.normal(0, 1, (3, 6)) * (2 * np.pi / (3 * length))
    return np.asarray(np.sin(points @ direction + rng.uniform(0, 7, 6)).sum(1) / np.sqrt(3))


def _colour(rng: np.random.Generator) -> np.ndarray:
    value = np.exp(rng.uniform(np.log(0.01), np.log(0.8)))
    hue = np.ones(3) if rng.uniform() < 0.35 else rng.dirichlet([1.5, 1.5, 1.5]) * 3
    return np.asarray(np.clip(value * hue, 0.004, 0.9))


def _power(values: np.ndarray, exponent: float) -> np.ndarray:
    return np.asarray(np.sign(values) * np.abs(values) ** exponent)


def _unit(v: np.ndarray) -> np.ndarray:
    return np.asarray(v / np.linalg.norm(v))


def _frame(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Orthonormal columns: along the first, towards the second, across."""
    x = _unit(first)
    y = _unit(second - x * (x @ second))
    return np.stack([x, y, np.cross(x, y)], 1)
