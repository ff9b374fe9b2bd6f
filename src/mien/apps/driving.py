"""Options of a driver and of how it is carried over; and help that shows options in groups."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

import click

if TYPE_CHECKING:
    from mien.animation.drivers import DriverOptions
    from mien.animation.edits import Edits
    from mien.animation.retarget import Retargeting

REGIONS: Final = ("eyes", "gaze", "brows", "mouth", "jaw", "head")
"""As in `mien.animation.face_regions`, whose import would cost `--help` a second; and the head's pose."""
LIMITS: Final = ("yaw", "pitch", "roll", "shift", "zoom")
OFF: Final = "off"

F = TypeVar("F", bound=Callable[..., Any])


class GroupedCommand(click.Command):
    """A command whose help lists its options under headings: those in `groups` (heading to parameter names),
    then the others."""

    groups: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options to the help."""
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        grouped = {name for names in self.groups.values() for name in names}
        others = tuple(param.name or "" for param in options if param.name not in grouped)
        for heading, names in {**self.groups, "Other options": others}.items():
            chosen = sorted((o for o in options if o.name in names), key=lambda o: names.index(o.name or ""))
            records = (option.get_help_record(ctx) for option in chosen)
            with formatter.section(heading):
                formatter.write_dl([record for record in records if record is not None])


class AssignmentType(click.ParamType):
    """`name=number` pairs with commas between, as a dict; a number may be `off` (None) where `may_be_off`."""

    name = "assignment"

    def __init__(self, names: tuple[str, ...], *, may_be_off: bool = False) -> None:
        self._names = names
        self._may_be_off = may_be_off

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, float | None]:
        """The pairs in a text."""
        if isinstance(value, dict):
            return value
        pairs: dict[str, float | None] = {}
        for part in str(value).split(","):
            name, _, number = part.strip().partition("=")
            if name not in self._names:
                self.fail(f"{name!r} is none of {', '.join(self._names)}.", param, ctx)
            if self._may_be_off and number.strip().lower() == OFF:
                pairs[name] = None
                continue
            try:
                pairs[name] = float(number)
            except ValueError:
                off = " or off" if self._may_be_off else ""
                self.fail(f"{part.strip()!r} is not {name}=NUMBER{off}.", param, ctx)
        return pairs


def edit_option(function: F) -> F:
    """--edit, several times, handed on as `edits`, see `parsed_edits`."""
    return click.option(
        "--edit", "edits", multiple=True, metavar="[SECONDS:]NAME=VALUE,...|FILE",
        help="Sliders laid on top: ARKit names (-1 to 1) and yaw, pitch, roll (degrees), such as "
        "jawOpen=0.4,yaw=20; with a time before it a keyframe, 1.5:jawOpen=0.6; or a .json or .csv file of "
        "keyframes. May be given several times.",
    )(function)  # fmt: skip


def driver_options(prefix: str = "") -> Callable[[F], F]:
    """--face, --fps, --seconds and --frames of a driver, handed on as `driver_face`, `driver_fps`, `seconds`
    and `frames`; `prefix` stands before the first two names."""

    def decorate(function: F) -> F:
        for option in (
            click.option("--frames", type=click.IntRange(1), help="Camera: record this many frames at most."),
            click.option(
                "--seconds", type=click.FloatRange(0.1, 3600.0), default=10.0, show_default=True,
                help="Camera: record for this long.",
            ),
            click.option(
                f"--{prefix}fps", "driver_fps", metavar="RATE",
                help="Frames a second of a folder of pictures (25), or in place of the times in a file.",
            ),
            click.option(
                f"--{prefix}face", "driver_face", default="largest", show_default=True,
                metavar="largest|left|right|INDEX",
                help="Which face of the driver to follow; INDEX counts from the largest, from 0.",
            ),
        ):  # fmt: skip
            function = option(function)
        return function

    return decorate


def retarget_options(function: F) -> F:
    """How a driver is carried over, handed on as the arguments of `retargeting`."""
    for option in (
        click.option(
            "--limit", "limits", type=AssignmentType(LIMITS), multiple=True, metavar="NAME=LIMIT,...",
            help="How far the head may turn and move: yaw (60), pitch (35), roll (40) in degrees, shift and "
            "zoom (0.35); approached softly.",
        ),
        click.option("--no-expression", is_flag=True, help="Keep the photo's expression."),
        click.option("--no-pose", is_flag=True, help="Keep the photo's head pose (--region head=off)."),
        click.option(
            "--match", "matched", type=click.Choice(["eyes", "lips"]), multiple=True,
            help="Carry the driver's range of open eyes or lips, found over the clip, to the photo's.",
        ),
        click.option(
            "--side", type=click.Choice(["same", "mirrored", "symmetric"]), default="same", show_default=True,
            help="mirrored: left and right exchanged; symmetric: both sides of the face do the same.",
        ),
        click.option(
            "--region", "regions", type=AssignmentType(REGIONS, may_be_off=True), multiple=True,
            metavar="NAME=GAIN,...",
            help=f"Factor (0 to 3) on what {', '.join(REGIONS[:-1])} or {REGIONS[-1]} do, or off to keep the "
            "photo's, such as mouth=1.3,brows=off.",
        ),
        click.option(
            "--neutral", type=click.Choice(["clip", "first"]),
            help="What changes count from: the driver's rest over the clip, or its first frame. By default "
            "those of the head count from the first frame, so that the video begins as the photo.",
        ),
        click.option("--relative-expression", is_flag=True,
                     help="Add the driver's change of expression to the photo's own expression."),
        click.option("--relative", "pose", flag_value="relative", default=True,
                     help="Turn the photo's pose by the driver's change (default)."),
        click.option("--absolute", "pose", flag_value="absolute",
                     help="Take the driver's head pose as it is."),
    ):  # fmt: skip
        function = option(function)
    return function


RETARGET_NAMES: Final = (
    "pose", "relative_expression", "neutral", "regions", "side", "matched", "limits", "no_pose",
    "no_expression",
)  # fmt: skip


def retargeting(
    *, pose: Any, relative_expression: bool, neutral: Any, regions: tuple[dict[str, float | None], ...],
    side: Any, matched: tuple[str, ...], limits: tuple[dict[str, float], ...], no_pose: bool,
    no_expression: bool, edits: "Edits | None" = None,
) -> "Retargeting":  # fmt: skip
    """What `retarget_options` gave, and edits."""
    from mien.animation.face_regions import RegionGains
    from mien.animation.retarget import PoseLimits, Retargeting

    gains = {name: gain for pairs in regions for name, gain in pairs.items()}
    head = gains.pop("head", 1.0)
    limit = {name: value for pairs in limits for name, value in pairs.items()}
    named = {f"{name}_deg" if name in ("yaw", "pitch", "roll") else name: x for name, x in limit.items()}
    return Retargeting(
        expression_mode="relative" if relative_expression else "absolute", pose_mode=pose or "relative",
        neutral=neutral or "clip", pose_neutral=neutral or "first", side=side, gains=RegionGains(**gains),
        match_eyes="eyes" in matched, match_lips="lips" in matched,
        use_expression=not no_expression, use_pose=not no_pose and head is not None,
        pose_strength=1.0 if head is None else head, limits=PoseLimits(**named), edits=edits or None,
    )  # fmt: skip


def reading(driver_face: str, driver_fps: str | None, seconds: float, frames: int | None) -> "DriverOptions":
    """What `driver_options` gave."""
    from mien.animation.drivers import DriverOptions
    from mien.animation.picture_drivers import Recording
    from mien.animation.sliders import checked_fps

    fps: Fraction | None = None if driver_fps is None else checked_fps(driver_fps, "The driver's rate")
    return DriverOptions(face=driver_face, fps=fps, recording=Recording(seconds=seconds, frames=frames))


def parsed_edits(texts: tuple[str, ...]) -> "Edits":
    """What `edit_option` gave."""
    from mien.animation.edits import parse_edits

    return parse_edits(texts)


def input_files(*names: str | Path | None) -> list[Path]:
    """Those of the inputs that are files or folders: cameras are none."""
    from mien.animation.drivers import camera_of

    return [Path(name) for name in names if name is not None and camera_of(name) is None]
