"""`mien sample`: look at random heads of the generator."""

from pathlib import Path

import click

from mien.apps.options import seed_option


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="Picture to write: one head a row, five views, depth and normals.",
)
@click.option("--count", type=click.IntRange(1, 64), default=8, show_default=True, help="How many heads.")
@click.option(
    "--truncation",
    type=click.FloatRange(0.0, 1.5),
    default=0.7,
    show_default=True,
    help="How far from the average look heads may be: 0 is the average, 1 the whole range.",
)
@click.option(
    "--model",
    "weights",
    type=click.Path(path_type=Path),
    help="Generator file, such as one made by `mien train`; without it the bundled mien-base.",
)
@seed_option
def command(output: Path, count: int, truncation: float, weights: Path | None, seed: int) -> None:
    """Render random people who do not exist, to see what the generator knows."""
    from mien.generator.samples import write_samples  # heavy imports wait until the command runs

    write_samples(output, count=count, truncation=truncation, seed=seed, weights=weights)
    click.echo(f"{output}: {count} heads")
