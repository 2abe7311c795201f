package sandbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/cpu"
	"golang.org/x/sys/unix"
)

// deniedCalls fail with EPERM. The process has no capability that most of them
// ask for; denying them keeps code that seldom runs, and the kernel's bugs in
// it, out of a function's reach. The model is Docker's default profile
// (github.com/moby/profiles, seccomp/default.json), which allows by name: a list
// of denials breaks fewer programs, and what it has to stop is known.
func deniedCalls() []string {
	return []string{
		// Mounts and namespaces: what keeps the function where it is.
		"mount", "umount2", "umount", "pivot_root", "chroot", "unshare", "setns",
		"open_tree", "open_tree_attr", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr",
		"sethostname", "setdomainname",
		// Other processes.
		"ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd", "process_madvise",
		// The kernel itself.
		"bpf", "perf_event_open", "userfaultfd", "lookup_dcookie", "fanotify_init",
		"kexec_load", "kexec_file_load", "reboot",
		"init_module", "finit_module", "delete_module", "create_module", "query_module", "get_kernel_syms",
		// Keyrings have no namespace.
		"keyctl", "add_key", "request_key",
		// The machine.
		"acct", "quotactl", "quotactl_fd", "swapon", "swapoff", "syslog", "nfsservctl", "vhangup",
		"settimeofday", "clock_settime", "clock_settime64", "clock_adjtime", "clock_adjtime64", "adjtimex", "stime",
		"iopl", "ioperm", "modify_ldt", "vm86", "vm86old", "_sysctl", "sysfs", "uselib", "ustat",
		// Files by handle, past every path.
		"name_to_handle_at", "open_by_handle_at",
	}
}

// missingCalls fail with ENOSYS, so that libraries fall back on older calls:
// io_uring does its work outside this filter, and the flags of clone3 are behind
// a pointer that a filter cannot follow. io_setup is for databases.
func missingCalls() []string {
	return []string{"clone3", "io_uring_setup", "io_uring_enter", "io_uring_register", "io_setup"}
}

// newNamespace is the flags of clone that make a namespace. CLONE_NEWTIME is none
// of them: in clone it is a bit of the exit signal.
const newNamespace = unix.CLONE_NEWNS | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET |
	unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP

// sockets makes socket fail except for the kinds that functions need: Unix sockets, TCP, UDP,
// ping, and netlink for the lists of interfaces and routes. The others (packet, vsock, alg,
// bluetooth, MPTCP, SCTP, other netlink, ...) are kernel code in which holes are found again
// and again. It gets the family.
func (f *filter) sockets() {
	protocols := func(allowed ...uint32) []bpf.Instruction {
		inner := &filter{}
		inner.load(dataArgs + 8*2)
		for i, protocol := range allowed {
			inner.program = append(inner.program, bpf.JumpIf{Cond: bpf.JumpEqual, Val: protocol, SkipTrue: uint8(len(allowed) - i)})
		}
		return append(inner.program, failWith(unix.EPROTONOSUPPORT))
	}
	netlink := protocols(unix.NETLINK_ROUTE)
	inet := protocols(0, unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_ICMP, unix.IPPROTO_ICMPV6)
	var all []bpf.Instruction // built from the end, because jumps lead to its end
	before := func(some ...bpf.Instruction) { all = append(some, all...) }
	before(failWith(unix.EAFNOSUPPORT))
	before(append(inet, bpf.Jump{Skip: uint32(len(all))})...)
	before(
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_INET, SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.AF_INET6, SkipTrue: uint8(len(inet) + 1)})
	before(append(netlink, bpf.Jump{Skip: uint32(len(all))})...)
	before(bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.AF_NETLINK, SkipTrue: uint8(len(netlink) + 1)})
	before(bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_UNIX, SkipTrue: uint8(len(all))})
	f.program = append(f.program, all...)
}

// Offsets into struct seccomp_data (linux/seccomp.h), little-endian.
const (
	dataNumber = 0
	dataArch   = 4
	dataArgs   = 16
)

// x32 is set in the numbers of a second table of calls on amd64.
const x32 = 0x40000000

// A filter assembles a seccomp program. Every test leaves what it loaded.
type filter struct {
	program []bpf.Instruction
	numbers map[string]int
}

func failWith(errno unix.Errno) bpf.Instruction {
	return bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(errno)}
}

func (f *filter) load(offset uint32) {
	f.program = append(f.program, bpf.LoadAbsolute{Off: offset, Size: 4})
}

// failIf makes a call fail when a test of the loaded word is true.
func (f *filter) failIf(test bpf.JumpTest, value uint32, errno unix.Errno) {
	f.program = append(f.program, bpf.JumpIf{Cond: test, Val: value, SkipFalse: 1}, failWith(errno))
}

// failCalls makes calls fail by name. An architecture lacks some of them.
func (f *filter) failCalls(names []string, errno unix.Errno) {
	for _, name := range names {
		if number, ok := f.numbers[name]; ok {
			f.failIf(bpf.JumpEqual, uint32(number), errno)
		}
	}
}

// inCall adds tests that are made only in a call of that name, of its argument
// n. They see the low half of it: the kernel drops the high half of all the
// arguments tested here, and a filter that compared it could be got past by it.
func (f *filter) inCall(name string, n uint32, tests func(*filter)) {
	inner := &filter{numbers: f.numbers}
	inner.load(dataArgs + 8*n)
	tests(inner)
	inner.load(dataNumber)
	f.program = append(f.program, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(f.numbers[name]), SkipTrue: uint8(len(inner.program))})
	f.program = append(f.program, inner.program...)
}

// seccompProgram is the filter as the kernel (and bwrap) reads it: an array of
// struct sock_filter. An environment on the machine's network (onHost) has another one.
func seccompProgram(onHost bool) ([]byte, error) {
	info, err := arch.GetInfo("")
	if err != nil || cpu.IsBigEndian {
		return nil, fmt.Errorf("no seccomp filter for %s: %w", runtime.GOARCH, errors.ErrUnsupported)
	}
	f := &filter{numbers: info.SyscallNames}
	f.load(dataArch)
	// The 32-bit calls of a 64-bit machine have numbers that this list knows
	// nothing of.
	f.failIf(bpf.JumpNotEqual, uint32(info.ID), unix.ENOSYS)
	f.load(dataNumber)
	if info.ID == arch.X86_64.ID {
		f.failIf(bpf.JumpGreaterOrEqual, x32, unix.ENOSYS)
	}
	f.failCalls(deniedCalls(), unix.EPERM)
	f.failCalls(missingCalls(), unix.ENOSYS)
	f.inCall("clone", 0, func(f *filter) {
		f.failIf(bpf.JumpBitsSet, newNamespace, unix.EPERM)
	})
	f.inCall("ioctl", 1, func(f *filter) {
		// Type into, and paste to, the terminal that the gateway was started on.
		f.failIf(bpf.JumpEqual, unix.TIOCSTI, unix.EPERM)
		f.failIf(bpf.JumpEqual, unix.TIOCLINUX, unix.EPERM)
	})
	f.inCall("socket", 0, (*filter).sockets)
	if onHost {
		f.inCall("setsockopt", 1, func(f *filter) {
			// With it a function could listen on a port of the gateway's, that Caddy opens
			// with the same option, and get some of what comes there.
			f.program = append(f.program, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.SOL_SOCKET, SkipTrue: 3})
			f.load(dataArgs + 8*2)
			f.failIf(bpf.JumpEqual, unix.SO_REUSEPORT, unix.ENOPROTOOPT)
		})
	}
	f.program = append(f.program, bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW})

	raw, err := bpf.Assemble(f.program)
	if err != nil {
		return nil, fmt.Errorf("assemble the seccomp filter: %w", err)
	}
	var out []byte
	for _, in := range raw {
		out = binary.LittleEndian.AppendUint16(out, in.Op)
		out = append(out, in.Jt, in.Jf)
		out = binary.LittleEndian.AppendUint32(out, in.K)
	}
	return out, nil
}

// memfile is an unnamed file in memory that begins with data.
func memfile(name string, data []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a file in memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := f.WriteAt(data, 0); err != nil {
		f.Close()
		return nil, fmt.Errorf("write a file in memory: %w", err)
	}
	return f, nil
}
