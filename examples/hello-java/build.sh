#!/bin/sh
# Compile the function into bin/lib/hello.jar, beside a hearth.json, or the folder given.
set -eu
out=$(realpath -m "${1:-$(dirname "$0")/bin}")
cd "$(dirname "$0")"
classes=$(mktemp -d)
trap 'rm -rf "$classes"' EXIT
javac --release 17 -d "$classes" example/*.java
mkdir -p "$out/lib"
(cd "$classes" && jar --create --file "$out/lib/hello.jar" .)
printf '{"name": "hello-java", "runtime": "java21", "handler": "example.Hello::handle"}\n' >"$out/hearth.json"
