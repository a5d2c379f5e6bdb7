#!/bin/sh
# As the public image does: as root it gives /data to its own user and becomes that; then it is redis-server, with its
# arguments. Anything else is run as it is.
set -eu
case ${1:-redis-server} in
-* | *.conf) set -- redis-server "$@" ;;
esac
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
	[ "$(stat -c %u .)" = "$(id -u redis)" ] || chown redis .
	exec gosu redis "$0" "$@"
fi
if [ "$1" = redis-server ]; then
	set -- "$@" --protected-mode no # the container's network decides who may ask
fi
exec "$@"
