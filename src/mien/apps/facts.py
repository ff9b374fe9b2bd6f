"""How commands print what they know of a file."""

import json
from collections.abc import Mapping
from typing import Any

import click


def echo_facts(facts: Mapping[str, Any], *, as_json: bool) -> None:
    """JSON, or one fact a line."""
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        click.echo(f"{name:<{width}}  {value}")
