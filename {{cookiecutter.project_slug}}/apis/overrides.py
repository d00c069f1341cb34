"""Whether a subclass changes what its base does: a shortcut is taken only where none of it is."""


def overrides(subclass: type, base: type, *names: str) -> bool:
    """Whether any of these attributes of `subclass` is another than that of `base`."""
    return any(function(getattr(subclass, name)) is not function(getattr(base, name)) for name in names)


def function(attribute: object) -> object:
    """Return the function of a class method, which is another bound method each time; else the attribute itself."""
    return getattr(attribute, "__func__", attribute)
