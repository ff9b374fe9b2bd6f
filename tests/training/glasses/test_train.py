"""Strips of heads with glasses, examples made of them, and that training learns and is repeatable."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mien.core.errors import InputError
from mien.morphable.eyecrop import STRIP_PX
from mien.morphable.glasses import MM, eye_middles
from mien.morphable.glassesnet import CLEAR, DARK, NOTHING, RIM, read_glasses_net
from mien.morphable.model import MorphableModel
from mien.morphable.partsnet import PartsNetConfig
from mien.training.beside import BesideConfig
from mien.training.encoder.augment import AugmentConfig
from mien.training.glasses.crops import BEYOND_PX, LENS, CropConfig, build_crops, draw_strips, read_crops
from mien.training.glasses.crops import RIM as RIM_MASK
from mien.training.glasses.examples import StripAugment, StripSet, draw_strip_examples, joined
from mien.training.glasses.looks import draw_worn
from mien.training.glasses.train import GlassesTraining, train_glasses

CROPS = CropConfig(heads=3, views=1, worn=2, size_px=160, seed=5)
STILL = StripAugment(BesideConfig(0.0, 0.0, 0.0, 0.0), 0.0, 0.0, AugmentConfig(*[0.0] * 11))
QUICK = GlassesTraining(
    heads=3, steps=12, batch=4, held_out=0.34, network=PartsNetConfig(widths=(8, 8, 8)), half=False
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("strips")
    build_crops(path, CROPS)
    return path


def test_drawn_glasses_differ_and_stand_before_both_eyes(model: MorphableModel) -> None:
    marks = model.landmarks(model.mean).double().numpy()
    rng = np.random.default_rng(0)
    drawn = [draw_worn(rng, marks) for _ in range(40)]
    assert {worn.dark for worn in drawn} == {True, False}
    assert {worn.frame.metal for worn in drawn} == {True, False}
    for worn in drawn:
        away = np.abs(worn.frame.middles - eye_middles(marks))
        assert (away[:, 1] < 14 * MM).all()
        for index in range(2):
            rim = worn.frame.rim(index)
            assert rim[:, 0].min() < eye_middles(marks)[index, 0] < rim[:, 0].max()


def test_a_head_gives_the_same_strips_again(folder: Path) -> None:
    found = read_crops(folder, 3)
    assert len(found) == 3
    again = draw_strips(CROPS, 1)
    for name, values in found[1].items():
        np.testing.assert_array_equal(values, again[name])
    height, width = (side + 2 * BEYOND_PX for side in STRIP_PX)
    assert again["rgb"].shape == (3, height, width, 3)


def test_masks_are_where_glasses_change_the_picture(folder: Path) -> None:
    for strips in read_crops(folder, 3):
        assert strips["worn"].tolist() == [0, 1, 1]
        assert strips["masks"][0].max() == 0
        for k in (1, 2):
            rim = strips["masks"][k, ..., RIM_MASK] > 100
            assert 20 < rim.sum() < 6000
            assert (strips["masks"][k, ..., LENS] > 200).sum() > 500
            change = np.abs(strips["rgb"][k].astype(int) - strips["rgb"][0]).sum(-1)
            assert change[rim].mean() > 2 * change[strips["masks"][k].max(-1) == 0].mean()


def test_examples_are_the_strips_themselves_without_augmentation(folder: Path) -> None:
    strips = joined(read_crops(folder, 3))
    random = torch.Generator().manual_seed(0)
    rows = torch.arange(len(strips.worn))
    first = draw_strip_examples(strips.of(rows), random, STILL)
    assert first.image.shape == (9, 3, *STRIP_PX)
    torch.testing.assert_close(first.parts.sum(1), torch.ones(9, *STRIP_PX), atol=0.02, rtol=0)
    inside = slice(BEYOND_PX, -BEYOND_PX)
    true = strips.pixels[:, 4, inside, inside].float() / 255
    own = first.parts[:, RIM]
    same = torch.minimum((own - true).abs().amax((1, 2)), (own - true.flip(2)).abs().amax((1, 2)))
    assert float(same.max()) < 0.01  # the strip or its mirror image
    bare = strips.worn == 0
    assert bool((first.parts[bare, NOTHING] == 1).all())
    dark = strips.dark == 1
    assert float(first.parts[~dark, DARK].max()) == 0
    if bool(dark.any()):
        assert float(first.parts[dark, CLEAR].max()) == 0


def test_what_lies_before_glasses_is_no_glasses(folder: Path) -> None:
    strips = joined(read_crops(folder, 3))
    rows = torch.nonzero(strips.worn)[:, 0]
    totals = []
    for augment in (StripAugment(lines=0.0, hidden=0.0), StripAugment(lines=1.0, hidden=1.0)):
        random = torch.Generator().manual_seed(1)
        shown = [draw_strip_examples(strips.of(rows), random, augment).parts[:, 1:].sum() for _ in range(4)]
        totals.append(float(torch.stack(shown).sum()))
    assert totals[1] < totals[0]


def test_training_is_repeatable_and_its_file_is_read(folder: Path, tmp_path: Path) -> None:
    rows: list[dict[str, object]] = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        done = train_glasses(tmp_path / name, folder, config=QUICK, command="mien", on_log=rows.append)
    assert done.path.read_bytes() == (tmp_path / "one" / done.path.name).read_bytes()
    assert done.scores.strips == 9
    assert set(done.scores.iou) == {"rim", "arm", "clear lens", "dark lens"}
    strips: StripSet = joined(read_crops(folder, 1))
    image = draw_strip_examples(strips, torch.Generator().manual_seed(0), STILL).image
    answer = read_glasses_net(done.path)(image)
    assert bool(torch.isfinite(answer.parts).all())


def test_other_settings_and_missing_heads_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="other settings"):
        build_crops(folder, CropConfig(heads=3, views=1, worn=2, size_px=160, seed=6))
    with pytest.raises(InputError, match="no strips"):
        train_glasses(tmp_path, tmp_path, config=QUICK)
