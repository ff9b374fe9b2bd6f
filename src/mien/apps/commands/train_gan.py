"""`mien train gan`: adversarial training in EG3D's way."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from mien.apps.options import DeviceChoice, device_option, seed_option

PRESETS: Final = ("ffhq512", "toy")
"""Names in `mien.training.gan.config`, whose import would cost `--help` a second."""
SHOWN: Final = ("loss_generator", "loss_fake", "loss_real", "swd")


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True,
              help="Folder of the run: state, log, sample sheets, generator.safetensors.")  # fmt: skip
@click.option("--preset", type=click.Choice(PRESETS), default="ffhq512", show_default=True,
              help="Sizes and schedules: EG3D's for 512 px, or a small one of 64 px for a CPU.")  # fmt: skip
@click.option("--kimg", type=click.FloatRange(0.0, min_open=True), default=25_000.0, show_default=True,
              help="Thousand real images to show in all.")  # fmt: skip
@click.option(
    "--batch", type=click.IntRange(1), help="Images per step, over all processes. [default: preset]"
)
@click.option("--chunk", type=click.IntRange(1),
              help="Images in the networks at a time; less needs less memory. [default: preset]")  # fmt: skip
@click.option("--gamma", type=click.FloatRange(0.0), help="Weight of the R1 penalty. [default: preset]")
@click.option("--mirror/--no-mirror", default=True, show_default=True, help="Use mirrored pictures too.")
@click.option("--held-out", type=click.Path(path_type=Path),
              help="Folder of other pictures with labels; the log tells the distance to them.")  # fmt: skip
@click.option("--log-every", type=click.IntRange(1), default=50, show_default=True, help="Steps.")
@click.option("--sheet-every", type=click.IntRange(1), default=500, show_default=True, help="Steps.")
@click.option("--checkpoint-every", type=click.IntRange(1), default=500, show_default=True, help="Steps.")
@click.option("--keep-every", type=click.IntRange(1), default=10_000, show_default=True,
              help="Steps between two generators that are kept for good.")  # fmt: skip
@click.option("--metric-every", type=click.IntRange(1), default=2000, show_default=True,
              help="Steps between two measurements against --held-out.")  # fmt: skip
@click.option("--threads", type=click.IntRange(1), help="Threads on a CPU. [default: PyTorch's]")
@device_option
@seed_option
def gan(
    dataset: Path, output: Path, preset: str, kimg: float, batch: int | None, chunk: int | None,
    gamma: float | None, mirror: bool, held_out: Path | None, log_every: int, sheet_every: int,
    checkpoint_every: int, keep_every: int, metric_every: int, threads: int | None, device: DeviceChoice,
    seed: int,
) -> None:  # fmt: skip
    """Train an EG3D generator on DATASET, a folder of photos with cameras.

    DATASET is what `mien align FOLDER` writes: square pictures of one size, and dataset.json with EG3D's
    label of each. Interrupted, the same command goes on where it was. Several GPUs:

    \b
    torchrun --nproc_per_node=8 -m mien train gan DATASET -o RUN
    """
    from mien.training.gan import config as configs  # heavy imports wait until the command runs
    from mien.training.gan.run import GanPlan, distance_to, train_gan

    base = configs.PRESETS[preset]
    config = configs.checked(
        replace(
            configs.with_batch(base, batch or base.batch, chunk),
            loss=base.loss if gamma is None else replace(base.loss, r1_gamma=gamma),
            mirror=mirror,
            seed=seed,
        )
    )
    metric, count = (None, 0) if held_out is None else distance_to(held_out, config.generator.image_px)
    plan = GanPlan(
        kimg=kimg, log_every=log_every, sheet_every=sheet_every, checkpoint_every=checkpoint_every,
        keep_every=keep_every, metric_every=metric_every, metric_images=count, device=device, threads=threads,
    )  # fmt: skip
    done = train_gan(dataset, output, config, plan, metric=metric, on_log=_echo)
    if done.is_first:
        click.echo(f"{done.generator}: {done.steps} steps, {done.images} images in {done.hours:.2f} h")


def _echo(row: dict[str, Any]) -> None:
    figures = ", ".join(f"{name} {row[name]:.3f}" for name in SHOWN if name in row)
    click.echo(f"step {row['step']}, {row['kimg']:g} kimg, {row['minutes']} min: {figures}", err=True)
