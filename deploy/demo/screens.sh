#!/bin/bash
# screens.sh NAME WIDTH COMMAND...: what a command shows on a real terminal (tmux) of that width, beside the demo NAME.
# COLOURS=1 keeps the escape sequences. Commands are one word each, as a shell takes them: 'skypanel get env'.
set -euo pipefail
name=$1 width=$2
shift 2
cd "$(dirname "$0")/../.."
socket=screens-$$
trap 'tmux -L $socket kill-server 2>/dev/null || true' EXIT
for command in "$@"; do
    script="set -a; . .run/$name.env; set +a; $command; echo \"[exit code \$?]\"; tmux -L $socket wait-for -S done; sleep 60"
    tmux -L "$socket" new-session -d -s screen -x "$width" -y 300 bash -c "$script"
    timeout 120 tmux -L "$socket" wait-for done
    echo "== $width columns: $command"
    tmux -L "$socket" capture-pane -p ${COLOURS:+-e} -t screen | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'
    tmux -L "$socket" kill-session -t screen
done
