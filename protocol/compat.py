"""The few differences between CPython and MicroPython, in one place."""

TYPE_CHECKING = False  # type checkers take this name as true; neither interpreter does

try:
    from micropython import const
except ImportError:

    def const(value: int) -> int:
        return value


__all__ = ["TYPE_CHECKING", "const"]
