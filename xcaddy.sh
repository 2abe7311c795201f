#!/usr/bin/env bash
# Build, run, test and measure Hearth. ./xcaddy.sh help lists the commands.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"

readonly MODULE=github.com/hearthfn/hearth
readonly CADDY=bin/caddy

# The tags that xcaddy sets: without them Caddy's internal CA links three database
# drivers that nobody here uses.
readonly TAGS=nobadger,nomysql,nopgx

# Pinned, so that a commit which passed yesterday passes today.
readonly STATICCHECK=honnef.co/go/tools/cmd/staticcheck@v0.8.2

usage() {
	cat <<'USAGE'
usage: ./xcaddy.sh COMMAND

  build             Caddy with Hearth, into bin/caddy
  run [CADDYFILE]   build, then serve CADDYFILE (default: Caddyfile.example)
  test [FLAGS]      build, then every check and test; FLAGS go to go test
  bench [cold|api|events|pull|cluster|load|walls|starts|websockets|stacks|console] [FLAGS]
                    build, then the benchmark of warm calls; or that of cold starts, the
                    Lambda API, events, event sources, a cluster, functions that load the
                    machine together, networks of functions, first calls beside what
                    bare interpreters take, WebSockets, stacks, or the console in a browser.
                    --help shows its flags
  release [VERSION] static programs for amd64 and arm64 (or $ARCHS), packages, an image,
                    checksums: into dist/
  test-release      release, then install, start, upgrade and remove the package in a Debian
                    that debootstrap makes (as root; several minutes), build by xcaddy with other
                    modules, and, if qemu-user-static is there, run the program for arm64
  help              this text

The first build downloads 230 MB and takes 1 to 7 minutes; later ones take seconds.

On Debian and Ubuntu the script installs what a command needs (as root, or by sudo
without a password). On other systems it names the missing packages.
USAGE
}

say() { printf '==> %s\n' "$*" >&2; }

die() {
	printf 'xcaddy.sh: %s\n' "$*" >&2
	exit 1
}

# A plain user has no sbin in PATH, and mkfs.ext4 and nft are there.
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
have() { command -v "$1" >/dev/null 2>&1; }

# package_of COMMAND: the Debian package that has the command.
package_of() {
	case $1 in
	bwrap) echo bubblewrap ;;
	node) echo nodejs ;;
	java) echo default-jre-headless ;;
	javac) echo default-jdk-headless ;;
	redis-cli) echo redis-tools ;;
	aws) echo awscli ;;
	pasta) echo passt ;;
	ip) echo iproute2 ;;
	nft) echo nftables ;;
	mkfs.ext4) echo e2fsprogs ;;
	nsenter) echo util-linux ;;
	cc) echo gcc ;;
	*) echo "$1" ;;
	esac
}

# need COMMAND...: install what is not on PATH. It looks for commands, not packages, so
# that an interpreter from nvm, pyenv or a tarball counts.
need() {
	local command packages=()
	for command in "$@"; do
		have "$command" || packages+=("$(package_of "$command")")
	done
	[[ ${#packages[@]} -eq 0 ]] || install_packages "${packages[@]}"
}

install_packages() {
	local apt=(apt-get install --yes --no-install-recommends "$@")
	have apt-get || die "missing here: $* (Debian's names); install them and try again"

	local as_root=()
	if [[ $EUID -ne 0 ]]; then
		{ have sudo && sudo --non-interactive true 2>/dev/null; } ||
			die "missing here: $*; run: sudo ${apt[*]}"
		as_root=(sudo --non-interactive)
	fi

	say "installing $*"
	# A fresh image has no package lists, and stale ones name files that are gone.
	"${as_root[@]}" apt-get update --quiet=2 >&2
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive "${apt[@]}" --quiet=2 >&2 ||
		die "apt-get could not install $*"
}

need_go() {
	have go || die "go is missing; install Go $(sed -n 's/^go //p' go.mod) or later: https://go.dev/doc/install"
}

# version: as git describe says it, or of a checkout without tags, its commit.
version() { git -c safe.directory='*' describe --tags --always --dirty 2>/dev/null || echo unknown; }

build() {
	need_go
	if [[ ! -d $(go env GOCACHE)/00 ]]; then
		say "the first build downloads 230 MB and compiles Caddy: 1 to 7 minutes"
	fi
	say "building $CADDY"
	mkdir -p bin
	if have xcaddy; then
		build_by_xcaddy
	else
		build_by_go
	fi
}

# --replace, not a second --with: the root of the module holds no package to import.
build_by_xcaddy() {
	local version
	version=$(go list -m -f '{{.Version}}' github.com/caddyserver/caddy/v2)
	xcaddy build "$version" --output "$CADDY" \
		--with "$MODULE/caddymodule" --replace "$MODULE=$PWD"
}

# The main package that xcaddy would write, built inside our own module: go.mod says
# every version, nothing is fetched that is cached, and go build itself sees when
# there is nothing to do. The leading dot hides the folder from ./... patterns.
write_main() {
	mkdir -p bin/.build
	cat >bin/.build/main.go.new <<MAIN
package main

import (
	_ "time/tzdata"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "$MODULE/caddymodule"
)

func main() { caddycmd.Main() }
MAIN
	mv bin/.build/main.go.new bin/.build/main.go
}

build_by_go() {
	write_main
	# -buildvcs=false: stamping asks git, which refuses a checkout that another user
	# owns, as build machines have them. No -trimpath: the compiled packages are then
	# the ones that go test and go vet use.
	local version
	version=$(version)
	go build -buildvcs=false -tags "$TAGS" -ldflags "$(ldflags "$version")" -o "$CADDY" bin/.build/main.go
}

# ldflags VERSION: caddy version names Hearth too.
ldflags() {
	local caddy
	caddy=$(go list -m -f '{{.Version}}' github.com/caddyserver/caddy/v2)
	echo "-s -w -X $MODULE/caddymodule.version=$1 -X github.com/caddyserver/caddy/v2.CustomVersion=$caddy+hearth-$1"
}

# release [VERSION]: dist/ with all that is published.
release() {
	need_go
	local version=${1:-$(version)} arch root=()
	local -a archs
	read -r -a archs <<<"${ARCHS:-amd64 arm64}"
	write_main
	rm -rf dist
	mkdir -p dist
	for arch in "${archs[@]}"; do
		say "caddy for linux/$arch, $version"
		CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -buildvcs=false -trimpath -tags "$TAGS" -ldflags "$(ldflags "$version")" \
			-o "dist/caddy-$arch" bin/.build/main.go
		tar --create --gzip --file "dist/hearth-linux-$arch.tar.gz" --owner=0 --group=0 --transform "s,dist/caddy-$arch,caddy," \
			"dist/caddy-$arch" LICENSE README.md Caddyfile.example
	done
	if [[ -d $(debian_root) ]]; then
		root=("$(debian_root)")
	else
		say "no image: ./xcaddy.sh test-release makes the Debian that it is based on"
	fi
	say "packages, checksums, bill of materials"
	.ci/packaging/release.sh "$version" dist "${root[@]}"
	ls -l dist >&2
}

debian_root() { echo "${XDG_CACHE_HOME:-$HOME/.cache}/hearth-tests/debian-12"; }

# make_debian: a Debian 12 with what functions need, once on a machine.
make_debian() {
	local root
	root=$(debian_root)
	[[ ! -d $root ]] || return 0
	[[ $EUID -eq 0 ]] || die "debootstrap needs root"
	have debootstrap || install_packages debootstrap
	mkdir -p "$(dirname "$root")"
	rm -rf "$root.new"
	say "debootstrap of Debian 12 into $root"
	debootstrap --variant=minbase --include=bubblewrap,passt,curl,ca-certificates,nodejs,python3-minimal,adduser bookworm "$root.new" >&2
	mv "$root.new" "$root"
}

test_release() {
	make_debian
	export ARCHS=amd64 # that of the Debian
	release v0.0.0 # older than every other
	local before
	before=$(mktemp -d)
	mv dist/*.deb "$before/"
	if have qemu-aarch64-static; then # Debian's qemu-user-static
		ARCHS="amd64 arm64"
	fi
	release "$@"
	if [[ -e dist/caddy-arm64 ]]; then
		say "the program for arm64"
		.ci/packaging/arm64.sh dist/caddy-arm64
	fi
	.ci/packaging/test.sh "$(debian_root)" "$before"/hearth_*_amd64.deb dist/hearth_*_amd64.deb
	rm -rf "$before"
	say "the program by xcaddy, with other modules"
	.ci/packaging/modules.sh
}

# prepare_examples [LOCK...]: the dependencies of every example that has some, and of LOCK. npm leaves
# node_modules/.package-lock.json behind when it has finished, so an older or absent
# one means that the folder is stale or half made.
prepare_examples() {
	local lock folder
	for lock in examples/*/package-lock.json "$@"; do
		folder=${lock%/*}
		[[ $folder/node_modules/.package-lock.json -nt $lock ]] && continue
		need node npm
		say "npm ci in $folder"
		(cd "$folder" && NPM_CONFIG_UPDATE_NOTIFIER=false npm ci --omit=dev --no-audit --no-fund --loglevel=error >&2)
		# npm keeps the time of an unchanged file; without this it would be stale again.
		touch "$folder/node_modules/.package-lock.json"
	done
}

run() {
	[[ $# -le 1 ]] || die "run takes one Caddyfile, got: $*"
	local config=${1:-Caddyfile.example}
	[[ -r $config ]] || die "cannot read $config"
	need bwrap pasta node python3 curl
	build
	prepare_examples
	say "$CADDY hearth runtimes tells what Lambda's runtimes have and this machine lacks, and installs it"
	exec "$CADDY" run --adapter caddyfile --config "$config"
}

lint() {
	say "gofmt"
	local unformatted
	unformatted=$(git ls-files -z -- '*.go' | xargs -0 --no-run-if-empty gofmt -l)
	[[ -z $unformatted ]] || die "gofmt -w these: ${unformatted//$'\n'/ }"
	say "go vet"
	go vet -tags "$TAGS" ./...
	say "staticcheck"
	# Built once and then cached. A machine without a way to the module proxy can still
	# run the tests, which is what it was asked for.
	if go run "$STATICCHECK" -version >/dev/null; then
		go run "$STATICCHECK" -tags "$TAGS" ./...
	else
		say "staticcheck cannot be built here; skipped"
	fi
}

# have_boto3: the system's Python gets it from its packages, whatever is first on PATH.
have_boto3() {
	local python
	for python in python3 /usr/bin/python3; do
		"$python" -c 'import boto3' 2>/dev/null && return
	done
	return 1
}

# need_jars: what Java functions of the tests bring with them.
need_jars() {
	local jar
	for jar in gson jackson-databind joda-time; do
		[[ -e /usr/share/java/$jar.jar ]] && continue
		install_packages libgoogle-gson-java libjackson2-databind-java libjoda-time-java
		return
	done
}

# go_test FLAGS PACKAGES: go test. Up to six tests that fell among the many are run
# once more, each alone, and both results stay to be read: one that falls again, a data race
# and a package that ended by itself are failures. One that passes then is named, and is a
# fault of the test (or of the product) all the same: see CONTRIBUTING.md.
go_test() {
	local output status=0 race=()
	[[ $1 != -race ]] || race=(-race)
	output=$(mktemp)
	go test -tags "$TAGS" "$@" 2>&1 | tee "$output" || status=$?
	if [[ $status -ne 0 ]]; then
		local fallen=()
		# "PACKAGE TEST" for each; nothing at all if something fell that is no test by itself.
		mapfile -t fallen < <(awk '
			/^--- FAIL: Test/ { tests[++n] = $3 }
			/WARNING: DATA RACE|^panic: / { whole = 1 }
			/^FAIL\t/ {
				if (n == 0) whole = 1
				for (i = 1; i <= n; i++) all[++m] = $2 " " tests[i]
				n = 0
			}
			END { if (!whole && m <= 6) for (i = 1; i <= m; i++) print all[i] }' "$output")
		[[ ${#fallen[@]} -eq 0 ]] || status=0
		local one
		for one in "${fallen[@]}"; do
			say "${one#* } fell; once more, alone"
			if go test "${race[@]}" -tags "$TAGS" -timeout 10m -count 1 -run "^${one#* }\$" "${one% *}"; then
				say "UNSTEADY: ${one#* } of ${one% *} fell among the others and passed alone"
			else
				status=1
			fi
		done
	fi
	rm -f "$output"
	return "$status"
}

run_tests() {
	need bwrap node npm python3 java javac ruby curl aws redis-server redis-cli wrk ip nft pasta nsenter mount mkfs.ext4 cc zip chromium
	have_boto3 || install_packages python3-boto3
	need_jars
	build
	prepare_examples tests/console/package-lock.json
	lint
	local packages
	mapfile -t packages < <(go list ./... | grep --invert-match "^$MODULE/tests")
	[[ ${#packages[@]} -gt 0 ]] || die "go list names no packages"

	# The black-box tests come last, and run whatever the packages say, so that one run shows
	# everything that is broken. They wait most of the time, so many are begun at once: each
	# waits for room (tests/harness/room.go), and one that measures waits until it is alone.
	# Building the object stores takes minutes, once on a machine.
	say "building object stores for tests/, in the background"
	nice go test -timeout 30m -count 1 -run '^TestProgramsAreBuilt$' ./tests/objectstore >/dev/null &
	local stores=$! failed=0
	say "go test -race, packages"
	go_test -race -timeout 10m -p 4 "$@" "${packages[@]}" || failed=1
	say "waiting for the object stores"
	wait "$stores" || say "object stores cannot be built; tests/ will say why"
	# Without -race: what they test is bin/caddy, which is built without as well.
	say "go test, tests/"
	go_test -timeout 60m -p 6 -parallel 4 "$@" ./tests/... || failed=1
	return "$failed"
}

bench() {
	need bwrap node python3 java wrk redis-server pasta
	build
	if [[ ${1-} == console ]]; then
		need chromium
		prepare_examples tests/console/package-lock.json
	fi
	# Not go run: it would not pass on a signal, and the servers would be left behind.
	go build -buildvcs=false -o bin/bench ./tests/bench
	exec bin/bench "$@"
}

main() {
	local command=${1:-help}
	[[ $# -eq 0 ]] || shift
	case $command in
	build) build ;;
	run) run "$@" ;;
	test) run_tests "$@" ;;
	bench) bench "$@" ;;
	release) release "$@" ;;
	test-release) test_release "$@" ;;
	help | -h | --help) usage ;;
	*)
		usage >&2
		die "no such command: $command"
		;;
	esac
}

main "$@"
