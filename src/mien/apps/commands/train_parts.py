"""`mien train parts`."""

from pathlib import Path

import click

from mien.apps.options import command_line, seed_option


@click.command(name="parts")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True,
    help="Folder of the run: at the end people_parts.safetensors.",
)  # fmt: skip
@click.option("--heads", type=click.IntRange(1), default=80, show_default=True, help="Heads to draw.")
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True, help="Processes to use.")
@seed_option
def parts(out: Path, heads: int, threads: int, seed: int) -> None:
    """Draw the heads whose skin, eyes, hair and clothes random people are put together from.

    They are the first heads of `mien train heads` with the same seed, painted over the chart under one light.
    """
    from mien.training.parts import PartsPlan, train_parts  # heavy imports wait until the command runs

    command = command_line()
    done = train_parts(out, PartsPlan(heads=heads, seed=seed), workers=threads, command=command)
    click.echo(f"{done.path}: {done.bytes / 2**20:.2f} MiB, {done.heads} heads")
