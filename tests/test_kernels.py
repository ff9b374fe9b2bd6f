"""Compiled loops give the same bits whether they were just compiled or loaded from the cache."""

import ast
from pathlib import Path
from typing import NamedTuple

import mien

ROOT = Path(mien.__file__).parent


class Kernel(NamedTuple):
    """A function compiled by numba: where it is, the keywords of its `njit` and the names it calls."""

    place: str
    keywords: dict[str, str]
    calls: frozenset[str]


def kernels_of(path: Path) -> dict[str, Kernel]:
    """The module's kernels by full name; calls too are full names, through the module's imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    module = ".".join(("mien", *path.relative_to(ROOT).with_suffix("").parts))
    imported = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    found = {}
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef):
            continue
        for mark in node.decorator_list:
            called = mark.func if isinstance(mark, ast.Call) else mark
            if not (isinstance(called, ast.Name) and called.id == "njit"):
                continue
            keywords = {k.arg or "**": ast.unparse(k.value) for k in getattr(mark, "keywords", [])}
            calls = frozenset(
                imported.get(c.func.id, f"{module}.{c.func.id}")
                for c in ast.walk(node)
                if isinstance(c, ast.Call) and isinstance(c.func, ast.Name)
            )
            found[f"{module}.{node.name}"] = Kernel(f"{path}:{node.lineno}", keywords, calls)
    return found


def all_kernels() -> dict[str, Kernel]:
    return {name: kernel for path in sorted(ROOT.rglob("*.py")) for name, kernel in kernels_of(path).items()}


def test_kernels_called_by_kernels_are_inlined() -> None:
    """Else the process that compiles runs the function compiled alone, a later one the copy in its caller's
    cache, which LLVM may have optimised otherwise: frames of a resumed job would differ in last bits."""
    kernels = all_kernels()
    called = {name for kernel in kernels.values() for name in kernel.calls if name in kernels}
    assert len(called) > 20
    apart = [
        kernels[name].place
        for name in sorted(called)
        if kernels[name].keywords.get("inline") != "'always'"
        and kernels[name].keywords.get("forceinline") != "True"
    ]
    assert not apart, "give these inline='always' or forceinline=True"


def test_kernels_called_from_python_are_cached() -> None:
    kernels = all_kernels()
    called = {name for kernel in kernels.values() for name in kernel.calls}
    slow = [
        kernel.place
        for name, kernel in kernels.items()
        if name not in called and kernel.keywords.get("cache") != "True"
    ]
    assert not slow, "give these cache=True, or every process compiles them"
