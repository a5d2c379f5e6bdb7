#!/bin/sh
# As the public image does: prepare the configuration where it can be written, then become nginx.
set -e
if [ "$1" = nginx ]; then
	if ! touch /etc/nginx/conf.d/default.conf 2>/dev/null; then
		echo "$0: info: can not modify /etc/nginx/conf.d/default.conf (read-only file system?)"
	fi
fi
exec "$@"
