from copy import deepcopy
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mien.generator.backbones.blocks import BlocksConfig
from mien.generator.completion import CompletionConfig
from mien.morphable.model import load_head_model
from mien.training.basis import generator_config, start_generator
from mien.training.completion.config import CompletionTraining
from mien.training.completion.draws import Draws, draw_one
from mien.training.completion.examples import Batch, Examples, recoloured
from mien.training.completion.resident import ResidentExamples, codes_in
from mien.training.completion.trainer import CompletionTrainer

CONFIG = generator_config(
    BlocksConfig(appearance=3, hair=3, clothes=2, expression_codes=2, mean_size=128, basis_size=64)
)
TRAINING = CompletionTraining(
    held_out=1, batch=2, no_evidence=0.2, colour_shift=1.0, copies=2, adversarial=0.1, half=False, average=0.9
)


@pytest.fixture(scope="module")
def plain(shard_files: list[Path]) -> Examples:
    generator, start = start_generator(shard_files, load_head_model(), CONFIG)
    return Examples(shard_files, start.codes, generator, TRAINING)


@pytest.fixture(scope="module")
def resident(shard_files: list[Path], plain: Examples) -> ResidentExamples:
    return ResidentExamples(shard_files, plain.codes, plain.generator, TRAINING, workers=1)


def test_both_ways_give_the_same_examples(plain: Examples, resident: ResidentExamples) -> None:
    draws = resident._draws(torch.tensor([0, 2, 3]))
    draws = replace(draws, hidden=torch.tensor([False, False, True]))
    offset = draws.offset * ~draws.hidden[:, None]
    together = resident.examples(replace(draws, offset=offset))
    assert offset[:2].abs().amin() > 0
    for k in range(3):
        one = replace(draws, offset=offset).at(k)
        alone = plain.example(replace(one, view=one.view % 2))  # two views, each with two shifts
        torch.testing.assert_close(together.given.features[k], alone.given.features, atol=0.01, rtol=0.005)
        torch.testing.assert_close(together.given.filled[k], alone.given.filled, atol=0.01, rtol=0.005)
        for name in ("body", "hair", "height", "opacity", "seen"):
            torch.testing.assert_close(getattr(together, name)[k], getattr(alone, name), atol=1e-3, rtol=1e-3)
    assert together.seen[2].amax() == 0
    assert together.seen[:2].amax() > 0.9


@pytest.mark.parametrize("shifted", [False, True])
def test_both_ways_measure_the_same(plain: Examples, resident: ResidentExamples, *, shifted: bool) -> None:
    one, other = (examples.fixed(4, shifted=shifted) for examples in (plain, resident))
    torch.testing.assert_close(one.given.features, other.given.features, atol=0.01, rtol=0.005)
    torch.testing.assert_close(one.hair, other.hair)


def test_shifts_are_those_of_training_and_none_for_held_out_heads(resident: ResidentExamples) -> None:
    assert resident.shifts[:4].abs().amin() > 0
    assert resident.shifts[4].abs().amax() == 0
    assert resident.shifts.shape == (5, 4, 2)


def test_evidence_and_truth_take_another_colour_together(resident: ResidentExamples) -> None:
    draws = replace(
        resident._draws(torch.tensor([1])), offset=torch.zeros(1, 6), base_share=torch.zeros(1),
        hidden=torch.tensor([False]), view=torch.tensor([0]),
    )  # fmt: skip
    offset = torch.tensor([[0.6, -0.4, 0.2, -0.5, 0.1, 0.3]])
    before, after = resident.examples(draws), resident.examples(replace(draws, offset=offset))
    change = torch.logit(after.body, 1e-6) - torch.logit(before.body, 1e-6)
    inside = ((before.body > 0.05) & (before.body < 0.95)).all(1)
    torch.testing.assert_close(
        change.permute(0, 2, 3, 1)[inside], offset[:, :3].expand(int(inside.sum()), 3), atol=1e-3, rtol=1e-3
    )
    well = (before.given.features[0, 13] > 0.9) & (before.seen[0, 0] == 1)  # much evidence of the body
    told = (after.given.features - before.given.features)[0, 7:10][:, well]
    torch.testing.assert_close(told, offset[0, :3, None].expand_as(told), atol=1e-3, rtol=1e-3)
    assert torch.equal(after.given.features[:, :7], before.given.features[:, :7])
    known = resident.examples(replace(draws, offset=offset, base_share=torch.ones(1)))
    moved = 2 * (known.given.features - before.given.features)[0, :6]
    torch.testing.assert_close(moved, offset[0, :, None, None].expand_as(moved), atol=1e-4, rtol=1e-4)


def test_colours_are_shifted_as_often_as_asked() -> None:
    config = replace(TRAINING, colour_shift=0.7, no_evidence=0.5)
    rng = np.random.default_rng(0)
    draws = [draw_one(0, 2, 3, config, rng) for _ in range(300)]
    shifted = torch.stack([draw.offset.abs().sum() > 0 for draw in draws])
    hidden = torch.stack([draw.hidden for draw in draws])
    assert not (shifted & hidden).any()
    assert abs(float(shifted[~hidden].float().mean()) - 0.7) < 0.1
    offsets = torch.stack([draw.offset for draw in draws])[shifted]
    assert abs(float(offsets.std()) - 0.5**0.5) < 0.08  # hue and light, 0.5 each


def test_another_colour_stays_within_its_range() -> None:
    rgb = torch.tensor([0.0, 0.3, 0.5, 1.0])
    assert torch.equal(recoloured(rgb, torch.zeros(4)), rgb)
    found = recoloured(rgb, torch.full((4,), 0.7))
    assert found[[0, 3]].tolist() == [0.0, 1.0]
    torch.testing.assert_close(found[1:3], torch.sigmoid(torch.logit(rgb[1:3]) + 0.7))
    torch.testing.assert_close(recoloured(found, torch.full((4,), -0.7)), rgb)


def test_codes_are_those_of_the_maps(shard_files: list[Path], plain: Examples) -> None:
    generator = deepcopy(plain.generator)
    generator.w_std.copy_(plain.codes.std(0).clamp(min=1e-3))
    found = codes_in(generator, shard_files, workers=2)
    zero = torch.zeros(5, 52)
    near, true = (generator.planes(w, zero).uv[:, :3] for w in (found, plain.codes))
    far = generator.planes(plain.codes.mean(0).expand(5, -1), zero).uv[:, :3]
    assert (near - true).abs().mean() < 0.3 * (far - true).abs().mean()


def test_a_step_makes_nothing_elsewhere(
    resident: ResidentExamples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the meta device a tensor of the CPU in between is an error, as on a GPU."""
    draws, meta = resident._draws(torch.tensor([0, 1])), torch.device("meta")
    away = deepcopy(resident)
    for name in ("codes", "spread", "grid", "shifts", "colours", "height", "opacity", "evidence"):
        setattr(away, name, getattr(resident, name).to(meta))
    away.generator, away.device = deepcopy(resident.generator).to(meta), meta
    monkeypatch.setattr(away, "drawn", lambda heads, random: away.examples(draws.to(meta)))
    config = replace(TRAINING, critic_after=0.0, critic_counts_after=0.0, r1_every=1)
    trainer = CompletionTrainer(tmp_path, away, config, network=CompletionConfig(widths=(8, 12)))
    trainer._train_step()  # fills caches
    with _Elsewhere():
        costs = trainer._train_step()
    assert {"adversarial", "critic_penalty", "body"} <= costs.keys()
    assert all(cost.device == meta for cost in costs.values())


def test_draws_of_a_batch_can_be_taken_apart(resident: ResidentExamples) -> None:
    draws = resident._draws(torch.tensor([3, 1]))
    again = [draws.at(k).batched() for k in (0, 1)]
    for field in fields(Draws):
        joined = torch.cat([getattr(one, field.name) for one in again])
        assert torch.equal(joined, getattr(draws, field.name)), field.name


class _Elsewhere(torch.overrides.TorchFunctionMode):
    """An error for tensors that are made without saying where: on a GPU they would be on the CPU."""

    MAKERS = frozenset({
        torch.zeros, torch.ones, torch.full, torch.empty, torch.tensor, torch.arange, torch.eye, torch.rand,
        torch.randn, torch.randint, torch.linspace, torch.from_numpy,
    })  # fmt: skip

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in self.MAKERS and kwargs.get("device") is None:
            raise AssertionError(f"{func.__name__}{args} without a device")
        return func(*args, **kwargs)


def _tensors(batch: Batch) -> list[Tensor]:
    return [batch.given.features, batch.given.filled, batch.body, batch.hair, batch.height, batch.seen]


def test_the_same_random_generator_gives_the_same_examples(resident: ResidentExamples) -> None:
    one, again, other = (_tensors(resident.drawn(4, np.random.default_rng([7, step]))) for step in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(one, other, strict=True))
