"""Pickles that lie about sizes, want endless memory or time, or are simply broken."""

import struct
from pathlib import Path

from tests.generator.official.hostile_pickles import (
    PROTO,
    Hostile,
    call,
    data,
    dictionary,
    fixed,
    g_ema,
    glob,
    persistent,
    pickle_of,
    real_stream,
    storage_file,
    stream_of,
    text,
)

FLOATS = glob("torch.FloatStorage")


def _lengths() -> list[Hostile]:
    """Lengths that are not in the file."""
    huge = struct.pack("<Q", 1 << 60)
    codes = {"bytes": b"\x8e", "a text": b"\x8d", "a byte array": b"\x96", "a frame": b"\x95"}
    no = "lies about a length|claims a text|frame of"
    return [
        *(Hostile(f"{what} of 2^60 bytes", f"claims {what} of 2^60 bytes", fixed(pickle_of(code + huge)), no)
         for what, code in codes.items()),
        Hostile("bytes of 4 GiB", "claims bytes of 4 GiB", fixed(pickle_of(b"B\xff\xff\xff\xff")),
         "lies about a length"),
        Hostile("text of 4 GiB", "claims a text of 4 GiB", fixed(pickle_of(b"X\xff\xff\xff\xff")),
         "a text of 4294967295"),
        Hostile("integer of 2 GiB", "claims an integer of 2 GiB", fixed(pickle_of(b"\x8b\xff\xff\xff\x7f")),
         "an integer of"),
        Hostile("negative integer length", "claims an integer of -1 bytes",
         fixed(pickle_of(b"\x8b\xff\xff\xff\xff")), "an integer of -1"),
        Hostile("integer of 255 bytes", "has an integer of 2000 bits",
         fixed(pickle_of(b"\x8a\xff" + b"\x01" * 255)), "an integer of 255"),
        Hostile("endless decimal", "has a decimal number of a megabyte",
         fixed(pickle_of(b"I" + b"9" * (1 << 20) + b"\n")), "has no end"),
        Hostile("long decimal", "has a decimal number of 400 digits",
         fixed(pickle_of(b"I" + b"x" * 400 + b"\n")), "cannot be read"),
        Hostile("endless line", "has a name without an end", fixed(pickle_of(b"c" + b"a" * 5000)),
         "has no end"),
    ]  # fmt: skip


def laughs(opening: bytes, closing: bytes, levels: int) -> bytes:
    """Containers, each holding the one before it ten times: 10^levels in all."""
    made = b"K\x00q\x000"
    for level in range(levels):
        made += opening + (b"h" + bytes([level])) * 10 + closing + b"q" + bytes([level + 1]) + b"0"
    return made + b"h" + bytes([levels])


def shared_modules(folder: Path) -> bytes:
    """Modules that hold each other ten times, ten deep: 10^10 tensors."""
    made = persistent(b"}", text("Layer")) + b"q\x000"
    for level in range(10):
        inside = b"}(" + b"".join(text(f"m{i}") + b"h" + bytes([level]) for i in range(10)) + b"u"
        made += persistent(dictionary(_modules=inside), text("Layer")) + b"q" + bytes([level + 1]) + b"0"
    return pickle_of(made + dictionary(G_ema=persistent(dictionary(_modules=dictionary(x=b"h\x0a")))))


def storage_again(folder: Path) -> bytes:
    """One string of bytes that is read as a storage a hundred thousand times."""
    again = glob("torch.storage._load_from_bytes") + b"h\x00\x85R0"
    return pickle_of(data(real_stream()) + b"q\x000" + again * 100_000 + b"}")


def unique_again(folder: Path) -> bytes:
    """One long list that is made a set a hundred thousand times."""
    again = glob("builtins.set") + b"h\x00\x85R0"
    return pickle_of(b"](" + b"K\x01" * 5_000 + b"eq\x000" + again * 100_000 + b"}")


def _bombs() -> list[Hostile]:
    deep = "nests deeper"
    kwargs = dictionary(_init_kwargs=dictionary(x=laughs(b"](", b"e", 10)))
    many = "more pickle opcodes"
    colliding = b"".join(b"\x8a\x10" + (i * (2**61 - 1)).to_bytes(16, "little") + b"N" for i in range(5_000))
    return [
        Hostile("lists 100,000 deep", "nests lists", fixed(pickle_of(b"]" * 100_000 + b"a" * 99_999)), deep),
        Hostile("marks 100,000 deep", "nests marks", fixed(pickle_of(b"(" * 100_000 + b"t" * 100_000)), deep),
        Hostile("tuples 200,000 deep", "nests tuples one in another",
         fixed(pickle_of(b")" + b"\x85" * 200_000)), "holds a value of type tuple|more pickle opcodes"),
        Hostile("modules 100 deep", "nests modules", fixed(g_ema(_module_chain(100))), "nest deeper than 16"),
        Hostile("a module in itself", "makes a module its own part",
         fixed(pickle_of(dictionary(G_ema=_own_part()))),
         "nest deeper than 16"),
        Hostile("ten billion modules", "shares modules so that they are endless", shared_modules, many),
        Hostile("10^10 lists in the arguments", "shares lists so that they are endless",
         fixed(g_ema(kwargs)), many),
        Hostile("10^30 tuples as an offset", "gives endless tuples as a tensor's shape",
         fixed(pickle_of(laughs(b"(", b"t", 30) + b"0" + _tensor_of(6, shape=b"h\x1e"))), "sizes and"),
        Hostile("two million opcodes", "keeps the reader busy", lambda f: pickle_of(b"]0" * 1_000_000), many),
        Hostile("a storage 100,000 times", "reads the same bytes again and again", storage_again, many),
        Hostile("a set 100,000 times", "goes through a long list again and again", unique_again, many),
        Hostile("colliding keys", "has 5,000 integer keys of one hash",
         fixed(pickle_of(b"}(" + colliding + b"u")), "as a key"),
        Hostile("tuples as keys", "has a tuple as a key", fixed(pickle_of(b"})Ns")), "as a key"),
        Hostile("40 MiB of texts", "fills the memory with texts",
         lambda f: pickle_of((text("a" * (1 << 22)) + b"0") * 10), "more text"),
    ]  # fmt: skip


def _own_part() -> bytes:
    """A module that is its own part x."""
    made = persistent(b"}q\x00" + text("_modules") + b"}q\x01s") + b"q\x02"
    return made + b"0h\x01" + text("x") + b"h\x02s0h\x02"


def _module_chain(depth: int) -> bytes:
    state = b"}"
    for _ in range(depth):
        state = dictionary(_modules=dictionary(x=persistent(state, text("Layer"))))
    return state


def _tensor_of(count: int, *, offset: bytes = b"K\x00", shape: bytes = b"K\x02K\x03\x86",
               stride: bytes = b"K\x03K\x01\x86", stream: bytes | None = None) -> bytes:  # fmt: skip
    """A state dict with one tensor over a storage of `count` numbers."""
    storage = call(glob("torch.storage._load_from_bytes"), data(stream or real_stream(count)))
    tensor = call(glob("torch._utils._rebuild_tensor_v2"), storage, offset, shape, stride, b"\x89", b"}")
    return dictionary(G_ema=dictionary(x=tensor))


def _integer(value: int) -> bytes:
    return b"\x8a\x10" + value.to_bytes(16, "little", signed=True)


def named(kind: bytes = FLOATS, key: bytes = text("k"), count: bytes = b"K\x06", more: bytes = b"N") -> bytes:
    """A persistent id of a storage."""
    return b"(" + text("storage") + kind + key + text("cuda:0") + count + more + b"tQ"


def _storages() -> list[Hostile]:
    good = real_stream()
    keys = b"](" + text("k") + b"e"
    ten = b"(" + b"K\x01" * 10 + b"t"
    cases: list[tuple[str, str, bytes, str]] = [
        ("a short storage", "has fewer numbers than claimed", storage_file(good[:-4]), "lies about a length"),
        ("a storage without magic", "has another magic number", storage_file(b"\x80\x02K\x01." + good),
         "magic number"),
        ("another protocol", "has another protocol number", storage_file(good.replace(b"M\xe9\x03.",
         b"M\xe8\x03.", 1)), "protocol 1000"),
        ("big-endian", "has numbers of another byte order",
         storage_file(good.replace(b"little_endianq\x02\x88", b"little_endianq\x02\x89")), "little-endian"),
        ("a list of storages that is none", "has a number in place of the keys",
         storage_file(stream_of(named(), keys=b"K\x01")), "no list of storages"),
        ("an unknown key", "lists a storage that nothing uses", storage_file(stream_of(named(),
         keys=b"](" + text("z") + b"e")), "the storage 'z'"),
        ("no data", "names a storage and does not bring it", pickle_of(_tensor_of(6,
         stream=stream_of(named()))), "whose data are not in the file"),
        ("two counts", "claims 6 numbers and brings 7", storage_file(stream_of(named(), keys=keys,
         rest=struct.pack("<q", 7) + b"x" * 28)), "claims 6 numbers, but 7"),
        ("a negative count", "claims -1 numbers", storage_file(stream_of(named(count=_integer(-1)),
         keys=keys)), "no count of numbers"),
        ("2^60 numbers", "claims 2^60 numbers", storage_file(stream_of(named(count=_integer(1 << 60)),
         keys=keys, rest=struct.pack("<q", 1 << 60))), "lies about a length"),
        ("an unknown type of numbers", "has a storage of a class of another kind",
         storage_file(stream_of(named(kind=glob("training.triplane.OSGDecoder")), keys=keys)),
         "no number type"),
        ("complex numbers", "has complex numbers",
         storage_file(stream_of(named(kind=glob("torch.ComplexFloatStorage")))),
         r"torch\.ComplexFloatStorage"),
        ("a part of another storage", "is a view of a storage",
         storage_file(stream_of(named(more=b"K\x01"))), "part of another"),
        ("another persistent id", "has an id that is no storage",
         storage_file(stream_of(text("os.system") + b"Q")), "not one of torch's storages"),
        ("a view outside", "begins beyond the end", pickle_of(_tensor_of(6, offset=b"K\x05")),
         "reaches outside its storage"),
        ("a stride outside", "steps beyond the end", pickle_of(_tensor_of(6, stride=b"K\x09K\x01\x86")),
         "reaches outside"),
        ("a negative stride", "steps backwards", pickle_of(_tensor_of(6,
         stride=_integer(-3) + b"K\x01\x86")), "negative"),
        ("a negative size", "has a negative size", pickle_of(_tensor_of(6,
         shape=_integer(-2) + b"K\x03\x86")), "negative"),
        ("a negative offset", "begins before the start", pickle_of(_tensor_of(6, offset=_integer(-1))),
         "negative"),
        ("a repeated number", "repeats one number 10^9 times by a stride of 0", pickle_of(_tensor_of(6,
         shape=_integer(10**9) + b"\x85", stride=b"K\x00\x85")), "larger than its storage"),
        ("2^100 strides", "has a stride of 2^100 over one number", pickle_of(_tensor_of(6,
         shape=b"K\x01\x85", stride=_integer(1 << 100) + b"\x85")), "larger than any"),
        ("empty but endless", "has the sizes 0 and 2^90", pickle_of(_tensor_of(6,
         shape=b"K\x00" + _integer(1 << 90) + b"\x86")), "larger than any"),
        ("ten dimensions", "has ten sizes", pickle_of(_tensor_of(6, shape=ten, stride=ten)), "10 sizes"),
        ("a size that is text", "has a text as a size", pickle_of(_tensor_of(6,
         shape=text("2") + b"K\x03\x86")), "not integers"),
        ("an offset that is a fraction", "begins at 0.5", pickle_of(_tensor_of(6,
         offset=b"G" + struct.pack(">d", 0.5))), "_rebuild_tensor_v2' with other arguments"),
        ("a tensor without a storage", "has a number as a storage",
         pickle_of(call(glob("torch._utils._rebuild_tensor_v2"), b"K\x01", b"K\x00", b")", b")")),
         "_rebuild_tensor_v2' with other arguments"),
    ]  # fmt: skip
    return [Hostile(name, tries, fixed(made), reason) for name, tries, made, reason in cases]


def _broken() -> list[Hostile]:
    cases: list[tuple[str, str, bytes, str]] = [
        ("missing memo entry", "asks for a memo entry that was never made", pickle_of(b"h\x63"),
         "memo entry 99"),
        ("missing memo entry, 4 bytes", "the same with a large number", pickle_of(b"j\xff\xff\xff\xff"),
         "memo entry 4294967295"),
        ("missing memo entry, as text", "the same as text", pickle_of(b"g123\n"), "memo entry 123"),
        ("memo entry without a number", "asks for memo entry x", pickle_of(b"gx\n"), "has no number"),
        ("nothing to keep", "keeps a value that is not there", pickle_of(b"\x94"),
         "a value that is not there"),
        ("empty pickle", "stops at once", pickle_of(b""), "a value that is not there"),
        ("below the mark", "takes a value from below a mark", pickle_of(b"K\x01K\x02(\x86"),
         "a value that is not there"),
        ("no mark", "needs a mark that is not there", pickle_of(b"K\x01t"), "a mark that is not there"),
        ("odd dictionary", "has a key without a value", pickle_of(b"}(" + text("a") + b"u"),
         "key without a value"),
        ("append to a number", "appends to a number", pickle_of(b"K\x01K\x02a"), "needs a list"),
        ("items of a list", "sets items of a list", pickle_of(b"](" + text("a") + b"Nu"),
         "needs a dictionary"),
        ("text that is none", "has a text that is not UTF-8", pickle_of(b"X\x02\x00\x00\x00\xff\xfe"),
         "not UTF-8"),
        ("protocol 9", "is of a future protocol", b"\x80\x09N.", "protocol 9"),
        ("unknown opcode", "has an opcode that does not exist", pickle_of(b"\xff"), "byte 0xff"),
        ("only a protocol", "ends after two bytes", PROTO, "cut off"),
        ("never stops", "ends without a stop", PROTO + b"]" * 10, "cut off"),
        ("a number", "holds a number", pickle_of(b"K\x05"), "holds a value of type int"),
        ("an empty dictionary", "holds nothing", pickle_of(b"}"), "neither G_ema nor G.*nothing"),
        ("another dictionary", "holds other things", pickle_of(dictionary(model=b"N", optimizer=b"N")),
         "'model', 'optimizer'"),
        ("a generator that is text", "has a text as G_ema", pickle_of(dictionary(G_ema=text("hello"))),
         "its G_ema is a value of type str"),
    ]  # fmt: skip
    return [Hostile(name, tries, fixed(made), reason) for name, tries, made, reason in cases]


SIZES: list[Hostile] = _lengths() + _bombs() + _storages() + _broken()
