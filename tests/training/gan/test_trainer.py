import copy
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import mien
from mien.core.errors import CheckpointError, InputError, ResumeError
from mien.generator.eg3d.checkpoint import load_eg3d
from mien.training.gan.config import PRESETS, TOY, GanConfig, checked, with_batch
from mien.training.gan.dataset import GanDataset
from mien.training.gan.processes import Processes, processes
from mien.training.gan.run import GanPlan, distance_to, read_log, train_gan
from mien.training.gan.schedules import ema_share
from mien.training.gan.state import read_state, write_state
from mien.training.gan.trainer import GanTrainer, lazy_adam, mended

FOUR_STEPS = GanPlan(kimg=0.016, log_every=1, sheet_every=4, checkpoint_every=2, threads=1)


@pytest.fixture
def trainer(pictures: Path, tiny_config: GanConfig) -> GanTrainer:
    return GanTrainer(tiny_config, GanDataset(pictures, mirror=True))


def all_state(trainer: GanTrainer, path: Path) -> dict[str, torch.Tensor]:
    write_state(path, trainer, spent_s=0.0)
    return load_file(path)


def assert_same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    assert not [name for name in a if not torch.equal(a[name], b[name])]


def test_a_run_that_is_interrupted_is_the_same_to_the_bit(
    pictures: Path, tiny_config: GanConfig, tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    done = train_gan(pictures, whole, tiny_config, FOUR_STEPS)
    assert (done.steps, done.images) == (4, 16)
    train_gan(pictures, parts, tiny_config, replace(FOUR_STEPS, kimg=0.008))
    with (parts / "log.jsonl").open("a") as log:  # killed after its last checkpoint, in the middle of a line
        log.write('{"step": 3, "kimg": 0.012}\n{"step": 4, "ki')
    train_gan(pictures, parts, tiny_config, FOUR_STEPS)
    for file in ("state.safetensors", "generator.safetensors"):
        assert_same(load_file(whole / file), load_file(parts / file))
    assert (whole / "samples_00000004.png").read_bytes() == (parts / "samples_00000004.png").read_bytes()
    logs = [
        [{k: v for k, v in row.items() if k != "minutes"} for row in read_log(folder / "log.jsonl")]
        for folder in (whole, parts)
    ]
    assert logs[0] == logs[1]
    assert [row["step"] for row in logs[0]] == [1, 2, 3, 4]
    assert {"loss_generator", "loss_fake", "loss_real", "swap", "neural_px"} <= logs[0][1].keys()
    assert ["r1" in row for row in logs[0]] == [True, False, False, True]
    assert ["density" in row for row in logs[0]] == [True, False, True, False]


def test_the_averaged_generator_is_a_generator_file(
    pictures: Path, tiny_config: GanConfig, tmp_path: Path
) -> None:
    done = train_gan(pictures, tmp_path / "run", tiny_config, replace(FOUR_STEPS, kimg=0.008))
    generator = load_eg3d(done.generator)
    state = load_file(tmp_path / "run" / "state.safetensors")
    for name, tensor in generator.state_dict().items():
        assert torch.equal(tensor, state[f"average.{name}"])
    assert generator.config.neural_resolution == 10
    assert replace(generator.config, neural_resolution=10) == tiny_config.generator


@pytest.mark.slow
def test_two_processes_do_what_one_does(pictures: Path, tmp_path: Path) -> None:
    """Through torch's own launcher and the command line; sums in another order, hence a tolerance."""
    plan = GanPlan(kimg=0.016, log_every=1, sheet_every=9, checkpoint_every=9, threads=1)
    config = replace(TOY, chunk=2, discriminator=replace(TOY.discriminator, group_size=4))
    train_gan(pictures, tmp_path / "one", config, plan)
    options = (
        "--preset toy --chunk 2 --kimg 0.016 --log-every 1 --sheet-every 9 --checkpoint-every 9 --threads 1"
    )
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "mien",
        "train", "gan", str(pictures), "-o", str(tmp_path / "two"), "--device", "cpu", *options.split(),
    ]  # fmt: skip
    source = str(Path(mien.__file__).parents[1])
    environment = {"PYTHONPATH": source, "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("generator.safetensors: 2 steps, 16 images") == 1
    one, two = (load_file(tmp_path / name / "state.safetensors") for name in ("one", "two"))
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-3, atol=2e-4, msg=name)
    rows = [read_log(tmp_path / name / "log.jsonl") for name in ("one", "two")]
    for a, b in zip(*rows, strict=True):
        assert a.keys() == b.keys()
        assert all(a[k] == pytest.approx(b[k], rel=1e-3, abs=1e-4) for k in a if k != "minutes")


def test_chunks_are_shared_equally() -> None:
    assert [list(Processes(rank, 2).chunks(4)) for rank in (0, 1)] == [[0, 1], [2, 3]]
    with pytest.raises(InputError, match="3 chunks of a batch cannot be shared by 2 processes"):
        Processes(0, 2).chunks(3)


def test_processes_must_come_from_the_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="not started by torch's launcher"), processes("cpu"):
        pass
    monkeypatch.delenv("WORLD_SIZE")
    with processes("cpu") as (group, device):
        assert (group, device) == (Processes(), torch.device("cpu"))


def test_averages_follow_the_generator(trainer: GanTrainer) -> None:
    s, batch = trainer.config.schedule, trainer.config.batch
    for _ in range(2):
        before, images = copy.deepcopy(trainer.average), trainer.images
        w_avg = trainer.generator.backbone.mapping.w_avg.clone()
        trainer.step()
        share = ema_share(images, batch=batch, half_life_kimg=s.ema_half_life_kimg, ramp_up=s.ema_ramp_up)
        for kept, old, new in zip(
            trainer.average.parameters(), before.parameters(), trainer.generator.parameters(), strict=True
        ):
            torch.testing.assert_close(kept, share * old + (1 - share) * new)
        now = trainer.generator.backbone.mapping.w_avg
        assert torch.equal(trainer.average.backbone.mapping.w_avg, now)
        moved = (now - 0.998 * w_avg) / 0.002
        assert 0.01 < float(moved.square().mean().sqrt()) < 3  # a mean of w, whose mean square is about 1
    assert 0 < share < 1


def test_both_networks_learn(trainer: GanTrainer) -> None:
    before = copy.deepcopy(trainer.generator), copy.deepcopy(trainer.discriminator)
    figures = trainer.step()
    assert figures["bad_gradients"] == 0
    for old, new in zip(before, (trainer.generator, trainer.discriminator), strict=True):
        changed = {
            n for (n, a), b in zip(old.named_parameters(), new.parameters(), strict=True) if not a.equal(b)
        }
        assert len(changed) > 0.8 * len(list(new.parameters()))


def test_lazy_steps_keep_the_optimisers_memory() -> None:
    network = torch.nn.Linear(1, 1)
    adam = lazy_adam(network, TOY.adam, 0.002, 16)
    group = adam.param_groups[0]
    assert group["lr"] == pytest.approx(0.002 * 16 / 17)
    assert group["betas"][0] == 0
    assert group["betas"][1] ** 17 == pytest.approx(0.99**16)  # 17 steps instead of 16


def test_bad_gradients_are_counted_and_mended() -> None:
    gradients = [torch.tensor([1.0, float("nan")]), torch.tensor([float("-inf")]), torch.ones(2)]
    assert mended(gradients) == 2
    assert torch.equal(torch.cat(gradients), torch.tensor([1.0, 0.0, -1e5, 1.0, 1.0]))


def test_a_state_of_another_run_is_refused(trainer: GanTrainer, tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    write_state(path, trainer, spent_s=1.0)
    other = GanTrainer(replace(trainer.config, seed=6), trainer.data)
    with pytest.raises(ResumeError, match="written with other settings"):
        read_state(path, other)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError):
        read_state(path, trainer)


def test_a_folder_with_another_run_is_refused(
    pictures: Path, own_pictures: Path, tiny_config: GanConfig, tmp_path: Path
) -> None:
    run, short = tmp_path / "run", replace(FOUR_STEPS, kimg=0.004)
    train_gan(pictures, run, tiny_config, short)
    other = replace(tiny_config, adam=replace(tiny_config.adam, lr_generator=0.1))
    with pytest.raises(ResumeError, match=r"other settings \(adam.lr_generator\)"):
        train_gan(pictures, run, other, short)
    labels = own_pictures / "dataset.json"
    found = json.loads(labels.read_text())
    found["labels"].reverse()
    labels.write_text(json.dumps(found))
    with pytest.raises(ResumeError, match="a run on other pictures"):
        train_gan(own_pictures, run, tiny_config, short)
    (run / "run.json").write_text("{}")
    with pytest.raises(ResumeError, match=r"run.json is damaged"):
        train_gan(pictures, run, tiny_config, short)
    with pytest.raises(InputError, match="is no run of `mien train gan`"):
        train_gan(pictures, own_pictures, tiny_config, short)


def test_a_metric_is_asked_now_and_then(pictures: Path, tiny_config: GanConfig, tmp_path: Path) -> None:
    metric, count = distance_to(pictures, 64)
    assert count == 6
    plan = replace(FOUR_STEPS, kimg=0.012, metric_every=2, metric_images=count, keep_every=2)
    train_gan(pictures, tmp_path / "run", tiny_config, plan, metric=metric)
    rows = read_log(tmp_path / "run" / "log.jsonl")
    assert ["swd" in row for row in rows] == [False, True, True]
    assert all(row["swd"] > 0 for row in rows[1:])
    kept = load_eg3d(tmp_path / "run" / "generator_00000002.safetensors")
    last = load_eg3d(tmp_path / "run" / "generator.safetensors")
    name = "decoder.net.0.weight"
    assert not torch.equal(kept.get_parameter(name), last.get_parameter(name))


def test_another_batch_keeps_the_average_as_many_steps_long() -> None:
    config = with_batch(GanConfig(), 16)
    assert (config.batch, config.chunk) == (16, 4)
    assert config.schedule.ema_half_life_kimg == 5  # EG3D: batch * 10 / 32
    assert with_batch(GanConfig(), 2).chunk == 2
    assert with_batch(TOY, TOY.batch, 4) == replace(TOY, chunk=4)


def test_settings_that_cannot_work_are_refused(tiny_config: GanConfig) -> None:
    wrong = {
        "multiple of its chunk": replace(tiny_config, batch=5),
        "group": replace(
            tiny_config, batch=6, chunk=3, discriminator=replace(tiny_config.discriminator, group_size=2)
        ),
        "equal sizes": replace(tiny_config, discriminator=replace(tiny_config.discriminator, image_px=32)),
        "'l1'": replace(
            tiny_config,
            generator=replace(
                tiny_config.generator,
                training=replace(tiny_config.generator.training, reg_type="total-variation"),
            ),
        ),
    }
    for sentence, config in wrong.items():
        with pytest.raises(InputError, match=sentence):
            checked(config)
    for preset in PRESETS.values():
        assert checked(preset) is preset
