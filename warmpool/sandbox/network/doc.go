// Package network gives execution environments a network of their own that leads past
// this machine, and to nothing on it.
//
//	environment          environment           a network namespace each: lo, eth0
//	     | e0                 | e1             links (veth), routed; no neighbours to ask
//	     '--------. .---------'
//	           router                          a namespace of ours: rules, translation,
//	              |                            and this process's sockets (resolver,
//	              | uplink                     services)
//	        the machine                        forwards and translates, or pasta does
//
// All that holds an environment to its policy is in the router. As root the gateway has
// the namespace open and nothing else of it is on the machine but one interface and one
// table of nftables; of a gateway that is not root it is the holder's own (package
// sandbox). Both go with their process, however that ends, and all links with them.
//
// # What keeps functions where they are
//
//   - router, "sources": nobody sends with an address that is not its own.
//   - router, "beyond": no environment to another, none to an address that nobody reaches
//     (Never), then the rules of its policy. The group of a link's interface says which.
//   - router, "itself": the resolver, and what of the machine its policy opens.
//   - machine, "machine": before the machine translates addresses for others, nothing that
//     is local to it. pasta's connections come from the machine itself, where no rule can
//     tell them from the gateway's; so the router knows the machine's addresses then.
//   - an environment has 1,024 connections at most, so that the machine's table of them
//     has room for others.
//
// # Names, and services of the machine
//
// Sockets belong to the namespace that they were made in: the gateway opens a resolver's
// in the router, and asks the machine's resolvers from the machine. What a policy opens
// (Policy.Reach) listens there likewise, and on the environment's own loopback.
package network
