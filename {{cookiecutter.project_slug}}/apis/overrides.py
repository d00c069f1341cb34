"""Detect overridden methods: the fast paths of lists apply only where nothing they replace is overridden."""

from collections.abc import Iterator


def overrides(subclass: type, base: type, *names: str) -> bool:
    """Whether any of these attributes of `subclass` differs from that of `base`."""
    return any(function(getattr(subclass, name)) is not function(getattr(base, name)) for name in names)


def own_code(subclass: type, *bases: type) -> Iterator[str]:
    """Yield the names of the methods, properties and classes that `subclass` has from others than these bases."""
    known = {each for base in bases for each in base.__mro__}
    for other in subclass.__mro__:
        if other not in known:
            # Python 3.14 adds a function for the annotations of a class.
            code = {name for name, value in vars(other).items() if callable(value) or hasattr(value, "__get__")}
            yield from code - {"__annotate_func__"}


def function(attribute: object) -> object:
    """Return the function of a class method, whose bound method is new at each access; else the attribute itself."""
    return getattr(attribute, "__func__", attribute)
