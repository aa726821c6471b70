"""The jail: what a locked-in process tried, and that there is no way round the lock."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyseccomp
import pytest

from hub_daemon.limits import MEDIA_CPU_S_MAX, MEDIA_MEMORY_BYTES_MAX
from hub_daemon.media import jail, worker
from hub_daemon.media.refusals import JailUnavailable
from protocol import cbor

ROOT = str(Path(__file__).resolve().parents[3])


def test_a_locked_in_process_can_compute_and_nothing_else() -> None:
    found = jail.self_test()
    assert found["nothing"] == "went through"
    assert found["open"] == found["write"] == "refused"
    for name in ("socket", "socketpair", "execve", "fork", "kill", "ptrace", "runnable memory"):
        assert found[name] == "killed", name
    assert found["thread"] == found["memory"] == "refused"
    assert jail.is_sound(found)


def test_the_self_test_tells_a_jail_with_a_hole() -> None:
    sound = dict.fromkeys(jail.ATTEMPTS, "killed") | {"nothing": "went through"}
    assert jail.is_sound(sound)
    assert not jail.is_sound(sound | {"socket": "went through"})
    assert not jail.is_sound(sound | {"nothing": "killed"})
    assert not jail.is_sound({})


def test_the_attempts_go_through_outside_the_jail() -> None:
    """The self test is worth something only if the same attempts succeed without the lock."""
    for name in ("open", "socket", "socketpair", "execve", "fork", "thread", "kill", "runnable memory"):
        code = (
            f"import sys; sys.path.insert(0, {ROOT!r}); from hub_daemon.media import jail\n"
            f"jail.ATTEMPTS[{name!r}](); import os; os._exit(0)"
        )
        assert subprocess.run([sys.executable, "-c", code], timeout=30).returncode == 0, name


def test_the_worker_is_locked_in_before_it_reads_its_first_byte(short: bytes) -> None:
    """Read from the kernel, not from the worker: seccomp mode 2 while it waits for its bytes."""
    child = subprocess.Popen(
        jail.command("hub_daemon.media.worker", str(MEDIA_MEMORY_BYTES_MAX), str(MEDIA_CPU_S_MAX)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=jail.ENVIRONMENT,
    )
    try:
        for _ in range(300):
            status = Path(f"/proc/{child.pid}/status").read_text()
            if "Seccomp:\t2" in status:
                break
            time.sleep(0.05)
        assert "Seccomp:\t2" in status and "NoNewPrivs:\t1" in status
        limits = Path(f"/proc/{child.pid}/limits").read_text()
        held = {line[:26].strip(): line[26:].split()[0] for line in limits.splitlines()[1:]}
        assert held["Max open files"] == "3" and held["Max file size"] == held["Max processes"] == "0"
        assert held["Max address space"] == str(MEDIA_MEMORY_BYTES_MAX)
        answer, _ = child.communicate(short, timeout=60)
        assert len(worker._read_answer(answer).video) > 1000
    finally:
        child.kill()
        child.wait()


def test_without_seccomp_nothing_is_decoded(short: bytes) -> None:
    """The worker as it is, on a machine where the filter cannot be had."""
    command = jail.command("hub_daemon.media.worker", str(MEDIA_MEMORY_BYTES_MAX), str(MEDIA_CPU_S_MAX))
    command[4] = "import sys; sys.modules['pyseccomp'] = None; " + command[4]
    done = subprocess.run(command, input=short, capture_output=True, env=jail.ENVIRONMENT, timeout=60)
    head = cbor.loads(done.stdout[2:])
    assert head[worker.OUTCOME] == "no jail" and "seccomp" in head[worker.DETAIL]
    with pytest.raises(JailUnavailable):
        worker._read_answer(done.stdout)


def test_a_worker_dies_with_the_hub_that_started_it() -> None:
    code = (
        f"import sys, time; sys.path.insert(0, {ROOT!r}); import subprocess; from hub_daemon.media import jail\n"
        "child = subprocess.Popen(jail.command('hub_daemon.media.worker', str(1 << 30), '60'),"
        " stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=jail.ENVIRONMENT)\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    hub = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert hub.stdout is not None
    status = Path(f"/proc/{int(hub.stdout.readline())}/status")
    deadline = time.monotonic() + 20
    while "Seccomp:\t2" not in status.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    hub.kill()
    hub.wait()
    hub.stdout.close()
    while status.exists() and "State:\tZ" not in status.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not status.exists() or "State:\tZ" in status.read_text()


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root can become nobody")
def test_the_jail_is_as_good_for_a_hub_without_privileges(short: bytes) -> None:
    """In a copy that nobody may read; the interpreter is the system's where ours is in somebody's home."""
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"]
    starts_itself = "import subprocess, sys, tomllib; subprocess.run([sys.executable, '-c', ''], check=True)"
    pythons = [
        python
        for python in (os.path.realpath(sys.executable), "/usr/bin/python3")
        if subprocess.run([*nobody, python, "-c", starts_itself], capture_output=True, check=False).returncode == 0
    ]
    if not pythons:
        pytest.skip("no Python that nobody may run")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        for name in ("protocol", "hub_daemon"):
            shutil.copytree(Path(ROOT) / name, Path(folder) / name, ignore=shutil.ignore_patterns("__pycache__"))
        assert pyseccomp.__file__ is not None
        shutil.copy(pyseccomp.__file__, folder)
        subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
        code = f"import sys; sys.path.insert(0, {folder!r}); from hub_daemon.media import jail; print(jail.self_test())"
        done = subprocess.run(
            [*nobody, pythons[0], "-B", "-c", code], capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 0, done.stderr
    assert jail.is_sound(ast.literal_eval(done.stdout))


def test_nothing_of_the_hubs_surroundings_reaches_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERCH_SECRET", "x")
    assert set(jail.ENVIRONMENT) == {"LC_ALL"}
    assert "-I" in jail.command("hub_daemon.media.worker")
    assert "PERCH_SECRET" in os.environ
