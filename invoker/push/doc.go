// Package push verifies the requests of event sources and turns them into the events that
// functions get. It is pure: it stores nothing, starts nothing, and reaches out only
// through interfaces of its caller.
//
//	Request --> Source.Decode --> Delivery{Events, Response} --> Targets --> functions
//	              | error                                          | error
//	              +------------------> Status <--------------------+
//
// The caller stores each event for all of its targets and then answers with the delivery's
// Response, or a plain 200. It answers the same when no rule wants an event, because the
// sender would only send it again. By Event.Once the queue recognises a repeated
// delivery; by Event.Order it knows which events must run in order.
//
// # Object stores
//
// The s3 source makes one event of each record, as S3 does. The stores send other records
// than S3 gives a function. The source recognises the sender by a value that only this
// sender writes, never by the form of a key:
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
// The source answers messages that test a notification and runs nothing for them. It leaves
// fields that S3 does not have where they are.
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
// New refuses a source without a proof of the sender, unless it is declared open. The
// sources compare secrets and tokens in constant time and never repeat them in an error.
package push
