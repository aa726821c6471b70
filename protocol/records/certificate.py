"""A device's certificate: the hub's word which keys and which learner a device is. Made at enrolment."""

from protocol.records import signing
from protocol.records.schema import (
    DEVICE_ID,
    IDENT,
    KEY,
    TIME_S,
    VERSION,
    Record,
    RecordRefused,
    Unfit,
    names,
)


class CertificateRefused(RecordRefused):
    """A certificate is out of shape, or not this device's."""


class Certificate(Record):
    """Signed by the hub's release key. `roster_version` is the first roster whose register has the device."""

    wing: str
    device: bytes
    ed25519: bytes
    x25519: bytes
    learner: str
    issued_s: int
    roster_version: int
    FIELDS = (
        ("wing", IDENT),
        ("device", DEVICE_ID),
        ("ed25519", KEY),
        ("x25519", KEY),
        ("learner", IDENT),
        ("issued_s", TIME_S),
        ("roster_version", VERSION),
    )
    __slots__ = names(FIELDS)
    REFUSAL = CertificateRefused

    def rules(self) -> None:
        if self.device != signing.key_id(self.ed25519):
            raise Unfit("device", "not that of the key")

    def sign(self, seed: bytes, public: bytes) -> bytes:
        """The signed certificate, by the hub's release key."""
        body = self.encode()
        return signing.pack_signed(body, [signing.sign(signing.CERTIFICATE, seed, public, body)])


def accept(signed: bytes, hub_ed25519: bytes) -> Certificate:
    """The certificate in `signed`; raises CertificateRefused, SignedRefused or SignatureRefused."""
    return Certificate.decode(signing.open_signed(signing.CERTIFICATE, hub_ed25519, signed))
