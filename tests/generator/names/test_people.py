"""Random people of a small generator with names, a network for detail, and the command that shows them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mien.apps.cli import run
from mien.generator.backbones.blocks import BlocksConfig
from mien.generator.completion import Completer, CompletionConfig
from mien.generator.decoder import BODY_RGB, OUTPUTS, DecoderConfig
from mien.generator.detail import add_detail
from mien.generator.mapping import BlockMappingConfig
from mien.generator.model import Generator, GeneratorConfig, load_generator, save_generator
from mien.generator.names.coding import to_features
from mien.generator.names.model import Names, NamesConfig
from mien.generator.names.spec import Name, Vocabulary
from mien.generator.samples import random_heads
from mien.generator.superres import SuperResolutionConfig
from mien.io.images import read_photo
from mien.morphable.model import MorphableModel
from mien.morphable.people import mean_identity

BACKBONE = BlocksConfig(
    appearance=4,
    hair=3,
    clothes=2,
    expression_codes=2,
    mean_size=64,
    basis_size=32,
    height_bins=8,
    side_size=16,
)
WORDS = Vocabulary(
    (
        Name("sex", "", "choice", choices=("female", "male"), moves=("appearance", "identity")),
        Name("age", "", low=10.0, high=80.0, moves=("appearance", "identity")),
        Name("weight", "", moves=("identity",)),
        Name("skin", ""),
    )
)
NETWORK = CompletionConfig(widths=(8, 12))


@pytest.fixture
def named() -> Generator:
    """Skin is the first number of W."""
    config = GeneratorConfig(
        backbone=BACKBONE,
        decoder=DecoderConfig(hidden=8, outputs=OUTPUTS + 1),
        mapping=BlockMappingConfig(tuple(p.stop - p.start for p in BACKBONE.blocks.values()), hidden=8),
        superres=SuperResolutionConfig(channels=4),
        names=NamesConfig(WORDS, 40, BACKBONE.latent, 80, (("sex", 0.9),)),
    )
    torch.manual_seed(0)
    made = Generator(config).eval().requires_grad_(False)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, 0, 0.02)
    names, random = made.names, torch.Generator().manual_seed(0)
    assert names is not None
    u = torch.rand(40, 3, generator=random)
    names.table.copy_(torch.stack([torch.arange(40.0) % 2, 10 + 70 * u[:, 0], u[:, 1], u[:, 2]], 1))
    names.to_w[names.features["skin"], 0] = names.edits[names.features["skin"], 0] = 3.0
    names.read_w[0, names.features["skin"]] = 1 / 3
    return made


def test_a_file_keeps_the_names(named: Generator, tmp_path: Path) -> None:
    save_generator(tmp_path / "g.safetensors", named)
    again = load_generator(tmp_path / "g.safetensors")
    assert again.config == named.config
    assert isinstance(again.names, Names)
    assert again.names.vocabulary == WORDS
    torch.testing.assert_close(again.names.to_w, named.names.to_w)  # type: ignore[union-attr]


def test_people_follow_what_is_given(named: Generator, model: MorphableModel) -> None:
    dark, light = (
        random_heads(named, model, 6, truncation=1.0, seed=3, given={"skin": s, "age": 12.0})
        for s in (0.9, 0.1)
    )
    for a, b in zip(dark, light, strict=True):
        assert float(a.w[0] - b.w[0]) == pytest.approx(3 * 2 * 0.8, abs=0.5)
    forms = torch.stack([head.identity for head in dark]).mean(0).numpy()
    child, old = (sum(mean_identity(s, age) for s in ("male", "female")) / 2 for age in (12.0, 75.0))
    assert np.abs(forms - child).mean() < np.abs(forms - old).mean()
    again = random_heads(named, model, 2, truncation=1.0, seed=3, given={"skin": 0.9, "age": 12.0})
    assert torch.equal(again[1].w, dark[1].w)
    assert torch.equal(again[1].identity, dark[1].identity)


def test_the_average_person(named: Generator, model: MorphableModel) -> None:
    names = named.names
    assert names is not None
    names.mean.copy_(to_features(WORDS, names.table).mean(0))
    first, second = random_heads(named, model, 2, truncation=0.0)
    torch.testing.assert_close(first.w, named.mapping.w_avg, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(first.identity, second.identity)


def test_detail_is_what_the_network_adds(named: Generator) -> None:
    w = torch.zeros(BACKBONE.latent)
    planes = named.planes(w[None], torch.zeros(1, 52))
    assert add_detail(named, planes, w) is planes
    named.config = replace(named.config, completion=NETWORK)
    named.completer = Completer(NETWORK).eval().requires_grad_(False)
    nothing = add_detail(named, planes, w).residual
    assert nothing is not None
    assert nothing.abs().max() < 2e-2  # untrained, it draws the generator's own head
    torch.nn.init.normal_(named.completer.leave.conv.weight, 0, 0.05)
    one, same, other = (add_detail(named, planes, w, seed=s).residual for s in (1, 1, 2))
    assert one is not None
    assert other is not None
    assert same is not None
    assert torch.equal(one, same)
    assert (one - other)[0, BODY_RGB].abs().mean() > 1e-3
    fine = one - torch.nn.functional.avg_pool2d(one, 5, 1, 2)
    assert fine[0, BODY_RGB].abs().mean() > 1e-3


def test_sample_command(named: Generator, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = tmp_path / "g.safetensors"
    save_generator(weights, named)
    pictures = []
    for k, more in enumerate((["--with", "skin=0.9"], ["--with", "skin=0.9", "--edit", "skin=0.1"])):
        sheet = tmp_path / f"{k}.png"
        options = ["--count", "1", "--plain", "--model", str(weights), *more]
        assert run(["sample", "-o", str(sheet), *options]) == 0
        pictures.append(read_photo(sheet).rgb)
    assert not torch.equal(torch.as_tensor(pictures[0]), torch.as_tensor(pictures[1]))
    capsys.readouterr()
    no = tmp_path / "no.png"
    assert run(["sample", "-o", str(no), "--model", str(weights), "--with", "agee=70"]) == 2
    assert "Did you mean age? Known are sex, age, weight, skin" in capsys.readouterr().err
    assert not no.exists()
