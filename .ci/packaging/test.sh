#!/usr/bin/env bash
# Installs a package in a copy of a Debian, starts the server as its user does, upgrades it and
# removes it:
#
#   test.sh DEBIAN OLD.deb NEW.deb
#
# The copy is an overlay, which leaves DEBIAN as it is. There is no systemd in it, so the server is
# started by the command of the unit, and the unit is checked by systemd-analyze.
set -euo pipefail
shopt -s inherit_errexit # a $(...) that fails ends the script, too
DEBIAN=$(realpath "$1") OLD=$(realpath "$2") NEW=$(realpath "$3")
readonly DEBIAN OLD NEW
cd "$(dirname "${BASH_SOURCE[0]}")"

say() { printf '==> %s\n' "$*" >&2; }
die() {
	printf 'test.sh: %s\n' "$*" >&2
	exit 1
}

work=$(mktemp -d)
mkdir "$work/root"
server=
finish() {
	[[ -z $server ]] || kill "$server" 2>/dev/null || true
	umount --recursive --lazy "$work/root" 2>/dev/null || true
	umount --lazy "$work/disk" 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT
# An overlay needs a file system below it that is none itself, as a container's may be.
mkdir "$work/disk"
mount -t tmpfs hearth "$work/disk"
mkdir "$work/disk/upper" "$work/disk/work"
mount -t overlay overlay -o "lowerdir=$DEBIAN,upperdir=$work/disk/upper,workdir=$work/disk/work" "$work/root" 2>/dev/null || {
	cp -a "$DEBIAN/." "$work/root/"
	mount --bind "$work/root" "$work/root"
}
readonly ROOT=$work/root
mount -t proc proc "$ROOT/proc"
mount --rbind /dev "$ROOT/dev"
mount --make-rslave "$ROOT/dev"
in_root() { chroot "$ROOT" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }

install_package() {
	cp "$1" "$ROOT/package.deb"
	in_root dpkg --install /package.deb >&2
	in_root dpkg-query --show --showformat '${Version}\n' hearth
}

# start: the server as the unit starts it, until it answers. Not by chroot: in one, nobody may make
# the user namespaces of functions.
start() {
	unshare --mount --propagation private bash -c 'cd "$1" && shift && mkdir -p mnt && pivot_root . mnt && cd / && umount -l /mnt && exec "$@"' pivot "$ROOT" \
		/usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin setpriv --reuid hearth --regid hearth --clear-groups env XDG_DATA_HOME=/var/lib/hearth XDG_CONFIG_HOME=/var/lib/hearth HOME=/var/lib/hearth \
		caddy run --config /etc/hearth/Caddyfile --adapter caddyfile >"$work/log" 2>&1 &
	server=$!
	for _ in $(seq 300); do
		! curl --silent --fail http://127.0.0.1:8080/hello -H 'Host: localhost:8080' >"$work/answer" || return 0
		kill -0 "$server" 2>/dev/null || die "the server ended: $(tail -5 "$work/log")"
		sleep 0.1
	done
	die "the server does not answer: $(tail -5 "$work/log")"
}

stop() {
	kill "$server"
	wait "$server" || true
	server=
}

began=$(date +%s%N)
old=$(install_package "$OLD")
start
grep -q 'Hello from bash' "$work/answer" || die "the answer is: $(cat "$work/answer")"
say "$old: from the package to the first answer in $((($(date +%s%N) - began) / 1000000)) ms"
[[ $(in_root stat --format %U:%a /var/lib/hearth) == hearth:700 ]] || die "/var/lib/hearth is not the user's own"

say "upgrade"
echo '# kept' >>"$ROOT/etc/hearth/Caddyfile"
new=$(install_package "$NEW")
[[ $new != "$old" ]] || die "both packages have version $new"
grep -q '# kept' "$ROOT/etc/hearth/Caddyfile" || die "the upgrade has overwritten the Caddyfile"
stop
start
in_root caddy hearth version | grep -q "^hearth " || die "caddy hearth version names no version"
stop

say "removal"
in_root dpkg --remove hearth >&2
[[ ! -e $ROOT/usr/bin/caddy && -e $ROOT/etc/hearth/Caddyfile && -d $ROOT/var/lib/hearth/data ]] || die "a removal takes more or less than the program"
in_root dpkg --purge hearth >&2
[[ ! -e $ROOT/etc/hearth && ! -e $ROOT/var/lib/hearth ]] || die "a purge leaves something"

if command -v systemd-analyze >/dev/null; then
	say "systemd-analyze verify"
	mkdir "$work/unit"
	sed 's,^ExecStart=/usr/bin/caddy.*,ExecStart=/bin/true,; s,^ExecReload=/usr/bin/caddy.*,ExecReload=/bin/true,' hearth.service >"$work/unit/hearth.service"
	out=$(systemd-analyze verify "$work/unit/hearth.service" 2>&1) || true
	out=$(grep hearth <<<"$out" || true)
	[[ -z $out ]] || die "the unit: $out"
fi
say "$new: installed, started, upgraded and removed"
