"""Perch on the bench's wire: `perch wire` over the simulated wire, MQTT and blobs above it, and both ends in memory."""

import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

from protocol.link import Link
from protocol.session import Session
from protocol.stack import Stack
from sim.bench_case import Case
from sim.bench_peers import ROOT, START_S, NotFinished, Process, figures, programs, random_file, wire_of

# what `perch wire --json` says about a run and the results keep
KEPT = ("repaired", "resent", "damaged", "round_trip_ms", "sessions", "peer_repaired", "peer_damaged")


def perch(case: Case, seed: int) -> dict[str, Any]:
    """One file by `perch wire`: its clock runs from the open port to the receiver's word that all is verified."""
    with tempfile.TemporaryDirectory() as folder, wire_of(case, seed) as wire, programs() as started:
        file = random_file(folder, case.size)

        def start(*words: str) -> Process:
            command = [sys.executable, "-m", "perch", "wire", *words, "--json", "--baud", str(case.baud or 3_000_000)]
            started.append(
                subprocess.Popen(
                    command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
                )
            )
            return started[-1]

        receiver = start("receive", "--once", "--port", wire.b_path, "--out", f"{folder}/out")
        until = time.monotonic() + START_S
        while not wire.counters()["ba"]["offered"]:  # its first words: it has its port
            if time.monotonic() > until or receiver.poll() is not None:
                raise NotFinished("perch wire receive did not start")
            time.sleep(0.02)
        sender = start("send", str(file), "--port", wire.a_path)
        try:
            said, trouble = sender.communicate(timeout=case.wait_s + START_S)
        except subprocess.TimeoutExpired:
            raise NotFinished(f"not in {case.wait_s:.0f} s") from None
        if sender.returncode:
            raise NotFinished(f"perch wire ended with {sender.returncode}: {trouble.strip()[-200:]}")
        found = json.loads(said.strip().splitlines()[-1])
        if found["seconds_since_open"] > case.wait_s:
            raise NotFinished(f"not in {case.wait_s:.0f} s")
        run = figures(wire, found["seconds_since_open"])
        run |= {name: found[name] for name in KEPT if name in found}
        run["bytes_arrived"] = found.get("peer_bytes_received", run["bytes_arrived"])
        return run


def pulled(case: Case, seed: int) -> dict[str, Any]:
    """A blob pulled by MQTT over the same stack (`sim.bench_pull`)."""
    try:
        pull = importlib.import_module("sim.bench_pull").pull
    except ModuleNotFoundError:
        raise NotFinished("sim.bench_pull is not there") from None
    reached, found = pull(case.baud, case.size, case.ber, seed)
    if not reached:
        raise NotFinished("the blob was not pulled whole")
    run = {"finished": True, "seconds": round(found["seconds"], 4), "bytes_arrived": found["bytes_received"]}
    return run | {"repaired": found["repaired"], "damaged": found["damaged"], "resent": found["sender"]["resent"]}


def in_memory(case: Case, seed: int) -> dict[str, Any]:
    """Both ends in this one process, and between them nothing but calls: what the code itself can carry."""
    ends = [one_end(True), one_end(False)]
    data = os.urandom(1 << 16)
    sent = got = 0
    begin = time.monotonic()
    while got < case.size:
        now = int((time.monotonic() - begin) * 1000)
        if now > case.wait_s * 1000:
            raise NotFinished(f"not in {case.wait_s:.0f} s")
        if ends[0].up and sent < case.size:
            sent += ends[0].write(data[: min(len(data), case.size - sent)])
        for end, other in (ends, ends[::-1]):
            if wire := end.to_send(now):
                other.receive(wire, now)
            end.tick(now)
        for end in ends:
            while (event := end.next_event()) is not None:
                got += len(event[1]) if event[0] == "data" else 0
    return {"finished": True, "seconds": round(time.monotonic() - begin, 4)}


def one_end(initiator: bool) -> Stack:
    return Stack(
        Link(os.urandom(8)), lambda: Session(initiator, os.urandom(32), os.urandom, "XX" if initiator else None)
    )
