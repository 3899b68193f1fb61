#!/usr/bin/env bash
# The programs of demos/loops/ print what they say on top, with the real libraries: loops.sh [BUILD_FOLDER].
here=$(dirname "$0")
SOURCE=${SOURCE:-$here/../..} BUILD=${1:-${BUILD:?say the build folder}}
. "$here/../harness/checks.sh"
demos=$(realpath "$BUILD/demos/loops")

# The output that the comment on top of the program shows.
on_top() {
    sed -nE 's/^ \*     ([^$])/\1/p' "$SOURCE/demos/loops/$1.c"
}

# prints NAME [COMMAND...]: it succeeds, says nothing on stderr, and prints that; the counts come in any order.
prints() {
    local name=$1
    shift
    "$@" "$demos/$name" >"$scratch/$name.out" 2>"$scratch/errors" || { echo "exit status $?"; cat "$scratch/errors"; return 1; }
    nothing cat "$scratch/errors" && diff <(on_top "$name" | sort -n) <(sort -n "$scratch/$name.out")
}

for name in epoll glib libevent; do
    if [ ! -x "$demos/$name" ]; then
        skip "$name: its library is missing"
        continue
    fi
    check "$name" prints "$name"
    check "$name says on top what it prints" test -n "$(on_top "$name")"
    check "$name: the pool's end comes last" test "$(tail -n 1 "$scratch/$name.out")" = 'the pool is gone'
    if command -v valgrind >/dev/null && ! nm "$demos/$name" | grep -qE '__(asan|tsan)_init'; then
        check "$name under valgrind" prints "$name" valgrind -q --error-exitcode=77 --leak-check=full \
            --errors-for-leak-kinds=definite --show-leak-kinds=definite
    else
        skip "$name under valgrind"
    fi
done
finish
