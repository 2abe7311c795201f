#!/bin/sh
set -e
# remove (Debian) and 0 (rpm): no upgrade.
if [ "$1" = remove ] || [ "$1" = 0 ]; then
	[ ! -d /run/systemd/system ] || systemctl disable --now hearth.service
fi
