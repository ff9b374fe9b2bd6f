"""Files appear whole or not at all: write to a temporary sibling, then rename; check before long work."""

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mien.core.errors import InputError


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, renamed to `path` on success and removed on any failure.

    The temporary name keeps the suffix, so writers that choose the format by suffix work. Missing parent
    folders are made. Raises InputError if `path` is a folder or its folder cannot be written to.
    """
    target = Path(path)
    _check_target(target)
    temporary = target.with_name(f".{target.stem[:80]}.{secrets.token_hex(4)}.part{target.suffix}")
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def check_output(output: Path, *, suffixes: tuple[str, ...], inputs: Iterable[Path] = ()) -> None:
    """Refuse, before any work, an output that cannot be written or that is one of the inputs: InputError."""
    _refuse_folder(output)
    if output.suffix.lower() not in suffixes:
        raise InputError(
            f"{output} has the suffix {output.suffix!r}; expected {'one of ' * (len(suffixes) > 1)}"
            f"{', '.join(suffixes)}. "
            "Choose another output name."
        )
    if not output.parent.is_dir():
        raise InputError(f"The folder {output.parent} does not exist; make it first or choose another.")
    if output.resolve() in {path.resolve() for path in inputs}:
        raise InputError(
            f"{output} is the input itself and would be overwritten; choose another output path."
        )


def _refuse_folder(target: Path) -> None:
    if target.is_dir():
        raise InputError(f"{target} is a folder, but a file is to be written there; give a file name.")


def _check_target(target: Path) -> None:
    _refuse_folder(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"The folder {target.parent} cannot be made ({error.strerror}); choose another output path."
        ) from error
    if not os.access(target.parent, os.W_OK):
        raise InputError(f"The folder {target.parent} cannot be written to; choose another output path.")
