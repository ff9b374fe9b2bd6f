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
@click.option(
    "--with",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="Draw people with this: age=70, hair=bob, skin=dark ... Repeat it for more names; an unknown name "
    "lists those that there are. For generators made by 'mien train prior'.",
)
@click.option(
    "--edit",
    "edits",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change this about the people who were drawn, and nothing else: the same seed without it shows them "
    "as they were.",
)
@click.option("--plain", is_flag=True, help="Leave people as smooth as the basis draws them.")
@truncation_option
@model_option
@device_option
@seed_option
def command(
    output: Path,
    count: int,
    given: tuple[str, ...],
    edits: tuple[str, ...],
    plain: bool,
    truncation: float,
    model: Path | None,
    device: DeviceChoice,
    seed: int,
) -> None:
    """Render random people who do not exist, to see what the generator knows."""
    from mien.core.device import resolve_device
    from mien.generator.people import write_samples  # heavy imports wait until the command runs

    place = resolve_device(device)
    write_samples(
        output, count=count, truncation=truncation, seed=seed, given=given, edits=edits, plain=plain,
        model=model, device=place,
    )  # fmt: skip
    click.echo(f"{output}: {count} heads")
