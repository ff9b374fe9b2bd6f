"""The whole story on one page: photo -> avatar; driver -> motion; avatar x motion -> video.

What depends on the generator that a person lives in is in `mien.animation.kinds`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mien.animation.drivers import read_driver
from mien.animation.kinds import KINDS, AnyAvatar, kind_for, kind_of, read_avatar
from mien.animation.kinds.interface import Report, Tools
from mien.animation.kinds.photo import AvatarOptions
from mien.animation.modes import ExpressionMode, chosen_mode, paper_facts, staged
from mien.animation.motion import Motion
from mien.animation.paper.config import FAST, PaperConfig
from mien.animation.paste.cast import Role, photo_scene
from mien.animation.performance import Direction, Performance, kept_driven, settings, write_scene
from mien.animation.resample import resampled
from mien.animation.retarget import DrivenMotion, Retargeting
from mien.animation.smoothing import Smoothing
from mien.animation.turntable import TurnConfig, mesh_sheet, write_turn
from mien.core.assets import asset_path
from mien.core.atomic import check_output
from mien.core.device import DeviceChoice
from mien.core.errors import InputError
from mien.core.work import KeptWork
from mien.generator.view import MeshConfig, Sitter
from mien.inversion.eg3d.descent import forget
from mien.inversion.invert import InversionConfig
from mien.io.images import PICTURE_SUFFIXES, Photo, read_photo, write_image
from mien.io.mesh import MESH_SUFFIXES, Mesh, read_mesh, write_mesh
from mien.io.video import is_video

AVATAR_SUFFIX = ".mien"
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv")


@dataclass(frozen=True)
class AnimateOptions:
    """How an avatar is driven."""

    retargeting: Retargeting = field(default_factory=Retargeting)
    smoothing: Smoothing = field(default_factory=Smoothing)
    crop_px: int | None = None
    """Side of the aligned head crop to draw instead of the photo's framing."""
    calibrated: bool = True
    """Send what makes a tracker measure the driver's coefficients and pose on the avatar (mien-base)."""
    driver_face: str = "largest"
    device: DeviceChoice = "auto"
    expression_mode: ExpressionMode | None = None
    """None is the default of the avatar's kind."""
    paper: PaperConfig = FAST
    """How paper mode works."""

    @property
    def direction(self) -> Direction:
        """How the motion is carried over."""
        return Direction(self.retargeting, self.smoothing, self.calibrated)


def create_avatar(
    photo: Photo, options: AvatarOptions | None = None, *,
    report: Report = lambda stage, share: None, kept: Path | None = None,
) -> AnyAvatar:  # fmt: skip
    """An avatar in the generator of the options. Raises NoFaceError or InputError.

    Work of minutes is kept in the folder `kept`; the same call goes on with it to the same avatar.
    """
    options = options or AvatarOptions()
    avatar: AnyAvatar = kind_for(options.model).create(photo, options, report, kept)
    return avatar


def invert_file(
    photo: Path, output: Path, options: AvatarOptions | None = None, *, report: Report | None = None
) -> AnyAvatar:
    """`mien invert`: photo file to avatar file. Killed, the same call goes on where it was."""
    kept = kept_folder(output)
    avatar = create_avatar(
        read_photo(photo), options, report=report or (lambda stage, share: None), kept=kept
    )
    kind_of(avatar).save(output, avatar)
    forget_inversion(output)
    return avatar


def read_source(source: Path) -> AnyAvatar | Photo:
    """An avatar file, or a photo, still to be inverted (`to_avatar`). InputError or CheckpointError."""
    return read_avatar(source) if source.suffix.lower() == AVATAR_SUFFIX else read_photo(source)


def to_avatar(
    source: AnyAvatar | Photo, options: AvatarOptions | None = None, *, report: Report | None = None,
    kept: Path | None = None,
) -> AnyAvatar:  # fmt: skip
    """The avatar itself, or the photo's."""
    if not isinstance(source, Photo):
        return source
    return create_avatar(source, options, report=report or (lambda stage, share: None), kept=kept)


def to_avatars(
    source: AnyAvatar | Photo, faces: Sequence[str], options: AvatarOptions, *,
    report: Report | None = None, kept: Path | None = None,
) -> list[AnyAvatar]:  # fmt: skip
    """The avatar itself, or those of the photo's faces."""
    kepts = [kept if number == 0 or kept is None else kept / str(number) for number in range(len(faces))]
    return [
        to_avatar(source, replace(options, face=face), report=report, kept=folder)
        for face, folder in zip(faces, kepts, strict=True)
    ]


def open_avatar(
    source: Path, options: AvatarOptions | None = None, *, report: Report | None = None,
    kept: Path | None = None,
) -> AnyAvatar:  # fmt: skip
    """An avatar file, or a photo that is inverted now."""
    return to_avatar(read_source(source), options, report=report, kept=kept)


def kept_folder(output: Path) -> Path:
    """Where an inversion on the way to this output keeps what it has."""
    return output.with_name(f".{output.name}.inversion")


def forget_inversion(output: Path) -> None:
    """Delete what an inversion has kept, once the output is there."""
    forget(kept_folder(output))


def animate(
    avatar: AnyAvatar, driver: Path | Motion, output: Path, options: AnimateOptions | None = None,
    *, sound: Path | None = None, model: Path | None = None, show_progress: bool = True,
    kept: KeptWork | None = None, manifest: Path | None = None,
    note: Callable[[str], None] = lambda line: None,
) -> DrivenMotion:  # fmt: skip
    """Write a video of the avatar moving like the driver, at its times and with its sound.

    Killed, the same call goes on with what was done (`kept`, beside the output) to the same bytes. `sound` is
    a file to take the sound from where the driver is a motion that was tracked before. `manifest` is a JSON
    file to write: hashes of inputs, weights and output, and settings. `note` is told what paper mode did.
    """
    options = options or AnimateOptions()
    check_output(output, suffixes=VIDEO_SUFFIXES)
    with kept or KeptWork(output) as work:
        motion = read_driver(driver, face=options.driver_face, show_progress=show_progress, kept=work)
        mode, descents = chosen_mode(type(avatar), options.expression_mode), paper_folder(output)
        stage = kind_of(avatar).stage(avatar, Tools(model, options.device), options.crop_px)
        stage = staged(stage, mode, options.paper, descents)
        driven = kept_driven(stage, motion, options.direction, work)
        sound = driver if isinstance(driver, Path) else sound
        audio = sound if sound is not None and is_video(sound) else None
        facts = {"avatar": avatar.provenance, "driver": asdict(motion.source), "settings": settings(options)}
        scene = Performance(stage, driven)
        write_scene(scene, output, work, facts, audio=audio, show_progress=show_progress)
        if manifest is not None:
            work.write_manifest(manifest)
    forget_paper(output)
    if did := paper_facts(stage):
        note(did)
    return driven


def paper_folder(output: Path) -> Path:
    """Where paper mode keeps the state of its descents on the way to this output."""
    return output.with_name(f".{output.name}.paper")


def forget_paper(output: Path) -> None:
    """Delete what paper mode has kept, once the output is there."""
    forget(paper_folder(output))


def check_mode(
    source: AnyAvatar | Photo, mode: ExpressionMode | None, *, model: Path | None = None, pasted: bool = False
) -> None:
    """Refuse, before any work, an expression mode that the avatar, or that of the photo, does not have."""
    known = next(kind for kind, own in KINDS.items() if own is kind_for(model))
    chosen_mode(known if isinstance(source, Photo) else type(source), mode, pasted=pasted)


def animate_in_photo(
    photo: Photo, cast: Sequence[tuple[AnyAvatar, Motion]], output: Path,
    options: AnimateOptions | None = None, *, sound: Path | None = None, model: Path | None = None,
    show_progress: bool = True, kept: KeptWork | None = None, manifest: Path | None = None,
) -> Motion:  # fmt: skip
    """Write a video of the whole photo, at its own size, in which the avatars' heads move.

    All avatars are made of the photo. The video has the times of the first motion; a motion that is shorter
    holds its last frame. Returns the first motion. Goes on when it was killed, as `animate`.
    """
    options = options or AnimateOptions()
    check_output(output, suffixes=VIDEO_SUFFIXES)
    first = cast[0][1]
    with kept or KeptWork(output) as work:
        roles = []
        for number, (avatar, motion) in enumerate(cast):
            stage = kind_of(avatar).stage(avatar, Tools(model, options.device), None)
            in_time = resampled(motion, first.time_s, first.fps)
            driven = kept_driven(stage, in_time, options.direction, work, name=f"motion-{number}")
            roles.append(Role(avatar, stage, driven))
        facts = {"photo": {"name": photo.name, "sha256": photo.sha256}, "settings": settings(options)}
        audio = sound if sound is not None and is_video(sound) else None
        scene = photo_scene(photo, roles)
        write_scene(scene, output, work, facts, audio=audio, show_progress=show_progress)
        if manifest is not None:
            work.write_manifest(manifest)
    return first


def avatar_sitter(
    avatar: AnyAvatar, *, size_px: int = 384, model: Path | None = None, device: DeviceChoice = "auto",
    plain: bool = False,
) -> Sitter:  # fmt: skip
    """The person of an avatar, for a camera to go around; `plain`: before grey, not the background."""
    return kind_of(avatar).sitter(avatar, Tools(model, device), size_px, plain=plain)


def orbit(
    avatar: AnyAvatar, output: Path, *, yaw_deg: float = 45.0, seconds: float = 4.0, fps: int = 25,
    size_px: int = 384, model: Path | None = None, device: DeviceChoice = "auto", show_progress: bool = True,
) -> int:  # fmt: skip
    """Write a video of the camera going -yaw, +yaw, -yaw around the head; returns the number of frames.

    Yaw counts from the head's front, whichever way it is turned in the photo.
    """
    sitter = avatar_sitter(avatar, size_px=size_px, model=model, device=device)
    return write_turn(sitter, output, TurnConfig(yaw_deg, seconds, fps), show_progress=show_progress)


def write_sitter_mesh(
    sitter: Sitter, output: Path, config: MeshConfig | None = None, *, picture: Path | None = None
) -> Mesh:
    """`mien mesh`: write a person's surface, and a sheet of the file as it reads back beside the person."""
    mesh = sitter.mesh(config)
    write_mesh(output, mesh)
    if picture is not None:
        write_image(picture, mesh_sheet(sitter, read_mesh(output)))
    return mesh


def write_avatar_sheet(avatar: AnyAvatar, path: Path, *, model: Path | None = None) -> None:
    """Write a picture of an avatar: photo, inversion, depth, expressions, turns."""
    write_image(path, kind_of(avatar).sheet(avatar, Tools(model, "cpu")))


def check_video(output: Path, *inputs: Path, model: Path | None = None) -> None:
    """Refuse, before any work, a video that cannot be written, inputs that do not exist, and what is no
    generator."""
    for path in inputs:
        if not path.exists():
            raise InputError(f"{path} does not exist; give the path of a file that does.")
    check_output(output, suffixes=VIDEO_SUFFIXES, inputs=inputs)
    kind_for(model)


def check_manifest(manifest: Path | None, *others: Path) -> None:
    """Refuse, before any work, a manifest that cannot be written or that is another file of the job."""
    if manifest is not None:
        check_output(manifest, suffixes=(".json",), inputs=others)


def check_mesh(output: Path, *inputs: Path, picture: Path | None = None) -> None:
    """Refuse, before any work, a mesh or its picture that cannot be written and inputs that do not exist."""
    for path in inputs:
        if not path.exists():
            raise InputError(f"{path} does not exist; give the path of a file that does.")
    check_output(output, suffixes=MESH_SUFFIXES, inputs=inputs)
    if picture is not None:
        check_output(picture, suffixes=PICTURE_SUFFIXES, inputs=inputs)


def check_invert(
    photo: Path, output: Path, picture: Path | None = None, *, model: Path | None = None
) -> None:
    """Refuse, before any work, an avatar or its picture that cannot be written, and what is no generator."""
    check_output(output, suffixes=(AVATAR_SUFFIX,), inputs=(photo,))
    if picture is not None:
        check_output(picture, suffixes=PICTURE_SUFFIXES, inputs=(photo,))
    kind_for(model)


def demo(
    folder: Path,
    *,
    photo: Path | None = None,
    device: DeviceChoice = "auto",
    seed: int = 0,
    report: Report | None = None,
) -> Iterator[str]:
    """Photo to avatar, animation and orbit in a folder; yields a line for each file written."""
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "photo.png" if photo is None else photo
    if photo is None:
        from skimage.data import astronaut

        write_image(source, astronaut())
        yield f"{source}: the astronaut Eileen Collins (NASA, public domain)"
    options = AvatarOptions(inversion=InversionConfig(seed=seed))
    avatar = invert_file(source, folder / "face.mien", options, report=report)
    yield f"{folder / 'face.mien'}: avatar"
    write_avatar_sheet(avatar, folder / "sheet.jpg")
    yield f"{folder / 'sheet.jpg'}: photo, inversion, depth, expressions; five yaws with depth and normals"
    motion = asset_path("demo_motion.json")
    driven = animate(avatar, motion, folder / "animation.mp4", AnimateOptions(device=device))
    yield f"{folder / 'animation.mp4'}: {len(driven)} frames of her turning, speaking and blinking"
    count = orbit(avatar, folder / "orbit.mp4", device=device)
    yield f"{folder / 'orbit.mp4'}: {count} frames around the head"


def closeness(avatar: AnyAvatar) -> str:
    """How near an avatar is to its photo, in words."""
    return kind_of(avatar).closeness(avatar)


def describe(avatar: AnyAvatar) -> dict[str, Any]:
    """What `mien info` prints."""
    facts = kind_of(avatar).describe(avatar)
    return facts | {f"provenance: {k}": v for k, v in sorted(avatar.provenance.items())}
