from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from mien.apps.cli import run
from mien.core.checkpoint import read_header
from mien.core.errors import InputError
from mien.generator.model import GeneratorConfig, load_generator
from mien.generator.superres import SuperResolution, SuperResolutionConfig
from mien.training.config import DistilConfig
from mien.training.distil import Distiller
from mien.training.finish import FinishConfig, finish
from mien.training.mapping_fit import MappingFitConfig
from mien.training.run import TrainPlan, held_out_heads, train_distil, write_progress_sheet
from mien.training.state import read_state
from mien.training.superres_fit import Pairs, SuperResolutionFitConfig, fit_superres

Make = Callable[..., Distiller]
QUICK = FinishConfig(
    MappingFitConfig(steps=5),
    SuperResolutionFitConfig(pairs=2, check_pairs=1, size_px=32, patch_px=16, batch=2, steps=3),
)


@pytest.fixture
def trained(make_distiller: Make, tmp_path: Path) -> Distiller:
    distiller = make_distiller(tmp_path / "run")
    distiller.run(max_steps=1)
    return distiller


@pytest.mark.usefixtures("_one_thread")
def test_export(trained: Distiller, data_folder: Path, tmp_path: Path) -> None:
    small: GeneratorConfig = trained.generator.config
    before = (trained.folder / "state.safetensors").read_bytes()
    paths = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    for path in paths:
        done = finish(
            trained.folder, data_folder, path, config=QUICK, generator_config=small, command="mien test"
        )
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert (trained.folder / "state.safetensors").read_bytes() == before
    training = read_header(paths[0])["training"]
    assert training["command"] == "mien test"
    assert training["step"] == done.steps == 1
    assert training["data"]["heads"] == 6
    assert done.bytes == paths[0].stat().st_size
    loaded, codes = load_generator(paths[0]), read_state(trained.folder).codes
    torch.testing.assert_close(loaded.mapping.w_avg, codes.mean(0), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(loaded.w_std, codes.std(0).clamp(min=1e-3), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(
        loaded.backbone.basis_uv, trained.generator.backbone.basis_uv, atol=1e-2, rtol=1e-3
    )


def test_another_set_is_refused(make_distiller: Make, data_folder: Path, tmp_path: Path) -> None:
    two_apart = DistilConfig(minutes=1.0, held_out=2)
    distiller = make_distiller(tmp_path / "run", two_apart)
    distiller.config = DistilConfig(minutes=1.0, held_out=1)
    distiller.save()
    with pytest.raises(InputError, match=r"has latents of 4 heads, but .* has 5"):
        finish(tmp_path / "run", data_folder, tmp_path / "o.safetensors", generator_config=None)


@pytest.fixture
def _one_thread() -> Iterator[None]:
    """Sums in one order, whatever else the machine does."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _short_sheets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.training.run.SHEET_HEADS", 1)


def test_progress_sheet(trained: Distiller) -> None:
    write_progress_sheet(trained)
    assert (trained.folder / "samples.jpg").stat().st_size > 10_000


def test_superres_learns_to_sharpen() -> None:
    """Discs with hard edges, seen small: the learned picture is nearer to the truth than the bilinear one."""
    random = torch.Generator().manual_seed(0)
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    large = []
    for _ in range(8):
        cx, cy = 20 + 24 * torch.rand(2, generator=random)
        alpha = ((x - cx) ** 2 + (y - cy) ** 2 < 225).float()
        colour = torch.rand(3, 1, 1, generator=random)
        large.append(torch.cat([colour * alpha, alpha[None]]))
    big = torch.stack(large)
    small = F.avg_pool2d(big, 2)
    torch.manual_seed(0)
    config = SuperResolutionFitConfig(check_pairs=2, patch_px=16, batch=2, steps=80, lr=8e-3)
    report = fit_superres(SuperResolution(SuperResolutionConfig(8)), Pairs(small, big), config)
    assert report.learned < 0.8 * report.bilinear


def test_held_out_heads() -> None:
    assert [held_out_heads(n) for n in (4, 16, 640)] == [1, 1, 40]


def test_commands_say_what_is_wrong(
    data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o.safetensors"
    assert run(["train", "finish", str(tmp_path), "--data", str(data_folder), "-o", str(out)]) == 2
    assert "no readable state of a training run" in capsys.readouterr().err
    assert run(["train", "distil", "--out", str(tmp_path), "--heads", "2"]) == 2
    assert "2 is not in the range x>=4" in capsys.readouterr().err
    assert not out.exists()


def test_the_whole_way(tmp_path: Path) -> None:
    """Heads, distillation, finish, at the least size; called again, only the end is done again."""
    plan = TrainPlan(heads=4, views=1, minutes=1e-3, threads=1, finish=QUICK)
    first = train_distil(tmp_path, plan=plan)
    names = {p.name for p in tmp_path.iterdir()}
    assert names == {"heads", "state.safetensors", "samples.jpg", "mien-base.safetensors"}
    before = first.path.read_bytes()
    again = train_distil(tmp_path, plan=plan)
    assert again.steps == first.steps
    assert len(again.path.read_bytes()) == len(before)
    assert load_generator(again.path).config == GeneratorConfig()
