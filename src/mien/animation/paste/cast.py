"""Who in a photo plays what: faces, their drivers, and the scene that they make."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float32

from mien.animation.filling import usual_place
from mien.animation.kinds import AnyAvatar
from mien.animation.kinds.interface import Stage
from mien.animation.layer import Layer
from mien.animation.motion import Motion
from mien.animation.paste.place import Placed, matte_in_photo, own_face, place_in_photo
from mien.animation.paste.plate import photo_plate
from mien.animation.paste.scene import Actor, Bystander, PhotoScene
from mien.animation.paste.seam import Toning, toning
from mien.animation.retarget import DrivenMotion, Retargeting
from mien.core.errors import InputError
from mien.io.images import Photo, read_photo
from mien.tracking.faces import FaceObservation, choose_face, find_faces
from mien.tracking.matting import foreground_alpha

PERSON: Final = (0.6, 0.9, 3.0)
"""How far a person reaches around the face's box, in face sizes: to either side, up, and down."""


@dataclass(frozen=True, eq=False)
class Role:
    """A head in the photo, ready to be drawn, and what it shall do."""

    avatar: AnyAvatar
    stage: Stage
    driven: DrivenMotion


def chosen_faces(photo: Photo, faces: Sequence[str]) -> list[str]:
    """The faces that are meant by names such as `left` and `0`, as numbers from the largest on.

    InputError if two names mean the same face, NoFaceError if one is not there.
    """
    found = find_faces(photo.rgb)
    by_size = sorted(found, key=lambda face: -face.area_px)
    numbers = [str(_number(by_size, choose_face(found, which))) for which in faces]
    for k, number in enumerate(numbers):
        if number in numbers[:k]:
            other = faces[numbers.index(number)]
            same = f"{other} and {faces[k]} are the same face" if other != faces[k] else f"face {other}"
            raise InputError(
                f"Two drivers were given for one face of {photo.name} ({same}), expected one for each face; "
                "leave one out or choose another face."
            )
    return numbers


def check_pasting(
    source: AnyAvatar | Photo, into: Path | None, faces: Sequence[str]
) -> tuple[Photo, list[str]]:
    """The photo to paste into, and its faces by number; refuses, before any work, faces that are not there or
    meant twice, and avatars without their photo."""
    if isinstance(source, Photo):
        return source, chosen_faces(source, faces)
    photo_name = source.provenance.get("photo")
    if len(faces) > 1:
        raise InputError(
            f"The source is an avatar of one face of {photo_name}, but {len(faces)} faces are to move; give "
            "the photo as source."
        )
    if into is None:
        raise InputError(
            f"The source is an avatar, which does not hold the whole photo; give {photo_name} with --into."
        )
    photo = read_photo(into)
    place_in_photo(source, photo)
    return photo, list(faces)


def _number(faces: Sequence[FaceObservation], face: FaceObservation) -> int:
    return next(k for k, other in enumerate(faces) if other is face)


def photo_scene(photo: Photo, roles: Sequence[Role]) -> PhotoScene:
    """The photo with moving heads; smaller heads are taken to be behind larger ones, also behind those of
    people who do not play. The first role's times are everybody's. InputError if an avatar was not made of
    this photo."""
    faces = find_faces(photo.rgb)
    heads = [(role.avatar, place_in_photo(role.avatar, photo)) for role in roles]
    own = [own_face(avatar, placed, faces) for avatar, placed in heads]
    others = [face for face in faces if not any(face is one for one in own)]
    plate = photo_plate(photo.rgb, heads, people_in(photo, others))
    actors = [
        (0.0 if face is None else face.size_px, Actor(role.stage, role.driven, placed, own_toning(role)))
        for role, (_, placed), face in zip(roles, heads, own, strict=True)
    ]
    actors.sort(key=lambda sized: sized[0])
    sizes = [size for size, _ in actors]
    return PhotoScene(plate, [actor for _, actor in actors], bystanders(photo, faces, others, heads, sizes))


def people_in(photo: Photo, others: Sequence[FaceObservation]) -> Float32[np.ndarray, "height width"]:
    """1 where somebody is who does not play, roughly."""
    people = np.zeros(photo.rgb.shape[:2], np.float32)
    for face in others:
        x0, y0, x1, y1 = face.box_px
        beside, above, below = (share * face.size_px for share in PERSON)
        rows = slice(max(int(y0 - above), 0), max(int(y1 + below), 0))
        people[rows, max(int(x0 - beside), 0) : max(int(x1 + beside), 0)] = 1
    return people


def bystanders(
    photo: Photo, faces: Sequence[FaceObservation], others: Sequence[FaceObservation],
    heads: Sequence[tuple[AnyAvatar, Placed]], sizes: Sequence[float],
) -> list[Bystander]:  # fmt: skip
    """The `others` of a photo's faces who are before heads that move, of these `sizes` from the smallest on:
    their own pixels, without those of the people who move."""
    found = []
    for face in others:
        before = sum(size < face.size_px for size in sizes)
        if before == 0:
            continue
        cover = foreground_alpha(photo.rgb, face, others=[other for other in faces if other is not face])
        for avatar, placed in heads:
            x0, y0, x1, y1 = placed.box_px
            cover[y0:y1, x0:x1] *= 1 - matte_in_photo(avatar, placed)
        rows, columns = (np.flatnonzero((cover > 0).any(axis)) for axis in (1, 0))
        if len(rows):
            part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            rgb = photo.rgb[part].astype(np.float32) / 255 * cover[part][..., None]
            layer = Layer((int(columns[0]), int(rows[0])), rgb, np.ascontiguousarray(cover[part]))
            found.append(Bystander(layer, before))
    return found


def own_toning(role: Role) -> Toning:
    """Of the head as it is in the photo."""
    one = Motion(
        np.zeros(1), np.zeros((1, 52), np.float32), np.eye(3, dtype=np.float32)[None],
        usual_place(1), np.ones(1, bool), role.driven.fps, role.driven.source,
    )  # fmt: skip
    still = role.stage.drive(one, Retargeting(use_pose=False, use_expression=False), calibrated=False)
    layer = next(role.stage.layers(still, [0], beyond_px=0))
    return toning(layer, role.avatar.photo.numpy(), role.avatar.alpha.numpy().astype(np.float32) / 255)
