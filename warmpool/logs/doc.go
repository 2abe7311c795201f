// Package logs stores what functions log. Each function has a log group
// "/aws/lambda/NAME", and each execution environment has a log stream in it, with the
// START, END and REPORT lines that Lambda writes around each invocation.
//
//	caller's goroutine                      the store's one writer
//	Stream.Start, Line, Report ...
//	        |  format, then copy under      every 250 ms, or when a group
//	        v  the group's lock             has 64 KB
//	   Group's batches ------- taken ------------> append to the segment
//	   (memory, bounded)                               | rotate by size and age
//	                                                   v evict by age and total
//	   Group.Events, Last, Streams  <-------- DIR/NAME/20261123T060000.000Z.log
//
// # Losing lines
//
// A call never waits for the disk. When the disk is too slow, batches of 64 KB
// wait for it: 4 MB for a group, 64 MB for all groups together, beside the batch
// that each group fills. The store drops and counts further lines (Store.Dropped),
// and writes their number before the next line that fits. It does not sync to the
// disk: a process that is killed loses the last quarter of a second, a power cut
// more.
//
// # On disk
//
// A segment is text for people and grep. A line that begins with "#" gives a
// stream a number for the lines after it; every batch repeats which streams
// it uses, so a lost batch takes nothing else with it:
//
//	# 3 2026/11/23/[$LATEST]6c1f0a...
//	2026-11-23T06:00:00.123Z 3 * START RequestId: 8f5d... Version: $LATEST
//	2026-11-23T06:00:00.125Z 3 8f5d... Error: no such thumb
//		at resize (/var/task/index.js:3:9)
//	2026-11-23T06:00:00.126Z 3 * END RequestId: 8f5d...
//
// A record is time, stream, request ID, text. The request ID is "-" outside an
// invocation and "*" where the text names it after "RequestId: ", as Lambda's
// own lines do; that makes them a third shorter. A line that begins with a tab
// continues the text of the record above. A crash may leave a last line without its
// line feed; readers skip it.
//
// Records of a group are in order of time. A record that comes up to a second late,
// because its goroutine was slow to take the lock, gets the time of the record
// before it. (A clock that is set back by more shows.)
//
// # Space
//
// The writer begins a new segment when one is full or a day old, removes those
// that are past the retention, and, when all groups together exceed the total,
// the oldest segment of the largest group. So a function that prints without end
// eats its own history, not that of others.
//
// The store does not use timberjack, which rotates Caddy's own logs. It rotates by
// renaming, which would move the positions that readers resume from, keeps files
// by count and not by total size, across no more than one log, and runs a
// goroutine for each. One writer that opens, appends and closes holds no
// descriptor for a thousand idle functions.
package logs
