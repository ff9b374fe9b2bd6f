"""Winograd's transforms of sixteen channels at once, written as vector instructions.

A tile's 36 values per channel stay in registers from load to store; left to loops over arrays, the compiler
sends each step through memory and takes three to four times as long. Addresses and strides are in bytes.
"""

# mypy: disable-error-code="no-untyped-def"
from typing import Final, no_type_check

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

TILE: Final = 4
"""Side of the outputs of a tile."""
PATCH: Final = 6
LANES: Final = 16
A: Final = 2 / 3
B: Final = 3 / 2
"""The interpolation points are 0, +-A, +-B and infinity."""
GAIN: Final = 2**0.5
SLOPE: Final = 0.2
FLAGS: Final = ("fast",)
I16, I32, I64, F32 = ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()
SHORTS, INTS, FLOATS = (ir.VectorType(t, LANES) for t in (I16, I32, F32))


class Vectors:
    """Writes vector arithmetic into a function that is being built."""

    def __init__(self, builder) -> None:
        self.builder = builder

    def constant(self, value: float):
        """The same number in all lanes, rounded to float32."""
        return ir.Constant(FLOATS, [float(np.float32(value))] * LANES)

    def spread(self, value):
        """A scalar in all lanes."""
        one = self.builder.insert_element(ir.Constant(FLOATS, ir.Undefined), value, ir.Constant(I32, 0))
        return self.builder.shuffle_vector(one, one, ir.Constant(INTS, [0] * LANES))

    def add(self, a, b):
        """The sum."""
        return self.builder.fadd(a, b, flags=FLAGS)

    def sub(self, a, b):
        """The difference."""
        return self.builder.fsub(a, b, flags=FLAGS)

    def mul(self, a, b):
        """The product."""
        return self.builder.fmul(a, b, flags=FLAGS)

    def scaled(self, factor: float, a):
        """A constant times a vector."""
        return self.mul(self.constant(factor), a)

    def larger(self, a, b):
        """The maximum."""
        return self.builder.select(self.builder.fcmp_ordered(">", a, b, flags=FLAGS), a, b)

    def smaller(self, a, b):
        """The minimum."""
        return self.builder.select(self.builder.fcmp_ordered("<", a, b, flags=FLAGS), a, b)

    def at(self, address, stride, count: int):
        """The address `count` strides further."""
        return self.builder.add(address, self.builder.mul(stride, ir.Constant(I64, count)))

    def load(self, address):
        """Sixteen float32."""
        return self.builder.load(self.builder.inttoptr(address, FLOATS.as_pointer()), align=4)

    def store(self, value, address) -> None:
        """Sixteen float32."""
        self.builder.store(value, self.builder.inttoptr(address, FLOATS.as_pointer()), align=4)

    def load_bfloats(self, address):
        """Sixteen bfloat16, as float32."""
        b = self.builder
        bits = b.load(b.inttoptr(address, SHORTS.as_pointer()), align=2)
        return b.bitcast(b.shl(b.zext(bits, INTS), ir.Constant(INTS, [16] * LANES)), FLOATS)

    def store_bfloats(self, value, address) -> None:
        """Sixteen float32 as the nearest bfloat16, ties away from zero."""
        b = self.builder
        rounded = b.add(b.bitcast(value, INTS), ir.Constant(INTS, [0x8000] * LANES))
        bits = b.trunc(b.lshr(rounded, ir.Constant(INTS, [16] * LANES)), SHORTS)
        b.store(bits, b.inttoptr(address, SHORTS.as_pointer()), align=2)

    def analysed(self, d):
        """B^T of six vectors: a linear form of them per point."""
        found = [self.add(self.sub(d[4], self.scaled(A * A + B * B, d[2])), d[0])]
        for point, other in ((A, B * B), (B, A * A)):
            even = self.sub(d[4], self.scaled(other, d[2]))
            odd = self.scaled(point, self.sub(d[3], self.scaled(other, d[1])))
            found += [self.add(even, odd), self.sub(even, odd)]
        return [*found, self.add(self.sub(d[5], self.scaled(A * A + B * B, d[3])), d[1])]

    def synthesised(self, m):
        """A^T of six vectors, the values at the points: the four outputs."""
        even_a, odd_a = self.add(m[1], m[2]), self.sub(m[1], m[2])
        even_b, odd_b = self.add(m[3], m[4]), self.sub(m[3], m[4])

        def both(power: int, a, b):
            return self.add(self.scaled(A**power, a), self.scaled(B**power, b))

        return [
            self.add(m[0], self.add(even_a, even_b)),
            both(1, odd_a, odd_b),
            both(2, even_a, even_b),
            self.add(both(3, odd_a, odd_b), m[5]),
        ]

    def activated(self, y, bias, clamp):
        """Bias, leaky ReLU with gain sqrt 2, clamp."""
        y = self.scaled(GAIN, self.add(y, bias))
        y = self.larger(y, self.scaled(SLOPE, y))
        return self.smaller(self.larger(y, self.builder.fneg(clamp)), clamp)


def _analysis(*, half: bool):
    """An intrinsic for products in bfloat16, or in float32."""

    @intrinsic
    @no_type_check
    def analyse_lanes(typingctx, source, row, column, into, point):
        def generate(context, builder, signature, args):
            v = Vectors(builder)
            start, row, column, into, point = args
            store = v.store_bfloats if half else v.store
            columns = []
            for j in range(PATCH):
                at = v.at(start, column, j)
                columns.append(v.analysed([v.load_bfloats(v.at(at, row, i)) for i in range(PATCH)]))
            for i in range(PATCH):
                for j, value in enumerate(v.analysed([columns[j][i] for j in range(PATCH)])):
                    store(value, v.at(into, point, i * PATCH + j))
            return context.get_dummy_value()

        return types.void(*[types.int64] * 5), generate

    return analyse_lanes


def _synthesis(*, half: bool, keep: bool, coloured: bool):
    """An intrinsic for such products, and tiles whose outputs are kept, coloured, or both."""

    @intrinsic
    @no_type_check
    def synthesise_lanes(typingctx, source, point, bias, clamp, out, row, column, to_rgb, weight, seen):
        def generate(context, builder, signature, args):
            v = Vectors(builder)
            start, point, bias, clamp, out, row, column, to_rgb, weight, seen = args
            bias, clamp = v.load(bias), v.spread(clamp)
            load = v.load_bfloats if half else v.load
            rows = []
            for i in range(PATCH):
                values = [load(v.at(start, point, i * PATCH + j)) for j in range(PATCH)]
                rows.append(v.synthesised(values))
            for j in range(TILE):
                for i, y in enumerate(v.synthesised([rows[k][j] for k in range(PATCH)])):
                    y = v.activated(y, bias, clamp)
                    if keep:
                        v.store_bfloats(y, v.at(v.at(out, row, i), column, j))
                    for k in range(3 if coloured else 0):
                        at = builder.add(seen, ir.Constant(I64, ((i * TILE + j) * 3 + k) * LANES * 4))
                        share = v.mul(y, v.load(v.at(to_rgb, weight, k)))
                        v.store(v.add(v.load(at), share), at)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 3, types.float32, *[types.int64] * 6), generate

    return synthesise_lanes


analyse_half, analyse_whole = _analysis(half=True), _analysis(half=False)
"""Patch of 6 x 6 bfloat16 at `source` (strides `row`, `column`) to its 36 points (stride `point`)."""
keep_half, keep_whole = (_synthesis(half=half, keep=True, coloured=False) for half in (True, False))
"""36 products at `source` (stride `point`) to 4 x 4 outputs at `out`; sixteen biases are at `bias`."""
colour_half, colour_whole = (_synthesis(half=half, keep=False, coloured=True) for half in (True, False))
"""The same, but each output times three colours' weights (at `to_rgb`, stride `weight`) is added to the lanes
at `seen` [4, 4, 3]."""
keep_colour_half, keep_colour_whole = (
    _synthesis(half=half, keep=True, coloured=True) for half in (True, False)
)
"""Both."""
