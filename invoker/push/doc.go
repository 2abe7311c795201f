// Package push verifies what event sources send and makes it the events that functions
// get. It is pure: it keeps nothing, starts nothing, and reaches out through interfaces
// of its caller only.
//
//	Request --> Source.Decode --> Delivery{Events, Response} --> Targets --> functions
//	              | error                                          | error
//	              +------------------> Status <--------------------+
//
// The caller keeps the events, each for all of its targets, and answers only then:
// with the delivery's Response, or a plain 200. An event that no rule wants is answered
// alike, because the sender would only send it again. Event.Once tells the queue what a
// sender delivered before; Event.Order, which events belong in line.
//
// # Object stores
//
// The s3 source makes one event of each record, as S3 does. What the stores send
// differs from what S3 gives a function, and the sender is told by what only it writes,
// never by how a key looks:
//
//	             eventSource  name    key          else
//	S3           aws:s3       bare    form         by SNS; verified as such
//	MinIO        minio:s3     s3:...  form, %2F    region empty
//	RustFS       rustfs:s3    s3:...  form, %2F    else as MinIO
//	Ceph RGW     ceph:s3      either  raw          size may be a string, ARN has a region
//	Versity      aws:s3       s3:...  raw          PrincipalId, ETag in quotes, wrong ARN,
//	                                               a sequencer that starts again at 1
//	SeaweedFS    (none)       (none)  a path       a change of a file: no record at all
//	a function   aws:s3       bare    form, /      version 2.1
//
// Messages that test a notification are answered and run nothing. Fields that S3 does
// not have are left where they are.
//
// # The other sources
//
//	                    proof                      event of the function
//	sns                 certificate, topics        SNS's: Records[0].Sns
//	eventbridge         token                      the event
//	cloudevents         token                      structured JSON, whichever way it came
//	eventgrid           token                      the event; CloudEvents too
//	github              secret: HMAC of the body   EventBridge envelope, body in detail
//	standard_webhooks   secret or public key       EventBridge envelope, body in detail
//	generic             token, or secret: HMAC     the body
//
// A source that nothing proves the sender to is refused, unless it is declared open.
// Secrets and tokens are compared in constant time and never repeated in an error.
package push
