"""A head in the whole photo: where it lies, what stays exactly, how seams and times come about."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from mien.animation.drive import head_motion, photo_canvas, render_moving
from mien.animation.kinds import kind_of, read_avatar
from mien.animation.kinds.base import BaseStage
from mien.animation.kinds.interface import Tools
from mien.animation.layer import Layer
from mien.animation.paste.cast import Role, photo_scene
from mien.animation.paste.place import Placed, place_in_photo
from mien.animation.paste.plate import photo_plate, removed_head
from mien.animation.paste.scene import lay_over
from mien.animation.paste.seam import LARGEST, Toning, toning
from mien.animation.resample import resampled
from mien.animation.retarget import DrivenMotion, Retargeting
from mien.animation.sliders import motion_from_sliders
from mien.core.errors import InputError
from mien.inversion.avatar import Avatar
from mien.io.images import Photo, read_photo
from mien.tracking.faces import find_faces


def ramp(height: int, width: int, corner: tuple[int, int] = (0, 0)) -> Layer:
    """Colours and cover that rise linearly; linear pictures survive any enlargement."""
    y, x = np.mgrid[:height, :width] + 0.5
    cover = (0.2 + 0.5 * x / width).astype(np.float32)
    rgb = np.stack([cover * t for t in (0.2, 0.5, y / height)], -1).astype(np.float32)
    return Layer(corner, rgb, cover)


def test_without_enlargement_a_layer_only_moves() -> None:
    layer = ramp(6, 8, (2, -3))
    moved = Placed((10, 20, 50, 40), (20, 40)).in_photo(layer)
    assert moved.corner_px == (12, 17)
    np.testing.assert_array_equal(moved.rgb, layer.rgb)


@pytest.mark.parametrize("ratio", [2.0, 1.7, 3.25])
def test_an_enlarged_layer_lies_where_it_was(ratio: float) -> None:
    """A layer pixel's centre is found at its place in the photo, with its value."""
    layer = ramp(12, 16, (3, 5))
    placed = Placed((7, 11, 7 + round(40 * ratio), 11 + round(20 * ratio)), (20, 40))
    large = placed.in_photo(layer)
    ratio_x, ratio_y = placed.enlargement
    assert large.corner_px[0] <= 7 + 3 * ratio_x < large.corner_px[0] + 1
    for row, column in ((5, 4), (6, 11)):
        x = 7 + (3 + column + 0.5) * ratio_x - large.corner_px[0] - 0.5
        y = 11 + (5 + row + 0.5) * ratio_y - large.corner_px[1] - 0.5
        x0, y0 = int(x), int(y)
        weights = np.outer([1 - (y - y0), y - y0], [1 - (x - x0), x - x0])
        found = (large.cover[y0 : y0 + 2, x0 : x0 + 2] * weights).sum()
        assert found == pytest.approx(float(layer.cover[row, column]), abs=0.01)
    assert (large.rgb <= large.cover[..., None] + 1e-6).all()


def test_a_layer_hides_what_it_covers_and_nothing_else() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    for corner in ((-4, -3), (25, 15), (40, 0), (5, 5)):
        found, layer = picture.copy(), ramp(10, 12, corner)
        lay_over(found, layer)
        expected = picture.astype(np.float64)
        for row in range(10):
            for column in range(12):
                y, x = corner[1] + row, corner[0] + column
                if 0 <= y < 20 and 0 <= x < 30:
                    under = (1 - layer.cover[row, column]) * expected[y, x]
                    expected[y, x] = np.floor(255 * layer.rgb[row, column] + under + 0.5)
        assert np.abs(found - expected).max() <= 1
        outside = np.ones((20, 30), bool)
        outside[max(corner[1], 0) : corner[1] + 10, max(corner[0], 0) : corner[0] + 12] = False
        np.testing.assert_array_equal(found[outside], picture[outside])


def test_colours_are_matched_along_the_seam_only() -> None:
    """A constant shift is found, whatever is drawn where the head hides all, and never more than a limit."""
    layer = ramp(30, 40)
    drawn = layer.rgb / layer.cover[..., None]
    photo = np.round(255 * (drawn + np.array([0.02, -0.01, 0.0]))).clip(0, 255).astype(np.uint8)
    body = np.ones((30, 40), np.float32)
    assert toning(layer, photo, body).rgb == pytest.approx((0.02, -0.01, 0.0), abs=0.003)
    assert toning(layer, photo, 0 * body) == Toning()
    full = Layer((0, 0), layer.rgb, np.ones_like(layer.cover))
    assert toning(full, photo, body) == Toning()
    assert max(toning(layer, np.full_like(photo, 255), body).rgb) == pytest.approx(LARGEST)
    bright = Toning((0.5, 0.5, 0.5)).applied(layer)
    assert (bright.rgb <= layer.cover[..., None]).all()


def test_a_motion_at_other_times() -> None:
    motion = motion_from_sliders(
        {"fps": 10, "keyframes": [{"time_s": 0}, {"time_s": 1, "jawOpen": 0.8, "yaw_deg": 20}]}
    )
    assert resampled(motion, motion.time_s, motion.fps) is motion
    time_s = np.arange(60) / 30
    new = resampled(motion, time_s, Fraction(30))
    assert (len(new), new.fps) == (60, Fraction(30))
    jaw = motion.coefficients.max(0).argmax()
    np.testing.assert_allclose(
        new.coefficients[:, jaw], np.interp(time_s, motion.time_s, motion.coefficients[:, jaw]), atol=1e-6
    )
    assert (new.R_camera_head[40:] == new.R_camera_head[40]).all()
    np.testing.assert_allclose(new.R_camera_head[-1], motion.R_camera_head[-1], atol=1e-6)


@pytest.fixture(scope="module")
def photo(portrait_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Photo:
    """The portrait three times as large, inside a larger picture of noise."""
    portrait = Image.open(portrait_file).resize((768, 768), Image.Resampling.BICUBIC)
    picture = np.random.default_rng(0).integers(0, 256, (800, 900, 3), dtype=np.uint8)
    picture[20:788, 100:868] = np.asarray(portrait)
    path = tmp_path_factory.mktemp("photo") / "large.png"
    Image.fromarray(picture).save(path)
    return read_photo(path)


@pytest.fixture(scope="module")
def avatar(avatar_file: Path, photo: Photo) -> Avatar:
    """Hers, as if it was made of the part of the photo."""
    found = read_avatar(avatar_file)
    assert isinstance(found, Avatar)
    place = {"photo_sha256": photo.sha256, "photo_box_px": [100, 20, 868, 788], "head_only": True}
    return replace(found, provenance=found.provenance | place)


@pytest.fixture(scope="module")
def stage(avatar: Avatar) -> BaseStage:
    found = kind_of(avatar).stage(avatar, Tools(), None)
    assert isinstance(found, BaseStage)
    return found


def driven(avatar: Avatar, stage: BaseStage) -> DrivenMotion:
    """Still, then a turn."""
    motion = motion_from_sliders({"fps": 2, "keyframes": [{"time_s": 0}, {"time_s": 1.0, "yaw_deg": 30}]})
    how = Retargeting(use_expression=False)
    return stage.drive(motion, how, calibrated=False)


def test_the_room_stays_exactly_the_photos(photo: Photo, avatar: Avatar, stage: BaseStage) -> None:
    """Outside of what was taken out and of what is drawn now every pixel is the photo's."""
    scene = photo_scene(photo, [Role(avatar, stage, driven(avatar, stage))])
    assert scene.shape == photo.rgb.shape[:2]
    removed = np.zeros(scene.shape, bool)
    large = Image.fromarray(removed_head(avatar)).resize((768, 768), Image.Resampling.BILINEAR)
    removed[20:788, 100:868] = np.asarray(large) > 0
    np.testing.assert_array_equal(scene.plate[~removed], photo.rgb[~removed])
    assert (scene.plate[removed] != photo.rgb[removed]).any(-1).mean() > 0.7
    frames = list(scene.frames([0, 1]))
    for frame, layer in zip(frames, scene.actors[0].layers([0, 1]), strict=True):
        assert layer is not None
        drawn = np.zeros(scene.shape, bool)
        (x, y), (height, width) = layer.corner_px, layer.cover.shape
        drawn[max(y, 0) : y + height, max(x, 0) : x + width] = True
        still = ~removed & ~drawn
        assert still.mean() > 0.25
        np.testing.assert_array_equal(frame[still], photo.rgb[still])
    assert (frames[0] != frames[1]).any()
    inside = frames[0][20:788, 100:868].astype(float)
    assert np.abs(inside - photo.rgb[20:788, 100:868]).mean() < 6  # at rest it is her


def test_at_its_own_size_it_is_the_usual_picture(
    avatar_file: Path, portrait_file: Path, stage: BaseStage, avatar: Avatar
) -> None:
    """Nothing is resized where the working picture is the photo: where the head hides the plate, pixels are
    those of `render_moving` but for rounding."""
    small, own = read_avatar(avatar_file), read_photo(portrait_file)
    assert isinstance(small, Avatar)
    sent = driven(avatar, stage)
    scene = photo_scene(own, [Role(small, stage, sent)])
    (frame,), (layer,) = list(scene.frames([1])), list(scene.actors[0].layers([1]))
    assert layer is not None
    assert scene.actors[0].placed.enlargement == (1.0, 1.0)
    R, shift, expression = (
        torch.from_numpy(t[1]) for t in (sent.R_camera_head, sent.translation_offset, sent.expression)
    )
    with torch.no_grad():
        usual = render_moving(
            stage.puppet, photo_canvas(small), expression, head_motion(stage.puppet, R, shift)
        )
    hidden = np.zeros(scene.shape, bool)
    (x, y), (height, width) = layer.corner_px, layer.cover.shape
    part = (slice(max(y, 0), min(y + height, 256)), slice(max(x, 0), min(x + width, 256)))
    hidden[part] = (
        layer.cover[part[0].start - y : part[0].stop - y, part[1].start - x : part[1].stop - x] > 0.999
    )
    assert hidden.sum() > 2000
    tone = 255 * max(map(abs, scene.actors[0].toning.rgb))
    assert np.abs(frame[hidden].astype(int) - usual[hidden]).max() <= 2 + tone


def test_two_heads_go_out_of_one_plate(photo: Photo, avatar: Avatar) -> None:
    """Each is taken out of its own part; the parts' order does not matter where they do not touch."""
    half = np.concatenate([photo.rgb[20:788, 100:868]] * 2, 1)
    places = [Placed((0, 0, 768, 768), (256, 256)), Placed((768, 0, 1536, 768), (256, 256))]
    nobody = np.zeros(half.shape[:2], np.float32)
    plate = photo_plate(half, [(avatar, place) for place in places], nobody)
    np.testing.assert_array_equal(plate[:, :768], plate[:, 768:])
    np.testing.assert_array_equal(plate, photo_plate(half, [(avatar, p) for p in places[::-1]], nobody))


def test_avatars_of_other_photos_are_refused(photo: Photo, avatar: Avatar) -> None:
    with pytest.raises(InputError, match="is not the photo of the avatar"):
        place_in_photo(avatar, replace(photo, sha256="0" * 64))
    for box in (None, [0, 0, 10], [0, 0, 9000, 10], ["a"] * 4):
        old = replace(avatar, provenance=avatar.provenance | {"photo_box_px": box})
        with pytest.raises(InputError, match="does not say where"):
            place_in_photo(old, photo)
    whole = {"photo_box_px": None, "head_only": False}
    old = replace(avatar, provenance=avatar.provenance | whole)
    assert place_in_photo(old, photo).box_px == (0, 0, 900, 800)


@pytest.fixture(scope="module")
def pair(portrait_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Photo:
    """The portrait on the left, and two thirds as large close beside it."""
    portrait = Image.open(portrait_file).convert("RGB")
    picture = Image.new("RGB", (952, 768), (128, 140, 150))
    picture.paste(portrait.resize((768, 768), Image.Resampling.BICUBIC), (0, 0))
    picture.paste(portrait.resize((512, 512), Image.Resampling.BICUBIC), (440, 130))
    path = tmp_path_factory.mktemp("pair") / "pair.png"
    picture.save(path)
    return read_photo(path)


@pytest.mark.parametrize(("box", "hides"), [((440, 130, 952, 642), True), ((0, 0, 768, 768), False)])
def test_larger_faces_that_do_not_play_hide_heads_behind_them(
    pair: Photo, avatar_file: Path, stage: BaseStage, box: tuple[int, ...], *, hides: bool
) -> None:
    """The small head comes to the left, behind the large one; the large one comes before the small one."""
    hers = read_avatar(avatar_file)
    assert isinstance(hers, Avatar)
    place = {"photo_sha256": pair.sha256, "photo_box_px": list(box), "head_only": True}
    hers = replace(hers, provenance=hers.provenance | place)
    sent = driven(hers, stage)
    sideways = np.array([[0, 0, 0], [-0.9 if hides else 0.6, 0, 0]], np.float32)
    scene = photo_scene(pair, [Role(hers, stage, replace(sent, translation_offset=sideways))])
    faces = sorted(find_faces(pair.rgb), key=lambda face: face.size_px)
    assert len(faces) == 2
    other = faces[1] if hides else faces[0]
    assert len(scene.bystanders) == hides
    frame = next(iter(scene.frames([1])))
    hull = np.zeros(scene.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(np.round(other.landmarks_px).astype(np.int32)), 1)
    drawn = next(iter(scene.actors[0].layers([1])))
    assert drawn is not None
    onto = np.zeros((*scene.shape, 3), np.uint8)
    lay_over(onto, replace(drawn, rgb=np.repeat(drawn.cover[..., None], 3, -1)))
    over = (onto[..., 0] > 200) & (hull > 0)
    assert over.sum() > 500  # the head's layer reaches that face
    changed = np.abs(frame.astype(int) - pair.rgb).max(-1)[over]
    assert (np.quantile(changed, 0.98) <= 3) if hides else (np.median(changed) > 8)
