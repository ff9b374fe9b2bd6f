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

What `mien models import FILE -o out.safetensors` says to {count} hostile or broken files. The tests make
them (`tests/generator/official/hostile_*.py`) and check for each that the exit code is 2, that nothing was
run, imported or written, and that the sentence names the reason. The longest took {slowest:.1f} s of one
core here. Sentences are shown without what is the same for all.
Written by `python -m scripts.list_hostile_files`.
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
