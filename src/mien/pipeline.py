"""The whole story on one page: photo -> avatar; driver -> motion; avatar x motion -> video."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from mien import __version__
from mien.animation.calibrate import calibrated_motion, measure_response
from mien.animation.drive import (
    crop_canvas,
    make_puppet,
    photo_canvas,
)
from mien.animation.feedback import correct_pose
from mien.animation.frames import driven_frames, job_key
from mien.animation.motion import Motion
from mien.animation.plate import make_plates
from mien.animation.response import ExpressionResponse
from mien.animation.retarget import DrivenMotion, Retargeting
from mien.animation.sheet import avatar_sheet
from mien.animation.smoothing import Smoothing, smooth_motion
from mien.animation.track import read_driver
from mien.animation.turntable import AvatarSitter, TurnConfig, mesh_sheet, write_turn
from mien.core.arkit import ARKIT_NAMES
from mien.core.assets import asset_path, sha256_of_file
from mien.core.atomic import check_output
from mien.core.device import DeviceChoice, resolve_device
from mien.core.errors import InputError
from mien.core.progress import progress
from mien.generator.loading import require_base
from mien.generator.model import Generator, load_generator
from mien.generator.samples import PAPER
from mien.generator.view import MeshConfig, Sitter
from mien.inversion.avatar import Avatar, frame_size, load_avatar, save_avatar
from mien.inversion.evidence import gather_evidence
from mien.inversion.invert import InversionConfig, Report, invert
from mien.io.frames import FrameStore
from mien.io.images import PICTURE_SUFFIXES, Photo, read_photo, write_image
from mien.io.mesh import MESH_SUFFIXES, Mesh, read_mesh, write_mesh
from mien.io.video import VideoWriter, is_video
from mien.morphable.crop import CropRegion
from mien.morphable.fit import fit_face
from mien.morphable.model import load_head_model
from mien.tracking.faces import choose_face, find_faces
from mien.tracking.headbox import head_box, part_of_photo
from mien.tracking.matting import foreground_alpha

ABOUT_PHOTOS = "Inverting or animating a photo"
WORKING_PX = 512
AVATAR_SUFFIX = ".mien"
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv")


@dataclass(frozen=True)
class AvatarOptions:
    """How a photo becomes an avatar."""

    face: str = "largest"
    """largest, left, right or an index."""
    size_px: int = WORKING_PX
    """Longest side of the working picture; photos are shrunk to it, never enlarged."""
    head_only: bool = False
    """Work on the surroundings of the head only: a small face in a large photo keeps more of its detail."""
    model: Path | None = None
    """A generator file; the bundled mien-base if None."""
    inversion: InversionConfig = field(default_factory=InversionConfig)
    probes: int = 72
    """Expressions rendered and tracked to learn the avatar's response."""


@dataclass(frozen=True)
class AnimateOptions:
    """How an avatar is driven."""

    retargeting: Retargeting = field(default_factory=Retargeting)
    smoothing: Smoothing = field(default_factory=Smoothing)
    crop_px: int | None = None
    """Side of the aligned head crop to draw instead of the photo's framing."""
    calibrated: bool = True
    """Send what makes a tracker measure the driver's coefficients and pose on the avatar."""
    driver_face: str = "largest"
    device: DeviceChoice = "auto"


def create_avatar(
    photo: Photo, options: AvatarOptions | None = None, *, report: Report = lambda stage, share: None
) -> Avatar:
    """Find the face, fit the head, cut the person out, invert. Raises NoFaceError or InputError."""
    options = options or AvatarOptions()
    report("face", 0.0)
    faces = find_faces(photo.rgb)
    full_face = choose_face(faces, options.face)
    if options.head_only and max(photo.rgb.shape[:2]) > options.size_px:
        photo = part_of_photo(photo, head_box(full_face, photo.rgb.shape))
        faces = find_faces(photo.rgb)
        full_face = choose_face(faces, "largest")
    scale = min(1.0, options.size_px / max(photo.rgb.shape[:2]))
    rgb = _resized(photo.rgb, scale)
    chosen = full_face if scale == 1.0 else full_face.scaled(scale)
    others = [f if scale == 1.0 else f.scaled(scale) for f in faces if f is not full_face]
    model, generator = load_head_model(), _base(options.model, "cpu")
    fit = fit_face(chosen, (rgb.shape[1], rgb.shape[0]), model=model)
    alpha = foreground_alpha(rgb, chosen, others=others)
    if photo.alpha is not None:  # what the file says is transparent is not the person
        own = Image.fromarray(photo.alpha).resize((rgb.shape[1], rgb.shape[0]), Image.Resampling.BILINEAR)
        alpha = np.minimum(alpha, np.asarray(own, np.float32))
    evidence = gather_evidence(rgb, alpha, fit, model)
    inversion = invert(
        evidence,
        fit,
        generator,
        model,
        config=options.inversion,
        report=lambda s, x: report(s, 0.05 + 0.5 * x),
    )
    report("background", 0.6)
    plate, background = make_plates(rgb, alpha, fit, inversion, generator, model)
    pictures = [torch.from_numpy(np.array(p)) for p in (rgb, plate, background)]
    identity = ExpressionResponse.identity()
    avatar = Avatar(
        inversion=inversion,
        fit=fit,
        photo=pictures[0],
        alpha=torch.from_numpy((alpha * 255 + 0.5).astype(np.uint8)),
        plate=pictures[1],
        background=pictures[2],
        response_values=torch.from_numpy(identity.values),
        response_crosstalk=torch.from_numpy(identity.crosstalk),
        provenance=_provenance(photo, options, rgb.shape[:2]),
    )
    report("calibrating", 0.7)
    response = measure_response(make_puppet(avatar, generator, model), probes=options.probes)
    report("done", 1.0)
    return replace(
        avatar,
        response_values=torch.from_numpy(response.values),
        response_crosstalk=torch.from_numpy(response.crosstalk),
    )


def invert_file(
    photo: Path, output: Path, options: AvatarOptions | None = None, *, report: Report | None = None
) -> Avatar:
    """`mien invert`: photo file to avatar file."""
    avatar = create_avatar(read_photo(photo), options, report=report or (lambda stage, share: None))
    save_avatar(output, avatar)
    return avatar


def read_source(source: Path) -> Avatar | Photo:
    """An avatar file, or a photo, still to be inverted (`to_avatar`). InputError or CheckpointError."""
    return load_avatar(source) if source.suffix.lower() == AVATAR_SUFFIX else read_photo(source)


def to_avatar(
    source: Avatar | Photo, options: AvatarOptions | None = None, *, report: Report | None = None
) -> Avatar:
    """The avatar itself, or the photo's."""
    if isinstance(source, Avatar):
        return source
    return create_avatar(source, options, report=report or (lambda stage, share: None))


def open_avatar(
    source: Path, options: AvatarOptions | None = None, *, report: Report | None = None
) -> Avatar:
    """An avatar file, or a photo that is inverted now."""
    return to_avatar(read_source(source), options, report=report)


def animate(
    avatar: Avatar, driver: Path | Motion, output: Path, options: AnimateOptions | None = None,
    *, sound: Path | None = None, model: Path | None = None, show_progress: bool = True,
) -> DrivenMotion:  # fmt: skip
    """Write a video of the avatar moving like the driver, at its frame rate and with its sound.

    Killed, the same call goes on with the frames that were done (kept beside the output) to the same bytes.
    `sound` is a file to take the sound from where the driver is a motion that was tracked before.
    """
    options = options or AnimateOptions()
    motion = read_driver(driver, face=options.driver_face, show_progress=show_progress)
    driven = drive_avatar(avatar, smooth_motion(motion, options.smoothing), options)
    puppet = make_puppet(avatar, _generator_of(avatar, model, options.device))
    canvas = photo_canvas(avatar) if options.crop_px is None else crop_canvas(avatar, options.crop_px)
    sound = driver if isinstance(driver, Path) else sound
    audio = sound if sound is not None and is_video(sound) else None
    if options.calibrated and options.retargeting.use_pose and options.retargeting.pose_mode == "relative":
        driven = correct_pose(driven, partial(driven_frames, puppet, canvas))
    check_output(output, suffixes=VIDEO_SUFFIXES)
    store = FrameStore(output, job_key(avatar, driven, canvas))
    todo = driven_frames(puppet, canvas, driven, range(store.count, len(driven)))
    frames: Iterable[np.ndarray] = chain(store.kept(), store.keep(todo))
    if show_progress:
        frames = progress(frames, desc="rendering", total=len(driven))
    height, width = _even(canvas.plate.shape[:2])
    try:
        with VideoWriter(output, driven.fps, width, height, audio_from=audio) as writer:
            for time_s, frame in zip(driven.time_s, frames, strict=True):
                writer.write(frame[:height, :width], time_s=float(time_s))
    except Exception:
        store.remove()  # only a killed job is gone on with
        raise
    store.remove()
    return driven


def drive_avatar(avatar: Avatar, motion: Motion, options: AnimateOptions | None = None) -> DrivenMotion:
    """What to send to an avatar so that it shows the motion."""
    options = options or AnimateOptions()
    R_source = avatar.fit.R_camera_head.numpy()
    response = None
    if options.calibrated:
        response = ExpressionResponse(avatar.response_values.numpy(), avatar.response_crosstalk.numpy())
    return calibrated_motion(
        motion,
        response,
        R_camera_head_source=R_source,
        expression_source=avatar.fit.expression.numpy(),
        options=options.retargeting,
    )


def avatar_sitter(
    avatar: Avatar, *, size_px: int = 384, model: Path | None = None, device: DeviceChoice = "auto",
    plain: bool = False,
) -> AvatarSitter:  # fmt: skip
    """The person of an avatar, for a camera to go around; `plain`: before grey, not the background."""
    puppet = make_puppet(avatar, _generator_of(avatar, model, device))
    canvas = crop_canvas(avatar, size_px, person=False)
    if plain:
        canvas = replace(canvas, plate=torch.full_like(canvas.plate, PAPER))
    return AvatarSitter(puppet, canvas)


def orbit(
    avatar: Avatar, output: Path, *, yaw_deg: float = 45.0, seconds: float = 4.0, fps: int = 25,
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


def write_avatar_sheet(avatar: Avatar, path: Path, *, model: Path | None = None) -> None:
    """Write the picture `avatar_sheet` of an avatar."""
    puppet = make_puppet(avatar, _generator_of(avatar, model, "cpu"))
    write_image(path, avatar_sheet(puppet))


def check_video(output: Path, *inputs: Path, model: Path | None = None) -> None:
    """Refuse, before any work, a video that cannot be written, inputs that do not exist, and a generator in
    which there are no avatars yet."""
    for path in inputs:
        if not path.exists():
            raise InputError(f"{path} does not exist; give the path of a file that does.")
    check_output(output, suffixes=VIDEO_SUFFIXES, inputs=inputs)
    require_base(model, ABOUT_PHOTOS)


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
    """Refuse, before any work, an avatar or its picture that cannot be written, and an unfit generator."""
    check_output(output, suffixes=(AVATAR_SUFFIX,), inputs=(photo,))
    if picture is not None:
        check_output(picture, suffixes=PICTURE_SUFFIXES, inputs=(photo,))
    require_base(model, ABOUT_PHOTOS)


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
    yield f"{folder / 'sheet.jpg'}: photo, inversion, depth, neutral, speaking; yaw -45 to 45 degrees"
    motion = asset_path("demo_motion.json")
    driven = animate(avatar, motion, folder / "animation.mp4", AnimateOptions(device=device))
    yield f"{folder / 'animation.mp4'}: {len(driven)} frames of her turning, speaking and blinking"
    count = orbit(avatar, folder / "orbit.mp4", device=device)
    yield f"{folder / 'orbit.mp4'}: {count} frames around the head"


def describe(avatar: Avatar) -> dict[str, Any]:
    """What `mien info` prints."""
    fit = avatar.fit
    strong = sorted(zip(fit.expression.tolist(), ARKIT_NAMES, strict=True), reverse=True)[:5]
    return {
        "working size": "{1} x {0} px".format(*frame_size(avatar)),
        "aligned crop": f"{fit.crop.side_px:.0f} px around {_point(fit.crop)}",
        "fit residual": f"{100 * fit.residual:.2f} % of the face's size",
        "strongest expressions": ", ".join(f"{n} {v:.2f}" for v, n in strong),
        "latent": f"|w| = {float(avatar.inversion.w.norm()):.2f}, {len(avatar.inversion.w)} dimensions",
        **{f"provenance: {k}": v for k, v in sorted(avatar.provenance.items())},
    }


def _generator_of(avatar: Avatar, model: Path | None, device: DeviceChoice) -> Generator:
    """The generator in which the avatar was made; in another one its numbers mean another person."""
    generator = _base(model, device)
    made, given = avatar.provenance.get("generator_sha256"), _generator_sha256(model)
    if made != given:
        raise InputError(
            f"The avatar of {avatar.provenance.get('photo')} was made with generator {str(made)[:12]}, but "
            f"{given[:12]} is used; give the same one with --model, or invert the photo again."
        )
    return generator


def _base(model: Path | None, device: DeviceChoice) -> Generator:
    require_base(model, ABOUT_PHOTOS)
    return load_generator(model, device=resolve_device(device))


def _generator_sha256(model: Path | None) -> str:
    return sha256_of_file(asset_path("mien-base.safetensors") if model is None else model)


def _point(crop: CropRegion) -> str:
    return f"({crop.centre_x_px:.0f}, {crop.centre_y_px:.0f})"


def _provenance(photo: Photo, options: AvatarOptions, size: tuple[int, int]) -> dict[str, Any]:
    return {
        "photo": photo.name,
        "photo_sha256": photo.sha256,
        "face": options.face,
        "head_only": options.head_only,
        "working_height_px": size[0],
        "working_width_px": size[1],
        "seed": options.inversion.seed,
        "generator_sha256": _generator_sha256(options.model),
        "mien": __version__,
    }


def _resized(rgb: np.ndarray, scale: float) -> np.ndarray:
    if scale == 1.0:
        return rgb
    size = (max(round(rgb.shape[1] * scale), 1), max(round(rgb.shape[0] * scale), 1))
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS))


def _even(shape: tuple[int, ...] | torch.Size) -> tuple[int, int]:
    return int(shape[0]) // 2 * 2, int(shape[1]) // 2 * 2
