// Package sandbox isolates one execution environment: it sets the namespaces, mounts,
// limits and system calls of one process tree that runs untrusted code.
//
//	gateway (Sandbox)
//	   | fork, in the environment's cgroup, from a thread that stays (starter)
//	   v
//	bwrap --args FD          outside; killed with the gateway; reports the end
//	   | clone: mount, pid, ipc, uts, cgroup, net or not, and user namespaces
//	   v
//	bwrap                    pid 1 inside: adopts orphans; its end ends them all
//	   | fork, seccomp
//	   v
//	setpriv -> command       pid 2; stdin, stdout, stderr, 3, 4, ... of Spec
//
// bubblewrap does the work between fork and exec, where Go cannot run.
// Its options go through a file in memory, as does the environment of the
// command: bwrap itself runs outside, and must not see a function's LD_PRELOAD.
//
// # What is inside
//
// The root is a folder of ours (skeleton), read-only, with /usr of the machine,
// copies of the few files of /etc that programs need, five devices, and /proc.
// The mounts of Spec are read-only. /tmp is a tmpfs, the only place to write.
// Nothing of /home, /root, /var, /run or /sys is there, unless a mount names it. Then
// that folder is there, below empty folders. The folder to mount on stays in the
// root, empty, for other environments: targets of mounts are not secret. A function
// can read the path of a source on the machine in /proc/self/mountinfo.
//
// An environment has its own network, which does not reach this machine (package
// network), or none, or the machine's. On the machine's network a function reaches
// what listens on loopback and on abstract sockets; it cannot see socket files.
//
// # Who the function is
//
// Inside, the function always has the uid 993, sbx_user1051, without capabilities and
// without a way to get any (no_new_privs). On the machine it has another user:
//
//   - If the gateway is root, each live environment has an unprivileged user of its
//     own (identity). bwrap mounts as root, so that code may lie below /root. Then it
//     enters a user namespace that maps only that user, and setpriv switches to it.
//   - Otherwise, if the machine lends the gateway's user others (subordinate), it is one
//     of these. The holder's user namespace has them all. It makes one below for each
//     environment, with the environment's user and with the gateway's as root. As that
//     bwrap mounts, then setpriv switches. The gateway owns the holder's namespace, so it
//     may send signals to whatever is below. Only the descriptors of another user's
//     processes it cannot see, and asks the holder.
//   - Else it is the gateway's own user, in a user namespace that the holder
//     makes, or bwrap if there is no holder. The kernel must allow user namespaces
//     to everyone.
//
// # Memory and /tmp
//
// The pages of a tmpfs are memory of the cgroup that writes them. The kernel has
// one limit for the sum, so with a limit of MemoryMB a full /tmp would get the
// function killed, and on Lambda it gets ENOSPC. Therefore:
//
//   - The kernel's hard limit is MemoryMB + EphemeralStorageMB. It always holds, and
//     without swap.
//   - /tmp is full at EphemeralStorageMB: ENOSPC, while MemoryMB is still free.
//   - Every 200 ms a check compares the memory that is neither /tmp nor a cache with
//     MemoryMB, and kills an environment that exceeds it. Between two checks an
//     environment can have more, up to the hard limit. Memory shared between
//     processes counts as /tmp. What is frozen is looked at once.
//
// So a machine must be able to give MemoryMB + EphemeralStorageMB to each
// environment. Both ends are an Exit with OOMKilled.
//
// # Where there are no cgroups
//
// A user without a delegated cgroup has no hard limit, only the check, which then
// counts the pages that processes have allocated. (RLIMIT_AS would be exact, but Node
// and the JVM reserve many times what they use.) Every fifth check compares these, what
// processes share and /tmp with MemoryMB + EphemeralStorageMB, the hard limit of others
// (shared.go). The size of /tmp holds. RLIMIT_NPROC
// limits the number of processes. Environments do not share CPU time by memory size.
//
// # Stems
//
// A stem starts with everything but a function. Assume sets the limits of the
// function, and mounts its code into the existing namespace. The gateway makes the
// mount in its own namespace, attached to nothing (open_tree, mount_setattr). A
// thread that joins the environment's namespace attaches it there (move_mount). So
// the machine never sees the mount, and it goes with the environment. The other way,
// to bind the code into a shared mount that environments have as a slave, leaves
// mounts on the machine when the gateway dies.
//
// Both need power over the namespace. Root has it. A gateway of another user owns
// the user namespace that bwrap made, but only a process with a single thread may
// enter it. So the gateway runs a process that is root above all of these namespaces
// (holder.go), and sends it what to do. The holder dies with the gateway, and no
// environment can see it. If it ends, another one is started (keep.go). Stems and
// environments with a network of their own end with it; the others do not need it.
//
// # Freezing
//
// Freeze stops all that is inside (freeze.go). The kernel does it by the cgroup of version
// 2, which is there for this even where limits are of version 1 (package cgroup). Else
// each process gets a signal. Kill and Terminate thaw: bwrap outside, which reports the
// end, is frozen too.
//
// # How it ends
//
// Kill kills bwrap inside, and with it the kernel ends the pid namespace. Done is
// closed when the cgroup is removed too. When the gateway dies, by whatever signal,
// the kernel kills bwrap outside and then inside. Empty cgroups and the skeleton
// remain, and the next New removes them: it recognises them because no living
// process has their lock (package lockdir).
//
// With the sandbox off an environment is only a process group with a folder for
// temporary files: it sees the machine, and Path says where its files are.
package sandbox
