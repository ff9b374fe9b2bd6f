"""`mien info`: what an avatar file holds."""

from pathlib import Path

import click


@click.command()
@click.argument("avatar", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(avatar: Path, as_json: bool) -> None:
    """Print what AVATAR holds: sizes, fit, latent, and where it comes from."""
    import json

    from mien.animation.kinds import read_avatar
    from mien.pipeline import describe

    facts = describe(read_avatar(avatar))
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        click.echo(f"{name:<{width}}  {value}")
