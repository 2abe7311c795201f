#!/bin/sh
set -e
if ! getent passwd hearth >/dev/null; then
	if command -v adduser >/dev/null && [ -e /etc/debian_version ]; then
		adduser --system --group --quiet --home /var/lib/hearth --no-create-home --shell /usr/sbin/nologin hearth
	else
		getent group hearth >/dev/null || groupadd --system hearth
		useradd --system --gid hearth --home-dir /var/lib/hearth --no-create-home --shell /usr/sbin/nologin hearth
	fi
fi
install -d -m 0700 -o hearth -g hearth /var/lib/hearth
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	# $2 (Debian) is the version before, $1 (rpm) how many versions there are now.
	if [ -n "$2" ] || [ "$1" = 2 ]; then
		systemctl try-restart hearth.service
	else
		systemctl enable --now hearth.service
	fi
fi
