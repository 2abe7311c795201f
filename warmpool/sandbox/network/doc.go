// Package network gives each execution environment its own network, which reaches beyond
// this machine but nothing on it.
//
//	environment          environment           a network namespace each: lo, eth0
//	     | e0                 | e1             links (veth), routed; no neighbours to ask
//	     '--------. .---------'
//	           router                          a namespace of ours: rules, translation,
//	              |                            and this process's sockets (resolver,
//	              | uplink                     services)
//	        the machine                        forwards and translates, or pasta does
//
// The router enforces the policy of every environment. A gateway that is root has the
// router's namespace open; on the machine there is only one interface and one nftables
// table of it. If the gateway is not root, the namespace is the holder's own (package
// sandbox). Both end with their process, however that ends, and all links with them.
//
// # The rules
//
//   - router, "sources": an environment sends only from its own address.
//   - router, "beyond": an environment reaches no other environment and no address that
//     is closed to all (Never). Then the rules of its policy apply. The group of the
//     link's interface selects them.
//   - router, "itself": the resolver, and the services of the machine that the policy opens.
//   - machine, "machine": nothing that is local to the machine, before the machine
//     translates addresses for others. pasta's connections come from the machine itself,
//     where no rule can distinguish them from the gateway's. So with pasta the router
//     knows the machine's addresses (vicinity). Networks of bridges that end on this machine
//     are not local to it, so the router knows them in either case.
//   - An environment has 1,024 connections at most, so that the machine's connection
//     table has room for others.
//
// # Names, and services of the machine
//
// A socket belongs to the namespace in which it was made. The gateway opens the resolver's
// socket in the router, and asks the machine's resolvers from the machine. The services
// that a policy opens (Policy.Reach) also listen in the router, and on the environment's
// own loopback.
package network
