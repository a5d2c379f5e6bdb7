#!/bin/sh
# Makes a database cluster in $PGDATA when there is none, then becomes PostgreSQL.
#
#   POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE   the first user's password (one of them is required)
#   POSTGRES_USER (postgres), POSTGRES_DB (the user's name)
#
# It needs no writable file system but $PGDATA and /run/postgresql or /tmp, and no capability.
set -eu

fail() { echo "postgres: $*" >&2 && exit 1; }

password() {
	if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
		[ -r "$POSTGRES_PASSWORD_FILE" ] || fail "POSTGRES_PASSWORD_FILE=$POSTGRES_PASSWORD_FILE cannot be read by user $(id -u)"
		cat "$POSTGRES_PASSWORD_FILE"
	else
		[ -n "${POSTGRES_PASSWORD:-}" ] || fail "set POSTGRES_PASSWORD_FILE or POSTGRES_PASSWORD"
		printf %s "$POSTGRES_PASSWORD"
	fi
}

case ${1:-postgres} in
postgres) ;;
-*) set -- postgres "$@" ;;
*) exec "$@" ;;
esac

sockets=/run/postgresql
[ -w "$sockets" ] || sockets=/tmp
user=${POSTGRES_USER:-postgres}
umask 077

if [ ! -s "$PGDATA/PG_VERSION" ]; then
	# Built beside its place and moved when it is whole: a container killed half way leaves nothing that looks ready.
	mkdir -p "$PGDATA"
	[ -w "$PGDATA" ] || fail "$PGDATA cannot be written by user $(id -u)"
	rm -rf "$PGDATA"/.new && mkdir "$PGDATA"/.new
	password | initdb -D "$PGDATA"/.new -U "$user" -A scram-sha-256 --pwfile=/dev/stdin -E UTF8 --locale=C.UTF-8 >/dev/null
	echo "host all all all scram-sha-256" >>"$PGDATA"/.new/pg_hba.conf
	database=${POSTGRES_DB:-$user}
	if [ "$database" != postgres ]; then
		printf 'CREATE DATABASE "%s";\n' "$database" | postgres --single -D "$PGDATA"/.new postgres >/dev/null
	fi
	for entry in "$PGDATA"/.new/*; do
		[ "${entry##*/}" = PG_VERSION ] || { rm -rf "$PGDATA/${entry##*/}" && mv "$entry" "$PGDATA"/; }
	done
	mv "$PGDATA"/.new/PG_VERSION "$PGDATA"/ && rmdir "$PGDATA"/.new
fi

shift
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories="$sockets" "$@"
