"""Reading tables and writing results such that LLVM sees that they are apart.

A loop that looks up places it computes is only turned into vector instructions where LLVM knows that what it
writes is not part of the table; nothing in numba says so of arrays that a function is given. So reads and
writes carry scopes here. They do the same as `array[index]` and `array[index] = value`, without the look
whether an index counts from the end.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"
from typing import Final, no_type_check

from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

FAST: Final = {"contract", "nsz", "arcp", "nnan", "ninf"}
"""Liberties of arithmetic for loops of this kind."""


@no_type_check
def _place(context, builder, array_type, array, index):
    return builder.gep(make_array(array_type)(context, builder, array).data, [index])


@no_type_check
def _scope(builder):
    module = builder.module
    domain = module.add_metadata(["mien"])
    return module.add_metadata([module.add_metadata(["table", domain])])


@no_type_check
def _reading(array, label):
    def build(context, builder, signature, arguments):
        value = builder.load(_place(context, builder, signature.args[0], *arguments))
        value.set_metadata(label, _scope(builder))
        return value

    return array.dtype(array, types.intp), build


@intrinsic
@no_type_check
def looked_up(typing, table, index):
    """A number of a flat table that is not written to meanwhile."""
    return _reading(table, "alias.scope")


@intrinsic
@no_type_check
def taken(typing, array, index):
    """A number of a flat array that is no table."""
    return _reading(array, "noalias")


@intrinsic
@no_type_check
def put(typing, array, index, value):
    """Write a number to a flat array that is no table."""

    def build(context, builder, signature, arguments):
        store = builder.store(arguments[2], _place(context, builder, signature.args[0], *arguments[:2]))
        store.set_metadata("noalias", _scope(builder))
        return context.get_dummy_value()

    return types.void(array, types.intp, array.dtype), build
