"""Settings and costly fixtures for all tests."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from hypothesis import HealthCheck, settings

# Reproducible examples, no clock: the machine may be busy.
settings.register_profile(
    "mien", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("mien")

torch.set_num_threads(1)  # more would spin and fight where the machine is shared


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that all processes of a test run share; the first that asks for it fills it."""
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, made = shared / name, shared / f"{name}.made"
    with FileLock(shared / f"{name}.lock"):
        if not made.exists():
            folder.mkdir()
            make(folder)
            made.touch()
    return folder


@pytest.fixture(scope="session")
def portrait_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A frontal portrait, 256 x 256: the astronaut Eileen Collins, public domain."""
    import skimage.data
    from PIL import Image

    path = tmp_path_factory.mktemp("portrait") / "portrait.png"
    Image.fromarray(np.ascontiguousarray(skimage.data.astronaut())).resize((256, 256)).save(path)
    return path


@pytest.fixture(scope="session")
def avatar_file(portrait_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Her avatar, made once for all tests through the command line, with few probes. Not to be changed."""
    from mien.animation.kinds import base
    from mien.apps.cli import run

    def make(folder: Path) -> None:
        measure = base.measure_response
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(base, "measure_response", lambda puppet, *, probes: measure(puppet, probes=6))
            command = ["invert", str(portrait_file), "-o", str(folder / "face.mien"), "--size", "256"]
            assert run(command) == 0

    return made_once(tmp_path_factory, "avatar", make) / "face.mien"


@pytest.fixture(scope="session")
def ball_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An EG3D model whose only person is an orange ball of radius 0.3. Not to be changed.

    The synthesis network's one constant noise map becomes the planes: each holds 0.5 - x^2 - y^2 of its own
    two coordinates, so that their mean is 0.5 - 2/3 r^2. The decoder turns that into density.
    """
    from mien.generator.backbones import StyleGan2Config
    from mien.generator.eg3d.checkpoint import save_eg3d
    from mien.generator.eg3d.config import Eg3dConfig
    from mien.generator.eg3d.generator import Eg3dGenerator
    from mien.generator.eg3d.render import RenderingConfig
    from mien.generator.eg3d.superres import Hybrid2XConfig
    from mien.generator.stylegan2.mapping import LabelMappingConfig

    made = Eg3dGenerator(
        Eg3dConfig(
            backbone=StyleGan2Config(LabelMappingConfig(z_dim=16), resolution=64, channel_max=8),
            rendering=RenderingConfig(coarse=24, fine=24, plane_axes="corrected"),
            superres=Hybrid2XConfig(),
            neural_resolution=48,
        )
    )
    steep = 20000.0
    middle = (torch.arange(64) + 0.5) / 64 - 0.5
    made.load_state_dict({name: torch.zeros_like(t) for name, t in made.state_dict().items()})
    state, block = made.state_dict(), "backbone.synthesis.b64."
    state[block + "conv1.noise_const"].copy_(0.5 - middle[:, None] ** 2 - middle**2)
    state[block + "conv1.noise_strength"].fill_(1.0)
    state[block + "torgb.affine.bias"].fill_(1.0)
    state[block + "torgb.weight"][::32] = 3 / 8  # of eight equal channels; with the layers' gains 1.5 in all
    state["decoder.net.0.weight"][0, 0] = 40.0 * 32**0.5
    state["decoder.net.0.bias"][0] = 20.0  # far out on the softplus, where it is linear
    state["decoder.net.2.weight"][0, 0] = steep * 8 / 40
    state["decoder.net.2.bias"][0] = 10.0 - steep * (0.75 - 0.3**2) - steep * 20 / 40  # 10 at the radius
    state["decoder.net.2.bias"][1:4] = torch.logit(torch.tensor([0.9, 0.5, 0.1]))
    path = tmp_path_factory.mktemp("ball") / "ball.safetensors"
    save_eg3d(path, made)
    return path
