"""What a long job keeps beside its output, so that, killed, it goes on where it was to the same bytes."""

import json
import shutil
from collections.abc import Callable, Mapping
from glob import escape
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from mien import __version__
from mien.core.assets import sha256_of_file
from mien.core.atomic import atomic_path
from mien.core.errors import AssetError, CheckpointError, InputError, ResumeError

MANIFEST: Final = "manifest.json"
NAME: Final = "name"
"""Key of facts that are only for people: a file that was renamed is the same file."""
SHOWN: Final = 3
"""Differences that are told."""

Facts = Mapping[str, Any]
"""What a part of the work depends on, as JSON: hashes of inputs, settings, hashes of weights."""


class KeptWork:
    """Parts of a job in a hidden folder beside `output`, each with a manifest of what it depends on.

    A part is gone on with while its facts are the same; otherwise it is begun anew, which is said through
    `say`. `resume` True refuses that instead (ResumeError), and that there is nothing to go on with; False
    throws away all that was kept. As a context manager: the folder is deleted when the job is done and when
    its input turns out to be wrong, and stays when it is killed or interrupted.
    """

    def __init__(
        self, output: Path, *, resume: bool | None = None, say: Callable[[str], None] = lambda sentence: None
    ) -> None:
        self.folder = output.with_name(f".{output.name}.resume")
        self._output, self._resume, self._say = output, resume, say
        self._facts: dict[str, Facts] = {}
        if resume is False:
            self.remove()
        if resume and not any(output.parent.glob(f".{escape(output.name)}.*/")):
            raise ResumeError(
                f"Nothing of {output} was kept, expected the folder {self.folder.name} beside it; leave out "
                "--resume to start."
            )
        if self.folder.is_dir():  # a job was killed, and left the output that it was writing
            for stale in output.parent.glob(f".{escape(output.stem[:80])}.*.part{output.suffix}"):
                stale.unlink(missing_ok=True)

    def __enter__(self) -> "KeptWork":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, InputError | AssetError | CheckpointError):
            self.remove()

    def part(self, name: str, facts: Facts) -> Path:
        """The folder of a part that depends on `facts`; empty unless it was begun with the same ones."""
        facts = json.loads(json.dumps({"mien": __version__, **facts}))
        folder = self.folder / name
        if folder.is_dir():
            changes = _differences(_read(folder / MANIFEST), facts)
            if changes:
                self._begin_anew(folder, changes)
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.glob(".*.part*"):
            stale.unlink(missing_ok=True)
        with atomic_path(folder / MANIFEST) as temporary:
            temporary.write_text(json.dumps(facts, indent=1))
        self._facts[name] = facts
        return folder

    def write_manifest(self, path: Path) -> None:
        """Write what the parts depended on, and the output's hash, as JSON."""
        output = {NAME: self._output.name, "sha256": sha256_of_file(self._output)}
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps({"output": output, **self._facts}, indent=1) + "\n")

    def remove(self) -> None:
        """Delete all that is kept."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _begin_anew(self, folder: Path, changes: list[str]) -> None:
        more = f" and {len(changes) - SHOWN} more" if len(changes) > SHOWN else ""
        what = f"{'; '.join(changes[:SHOWN])}{more}"
        if self._resume:
            raise ResumeError(
                f"What was kept of {self._output} is of another job: {what}. Give the same inputs and "
                "options to go on, or --no-resume to start anew."
            )
        self._say(f"What was kept of {self._output} is of another job and not used: {what}.")
        shutil.rmtree(folder)


def _read(path: Path) -> Facts:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, Mapping) else {}


def _differences(old: Facts, new: Facts) -> list[str]:
    """Sentences such as "settings.smoothing was 1.0 and is 2.0"; names do not count."""
    was, now = dict(_leaves(old)), dict(_leaves(new))
    return [
        f"{key} was {_short(was.get(key))} and is {_short(now.get(key))}"
        for key in [*now, *(key for key in was if key not in now)]
        if was.get(key) != now.get(key)
    ]


def _leaves(facts: Any, path: str = "") -> list[tuple[str, Any]]:
    if not isinstance(facts, Mapping):
        return [(path, facts)]
    return [
        leaf
        for key, value in facts.items()
        if key != NAME
        for leaf in _leaves(value, f"{path}.{key}" if path else str(key))
    ]


def _short(value: Any) -> str:
    text = "missing" if value is None else str(value)
    return text if len(text) <= 16 else f"{text[:12]}..."
