"""The photo's detail on a moved head: what the photo shows and the avatar's own render of it does not.

At the photo's pose and expression, detail = photo - render, both premultiplied and with alpha: their sum is
the photo. In any other frame every pixel looks up where the photo showed its surface point: body points carry
their photo coordinates on the mesh (so a lid, an eyeball, a tooth and a lip keep their own detail), hair
points are brought back along the neck and projected. Detail fades where the photo did not see the point, or
saw it at a grazing angle, or where the expression has moved a point that the photo shows as another; there
the plain render stays. Beside the head, where nothing is rendered, the photo's stray hair (its matte) moves
along as on a card, for turns up to `CARD_DEG`.
View-dependent texture of one view, after Debevec et al. 1996.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn import functional as F

from mien.animation.plate import COVERED, from_axis, nearest_index, shown_weight
from mien.core.camera import Camera
from mien.core.curves import smoothstep
from mien.generator.planes import channels_last
from mien.generator.posed import all_carried
from mien.generator.render import PosedHead, RenderOutput
from mien.morphable.carry import HeadMotion
from mien.morphable.chart import AXIS_Z, V_BODY
from mien.morphable.landmarks import EYELIDS_LEFT, EYELIDS_RIGHT

HIDDEN: Final = (0.008, 0.02)
"""How far behind what the photo shows a point's detail fades, EG3D units."""
BEHIND: Final = (0.0, 0.01)
"""How far behind the chest what has moved there vanishes, EG3D units."""
SHOULDERS: Final = (0.13, 0.17)
"""Distances from the neck's axis between which what is low is no neck, EG3D units."""
LOW: Final = (-0.04, -0.01)
"""Heights over the chin between which that ends."""
FACING: Final = (0.15, 0.45)
"""Cosines between surface and view in the photo between which detail is trusted from elsewhere."""
TURN_DEG: Final = (3.0, 18.0)
"""Turns of the view between which the angle in the photo begins to matter."""
CARD_DEG: Final = (4.0, 12.0)
"""Turns of the view between which what lies beside the rendered head fades."""
OUTLINE_DEG: Final = (4.0, 15.0)
"""Turns of the view between which hair's own outline comes in."""
DISAGREEMENT: Final = (0.1, 0.4)
"""Excess of the render's alpha over the matte's from which on they disagree on where the person is."""
AGREEMENT_REACH: Final = 0.012
"""How far around such pixels the detail is distrusted, as a share of the photo's longer side."""
RIM_REACH: Final = 0.012
"""The same of the surroundings of which an outline's pixels fill about half."""
RIM_SHARE: Final = (0.7, 0.95)
"""Filled shares of the surroundings between which a pixel stops to count as outline."""
SHIFTED: Final = (0.15, 0.7)
"""Pixels of the photo by which the expression moves a point between which its detail must be trusted: edges,
where it is not, are about a pixel wide."""
BARE: Final = 0.02
"""Alpha of hair below which skin counts as bare."""
MISFIT: Final = (0.08, 0.22)
"""Largest detail nearby of the body between which the photo shows something else than the point under it."""
EYE_REACH: Final = 0.22
"""How far around an eye what is seen is the eye's, as a share of its size."""
OVERSHOOT: Final = 0.05
"""How far the sharp lookup of the detail may leave the smooth one."""
SPECK_BLUR_PX: Final = 0.7
BESIDE_BLUR_PX: Final = 4.0
"""Blur of how what lies beside the render goes with it."""
MIN_ALPHA: Final = 1e-3
MIN_PERSON: Final = 0.02
LEVELS: Final = 3

DETAIL, PERSON, DISTANCE, TRUST, INSIDE, COVER, RIM, HAIR_RIM, CHEST = (
    slice(0, 4), slice(4, 8), 8, 9, 10, 11, 12, 13, 14,
)  # fmt: skip
"""Channels of the lookup image: photo - render, the person's pixels (both premultiplied RGBA), distance from
the camera, trust from elsewhere and in another expression (the cosine between surface and view, where photo
and render agree), whether it is an eyeball or inside the mouth, alpha of the render, nearness to its outline,
the same of hair only, as a cheek must be free to move inwards, and how far the chest is seen, which stays."""


@dataclass(frozen=True, eq=False)
class PhotoDetail:
    """The detail of one photo, ready for lookup."""

    camera: Camera
    """Of the photo, in the frame of the head at rest."""
    levels: tuple[Float[Tensor, "1 15 _ _"], ...]
    """Lookup images, each half the size of the one before."""
    carried: np.ndarray
    """float32 [V, 3]: where in the photo each of `all_vertices` is (u, v in [0, 1]) and its distance."""
    beyond: float
    """How far the person's moving pixels reach beyond the render, as an angle's tangent."""

    @cached_property
    def tables(self) -> tuple[Float32[np.ndarray, "_ _ 16"], ...]:
        """The lookup images with channels last and an empty channel, for compiled loops."""
        return tuple(channels_last(F.pad(level, (0, 0, 0, 0, 0, 1))) for level in self.levels)


@dataclass(frozen=True, eq=False)
class Places:
    """Where a frame's pixels lie at rest and in the photo."""

    rest: Float[Tensor, "height width 3"]
    """Points of the rest pose; of pixels that show nothing, at the distance of the nearest that does."""
    uv_photo: Float[Tensor, "height width 2"]
    distance: Float[Tensor, "height width"]
    """From the photo's camera."""
    shift: Float[Tensor, "height width"]
    """How far the expression has moved the body's point since the photo, as an angle's tangent from the
    photo's camera; 0 for hair."""
    nearest: tuple[Tensor, Tensor]
    """Row and column of the nearest pixel that shows something."""
    uv_moved: Float[Tensor, "height width 2"]
    """Where the photo's camera would see the points as moved, among what has not."""
    distance_moved: Float[Tensor, "height width"]
    """From that camera."""


def carried_of(camera: Camera, vertices: Float[Tensor, "vertex 3"]) -> np.ndarray:
    """What the mesh carries: `PhotoDetail.carried`, for vertices at rest with the photo's expression."""
    uv = camera.project(vertices).uv
    distance = (vertices - camera.position).norm(dim=-1, keepdim=True)
    return torch.cat([uv, distance], 1).numpy().astype(np.float32)


def places_of(photo: Camera, out: RenderOutput, camera: Camera, motion: HeadMotion | None) -> Places:
    """Look up where a frame's pixels come from."""
    rays = camera.rays(*out.alpha.shape)
    nearest = nearest_index(out.alpha > COVERED[0])
    points = rays.origins + rays.directions * out.depth[nearest][..., None]
    rest = points if motion is None else motion.invert_rigid_first(points, steps=3)
    uv_rest, distance = photo.project(rest).uv, (rest - photo.position).norm(dim=-1)
    uv = uv_rest
    shift = torch.zeros_like(distance)
    if out.carried.shape[-1] == 3:
        body = body_share(out) * (out.carried[..., 2] > 0)
        across = (out.carried[..., :2] - uv) / photo.intrinsics.diagonal()[:2]
        along = (out.carried[..., 2] - distance) / distance.clamp(min=1.0)
        shift = body * torch.hypot(across.norm(dim=-1), along)
        shift = torch.from_numpy(shift_nearby(shift.numpy(), out.alpha.numpy(), out.hair_alpha.numpy()))
        uv = torch.lerp(uv, out.carried[..., :2], body[..., None])
        distance = torch.lerp(distance, out.carried[..., 2], body)
        uv = uv_rest + carried_along(uv - uv_rest, nearest)
    uv_moved, distance_moved = photo.project(points).uv, (points - photo.position).norm(dim=-1)
    return Places(rest, uv, distance, shift, nearest, uv_moved, distance_moved)


def shift_nearby(
    shift: Float32[np.ndarray, "height width"], alpha: Float32[np.ndarray, "height width"],
    hair_alpha: Float32[np.ndarray, "height width"],
) -> Float32[np.ndarray, "height width"]:  # fmt: skip
    """How far the expression moves bare skin that is at most two pixels away, within the outline.

    At an edge the photo's pixel shows some of both sides, and what stays may not keep what has gone. Single
    pixels of edges, and those that show some hair, have depths and so shifts of neither side.
    """
    bare = (hair_alpha < BARE).astype(np.float32)
    within = cv2.erode((alpha > COVERED[1]).astype(np.float32), np.ones((7, 7), np.uint8))
    area = cv2.erode(shift * bare, np.ones((3, 3), np.uint8))
    return np.maximum(cv2.dilate(area, np.ones((7, 7), np.uint8)) * within * bare, shift)


def carried_along(
    step: Float[Tensor, "height width 2"], nearest: tuple[Tensor, Tensor]
) -> Float[Tensor, "height width 2"]:
    """What lies beside the render goes with the nearest point of it: a chin takes its own outline along."""
    spread = torch.from_numpy(cv2.GaussianBlur(step[nearest].numpy(), (0, 0), BESIDE_BLUR_PX))
    own = torch.zeros(step.shape[:2], dtype=torch.bool)
    own[nearest] = True
    return torch.where(own[..., None], step, spread)


def make_detail(
    photo: Float[Tensor, "height width 3"],
    alpha: Float[Tensor, "height width"],
    plate: Float[Tensor, "height width 3"],
    camera: Camera,
    source: PosedHead,
    out: RenderOutput,
    chin_y: float,
    *,
    hidden: Float[Tensor, "height width"] | None = None,
    folded: Float[Tensor, "height width"] | None = None,
    chest: Float[Tensor, "height width"] | None = None,
    eyes: Float[Tensor, "height width"] | None = None,
) -> PhotoDetail:
    """Detail from the photo and the avatar's render `out` of the head `source`, with the photo's camera.

    The person's pixels are those that give the photo when laid over the plate. Where glasses hide the
    face, by the share `hidden`, there is no detail; where skin is `folded` away, there is none in another
    expression. `chest` is what stays. What the photo shows at the `eyes` (see `eye_share`) is theirs, however
    unlike the render.
    """
    assert source.carried is not None
    places = places_of(camera, out, camera, None)
    person = torch.cat([photo - (1 - alpha[..., None]) * plate, alpha[..., None]], -1)
    person = torch.minimum(person.clamp(min=0), person[..., 3:])
    plain = torch.cat([out.rgb, out.alpha[..., None]], -1)
    if hidden is not None:
        person = torch.lerp(person, plain, hidden[..., None])
    detail = person - plain
    alike = fidelity(detail, out)
    alike = alike if eyes is None else torch.maximum(alike, eyes)
    trust = facing_of(places.rest, camera) * agreement(detail[..., 3], out.alpha) * alike
    if folded is not None:
        trust = trust * (1 - folded)
    covered = out.alpha > COVERED[0]
    chest = torch.zeros_like(alpha) if chest is None else chest
    moving = shown_weight(places.rest, out, chin_y) * (1 - chest)
    image = torch.cat([detail, torch.stack([places.distance, trust, inside_of(out)], -1)], -1)
    image = image[places.nearest]
    rim = rim_of(out.alpha)
    cover = torch.stack([out.alpha, rim, rim * (1 - body_share(out))[places.nearest]], -1)
    image = torch.cat([image[..., :4], person, image[..., 4:], cover, chest[..., None]], -1)
    levels = [image.permute(2, 0, 1)[None].contiguous()]
    for _ in range(LEVELS - 1):
        levels.append(F.avg_pool2d(levels[-1], 2, ceil_mode=True, count_include_pad=False))
    return PhotoDetail(camera, tuple(levels), all_carried(source), _beyond(alpha * moving, covered, camera))


def _beyond(person: Tensor, covered: Tensor, camera: Camera) -> float:
    height, width = person.shape
    far = 0.0
    for axis, length, focal in ((0, width, camera.intrinsics[0, 0]), (1, height, camera.intrinsics[1, 1])):
        inner, outer = (torch.nonzero(mask.any(axis))[:, 0] for mask in (covered, person > MIN_PERSON))
        if len(inner) and len(outer):
            gap = max(int(inner[0] - outer[0]), int(outer[-1] - inner[-1]), 0)
            far = max(far, gap / (length * float(focal)))
    return far


def facing_of(points: Float[Tensor, "height width 3"], camera: Camera) -> Float[Tensor, "height width"]:
    """Cosine between the surface through neighbouring points and the view; 0 at the surface's edges."""
    p = F.pad(points.permute(2, 0, 1)[None], (1, 1, 1, 1), mode="replicate")[0].permute(1, 2, 0)
    normal = torch.linalg.cross(p[1:-1, 2:] - p[1:-1, :-2], p[2:, 1:-1] - p[:-2, 1:-1])
    view = F.normalize(points - camera.position, dim=-1)
    cosine = (F.normalize(normal, dim=-1) * view).sum(-1).abs()
    lowest = cv2.erode(cosine.numpy(), np.ones((3, 3), np.uint8))
    return torch.from_numpy(cv2.GaussianBlur(lowest, (0, 0), 1.5))


def rim_of(alpha: Float[Tensor, "height width"]) -> Float[Tensor, "height width"]:
    """1 on the outline of a render, 0 inside. What a card holds to where the photo had no outline would float
    beside the head."""
    around = cv2.blur(alpha.numpy(), (2 * round(RIM_REACH * max(alpha.shape)) + 1,) * 2)
    return 1 - smoothstep(torch.from_numpy(around), *RIM_SHARE)


def agreement(
    surplus: Float[Tensor, "height width"], alpha: Float[Tensor, "height width"]
) -> Float[Tensor, "height width"]:
    """1 where render and photo agree that the person is there; soft to 0 around rendered pixels that the
    photo's matte leaves out (`surplus` below 0): from elsewhere they would be holes in the head."""
    missing = (-surplus * (alpha > COVERED[0])).clamp(min=0).numpy()
    reach = max(round(AGREEMENT_REACH * max(missing.shape)), 1)
    widest = cv2.dilate(missing, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)))
    return torch.from_numpy(
        cv2.GaussianBlur(1 - smoothstep(torch.from_numpy(widest), *DISAGREEMENT).numpy(), (0, 0), reach / 2)
    )


def body_share(out: RenderOutput) -> Float[Tensor, "height width"]:
    """Share of the body in what each pixel shows."""
    return 1 - out.hair_alpha / out.alpha.clamp(min=MIN_ALPHA)


def inside_of(out: RenderOutput) -> Float[Tensor, "height width"]:
    """1 where a pixel shows an eyeball, teeth, the tongue or the mouth's inside: lips that lay over teeth in
    the photo, closer than depth can tell, have nothing to give to them."""
    return body_share(out) * (out.planes[..., 1] < V_BODY[0])


def fidelity(detail: Float[Tensor, "height width 4"], out: RenderOutput) -> Float[Tensor, "height width"]:
    """0 around body pixels that look quite unlike the photo: there it shows another point, a tooth where the
    mesh has a lip, say. In the photo's own expression that is right, in another one it would be a speck."""
    largest = (detail[..., :3].abs().amax(-1) * body_share(out)).numpy()
    largest = cv2.dilate(largest, np.ones((3, 3), np.uint8))
    return 1 - smoothstep(torch.from_numpy(largest), *MISFIT)


def eye_share(landmarks_px: Float[Tensor, "478 2"], shape: tuple[int, int]) -> Float[Tensor, "height width"]:
    """1 at the eyes and their lids' edges: lashes and lights on the pupils, all of which a render
    hardly has, move with them."""
    share = np.zeros(shape, np.float32)
    for lids in (EYELIDS_LEFT, EYELIDS_RIGHT):
        points = landmarks_px[list(lids)].double().numpy()
        eye = np.zeros(shape, np.uint8)
        cv2.fillConvexPoly(eye, cv2.convexHull(np.round(points).astype(np.int32)), 1)
        reach = max(1, round(EYE_REACH * float(np.linalg.norm(np.ptp(points, axis=0)))))
        ball = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
        share = np.maximum(share, cv2.dilate(eye, ball).astype(np.float32))
    return torch.from_numpy(cv2.GaussianBlur(share, (0, 0), 1.5))


def turn_of(photo: Camera, camera: Camera, motion: HeadMotion | None) -> float:
    """Angle between the view of a frame and that of the photo, in the head's frame; in rad."""
    centre = torch.tensor([0.0, 0.0, AXIS_Z])
    eye = camera.position
    if motion is not None:
        eye = motion.R_chest_head.T @ (eye - motion.joint - motion.translation) + motion.joint
    one, other = F.normalize(eye - centre, dim=0), F.normalize(photo.position - centre, dim=0)
    return math.atan2(float(torch.linalg.cross(one, other).norm()), float(one @ other))


def outline_share(detail: PhotoDetail | None, camera: Camera, motion: HeadMotion | None) -> float:
    """How much of its drawn outline hair shows: none near the photo's pose, where it has the photo's own."""
    if detail is None:
        return 1.0
    turn_deg = torch.tensor(math.degrees(turn_of(detail.camera, camera, motion)))
    return float(smoothstep(turn_deg, *OUTLINE_DEG))


def add_detail(
    detail: PhotoDetail, out: RenderOutput, places: Places, camera: Camera, motion: HeadMotion | None
) -> RenderOutput:
    """The render with the photo's detail where the photo shows the point, and its stray hair beside it."""
    turn = torch.tensor(math.degrees(turn_of(detail.camera, camera, motion)))
    image = _level(detail, camera, out.alpha.shape)
    grid = (places.uv_photo * 2 - 1)[None]
    looked = F.grid_sample(image, grid, padding_mode="zeros", align_corners=False)[0].permute(1, 2, 0)
    seen = 1 - smoothstep(places.distance - looked[..., DISTANCE], *HIDDEN)
    same = 1 - (inside_of(out) - looked[..., INSIDE]).abs()
    shift_px = places.shift * (detail.camera.intrinsics[1, 1] * detail.levels[0].shape[2])
    moved = smoothstep(shift_px, *SHIFTED)
    elsewhere = torch.maximum(smoothstep(turn, *TURN_DEG), moved)
    angle = 1 - elsewhere * (1 - smoothstep(looked[..., TRUST], *FACING))
    plain = torch.cat([out.rgb, out.alpha[..., None]], -1)
    fine = sharp_lookup(image[:, DETAIL], grid, looked[..., DETAIL])
    drawn = plain + without_specks(seen * same * angle)[..., None] * fine
    outline = cv2.GaussianBlur(looked[..., RIM][places.nearest].numpy(), (0, 0), 1.5)
    beside = torch.maximum(1 - looked[..., COVER], looked[..., HAIR_RIM])
    card = (1 - smoothstep(turn, *CARD_DEG)) * beside * torch.from_numpy(outline)
    own = smoothstep(out.alpha, *COVERED)[..., None]
    drawn = torch.lerp(torch.maximum(card[..., None] * looked[..., PERSON], plain), drawn, own)
    alpha = drawn[..., 3].clamp(0, 1)
    rgb = torch.minimum(drawn[..., :3].clamp(min=0), alpha[..., None])
    return replace(out, rgb=rgb, alpha=alpha)


def moving_share(
    detail: PhotoDetail | None, out: RenderOutput, places: Places, camera: Camera, chin_y: float,
    still: tuple[float, float],
) -> Float[Tensor, "height width"]:  # fmt: skip
    """How far a frame shows what its render does: not the chest, which stays, nor what is behind it now, and
    not what the neck moves by less than the weights `still`.

    Hair where the photo shows the chest is what its clothes were taken for. A neck that a collar hides may
    come out of it, shoulders may not.
    """
    weight = shown_weight(places.rest, out, chin_y)
    if detail is not None:
        image = _level(detail, camera, out.alpha.shape)[:, [DISTANCE, CHEST]]
        before, now = (
            F.grid_sample(image, (uv * 2 - 1)[None], padding_mode="border", align_corners=False)[0]
            for uv in (places.uv_photo, places.uv_moved)
        )
        inside = ((places.uv_photo > 0) & (places.uv_photo < 1)).all(-1)
        seen = inside * (1 - smoothstep(places.distance - before[0], *HIDDEN))
        neck = 1 - smoothstep(from_axis(places.rest), *SHOULDERS) * (
            1 - smoothstep(places.rest[..., 1] - chin_y, *LOW)
        )
        chest = before[1] * (1 - body_share(out) * (1 - seen) * neck)
        weight = weight * (1 - chest)
        weight = weight * (1 - now[1] * smoothstep(places.distance_moved - now[0], *BEHIND))
    return smoothstep(weight, *still)


def sharp_lookup(
    image: Float[Tensor, "1 channel _ _"], grid: Float[Tensor, "1 height width 2"],
    smooth: Float[Tensor, "height width channel"],
) -> Float[Tensor, "height width channel"]:  # fmt: skip
    """Bicubic values, which keep the pores that bilinear ones (`smooth`) average away, within `OVERSHOOT` of
    these, so that edges get no halo."""
    found = F.grid_sample(image, grid, mode="bicubic", padding_mode="zeros", align_corners=False)
    fine = found[0].permute(1, 2, 0)
    return torch.minimum(torch.maximum(fine, smooth - OVERSHOOT), smooth + OVERSHOOT)


def without_specks(weight: Float[Tensor, "height width"]) -> Float[Tensor, "height width"]:
    """A weight without single pixels: where surfaces meet, every other pixel may look up one or the other."""
    median = cv2.medianBlur(weight.contiguous().numpy(), 3)
    return torch.from_numpy(cv2.GaussianBlur(median, (0, 0), SPECK_BLUR_PX))


def _level(detail: PhotoDetail, camera: Camera, shape: torch.Size) -> Float[Tensor, "1 15 _ _"]:
    return detail.levels[level_of(detail, camera, tuple(shape))]


def level_of(detail: PhotoDetail, camera: Camera, shape: tuple[int, ...]) -> int:
    """The lookup image nearest to a frame's own resolution."""
    height = detail.levels[0].shape[2]
    ratio = float(detail.camera.intrinsics[1, 1] * height / (camera.intrinsics[1, 1] * shape[0]))
    return min(max(round(math.log2(max(ratio, 1e-3))), 0), LEVELS - 1)
