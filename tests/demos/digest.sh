#!/usr/bin/env bash
# digest against sha256sum itself, on a made tree with every kind of name, and what it does when it cannot go on:
# digest.sh [BUILD_FOLDER [--threads | --processes]].
here=$(dirname "$0")
SOURCE=${SOURCE:-$here/../..} BUILD=${1:-${BUILD:?say the build folder}}
. "$here/../harness/checks.sh"
export LC_ALL=C.UTF-8
digest=$scratch/digest
printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$(realpath "$BUILD/demos/digest")" "${2:---processes}" >"$digest"
chmod +x "$digest"
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$scratch"' EXIT
mkdir "$scratch/work" && cd "$scratch/work" || exit 1
ours=$scratch/ours theirs=$scratch/theirs errors=$scratch/errors

make_tree() {
    local name i
    mkdir -p tree/{a,a-b,a.c,'with space',-dash} tree/many tree/empty/empty
    for name in $'new\nline' $'\n' 'back\slash' '\' '\n' $'carriage\rreturn' $'all\r\n\\' $'tab\there' ' space ' -n -- - --help \
        "it's" '"quoted"' '*' '$HOME' 'a:b' '#hash' '~' '{' $'not\xff\xfeutf8' $'caf\xc3\xa9' $'\xe6\xbc\xa2' $'\x01\x7f' .hidden ...; do
        printf '%s' "content of $name" >"tree/$name"
    done
    # Whole paths in order: "a-b" "a.c" "a/b" "aa", as "-" < "." < "/".
    touch tree/{a,a-b,a.c,-dash,'with space'}/{b,-,z} tree/aa tree/a0 tree/a+b
    for i in $(seq 3000); do
        printf '%*d' "$i" 0 >"tree/many/$((i * 7919 % 3000)).$i"
    done
    (cd tree && for i in $(seq 15); do
        mkdir "$(printf 'd%.0s' $(seq 200))" && cd ddd* && printf %s "$i" >"file$i"
    done)
    head -c 1048576 /dev/urandom >tree/many/mebibyte
    head -c 1048577 /dev/urandom >tree/many/more
    head -c 131072 /dev/urandom >tree/a/block
    head -c 5000001 /dev/urandom >tree/a/large
    truncate -s 100M tree/sparse
    mkfifo tree/a/fifo
    ln -s large tree/a/link
    ln -s .. tree/a/up
    ln -s nowhere tree/a/dangling
}

# What the arguments mean, by the standard tools.
by_others() {
    local path failed=0
    for path; do
        [ "$path" = "${path#-}" ] || path=./$path
        if [ -d "$path" ]; then
            find -H "$path" -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum --
        else
            sha256sum -- "$path"
        fi || failed=1
    done
    return "$failed"
}

# agrees [-j N] PATH...: same lines as sha256sum, same messages but for the name of the program, same exit status, 0 or 1.
agrees() {
    local options=() wanted=0
    [ "$1" != -j ] || { options=(-j "$2"); shift 2; }
    by_others "$@" >"$theirs" 2>"$scratch/their_errors" || wanted=1
    status "$wanted" "$digest" "${options[@]}" -- "$@" >"$ours" 2>"$errors" || return
    cmp "$ours" "$theirs" && sed 's/^sha256sum: /digest: /' "$scratch/their_errors" | diff "$errors" -
}

# status WANTED COMMAND...
status() {
    local wanted=$1 got=0
    shift
    "$@" || got=$?
    [ "$got" -eq "$wanted" ] || { echo "exit status $got, not $wanted" >&2; return 1; }
}

# same WHAT, for: digest WHAT, sha256sum WHAT: a shell's words, with PROGRAM in place of the name.
same() {
    [ "$(eval "${1//PROGRAM/\"\$digest\"}" 2>&1)" = "$(eval "${1//PROGRAM/sha256sum}" 2>&1 | sed 's/^sha256sum: /digest: /')" ]
}

make_tree
check 'a tree, as sha256sum has it' agrees tree
check 'by one worker' agrees -j 1 tree
check 'by eight workers' agrees -j 8 tree
check 'a file of its own' agrees tree/a/large
check 'several paths, in their order' agrees tree/sparse tree/a tree/aa tree/a tree/a-b tree/aa
check 'with slashes at the end' agrees tree/a/ tree/a// tree/a/../a . ./ ..//work/tree/a
check 'a folder without files' agrees tree/empty
check 'links on the command line are followed' agrees tree/a/link tree/a/up
check 'a link to a folder, with a slash' agrees tree/a/up/
check 'no such file' agrees nowhere tree/aa nowhere/ tree/aa/ '' tree/aa
check 'a file below a file' agrees tree/aa/b
check 'a dangling link' agrees tree/a/dangling tree/aa
check 'a path that is too long' agrees "$(printf 'x%.0s' {1..300})" tree/aa
names=('two words' "it's" "it's
new!" a:b $'\n' $'a\tb\x01c' 'back\slash' '#x' 'x#' '~' '{' '{x' '*' $'\xff' $'caf\xc3\xa9' $'\xe2\x80\x8b' '"' "'" '$a' $'\xe6\xbc')
check 'names in messages' agrees "${names[@]}"
LC_ALL=C check 'names in messages, in the C locale' agrees "${names[@]}"
check 'names that look like options' same 'cd tree; PROGRAM -- -n --help -dash/b; cd ..'
check 'standard input' same 'echo hi | PROGRAM - tree/aa -'
check 'standard input, much of it, twice' same 'cat tree/a/large tree/a/large | PROGRAM - -'
check 'standard input that is a file' same 'PROGRAM - <tree/a/large'
check 'pipes by name' same 'PROGRAM <(echo a) tree/aa <(echo b) | cut -c-64'
check 'files by the number of a descriptor' same 'PROGRAM /dev/fd/4 tree/aa /proc/self/fd/4 4<tree/a/large'
check 'standard input by a name' same 'PROGRAM /dev/stdin <tree/a/large'
check 'messages and lines in the order of the files' same 'PROGRAM tree/aa no1 tree/a0 no2'

as_stranger=()
[ "$(id -u)" -ne 0 ] || as_stranger=(setpriv --reuid=65534 --regid=65534 --clear-groups)
mkdir -p closed/{a,b,c}
touch closed/{a,b,c}/file
chmod 0 closed/b closed/c/file
chmod 755 "$scratch"
cannot_be_read() {
    status 1 "${as_stranger[@]}" "$digest" closed >"$ours" 2>"$errors" &&
        sha256sum closed/a/file | cmp "$ours" - &&
        printf 'digest: %s: Permission denied\n' closed/b closed/c/file | diff - "$errors"
}
if "${as_stranger[@]}" "$digest" --help >/dev/null 2>&1; then
    check 'what cannot be read gets a message, the rest is done' cannot_be_read
else
    skip 'what cannot be read: all is readable for root'
fi
chmod 755 closed/b

# A folder from which files vanish while it is read: each has its line, or its message, or was not seen any more.
vanishing() {
    mkdir gone && (cd gone && touch $(seq 5000))
    rm -rf gone &
    "$digest" -j 2 gone >"$ours" 2>"$errors" || [ $? -eq 1 ] || return
    wait
    nothing grep -vE '^[0-9a-f]{64}  gone/[0-9]+$' "$ours" &&
        nothing grep -vE '^digest: gone(/[0-9]+)?: No such file or directory$' "$errors"
}
check 'files that vanish' vanishing

check 'no path: usage' status 2 "$digest"
check 'an unknown option: usage' status 2 "$digest" --no-such tree
check 'no workers: usage' status 2 "$digest" -j 0 tree
check 'half a number: usage' status 2 "$digest" -j 2x tree
check '--help' status 0 "$digest" --help
options_last() {
    [ "$("$digest" tree/aa -j 2)" = "$(sha256sum tree/aa)" ]
}
check 'options after paths' options_last

# says TEXT: it is all that came on stderr.
says() {
    printf 'digest: %s\n' "$1" | diff - "$errors"
}
full_disk() {
    status 1 "$digest" tree >/dev/full 2>"$errors" && says 'write error: No space left on device'
}
closed_stdout() {
    status 1 "$digest" tree/aa >&- 2>"$errors" && says 'write error: Bad file descriptor'
}
closed_stdin() {
    status 1 "$digest" - tree/aa <&- >"$ours" 2>"$errors" && says '-: Bad file descriptor' && sha256sum tree/aa | cmp "$ours" -
}
closed_pipe() {
    "$digest" tree/many tree/many 2>"$errors" | head -n 1 >"$ours"
    [ "${PIPESTATUS[0]}" -eq 141 ] && [ -s "$ours" ] && nothing cat "$errors"
}
closed_pipe_ignored() {
    { (trap '' PIPE && exec "$digest" tree/many tree/many 2>"$errors"); echo $? >"$scratch/got"; } | head -n 1 >"$ours"
    grep -qx 1 "$scratch/got" && says 'write error: Broken pipe'
}
check 'a full disk' full_disk
check 'a closed stdout' closed_stdout
check 'a closed stdin' closed_stdin
check 'a pipe that is closed ends it by SIGPIPE' closed_pipe
check 'where SIGPIPE is ignored, with a message' closed_pipe_ignored

# A file that takes for ever; not every file system has room for the largest.
truncate -s 4T huge 2>/dev/null || truncate -s 100G huge
mkfifo lines fifo

# stopped_by SIGNAL STATUS PATH...: it has printed the first line when it gets the signal; then it ends with the status, and what it has
# printed are whole lines.
stopped_by() {
    local signal=$1 wanted=$2 first
    shift 2
    "$digest" "$@" >lines 2>"$errors" &
    exec 3<lines
    IFS= read -r first <&3
    kill "-$signal" $!
    cat <&3 >"$scratch/rest"
    exec 3<&-
    status "$wanted" wait $! && nothing cat "$errors" && [ ${#first} -gt 64 ] && nothing tail -c 1 "$scratch/rest"
}
# read_by PID: how many bytes it has read, and its workers.
read_by() {
    grep -lsE "^PPid:[[:space:]]$1$" /proc/[0-9]*/status | sed 's/status$/io/' | xargs cat "/proc/$1/io" 2>/dev/null |
        awk '/^rchar/ { sum += $2 } END { printf "%d", sum }'
}
# The same when nobody reads the lines: the pipe is full, writing the first line blocks. The one worker is then far into the huge file.
stopped_unread() {
    exec 3<>lines
    dd if=/dev/zero of=lines oflag=nonblock bs=4096 count=10000 2>/dev/null
    "$digest" -j 1 tree/aa huge >lines 2>"$errors" &
    until [ "$(read_by $!)" -gt 200000000 ]; do
        kill -0 $! || return
    done
    kill -TERM $!
    status 143 wait $!
    set -- $?
    exec 3<&-
    return "$1"
}
check 'SIGINT in a file that takes for ever' stopped_by INT 130 tree/aa huge
check 'SIGTERM in a file that takes for ever' stopped_by TERM 143 tree/aa huge
check 'SIGINT in a tree' stopped_by INT 130 -j 2 tree/a tree huge
check 'SIGINT while a pipe is waited for' stopped_by INT 130 tree/aa fifo
check 'SIGTERM while nobody reads the lines' stopped_unread

# On a terminal: a bar appears, within the terminal's width, and is gone at the end.
on_a_terminal() {
    TERM=xterm NO_COLOR=1 script -qefc 'stty cols 100; echo $$ >pid; exec "$digest" tree/aa huge >ours' typescript \
        >/dev/null 2>&1 </dev/null &
    until grep -qE '<[0-9:]+, .*iB/s\]' typescript 2>/dev/null; do
        kill -0 $! 2>/dev/null || { cat typescript; return 1; }
    done
    kill -INT "$(cat pid)"
    status 130 wait $! || return
    sha256sum tree/aa | cmp ours - || return
    tr '\r' '\n' <typescript | sed -E 's/\x1b\[\??[0-9]*[JKhl]//g' >drawn
    grep -qE '^ +[0-9]+%\|.*\| [0-9.]+[KMGT]?i?B/[0-9.]+[GT]iB \[[0-9:]+<[0-9:]+, [0-9.]+[KMGT]?i?B/s\]$' drawn &&
        nothing grep -vE '^(Script .*|.{0,99})$' drawn && nothing eval "grep -v '^Script ' drawn | tail -n 2 | tr -d ' \n'"
}
export digest
if command -v script >/dev/null && command -v stty >/dev/null; then
    check 'a progress bar on a terminal, gone at the end' on_a_terminal
else
    skip 'a progress bar: no script command here'
fi
finish
