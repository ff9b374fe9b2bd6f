"""A progress bar for work that reports its stages."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from tqdm import tqdm

from mien.core.progress import is_visible


@contextmanager
def stage_bar(title: str) -> Iterator[Callable[[str, float], None]]:
    """Gives a function of (stage, share done in [0, 1]) that moves a bar on stderr."""
    bar = tqdm(
        total=100,
        desc=title,
        disable=not is_visible(),
        leave=False,
        bar_format="{desc} {percentage:3.0f}%|{bar}|",
    )

    def report(stage: str, share: float) -> None:
        bar.set_description_str(f"{title}: {stage}")
        bar.update(max(int(100 * share) - bar.n, 0))

    try:
        yield report
    finally:
        bar.close()


def said(sentence: str) -> None:
    """Show a sentence that is no error, on stderr."""
    click.echo(f"mien: {sentence}", err=True)
