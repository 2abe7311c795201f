#!/usr/bin/env bash
# Runs the program for arm64 on this machine by qemu-user:
#
#   arm64.sh PROGRAM
#
# It says its version, checks a configuration, serves requests, and answers the Lambda API to itself as the
# client. No function runs: qemu-user has neither clone with CLONE_PIDFD, clone3, nor the flags of namespaces by
# which the program starts the processes of functions ("fork/exec ...: invalid argument"). So that
# needs a machine with arm64.
set -euo pipefail
PROGRAM=$(realpath "$1")
readonly PROGRAM
cd "$(dirname "${BASH_SOURCE[0]}")"

die() {
	printf 'arm64.sh: %s\n' "$*" >&2
	exit 1
}
caddy() { qemu-aarch64-static "$PROGRAM" "$@"; }

work=$(mktemp -d)
server=
finish() {
	if [[ -n $server ]]; then
		kill "$server" 2>/dev/null || true
		wait "$server" || true
	fi
	rm -rf "$work"
}
trap finish EXIT
export XDG_DATA_HOME=$work/data XDG_CONFIG_HOME=$work/config
cat >"$work/Caddyfile" <<CADDYFILE
{
	hearth {
		sandbox off
		function hello {
			runtime provided.al2023
			handler bootstrap
			code $(realpath ../../examples/hello-bash)
		}
	}
}
:0 {
	bind unix/$work/site.sock
	function /hello hello
	respond /served "by {system.arch}"
}
CADDYFILE
file=("--config" "$work/Caddyfile" "--adapter" "caddyfile")

[[ $(caddy hearth version) == hearth* ]] || die "it has no version"
caddy validate "${file[@]}" >"$work/log" 2>&1 || die "validate: $(tail -3 "$work/log")"
qemu-aarch64-static "$PROGRAM" run "${file[@]}" >"$work/log" 2>&1 &
server=$!
for _ in $(seq 600); do
	[[ $(curl --silent --unix-socket "$work/site.sock" http://localhost/served) != "by arm64" ]] || break
	kill -0 "$server" 2>/dev/null || die "the server ended: $(tail -5 "$work/log")"
	sleep 0.1
done
answer=$(curl --silent --unix-socket "$work/site.sock" http://localhost/served)
[[ $answer == "by arm64" ]] || die "it answers $answer: $(tail -5 "$work/log")"
listed=$(caddy hearth list)
[[ $listed == *hello*provided.al2023* ]] || die "its Lambda API lists: $listed"
kill "$server"
wait "$server" || die "it does not end well: $(tail -5 "$work/log")"
server=
printf '==> arm64: version, validate, a request and the Lambda API\n' >&2
