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
from mien.animation.motion import Motion
from mien.animation.paste.place import Placed, place_in_photo
from mien.animation.paste.plate import photo_plate
from mien.animation.paste.scene import Actor, PhotoScene
from mien.animation.paste.seam import Toning, toning
from mien.animation.retarget import DrivenMotion, Retargeting
from mien.core.errors import InputError
from mien.io.images import Photo, read_photo
from mien.tracking.faces import FaceObservation, choose_face, find_faces

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
    """The photo with moving heads; smaller heads are taken to be behind larger ones. The first role's times
    are everybody's. InputError if an avatar was not made of this photo."""
    heads = [(role.avatar, place_in_photo(role.avatar, photo)) for role in roles]
    plate = photo_plate(photo.rgb, heads, people_in(photo, heads))
    actors = [
        Actor(role.stage, role.driven, placed, own_toning(role))
        for role, (_, placed) in zip(roles, heads, strict=True)
    ]
    return PhotoScene(plate, sorted(actors, key=lambda actor: actor.placed.size_px))


def people_in(photo: Photo, heads: Sequence[tuple[AnyAvatar, Placed]]) -> Float32[np.ndarray, "height width"]:
    """1 where somebody is who does not play, roughly."""
    people = np.zeros(photo.rgb.shape[:2], np.float32)
    for face in find_faces(photo.rgb):
        x0, y0, x1, y1 = face.box_px
        beside, above, below = (share * face.size_px for share in PERSON)
        own = [p for _, p in heads if _inside(face, p.box_px)]
        if not own:
            rows = slice(max(int(y0 - above), 0), max(int(y1 + below), 0))
            people[rows, max(int(x0 - beside), 0) : max(int(x1 + beside), 0)] = 1
    return people


def own_toning(role: Role) -> Toning:
    """Of the head as it is in the photo."""
    one = Motion(
        np.zeros(1), np.zeros((1, 52), np.float32), np.eye(3, dtype=np.float32)[None],
        usual_place(1), np.ones(1, bool), role.driven.fps, role.driven.source,
    )  # fmt: skip
    still = role.stage.drive(one, Retargeting(use_pose=False, use_expression=False), calibrated=False)
    layer = next(role.stage.layers(still, [0], beyond_px=0))
    return toning(layer, role.avatar.photo.numpy(), role.avatar.alpha.numpy().astype(np.float32) / 255)


def _inside(face: FaceObservation, box: tuple[int, int, int, int]) -> bool:
    """Whether a face is the one in the middle of a part of the photo."""
    x, y = (face.box_px[0] + face.box_px[2]) / 2, (face.box_px[1] + face.box_px[3]) / 2
    reach = 0.15 * max(box[2] - box[0], box[3] - box[1])
    return abs(x - (box[0] + box[2]) / 2) < reach and abs(y - (box[1] + box[3]) / 2) < reach
