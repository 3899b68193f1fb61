# A Gearman server and daemons for a script, on 127.0.0.1. All of them end with the script, and $temporary goes then. They are from
# the build folder $build.
: "${temporary:?a folder}" "${build:?a folder}"
export SOON_WORKER=$build/soon-worker # what is installed beside the library, else

declare -A daemons=()
servers=()
PATH=$PATH:/usr/sbin

end_servers() {
    [ ${#daemons[@]} = 0 ] || kill -KILL "${daemons[@]}" 2>/dev/null || true
    [ ${#servers[@]} = 0 ] || kill -KILL "${servers[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$temporary"
}
trap end_servers EXIT

# free_port NAME: sets the variable to a port that nobody listens on.
free_port() {
    local candidate
    for candidate in $(shuf -i 20000-32000 -n 100); do
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$candidate") 2>/dev/null; then
            printf -v "$1" %s "$candidate"
            return
        fi
    done
    echo "$0: no free port between 20000 and 32000 was found" >&2
    return 1
}

# start_server PORT: returns when it answers.
start_server() {
    gearmand -L 127.0.0.1 -p "$1" -t 1 --round-robin --job-retries=3 --keepalive --keepalive-idle=10 --keepalive-interval=3 \
        --keepalive-count=3 -l "$temporary/gearmand-$1.log" </dev/null &
    servers+=($!)
    until (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do
        kill -0 $! 2>/dev/null || { echo "$0: gearmand has ended: $(tail -n 1 "$temporary/gearmand-$1.log")" >&2; return 1; }
        sleep 0.02
    done
}

# start_daemon NAME OPTION...: returns when it works for a server.
start_daemon() {
    local name=$1
    shift
    "$build/soon-workerd" --name "$name" "$@" </dev/null 2>"$temporary/$name.log" &
    daemons[$name]=$!
    until grep -q ': connected$' "$temporary/$name.log"; do
        kill -0 $! 2>/dev/null || { echo "$0: soon-workerd has ended: $(tail -n 1 "$temporary/$name.log")" >&2; return 1; }
        sleep 0.02
    done
}

# kill_daemon NAME
kill_daemon() {
    kill -KILL "${daemons[$1]}"
    wait "${daemons[$1]}" 2>/dev/null || true
    unset "daemons[$1]"
}
