import importlib.util
import subprocess
import sys
from collections.abc import Callable

import click
import pytest

from mien import __version__
from mien.apps.cli import COMMANDS, cli, run
from mien.apps.lazy import LazyCommand
from mien.apps.options import device_option, seed_option
from mien.core.errors import InputError, MienError


@pytest.fixture
def add(monkeypatch: pytest.MonkeyPatch) -> Callable[[click.Command], None]:
    """Puts a command into the group for one test."""
    return lambda command: monkeypatch.setitem(cli.commands, command.name or "", command)


def raising(error: BaseException) -> click.Command:
    @click.command("boom")
    def boom() -> None:
        raise error

    return boom


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from mien.apps.cli import run; code = run(['--help']); "
        "heavy = {'torch', 'numpy', 'mediapipe', 'av', 'scipy', 'PIL', 'cv2'} & set(sys.modules); "
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name, command in COMMANDS.items():
        assert f"  {name}" in done.stdout
        assert command.help_line in done.stdout


def test_python_dash_m() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mien", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"mien, version {__version__}"


def test_no_arguments_show_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    assert "Commands:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nonsense"], "mien: No such command 'nonsense'. See 'mien --help'.\n"),
        (["--nonsense"], "mien: No such option '--nonsense'. See 'mien --help'.\n"),
    ],
)
def test_wrong_use_is_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    assert capsys.readouterr() == ("", sentence)


@pytest.mark.parametrize("kind", [MienError, InputError])
def test_our_errors_are_one_sentence_and_exit_2(
    kind: type[MienError], add: Callable[[click.Command], None], capsys: pytest.CaptureFixture[str]
) -> None:
    add(raising(kind("x.png is empty;\n expected a photo.")))
    assert run(["boom"]) == 2
    assert capsys.readouterr() == ("", "mien: x.png is empty; expected a photo.\n")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_interrupted_exits_130(
    error: BaseException, add: Callable[[click.Command], None], capsys: pytest.CaptureFixture[str]
) -> None:
    add(raising(error))
    assert run(["boom"]) == 130
    assert capsys.readouterr().err.endswith("mien: interrupted.\n")


def test_our_own_faults_are_not_hidden(add: Callable[[click.Command], None]) -> None:
    add(raising(ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError):
        run(["boom"])


def test_shared_options(add: Callable[[click.Command], None], capsys: pytest.CaptureFixture[str]) -> None:
    @click.command("show")
    @device_option
    @seed_option
    def show(device: str, seed: int) -> None:
        click.echo(f"{device} {seed}")

    add(show)
    assert run(["show"]) == 0
    assert run(["show", "--device", "cpu", "--seed", "7"]) == 0
    assert capsys.readouterr().out == "auto 0\ncpu 7\n"
    assert run(["show", "--seed", "-1"]) == 2
    assert run(["show", "--device", "toaster"]) == 2
    err = capsys.readouterr().err
    assert "Invalid value for '--seed'" in err
    assert "See 'mien show --help'." in err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_listed_command_loads(name: str) -> None:
    command = COMMANDS[name]
    if importlib.util.find_spec(command.target.partition(":")[0]) is None:
        pytest.skip("not written yet")
    assert isinstance(command.load(), click.Command)


def test_a_listed_name_that_is_no_command_is_our_fault() -> None:
    with pytest.raises(TypeError, match="is a str; expected a click command"):
        LazyCommand("mien:__version__", "").load()
