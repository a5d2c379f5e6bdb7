#!/bin/sh
# Becomes redis-server, with its arguments; anything else is run as it is.
set -eu
case ${1:-redis-server} in
redis-server) shift ;;
-* | *.conf) ;;
*) exec "$@" ;;
esac
# The container's network decides who may ask.
exec redis-server "$@" --protected-mode no
