"""The opcodes of pickle, protocols 0 to 5, over the inert `Machine`.

Those that no checkpoint uses (out-of-band buffers) are not in the table and end the reading.
"""

import struct
from collections.abc import Callable
from typing import Any, Final

from mien.generator.official.machine import MAX_INTEGER_BYTES, Machine, check_key
from mien.generator.official.values import RefusedError

Step = Callable[[Machine], None]

_STOP: Final = ord(".")
_MAX_DIGITS: Final = 40


def read_pickle(machine: Machine) -> Any:
    """The value of the pickle at the machine's position, which moves on behind it.

    Raises RefusedError at the first thing that a checkpoint has no need of, and runs nothing.
    """
    machine.start()
    while (code := machine.next_code()) != _STOP:
        step = STEPS.get(code)
        if step is None:
            raise RefusedError(
                f"byte {code:#04x} at {machine.position - 1} is no pickle opcode of a checkpoint"
            )
        step(machine)
    value = machine.pop()
    machine.start()
    return value


# ---------------------------------------------------------------------------- numbers and texts


def _constant(value: Any) -> Step:
    return lambda m: m.push(value)


def _integer(layout: str) -> Step:
    return lambda m: m.push(m.number(layout))


def _long(layout: str) -> Step:
    def step(machine: Machine) -> None:
        count = machine.number(layout)
        if not 0 <= count <= MAX_INTEGER_BYTES:
            raise RefusedError(f"it claims an integer of {count} bytes")
        machine.push(int.from_bytes(machine.take(count), "little", signed=True))

    return step


def _float(machine: Machine) -> None:
    machine.push(struct.unpack(">d", machine.take(8))[0])


def _decimal(machine: Machine) -> None:
    """INT, LONG and FLOAT of protocol 0; INT also writes booleans, as 00 and 01."""
    line = machine.line().removesuffix("L")
    try:
        if len(line) > _MAX_DIGITS:
            raise ValueError
        value: Any = line == "01" if line in ("00", "01") else int(line)
    except ValueError:
        try:
            value = float(line[:_MAX_DIGITS])
        except ValueError:
            raise RefusedError(f"a number before byte {machine.position} cannot be read") from None
    machine.push(value)


def _bytes(layout: str) -> Step:
    return lambda m: m.push(m.take(m.number(layout)))


def _text(layout: str) -> Step:
    return lambda m: m.push(m.text(m.number(layout)))


def _quoted(machine: Machine) -> None:
    """STRING and UNICODE of protocol 0, kept as written."""
    machine.push(machine.line().strip("'\""))


# ---------------------------------------------------------------------------- containers


def _list(machine: Machine) -> None:
    machine.push(machine.items())


def _tuple(machine: Machine) -> None:
    machine.push(tuple(machine.items()))


def _short_tuple(count: int) -> Step:
    def step(machine: Machine) -> None:
        taken = [machine.pop() for _ in range(count)]
        machine.push(tuple(reversed(taken)))

    return step


def _new(kind: type) -> Step:
    return lambda m: m.push(kind())


def _append(machine: Machine) -> None:
    value = machine.pop()
    machine.top(list, "a list").append(value)


def _appends(machine: Machine) -> None:
    values = machine.items()
    machine.top(list, "a list").extend(values)


def _fill(target: dict[Any, Any], values: list[Any]) -> dict[Any, Any]:
    if len(values) % 2:
        raise RefusedError("a dictionary has a key without a value")
    target.update(zip(map(check_key, values[::2]), values[1::2], strict=True))
    return target


def _dict(machine: Machine) -> None:
    machine.push(_fill({}, machine.items()))


def _set_item(machine: Machine) -> None:
    value, key = machine.pop(), machine.pop()
    _fill(machine.top(dict, "a dictionary"), [key, value])


def _set_items(machine: Machine) -> None:
    values = machine.items()
    _fill(machine.top(dict, "a dictionary"), values)


def _add_items(machine: Machine) -> None:
    values = machine.items()
    machine.top(set, "a set").update(map(check_key, values))


def _frozen_set(machine: Machine) -> None:
    machine.push(frozenset(map(check_key, machine.items())))


# ---------------------------------------------------------------------------- stack and memo


def _pop(machine: Machine) -> None:
    machine.pop()


def _pop_mark(machine: Machine) -> None:
    machine.items()


def _duplicate(machine: Machine) -> None:
    machine.push(machine.top(object, "a value"))


def _recall_line(machine: Machine) -> None:
    machine.recall(_index(machine))


def _remember_line(machine: Machine) -> None:
    machine.remember(_index(machine))


def _index(machine: Machine) -> int:
    line = machine.line()
    if not (line.isdecimal() and len(line) <= _MAX_DIGITS):
        raise RefusedError(f"a memo entry before byte {machine.position} has no number")
    return int(line)


def _recall(layout: str) -> Step:
    return lambda m: m.recall(m.number(layout))


def _remember(layout: str) -> Step:
    return lambda m: m.remember(m.number(layout))


# ---------------------------------------------------------------------------- names, frames


def _global(machine: Machine) -> None:
    module = machine.line()
    machine.push(machine.name(module, machine.line()))


def _stack_global(machine: Machine) -> None:
    name, module = machine.pop(), machine.pop()
    machine.push(machine.name(module, name))


def _protocol(machine: Machine) -> None:
    version = machine.number("<B")
    if version > 5:
        raise RefusedError(f"it is written in pickle protocol {version}; expected 0 to 5")


def _frame(machine: Machine) -> None:
    count = machine.number("<Q")
    left = len(machine.data) - machine.position
    if count > left:
        raise RefusedError(
            f"it is cut off or lies about a length: a frame of {count} bytes where {left} are left"
        )


STEPS: Final[dict[int, Step]] = {
    ord(code): step
    for code, step in {
        "\x80": _protocol, "\x95": _frame,
        "N": _constant(None), "\x88": _constant(True), "\x89": _constant(False),
        "I": _decimal, "L": _decimal, "F": _decimal,
        "J": _integer("<i"), "K": _integer("<B"), "M": _integer("<H"),
        "\x8a": _long("<B"), "\x8b": _long("<i"), "G": _float,
        "S": _quoted, "V": _quoted,
        "T": _bytes("<I"), "U": _bytes("<B"), "B": _bytes("<I"), "C": _bytes("<B"), "\x8e": _bytes("<Q"),
        "\x96": _bytes("<Q"),
        "X": _text("<I"), "\x8c": _text("<B"), "\x8d": _text("<Q"),
        "]": _new(list), "}": _new(dict), ")": _constant(()), "\x8f": _new(set),
        "l": _list, "t": _tuple, "d": _dict, "\x91": _frozen_set,
        "\x85": _short_tuple(1), "\x86": _short_tuple(2), "\x87": _short_tuple(3),
        "a": _append, "e": _appends, "s": _set_item, "u": _set_items, "\x90": _add_items,
        "(": Machine.mark, "0": _pop, "1": _pop_mark, "2": _duplicate,
        "g": _recall_line, "h": _recall("<B"), "j": _recall("<I"),
        "p": _remember_line, "q": _remember("<B"), "r": _remember("<I"), "\x94": Machine.remember_next,
        "c": _global, "\x93": _stack_global,
        "R": Machine.call, "b": Machine.build,
        "\x81": lambda m: m.make(keywords=False), "\x92": lambda m: m.make(keywords=True),
        "i": lambda m: m.old_object(named=True), "o": lambda m: m.old_object(named=False),
        "P": lambda m: m.persistent(m.line()), "Q": lambda m: m.persistent(m.pop()),
        "\x82": lambda m: m.extension("<B"), "\x83": lambda m: m.extension("<H"),
        "\x84": lambda m: m.extension("<i"),
    }.items()
}  # fmt: skip
"""What each opcode does, by its byte."""
