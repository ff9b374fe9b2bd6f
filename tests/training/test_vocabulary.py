from pathlib import Path

import numpy as np
import pytest
import torch

from mien.generator.backbones.blocks import BlocksConfig
from mien.morphable.model import load_head_model
from mien.training.basis import generator_config, start_generator
from mien.training.prior import name_people
from mien.training.procedural.light import sh_basis
from mien.training.procedural.person import draw_person
from mien.training.procedural.shards import read_shard
from mien.training.vocabulary import darkness, light_labels, values_of, vocabulary


def test_every_person_has_a_value_of_every_name() -> None:
    model, known = load_head_model(), vocabulary()
    for seed in range(12):
        person = draw_person(model, np.random.default_rng(seed))
        values = values_of(person.labels(), person.light.total_sh)
        checked = known.check(values)
        assert list(checked) == [name.name for name in known.names]
        for name in known.names:
            same = values[name.name] if name.kind != "number" else pytest.approx(values[name.name])
            assert checked[name.name] == same
        assert values["age"] == pytest.approx(person.age_years)
        assert values["hair"] == person.hair.family


def test_light_comes_from_where_it_is() -> None:
    toward = np.array([0.6, 0.0, 0.8], np.float32)
    sh = sh_basis(toward)[:, None] * np.array([[1.0, 0.9, 0.5]], np.float32)
    found = light_labels(sh)
    assert [found[f"light.{axis}"] for axis in "xyz"] == pytest.approx(toward.tolist(), abs=1e-3)
    assert found["light.warmth"] == pytest.approx(np.log(2.0), abs=1e-3)


def test_darkness_is_even_in_the_logarithm() -> None:
    assert darkness(0.001) == darkness(0.02) == 0.0
    assert darkness(4.0) == pytest.approx(1.0)
    assert darkness(0.02 * 200**0.5) == pytest.approx(0.5)


def test_a_generator_learns_its_heads_names(shard_files: list[Path]) -> None:
    config = generator_config(
        BlocksConfig(appearance=4, hair=4, clothes=2, expression_codes=2, mean_size=128, basis_size=64)
    )
    generator, start = start_generator(shard_files, load_head_model(), config)
    names = name_people(generator, shard_files, start.codes, held_out=1)
    assert generator.config.names == names.config
    assert len(names.table) == len(shard_files) - 1
    label = read_shard(shard_files[2], ("identity",)).labels
    assert names.labels(names.table[2])["age"] == pytest.approx(label["age_years"], abs=0.1)
    drawn = names.draw(2, {"sex": label["sex"]}, generator=torch.Generator().manual_seed(0))
    w = generator.sample_w(2, generator=torch.Generator().manual_seed(0), drawn=drawn)
    assert torch.isfinite(w).all()
