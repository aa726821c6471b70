"""records.cddl (RFC 8610) from the tables that the code checks by. Not for devices; CPython only.

    python -m protocol.records.cddl > protocol/records/records.cddl

A test keeps the file equal to what this writes, so the document cannot say anything else than the code.
"""

from protocol import blob, enrol
from protocol.records import (
    bundle,
    certificate,
    delivery_list,
    envelope,
    hello,
    journal,
    receipt,
    roster,
    schema,
    statement,
    want,
)

# in the order of a reader: who, what an author made, what staff said, what a device gets, the docking
KINDS: "tuple[type[schema.Record], ...]" = (
    roster.Roster,
    roster.Staff,
    roster.Learner,
    roster.Group,
    roster.Register,
    roster.Device,
    certificate.Certificate,
    envelope.Content,
    envelope.Blob,
    statement.Statement,
    statement.Rendition,
    statement.Audience,
    bundle.Bundle,
    delivery_list.DeliveryList,
    delivery_list.Listed,
    delivery_list.Own,
    journal.JournalEntry,
    journal.JournalBatch,
    receipt.Receipt,
    receipt.Custody,
    hello.Hello,
    hello.Status,
    hello.Time,
    blob.Want,
    want.BundleWant,
    enrol.Reveal,
    enrol.Request,
    enrol.Answer,
    enrol.Ack,
)

HEAD = """\
; The records of Perch. Written by `python -m protocol.records.cddl` from the tables in the code; do not edit.
;
; Every record is deterministic CBOR (RFC 8949 section 4.2.1), a map with the numbers below as its keys, all
; of them present. What stands inside a record is an array. Sizes of text are in UTF-8 bytes. A list said to
; be ascending is strictly so: sorted, and nothing in it twice. A record is at most 28672 bytes unless said.
;
; `ident` names a wing, a person, a learner or a group. `shown` text holds nothing that cannot be seen
; (protocol/records/text.py); `lines` text is shown text that may have newlines.

signed = [body: bstr, signatures: [1*8 sign1]]
; COSE_Sign1 (RFC 9052), EdDSA; payload = SHA-256(body), external_aad = "perch/<kind>/1", kid = SHA-256(key)[:8]
sign1 = bstr .size (1..160)
ident = tstr .regexp "[a-z0-9][a-z0-9-]{0,31}"
"""


def rule_name(kind: "type[schema.Record]") -> str:
    """DeliveryList -> delivery-list"""
    out = ""
    for char in kind.__name__:
        if char.isupper() and out:
            out += "-"
        out += char.lower()
    return out


def _range(least: int, most: int) -> str:
    return str(most) if least == most else f"({least}..{most})"


def describe(shape: schema.Shape) -> str:
    """One shape as a CDDL type."""
    if isinstance(shape, schema.Choice):
        return " / ".join(str(shape.least + index) for index in range(len(shape.words)))
    if isinstance(shape, schema.Uint):
        return f"{shape.least}..{shape.most}"
    if isinstance(shape, schema.Flag):
        return "bool"
    if isinstance(shape, schema.Octets):
        return f"bstr .size {_range(shape.least, shape.most)}"
    if isinstance(shape, schema.Words):
        return f"tstr .size {_range(shape.least, shape.most)}"
    if isinstance(shape, schema.Ident):
        return "ident"
    if isinstance(shape, schema.Word):
        return " / ".join(f'"{word}"' for word in shape.words)
    if isinstance(shape, schema.Maybe):
        return describe(shape.inner) + " / null"
    if isinstance(shape, schema.RowOf):
        return rule_name(shape.row)
    if isinstance(shape, schema.ListOf):
        inner = describe(shape.inner)
        return f"[{shape.least}*{shape.most} {f'({inner})' if ' / ' in inner else inner}]"
    raise TypeError(type(shape).__name__)


def remark(shape: schema.Shape) -> str:
    """What the type cannot say."""
    if isinstance(shape, schema.Maybe):
        return remark(shape.inner)
    if isinstance(shape, schema.Choice):
        return ", ".join(f"{shape.least + index} {word}" for index, word in enumerate(shape.words))
    if isinstance(shape, schema.MediaType):
        return "type/subtype, printable ASCII"
    if isinstance(shape, schema.Words):
        return ("lines" if shape.lines else "shown") if shape.shown else "as the author wrote it"
    if isinstance(shape, schema.ListOf) and shape.key is not None:
        return "ascending by " + shape.key if shape.key else "ascending"
    return ""


def rule(kind: "type[schema.Record]") -> str:
    """One record or row as a CDDL rule, its class's documentation as the comment."""
    lines = ["; " + line.strip() if line.strip() else ";" for line in (kind.__doc__ or "").strip().splitlines()]
    row = issubclass(kind, schema.Row)
    lines.append(f"{rule_name(kind)} = " + ("[" if row else "{"))
    for index, (name, shape) in enumerate(kind.FIELDS):
        said = remark(shape)
        if row:
            lines.append(f"  {name}: {describe(shape)}," + (f" ; {said}" if said else ""))
        else:
            lines.append(f"  {index + 1} => {describe(shape)}, ; {name}" + (f": {said}" if said else ""))
    lines.append("]" if row else "}")
    if kind.BYTES_MAX != schema.Record.BYTES_MAX:
        lines.append(f"; at most {kind.BYTES_MAX} bytes")
    return "\n".join(lines) + "\n"


def document() -> str:
    """The whole file."""
    return HEAD + "\n" + "\n".join(rule(kind) for kind in KINDS)


if __name__ == "__main__":
    print(document(), end="")
