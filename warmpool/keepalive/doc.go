// Package keepalive decides which idle environments are worth their memory.
//
// Two papers say how. FaasCache (Fuerst and Sharma, ASPLOS 2021) treats keeping
// environments as caching, and gives up by greedy-dual-size-frequency: what an
// environment is worth grows with how often it is used and how long its start
// takes, and falls with its size; a clock that each eviction moves on lets what is
// not used any more age. "Serverless in the Wild" (Shahrad et al., ATC 2020) learns
// from a histogram of the idle times of each function how long keeping it pays.
//
// Both are used here, for they answer different questions:
//
//   - Which one goes, when a start needs memory? The one with the lowest Priority.
//     A scan of functions that are called once does not push out the busy ones, as
//     it would with least recent use.
//   - Which one goes though there is room? One whose next call is not worth the wait
//     any more (History.Window): of all windows, a function gets the one that would
//     have avoided the most cold starts for the least idle time, at a price of 20
//     minutes for a start. A timer's function is kept from tick to tick, one that is
//     called once a day is not, and the memory goes back to the machine.
//
// Pre-warming, the other half of the second paper, is left out: with stems a cold
// start costs milliseconds, and a wrong guess costs memory. The histogram's buckets
// double, from a second to a day, so it is a few words for a function and needs no
// parameter of the function's own; it halves itself now and then, and so forgets.
//
// tests/bench compares the two with a fixed time to live on a trace with the
// published properties of Azure's.
package keepalive
