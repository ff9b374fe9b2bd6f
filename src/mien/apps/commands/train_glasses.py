"""`mien train glasses`."""

from pathlib import Path
from typing import Any

import click

from mien.apps.options import command_line, seed_option


@click.command(name="glasses")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True,
    help="Folder of the run: at the end glasses_finder.safetensors.",
)  # fmt: skip
@click.option(
    "--data", type=click.Path(path_type=Path),
    help="Folder of the pictures of eyes; rendered there if they are missing.  [default: OUT/strips]",
)  # fmt: skip
@click.option("--heads", type=click.IntRange(2), default=160, show_default=True, help="Heads to learn from.")
@click.option(
    "--steps", type=click.IntRange(1), default=2000, show_default=True, help="Length of the training."
)
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True,
              help="Processes that render.")  # fmt: skip
@seed_option
def glasses(out: Path, data: Path | None, heads: int, steps: int, threads: int, seed: int) -> None:
    """Learn to see glasses in photos from procedural heads with and without them.

    The eyes of each head are rendered bare and with random glasses; a small network learns to tell rims, arms
    and lenses. It takes half an hour and goes on where it was interrupted.
    """
    from mien.training.glasses.crops import CropConfig, build_crops  # heavy imports wait
    from mien.training.glasses.train import GlassesTraining, train_glasses

    data = data or out / "strips"
    build_crops(data, CropConfig(heads=heads, seed=seed), workers=threads)
    out.mkdir(parents=True, exist_ok=True)
    done = train_glasses(
        out, data, config=GlassesTraining(heads=heads, steps=steps, seed=seed),
        command=command_line(),
        on_log=_echo,
    )  # fmt: skip
    s = done.scores
    click.echo(
        f"{done.path}: {done.bytes / 2**10:.0f} KiB; on other heads: overlap {s.iou}, "
        f"{100 * s.worn_seen:.1f} % of glasses seen, "
        f"{100 * s.false_alarms:.1f} % of bare faces taken for wearing some"
    )


def _echo(row: dict[str, Any]) -> None:
    click.echo(f"step {row['step']}: cost {row['cost']}", err=True)
