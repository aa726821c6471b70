"""perch wire, why there is no connection: a pure function from what was heard to words that say what to do."""

from __future__ import annotations

from dataclasses import dataclass

AFTER_MS = 5000  # nothing is said about a wire before the other end had so long to start
SURE_MS = 2000  # what cannot come right by waiting is said after so long
GARBAGE_BYTES_MIN = 16  # fewer are the click of a plug

RECEIVE, CHECK, SEND = 1, 2, 3  # what an end of perch wire does; it stands in its boot id
STRANGER, NOBODY = 0, -1
FITTING = {(SEND, RECEIVE), (RECEIVE, SEND), (CHECK, RECEIVE), (RECEIVE, CHECK), (CHECK, CHECK)}

OWN_ECHO = (
    "our own frames come back: a loop-back plug is in this port, or RX and TX touch. Measure a loop-back plug with "
    "`perch wire loop`; otherwise look at the plug."
)
SAME_ROLE = {
    SEND: "the other end sends as well: start `perch wire receive` there.",
    RECEIVE: "the other end waits to receive as well: start `perch wire send` or `perch wire check` at one end.",
}


@dataclass(frozen=True)
class Silence:
    """What was heard for so long without a connection; `peer_role` may also be STRANGER (no `perch wire`) or NOBODY."""

    ms: int
    port_open: bool
    bytes: int
    frames: int
    own_hellos: int
    other_hellos: int
    hears_us: bool
    role: int
    peer_role: int


@dataclass(frozen=True)
class Diagnosis:
    """What is the matter; `final` where waiting does not help."""

    words: str
    final: bool = False


def diagnose(heard: Silence, after_ms: int = AFTER_MS) -> Diagnosis | None:
    """None while it is too early to tell."""
    if not heard.port_open:
        return Diagnosis("the port is gone: its adapter was unplugged or lost its supply. Plug it in again.")
    if heard.other_hellos:
        found = _other_end(heard)
        if found is not None:
            return found
    elif heard.own_hellos and heard.ms >= SURE_MS:
        return Diagnosis(OWN_ECHO, final=True)
    if heard.ms < after_ms:
        return None
    seconds = f"{heard.ms / 1000:.0f} s" if heard.ms >= 1000 else f"{heard.ms / 1000:.1f} s"
    if heard.bytes == 0:
        return Diagnosis(
            f"not one byte arrived in {seconds}: the other end is not started, this is the wrong port, RX and TX are "
            "swapped, or there is no ground."
        )
    if heard.frames == 0:
        if heard.bytes < GARBAGE_BYTES_MIN:
            return Diagnosis(
                f"only {heard.bytes} bytes arrived in {seconds}, and no frame: the other end is not started, or the "
                "contact is loose."
            )
        return Diagnosis(
            f"bytes arrive ({heard.bytes:,} in {seconds}), but no frame: probably another baud rate at the other "
            "end, or noise on RX because TX is not connected. Give --baud the same value at both ends."
        )
    if heard.other_hellos and not heard.hears_us:
        return Diagnosis(
            "the other end is heard, but it does not hear us: this end's TX does not reach its RX. Look at that "
            "conductor and at both plugs."
        )
    return Diagnosis("frames arrive, but no connection comes about: the wire is very bad, or loose. Move the plugs.")


def _other_end(heard: Silence) -> Diagnosis | None:
    """What is wrong with the other end itself; it may be just about to be replaced, so not at once."""
    if heard.ms < SURE_MS or (heard.role, heard.peer_role) in FITTING:
        return None
    if heard.peer_role in (STRANGER, NOBODY):
        return Diagnosis(
            "frames arrive, but the other end is a device or a running hub, not `perch wire`: start `perch wire` "
            "there too (stop a hub first with `systemctl stop perch-hub`).",
            final=True,
        )
    if heard.role == heard.peer_role:
        return Diagnosis(SAME_ROLE[heard.role], final=True)
    other = "send" if heard.peer_role == SEND else "check"
    return Diagnosis(
        f"the other end runs `perch wire {other}`, which does not go with this: start `perch wire receive` there.",
        final=True,
    )
