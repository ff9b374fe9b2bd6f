"""`mien info`: what an avatar file holds."""

from pathlib import Path

import click


@click.command()
@click.argument("avatar", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(avatar: Path, as_json: bool) -> None:
    """Print what AVATAR holds: sizes, fit, latent, and where it comes from."""
    from mien.animation.kinds import read_avatar
    from mien.apps.facts import echo_facts
    from mien.pipeline import describe

    echo_facts(describe(read_avatar(avatar)), as_json=as_json)
