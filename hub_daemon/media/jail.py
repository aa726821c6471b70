"""The jail of the media worker: what the process that decodes a stranger's bytes can still do is compute.

`lock_in()` is called by the child itself, after it has warmed up everything it needs and before it reads the
first byte of the item. Then: no file, no socket, no other program, no other process, no second thread, a bound
on memory and CPU. The system calls are an allow-list; what is not on it kills the process (SIGSYS). `open` and
its kin answer EACCES instead, because libvpx asks /sys for the number of processors and goes on without an
answer. Every codec is told to use one thread; asking for another answers EAGAIN, as the process limit does for
anybody but root. `clone3` answers ENOSYS, so that libc falls back to `clone`, whose flags a filter can read;
`clone` for a new process kills.

`self_test()` starts a child that locks itself in and then really tries: it tells what was refused and how.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from hub_daemon.limits import MEDIA_CPU_S_MAX, MEDIA_MEMORY_BYTES_MAX
from hub_daemon.media.refusals import JailUnavailable

CLONE_THREAD = 0x00010000
CLONE_NEWNET = 0x40000000
CLONE_NEWUSER = 0x10000000
PROT_EXEC = 4
PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NAME = 15

# Computing, memory, the three open descriptors, and leaving.
ALLOWED = """
    read readv write writev lseek close fstat
    brk munmap mremap madvise
    futex sched_yield sched_getaffinity set_robust_list rseq gettid getpid
    rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack restart_syscall tgkill
    clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday getrandom getrusage times sysinfo
    exit exit_group
""".split()

# Asked by libraries that go on without the answer: refused, not fatal.
REFUSED = {
    errno.EACCES: "open openat openat2 creat access faccessat faccessat2 stat lstat newfstatat statx "
    "readlink readlinkat getdents64 getcwd statfs mkdir mkdirat unlink unlinkat rename renameat "
    "renameat2".split(),
    errno.ENOSYS: ["clone3"],
    errno.ENOTTY: ["ioctl"],
    errno.EPERM: "prctl prlimit64 getrlimit setrlimit fcntl dup dup2 sched_setaffinity sched_getparam "
    "sched_getscheduler sched_setscheduler get_mempolicy mbind set_mempolicy poll ppoll".split(),
}


def lock_in(memory_bytes_max: int = MEDIA_MEMORY_BYTES_MAX, cpu_s_max: int = MEDIA_CPU_S_MAX) -> None:
    """Lock this process in, for good. Raises JailUnavailable when any part of the lock cannot be had."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # the hub is gone: nobody waits any more
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    # A net of its own with nothing in it: a second wall behind the filter, where the kernel lets us.
    if libc.unshare(CLONE_NEWNET) != 0:
        libc.unshare(CLONE_NEWUSER | CLONE_NEWNET)
    seccomp = _seccomp()  # before the limits: finding the library may run ldconfig
    _limit(memory_bytes_max, cpu_s_max)
    _filter(seccomp)


def _seccomp() -> Any:
    try:
        import pyseccomp
    except (ImportError, OSError, RuntimeError) as error:
        raise JailUnavailable(f"seccomp is missing (libseccomp2, pyseccomp): {error}") from error
    return pyseccomp


def _limit(memory_bytes_max: int, cpu_s_max: int) -> None:
    limits = [
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 3),  # the three that are open; a fourth cannot be had
        (resource.RLIMIT_NPROC, 0),  # root is exempt from this one; the filter is not
        (resource.RLIMIT_AS, memory_bytes_max),
    ]
    try:
        for which, most in limits:
            resource.setrlimit(which, (most, most))
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_s_max, cpu_s_max + 1))
    except (ValueError, OSError) as error:
        raise JailUnavailable(f"the resource limits cannot be set: {error}") from error


def _filter(seccomp: ModuleType) -> None:
    try:
        wall = seccomp.SyscallFilter(defaction=seccomp.KILL_PROCESS)
        for name in ALLOWED:
            _rule(seccomp, wall, seccomp.ALLOW, name)
        for number, names in REFUSED.items():
            for name in names:
                _rule(seccomp, wall, seccomp.ERRNO(number), name)
        # memory may be had, but never memory that can be run
        for name in ("mmap", "mprotect"):
            runnable = seccomp.Arg(2, seccomp.MASKED_EQ, PROT_EXEC, 0)
            _rule(seccomp, wall, seccomp.ALLOW, name, runnable)
        threads = seccomp.Arg(0, seccomp.MASKED_EQ, CLONE_THREAD, CLONE_THREAD)
        _rule(seccomp, wall, seccomp.ERRNO(errno.EAGAIN), "clone", threads)
        wall.load()
    except (OSError, ValueError, RuntimeError) as error:
        raise JailUnavailable(f"the system call filter cannot be loaded: {error}") from error


def _rule(seccomp: ModuleType, wall: Any, action: int, name: str, *args: object) -> None:
    """One rule; a call that this processor does not have (open on arm64) needs none."""
    try:
        number = seccomp.resolve_syscall(seccomp.Arch.NATIVE, name)
    except (OSError, ValueError):
        return
    if number < 0:  # libseccomp's number for "not on this architecture"
        return
    wall.add_rule(action, number, *args)


def command(module: str, *arguments: str) -> list[str]:
    """The command line of a child that runs `module.main()`.

    `-I` takes no PYTHON* variable, no current directory and no user packages, so the path is handed over.
    """
    root = str(Path(__file__).resolve().parents[2])
    code = f"import sys; sys.path.insert(0, sys.argv.pop(1)); from {module} import main; main(sys.argv[1:])"
    return [sys.executable, "-I", "-B", "-c", code, root, *arguments]


ENVIRONMENT = {"LC_ALL": "C.UTF-8"}  # nothing of the hub's surroundings reaches the child

# --- the self test ------------------------------------------------------------


def _try_open() -> None:
    os.open("/etc/passwd", os.O_RDONLY)


def _try_write() -> None:
    os.open("/tmp/perch-jail-test", os.O_WRONLY | os.O_CREAT, 0o600)


def _try_socket() -> None:
    import socket

    socket.socket(socket.AF_INET, socket.SOCK_STREAM)


def _try_unix_socket() -> None:
    import socket

    socket.socketpair()


def _try_execve() -> None:
    os.execve("/bin/true", ["/bin/true"], {})


def _try_fork() -> None:
    os.fork()


def _try_thread() -> None:
    import _thread

    _thread.start_new_thread(sum, ([],))


def _try_kill() -> None:
    os.kill(os.getppid(), 0)


def _try_ptrace() -> None:
    ctypes.CDLL(None).ptrace(0, 0, 0, 0)


def _try_runnable_memory() -> None:
    import mmap

    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)


def _try_memory() -> None:
    bytearray(2 * MEDIA_MEMORY_BYTES_MAX)


def _try_nothing() -> None:
    """The control: a child that only computes must live, or the other answers mean nothing."""
    sum(range(1000))


ATTEMPTS: dict[str, Callable[[], None]] = {
    "nothing": _try_nothing,
    "open": _try_open,
    "write": _try_write,
    "socket": _try_socket,
    "socketpair": _try_unix_socket,
    "execve": _try_execve,
    "fork": _try_fork,
    "thread": _try_thread,
    "kill": _try_kill,
    "ptrace": _try_ptrace,
    "runnable memory": _try_runnable_memory,
    "memory": _try_memory,
}

NO_JAIL_EXIT = 90
DONE_EXIT = 91  # the attempt went through
REFUSED_EXIT = 92  # the attempt got an error


def main(arguments: list[str]) -> int:
    """The child of the self test: warm up, lock in, try one thing."""
    import _thread
    import mmap
    import socket

    assert _thread and mmap and socket  # imported here: inside there is no import
    attempt = ATTEMPTS[arguments[0]]
    ctypes.CDLL(None)
    try:
        lock_in()
    except JailUnavailable:
        os._exit(NO_JAIL_EXIT)
    try:
        attempt()
    except (OSError, MemoryError, RuntimeError):  # RuntimeError: no new thread
        os._exit(REFUSED_EXIT)
    os._exit(DONE_EXIT)


def self_test() -> dict[str, str]:
    """What a locked-in process really can do: attempt -> "killed", "refused" or "went through".

    A sound jail lets "nothing" go through and nothing else. Raises JailUnavailable when there is no jail.
    """
    running = {}
    for name in ATTEMPTS:
        running[name] = subprocess.Popen(
            command("hub_daemon.media.jail", name),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT,
            start_new_session=True,
        )
    found = {}
    for name, child in running.items():
        try:
            code = child.wait(timeout=30)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            code = child.wait()
        if code == NO_JAIL_EXIT:
            found[name] = "no jail"
        elif code == -signal.SIGSYS:
            found[name] = "killed"
        else:
            found[name] = {DONE_EXIT: "went through", REFUSED_EXIT: "refused"}.get(code, f"exit {code}")
    if "no jail" in found.values():
        raise JailUnavailable("this machine has no seccomp: nothing will be decoded on it")
    return found


def is_sound(found: dict[str, str]) -> bool:
    """Whether what `self_test` found is a jail: computing works, everything else was killed or refused."""
    kept = {name: result for name, result in found.items() if name != "nothing"}
    return found.get("nothing") == "went through" and set(kept.values()) <= {"killed", "refused"}
