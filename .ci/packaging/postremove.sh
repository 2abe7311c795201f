#!/bin/sh
set -e
[ ! -d /run/systemd/system ] || systemctl daemon-reload
if [ "$1" = purge ]; then
	rm -rf /var/lib/hearth
	if getent passwd hearth >/dev/null && command -v deluser >/dev/null; then
		deluser --quiet --system hearth || true
	fi
fi
