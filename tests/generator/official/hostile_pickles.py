"""Pickles that want something run, or that break whoever reads them, written opcode by opcode."""

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

MARKER = "marker-of-something-run"
EVIL_MODULE = "mien_evil_module"
"""A module that leaves the marker when it is imported; tests put it where Python would find it."""

PROTO = b"\x80\x04"
STOP = b"."
SCALAR = b"cnumpy._core.multiarray\nscalar\n"


@dataclass(frozen=True)
class Hostile:
    """One file, and why it must be refused."""

    name: str
    tries: str
    """In words, for the list in the documentation."""
    make: Callable[[Path], bytes]
    """Its bytes; the folder is where a marker would appear."""
    reason: str
    """A regular expression for the sentence."""
    suffix: str = ".pkl"


def glob(name: str) -> bytes:
    """GLOBAL by the full name."""
    module, _, attribute = name.rpartition(".")
    return f"c{module}\n{attribute}\n".encode()


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def data(value: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(value)) + value


def call(function: bytes, *arguments: bytes) -> bytes:
    """REDUCE."""
    return function + b"(" + b"".join(arguments) + b"tR"


def dictionary(**values: bytes) -> bytes:
    return b"}(" + b"".join(text(key) + value for key, value in values.items()) + b"u"


def shell(folder: Path) -> bytes:
    """The text of a command that leaves the marker."""
    return text(f"touch {folder / MARKER}")


def touch(folder: Path) -> bytes:
    """The text of Python that leaves the marker."""
    return text(f"open({str(folder / MARKER)!r}, 'w').close()")


def persistent(state: bytes, class_name: bytes = text("TriPlaneGenerator")) -> bytes:
    """A persistent object of this state."""
    meta = dictionary(type=text("class"), version=b"K\x06", class_name=class_name, state=state)
    return call(glob("torch_utils.persistence._reconstruct_persistent_obj"), meta)


def pickle_of(value: bytes) -> bytes:
    return PROTO + value + STOP


def g_ema(state: bytes) -> bytes:
    """A checkpoint whose generator has this state."""
    return pickle_of(dictionary(G_ema=persistent(state)))


def calls(name: str, *arguments: Callable[[Path], bytes]) -> Callable[[Path], bytes]:
    """A file that calls a global."""
    return lambda folder: pickle_of(call(glob(name), *(argument(folder) for argument in arguments)))


def fixed(value: bytes) -> Callable[[Path], bytes]:
    return lambda folder: value


def command_list(folder: Path) -> bytes:
    return b"](" + text("touch") + text(str(folder / MARKER)) + b"e"


def words(*values: str) -> tuple[Callable[[Path], bytes], ...]:
    return tuple(fixed(text(value)) for value in values)


def _calling() -> list[Hostile]:
    """REDUCE of globals that run things."""
    table: list[tuple[str, tuple[Callable[[Path], bytes], ...]]] = [
        ("os.system", (shell, )),
        ("posix.system", (shell, )),
        ("nt.system", (shell, )),
        ("os.popen", (shell, )),
        ("subprocess.Popen", (command_list, )),
        ("subprocess.check_output", (command_list, )),
        ("builtins.eval", (touch, )),
        ("builtins.exec", (touch, )),
        ("builtins.compile", (touch, *words("x", "exec"))),
        ("builtins.open", (lambda f: text(str(f / MARKER)), *words("w"))),
        ("builtins.__import__", words(EVIL_MODULE)),
        ("builtins.getattr", words("x", "__class__")),
        ("builtins.globals", ()),
        ("__builtin__.apply", (touch, )),
        ("importlib.import_module", words(EVIL_MODULE)),
        ("runpy.run_module", words(EVIL_MODULE)),
        ("functools.partial", (lambda f: glob("training.triplane.OSGDecoder"), )),
        ("operator.attrgetter", words("system")),
        ("operator.methodcaller", words("system", "x")),
        ("copyreg._reconstructor", (lambda f: glob("training.triplane.OSGDecoder"), )),
        ("copyreg.add_extension", words("os", "system")),
        ("copyreg.__newobj__", (lambda f: glob("training.triplane.OSGDecoder"), )),
        ("pickle.loads", (lambda f: data(pickle_of(call(glob("os.system"), shell(f)))), )),
        ("_pickle.loads", (lambda f: data(pickle_of(call(glob("os.system"), shell(f)))), )),
        ("marshal.loads", (lambda f: data(b"c"), )),
        ("types.FunctionType", words("x")),
        ("torch.load", words("other.pt")),
        ("torch.hub.load", words("owner/repository", "model")),
        ("torch.jit.load", words("other.pt")),
        ("torch.ops.load_library", words("evil.so")),
        ("ctypes.CDLL", words("evil.so")),
        ("webbrowser.open", words("http://localhost/")),
        ("urllib.request.urlopen", words("http://localhost/")),
        ("shutil.rmtree", (lambda f: text(str(f)), )),
        ("dnnlib.util.call_func_by_name", words("os.system")),
        ("dnnlib.util.construct_class_by_name", words("subprocess.Popen")),
        ("torch_utils.persistence.import_hook", words("x")),
        (f"{EVIL_MODULE}.run", ()),
        ("training.networks_evil.run", (shell, )),
        ("torch._utils._rebuild_device_tensor_from_numpy", words("x")),
        ("numpy.load", words("x.npy")),
        ("numpy.f2py.crackfortran.getlincoef", (touch, )),
        ("mien.core.assets.cache_dir", ()),
    ]  # fmt: skip
    return [
        Hostile(f"call {name}", f"calls `{name}`", calls(name, *arguments), name.replace(".", r"\."))
        for name, arguments in table
    ]


def _by_other_opcodes() -> list[Hostile]:
    """The same with every other opcode that names, makes or calls something."""
    decoder = glob("training.triplane.OSGDecoder")
    popen = "subprocess.Popen"
    inner = b"ios\nsystem\n"
    return [
        Hostile("stack_global", "names `posix.system` by STACK_GLOBAL",
         lambda f: pickle_of(text("posix") + text("system") + b"\x93(" + shell(f) + b"tR"), r"posix\.system"),
        Hostile("stack_global dotted", "reaches `OSGDecoder.__init__.__globals__` by a dotted name",
         fixed(pickle_of(text("training.triplane") + text("OSGDecoder.__init__.__globals__") + b"\x93")),
         r"OSGDecoder\.__init__\.__globals__' inside another global"),
        Hostile("global dotted", "reaches `os.system` through a dotted name in an allowed module",
         fixed(pickle_of(b"ctraining.triplane\nos.system\n")), r"training\.triplane\.os\.system"),
        Hostile("stack_global of numbers", "names a global by two numbers",
         fixed(pickle_of(b"K\x01K\x02\x93")), "names a global by a value of type int"),
        Hostile("global of a module", "names a module alone", fixed(pickle_of(b"c\nos\n)R")), r"'\.os'"),
        Hostile("inst", "makes `os.system` by INST", lambda f: b"(" + shell(f) + inner + STOP, r"os\.system"),
        Hostile("inst of protocol 0", "the same as text only", fixed(b"(S'touch x'\n" + inner + STOP),
         r"os\.system"),
        Hostile("inst of a known class", "calls a known class by INST with arguments",
         fixed(pickle_of(b"(K\x01itraining.triplane\nOSGDecoder\n")), r"OSGDecoder' by the opcode INST"),
        Hostile("obj", "makes `builtins.eval` by OBJ",
         lambda f: pickle_of(b"(" + glob("builtins.eval") + touch(f) + b"o"), r"builtins\.eval"),
        Hostile("obj of a known class", "calls a known class by OBJ",
         fixed(pickle_of(b"(" + decoder + b"K\x01o")), r"OSGDecoder' by the opcode OBJ"),
        Hostile("newobj", f"makes `{popen}` by NEWOBJ",
         lambda f: pickle_of(glob(popen) + b"(" + command_list(f) + b"t\x81"), r"subprocess\.Popen"),
        Hostile("newobj_ex", f"makes `{popen}` by NEWOBJ_EX",
         lambda f: pickle_of(glob(popen) + b"(" + command_list(f) + b"t}\x92"), r"subprocess\.Popen"),
        Hostile("newobj with arguments", "makes a known class with arguments",
         fixed(pickle_of(decoder + b"K\x01\x85\x81")), r"makes 'training\.triplane\.OSGDecoder' in a way"),
        Hostile("newobj_ex with keywords", "makes a known class with keywords",
         fixed(pickle_of(decoder + b")" + dictionary(a=b"K\x01") + b"\x92")), "OSGDecoder' in a way"),
        Hostile("newobj of an instance", "makes an object of an object", fixed(pickle_of(b"})\x81")),
         "object of a value"),
        Hostile("reduce of a known class", "calls a known class", fixed(pickle_of(decoder + b")R")),
         "calls 'training.triplane.OSGDecoder' in a way"),
        Hostile("reduce of a value", "calls a dictionary", fixed(pickle_of(b"})R")),
         "calls a value of type dict"),
        Hostile("reduce without a tuple", "calls a known function with a list",
         fixed(pickle_of(glob("numpy.dtype") + b"]R")), r"calls 'numpy\.dtype' in a way"),
        Hostile("build on a global", "sets the attributes of a class", fixed(pickle_of(decoder + b"}b")),
         "the global 'training.triplane.OSGDecoder'"),
        Hostile("build twice", "sets a state twice", fixed(pickle_of(decoder + b")\x81}b}b")), "set twice"),
        Hostile("build with slots", "gives a state for `__slots__`",
         fixed(pickle_of(decoder + b")\x81N}\x86b")), "state of an object is a value of type tuple"),
        Hostile("build of a setstate", "replaces `__setstate__` in an object's state and sets it again",
         fixed(pickle_of(decoder + b")\x81" + dictionary(__setstate__=decoder) + b"b" + text("x") + b"b")),
         "state of an object is a value of type str"),
        *(Hostile(f"ext{size}", f"uses an extension code of {size} bytes",
         fixed(pickle_of(bytes([0x81 + place]) + (7).to_bytes(size, "little") + b")R")),
         "extension code 7") for place, size in enumerate((1, 2, 4), 1)),
        Hostile("persid", "has a persistent id as text", fixed(pickle_of(b"Pos.system\n")),
         r"persistent id 'os\.system'"),
        Hostile("binpersid", "has a persistent id", fixed(pickle_of(text("os.system") + b"Q")),
         "persistent id"),
        Hostile("out-of-band buffer", "asks for a buffer from outside", fixed(b"\x80\x05\x97."),
         "no pickle opcode"),
        Hostile("ordered dict of pairs", "calls OrderedDict with arguments",
         fixed(pickle_of(call(glob("collections.OrderedDict"), b"]"))), r"collections\.OrderedDict"),
        Hostile("scalar of objects", "hides a pickle in a NumPy scalar of objects",
         lambda f: pickle_of(call(SCALAR, call(glob("numpy.dtype"), text("O8"), b"\x89", b"\x88"),
         data(pickle_of(call(glob("os.system"), shell(f)))))), "type 'O8'"),
        Hostile("numpy function", "uses a function of NumPy as a codec",
         fixed(pickle_of(call(glob("_codecs.encode"), text("x"), text("idna")))), r"_codecs\.encode"),
        Hostile("names with control characters", "writes to the terminal through a name",
         fixed(pickle_of(b"cos\x1b[2J\nsystem\n")), r"os\\x1b\[2J\.system"),
        Hostile("endless name", "names a global of a megabyte",
         fixed(pickle_of(text("a" * (1 << 20)) + text("b") + b"\x93")), r"'aaaa.*\.\.\.'"),
    ]  # fmt: skip


def _hidden() -> list[Hostile]:
    """Calls in parts of a file that are of no interest."""
    evil = call(glob("os.system"), text("true"))
    stream = stream_of(evil)
    return [
        Hostile("inside D", "calls `os.system` in the discriminator's state",
         lambda f: pickle_of(dictionary(D=persistent(dictionary(x=call(glob("os.system"), shell(f)))))),
         r"os\.system"),
        Hostile("inside the training options", "calls `os.system` in `training_set_kwargs`",
         lambda f: pickle_of(dictionary(training_set_kwargs=call(glob("os.system"), shell(f)))),
         r"os\.system"),
        Hostile("as a dictionary's key", "uses a call as a key", fixed(pickle_of(b"}" + evil + b"Ns")),
         r"os\.system"),
        Hostile("popped away", "calls and drops the result", fixed(pickle_of(evil + b"0}")), r"os\.system"),
        Hostile("inside a storage", "calls `os.system` in the bytes of a tensor",
         fixed(storage_file(stream)), r"os\.system"),
        Hostile("storages inside storages", "nests the bytes of tensors",
         fixed(storage_file(stream_of(call(glob("torch.storage._load_from_bytes"), data(stream))))),
         r"torch\.storage\._load_from_bytes"),
        Hostile("persistent function", "restores a function instead of a class",
         fixed(pickle_of(call(glob("torch_utils.persistence._reconstruct_persistent_obj"),
         dictionary(type=text("function"), class_name=text("x"), state=b"}")))),
         "_reconstruct_persistent_obj' with other arguments"),
    ]  # fmt: skip


def stream_of(value: bytes, *, keys: bytes = b"]", rest: bytes = b"") -> bytes:
    """A file of torch's older format around a value, by hand."""
    magic = b"\x8a\x0a" + (0x1950A86A20F9469CFC6C).to_bytes(10, "little")
    system = dictionary(protocol_version=b"M\xe9\x03", little_endian=b"\x88")
    parts = (magic, b"M\xe9\x03", system, value, keys)
    return b"".join(b"\x80\x02" + part + STOP for part in parts) + rest


def storage_file(stream: bytes) -> bytes:
    """An official pickle with the bytes of one storage."""
    return pickle_of(dictionary(G_ema=call(glob("torch.storage._load_from_bytes"), data(stream))))


def real_stream(count: int = 6) -> bytes:
    """A storage as torch writes it."""
    buffer = io.BytesIO()
    numbers = torch.arange(float(count))
    storage = torch.storage.TypedStorage(
        wrap_storage=numbers.untyped_storage(), dtype=numbers.dtype, _internal=True
    )
    torch.save(storage, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


CALLING: list[Hostile] = _calling() + _by_other_opcodes() + _hidden()
