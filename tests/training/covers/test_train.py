"""Squares, examples and training of the network that sees what is held before faces, on three small heads."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from mien.core.errors import InputError, ResumeError
from mien.morphable.covercrop import COVER_PX
from mien.morphable.covernet import CLASSES, read_cover_net
from mien.morphable.partsnet import PartsNet, PartsNetConfig
from mien.training.beside import BesideConfig
from mien.training.covers.crops import (
    BEYOND_PX,
    CoverCropConfig,
    build_squares,
    draw_squares,
    read_squares,
)
from mien.training.covers.examples import SquareAugment, SquareSet, draw_square_examples, joined
from mien.training.covers.locks import draw_locks
from mien.training.covers.train import CoverTraining, train_covers
from mien.training.encoder.augment import AugmentConfig
from mien.training.partsfit import FitSchedule, fit_parts, new_network
from mien.training.state import STATE_FILE

CROPS = CoverCropConfig(heads=3, views=1, covered=2, size_px=160, seed=5)
EXACT = BesideConfig(0.0, 0.0, 0.0, 0.0)
STILL = SquareAugment(
    beside=EXACT, lent=0.0, shapes=0.0, lines=0.0, locks=0.0, cut=0.0, behind=0.0,
    picture=AugmentConfig(*[0.0] * 11),
)  # fmt: skip
SMALL = PartsNetConfig(widths=(8, 8, 8))
QUICK = CoverTraining(heads=3, steps=12, batch=4, held_out=0.34, network=SMALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("squares")
    build_squares(path, CROPS)
    return path


@pytest.fixture(scope="module")
def squares(folder: Path) -> SquareSet:
    return joined(read_squares(folder, 3))


def test_a_head_gives_the_same_squares_again(folder: Path) -> None:
    found = read_squares(folder, 3)
    again = draw_squares(CROPS, 1)
    for name, values in found[1].items():
        np.testing.assert_array_equal(values, again[name])
    side = COVER_PX + 2 * BEYOND_PX
    assert again["rgb"].shape == (3, side, side, 3)


def test_masks_are_where_things_change_the_picture(folder: Path) -> None:
    for found in read_squares(folder, 3):
        assert found["cover"][0].max() == 0
        for k in (1, 2):
            cover = found["cover"][k] > 200
            assert cover.sum() > 50
            change = np.abs(found["rgb"][k].astype(int) - found["rgb"][0]).sum(-1)
            far = found["cover"][k] == 0
            assert change[cover].mean() > 3 * change[far].mean()  # shadows and noise change the rest a little
            assert (found["alpha"][k][cover] > 200).mean() > 0.95


def test_locks_of_hair_lie_over_the_picture_and_hide_nothing(squares: SquareSet) -> None:
    plain, hairy = (
        draw_square_examples(squares, squares, torch.Generator().manual_seed(0), replace(STILL, locks=share))
        for share in (0.0, 1.0)
    )
    changed = (plain.image - hairy.image).abs().amax(1) > 0.05
    assert ((changed.float().mean((1, 2)) > 0.002) & (changed.float().mean((1, 2)) < 0.6)).all()
    assert (hairy.cover <= plain.cover).all()
    assert (plain.cover - hairy.cover)[~changed].mean() < 0.02


def test_a_lock_takes_the_colour_of_the_hair_above_it() -> None:
    alpha = torch.zeros(8, 1, 80, 80)
    alpha[:, :, 10:, 10:70] = 1
    picture = alpha * torch.tensor([0.9, 0.1, 0.5]).view(1, 3, 1, 1)
    cover, paint = draw_locks(picture, alpha, torch.Generator().manual_seed(0), 1.0)
    dense = cover[:, 0] > 0.9
    assert dense.any((1, 2)).all()
    hue = paint.permute(0, 2, 3, 1)[dense]
    is_own = (hue[:, 0] > 5 * hue[:, 1]) & (hue[:, 2] > 3 * hue[:, 1])
    assert 0.2 < is_own.float().mean() < 0.95  # others have the colour of some hair
    nothing, _ = draw_locks(picture, alpha, torch.Generator().manual_seed(0), 0.0)
    assert (nothing == 0).all()


def test_some_heads_wear_glasses() -> None:
    bare = draw_squares(replace(CROPS, glasses=0.0), 1)
    worn = draw_squares(replace(CROPS, glasses=1.0), 1)
    assert (np.abs(bare["rgb"][0].astype(int) - worn["rgb"][0]).max(-1) > 30).mean() > 0.003
    assert (worn["cover"][0] == 0).all()  # they are not what is looked for


def test_examples_are_the_squares_themselves_without_augmentation(squares: SquareSet) -> None:
    random = torch.Generator().manual_seed(0)
    found = draw_square_examples(squares, squares, random, STILL)
    assert found.image.shape == (9, 3, COVER_PX, COVER_PX)
    inside = slice(BEYOND_PX, -BEYOND_PX)
    true = squares.pixels[:, 4, inside, inside].float() / 255
    either = torch.minimum(
        (found.cover - true).abs().amax((1, 2)), (found.cover - true.flip(2)).abs().amax((1, 2))
    )
    assert float(either.max()) < 0.01  # the square or its mirror image
    assert float(found.cover[squares.covered == 0].max()) == 0


def test_lent_things_and_shapes_count_lines_do_not(squares: SquareSet) -> None:
    bare = squares.of(torch.nonzero(squares.covered == 0)[:, 0].repeat(4))
    lenders = squares.of(torch.nonzero(squares.covered)[:, 0].repeat(2))
    for change, least in (
        ({"lent": 1.0, "far": EXACT}, 0.005),
        ({"shapes": 1.0}, 0.005),
        ({"lines": 1.0}, 0.0),
    ):
        random = torch.Generator().manual_seed(1)
        found = draw_square_examples(bare, lenders, random, replace(STILL, **change))
        share = float(found.cover.mean())
        assert share > least if least else share == 0


def test_what_is_beyond_the_photo_repeats_its_last_row(squares: SquareSet) -> None:
    random = torch.Generator().manual_seed(2)
    found = draw_square_examples(squares, squares, random, replace(STILL, cut=1.0))
    same = (found.image[:, :, -1:] == found.image).all((1, 3)).flip(1).long().cumprod(1).sum(1)
    assert int(same.min()) >= 1
    assert int(same.max()) > 20
    k = int(same.argmax())
    tail = found.cover[k, -int(same[k]) :]
    assert torch.equal(tail, tail[-1:].expand_as(tail))


def test_training_is_repeatable_and_its_file_is_read(folder: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        done = train_covers(tmp_path / name, folder, config=QUICK, command="mien")
    assert done.path.read_bytes() == (tmp_path / "one" / done.path.name).read_bytes()
    assert done.scores.squares == 9
    assert 0 <= done.scores.iou <= 1
    assert not (tmp_path / "one" / STATE_FILE).exists()
    answer = read_cover_net(done.path)(torch.rand(1, 3, COVER_PX, COVER_PX))
    assert answer.parts.shape == (1, CLASSES, COVER_PX, COVER_PX)
    assert bool(torch.isfinite(answer.parts).all())
    more = train_covers(tmp_path / "three", folder, config=replace(QUICK, start=done.path, lr=1e-4, steps=2))
    before, after = (read_cover_net(p).state_dict() for p in (done.path, more.path))
    assert before.keys() == after.keys()
    changes = [float((before[n] - after[n]).abs().max()) for n in before]
    assert 0 < max(changes) < 0.01


def test_an_interrupted_training_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    def trained(folder: Path | None, stop_at: int) -> PartsNet:
        random, count = torch.Generator().manual_seed(4), 0

        def cost(network: PartsNet) -> Tensor:
            nonlocal count
            count += 1
            if count == stop_at:
                raise KeyboardInterrupt
            return network(torch.rand(2, 3, 32, 32, generator=random)).parts.square().mean()

        schedule = FitSchedule(9, 1e-3, {"seed": 4}, folder, keep_every_s=0.0)
        return fit_parts(new_network(SMALL, CLASSES, 0), cost, random, schedule, lambda row: None)

    whole = trained(None, 99).state_dict()
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, 5)
    resumed = trained(tmp_path, 99).state_dict()
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name
    other = FitSchedule(9, 1e-3, {"seed": 5}, tmp_path)
    with pytest.raises(ResumeError, match="seed"):
        fit_parts(
            new_network(SMALL, CLASSES, 0), lambda n: n(torch.rand(1, 3, 32, 32)).parts.mean(),
            torch.Generator(), other, lambda row: None,
        )  # fmt: skip


def test_other_settings_and_missing_heads_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="other settings"):
        build_squares(folder, replace(CROPS, seed=6))
    with pytest.raises(InputError, match="no squares"):
        train_covers(tmp_path, tmp_path, config=QUICK)
