import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mien.core.errors import InputError, ResumeError
from mien.generator.model import Generator
from mien.training.dataset import HeadDataset
from mien.training.distil import Distiller
from mien.training.mapping_fit import code_statistics
from mien.training.pca import _linear_maps, pca_start
from mien.training.state import STATE_FILE, generator_of, read_state

Make = Callable[..., Distiller]


def test_an_interrupted_run_goes_on_to_the_same_bytes(make_distiller: Make, tmp_path: Path) -> None:
    make_distiller(tmp_path / "whole").run()
    first = make_distiller(tmp_path / "parts")
    first.run(max_steps=2)
    assert first.step == 2
    second = make_distiller(tmp_path / "parts")
    assert (second.step, second.spent_s) == (2, 2.0)
    second.run()
    assert second.step == 4
    whole, parts = (read_state(tmp_path / name) for name in ("whole", "parts"))
    assert whole.tensors.keys() == parts.tensors.keys()
    for name, tensor in whole.tensors.items():
        assert torch.equal(tensor, parts.tensors[name]), name
    assert (tmp_path / "whole" / STATE_FILE).read_bytes() == (tmp_path / "parts" / STATE_FILE).read_bytes()


def test_training_helps(make_distiller: Make, tmp_path: Path) -> None:
    distiller = make_distiller(tmp_path)
    random = distiller.random.get_state()

    def cost() -> float:
        distiller.random.set_state(random)
        with torch.no_grad():
            return sum(float(c) for _ in range(4) for c in distiller.costs(distiller.sampler.draw()).values())

    before = cost()
    distiller.config = replace(distiller.config, minutes=12 / 60)
    distiller.run()
    assert cost() < before


def test_costs_are_finite_and_reach_every_parameter(make_distiller: Make, tmp_path: Path) -> None:
    distiller = make_distiller(tmp_path)
    costs = distiller.costs(distiller.sampler.draw())
    assert set(costs) == {"body", "hair", "height", "ray_rgb", "ray_alpha", "prior"}
    torch.stack(list(costs.values())).sum().backward()
    backbone = distiller.generator.backbone
    for parameter in (*backbone.parameters(), distiller.codes):
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()


def test_other_settings_are_refused(make_distiller: Make, tmp_path: Path) -> None:
    first = make_distiller(tmp_path)
    first.run(max_steps=1)
    with pytest.raises(ResumeError, match=r"other settings \(rays 24 there, 25 here\)"):
        make_distiller(tmp_path, replace(first.config, rays=25))


def test_log_rows_of_lost_steps_are_forgotten(make_distiller: Make, tmp_path: Path) -> None:
    make_distiller(tmp_path).run(max_steps=2)
    log = tmp_path / "log.jsonl"
    log.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n')
    make_distiller(tmp_path)
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()] == [1, 2]


def test_callbacks(make_distiller: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.training.distil.LOG_EVERY", 2)
    rows, saved = list[int](), list[int]()
    distiller = make_distiller(
        tmp_path,
        on_log=lambda row: rows.append(row["step"]),
        on_checkpoint=lambda d: saved.append(d.step),
    )
    distiller.config = replace(distiller.config, checkpoint_every_s=5.0)
    distiller.run()
    assert rows == [2, 4]
    assert saved[-1] == 4
    assert len(saved) > 1
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2


def test_pca_start_is_the_best_linear_model(make_distiller: Make, data: HeadDataset, tmp_path: Path) -> None:
    generator = make_distiller(tmp_path).generator
    codes = pca_start(generator, data, 5)
    torch.testing.assert_close(codes.mean(0), torch.zeros(8), atol=1e-4, rtol=0)
    torch.testing.assert_close(codes[:, :4].std(0), torch.ones(4), atol=1e-3, rtol=0)
    assert (codes[:, 4:] == 0).all()
    # Five heads span four dimensions: each is met exactly, up to the resizing of planes.
    hair = torch.from_numpy(data.maps[:5, 6].astype("float32"))
    planes = generator.planes(codes, torch.zeros(5, 52)).uv[:, 6]
    found = torch.nn.functional.avg_pool2d(planes, 2) * 0.1
    assert (found - hair).abs().mean() < 0.003


def test_training_goes_on_from_a_generator_with_other_heads(
    make_distiller: Make, data: HeadDataset, tmp_path: Path
) -> None:
    first = make_distiller(tmp_path / "first")
    start = generator_of_run(first)
    other = make_distiller(tmp_path / "second", start=start)
    for name, tensor in start.state_dict().items():
        assert torch.equal(other.generator.state_dict()[name], tensor), name

    def error(codes: torch.Tensor) -> float:
        maps = _linear_maps(data, len(codes))
        with torch.no_grad():
            planes = start.planes(codes, torch.zeros(len(codes), 52)).uv[:, : maps.shape[1]]
        planes = torch.nn.functional.interpolate(planes, size=maps.shape[-2:], mode="area")
        return float((planes - maps).square().mean())

    average = start.mapping.w_avg.expand(len(other.codes), -1)
    assert error(other.codes.detach()) < 0.2 * error(average)


def generator_of_run(distiller: Distiller) -> Generator:
    """Its generator with the statistics of its latents, as `finish` leaves them."""
    generator = distiller.generator
    mean, std = code_statistics(distiller.codes.detach())
    generator.mapping.w_avg.copy_(mean)
    generator.w_std.copy_(std)
    return generator


def test_reading_states(make_distiller: Make, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no readable state of a training run"):
        read_state(tmp_path)
    make_distiller(tmp_path).run(max_steps=1)
    part = read_state(tmp_path, prefixes=("codes",))
    assert set(part.tensors) == {"codes"}
    assert part.codes.shape == (5, 8)
    with pytest.raises(InputError, match="do not fit this version's generator"):
        generator_of(read_state(tmp_path))
