// Package cli is `caddy hearth`: functions deployed and looked at from a terminal,
// for those without the AWS CLI. It speaks the same signed API as that does.
//
//	deploy DIR   guess (guess.go) -> zip (archive.go) -> create or update, publish
//	rollback     the version before -> its code and configuration become $LATEST
//	invoke, logs, list, delete, env
//
// What a command finds out goes to standard output, and what it is doing to standard
// error. With --json the first is JSON alone.
package cli
