#!/usr/bin/env bash
# The small demos print what they promise: programs.sh [BUILD_FOLDER]. What depends on the time is checked for its shape.
here=$(dirname "$0")
SOURCE=${SOURCE:-$here/../..} BUILD=${1:-${BUILD:?say the build folder}}
. "$here/../harness/checks.sh"
demos=$(realpath "$BUILD/demos") expected=$here

# prints NAME OPTION...: the program succeeds, says nothing on stderr, and prints NAME.expected after `plain`.
prints() {
    "$demos/$@" >"$scratch/$1.out" 2>"$scratch/errors" || { echo "exit status $?"; return 1; }
    nothing cat "$scratch/errors" && plain "$1" <"$scratch/$1.out" | diff "$expected/$1.expected" -
}

# What is the same in every run.
plain() {
    case $1 in
        pi) sed -E 's/[0-9]+\.[0-9]{3} s$/T s/' ;;
        poll_progress) grep -v '^add: ' ;;
        crash) sed -E 's/^( *[0-9]+) +[0-9]+ /\1  PID /; s/worker [0-9]+/worker PID/' ;;
        shared_counter) sed -E 's/worker [0-9]+/worker PID/' ;;
        *) cat ;;
    esac
}

# The output that the comment on top of the program shows.
on_top() {
    sed -nE '/^ \*     \$ /,/^ \*\//s/^ \*     ([^$])/\1/p' "$SOURCE/demos/$1".c*
}

# With "..." in it, lines may be left out.
says_so_on_top() {
    local surplus='^[<>]'
    on_top "$1" | grep -qFx ... && surplus='^>'
    nothing grep "$surplus" <(on_top "$1" | plain "$1" | grep -vFx ... | diff "$expected/$1.expected" -)
}

# Reads what poll_progress printed: the whole and each of the tasks get further and further, and in the end all are done.
progress_only_grows() {
    awk '
    / = |Error/ { exit }
    {
        if ($0 !~ /^add: +[0-9]+% [0-4]\/4 \[[0-9:]+/) bad("what is this?")
        grows("add", $2)
        last = $0
        sub(/^.*\] */, "")
        count = split($0, tasks, ", ")
        for (i = 1; i <= count; i++)
            if (tasks[i] ~ /^[0-9]+ \+ -?[0-9]+: [0-9]+%$/) {
                split(tasks[i], parts, ": ")
                grows(parts[1], parts[2])
            } else if (tasks[i] !~ /^[0-9]+ \+ -?[0-9]+$/) {
                bad("what is " tasks[i] "?")
            }
    }
    function grows(name, at) {
        if (at + 0 < before[name] || at + 0 > 100) bad(name ": " at " after " before[name])
        before[name] = at + 0
    }
    function bad(why) { print NR ": " why ": " $0; exit 1 }
    END { if (last !~ /100% 4\/4 .*1 failed\]$/) { print "they are not all done: " last; exit 1 } }
    ' "$scratch/poll_progress.out"
}

refuses() {
    "$demos/$@" >"$scratch/output2" 2>&1
    [ $? -eq 2 ] && grep -q '^usage: ' "$scratch/output2"
}

for executor in --threads --processes; do
    for workers in 1 2 5; do
        on="$executor, $workers workers"
        check "apply_async, $on" prints apply_async "$executor" -j "$workers" --pause-ms 2
        check "map_async, $on" prints map_async "$executor" -j "$workers" --pause-ms 2
        check "poll_progress, $on" prints poll_progress "$executor" -j "$workers" --pause-ms 5 --poll-ms 7
        check "poll_progress, $on: it only gets further" progress_only_grows
    done
    check "pi, $executor" prints pi "$executor" -j 2 -n 10000000
    check "merge_sort, $executor" prints merge_sort "$executor" -j 2 -n 1000000
done
check 'processes are what they run on' prints map_async --pause-ms 2

if [ -e "$demos/rays" ]; then
    check 'rays' prints rays
    check 'rays says on top what it prints' says_so_on_top rays
else
    skip 'rays: there is no C++ compiler'
fi

# The sanitizers would take the crash for one of their own.
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:handle_segv=0 TSAN_OPTIONS=${TSAN_OPTIONS:-}:handle_segv=0:atexit_sleep_ms=0
for workers in 1 2 5; do
    check "crash, $workers workers" prints crash -j "$workers" --limit-ms 2000
    check "shared_counter, $workers workers" prints shared_counter -j "$workers"
done
no_core_files() {
    mkdir "$scratch/here" && (cd "$scratch/here" && "$demos/crash" >/dev/null) && nothing ls "$scratch/here"
}
check 'crash leaves no core file' no_core_files
is_for_processes() {
    "$demos/$1" --threads
    [ $? -eq 2 ]
}
for program in crash shared_counter; do
    check "$program is for processes" is_for_processes "$program"
done

for program in apply_async map_async merge_sort pi poll_progress crash shared_counter; do
    check "$program says on top what it prints" says_so_on_top "$program"
    check "$program --help" "$demos/$program" --help
    check "$program refuses what it does not know" refuses "$program" --no-such-option
    check "$program names it" grep -q -e "$program: .*'--no-such-option'" "$scratch/output2"
    check "$program refuses what is no number" refuses "$program" -j two
done
finish
