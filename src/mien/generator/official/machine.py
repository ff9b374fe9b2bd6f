"""A pickle machine that builds inert values only.

Python's own unpickler imports what a file names and calls what it imported. This one never does: a name
becomes a `Stub` from our own table or ends the reading, only functions of ours are called, and objects
become `Instance`. Byte strings stay views of the file, so large tensors cost nothing. Opcodes: Python's
module `pickletools`.
"""

import struct
from collections.abc import Callable
from typing import Any, Final

from mien.generator.official.values import Budget, Instance, NumpyType, RefusedError, Stub, shown

MAX_STACK: Final = 20_000
"""Values waiting on the stack; a dictionary is filled a thousand entries at a time."""
MAX_MARKS: Final = 1_000
MAX_TEXT: Final = 4 << 20
MAX_INTEGER_BYTES: Final = 16
"""torch's magic number has ten."""
_MAX_LINE: Final = 512

Resolve = Callable[[str], Stub]
"""Gives the stub of a full name, or raises RefusedError."""
Persistent = Callable[[Any], Any]
"""Gives what a persistent id stands for, or raises RefusedError."""


class Machine:
    """The stack, marks and memo of a pickle, and what opcodes do with them; see `opcodes.read_pickle`."""

    def __init__(
        self,
        data: memoryview,
        *,
        resolve: Resolve,
        budget: Budget,
        position: int = 0,
        persistent: Persistent | None = None,
    ) -> None:
        self.data = data
        self.position = position
        self._resolve = resolve
        self._persistent = persistent
        self._budget = budget
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def start(self) -> None:
        """Forget the last pickle."""
        self._stack, self._marks, self._memo = [], [], {}

    def next_code(self) -> int:
        """The next opcode; it costs a step, and the limits hold."""
        self._budget.spend(1)
        if len(self._stack) > MAX_STACK or len(self._marks) > MAX_MARKS:
            raise RefusedError("it nests deeper than any checkpoint does")
        if self.position >= len(self.data):
            raise RefusedError("it is cut off: it ends in the middle of a pickle")
        self.position += 1
        return self.data[self.position - 1]

    # ------------------------------------------------------------------ bytes of the file

    def take(self, count: int) -> memoryview:
        """The next bytes, without copying them."""
        start, end = self.position, self.position + count
        if end > len(self.data):
            raise RefusedError(
                f"it is cut off or lies about a length: {count} bytes are to follow at byte {start}, but "
                f"there are {len(self.data) - start}"
            )
        self.position = end
        return self.data[start:end]

    def number(self, layout: str) -> int:
        """The next integer, in a layout of `struct`."""
        return int(struct.unpack(layout, self.take(struct.calcsize(layout)))[0])

    def line(self) -> str:
        """The text up to the next newline."""
        head = bytes(self.data[self.position : self.position + _MAX_LINE])
        end = head.find(b"\n")
        if end < 0:
            raise RefusedError(f"a line at byte {self.position} has no end")
        self.position += end + 1
        return head[:end].decode("latin-1")

    def text(self, count: int) -> str:
        """The next bytes as text."""
        start = self.position
        if count > MAX_TEXT:
            raise RefusedError(f"it claims a text of {count} bytes at byte {start}")
        self._budget.spend_text(count)
        try:
            return bytes(self.take(count)).decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise RefusedError(f"a text at byte {start} is not UTF-8") from error

    # ------------------------------------------------------------------ stack

    def push(self, value: Any) -> None:
        """Put a value on the stack."""
        self._stack.append(value)

    def pop(self) -> Any:
        """Take the topmost value; never one from below the last mark."""
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            raise RefusedError(f"an opcode before byte {self.position} needs a value that is not there")
        return self._stack.pop()

    def top(self, kind: type | tuple[type, ...], what: str) -> Any:
        """The topmost value, left there, of a kind."""
        value = self.pop()
        if not isinstance(value, kind):
            raise RefusedError(f"at byte {self.position} it needs {what} where it has {kind_of(value)}")
        self._stack.append(value)
        return value

    def mark(self) -> None:
        """Remember the place on the stack."""
        self._marks.append(len(self._stack))

    def items(self) -> list[Any]:
        """Take all values above the last mark."""
        if not self._marks:
            raise RefusedError(f"an opcode before byte {self.position} needs a mark that is not there")
        start = self._marks.pop()
        taken = self._stack[start:]
        del self._stack[start:]
        return taken

    # ------------------------------------------------------------------ memo

    def remember(self, index: int) -> None:
        """Keep the topmost value under a number."""
        self._memo[index] = self.top(object, "a value")

    def remember_next(self) -> None:
        """Keep the topmost value under the next number."""
        self.remember(len(self._memo))

    def recall(self, index: int) -> None:
        """Push the value kept under a number."""
        if index not in self._memo:
            raise RefusedError(f"it asks for the memo entry {index}, which does not exist")
        self.push(self._memo[index])

    # ------------------------------------------------------------------ names, calls, state

    def name(self, module: Any, name: Any) -> Stub:
        """Our stub of a name in the file."""
        if not (isinstance(module, str) and isinstance(name, str)):
            raise RefusedError(f"it names a global by {kind_of(module)} and {kind_of(name)}")
        if "." in name:
            raise RefusedError(f"it looks for {shown(f'{module}.{name}')} inside another global")
        return self._resolve(f"{module}.{name}")

    def call(self) -> None:
        """REDUCE: a function of ours in the place of the callable."""
        arguments, function = self.pop(), self.pop()
        if not isinstance(function, Stub):
            raise RefusedError(f"it calls {kind_of(function)}")
        if function.call is None or not isinstance(arguments, tuple):
            raise RefusedError(f"it calls {shown(function.name)} in a way that no checkpoint does")
        self.push(function.call(arguments))

    def make(self, *, keywords: bool) -> None:
        """NEWOBJ and NEWOBJ_EX: an inert instance; constructors of checkpoints' objects have no arguments."""
        extra = self.pop() if keywords else {}
        arguments, maker = self.pop(), self.pop()
        if not isinstance(maker, Stub):
            raise RefusedError(f"it makes an object of {kind_of(maker)}")
        if maker.make is None or arguments != () or extra != {}:
            raise RefusedError(f"it makes {shown(maker.name)} in a way that no checkpoint does")
        self.push(maker.make())

    def build(self) -> None:
        """BUILD: the state becomes the attributes of an inert instance. Nothing of the object is called."""
        state = self.pop()
        target = self.top((Instance, NumpyType, dict), "an object with a state")
        if isinstance(target, NumpyType):
            _check_numpy_state(state)
        elif not isinstance(state, dict):
            raise RefusedError(f"the state of an object is {kind_of(state)}; expected a dictionary")
        elif isinstance(target, Instance):
            if target.state is not None:
                raise RefusedError(f"the state of {shown(target.class_name)} is set twice")
            target.state = state
        # A dictionary's own attributes (torch keeps `_metadata` there) are not needed.

    def old_object(self, *, named: bool) -> None:
        """INST and OBJ, from before protocol 2: refused, with the name if there is one."""
        if named:
            stub = self.name(self.line(), self.line())
            raise RefusedError(f"it makes {shown(stub.name)} by the opcode INST, which no checkpoint uses")
        first = next(iter(self.items()), None)
        found = shown(first.name) if isinstance(first, Stub) else kind_of(first)
        raise RefusedError(f"it makes {found} by the opcode OBJ, which no checkpoint uses")

    def persistent(self, key: Any) -> None:
        """PERSID and BINPERSID: only torch's own files have them."""
        if self._persistent is None:
            raise RefusedError(
                f"it has the persistent id {shown_key(key)}, which official checkpoints do not have"
            )
        self.push(self._persistent(key))

    def extension(self, layout: str) -> None:
        """EXT1, EXT2, EXT4: codes of a registry that we do not have."""
        raise RefusedError(f"it uses the extension code {self.number(layout)}, which no checkpoint does")


def kind_of(value: Any) -> str:
    """What a value is, for a sentence; values from a file are never shown whole, they may be endless."""
    if isinstance(value, Stub):
        return f"the global {shown(value.name)}"
    return f"a value of type {type(value).__name__}"


def shown_key(key: Any) -> str:
    """A persistent id, for a sentence."""
    return shown(key) if isinstance(key, str | int) else kind_of(key)


def check_key(key: Any) -> Any:
    """A dictionary's key: text or a small integer. Others can be chosen to collide, which takes hours."""
    if type(key) is str or (isinstance(key, int) and abs(key) < 1 << 60):
        return key
    raise RefusedError(f"a dictionary or set has {kind_of(key)} as a key; expected text or small integers")


def _check_numpy_state(state: Any) -> None:
    order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
    if not (isinstance(order, str) and order in "<|="):
        raise RefusedError("a numpy.dtype is not little-endian")
