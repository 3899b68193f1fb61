#!/usr/bin/env bash
# Traces of a program (trace/host.c), held against what it has logged (trace/check.py), and what becomes of the file when
# the program ends in other ways.
. "$(dirname "$0")/harness/checks.sh"
host=$BUILD/tests/trace_host
trace=$scratch/trace.json

looks_as() {
    python3 "$SOURCE/tests/trace/check.py" "$@" 2>&1
}

storm_is_as_logged() {
    rm -f "$trace" "$scratch/log"
    SOON_TRACE=$trace TRACE_LOG=$scratch/log "$host" storm || echo "the program has failed: $?"
    looks_as "$trace" "$scratch/log"
}

# Until the file has grown. Its writer adds to it ten times a second.
wait_for_growth() {
    local before
    until [ -s "$1" ]; do sleep 0.01; done
    before=$(stat -c %s "$1")
    until [ "$(stat -c %s "$1")" -gt "$before" ]; do sleep 0.01; done
}

is_there_after_a_kill() {
    rm -f "$trace"
    SOON_TRACE=$trace "$host" go_on &
    wait_for_growth "$trace"
    kill -KILL $!
    wait $! 2>/dev/null
    looks_as --cut "$trace"
}

is_written_by_exit() {
    rm -f "$trace"
    SOON_TRACE=$trace "$host" leave || echo "the program has failed: $?"
    looks_as --ran "$trace" 100
}

is_left_alone_by_another_program() {
    rm -f "$trace"
    SOON_TRACE=$trace "$host" run_another || echo "the program has failed: $?"
    looks_as --ran "$trace" 1
}

# A disk for 20,000 bytes.
is_whole_on_a_full_disk() {
    rm -f "$trace"
    (ulimit -f 20; SOON_TRACE=$trace "$host" leave) || echo "the program has failed: $?"
    looks_as --missing "$trace" 100
}

goes_on_without_a_file() {
    SOON_TRACE=$scratch/nowhere/trace.json "$host" leave || echo "the program has failed: $?"
    SOON_TRACE=/dev/full "$host" leave || echo "the program has failed: $?"
}

# Of another user than the one who starts it.
is_not_written_for_a_privileged_program() {
    rm -f "$trace"
    cp "$host" "$scratch/privileged"
    chown nobody "$scratch/privileged" && chmod u+s "$scratch/privileged" && chmod 777 "$scratch"
    SOON_TRACE=$trace "$scratch/privileged" leave || echo "the program has failed: $?"
    [ ! -e "$trace" ] || echo "there is a trace"
}

# Do file systems here mean it?
can_be_privileged() {
    [ "$(id -u)" -eq 0 ] && ! findmnt -no OPTIONS -T "$scratch" 2>/dev/null | grep -q nosuid
}

check 'a storm is in its trace as in its own log' nothing storm_is_as_logged
check 'what was written is there when the program is killed' nothing is_there_after_a_kill
check 'all is written when the program exits while a task runs' nothing is_written_by_exit
check 'a program that is told to write to the same file leaves it alone' nothing is_left_alone_by_another_program
check 'the file is whole on a full disk, and says how many events are missing' nothing is_whole_on_a_full_disk
check 'the program goes on where the file cannot be written' nothing goes_on_without_a_file
if can_be_privileged; then
    check 'a privileged program writes none' nothing is_not_written_for_a_privileged_program
else
    skip 'a privileged program writes none: only root can make one, where file systems allow it'
fi
finish
