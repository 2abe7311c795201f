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
// The engine writes a checkpoint after the function has answered. If the node dies in
// between, the batch runs again. The node that has a shard's slot in the state reads the
// shard; it loses the slot when it does not renew it for 15 s. The engine reads the
// children of a shard when it has read the shard to its end.
//
// Every source has one file. When a mapping is made, Check refuses by name a source that
// the package does not poll.
//
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
package pull
