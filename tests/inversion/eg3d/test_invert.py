"""Photos inverted into a small generator with random weights."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mien.core.camera import Camera
from mien.generator.eg3d.generator import Eg3dGenerator
from mien.inversion.eg3d.cost import Target, image_cost
from mien.inversion.eg3d.descent import Kept
from mien.inversion.eg3d.invert import Eg3dInversionConfig, invert_eg3d
from mien.inversion.eg3d.latent import LatentConfig, find_w, mean_w
from mien.inversion.eg3d.tuning import TuningConfig, Way, tune, tuned_generator, tuned_planes

LATENT = LatentConfig(steps=60, rate=0.05, samples=(8, 8), mean_of=100)
TUNING = TuningConfig(steps=15, whole=2, side_px=32, samples=(8, 8))


def cost_of(generator: Eg3dGenerator, w: torch.Tensor, target: Target, camera: Camera) -> float:
    with torch.no_grad():
        image = generator.render_raw(generator.planes(w), camera).image_raw
    return float(image_cost(image, target))


@pytest.fixture(scope="module")
def found(generator: Eg3dGenerator, person: Target, camera: Camera) -> torch.Tensor:
    return find_w(generator, person, camera, config=LATENT)


def test_a_known_person_is_found(
    generator: Eg3dGenerator, person: Target, camera: Camera, found: torch.Tensor
) -> None:
    start = mean_w(generator, camera, 100).mean
    before, after = (cost_of(generator, w, person, camera) for w in (start, found))
    assert after < 0.3 * before
    with torch.no_grad():
        image = generator.render_raw(generator.planes(found), camera).image_raw[0]
    error = ((image - person.image) / 2).square().mean()
    assert -10 * torch.log10(error) > 25


def test_what_is_masked_has_no_influence(generator: Eg3dGenerator, person: Target, camera: Camera) -> None:
    mask = torch.zeros_like(person.mask)
    mask[:, 8:24, 8:20] = 1
    config = replace(LATENT, steps=6)
    changed = torch.where(mask > 0, person.image, torch.zeros_like(person.image))
    one, other = (find_w(generator, Target(i, mask), camera, config=config) for i in (person.image, changed))
    assert torch.equal(one, other)
    assert not torch.equal(one, find_w(generator, person, camera, config=config))


@pytest.mark.parametrize("way", ["planes", "weights"])
def test_tuning_comes_nearer_and_leaves_the_generator(
    way: Way, generator: Eg3dGenerator, person: Target, camera: Camera, found: torch.Tensor
) -> None:
    strange = Target(person.image.flip(-1) * 0.8, person.mask)  # nobody whom the generator knows
    state = copy.deepcopy(generator.state_dict())
    tuning = tune(generator, found, strange, camera, config=replace(TUNING, way=way))
    for name, tensor in generator.state_dict().items():
        assert torch.equal(tensor, state[name]), name
    tuned = tuned_generator(generator, tuning)
    with torch.no_grad():
        image = tuned.render_raw(tuned_planes(tuned, found, tuning), camera).image_raw
    assert image_cost(image, strange) < 0.8 * cost_of(generator, found, strange, camera)
    assert all(tensor.dtype == torch.float16 for tensor in tuning.values())
    assert (set(tuning) == {"planes"}) == (way == "planes")


def test_a_pyramid_comes_nearer_and_is_smoother(
    generator: Eg3dGenerator, person: Target, camera: Camera, found: torch.Tensor
) -> None:
    strange = Target(person.image.flip(-1) * 0.8, person.mask)
    cost, rough = {}, {}
    for levels in (1, 5):
        tuning = tune(generator, found, strange, camera, config=replace(TUNING, whole=0, levels=levels))
        with torch.no_grad():
            image = generator.render_raw(tuned_planes(generator, found, tuning), camera).image_raw
        cost[levels], residual = float(image_cost(image, strange)), tuning["planes"].float()
        rough[levels] = float(residual.diff(dim=-1).square().mean() / residual.square().mean())
    assert cost[5] < 0.9 * cost[1]
    assert rough[5] < 0.5 * rough[1]


def test_killed_it_goes_on_to_the_same_person(
    generator: Eg3dGenerator, person: Target, camera: Camera, tmp_path: Path
) -> None:
    config = Eg3dInversionConfig(replace(LATENT, steps=8), replace(TUNING, steps=6))
    whole = invert_eg3d(person, camera, generator, config=config)

    def dies(stage: str, share: float) -> None:
        if share > 0.7:
            raise KeyboardInterrupt

    kept = Kept(tmp_path, "job", every_s=0.0)
    with pytest.raises(KeyboardInterrupt):
        invert_eg3d(person, camera, generator, config=config, kept=kept, report=dies)
    shares: list[float] = []
    parts = invert_eg3d(
        person, camera, generator, config=config, kept=kept, report=lambda stage, share: shares.append(share)
    )
    assert shares[0] > 0.5
    assert torch.equal(whole.w, parts.w)
    assert torch.equal(whole.tuning["planes"], parts.tuning["planes"])
    assert whole.error == parts.error
