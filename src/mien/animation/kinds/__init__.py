"""Kinds of avatars: which generator a person lives in, and all that depends on it."""

from pathlib import Path
from typing import Any, Final

from mien.animation.kinds.base import BaseKind
from mien.animation.kinds.eg3d import Eg3dKind
from mien.animation.kinds.interface import AvatarKind
from mien.core.checkpoint import read_header
from mien.core.errors import CheckpointError
from mien.generator.loading import EG3D, model_kind
from mien.generator.official.library import find_model
from mien.inversion.avatar import KIND as BASE_AVATAR
from mien.inversion.avatar import Avatar
from mien.inversion.eg3d.avatar import KIND as EG3D_AVATAR
from mien.inversion.eg3d.avatar import Eg3dAvatar

AnyAvatar = Avatar | Eg3dAvatar

BASE_KIND, EG3D_KIND = BaseKind(), Eg3dKind()
KINDS: Final[dict[type[AnyAvatar], AvatarKind[Any]]] = {Avatar: BASE_KIND, Eg3dAvatar: EG3D_KIND}
FILES: Final[dict[str, AvatarKind[Any]]] = {BASE_AVATAR: BASE_KIND, EG3D_AVATAR: EG3D_KIND}
"""By the kind in a file's header."""


def kind_of(avatar: AnyAvatar) -> AvatarKind[Any]:
    """The kind of an avatar."""
    return KINDS[type(avatar)]


def kind_for(model: Path | None) -> AvatarKind[Any]:
    """The kind of avatars of a generator's file, or of a name among the imported models."""
    if model is None:
        return BASE_KIND
    return EG3D_KIND if model_kind(find_model(model)) == EG3D else BASE_KIND


def read_avatar(path: Path) -> AnyAvatar:
    """An avatar file of any kind. CheckpointError says what is wrong with a file that is none."""
    kind = read_header(path).get("kind")
    if kind not in FILES:
        raise CheckpointError(
            f"{path} is a mien file of kind {kind!r}, but an avatar ({' or '.join(map(repr, FILES))}) is "
            "needed here; give one made by `mien invert`."
        )
    avatar: AnyAvatar = FILES[kind].load(path)
    return avatar
