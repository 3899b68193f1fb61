#!/usr/bin/env bash
# The demos on a cluster of this machine: a Gearman server and two daemons, one of which is killed: cluster.sh [BUILD_FOLDER].
here=$(dirname "$0")
SOURCE=${SOURCE:-$here/../..} BUILD=${1:-${BUILD:?say the build folder}}
. "$here/../harness/checks.sh"
export LC_ALL=C.UTF-8
build=$(realpath "$BUILD") temporary=$scratch
demos=$build/demos
. "$SOURCE/demos/cluster/servers.sh"

if ! command -v gearmand >/dev/null; then
    skip "the demos on a cluster: there is no gearmand here (Debian's gearman-job-server)"
    finish
    exit
fi

start() {
    free_port port && start_server "$port" || return
    cluster=127.0.0.1:$port
    local name
    for name in one two; do
        start_daemon "$name" --servers "$cluster" --initializer make_hasher --slots 2 --load "$demos/cluster/digest.so" \
            --load "$demos/cluster/pi.so" --load "$demos/cluster/poll_progress.so" || return
    done
}

polls() {
    "$demos/poll_progress" --cluster "$cluster" --pause-ms 10 --poll-ms 1000 | grep -v '^add:' |
        diff - <(printf '%s\n' '1 + 2 = 3' '3 + 4 = 7' '5 + -6: Error = y must not be negative, it is -6' '7 + 8 = 15')
}

sums() {
    "$demos/pi" --cluster "$cluster" -n 1000000 -j 5 | sed 's/[0-9.]* s$/T s/' | diff - <(echo '5 slots: pi = 3.141592653590, T s')
}

says_who_does_not_answer() {
    ! "$demos/pi" --cluster 127.0.0.1:1 >"$scratch/out" 2>&1 && grep -q '127.0.0.1:1' "$scratch/out" || { cat "$scratch/out"; return 1; }
}

refuses_a_path_that_others_do_not_know() {
    ! "$demos/digest" --cluster "$cluster" here 2>"$scratch/out" && grep -q 'begins at the root' "$scratch/out"
}

# From the first line that is printed on there is one daemon.
digests_while_a_daemon_is_killed() {
    local i
    mkdir "$scratch/tree"
    for i in $(seq 2000); do
        head -c $((i * 50)) /dev/zero >"$scratch/tree/$i"
    done
    find "$scratch/tree" -type f -print0 | sort -z | xargs -0 sha256sum >"$scratch/theirs"
    "$demos/digest" --cluster "$cluster" "$scratch/tree" >"$scratch/ours" &
    local digest=$!
    until [ -s "$scratch/ours" ] || ! kill -0 "$digest" 2>/dev/null; do sleep 0.001; done
    kill_daemon one
    wait "$digest" && cmp "$scratch/theirs" "$scratch/ours"
}

check "a server and two daemons start" start
check "poll_progress has its results, and its error" polls
check "pi is what it is" sums
check "digest prints what sha256sum prints, though a daemon is killed meanwhile" digests_while_a_daemon_is_killed
check "digest wants paths from the root" refuses_a_path_that_others_do_not_know
check "pi says which server does not answer" says_who_does_not_answer
finish
