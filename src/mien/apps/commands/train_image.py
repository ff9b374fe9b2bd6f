"""`mien train image-encoder`."""

from pathlib import Path
from typing import Any

import click

from mien.apps.options import DeviceChoice, command_line, device_option, seed_option


@click.command(name="image-encoder")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True,
    help="Folder of the run: state, log, and at the end image_encoder.safetensors.",
)  # fmt: skip
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="Folder of a set of heads (train heads)."
)
@click.option("--minutes", type=click.FloatRange(0.0, min_open=True), default=60.0, show_default=True,
              help="Length of the training.")  # fmt: skip
@click.option("--batch", type=click.IntRange(2), default=256, show_default=True, help="Crops per step.")
@click.option("--stop-after", type=click.FloatRange(0.0, min_open=True),
              help="Stop after so many minutes, loading included; the same command goes on.")  # fmt: skip
@device_option
@seed_option
def image_encoder(
    out: Path,
    data: Path,
    minutes: float,
    batch: int,
    stop_after: float | None,
    device: DeviceChoice,
    seed: int,
) -> None:
    """Learn points, pose, expression and identity from pictures of faces.

    Views of the heads, before other backgrounds and as if photographed, train a small network. Interrupted,
    the same command goes on where it was.
    """
    from mien.training.encoder.imageconfig import ImageTraining  # heavy imports wait
    from mien.training.encoder.imagerun import train_image_encoder

    done = train_image_encoder(
        out, data, config=ImageTraining(minutes=minutes, batch=batch, seed=seed), device=device,
        stop_after_s=None if stop_after is None else 60 * stop_after,
        command=command_line(),
        on_log=_echo,
    )  # fmt: skip
    s = done.scores
    click.echo(
        f"{done.path}: {done.bytes / 2**20:.2f} MiB, {done.steps} steps in {done.minutes} min; on other "
        f"heads: rotation {s.rotation_deg} degrees, points {s.points} of the eyes' distance, face at rest "
        f"{s.rest_mm} mm, expression {s.expression}"
    )


def _echo(row: dict[str, Any]) -> None:
    words = ", ".join(f"{name} {value}" for name, value in row.items() if name not in ("step", "minutes"))
    click.echo(f"step {row['step']}, {row['minutes']} min: {words}", err=True)
