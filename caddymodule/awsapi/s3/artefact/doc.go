// Package artefact keeps the files that deployments upload: buckets, objects, and uploads in
// parts.
//
//	Draft -> Write ... -> Put (object) or PutPart
//	                        | one rename for the content, one for the object
//	                        v
//	DIR/blob/DIGEST               the content, encrypted, once for all that have it
//	DIR/bucket/NAME/bucket.json   a bucket
//	DIR/bucket/NAME/HASH.json     an object; HASH is of its key
//	DIR/upload/ID/upload.json     an upload in parts
//	DIR/upload/ID/NUMBER.json     a part
//	DIR/new/                      what is being written
//	DIR/key                       the key that the contents are encrypted by
//
// No name that a client chooses becomes the name of a file, except for that of a bucket, which
// has letters, digits, - and . alone. All that is in these files is in memory too, without the
// contents: there are MaxEntries at most. One process at a time may open a folder.
//
// A content that nothing refers to any more is removed at once, or at the next start.
package artefact
