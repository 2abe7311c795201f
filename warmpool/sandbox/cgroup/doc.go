// Package cgroup holds environments to memory, processes and a share of CPU time, by
// cgroups of version 1 or 2.
//
//	place of the server         the delegated one, or the top if the server is root
//	 └─ hearth-sandbox-XXXX     a Hierarchy; locked, so that the next server tells a leftover
//	     └─ ID of environment   a Cgroup; on version 1 one in memory, pids and cpu each,
//	                            and one of version 2 to freeze it
//
// On version 2 a process begins in the cgroup that its maker names. On version 1 it
// begins where the thread is that makes it, so that thread enters the cgroup and leaves.
package cgroup
