package sandbox

import (
	"runtime"
	"strings"
	"testing"
)

func TestDeniedCallsFail(t *testing.T) {
	s := shared(t)
	got := python(t, s, `
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def call(name, f):
    ctypes.set_errno(0)
    r = f()
    print(name, errno.errorcode[ctypes.get_errno()] if r == -1 else r)
null = ctypes.c_void_p()
NEWUSER = 0x10000000
amd64 = os.uname().machine == "x86_64"
call("unshare", lambda: libc.unshare(NEWUSER))
call("clone", lambda: libc.syscall(56 if amd64 else 220, NEWUSER | 17, null, null, null, null))
call("clone-high", lambda: libc.syscall(56 if amd64 else 220, ctypes.c_ulong(1 << 40 | NEWUSER | 17), null, null, null, null))
call("clone3", lambda: libc.syscall(435, null, 0))
call("io_uring", lambda: libc.syscall(425, 1, null))
call("setns", lambda: libc.setns(os.open("/proc/self/ns/mnt", os.O_RDONLY), 0))
call("mount", lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, null))
call("umount", lambda: libc.umount2(b"/tmp", 2))
call("open_tree", lambda: libc.syscall(428, -100, b"/", 1))
call("chroot", lambda: libc.chroot(b"/tmp"))
call("ptrace", lambda: libc.ptrace(0, 0, null, null))
call("process_vm_readv", lambda: libc.process_vm_readv(1, null, 0, null, 0, 0))
call("pidfd_getfd", lambda: libc.syscall(438, 0, 0, 0))
call("bpf", lambda: libc.syscall(321 if amd64 else 280, 0, null, 0))
call("keyctl", lambda: libc.syscall(250 if amd64 else 219, 0, 0, 0))
call("userfaultfd", lambda: libc.syscall(323 if amd64 else 282, 0))
call("perf_event_open", lambda: libc.syscall(298 if amd64 else 241, null, 0, 0, 0, 0))
call("tiocsti", lambda: libc.ioctl(0, ctypes.c_ulong(0x5412), b"x"))
call("tiocsti-high", lambda: libc.ioctl(0, ctypes.c_ulong(1 << 32 | 0x5412), b"x"))
call("tcgets", lambda: libc.ioctl(0, ctypes.c_ulong(0x5401), null))
for name, family in ("unix", 1), ("inet", 2), ("ax25", 3), ("inet6", 10), ("netlink", 16), ("packet", 17), ("alg", 38), ("vsock", 40):
    call(name, lambda: min(libc.socket(family, 2, 0), 0))
for name, family, type_, protocol in ("tcp", 2, 1, 6), ("udp6", 10, 2, 17), ("ping", 2, 2, 1), ("mptcp", 2, 1, 262), ("mptcp-high", 2, 1, 1 << 32 | 262), ("sctp", 10, 1, 132), ("diag", 16, 2, 4), ("audit", 16, 2, 9), ("netfilter", 16, 2, 12), ("uevent", 16, 2, 15):
    call(name, lambda: min(libc.socket(family, type_, ctypes.c_ulong(protocol)), 0) if name != "ping" else 0 if libc.socket(family, type_, protocol) >= 0 or ctypes.get_errno() == errno.EACCES else -1)
call("io_setup", lambda: libc.syscall(206 if amd64 else 0, 1, null))
`, Spec{})
	want := `unshare EPERM
clone EPERM
clone-high EPERM
clone3 ENOSYS
io_uring ENOSYS
setns EPERM
mount EPERM
umount EPERM
open_tree EPERM
chroot EPERM
ptrace EPERM
process_vm_readv EPERM
pidfd_getfd EPERM
bpf EPERM
keyctl EPERM
userfaultfd EPERM
perf_event_open EPERM
tiocsti EPERM
tiocsti-high EPERM
tcgets ENOTTY
unix 0
inet 0
ax25 EAFNOSUPPORT
inet6 0
netlink 0
packet EAFNOSUPPORT
alg EAFNOSUPPORT
vsock EAFNOSUPPORT
tcp 0
udp6 0
ping 0
mptcp EPROTONOSUPPORT
mptcp-high EPROTONOSUPPORT
sctp EPROTONOSUPPORT
diag EPROTONOSUPPORT
audit EPROTONOSUPPORT
netfilter EPROTONOSUPPORT
uevent EPROTONOSUPPORT
io_setup ENOSYS`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// On the machine's network a port of the gateway's is its own, elsewhere a function
// may share its ports between its processes.
func TestPortsAreSharedInANetworkOfItsOwnOnly(t *testing.T) {
	s := shared(t)
	for want, network := range map[string]Network{"refused": NetworkHost, "shared": NetworkNone} {
		got := python(t, s, `
import socket
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.setsockopt(socket.IPPROTO_IP, 15, 1) # another option of that number
try:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    print("shared")
except OSError:
    print("refused")
`, Spec{Network: network})
		if got != want {
			t.Errorf("network %d: ports are %s", network, got)
		}
	}
}

// The numbers of 32-bit calls mean other calls to the filter, so none may pass.
func TestCallsOfOtherArchitecturesFail(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		return // only amd64 has them
	}
	s := shared(t)
	got := python(t, s, `
import ctypes, mmap, os
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall(0x40000000 | 39), ctypes.get_errno())
code = b"\xb8\x14\x00\x00\x00\xcd\x80\xc3" # mov eax, 20 (getpid); int 0x80; ret
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(code)
pid = os.fork()
if pid == 0:
    at = ctypes.addressof(ctypes.c_char.from_buffer(page))
    os._exit(0 if ctypes.CFUNCTYPE(ctypes.c_int)(at)() == os.getpid() else 7)
status = os.waitpid(pid, 0)[1]
print("refused" if status else "passed")
`, Spec{})
	if want := "-1 38\nrefused"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestFilterFitsTheKernel(t *testing.T) {
	program, err := seccompProgram(true)
	if err != nil {
		t.Fatal(err)
	}
	// BPF_MAXINSNS is 4096, of 8 bytes each.
	if len(program)%8 != 0 || len(program) > 4096*8 {
		t.Errorf("the filter has %d bytes", len(program))
	}
	if strings.Contains(strings.Join(deniedCalls(), " "), "clone3") {
		t.Error("clone3 must be missing, not denied: libraries fall back only on ENOSYS")
	}
}
