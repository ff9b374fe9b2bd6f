"""From inert objects to what a generator is: class name, constructor arguments, attributes, a flat state
dict."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from mien.generator.official.machine import kind_of
from mien.generator.official.values import Budget, Instance, RefusedError, TensorView, shown

NETWORKS: Final = ("G_ema", "G")
"""Entries of a checkpoint that are generators, the better one first; discriminators are left alone."""
PLANE_AXES: Final = "renderer.plane_axes"
"""The plane axes: an attribute of the renderer, a parameter in pre-release checkpoints."""

_POSITIONAL: Final = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels")
_MODULE_STEPS: Final = 20
_MAX_DEPTH: Final = 16
_MAX_LISTED: Final = 64
_SHOWN_KEYS: Final = 8


@dataclass(frozen=True, eq=False)
class PickledModel:
    """A generator as a file describes it; nothing is known to fit together yet."""

    network: str
    """"G_ema", "G", or "state dict"."""
    tensors: dict[str, TensorView]
    class_name: str | None = None
    """None for a bare state dict."""
    init_kwargs: dict[str, Any] = field(default_factory=dict)
    """Constructor arguments, plain JSON."""
    attributes: dict[str, Any] = field(default_factory=dict)
    """Attributes that are plain JSON, with `rendering_kwargs`."""
    plane_axes: TensorView | None = None
    """Three 3x3 matrices."""


def model_of(root: Any, budget: Budget) -> PickledModel:
    """The generator in what a file holds: the EMA one if there are two; RefusedError if there is none."""
    if isinstance(root, Instance):
        return _model_of_network("G_ema", root, budget)
    if not isinstance(root, dict):
        raise RefusedError(f"it holds {kind_of(root)}; expected a dictionary with G_ema, or a generator")
    for name in NETWORKS:
        if root.get(name) is not None:
            return _model_of_network(name, root[name], budget)
    if any(isinstance(value, TensorView) for value in root.values()):
        return _model_of_state("state dict", root)
    raise RefusedError(f"it has neither G_ema nor G, nor tensors, but {_some_keys(root)}")


def _model_of_network(name: str, value: Any, budget: Budget) -> PickledModel:
    if isinstance(value, dict) and value:
        return _model_of_state(name, value)
    if not isinstance(value, Instance) or value.state is None:
        raise RefusedError(f"its {name} is {kind_of(value)}; expected a generator or its state dict")
    tensors = dict(walk_tensors(value, budget))
    state = value.state
    return PickledModel(
        network=name,
        class_name=value.class_name.rpartition(".")[2],
        tensors=tensors,
        init_kwargs=_constructor_arguments(state, budget),
        attributes=_attributes(state, budget),
        plane_axes=_plane_axes(state, tensors),
    )


def _model_of_state(name: str, values: dict[Any, Any]) -> PickledModel:
    for key, value in values.items():
        if not isinstance(key, str) or not isinstance(value, TensorView):
            raise RefusedError(f"its {name} has {shown(key)}, which is {kind_of(value)} and no tensor")
    return PickledModel(network=name, tensors=values, plane_axes=values.get(PLANE_AXES))


def walk_tensors(module: Instance, budget: Budget) -> Iterator[tuple[str, TensorView]]:
    """Parameters and buffers of a module and of those inside it, by their names in a state dict."""
    waiting = [("", module, 0)]
    while waiting:
        prefix, instance, depth = waiting.pop()
        budget.spend(_MODULE_STEPS)  # modules may share parts: a small file can describe any number of them
        state = instance.state or {}
        yield from _own_tensors(state, prefix, budget)
        for name, value in _entries(state, "_modules", prefix, budget):
            if not isinstance(value, Instance | None):
                raise RefusedError(f"{shown(prefix + name)} is {kind_of(value)} and no module")
            if depth >= _MAX_DEPTH:
                raise RefusedError(f"its modules nest deeper than {_MAX_DEPTH}, at {shown(prefix + name)}")
            if value is not None:
                waiting.append((f"{prefix}{name}.", value, depth + 1))


def _own_tensors(state: dict[Any, Any], prefix: str, budget: Budget) -> Iterator[tuple[str, TensorView]]:
    """Those of one module."""
    hidden = state.get("_non_persistent_buffers_set") or ()
    for group in ("_parameters", "_buffers"):
        for name, value in _entries(state, group, prefix, budget):
            if value is None or (isinstance(hidden, set | frozenset) and name in hidden):
                continue
            if not isinstance(value, TensorView):
                raise RefusedError(f"{shown(prefix + name)} is {kind_of(value)} and no tensor")
            yield prefix + name, value


def _entries(state: dict[Any, Any], group: str, prefix: str, budget: Budget) -> list[tuple[str, Any]]:
    entries = state.get(group) or {}
    if not isinstance(entries, dict) or not all(isinstance(name, str) for name in entries):
        raise RefusedError(
            f"{group} of {shown(prefix.rstrip('.') or 'the generator')} is not a dictionary by name"
        )
    budget.spend(len(entries))
    return list(entries.items())


def _constructor_arguments(state: dict[Any, Any], budget: Budget) -> dict[str, Any]:
    named, positional = state.get("_init_kwargs", {}), state.get("_init_args", ())
    if not isinstance(named, dict) or not isinstance(positional, tuple | list):
        raise RefusedError("its constructor arguments (_init_kwargs) are not a dictionary")
    if len(positional) > len(_POSITIONAL):
        raise RefusedError(
            f"it has {len(positional)} constructor arguments without names; at most {len(_POSITIONAL)} are "
            "known"
        )
    given = dict(zip(_POSITIONAL, positional, strict=False)) | named
    return {
        shown_name(key): plain(value, f"_init_kwargs.{shown_name(key)}", budget)
        for key, value in given.items()
    }


def _attributes(state: dict[Any, Any], budget: Budget) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in state.items():
        if not isinstance(name, str) or name.startswith("_"):
            continue
        if name == "rendering_kwargs" or isinstance(value, str | int | float):
            found[shown_name(name)] = plain(value, name, budget)
    return found


def _plane_axes(state: dict[Any, Any], tensors: dict[str, TensorView]) -> TensorView | None:
    if PLANE_AXES in tensors:
        return tensors[PLANE_AXES]
    modules = state.get("_modules")
    renderer = modules.get("renderer") if isinstance(modules, dict) else None
    held = (renderer.state or {}).get("plane_axes") if isinstance(renderer, Instance) else None
    return held if isinstance(held, TensorView) else None


def plain(value: Any, name: str, budget: Budget, depth: int = 0) -> Any:
    """A value as plain JSON; RefusedError naming it if it is anything else."""
    budget.spend(1)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        if not abs(value) < float(1 << 60):  # also not a number
            raise RefusedError(f"{name} is {shown(value)}, which cannot be")
        return value
    if isinstance(value, str):
        return _short(value, name)
    if depth < _MAX_DEPTH and isinstance(value, dict | list | tuple) and len(value) <= _MAX_LISTED:
        if isinstance(value, dict):
            pairs = ((shown_name(key), part) for key, part in value.items())
            return {key: plain(part, f"{name}.{key}"[:200], budget, depth + 1) for key, part in pairs}
        return [plain(part, name, budget, depth + 1) for part in value]
    if isinstance(value, TensorView) and value.count <= _MAX_LISTED:
        return plain(value.read().tolist(), name, budget, depth + 1)
    raise RefusedError(f"{name} is {kind_of(value)}, which cannot be kept in a header")


def _short(text: str, name: str) -> str:
    if len(text) > 100 or not text.isprintable():
        raise RefusedError(f"{name} is a text that cannot be kept in a header")
    return text


def shown_name(key: Any) -> str:
    """A key that can stand in a sentence and in JSON."""
    if isinstance(key, str) and key.isprintable() and len(key) <= 100:
        return key
    raise RefusedError(f"it has an attribute or argument named {shown(key)}")


def _some_keys(values: dict[Any, Any]) -> str:
    names = [shown(key) for key in list(values)[:_SHOWN_KEYS]]
    more = len(values) - len(names)
    return (", ".join(names) + (f" and {more} more" if more else "")) or "nothing"
