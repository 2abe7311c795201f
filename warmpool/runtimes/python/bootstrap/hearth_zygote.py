"""The zygote of package sandbox: a process that has booted and imported, and forks.

It is trusted, has one thread and nothing of any function. Each order comes with the
namespaces of an environment and the descriptors of its command. The child joins the
namespaces, gives up all power and all else that it has of the zygote, and returns from
main: it is a stem then.
"""

import ctypes
import fcntl
import gc
import json
import os
import signal
import socket
import sys
from importlib.machinery import ExtensionFileLoader

import hearth_handler
import hearth_sdk

# linux/sched.h, linux/prctl.h, linux/capability.h
CLONE_NEWPID = 0x20000000
PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 4, 22, 24, 38, 47
CAPABILITY_VERSION_3 = 0x20080522
JOINED = 6  # mnt, net, ipc, uts, cgroup, user; then pid
MAX_ORDER = 1 << 18
MAX_FILES = 1024

libc = ctypes.CDLL(None, use_errno=True)


def main(booted):
    """Serves orders until the gateway ends. Returns in a child. booted are the modules
    that a stem has anyway."""
    conn = socket.socket(fileno=3)
    try:
        setup = json.loads(conn.recv(MAX_ORDER))
        if setup.get("path"):
            hearth_sdk.preload(setup.get("entries") or (), setup["path"])
        check(setup.get("path"))
    except BaseException as e:
        tell(conn, error="%s: %s" % (type(e).__name__, e))
        os._exit(1)
    hearth_handler.preloaded = frozenset(sys.modules) - booted - {__name__}
    sys.argv = sys.argv[:1]
    gc.collect()
    gc.freeze()  # so that a collection in a child writes to none of its pages
    own_pids = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)

    def reap(*_):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            tell(conn, exit=pid, status=status)

    signal.signal(signal.SIGCHLD, reap)
    tell(conn, ready=True)
    while True:
        message, fds, _, _ = socket.recv_fds(conn, MAX_ORDER, 32)
        if not message:
            os._exit(0)
        # Nothing is reaped until the gateway has the child in its hands.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        try:
            order = json.loads(message)
            must(libc.setns(fds[JOINED], CLONE_NEWPID))
            pid = -1
            try:
                pid = os.fork()
            finally:
                if pid != 0:
                    must(libc.setns(own_pids, CLONE_NEWPID))
        except Exception as e:
            tell(conn, error="%s: %s" % (type(e).__name__, e))
        else:
            if pid == 0:
                become(order, fds, conn)
                return
            tell(conn, pid=pid)
            conn.recv(64)
        for fd in fds:
            os.close(fd)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})


def tell(conn, **said):
    try:
        conn.send(json.dumps(said).encode())
    except OSError:
        os._exit(0)  # the gateway is gone


def must(result):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def check(path):
    """Fails if a fork of this process would share more than memory."""
    threads = os.listdir("/proc/self/task")
    if len(threads) != 1:
        raise RuntimeError("%d threads run" % len(threads))
    for name, module in list(sys.modules.items()):
        spec = getattr(module, "__spec__", None)
        if path and isinstance(getattr(spec, "loader", None), ExtensionFileLoader) and spec.origin.startswith(path):
            raise RuntimeError("module %s is native code of the SDK" % name)
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink("/proc/self/fd/" + fd)
        except OSError:
            continue  # that of the folder itself
        if int(fd) > 3:
            raise RuntimeError("a module keeps %s open" % target)


def become(order, fds, conn):
    """Makes this process, a child, the command of its environment."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        for fd in fds[:JOINED]:
            must(libc.setns(fd, 0))
        os.setsid()
        os.chdir(order["dir"])
        give_up_power(order["uid"], order["gid"])

        conn.detach()
        high = [os.open("/dev/null", os.O_RDWR)] + fds[JOINED + 1 :]
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 64) for fd in high]
        for number, fd in enumerate(high):
            os.dup2(fd, number)
        os.closerange(len(high), MAX_FILES)

        must(libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
        must(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        filter_calls(bytes.fromhex(order["seccomp"]))
    except BaseException as e:
        os.write(2, ("zygote: %s: %s\n" % (type(e).__name__, e)).encode())
        os._exit(70)
    for name in __name__, "ctypes", "_ctypes", "ctypes._endian":
        sys.modules.pop(name, None)


def give_up_power(uid, gid):
    must(libc.prctl(PR_CAP_AMBIENT, 4, 0, 0, 0))  # all of them
    for capability in range(64):
        if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break  # the kernel knows no more
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    must(libc.capset(header, (ctypes.c_uint32 * 6)()))


def filter_calls(program):
    class Program(ctypes.Structure):
        _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_char_p)]

    must(libc.prctl(PR_SET_SECCOMP, 2, ctypes.byref(Program(len(program) // 8, program)), 0, 0))
