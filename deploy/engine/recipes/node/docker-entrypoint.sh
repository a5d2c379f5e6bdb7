#!/bin/sh
# As the public image does: a word that is no program is given to node.
set -e
if [ "${1#-}" != "${1}" ] || [ -z "$(command -v "${1}")" ]; then
	set -- node "$@"
fi
exec "$@"
