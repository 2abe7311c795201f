#!/usr/bin/env bash
# Builds Caddy by xcaddy with Hearth and two other modules, as docs/install.md says, and serves by it:
#
#   modules.sh
#
# The module of Hearth is that of this folder. Where it is published nowhere, proxies of modules answer that
# it is not there; some of them say so with another status than 404, which ends a build. So a small
# server says it for Hearth, and sends all other requests on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
readonly XCADDY=github.com/caddyserver/xcaddy/cmd/xcaddy@v0.4.6 # pinned, as staticcheck is
readonly CLOUDFLARE=github.com/caddy-dns/cloudflare@v0.2.4
readonly RATE_LIMIT=github.com/mholt/caddy-ratelimit@v0.1.0

die() {
	printf 'modules.sh: %s\n' "$*" >&2
	exit 1
}

work=$(mktemp -d)
modules='' server=''
finish() {
	local pid
	for pid in $modules $server; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" || true
	done
	rm -rf "$work"
}
trap finish EXIT

caddy_version=$(go list -m -f '{{.Version}}' github.com/caddyserver/caddy/v2)
GOBIN=$work go install "$XCADDY"

upstream=$(go env GOPROXY)
upstream=${upstream%%[,|]*}
if [[ $upstream == http* ]]; then
	cat >"$work/modules.py" <<'PYTHON'
import http.server, sys

class Modules(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ours = self.path.startswith('/github.com/hearthfn')
        self.send_response(404 if ours else 302)
        if not ours:
            self.send_header('Location', sys.argv[1] + self.path)
        self.end_headers()

    def log_message(self, *args):
        pass

server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Modules)
with open(sys.argv[2], 'w') as file:
    file.write('http://127.0.0.1:%d' % server.server_port)
server.serve_forever()
PYTHON
	python3 "$work/modules.py" "${upstream%/}" "$work/address.new" &
	modules=$!
	for _ in $(seq 100); do
		[[ ! -s $work/address.new ]] || break
		sleep 0.1
	done
	GOPROXY=$(<"$work/address.new")
	export GOPROXY
fi

# -trimpath: what other builds of this machine compiled is used again.
XCADDY_GO_BUILD_FLAGS="-trimpath -tags=nobadger,nomysql,nopgx -ldflags=-s" "$work/xcaddy" build "$caddy_version" \
	--with github.com/hearthfn/hearth/caddymodule --replace github.com/hearthfn/hearth="$PWD" \
	--with "$CLOUDFLARE" --with "$RATE_LIMIT" --output "$work/caddy" >"$work/log" 2>&1 || die "$(tail -20 "$work/log")"

export XDG_DATA_HOME=$work/data XDG_CONFIG_HOME=$work/config
"$work/caddy" list-modules >"$work/modules"
for module in hearth http.handlers.hearth_function dns.providers.cloudflare http.handlers.rate_limit; do
	grep -qx "$module" "$work/modules" || die "the program has no $module"
done
cat >"$work/Caddyfile" <<CADDYFILE
{
	order rate_limit before function
	hearth {
		sandbox off
		function hello {
			runtime provided.al2023
			handler bootstrap
			code $PWD/examples/hello-bash
		}
	}
}
:0 {
	bind unix/$work/site.sock
	rate_limit {
		zone each {
			key static
			events 1
			window 10m
		}
	}
	function hello
}
CADDYFILE
"$work/caddy" run --config "$work/Caddyfile" --adapter caddyfile >"$work/log" 2>&1 &
server=$!
for _ in $(seq 300); do
	[[ ! -S $work/site.sock ]] || break
	kill -0 "$server" 2>/dev/null || die "the server ended: $(tail -5 "$work/log")"
	sleep 0.1
done
first=$(curl --silent --unix-socket "$work/site.sock" http://localhost/)
[[ $first == *"Hello from bash"* ]] || die "it answers $first: $(tail -5 "$work/log")"
second=$(curl --silent --output /dev/null --write-out '%{http_code}' --unix-socket "$work/site.sock" http://localhost/)
[[ $second == 429 ]] || die "the second request is answered with $second: the rate limit does not count"
printf '==> xcaddy build: Hearth, %s and %s in one program, which serves\n' "$CLOUDFLARE" "$RATE_LIMIT" >&2
