"""The two families of error: what a peer did wrong, and what we did wrong."""


class Refusal(Exception):
    """Input from outside was refused; it cost this input and nothing else.

    Every kind of hostile or damaged input has its own subclass. The class name is the
    refusal's name in logs, counters and documents.
    """

    @property
    def name(self) -> str:
        return type(self).__name__


class Misuse(Exception):
    """Our own code called something out of order or with values it must not pass."""
