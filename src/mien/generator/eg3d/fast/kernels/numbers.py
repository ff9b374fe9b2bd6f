"""Half-precision numbers inside kernels: bits in, float32 out, and back. All of it vectorises."""

# mypy: disable-error-code="no-untyped-def"
from typing import no_type_check

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


@intrinsic
@no_type_check
def bfloat_to_float(typingctx, bits):
    """float32 of the 16 bits of a bfloat16."""

    def generate(context, builder, signature, args):
        wide = builder.zext(args[0], ir.IntType(32))
        return builder.bitcast(builder.shl(wide, ir.Constant(ir.IntType(32), 16)), ir.FloatType())

    return types.float32(types.uint16), generate


@intrinsic
@no_type_check
def float_to_bfloat(typingctx, value):
    """The 16 bits of the nearest bfloat16 (ties to even); infinities and NaN are not looked after."""

    def generate(context, builder, signature, args):
        i32 = ir.IntType(32)
        bits = builder.bitcast(args[0], i32)
        odd = builder.and_(builder.lshr(bits, ir.Constant(i32, 16)), ir.Constant(i32, 1))
        rounded = builder.add(bits, builder.add(odd, ir.Constant(i32, 0x7FFF)))
        return builder.trunc(builder.lshr(rounded, ir.Constant(i32, 16)), ir.IntType(16))

    return types.uint16(types.float32), generate


@intrinsic
@no_type_check
def half_to_float(typingctx, bits):
    """float32 of the 16 bits of a float16."""

    def generate(context, builder, signature, args):
        return builder.fpext(builder.bitcast(args[0], ir.HalfType()), ir.FloatType())

    return types.float32(types.uint16), generate
