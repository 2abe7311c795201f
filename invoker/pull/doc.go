// Package pull polls event sources for functions: SQS queues, Kinesis streams, DynamoDB
// streams, topics of Kafka, streams of Redis and listings of S3, as the event source
// mappings of the Lambda API say.
//
//	Engine     one worker for each mapping that is enabled; starts, changes and ends
//	   |       them as the registry's mappings change
//	   +-- queue   SQS: receive -> filter -> invoke -> delete what was done
//	   +-- stream  Kinesis, DynamoDB: for each shard, by whichever node holds its lease
//	                  read from the checkpoint -> batch -> filter -> invoke -> checkpoint
//	                  fails: retry with back-off, bisect, at last the on-failure
//	                  destination, and on
//	   +-- topic   Kafka: the partitions that the consumer group gives to this node
//	                  poll -> batch -> filter -> invoke -> commit; fails: as a stream
//	   +-- redisStream: what the consumer group gives to this node
//	                  claim what others left, read -> batch -> filter -> invoke
//	                  -> acknowledge; fails: as a stream
//	   +-- listing S3: by whichever node holds the lease, every minute or so
//	                  list -> compare with the known keys (chunk) -> batch -> filter
//	                  -> invoke -> note what is known now; fails: as a stream
//
// A checkpoint is written after the function has answered. A node that dies in between
// leaves the batch to be run again. A shard is read by the node that holds its slot in
// the state. A node that has not renewed its slot for 15 s loses it. The children of a
// shard are read after the shard's end.
//
// Every source has one file. What is not polled is refused by name when the mapping is
// made (Check).
//
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
package pull
