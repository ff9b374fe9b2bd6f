"""`mien sample`: look at random heads of the generator."""

from pathlib import Path

import click

from mien.apps.options import DeviceChoice, device_option, model_option, seed_option, truncation_option


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="Picture to write: one head a row, five views, depth and normals.",
)
@click.option("--count", type=click.IntRange(1, 64), default=8, show_default=True, help="How many heads.")
@truncation_option
@model_option
@device_option
@seed_option
def command(
    output: Path, count: int, truncation: float, model: Path | None, device: DeviceChoice, seed: int
) -> None:
    """Render random people who do not exist, to see what the generator knows."""
    from mien.core.device import resolve_device
    from mien.generator.people import write_samples  # heavy imports wait until the command runs

    place = resolve_device(device)
    write_samples(output, count=count, truncation=truncation, seed=seed, model=model, device=place)
    click.echo(f"{output}: {count} heads")
