#!/usr/bin/env bash
# Three gateways and a Redis on this machine, each with a data directory of its own.
#
#   ./cluster.sh start    gateways at http://localhost:8181, 8182 and 8183
#   ./cluster.sh stop     ends all that was started, and removes its data
#
# CLUSTER_DIR is where everything is kept (default: .hearth here), CLUSTER_PORT the first
# of seven ports (default: 8180): Redis, the gateways, and where these reach each other.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly ROOT=../..
readonly CADDY=$ROOT/bin/caddy
readonly NODES=3
readonly WITHIN=30 # seconds, for anything to start or to end
readonly DIR=${CLUSTER_DIR:-$PWD/.hearth}
readonly FIRST=${CLUSTER_PORT:-8180}

say() { printf '==> %s\n' "$*" >&2; }
die() {
	printf 'cluster.sh: %s\n' "$*" >&2
	exit 1
}

# born PID: when a process began; nothing if there is none. A PID alone may be another's
# by the time that it is ended.
born() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" { print $20 }'; }

# run NAME COMMAND...: in the background, with its log and PID in its own folder.
run() {
	local name=$1
	shift
	mkdir -p "$DIR/$name"
	nohup "$@" >"$DIR/$name/log" 2>&1 </dev/null &
	echo "$! $(born $!)" >"$DIR/$name/pid"
}

# lives NAME
lives() {
	local pid began
	read -r pid began <"$DIR/$1/pid" && [[ -n $began && $(born "$pid") == "$began" ]]
}

# await NAME COMMAND...: until the command succeeds.
await() {
	local name=$1 end=$((SECONDS + WITHIN))
	shift
	until "$@" >/dev/null 2>&1; do
		lives "$name" || die "$name has ended: $(tail -3 "$DIR/$name/log")"
		((SECONDS < end)) || die "$name does not answer: $(tail -3 "$DIR/$name/log")"
		sleep 0.1
	done
	lives "$name" || die "$name has ended, and something else answers in its place"
}

# random: 64 hexadecimal digits.
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

redis_answers() { [[ $(redis-cli -p "$FIRST" ping) == PONG ]]; }

stop() {
	local name pid end=$((SECONDS + WITHIN))
	for name in node3 node2 node1 redis; do # Redis last: the gateways tell it that they go
		[[ -f $DIR/$name/pid ]] || continue
		read -r pid _ <"$DIR/$name/pid" || continue
		! lives "$name" || kill "$pid" 2>/dev/null || true
		while lives "$name"; do
			if ((SECONDS > end)); then
				say "$name does not end: killed"
				kill -KILL "$pid" 2>/dev/null || true
			fi
			sleep 0.1
		done
		rm -rf "${DIR:?}/$name"
	done
	rmdir "$DIR" 2>/dev/null || true
}

start() {
	local command n
	for command in redis-server redis-cli curl node; do
		command -v "$command" >/dev/null || die "$command is missing (on Debian: apt-get install redis-server redis-tools curl nodejs)"
	done
	[[ -x $CADDY ]] || "$ROOT/xcaddy.sh" build
	[[ ! -e $DIR/redis ]] || die "it runs: ./cluster.sh stop ends it"
	trap stop EXIT # unless all of it starts

	mkdir -p "$DIR"
	chmod 700 "$DIR"
	say "Redis on port $FIRST"
	# No secret is an argument: everybody on the machine sees those.
	export REDISCLI_AUTH CLUSTER_SECRET
	REDISCLI_AUTH=$(random) CLUSTER_SECRET=$(random)
	mkdir "$DIR/redis"
	(umask 077 && printf '%s\n' "bind 127.0.0.1" "port $FIRST" "dir $DIR/redis" 'save ""' "appendonly yes" \
		"requirepass $REDISCLI_AUTH" >"$DIR/redis/redis.conf")
	run redis redis-server "$DIR/redis/redis.conf"
	await redis redis_answers

	for ((n = 1; n <= NODES; n++)); do
		say "node$n on http://localhost:$((FIRST + n))"
		NODE="node$n" PORT=$((FIRST + n)) PEER_ADDRESS="127.0.0.1:$((FIRST + NODES + n))" \
			REDIS_URL="redis://:$REDISCLI_AUTH@127.0.0.1:$FIRST" HEARTH_DATA_DIR="$DIR/node$n" \
			XDG_DATA_HOME="$DIR/node$n/caddy" XDG_CONFIG_HOME="$DIR/node$n/caddy" \
			run "node$n" "$CADDY" run --config Caddyfile --adapter caddyfile
	done
	for ((n = 1; n <= NODES; n++)); do
		await "node$n" curl --silent --fail --max-time 2 "http://localhost:$((FIRST + n))/healthz"
	done
	trap - EXIT
	say "HEARTH_DATA_DIR=$DIR/node1 $(realpath "$CADDY") hearth nodes"
}

case ${1:-} in
start) start ;;
stop) stop ;;
*) die "usage: ./cluster.sh start|stop" ;;
esac
