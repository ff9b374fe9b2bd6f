"""`mien train covers`."""

from pathlib import Path
from typing import Any

import click

from mien.apps.options import command_line, seed_option


@click.command(name="covers")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True,
    help="Folder of the run: at the end cover_finder.safetensors.",
)  # fmt: skip
@click.option(
    "--data", type=click.Path(path_type=Path),
    help="Folder of the pictures of heads; rendered there if they are missing.  [default: OUT/squares]",
)  # fmt: skip
@click.option("--heads", type=click.IntRange(2), default=170, show_default=True, help="Heads to learn from.")
@click.option(
    "--steps", type=click.IntRange(1), default=2600, show_default=True, help="Length of the training."
)
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True,
              help="Processes that render, and threads that train.")  # fmt: skip
@click.option("--start", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="A cover_finder.safetensors to train on.")  # fmt: skip
@click.option("--lr", type=click.FloatRange(0, min_open=True), default=3e-3, show_default=True,
              help="Largest learning rate.")  # fmt: skip
@seed_option
def covers(
    out: Path,
    data: Path | None,
    heads: int,
    steps: int,
    threads: int,
    start: Path | None,
    lr: float,
    seed: int,
) -> None:
    """Learn to see hands and things before faces, from procedural heads with and without them.

    Each head is rendered bare and with random hands and things before its face; a small network learns which
    pixels show those. It takes an hour and goes on where it was interrupted.
    """
    from mien.training.covers.crops import CoverCropConfig, build_squares  # heavy imports wait
    from mien.training.covers.train import CoverTraining, train_covers

    data = data or out / "squares"
    build_squares(data, CoverCropConfig(heads=heads, seed=seed), workers=threads)
    out.mkdir(parents=True, exist_ok=True)
    done = train_covers(
        out, data,
        config=CoverTraining(heads=heads, steps=steps, threads=threads, start=start, lr=lr, seed=seed),
        command=command_line(),
        on_log=_echo,
    )  # fmt: skip
    s = done.scores
    click.echo(
        f"{done.path}: {done.bytes / 2**10:.0f} KiB; on other heads: overlap {s.iou}, "
        f"{100 * s.seen:.1f} % of what is held seen, "
        f"{100 * s.false_alarms:.1f} % of bare faces taken for hidden"
    )


def _echo(row: dict[str, Any]) -> None:
    click.echo(f"step {row['step']}: cost {row['cost']}", err=True)
