"""Detect overridden methods: the fast paths of lists apply only where nothing they replace is overridden."""


def overrides(subclass: type, base: type, *names: str) -> bool:
    """Whether any of these attributes of `subclass` differs from that of `base`."""
    return any(function(getattr(subclass, name)) is not function(getattr(base, name)) for name in names)


def function(attribute: object) -> object:
    """Return the function of a class method, whose bound method is new at each access; else the attribute itself."""
    return getattr(attribute, "__func__", attribute)
