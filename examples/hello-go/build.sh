#!/bin/sh
# Build the function into bin/bootstrap, or the folder given, as for Lambda: without C, so
# that it runs wherever there is a Linux kernel.
set -eu
out=$(realpath -m "${1:-$(dirname "$0")/bin}")
cd "$(dirname "$0")"
CGO_ENABLED=0 GOOS=linux go build -buildvcs=false -o "$out/bootstrap" .
