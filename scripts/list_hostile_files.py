"""Write docs/hostile_files.md: every hostile or broken file of the tests, and what `mien models import`
says to it.

Run from the root of the repository: python -m scripts.list_hostile_files
"""

import contextlib
import io
import os
import sys
import tempfile
from pathlib import Path

from tests.generator.official.hostile_flats import FLATS
from tests.generator.official.hostile_models import MODELS
from tests.generator.official.hostile_pickles import CALLING, Hostile
from tests.generator.official.hostile_sizes import SIZES

from mien.apps.cli import run
from mien.core.atomic import atomic_path

LIST = Path(__file__).parent.parent / "docs" / "hostile_files.md"
GROUPS = {
    "Pickles that want something run": CALLING,
    "Pickles that lie about sizes, want endless time or memory, or are broken": SIZES,
    "Wrong models, and zips and streams of torch": MODELS,
    "Safetensors that lie, and files that are no checkpoints": FLATS,
}
HEAD = """# Hostile files

Made by the tests (`tests/generator/official/hostile_*.py`), {count} in all; this list is written by `python
-m scripts.list_hostile_files`. Each was given to `mien models import FILE -o out.safetensors`: exit code 2,
the sentence shown, nothing run, imported or written. The longest took {slowest:.1f} s here, one core. Lines
end where the file's name and the advice are the same for all.
"""


def main() -> None:
    """Give every file to the command and write the table."""
    parts, slowest, count = [], 0.0, 0
    with tempfile.TemporaryDirectory() as place:
        for title, cases in GROUPS.items():
            parts += [
                f"\n## {title}\n",
                "| file | it | bytes | what mien says |",
                "| --- | --- | --- | --- |",
            ]
            for case in cases:
                row, seconds = describe(case, Path(place))
                parts.append(row)
                slowest, count = max(slowest, seconds), count + 1
    with atomic_path(LIST) as temporary:
        temporary.write_text(
            HEAD.format(count=count, slowest=slowest) + "\n".join(parts) + "\n", encoding="utf-8"
        )


def describe(case: Hostile, place: Path) -> tuple[str, float]:
    """The row of a file, and the processor's seconds that it took."""
    source = place / f"hostile{case.suffix}"
    source.write_bytes(case.make(Path("folder")))
    said = io.StringIO()
    start = os.times()
    with contextlib.redirect_stderr(said):
        code = run(["models", "import", str(source), "-o", str(place / "out.safetensors")])
    seconds = os.times().user + os.times().system - start.user - start.system
    if code != 2 or sorted(place.iterdir()) != [source]:
        sys.exit(f"{case.name}: exit code {code}, files {sorted(place.iterdir())}")
    size = source.stat().st_size
    source.unlink()
    sentence = said.getvalue().strip().removeprefix("mien: ").replace(f"{place}{os.sep}", "")
    short = sentence.partition("; nothing of it was run")[0].removeprefix(
        f"hostile{case.suffix} is refused: "
    )
    return f"| {case.name} | {case.tries} | {size:,} | {cell(short)} |", seconds


def cell(text: str) -> str:
    """Text that can stand in a table."""
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    main()
