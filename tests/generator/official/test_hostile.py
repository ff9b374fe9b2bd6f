"""Hostile and broken files through the command line: refused by name, nothing run, nothing written."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.generator.official.hostile_flats import FLATS
from tests.generator.official.hostile_models import MODELS
from tests.generator.official.hostile_pickles import CALLING, EVIL_MODULE, MARKER, Hostile
from tests.generator.official.hostile_sizes import SIZES
from tests.generator.official.official_files import (
    SOURCE,
    Persistent,
    checkpoint,
    generator,
    module_state,
    pickled,
    tiny_kwargs,
)

from mien.apps.cli import COMMANDS, run
from mien.core.errors import CheckpointError
from mien.generator.official import importing, library, values
from mien.generator.official.source import read_source

CASES = [*CALLING, *SIZES, *MODELS, *FLATS]
IMPORTED_BY_THE_COMMAND = (importing, library)  # so that later only a hostile file could import more
STRONG_EVENTS = {
    "builtins.input", "cpython.run_command", "ctypes.dlopen", "marshal.loads", "os.exec", "os.fork",
    "os.posix_spawn",
    "os.remove", "os.rename", "os.rmdir", "os.spawn", "os.startfile", "os.system", "pickle.find_class",
    "shutil.rmtree", "socket.connect", "subprocess.Popen", "urllib.Request", "webbrowser.open",
}  # fmt: skip
"""Audit events of Python that no import may cause."""

_heard: list[str] | None = None


def _listen(event: str, arguments: tuple[object, ...]) -> None:
    if _heard is not None and event in STRONG_EVENTS:
        _heard.append(event)


sys.addaudithook(_listen)  # cannot be taken off again; it is deaf outside the fixture


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """The strong audit events of one test."""
    global _heard
    _heard = []
    yield _heard
    _heard = None


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a module in it that leaves a marker when it is imported."""
    (tmp_path / f"{EVIL_MODULE}.py").write_text(
        f"open({str(tmp_path / MARKER)!r}, 'w').close()\nrun = print\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    # Types are checked in tests, which makes a step thirty times slower. The endless files stay endless.
    monkeypatch.setattr(values, "MAX_STEPS", 40_000)
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_names_are_unique_and_many() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
    assert len(names) >= 30


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_refused(case: Hostile, folder: Path, heard: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    COMMANDS["models"].load()
    source = folder / f"hostile{case.suffix}"
    source.write_bytes(case.make(folder))
    before, modules = sorted(folder.rglob("*")), set(sys.modules)
    heard.clear()
    assert run(["models", "import", str(source), "-o", str(folder / "out.safetensors")]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert_one_sentence(err)
    assert re.search(case.reason, err), err
    assert heard == []
    assert sorted(folder.rglob("*")) == before
    assert set(sys.modules) == modules


def assert_one_sentence(err: str) -> None:
    assert err.startswith("mien: ")
    assert err.endswith(".\n")
    assert err.count("\n") == 1
    assert err.isascii() or err.replace("\n", "").isprintable()
    assert "\x1b" not in err
    assert "Traceback" not in err
    assert 30 < len(err) < 700, err


def test_the_files_are_hostile_to_pickle(folder: Path) -> None:
    """The marker can appear: Python's own reader runs what the files ask for."""
    import pickle

    case = next(case for case in CASES if case.name == "call builtins.exec")
    pickle.loads(case.make(folder))  # noqa: S301
    assert (folder / MARKER).exists()


def test_the_audit_hears(heard: list[str]) -> None:
    import pickle

    pickle.loads(b"cbuiltins\nlen\n.")  # noqa: S301
    assert heard == ["pickle.find_class"]


def test_missing_file_and_folder(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "folder.pkl").mkdir()
    for name, reason in (("gone.pkl", "cannot be opened"), ("folder.pkl", "is a folder")):
        assert run(["models", "import", name, "-o", "out.safetensors"]) == 2
        assert reason in capfd.readouterr().err
    assert not (folder / "out.safetensors").exists()


def test_mutations_end_in_a_sentence(tmp_path: Path) -> None:
    """Whatever is changed in a file, it is read or refused; nothing else is ever raised."""
    layer = Persistent("Layer", **module_state({"weight": torch.ones(2, 3), "w_avg": torch.zeros(4)}, {}))
    whole = pickled(checkpoint(generator({"a.weight": torch.ones(3, 2)}, tiny_kwargs()), G=layer))
    random = np.random.default_rng(5)
    outcomes = set()
    for _ in range(100):
        data = bytearray(whole.replace(SOURCE.encode(), b"#" * len(SOURCE)))
        for at in random.integers(0, len(data), random.integers(1, 6)):
            data[at] = random.integers(0, 256)
        (tmp_path / "a.pkl").write_bytes(data)
        try:
            outcomes.add(read_source(tmp_path / "a.pkl").model.class_name)
        except CheckpointError as error:
            outcomes.add(type(error).__name__)
    assert "UnsafeFileError" in outcomes
    assert "TriPlaneGenerator" in outcomes
