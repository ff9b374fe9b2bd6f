"""Data flows one way: each package imports only those before it."""

import ast
from pathlib import Path

import pytest

import mien

ORDER = (
    "core",
    "io",
    "tracking",
    "morphable",
    "generator",
    "training",
    "inversion",
    "animation",
    "attributes",
    "evaluation",
    "pipeline",
    "apps",
)
ROOT = Path(mien.__file__).parent
ABOVE_ALL = ("__init__", "__main__")  # the public names and `python -m mien`


def modules() -> list[Path]:
    return sorted(p for p in ROOT.rglob("*.py") if p.relative_to(ROOT).parts[0][:-3] not in ABOVE_ALL)


def part_of(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def imported_parts(path: Path) -> set[str]:
    """Parts of mien that a module imports anywhere, also inside functions and under TYPE_CHECKING."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively; write the full name"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("mien.")} - {"__version__"}


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    part = part_of(path)
    assert part in ORDER, f"{part} has no place in the order; put it there first"
    allowed = set(ORDER[: ORDER.index(part) + 1])
    wrong = imported_parts(path) - allowed
    assert not wrong, f"{part} may not import {sorted(wrong)}"


def test_the_walk_sees_imports(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        "def f():\n    from mien.io.images import Photo\n    import mien.apps.cli\n    from mien import core"
    )
    assert imported_parts(path) == {"io", "apps", "core"}
