"""`mien models`: bring official EG3D checkpoints, and look after them."""

from pathlib import Path

import click

PRESET_NAMES = ("ffhq512-128", "ffhq512-64", "ffhq-prerelease")
"""As in `mien.generator.official.presets`, whose import would cost `--help` a second; a test compares
them."""


@click.group(name="models")
def command() -> None:
    """Import EG3D checkpoints that you have, and keep them in a folder of models.

    Nothing is downloaded, and nothing in a checkpoint is ever run.
    """


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path),
    help="Generator file to write: .safetensors.  [default: FILE's name in the folder of models]",
)  # fmt: skip
@click.option(
    "--config", "preset", type=click.Choice(PRESET_NAMES),
    help="For a bare state dict: the model that it was trained from.",
)  # fmt: skip
@click.option(
    "--option", "options", multiple=True, metavar="NAME=VALUE",
    help="For a bare state dict: a rendering option that differs, such as ray_start=2.25.",
)  # fmt: skip
def import_(file: Path, output: Path | None, preset: str | None, options: tuple[str, ...]) -> None:
    """Read the generator in FILE (an official .pkl, a file of torch.save, or safetensors) and write our own.

    Pickles are read by an interpreter that cannot import or call anything. Every name, shape and number is
    checked before the new file is written.
    """
    from mien.generator.official.importing import (
        import_checkpoint,
    )  # heavy imports wait until the command runs
    from mien.generator.official.library import new_model_path

    done = import_checkpoint(file, output or new_model_path(file), preset=preset, options=options)
    said = done.provenance
    click.echo(
        f"{done.path}: {said['network']} of class {said['class']}, {done.parameters / 1e6:.1f} M numbers, "
        f"{done.config.image_px} px from {done.config.neural_resolution} px\nLicence: {said['licence']}."
    )


@command.command("list")
def list_() -> None:
    """List the models in the folder of models."""
    from mien.generator.official.library import list_models, models_dir

    entries = list_models()
    if not entries:
        click.echo(f"No models in {models_dir()}; 'mien models import FILE' brings one.")
    width = max((len(entry.name) for entry in entries), default=0)
    for entry in entries:
        said = (entry.header or {}).get("provenance") or {}
        what = f"{said.get('class')} of {said.get('file')}" if entry.header else "damaged"
        click.echo(f"{entry.name:<{width}}  {entry.bytes / 2**20:6.1f} MiB  {what}")


@command.command()
@click.argument("model")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(model: str, as_json: bool) -> None:
    """Print where MODEL (a name in the folder, or a file) comes from, and how it is built and rendered."""
    from mien.apps.facts import echo_facts
    from mien.generator.official.library import find_model, model_facts

    echo_facts(model_facts(find_model(model)), as_json=as_json)


@command.command()
@click.argument("model")
def verify(model: str) -> None:
    """Read MODEL (a name in the folder, or a file) whole and check its hash, names, shapes and numbers."""
    from mien.generator.official.library import find_model, verify_model

    path = find_model(model)
    done = verify_model(path)
    hashed = "as imported" if done.hashed else "without a hash to compare"
    click.echo(f"{path}: {done.tensors} tensors, {done.parameters / 1e6:.1f} M finite numbers, {hashed}")


@command.command()
@click.argument("name")
def remove(name: str) -> None:
    """Delete the model NAME from the folder of models."""
    from mien.generator.official.library import remove_model

    click.echo(f"{remove_model(name)}: removed")
