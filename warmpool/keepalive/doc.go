// Package keepalive decides which idle environments are worth their memory.
//
// It follows two papers. FaasCache (Fuerst and Sharma, ASPLOS 2021) treats idle
// environments as a cache and evicts by greedy-dual-size-frequency: the value of an
// environment grows with its use and with the duration of its start, and falls with
// its size. Each eviction advances a clock, by which unused environments age.
// "Serverless in the Wild" (Shahrad et al., ATC 2020) learns from a histogram of
// each function's idle times how long keeping an environment pays.
//
// The package uses both, because they answer different questions:
//
//   - Which one goes, when a start needs memory? The one with the lowest Priority.
//     A series of functions that are called once does not push out the busy ones, as
//     it would with least recent use.
//   - Which one goes although there is room? One for which waiting for the next call
//     no longer pays (History.Window). Of all windows, a function gets the one that
//     would have avoided the most cold starts for the least idle time, at a price of
//     20 minutes for a start. An environment of a timer's function stays from tick to
//     tick; one of a function that is called once a day does not, and its memory goes
//     back to the machine.
//
// The package leaves out pre-warming, the other half of the second paper: with stems a
// cold start costs milliseconds, and a wrong guess costs memory. The histogram's
// buckets double from a second to a day, so a histogram has a few words and needs no
// parameter for each function. Now and then it halves its counts, and so forgets.
//
// tests/bench compares the two with a fixed time to live on a trace with the
// published properties of Azure's.
package keepalive
