"""Settings and costly fixtures for all tests."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

# Reproducible examples, no clock: the machine may be busy.
settings.register_profile(
    "mien", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("mien")

torch.set_num_threads(1)  # more would spin and fight where the machine is shared


@pytest.fixture(scope="session")
def portrait_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A frontal portrait, 256 x 256: the astronaut Eileen Collins, public domain."""
    import skimage.data
    from PIL import Image

    path = tmp_path_factory.mktemp("portrait") / "portrait.png"
    Image.fromarray(np.ascontiguousarray(skimage.data.astronaut())).resize((256, 256)).save(path)
    return path


@pytest.fixture(scope="session")
def avatar_file(portrait_file: Path) -> Path:
    """Her avatar, made once for all tests through the command line, with few probes. Not to be changed."""
    from mien import pipeline
    from mien.apps.cli import run

    path = portrait_file.with_name("face.mien")
    measure = pipeline.measure_response
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "measure_response", lambda puppet, *, probes: measure(puppet, probes=6))
        assert run(["invert", str(portrait_file), "-o", str(path), "--size", "256"]) == 0
    return path
