"""The image encoder's training learns, goes on exactly, and makes every tensor on its own device."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training.encoder.test_imageexamples import made_views
from torch.overrides import TorchFunctionMode

from mien.core.errors import InputError, ResumeError
from mien.morphable.imageencoder import ImageEncoderConfig, read_image_encoder, save_image_encoder
from mien.morphable.landmarks import landmark_model
from mien.morphable.model import load_head_model
from mien.training.encoder.augment import CLEAN
from mien.training.encoder.imageconfig import ImageTraining
from mien.training.encoder.imagerun import with_errors
from mien.training.encoder.imagetrainer import ImageTrainer
from mien.training.encoder.views import Views

CPU = torch.device("cpu")
CONFIG = ImageTraining(
    minutes=60.0, batch=8, held_out=0.2, calibration=2, scaling=32, lr=3e-3, checkpoint_every_s=1e9,
    network=ImageEncoderConfig(
        size_px=32, widths=(4, 8, 8, 8, 8), blocks=(0, 0, 1, 0, 0), places=4, hidden=16
    ),
)  # fmt: skip
MAKERS = (
    torch.zeros, torch.ones, torch.empty, torch.full, torch.eye, torch.arange, torch.linspace, torch.tensor,
    torch.rand, torch.randn, torch.randint, torch.randperm, torch.as_tensor,
)  # fmt: skip


class DevicesAreNamed(TorchFunctionMode):
    """Fails where a tensor is made without a device."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        made_of_tensor = func is torch.as_tensor and isinstance(args[0], torch.Tensor)
        assert func not in MAKERS or "device" in kwargs or made_of_tensor, f"{func.__name__} without a device"
        return func(*args, **kwargs)


@pytest.fixture(scope="module")
def views() -> Views:
    """Ten heads whose pictures show one of their points."""
    return made_views(10, size=48, spot=1)


def trainer(folder: Path, views: Views, config: ImageTraining = CONFIG, **more: Any) -> ImageTrainer:
    """On the CPU, with a clock that stands still."""
    landmarks = landmark_model(load_head_model())
    return ImageTrainer(folder, views, landmarks, config, device=CPU, **{"clock": lambda: 0.0, **more})


def test_an_interrupted_training_goes_on_to_the_same_bits(tmp_path: Path, views: Views) -> None:
    whole = trainer(tmp_path / "whole", views)
    whole.run(max_steps=4)
    trainer(tmp_path / "parts", views).run(max_steps=2)
    parts = trainer(tmp_path / "parts", views)
    assert parts.step == 2
    parts.run(max_steps=4)
    for a, b in ((whole.network, parts.network), (whole.average, parts.average)):
        for name, value in a.state_dict().items():
            assert torch.equal(value, b.state_dict()[name]), name
    assert any(
        not torch.equal(v, whole.average.state_dict()[k]) for k, v in whole.network.state_dict().items()
    )


def test_other_settings_are_refused(tmp_path: Path, views: Views) -> None:
    trainer(tmp_path, views).run(max_steps=1)
    with pytest.raises(ResumeError, match="lr"):
        trainer(tmp_path, views, replace(CONFIG, lr=1e-4))


def test_other_heads_are_refused(tmp_path: Path, views: Views) -> None:
    trainer(tmp_path, views).save()
    other = replace(views, turn=views.turn + 0.01)
    with pytest.raises(ResumeError, match="views"):
        trainer(tmp_path, other)


def test_one_head_is_too_few(tmp_path: Path, views: Views) -> None:
    with pytest.raises(InputError, match="1 heads are too few"):
        trainer(tmp_path, views[views.head == 0])


def test_it_learns_and_its_file_can_be_read(tmp_path: Path, views: Views) -> None:
    rows: list[dict[str, Any]] = []
    config = replace(CONFIG, augment=replace(CLEAN, shift=0.08))
    made = trainer(tmp_path, views, config, on_log=rows.append)
    made.run(max_steps=150)
    assert rows[-1]["points"] < rows[0]["points"] - 0.15
    assert made.scores().points < 0.2
    encoder = with_errors(made)
    assert bool(torch.isfinite(encoder.root).all())
    save_image_encoder(tmp_path / "a.safetensors", encoder)
    again = read_image_encoder(tmp_path / "a.safetensors")
    crops = next(made.unseen_examples()).image
    average = made.average(crops)
    torch.testing.assert_close(again.network(crops).points, average.points, atol=5e-3, rtol=0)


def test_a_step_makes_all_tensors_on_its_device(tmp_path: Path, views: Views) -> None:
    made = trainer(tmp_path, views)
    with DevicesAreNamed():
        made.run(max_steps=2)
        made.scores()
        with_errors(made)
    with pytest.raises(AssertionError, match="without a device"), DevicesAreNamed():
        torch.zeros(3)
