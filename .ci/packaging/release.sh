#!/usr/bin/env bash
# Makes what a release has besides the programs: packages for Debian and Fedora, an image for
# containers, a bill of materials and checksums.
#
#   release.sh VERSION DIST [DEBIAN]
#
# DIST has caddy-amd64, maybe caddy-arm64, and gets the rest. DEBIAN is a system that debootstrap made;
# without it there is no image.
set -euo pipefail
DIST=$(realpath "$2") DEBIAN=${3:-}
cd "$(dirname "${BASH_SOURCE[0]}")"
readonly NFPM=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.0 # pinned, as staticcheck is
readonly DESCRIBED=$1

# package_version: git describe's v1.2.3-4-gabc becomes 1.2.3+4.gabc, which is newer than 1.2.3. A
# commit without a tag before it is 0.0.0.
package_version() {
	if [[ $DESCRIBED =~ ^v?([0-9]+\.[0-9]+\.[0-9]+)(-([0-9]+)-(g[0-9a-f]+))?(-dirty)?$ ]]; then
		echo "${BASH_REMATCH[1]}${BASH_REMATCH[3]:+"+${BASH_REMATCH[3]}.${BASH_REMATCH[4]}"}"
	else
		echo "0.0.0+${DESCRIBED//-/.}"
	fi
}

packages() {
	local arch format program
	export VERSION ARCH PROGRAM
	VERSION=$(package_version)
	for program in "$DIST"/caddy-*; do
		arch=${program##*-}
		ARCH=$arch PROGRAM=$DIST/caddy-$arch
		for format in deb rpm; do
			"$nfpm" package --config nfpm.yaml --packager "$format" --target "$DIST/" >&2
		done
	done
}

digest() { sha256sum "$1" | cut -d ' ' -f 1; }

# image: in the format of docker save, which docker load and podman load read: layers, a
# configuration and a list of both.
image() {
	local work tag=hearth:${DESCRIBED//+/_} layer layers=() ids=() config
	work=$(mktemp -d)
	tar --create --directory "$DEBIAN" --numeric-owner --one-file-system --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' \
		--exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./var/log/*' \
		--file "$work/system.tar" .
	install -D -m 0755 "$DIST/caddy-amd64" "$work/own/usr/bin/caddy"
	install -D -m 0755 ../../examples/hello-bash/bootstrap "$work/own/usr/share/hearth/hello/bootstrap"
	mkdir -p "$work/own/etc/hearth"
	# The port of a container is published, so the site is not bound to this machine.
	sed '/bind 127.0.0.1/d; s,http://localhost:8080,http://:8080,; s,/var/lib/hearth/data,/data/caddy/hearth,' Caddyfile >"$work/own/etc/hearth/Caddyfile"
	tar --create --directory "$work/own" --numeric-owner --owner=0 --group=0 --file "$work/own.tar" .
	mkdir "$work/image"
	for layer in system own; do
		ids+=("\"sha256:$(digest "$work/$layer.tar")\"")
		mv "$work/$layer.tar" "$work/image/$layer.tar"
		layers+=("\"$layer.tar\"")
	done
	printf '%s' '{"architecture":"amd64","os":"linux","created":"1970-01-01T00:00:00Z","config":{"Entrypoint":["/usr/bin/caddy"],' \
		'"Cmd":["run","--config","/etc/hearth/Caddyfile","--adapter","caddyfile"],"Env":["PATH=/usr/sbin:/usr/bin:/sbin:/bin","XDG_DATA_HOME=/data","XDG_CONFIG_HOME=/data"],' \
		'"Volumes":{"/data":{}},"Labels":{"org.opencontainers.image.version":"'"$DESCRIBED"'","org.opencontainers.image.licenses":"Apache-2.0"}},' \
		'"rootfs":{"type":"layers","diff_ids":['"${ids[0]},${ids[1]}"']},"history":[{"created_by":"debootstrap"},{"created_by":"hearth"}]}' >"$work/config.json"
	config=$(digest "$work/config.json").json
	mv "$work/config.json" "$work/image/$config"
	printf '[{"Config":"%s","RepoTags":["%s"],"Layers":[%s]}]' "$config" "$tag" "${layers[0]},${layers[1]}" >"$work/image/manifest.json"
	tar --create --directory "$work/image" --file "$DIST/hearth-image-amd64.tar" manifest.json "$config" system.tar own.tar
	rm -rf "$work"
}

# bill_of_materials: the modules in the program, as CycloneDX 1.5 lists them.
bill_of_materials() {
	go version -m "$DIST/caddy-amd64" | awk -v version="$DESCRIBED" '
		BEGIN { printf "{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.5\",\"version\":1,\"metadata\":{\"component\":{\"type\":\"application\",\"name\":\"hearth\",\"version\":\"%s\"}},\"components\":[", version }
		$1 == "dep" { printf "%s\n{\"type\":\"library\",\"name\":\"%s\",\"version\":\"%s\",\"purl\":\"pkg:golang/%s@%s\"}", n++ ? "," : "", $2, $3, $2, $3 }
		END { print "\n]}" }' >"$DIST/sbom.cdx.json"
}

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
GOBIN=$tools go install "$NFPM"
nfpm=$tools/nfpm
packages
[[ -z $DEBIAN ]] || image
bill_of_materials
cd "$DIST"
find . -maxdepth 1 -type f ! -name 'caddy-*' ! -name SHA256SUMS -printf '%P\n' | sort | xargs sha256sum >SHA256SUMS
