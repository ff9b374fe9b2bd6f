import io
import struct
import zlib
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from jaxtyping import TypeCheckError
from PIL import Image, ImageCms

from mien.core.errors import InputError
from mien.io.images import is_image, read_photo, write_image

HEIGHT, WIDTH = 24, 36


def picture() -> np.ndarray:
    """Red on the left, blue at the bottom right, a ramp of green downwards."""
    rgb = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    rgb[:, : WIDTH // 2, 0] = 200
    rgb[..., 1] = np.linspace(0, 100, HEIGHT).astype(np.uint8)[:, None]
    rgb[HEIGHT // 2 :, WIDTH // 2 :, 2] = 150
    return rgb


def close(a: np.ndarray, b: np.ndarray, tolerance: int = 0) -> bool:
    return a.shape == b.shape and int(np.abs(a.astype(int) - b.astype(int)).max()) <= tolerance


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".bmp", ".tiff", ".webp", ".jpg"])
def test_plain_pictures(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"name{suffix}"
    options = {"lossless": True} if suffix == ".webp" else {"quality": 100, "subsampling": 0}
    Image.fromarray(picture()).save(path, **options)
    photo = read_photo(path)
    assert close(photo.rgb, picture(), 6 if suffix == ".jpg" else 0)
    assert photo.rgb.dtype == np.uint8
    assert photo.alpha is None
    assert photo.name == path.name
    assert photo.sha256 == sha256(path.read_bytes()).hexdigest()
    assert is_image(path)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path: Path, orientation: int) -> None:
    # How an upright picture is stored, for each orientation in the EXIF standard.
    stored = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: a[:, ::-1].swapaxes(0, 1)[:, :],
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
        8: lambda a: a[::-1].swapaxes(0, 1),
    }[orientation](picture())
    if orientation == 6:  # to be turned clockwise for display: stored turned anticlockwise
        stored = np.rot90(picture(), 1)
    if orientation == 8:
        stored = np.rot90(picture(), -1)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "x.png", exif=exif)
    assert close(read_photo(tmp_path / "x.png").rgb, picture())


def test_rgba_keeps_alpha_apart_over_white(tmp_path: Path) -> None:
    alpha = np.linspace(0, 255, WIDTH).astype(np.uint8) * np.ones((HEIGHT, 1), np.uint8)
    Image.fromarray(np.dstack((picture(), alpha))).save(tmp_path / "x.png")
    photo = read_photo(tmp_path / "x.png")
    assert photo.alpha is not None
    assert photo.alpha.dtype == np.float32
    np.testing.assert_allclose(photo.alpha, alpha / 255, atol=1e-6)
    assert (photo.rgb[:, 0] == 255).all()
    assert close(photo.rgb[:, -1], picture()[:, -1])


def test_an_opaque_alpha_is_none(tmp_path: Path) -> None:
    Image.fromarray(picture()).convert("RGBA").save(tmp_path / "x.png")
    assert read_photo(tmp_path / "x.png").alpha is None


def test_grey_and_grey_with_alpha(tmp_path: Path) -> None:
    grey = picture()[..., 1]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    assert close(read_photo(tmp_path / "grey.png").rgb, np.repeat(grey[..., None], 3, axis=2))
    Image.fromarray(np.dstack((grey, grey))).save(tmp_path / "la.png")
    assert read_photo(tmp_path / "la.png").alpha is not None
    Image.fromarray(grey > 50).save(tmp_path / "bits.png")
    assert set(np.unique(read_photo(tmp_path / "bits.png").rgb)) == {0, 255}


def test_cmyk(tmp_path: Path) -> None:
    image = Image.fromarray(picture()).convert("CMYK")
    image.save(tmp_path / "x.tiff")
    assert close(read_photo(tmp_path / "x.tiff").rgb, picture(), 1)
    image.save(tmp_path / "x.jpg", quality=100, subsampling=0)
    assert close(read_photo(tmp_path / "x.jpg").rgb, picture(), 8)


def test_16_bit(tmp_path: Path) -> None:
    deep = np.linspace(0, 65535, HEIGHT * WIDTH).astype(np.uint16).reshape(HEIGHT, WIDTH)
    expected = np.repeat(np.rint(deep / 65535 * 255).astype(np.uint8)[..., None], 3, axis=2)
    for suffix in (".png", ".tiff"):
        Image.fromarray(deep).save(tmp_path / f"x{suffix}")
        assert close(read_photo(tmp_path / f"x{suffix}").rgb, expected)
    (tmp_path / "rgb.png").write_bytes(_png_16_bit_rgb(picture().astype(np.uint16) * 257))
    assert close(read_photo(tmp_path / "rgb.png").rgb, picture())


def test_dark_16_bit_stays_dark_and_float_is_scaled(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 200, dtype=np.uint16)).save(tmp_path / "dark.png")
    assert read_photo(tmp_path / "dark.png").rgb.max() == 1
    Image.fromarray(np.full((4, 4), 0.5, dtype=np.float32)).save(tmp_path / "float.tiff")
    assert read_photo(tmp_path / "float.tiff").rgb[0, 0, 0] == 128


def _png_16_bit_rgb(values: np.ndarray) -> bytes:
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return _png(width, height, zlib.compress(rows), bits=16)


def _png(width: int, height: int, data: bytes, *, bits: int = 8) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_palette_with_and_without_transparency(tmp_path: Path) -> None:
    image = Image.fromarray(picture()).quantize(64)
    image.save(tmp_path / "x.png")
    assert close(read_photo(tmp_path / "x.png").rgb, picture(), 12)
    image.save(tmp_path / "t.png", transparency=image.getpixel((0, 0)))
    photo = read_photo(tmp_path / "t.png")
    assert photo.alpha is not None
    assert photo.alpha[0, 0] == 0
    assert (photo.rgb[0, 0] == 255).all()


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_animated_gives_the_first_frame(tmp_path: Path, suffix: str) -> None:
    first, second = (Image.new("RGB", (8, 8), color) for color in ("red", "blue"))
    options: dict[str, Any] = {"lossless": True} if suffix == ".webp" else {}
    first.save(tmp_path / f"x{suffix}", save_all=True, append_images=[second], **options)
    assert (read_photo(tmp_path / f"x{suffix}").rgb == (255, 0, 0)).all()


def test_embedded_profile_is_applied_and_a_broken_one_ignored(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(picture()).save(tmp_path / "x.png", icc_profile=profile)
    assert close(read_photo(tmp_path / "x.png").rgb, picture(), 1)
    Image.fromarray(picture()).save(tmp_path / "y.png", icc_profile=b"nonsense")
    assert close(read_photo(tmp_path / "y.png").rgb, picture())


def test_one_pixel(tmp_path: Path) -> None:
    write_image(tmp_path / "x.png", np.full((1, 1, 3), 7, np.uint8))
    assert read_photo(tmp_path / "x.png").rgb.tolist() == [[[7, 7, 7]]]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".gif", ".tiff", ".bmp"])
@pytest.mark.parametrize("share", [0.4, 0.9])
def test_truncated(tmp_path: Path, suffix: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, {".jpg": "JPEG"}.get(suffix, suffix[1:].upper()))
    path = tmp_path / f"x{suffix}"
    path.write_bytes(buffer.getvalue()[: int(len(buffer.getvalue()) * share)])
    with pytest.raises(InputError, match=r"is damaged or cut off|is not a picture of a known kind"):
        read_photo(path)


def test_zero_bytes(tmp_path: Path) -> None:
    (tmp_path / "x.png").touch()
    with pytest.raises(InputError, match=r"x\.png is empty \(0 bytes\); expected a photo"):
        read_photo(tmp_path / "x.png")
    assert not is_image(tmp_path / "x.png")


@pytest.mark.parametrize("content", [b"just some text\n" * 20, b"%PDF-1.4 ...", b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_another_kind_of_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(InputError, match="is not a picture of a known kind; expected a photo such as JPEG"):
        read_photo(tmp_path / "x.png")
    assert not is_image(tmp_path / "x.png")


def test_heic_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    with pytest.raises(InputError, match="is a HEIC photo, which cannot be read here; save it as JPEG"):
        read_photo(tmp_path / "x.jpg")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be opened \(No such file or directory\); check the path"):
        read_photo(tmp_path / "gone.png")
    with pytest.raises(InputError, match="is a folder; expected a photo"):
        read_photo(tmp_path)
    assert not is_image(tmp_path)
    assert not is_image(tmp_path / "gone.png")


@pytest.mark.parametrize(("side", "words"), [(9000, "9000 x 9000 pixels"), (40000, "declares far too many")])
def test_decompression_bomb(tmp_path: Path, side: int, words: str) -> None:
    (tmp_path / "x.png").write_bytes(_png(side, side, zlib.compress(bytes(1000))))
    with pytest.raises(InputError, match=f"{words}.*expected at most 50 megapixels"):
        read_photo(tmp_path / "x.png")


def test_the_limit_is_the_callers(tmp_path: Path) -> None:
    write_image(tmp_path / "x.png", picture())
    with pytest.raises(InputError, match=r"expected at most 0\.0001 megapixels. Scale it down"):
        read_photo(tmp_path / "x.png", max_megapixels=1e-4)


shapes = st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(rgb=shapes.flatmap(lambda shape: arrays(np.uint8, shape)))
def test_png_round_trip(tmp_path: Path, rgb: np.ndarray) -> None:
    write_image(tmp_path / "x.png", rgb)
    assert close(read_photo(tmp_path / "x.png").rgb, rgb)


def test_alpha_round_trip(tmp_path: Path) -> None:
    alpha = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    write_image(tmp_path / "x.png", np.zeros((16, 16, 3), np.uint8), alpha=alpha)
    read = read_photo(tmp_path / "x.png").alpha
    assert read is not None
    np.testing.assert_allclose(read, alpha, atol=1e-6)


@pytest.mark.parametrize("name", ["x.gif", "x", "x.mp4"])
def test_unknown_suffix_leaves_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"expected one of \.png, \.jpg"):
        write_image(tmp_path / name, picture())
    assert list(tmp_path.iterdir()) == []


def test_jpeg_has_no_alpha(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="that keeps transparency"):
        write_image(tmp_path / "x.jpg", picture(), alpha=np.ones((HEIGHT, WIDTH), np.float32))


def test_a_wrong_shape_or_type_raises(tmp_path: Path) -> None:
    for wrong in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)):
        with pytest.raises(TypeCheckError):
            write_image(tmp_path / "x.png", wrong)
