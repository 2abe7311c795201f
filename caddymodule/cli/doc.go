// Package cli is `caddy hearth`, which deploys and inspects functions from a terminal,
// for people without the AWS CLI. It uses the same signed API as the AWS CLI: by the address of a
// site, or on the server's own machine by its admin socket (local.go).
//
//	dev DIR      guess, build -> a server of its own with a configuration in JSON -> its logs
//	dev FILE     transform of SAM -> plan (devtemplate.go) -> routes of APIs (devapi.go) -> the same
//	             server (devserver.go)
//	deploy DIR   build (build.go) -> guess (guess.go) -> zip (archive.go) -> create or update,
//	             publish -> try the init phase (check.go)
//	deploy FILE  upload what a template names (packaging.go, cdk.go) -> change set -> stack
//	             (stack.go)
//	rollback     the version before -> its code and configuration become $LATEST
//	stacks, invoke, event, logs, list, show, url, sources, delete, env, version
//
// A command writes its result to standard output and its progress to standard error. With
// --json, standard output has nothing but JSON.
package cli
