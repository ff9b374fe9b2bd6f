"""Photos in, pictures out. Whatever the file holds, mien sees upright 8-bit RGB in sRGB."""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image, ImageCms, ImageOps

from mien.core.assets import sha256_of_file
from mien.core.atomic import atomic_path
from mien.core.errors import InputError

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "PPM", "JPEG2000")
"""What Pillow may open. Others are refused; some of them, such as EPS, start further programs."""
MAX_MEGAPIXELS = 50.0

_DECODING_ERRORS = (
    OSError,
    SyntaxError,  # Pillow's word for a broken PNG
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    OverflowError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow is known to raise for damaged files."""

_WRITERS: dict[str, dict[str, object]] = {
    ".png": {"format": "PNG", "compress_level": 6},
    ".jpg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".jpeg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".webp": {"format": "WEBP", "quality": 95},
}

PICTURE_SUFFIXES = tuple(_WRITERS)
"""Of the pictures that `write_image` writes."""


@dataclass(frozen=True, eq=False)
class Photo:
    """One photo, upright, ready for tracking."""

    rgb: UInt8[np.ndarray, "height width 3"]
    """sRGB. Where the file has transparency, composited over white."""
    alpha: Float32[np.ndarray, "height width"] | None
    """The file's own transparency in [0, 1]; None if it has none or is opaque everywhere."""
    name: str
    """The file's name without its folder."""
    sha256: str
    """Hash of the file's bytes, lower-case hexadecimal."""


def read_photo(path: str | Path, *, max_megapixels: float = MAX_MEGAPIXELS) -> Photo:
    """Read any usual photo: turned by EXIF, transparent, grey, CMYK, palette, 16-bit, animated (first frame).

    Raises InputError if the file is missing, empty, damaged, not a picture, or larger than `max_megapixels`.
    """
    path = Path(path)
    _check_file(path)
    try:
        with _opened(path) as image:
            _check_size(path, image.size, max_megapixels)
            image.load()
            upright = ImageOps.exif_transpose(image)
            rgba = _to_8_bit(upright)
    except _DECODING_ERRORS as error:
        raise InputError(_why_unreadable(path, error)) from error
    rgb, alpha = _split_alpha(rgba)
    return Photo(rgb=rgb, alpha=alpha, name=path.name, sha256=sha256_of_file(path))


def is_image(path: str | Path) -> bool:
    """Whether the file's first bytes are those of a picture that `read_photo` knows; False if unreadable."""
    try:
        with _opened(Path(path)):
            return True
    except Image.DecompressionBombError:
        return True
    except _DECODING_ERRORS:
        return False


def write_image(
    path: str | Path,
    rgb: UInt8[np.ndarray, "height width 3"],
    *,
    alpha: Float32[np.ndarray, "height width"] | None = None,
) -> None:
    """Write a PNG, JPEG or WebP by the path's suffix, whole or not at all. `alpha` in [0, 1] not for JPEG.

    Raises InputError for another suffix, or if the place cannot be written to.
    """
    path = Path(path)
    options = _WRITERS.get(path.suffix.lower())
    if options is None or (alpha is not None and options["format"] == "JPEG"):
        raise InputError(
            f"{path} has the suffix {path.suffix!r}; expected one of {', '.join(_WRITERS)}"
            f"{' that keeps transparency' if alpha is not None else ''}. Choose another output name."
        )
    pixels = rgb if alpha is None else np.dstack((rgb, np.rint(alpha * 255).clip(0, 255).astype(np.uint8)))
    with atomic_path(path) as temporary:
        try:
            Image.fromarray(np.ascontiguousarray(pixels)).save(temporary, **options)  # type: ignore[arg-type]
        except OSError as error:
            raise InputError(f"{path} cannot be written ({error}); choose another output path.") from error


def _opened(path: Path) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about size (checked by us) and odd metadata
        return Image.open(path, formats=FORMATS)


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected a photo. Give the path of one picture.")
    try:
        size = path.stat().st_size
    except OSError as error:
        raise InputError(f"{path} cannot be opened ({error.strerror}); check the path.") from error
    if size == 0:
        raise InputError(f"{path} is empty (0 bytes); expected a photo. Copy or download it again.")


def _check_size(path: Path, size: tuple[int, int], max_megapixels: float) -> None:
    width, height = size
    if width * height > max_megapixels * 1e6:
        raise InputError(
            f"{path} has {width} x {height} pixels ({width * height / 1e6:.0f} megapixels); expected at most "
            f"{max_megapixels:g} megapixels. Scale it down first."
        )


def _why_unreadable(path: Path, error: BaseException) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return (
            f"{path} declares far too many pixels; expected at most {MAX_MEGAPIXELS:g} megapixels. "
            "Scale it down first."
        )
    if isinstance(error, PermissionError):
        return f"{path} cannot be opened ({error.strerror}); check its permissions."
    if is_image(path):
        return f"{path} is damaged or cut off ({error}); expected a whole picture. Copy or download it again."
    with path.open("rb") as file:
        start = file.read(16)
    if start[4:8] == b"ftyp" and start[8:12] in (b"heic", b"heix", b"heif", b"mif1"):
        return f"{path} is a HEIC photo, which cannot be read here; save it as JPEG or PNG first."
    return f"{path} is not a picture of a known kind; expected a photo such as JPEG, PNG or WebP."


def _to_8_bit(image: Image.Image) -> Image.Image:
    """RGB or RGBA with 8 bits, in sRGB."""
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_scale_to_8_bit(np.asarray(image))).convert("RGB")
    image_has_alpha = image.has_transparency_data
    converted = _to_srgb(image)
    return converted.convert("RGBA" if image_has_alpha else "RGB")


def _scale_to_8_bit(values: np.ndarray) -> np.ndarray:
    """Grey values of more than 8 bits. The white level is the file's own type's, or the next usual one."""
    top = float(np.nanmax(values, initial=0.0))
    whites: tuple[float, ...] = (1.0, 255.0, 65535.0) if values.dtype.kind == "f" else (255.0, 65535.0)
    if values.dtype == np.uint16:
        whites = (65535.0,)
    white = next((level for level in whites if top <= level), top)
    return np.rint(np.nan_to_num(values) / white * 255).clip(0, 255).astype(np.uint8)


def _to_srgb(image: Image.Image) -> Image.Image:
    """Apply the embedded colour profile, if there is a sound one (wide-gamut phones, CMYK)."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "CMYK", "L"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return image  # a broken profile: the picture is still good without it
    return image if converted is None else converted


def _split_alpha(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    if image.mode != "RGBA":
        return np.array(image), None
    pixels = np.asarray(image)
    alpha = pixels[..., 3].astype(np.float32) / 255
    if (alpha == 1).all():
        return pixels[..., :3].copy(), None
    over_white = pixels[..., :3] * alpha[..., None] + 255 * (1 - alpha[..., None])
    return np.rint(over_white).astype(np.uint8), alpha
