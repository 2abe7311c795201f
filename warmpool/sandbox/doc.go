// Package sandbox holds one execution environment: the namespaces, mounts,
// limits and system calls of one process tree that runs code nobody vouches for.
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
// bubblewrap does what has to happen between fork and exec, where Go cannot run.
// Its options go through a file in memory, as does the environment of the
// command: bwrap itself runs outside, and must not see a function's LD_PRELOAD.
//
// # What is inside
//
// The root is a folder of ours (skeleton), read-only, with /usr of the machine,
// copies of the few files of /etc that programs need, five devices, and /proc.
// The mounts of Spec are read-only. /tmp is a tmpfs, the only place to write.
// Nothing of /home, /root, /var, /run or /sys is there, unless a mount names it:
// then that folder, with empty ones above it. The folder to mount on stays in the
// root, empty, for other environments: targets of mounts are no secrets. What a
// source is called on the machine can be read in /proc/self/mountinfo.
//
// The network is one of the environment's own that leads past this machine (package
// network), or none. On the machine's a function reaches what listens on loopback and
// on abstract sockets; files of sockets it cannot see.
//
// # Who the function is
//
// Inside always uid 993, sbx_user1051, without capabilities or a way to new ones
// (no_new_privs). On the machine:
//
//   - of a gateway that is root, one unprivileged user per live environment
//     (identity). bwrap mounts as root, so that code may lie below /root, then
//     enters a user namespace that maps nobody but that user, and setpriv takes
//     it on.
//   - of any other gateway, that gateway's own user, in a user namespace that
//     the holder makes, or without one bwrap. The kernel has to allow those to
//     everyone.
//
// # Memory and /tmp
//
// The pages of a tmpfs are memory of the cgroup that writes them. The kernel has
// one limit for the sum, so with a limit of MemoryMB a full /tmp would get the
// function killed, and on Lambda it gets ENOSPC. Therefore:
//
//   - the kernel's wall stands at MemoryMB + EphemeralStorageMB. It holds always,
//     and without swap.
//   - /tmp is full at EphemeralStorageMB: ENOSPC, with MemoryMB still to be had.
//   - every 200 ms the memory that is neither /tmp nor a cache is compared with
//     MemoryMB, and an environment that is past it is killed. In between it can
//     have more, up to the wall. Memory shared between processes counts as /tmp.
//
// So a machine must be ready to give MemoryMB + EphemeralStorageMB to each. Both
// ends are an Exit with OOMKilled.
//
// # Where there are no cgroups
//
// A user to whom none is delegated has no wall, only the comparison (and of the
// pages that processes have allocated; RLIMIT_AS would be exact, but Node and the
// JVM reserve many times what they use). The size of /tmp holds. The number of
// processes is held by RLIMIT_NPROC. CPU time is not shared by memory size.
//
// # Stems
//
// A stem is started with everything but a function. Assume sets the limits of the
// function, and mounts its code into the namespace that is there: the mount is
// made in the gateway's namespace, attached to nothing (open_tree, mount_setattr),
// and a thread that joins the environment's namespace attaches it there
// (move_mount). So nothing of it is ever to be seen on the machine, and it goes
// with the environment. The other way, to bind the code into a shared mount that
// environments have mounted as a slave, leaves mounts on the machine when the
// gateway dies.
//
// Both need power over the namespace. Root has it. A gateway of another user owns
// the user namespace that bwrap made, but only a process with a single thread may
// enter that; so it has a process that is root above all of them (holder.go), and
// sends it what to do. It dies with the gateway, is in nobody's sight, and is not
// needed by an environment that runs or by one that is no stem.
//
// # How it ends
//
// Kill takes bwrap inside, and with it the kernel takes the pid namespace; Done
// is closed when the cgroup is removed too. When the gateway dies, by whatever
// signal, the kernel kills bwrap outside and then inside; empty cgroups and the
// skeleton are left, which the next New removes: it knows them by a lock that
// only a living process holds (package lockdir).
//
// With the sandbox off a process is a process group with a folder for temporary
// files, and no more: it sees the machine, and Path says where things are.
package sandbox
