#!/usr/bin/env bash
# Installs SkyPanel on one node, or brings an installation to the version of this checkout; as root, on Debian 12 or 13,
# or Ubuntu 24.04. It does steps 1 to 7 of docs/paas-caas-setup.md, and each only when it is not done.
#
#     deploy/install.sh --acme-email ops@example.com      certificates from Let's Encrypt
#     deploy/install.sh --no-tls                          plain HTTP only
#     deploy/install.sh uninstall                         take back what it made; data stays
#     deploy/install.sh uninstall --purge                 data too: database, certificates, packages that it installed
#
#   --dry-run               say what would be done, and do nothing
#   --acme-email ADDRESS    for the certificates; once given, it is known the next time
#   --no-tls                no certificates, and no redirection to HTTPS
#   --database NAME         the database (skypanel)
#   --swarm-pool CIDR       where Swarm cuts networks from that name none (10.200.0.0/16); no overlap with 10.64.0.0/12
#   --advertise-addr ADDR   this node's address for others (the one of its default route)
#   --no-firewall           leave the hosts' firewall out
#   --yes                   with uninstall: although there are organizations
#
#   SKYPANEL_ADMIN_URL      in the environment: connection string of a superuser of a server elsewhere; else PostgreSQL is
#                           installed here. It is on no command line, as others could see it there.
#   TRAEFIK_IMAGE, SOCKET_PROXY_IMAGE, EDGE_READ_TIMEOUT    as deploy/swarm/edge.yml says
#
# What is made is written to /etc/skypanel/installed before it is made: so a run that was cut off can be run again, and
# uninstall knows what was there before. When a step fails, it ends there and says how to mend it.
set -Eeuo pipefail
shopt -s inherit_errexit
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
umask 022

source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly source
readonly prefix=/opt/skypanel folder=/etc/skypanel stack=skypanel
readonly venv=$prefix/.venv state=$folder/installed settings=$folder/env
readonly link=/usr/local/bin/skypanel unit=/etc/systemd/system/skypanel.service
readonly minimum_engine=25 # the first that speaks API 1.44

mode=install dry='' purge='' yes='' tls='' email='' database='' pool=10.200.0.0/16 address='' firewall=1
step='options' mend='' output='' restart=''

# -- Saying and doing --------------------------------------------------------------------------------------------------

say() { printf '%-14s %s\n' "$step" "$1"; }
already() { say "already so: $1"; }

fail() {
    printf '\n%-14s FAILED: %s\n' "$step" "$1" >&2
    [ -z "${2:-$mend}" ] || printf '%-14s fix: %s\n' '' "${2:-$mend}" >&2
    [ "$mode" != install ] || printf '%-14s then run this again: what is done stays done\n' '' >&2
    trap - EXIT ERR
    cleanup
    exit 1
}

cleanup() { [ -z "$output" ] || rm -f "$output"; }
trap cleanup EXIT
trap '[ "$BASH_SUBSHELL" != 0 ] || fail "line $LINENO: $BASH_COMMAND"' ERR
trap 'fail interrupted "nothing is half written"' INT TERM

# run WHAT COMMAND...: say it, and do it unless it is a dry run. Its output is shown when it fails.
run() {
    local what=$1
    shift
    if [ -n "$dry" ]; then
        say "would $what"
        return
    fi
    say "$what"
    if ! "$@" </dev/null >"$output" 2>&1; then
        tail -n 15 "$output" | sed 's/^/    | /' >&2
        fail "$what"
    fi
}

# write PATH MODE: standard input becomes the file, whole or not at all. A link or a folder in its place is refused.
write() {
    local path=$1 mode=$2 new
    if [ -L "$path" ] || { [ -e "$path" ] && [ ! -f "$path" ]; }; then
        fail "$path is no plain file ($(stat -c %F "$path"))" "look who made it, and move it away"
    fi
    new=$(mktemp "$path.XXXXXX") || fail "cannot write to ${path%/*}" "make room: df -h ${path%/*}"
    if ! { cat >"$new" && chmod "$mode" "$new" && sync "$new" && mv -T "$new" "$path"; }; then
        rm -f "$new"
        fail "cannot write $path" "make room: df -h ${path%/*}"
    fi
}

# place SOURCE PATH MODE WHAT: a file of ours, when it is not there as it should be.
place() {
    if [ -f "$2" ] && [ ! -L "$2" ] && cmp -s "$1" "$2"; then
        return 1
    fi
    if [ -n "$dry" ]; then
        say "would write $2"
    else
        [ -e "$2" ] || [ -L "$2" ] || record file "$2"
        write "$2" "$3" <"$1"
        say "wrote $2"
    fi
}

# -- What was made: lines of KIND NAME -------------------------------------------------------------------------------------

recorded() { [ -f "$state" ] && grep -qxF -- "$1 $2" "$state"; }
all_recorded() { [ ! -f "$state" ] || sed -n "s/^$1 //p" "$state"; }

record() {
    [ -z "$dry" ] || return 0
    recorded "$1" "$2" && return
    { if [ -f "$state" ]; then cat "$state"; fi; printf '%s %s\n' "$1" "$2"; } | write "$state" 0600
}

forget() {
    [ -z "$dry" ] && [ -f "$state" ] || return 0
    { grep -vxF -- "$1 $2" "$state" || true; } | write "$state" 0600
}

# -- Settings in /etc/skypanel/env ----------------------------------------------------------------------------------------

setting() { [ ! -f "$settings" ] || sed -n "s/^$1=//p" "$settings" | tail -n 1; }

# set_to NAME VALUE: the line is replaced; the value goes through no command line (printf is the shell's own).
set_to() {
    [ "$(setting "$1")" != "$2" ] || return 0
    if [ -n "$dry" ]; then
        say "would set $1 in $settings"
        return
    fi
    [ -e $settings ] || record file $settings
    { grep -v "^$1=" "$settings" 2>/dev/null || true; printf '%s=%s\n' "$1" "$2"; } | write "$settings" 0600
    say "set $1 in $settings"
    restart=1
}

# What the program itself says comes next; only once it is there.
doctor() {
    [ -z "$dry" ] && [ -x $venv/bin/skypanel ] || return 0
    local found
    found=$($venv/bin/skypanel doctor -o json 2>/dev/null </dev/null || true)
    $venv/bin/python -c '
import json, sys
checks = {c["name"]: c for c in json.load(sys.stdin)}
found = checks.get("next step")
print("               doctor:", "next is " + found["message"] if found else "nothing is missing")
' <<<"$found" 2>/dev/null || true
}

# -- Packages ------------------------------------------------------------------------------------------------------------

has_package() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
names() { dpkg-query -W -f '${Package} ${db:Status-Status}\n' | sed -n 's/ installed$//p' | sort -u; }
candidate() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: *\([0-9]*:\)\{0,1\}//p'; }

# packages NAME...: what is absent, with what it needs, is installed and recorded.
packages() {
    local absent=() name before
    for name in "$@"; do
        has_package "$name" || absent+=("$name")
    done
    if [ ${#absent[@]} = 0 ]; then
        already "packages $*"
        return
    fi
    mend='see the message of apt-get above; apt-get install -f, then again'
    before=$(names)
    if [ -z "$dry" ]; then # what apt will install is recorded before it does
        while read -r name; do
            grep -qxF "$name" <<<"$before" || record package "$name"
        done < <(apt-get install -s -y --no-install-recommends "${absent[@]}" 2>/dev/null | sed -n 's/^Inst \([^ ]*\).*/\1/p')
    fi
    run "install packages ${absent[*]}" apt-get install -y -qq --no-install-recommends "${absent[@]}"
    mend=''
}

# -- The steps ------------------------------------------------------------------------------------------------------------

start() {
    [ "$(id -u)" = 0 ] || fail "this needs root" "sudo $0 ..."
    [ -d /run/systemd/system ] ||
        fail "systemd does not run here" "a container is no node; deploy/swarm/controller.yml is the way with an engine alone"
    [ -n "$dry" ] || [ "$mode" != install ] || mkdir -p $folder
    [ -n "$dry" ] || output=$(mktemp /run/skypanel-install.XXXXXX)
    exec 9>/run/skypanel-install.lock
    flock -n 9 || fail "another run of this script has not ended" "wait for it"
}

check_machine() {
    step='0 Machine'
    local id='' VERSION_ID='' PRETTY_NAME='' free
    [ ! -r /etc/os-release ] || . /etc/os-release
    id="${ID:-} ${VERSION_ID:-}"
    case $id in
        'debian 12' | 'debian 13' | 'ubuntu 24.04') already "$PRETTY_NAME" ;;
        *) say "$PRETTY_NAME: not tried; Debian 12 and 13 and Ubuntu 24.04 are" ;;
    esac
    for path in /opt /var; do
        free=$(df --output=avail -m "$path" | tail -n 1)
        [ "$free" -ge 1024 ] || fail "$path has $((free)) MB free" "2 GB are needed in all: make room"
    done
    [ -n "$(find /var/lib/apt/lists -name '*_Packages*' -newermt '-1 day' -print -quit 2>/dev/null)" ] ||
        { mend='see sources.list(5)'; run 'read the lists of packages' apt-get update -qq; mend=''; }
}

engine_version() { docker version -f '{{.Server.Version}} {{.Server.APIVersion}}' 2>/dev/null; }

docker_own() {
    local distribution=debian
    ! grep -q '^ID=ubuntu' /etc/os-release || distribution=ubuntu
    printf '%s' "install Docker's own packages (docker-ce docker-ce-cli containerd.io) as" \
        " https://docs.docker.com/engine/install/$distribution/ says"
}

check_engine() {
    step='1 Engine'
    local found version offered
    if ! command -v dockerd >/dev/null; then
        if offered=$(candidate docker-ce) && [ -n "$offered" ] && [ "$offered" != '(none)' ]; then
            packages docker-ce docker-ce-cli containerd.io
        else
            offered=$(candidate docker.io)
            case $offered in '' | '(none)') fail "apt knows no engine" "$(docker_own)" ;; esac
            [ "${offered%%.*}" -ge $minimum_engine ] ||
                fail "docker.io here is $offered, and 25 is needed: older engines drop security settings silently" "$(docker_own)"
            # Debian has the command in a package of its own since 13
            case $(candidate docker-cli) in
                '' | '(none)') packages docker.io apparmor ;;
                *) packages docker.io docker-cli apparmor ;;
            esac
        fi
    fi
    if ! command -v docker >/dev/null && [ -z "$dry" ]; then
        packages docker-cli
    fi
    if [ -n "$dry" ] && ! command -v docker >/dev/null; then
        say "would begin a Swarm (--default-addr-pool $pool)"
        return
    fi
    mend='journalctl -u docker -n 50'
    systemctl is-active -q docker || run 'start the engine' systemctl enable --now docker
    if ! found=$(engine_version); then
        [ -n "$dry" ] && { say 'would begin a Swarm'; return; }
        fail "the engine does not answer"
    fi
    version=${found#* }
    [ "$(printf '1.44\n%s\n' "$version" | sort -V | head -n 1)" = 1.44 ] ||
        fail "Docker Engine ${found% *} speaks API $version, and 1.44 is needed: older engines drop security settings silently" \
            "$(docker_own); packages of the other kind have to go first"
    already "Docker Engine ${found% *}, API $version"
    case $(docker info -f '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}') in
        'active true') already 'a manager of a Swarm' ;;
        'inactive false')
            step='2 Swarm'
            [ -n "$address" ] || address=$(ip -o route get 192.0.2.1 2>/dev/null | sed -n 's/.* src \([^ ]*\).*/\1/p')
            mend="name this node's address with --advertise-addr, or another pool with --swarm-pool"
            record swarm this-node
            run "begin a Swarm (pool $pool, address ${address:-found by itself})" \
                docker swarm init --default-addr-pool "$pool" ${address:+--advertise-addr "$address"}
            ;;
        *) fail "the engine is in a Swarm, and no manager that works" "docker info; docker node promote, or docker swarm unlock" ;;
    esac
    mend=''
}

# What decides the program: the locked packages, and our own files.
fingerprint() {
    (cd "$source" && {
        python3 --version
        find controller reconcilers specs migrations hatch_build.py pyproject.toml requirements.lock README.md LICENSE \
            -type f ! -name '*.pyc' ! -path '*/helper/env-*' -print0 | sort -z | xargs -0 sha256sum
    }) | sha256sum | cut -c1-12
}

program_version() { $venv/bin/skypanel --version 2>/dev/null | head -n 1 || true; }

install_program() {
    step='1 Program'
    local wanted='' before='' stamp=$venv/.deployed
    if ! has_package python3-venv; then packages python3-venv; else already 'packages python3-venv'; fi
    if [ -n "$dry" ] && ! command -v python3 >/dev/null; then
        say "would install the program into $venv"
        say "would link $link"
        return
    fi
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "$(python3 --version) is too old" 'Python 3.11 or newer'
    wanted=$(fingerprint)
    [ ! -e $venv/.installed ] || fail "$venv is the one of \`make setup\`, for development" "remove it, or keep that checkout elsewhere"
    if [ "$(cat $stamp 2>/dev/null || true)" = "$wanted" ]; then
        already "the program of this checkout ($wanted), $(program_version)"
    else
        [ ! -x $venv/bin/skypanel ] || before=$(program_version)
        if [ -n "$dry" ]; then
            say "would install the program of this checkout ($wanted)${before:+ in place of $before ($(cat $stamp 2>/dev/null))}"
        else
            [ -e $venv ] || record folder $venv
            mkdir -p $prefix
            rm -f $stamp
            mend='see the message of pip above; an index or a proxy is set by pip config'
            if ! { [ -x $venv/bin/pip ] && $venv/bin/python -c '' 2>/dev/null; }; then
                run "make $venv" python3 -m venv --clear $venv
            fi
            run 'install the locked packages' $venv/bin/pip install -q --disable-pip-version-check --require-hashes -r "$source/requirements.lock"
            run "install the program${before:+ in place of $before}" \
                env PYTHONDONTWRITEBYTECODE=1 $venv/bin/pip install -q --disable-pip-version-check --no-deps --no-build-isolation \
                --force-reinstall "$source"
            mend=''
            printf '%s\n' "$wanted" | write $stamp 0644
            say "$(program_version) ($wanted)"
            restart=1
        fi
    fi
    if [ "$(readlink $link 2>/dev/null || true)" = $venv/bin/skypanel ]; then
        already "$link"
    elif [ -e $link ] || [ -L $link ]; then
        fail "$link is something else" "look who made it, and move it away"
    else
        record link $link
        run "link $link" ln -s $venv/bin/skypanel $link
    fi
}

# What setup says that it would make is recorded before it makes it.
record_database() {
    local line name
    while read -r line; do
        case $line in
            'would have made role '*) record role "${line##* }" ;;
            'would have made database '*) record database "${line##* }" ;;
            'would have written '*) [ -e "${line##* }" ] || record file "${line##* }" ;;
            'would have applied the migrations, made the logins'*) # there is no database yet
                for name in "${database}_controller_login" "${database}_panel_login" "${database}_api_login"; do record role "$name"; done
                for name in $settings $folder/panel.env $folder/api.env; do [ -e "$name" ] || record file "$name"; done
                ;;
        esac
    done <"$output"
}

prepare_database() {
    step='7 Database'
    if [ -z "${SKYPANEL_ADMIN_URL:-}" ] && recorded database-elsewhere "$database"; then
        mend='set SKYPANEL_ADMIN_URL, as for the installation'
        run 'ask whether the schema is current' $venv/bin/skypanel migrate --check
        mend=''
        return
    fi
    if [ -z "${SKYPANEL_ADMIN_URL:-}" ]; then
        packages postgresql
        mend='journalctl -u postgresql; pg_lsclusters'
        [ -n "$dry" ] || systemctl is-active -q postgresql || run 'start PostgreSQL' systemctl enable --now postgresql
    fi
    if [ -n "$dry" ] && [ ! -x $venv/bin/skypanel ]; then
        say "would make roles, database $database, its schema, $settings, $folder/panel.env and $folder/api.env"
        return
    fi
    mend='the message above says what; skypanel setup --help'
    local said
    output=${output:-$(mktemp /run/skypanel-install.XXXXXX)}
    if ! $venv/bin/skypanel setup --database "$database" --folder $folder --dry-run </dev/null >"$output" 2>&1; then
        tail -n 5 "$output" | sed 's/^/    | /' >&2
        fail 'skypanel setup'
    fi
    sed -i 's/^ *//' "$output"
    if grep -qx 'everything is there' "$output"; then
        already "database $database, its schema, $settings, $folder/panel.env, $folder/api.env"
    elif [ -n "$dry" ]; then
        while read -r said; do say "$said"; done <"$output"
    else
        [ -z "${SKYPANEL_ADMIN_URL:-}" ] || record database-elsewhere "$database"
        record_database
        run "make what is missing of roles, database $database, schema and files" \
            $venv/bin/skypanel setup --database "$database" --folder $folder
        sed 's/^ */               | /' "$output"
        ! grep -q 'applied' "$output" || restart=1
    fi
    mend=''
}

# The password of the edge's API: what stands in the settings, else a new one.
edge_users() {
    local url password
    url=$(setting SKYPANEL_EDGE_API_URL)
    if [ -z "$url" ] && [ -z "$dry" ]; then
        password=$(openssl rand -hex 24)
        url=http://skypanel:$password@127.0.0.1:8079
        set_to SKYPANEL_EDGE_API_URL "$url"
    fi
    password=${url#*://*:}
    EDGE_API_USERS="skypanel:{SHA}$(printf %s "${password%@*}" | openssl dgst -sha1 -binary | base64)"
    # A config cannot be changed: another content has another name.
    HAPROXY_VERSION=$(sha256sum "$source/deploy/traefik/haproxy.cfg" | cut -c1-12)
    PAGE_VERSION=$(sha256sum "$source/deploy/traefik/page.cfg" | cut -c1-12)
    export EDGE_API_USERS HAPROXY_VERSION PAGE_VERSION
}

deploy_edge() {
    step='4 Edge'
    local node name port
    if ! command -v docker >/dev/null || [ "$(docker info -f '{{.Swarm.ControlAvailable}}' 2>/dev/null)" != true ]; then
        say "would label this node io.skypanel.edge=true, and deploy the stack $stack (dry run)"
        return
    fi
    name=$(docker service ls --format '{{.Name}}' --filter label=io.skypanel.edge=true | head -n 1)
    if [ -n "$name" ] && ! recorded stack $stack; then
        already "an edge, the service $name, that this script did not make"
        return
    fi
    node=$(docker info -f '{{.Swarm.NodeID}}')
    if [ "$(docker node inspect -f '{{index .Spec.Labels "io.skypanel.edge"}}' "$node")" = true ]; then
        already 'the label of this node'
    else
        record label "$node"
        run 'label this node io.skypanel.edge=true' docker node update --label-add io.skypanel.edge=true "$node"
    fi
    if [ -z "$name" ]; then
        for port in 80 443 8079; do
            ! ss -Hltn "sport = :$port" | grep -q . || fail "port $port is in use: $(ss -Hltnp "sport = :$port" | sed -n 's/.*users:(("\([^"]*\)".*/\1/p' | head -n 1)" "stop what listens there"
        done
    fi
    edge_users
    ACME_EMAIL=$email
    export ACME_EMAIL
    [ -n "$tls" ] || { ACME_EMAIL=none EDGE_REDIRECTION=--ping=true; export EDGE_REDIRECTION; }
    record stack $stack
    mend="docker service ps --no-trunc ${stack}_edge says why; can this node pull its images?"
    run "deploy the stack $stack${email:+ (certificates: $email)}" docker stack deploy -c "$source/deploy/swarm/edge.yml" $stack
    [ -n "$dry" ] || run 'wait until the edge runs' edge_runs
    mend=''
}

edge_runs() {
    for _ in $(seq 120); do
        [ "$(docker service ls --format '{{.Replicas}}' --filter "label=io.skypanel.edge=true" | head -n 1)" != 1/1 ] || return 0
        sleep 1
    done
    docker service ps --no-trunc --format '{{.Name}} {{.CurrentState}} {{.Error}}' "${stack}_edge" "${stack}_door" | sort -u
    return 1
}

close_hosts() {
    step='3 Hosts'
    local changed='' file
    if [ -z "$firewall" ]; then
        say 'left out (--no-firewall): tenants reach the hosts'
        return
    fi
    packages nftables
    ! place "$source/deploy/firewall/skypanel-firewall" /usr/local/sbin/skypanel-firewall 0755 || changed=1
    for file in skypanel-firewall.service skypanel-firewall-again.service skypanel-firewall.timer; do
        ! place "$source/deploy/firewall/$file" /etc/systemd/system/$file 0644 || changed=1
    done
    mend='journalctl -u skypanel-firewall -n 20'
    if [ -n "$changed" ]; then
        run 'let systemd know' systemctl daemon-reload
        [ -n "$dry" ] || { systemctl is-enabled -q skypanel-firewall.service 2>/dev/null || record unit skypanel-firewall; }
        run 'put the firewall in place' systemctl enable --now skypanel-firewall.service skypanel-firewall.timer
        run 'load its rules' systemctl reload-or-restart skypanel-firewall.service
    elif systemctl is-active -q skypanel-firewall.service && systemctl is-active -q skypanel-firewall.timer; then
        already 'the firewall is in place'
    else
        run 'put the firewall in place' systemctl enable --now skypanel-firewall.service skypanel-firewall.timer
    fi
    mend=''
}

start_controller() {
    step='7 Controller'
    if [ -n "$tls" ]; then
        set_to SKYPANEL_EDGE_ENTRYPOINTS websecure
        set_to SKYPANEL_EDGE_CERT_RESOLVER letsencrypt
    else
        set_to SKYPANEL_EDGE_ENTRYPOINTS web
        set_to SKYPANEL_EDGE_CERT_RESOLVER ''
    fi
    if place "$source/deploy/systemd/skypanel.service" $unit 0644; then
        run 'let systemd know' systemctl daemon-reload
        restart=1
    fi
    mend='journalctl -u skypanel -n 50'
    if [ -n "$dry" ] || ! systemctl is-active -q skypanel; then
        record unit skypanel
        run 'start the controller' systemctl enable --now skypanel
    elif [ -n "$restart" ]; then
        run 'restart the controller: what runs is not touched' systemctl restart skypanel
    else
        already 'the controller runs'
        return
    fi
    [ -n "$dry" ] || run 'wait until it leads' leads
    mend=''
}

leads() {
    local found
    for _ in $(seq 60); do
        found=$($venv/bin/skypanel doctor 2>/dev/null || true)
        ! grep -qE '^ok +leader ' <<<"$found" || return 0
        systemctl is-active -q skypanel || break
        sleep 1
    done
    journalctl -u skypanel -n 15 --no-pager -o cat
    return 1
}

install_all() {
    start
    [ -n "$database" ] || database=$(all_recorded chosen-database | tail -n 1)
    database=${database:-skypanel}
    [ -n "$email$tls" ] || { email=$(all_recorded acme-email | tail -n 1); [ -z "$email" ] || tls=1; }
    [ -n "$email" ] || recorded tls none || [ "$tls" = no ] ||
        fail "for certificates an e-mail address is needed" "--acme-email ADDRESS, or --no-tls for plain HTTP"
    [ "$tls" != no ] && [ -n "$email" ] && tls=1 || tls=''
    check_machine
    remember_choices
    check_engine
    install_program
    doctor
    close_hosts
    doctor
    deploy_edge
    doctor
    prepare_database
    doctor
    start_controller
    doctor
    step='Done'
    if [ -n "$dry" ]; then
        say 'nothing was done (--dry-run)'
    else
        say 'skypanel doctor shows all of it; the first app: docs/paas-caas-setup.md, step 8'
    fi
}

remember_choices() {
    [ -z "$dry" ] || return 0
    local old
    for old in $(all_recorded acme-email); do [ "$old" = "$email" ] || forget acme-email "$old"; done
    if [ -n "$tls" ]; then forget tls none; record acme-email "$email"; else record tls none; fi
    record chosen-database "$database"
}

# -- Taking it back ---------------------------------------------------------------------------------------------------------

in_swarm() { command -v docker >/dev/null && [ "$(docker info -f '{{.Swarm.ControlAvailable}}' 2>/dev/null)" = true ]; }
ours() { docker "$1" ls -q --filter "label=io.skypanel.installation=$installation"; }
as_postgres() { (cd / && runuser -u postgres -- "$@"); }

take_back() {
    start
    step='Uninstall'
    [ -f $state ] || fail "there is no $state: nothing of this script's is here" 'what was installed by hand goes by hand: docs/operations.md, Stop and remove'
    database=$(all_recorded chosen-database | tail -n 1)
    installation=$(setting SKYPANEL_INSTALLATION)
    installation=${installation:-skypanel}
    local count=0
    ! in_swarm || count=$(ours service | wc -l)
    if [ "$count" -gt 0 ] && [ -z "$yes" ]; then
        fail "$count services of organizations run" "remove them first (skypanel delete organization NAME --wait), or --yes: $(
            [ -n "$purge" ] && printf 'they go too' || printf 'they run on, and nobody looks after them')"
    fi
    stop_controller
    [ -z "$purge" ] || [ "$count" = 0 ] || remove_tenants
    remove_edge
    if [ "$count" -gt 0 ] && [ -z "$purge" ]; then
        say 'the firewall stays, as containers of tenants run on'
    else
        remove_firewall
    fi
    remove_program
    if [ -n "$purge" ]; then
        remove_swarm
        remove_database
        remove_files
        remove_packages
    fi
    step='Done'
    if [ -n "$dry" ]; then
        say 'nothing was done (--dry-run)'
    elif [ -z "$purge" ]; then
        say "what stays: $(keeps)"
    else
        rm -f $state
        rmdir $folder 2>/dev/null || true
        say "nothing of it is left${left:+, but for:$left}"
    fi
}

left=''
keep() {
    say "stays: $1"
    left="$left $1;"
}

keeps() {
    local found="$settings, $folder/panel.env, $folder/api.env, database $database"
    [ -z "$(all_recorded stack-data)" ] || found="$found, the volume of certificates"
    [ -z "$(all_recorded swarm)" ] || found="$found, the Swarm"
    [ -z "$(all_recorded package)" ] || found="$found, $(all_recorded package | wc -l) packages"
    printf '%s; uninstall --purge takes these too' "$found"
}

stop_controller() {
    recorded unit skypanel || return 0
    [ ! -e $unit ] || run 'stop the controller' systemctl disable --now skypanel
    if recorded file $unit; then
        run "remove $unit" rm -f $unit
        run 'let systemd know' systemctl daemon-reload
        forget file $unit
    fi
    forget unit skypanel
}

remove_tenants() {
    local kind ids
    for kind in service network config secret; do
        ids=$(ours $kind)
        # shellcheck disable=SC2086 # one word each
        [ -z "$ids" ] || run "remove $(wc -w <<<"$ids") x $kind of organizations" again docker $kind rm $ids
    done
}

# again COMMAND...: a network is in use until the last task has gone
again() {
    for _ in $(seq 60); do
        ! "$@" || return 0
        sleep 1
    done
    return 1
}

remove_edge() {
    local node
    if recorded stack $stack && in_swarm && [ -n "$(docker stack services -q $stack-api 2>/dev/null)" ]; then
        run "remove the stack $stack-api, which stands before the API" docker stack rm $stack-api
    fi
    if recorded stack $stack && in_swarm; then
        [ -z "$(docker stack services -q $stack 2>/dev/null)" ] || run "remove the stack $stack" docker stack rm $stack
        [ -n "$dry" ] || run 'wait until its containers are gone' gone "label=com.docker.stack.namespace=$stack"
        record stack-data ${stack}_certificates
    fi
    forget stack $stack
    if [ -n "$purge" ] && recorded stack-data ${stack}_certificates && command -v docker >/dev/null; then
        ! docker volume inspect ${stack}_certificates >/dev/null 2>&1 || run 'remove the certificates' again docker volume rm ${stack}_certificates
        forget stack-data ${stack}_certificates
    fi
    for node in $(all_recorded label); do
        ! in_swarm || run 'take the label off this node' docker node update --label-rm io.skypanel.edge "$node"
        forget label "$node"
    done
}

gone() {
    for _ in $(seq 60); do
        [ -n "$(docker ps -q --filter "$1")$(docker network ls -q --filter "$1")" ] || return 0
        sleep 1
    done
    return 1
}

remove_firewall() {
    local file
    if recorded unit skypanel-firewall; then
        [ ! -e /etc/systemd/system/skypanel-firewall.service ] ||
            run 'take the firewall away' systemctl disable --now skypanel-firewall.timer skypanel-firewall.service
        forget unit skypanel-firewall
    fi
    for file in /usr/local/sbin/skypanel-firewall /etc/systemd/system/skypanel-firewall{.service,-again.service,.timer}; do
        recorded file "$file" || continue
        run "remove $file" rm -f "$file"
        forget file "$file"
    done
    run 'let systemd know' systemctl daemon-reload
}

remove_program() {
    if recorded link $link && [ "$(readlink $link 2>/dev/null || true)" = $venv/bin/skypanel ]; then
        run "remove $link" rm -f $link
    fi
    forget link $link
    if recorded folder $venv; then
        run "remove $venv" rm -rf $venv
        forget folder $venv
    fi
}

remove_swarm() {
    in_swarm || return 0
    local configs
    configs=$(ours config)
    # shellcheck disable=SC2086 # one word each
    [ -z "$configs" ] || run "remove the Swarm's mark, and what is shared by its tasks" docker config rm $configs
    recorded swarm this-node || return 0
    if [ -n "$(docker service ls -q)" ] || [ "$(docker node ls -q | wc -l)" != 1 ]; then
        keep 'the Swarm, as it has other services or nodes'
    else
        run 'leave the Swarm' docker swarm leave --force
    fi
    forget swarm this-node
}

remove_database() {
    local name
    if recorded database-elsewhere "$database"; then
        keep "database $database and its roles on its server ($(all_recorded role | tr '\n' ' '))"
        return
    fi
    command -v psql >/dev/null || return 0
    systemctl is-active -q postgresql || run 'start PostgreSQL' systemctl start postgresql
    for name in $(all_recorded database); do
        run "drop database $name" as_postgres dropdb --if-exists --force "$name"
        forget database "$name"
    done
    for name in $(all_recorded role | tac); do
        if [ -n "$dry" ]; then
            say "would drop role $name"
        elif as_postgres dropuser --if-exists "$name" >"$output" 2>&1; then
            say "drop role $name"
        else
            keep "role $name, which other databases use"
        fi
        forget role "$name"
    done
}

remove_files() {
    local file
    for file in $(all_recorded file); do
        run "remove $file" rm -f "$file"
        forget file "$file"
    done
}

# Packages go when nothing else needs them: no other package, no other database, no other container.
remove_packages() {
    local installed basic removed databases=''
    mapfile -t installed < <(all_recorded package | while read -r name; do ! has_package "$name" || printf '%s\n' "$name"; done)
    [ ${#installed[@]} -gt 0 ] || return 0
    # what belongs to every Debian stays, with what it needs
    mapfile -t basic < <(dpkg-query -W -f '${Package} ${Priority}\n' "${installed[@]}" | sed -n 's/ \(required\|important\)$//p')
    if [ ${#basic[@]} -gt 0 ]; then
        mapfile -t installed < <(comm -23 <(printf '%s\n' "${installed[@]}" | sort -u) <(apt-cache depends --recurse --installed \
            --important --no-conflicts --no-breaks --no-replaces "${basic[@]}" | sed -n 's/^\([a-z0-9][^ ]*\)$/\1/p' | sort -u))
    fi
    [ ${#installed[@]} -gt 0 ] || return 0
    if command -v psql >/dev/null && printf '%s\n' "${installed[@]}" | grep -q '^postgresql'; then
        databases=$(as_postgres psql -Atc "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'" 2>/dev/null || echo unknown)
    fi
    removed=$(apt-get purge -s -y "${installed[@]}" 2>/dev/null | sed -n 's/^\(Remv\|Purg\) \([^ ]*\).*/\2/p' | sort -u || true)
    if [ -n "$databases" ]; then
        keep "packages: PostgreSQL has other databases"
    elif command -v docker >/dev/null && printf '%s\n' "${installed[@]}" | grep -qE '^docker' && [ -n "$(docker ps -aq 2>/dev/null)" ]; then
        keep "packages: the engine has other containers"
    elif [ -z "$removed" ]; then
        keep "packages: apt-get would not remove them"
    elif [ -n "$(comm -23 <(printf '%s\n' "$removed") <(printf '%s\n' "${installed[@]}" | sort -u))" ]; then
        keep "packages: others need some of them"
    else
        mend='see the message of apt-get above'
        run "purge ${#installed[@]} packages that were installed for it" apt-get purge -y -qq "${installed[@]}"
        mend=''
    fi
}

# -- Options ------------------------------------------------------------------------------------------------------------------

usage() { sed -n '2,/^set -euo/{/^set -euo/d; s/^# \{0,1\}//; p}' "${BASH_SOURCE[0]}"; }

while [ $# -gt 0 ]; do
    case $1 in
        uninstall) mode=uninstall ;;
        --dry-run) dry=1 ;;
        --purge) purge=1 ;;
        --yes) yes=1 ;;
        --no-tls) tls=no ;;
        --no-firewall) firewall='' ;;
        --acme-email | --database | --swarm-pool | --advertise-addr)
            [ -n "${2:-}" ] || fail "$1 needs a value" "$0 --help"
            case $1 in
                --acme-email) email=$2 ;;
                --database) database=$2 ;;
                --swarm-pool) pool=$2 ;;
                --advertise-addr) address=$2 ;;
            esac
            shift
            ;;
        -h | --help) usage; exit 0 ;;
        *) fail "there is no option $1" "$0 --help" ;;
    esac
    shift
done
[ "$mode" = uninstall ] || [ -z "$purge$yes" ] || fail '--purge and --yes belong to uninstall' "$0 --help"
[ -z "$email" ] || [[ $email =~ ^[^[:space:]@]+@[^[:space:]@]+$ ]] || fail "$email is no e-mail address" '--acme-email ops@example.com'
[ -z "$database" ] || [[ $database =~ ^[a-z_][a-z0-9_]{0,39}$ ]] || fail "$database cannot name a database" 'letters, digits, _'
[ -z "$email" ] || [ "$tls" != no ] || fail '--acme-email and --no-tls exclude each other' "$0 --help"

if [ "$mode" = install ]; then install_all; else take_back; fi
