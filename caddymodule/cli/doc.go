// Package cli is `caddy hearth`, which deploys and inspects functions from a terminal,
// for people without the AWS CLI. It uses the same signed API as the AWS CLI.
//
//	deploy DIR   guess (guess.go) -> zip (archive.go) -> create or update, publish
//	rollback     the version before -> its code and configuration become $LATEST
//	invoke, logs, list, delete, env
//
// A command writes its result to standard output and its progress to standard error. With
// --json, standard output has nothing but JSON.
package cli
