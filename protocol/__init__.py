"""What both ends of the wire share; runs unchanged on CPython and MicroPython."""
