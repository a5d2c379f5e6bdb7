#!/bin/sh
# Makes a database cluster in $PGDATA when there is none, then becomes PostgreSQL.
#
#   POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE   the first user's password (one of them is required)
#   POSTGRES_HOST_AUTH_METHOD=trust                instead of a password: whoever reaches it may do all
#   POSTGRES_INITDB_ARGS                           more arguments of initdb
#   POSTGRES_USER (postgres), POSTGRES_DB (the user's name)
#
# As root it gives $PGDATA to the user postgres and becomes that, as the public image does. As that user it needs no
# writable file system but $PGDATA and /run/postgresql or /tmp, and no capability.
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

mkdir -p "$PGDATA"
chmod 0700 "$PGDATA" || :
if [ "$(id -u)" = 0 ]; then
	[ "$(stat -c %u "$PGDATA")" = "$(id -u postgres)" ] || chown -R postgres "$PGDATA"
	exec gosu postgres "$0" "$@"
fi

sockets=/run/postgresql
[ -w "$sockets" ] || sockets=/tmp
user=${POSTGRES_USER:-postgres}
umask 077

if [ ! -s "$PGDATA/PG_VERSION" ]; then
	# Built beside its place and moved when it is whole: a container killed half way leaves nothing that looks ready.
	mkdir -p "$PGDATA"
	[ -w "$PGDATA" ] || fail "$PGDATA cannot be written by user $(id -u)"
	rm -rf "$PGDATA"/.new && mkdir "$PGDATA"/.new
	if [ "${POSTGRES_HOST_AUTH_METHOD:-}" = trust ]; then
		# shellcheck disable=SC2086 # words
		initdb ${POSTGRES_INITDB_ARGS:-} -D "$PGDATA"/.new -U "$user" -A trust -E UTF8 --locale=C.UTF-8 >/dev/null
		echo "host all all all trust" >>"$PGDATA"/.new/pg_hba.conf
	else
		password | initdb ${POSTGRES_INITDB_ARGS:-} -D "$PGDATA"/.new -U "$user" -A scram-sha-256 --pwfile=/dev/stdin -E UTF8 --locale=C.UTF-8 >/dev/null
		echo "host all all all scram-sha-256" >>"$PGDATA"/.new/pg_hba.conf
	fi
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
