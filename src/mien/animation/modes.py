"""Expression modes: how a driver's expression comes onto an avatar, by the kind of its generator.

- native: planes in canonical space, posed and drawn (mien-base);
- deformed: the inverted photo's samples are carried by the mesh (EG3D models);
- paper: inverted again to edited renders, as in Lin et al. 2022 (both).
"""

from pathlib import Path
from typing import Final, Literal

from mien.animation.eg3d.stage import Eg3dStage
from mien.animation.kinds import AnyAvatar
from mien.animation.kinds.base import BaseStage
from mien.animation.kinds.interface import Stage
from mien.animation.paper.clip_stage import ClipStage
from mien.animation.paper.config import PaperConfig
from mien.animation.paper.eg3d_stage import PaperEg3dStage
from mien.animation.paper.stage import PaperBaseStage
from mien.core.errors import InputError
from mien.inversion.avatar import Avatar
from mien.inversion.eg3d.avatar import Eg3dAvatar

ExpressionMode = Literal["native", "deformed", "paper"]
MODES: Final[dict[type[AnyAvatar], tuple[ExpressionMode, ...]]] = {
    Avatar: ("native", "paper"),
    Eg3dAvatar: ("deformed", "paper"),
}
"""Of each kind of avatar; the first is the default."""
NAMES: Final[dict[type[AnyAvatar], str]] = {Avatar: "mien-base", Eg3dAvatar: "an EG3D model"}


def chosen_mode(
    kind: type[AnyAvatar], mode: ExpressionMode | None, *, pasted: bool = False
) -> ExpressionMode:
    """The mode, or the kind's default. InputError if the kind has no such mode, or if it cannot be `pasted`
    into a larger photo."""
    known = MODES[kind]
    if mode is None:
        return known[0]
    if mode not in known:
        raise InputError(
            f"The expression mode {mode} is not for avatars of {NAMES[kind]}, which have "
            f"{' and '.join(known)}; give one of these with --expression-mode, or leave it out."
        )
    if pasted and mode == "paper":
        raise InputError(
            "Paper mode draws the photo's own framing; expected a mode that can be pasted back or play "
            f"several faces. Give --expression-mode {known[0]}, or leave out --paste-back, --into and more "
            "than one --face."
        )
    return mode


def paper_facts(stage: Stage) -> str:
    """What paper mode did for a clip, in a line; nothing in the other modes."""
    return stage.facts() if isinstance(stage, ClipStage) else ""


def staged(stage: Stage, mode: ExpressionMode, config: PaperConfig, kept: Path | None = None) -> Stage:
    """A kind's stage in a mode. Long work of paper mode is kept in the folder `kept`."""
    if mode != "paper":
        return stage
    if isinstance(stage, BaseStage):
        return PaperBaseStage(stage, config)
    assert isinstance(stage, Eg3dStage)
    return PaperEg3dStage(stage, config, kept)
