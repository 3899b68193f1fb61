#!/usr/bin/env bash
# digest against sha256sum itself, on a made tree with every kind of name, and what it does when it cannot go on:
# digest.sh [BUILD_FOLDER].
here=$(dirname "$0")
SOURCE=${SOURCE:-$here/../..} BUILD=${1:-${BUILD:?say the build folder}}
. "$here/../harness/checks.sh"
export LC_ALL=C.UTF-8
digest=$(realpath "$BUILD/demos/digest")
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1

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
theirs() {
    local path
    for path; do
        [ "$path" = "${path#-}" ] || path=./$path
        if [ -d "$path" ]; then
            find -H "$path" -type f -print0 | sort -z | xargs -0 -r sha256sum --
        else
            sha256sum -- "$path"
        fi
    done
}

# agrees [-j N] PATH...: same lines as sha256sum, same messages but for the name of the program, same exit status, 0 or 1.
agrees() {
    local options=() ours=0 wanted=0
    [ "$1" != -j ] || { options=(-j "$2"); shift 2; }
    "$digest" "${options[@]}" -- "$@" >ours 2>our_errors || ours=$?
    LC_COLLATE=C theirs "$@" >theirs 2>their_errors || wanted=1
    sed -i -E 's/^(sha256sum|find): //' their_errors
    sed -i -E 's/^digest: //' our_errors
    [ "$ours" -eq "$wanted" ] || { echo "exit status $ours, not $wanted"; return 1; }
    cmp ours theirs && diff our_errors their_errors
}

# status WANTED COMMAND...
status() {
    local wanted=$1 got=0
    shift
    "$@" || got=$?
    [ "$got" -eq "$wanted" ] || { echo "exit status $got, not $wanted"; return 1; }
}

make_tree
check 'a tree, as sha256sum has it' agrees tree
check 'by one worker' agrees -j 1 tree
check 'by eight workers' agrees -j 8 tree
check 'a file of its own' agrees tree/a/large
check 'several paths, in their order' agrees tree/sparse tree/a tree/aa tree/a tree/a-b tree/aa
check 'with slashes at the end' agrees tree/a/ tree/a// tree/a/../a .
check 'the folder we are in' agrees ./
check 'a folder without files' agrees tree/empty
check 'links on the command line are followed' agrees tree/a/link tree/a/up
check 'a link to a folder, with a slash' agrees tree/a/up/
check 'a name that looks like an option' eval 'cd tree && "$digest" -- -n --help -dash >../ours && { sha256sum -- -n --help
    find ./-dash -type f | sort | xargs sha256sum | sed "s, \./, ,"; } | cmp ../ours -'
check 'no such file' agrees nowhere tree/aa nowhere/ tree/aa/ '' tree/aa
check 'a file below a file' agrees tree/aa/b
check 'a dangling link' agrees tree/a/dangling tree/aa
check 'a path that is too long' agrees "$(printf 'x%.0s' {1..300})" tree/aa
check 'names in messages' agrees 'two words' "it's" "it's new"$'\n' 'a:b' $'\n' $'a\tb\x01c' 'back\slash' '#x' 'x#' '~' '{' '{x' '*' $'\xff' \
    $'caf\xc3\xa9' $'\xe2\x80\x8b' '"' "'" '$a' $'\xe6\xbc'
check 'names in messages, in the C locale' env LC_ALL=C bash -c "$(declare -f agrees theirs); digest=$digest"'
    agrees "caf"$'"'\\\\xc3\\\\xa9'"' "two words" plain'
check 'standard input' eval '[ "$(echo hi | "$digest" - tree/aa -)" = "$(echo hi | sha256sum - tree/aa -)" ]'
check 'standard input that is a file' eval '[ "$("$digest" - <tree/a/large)" = "$(sha256sum - <tree/a/large)" ]'
check 'pipes by name' eval '[ "$("$digest" <(echo a) tree/aa <(echo b) | cut -c-64)" = "$(sha256sum <(echo a) tree/aa <(echo b) | cut -c-64)" ]'
check 'messages and lines are in the order of the files' eval '"$digest" tree/aa no1 tree/a0 no2 >ours 2>&1
    sha256sum tree/aa no1 tree/a0 no2 2>&1 | sed "s/^sha256sum: /digest: /" | cmp ours -'

as_stranger=()
[ "$(id -u)" -ne 0 ] || as_stranger=(setpriv --reuid=65534 --regid=65534 --clear-groups)
mkdir -p closed/{a,b,c}
touch closed/{a,b,c}/file
chmod 0 closed/b closed/c/file
chmod 755 "$scratch"
cannot_be_read() {
    status 1 "${as_stranger[@]}" "$digest" closed >ours 2>our_errors &&
        sha256sum closed/a/file | cmp ours - &&
        printf 'digest: %s: Permission denied\n' closed/b closed/c/file | diff - our_errors
}
if "${as_stranger[@]}" test -x "$digest" 2>/dev/null; then
    check 'what cannot be read gets a message, the rest is done' cannot_be_read
else
    skip 'what cannot be read: all is readable for root'
fi
chmod 755 closed/b

# A folder from which files vanish while it is read: each has its line, or its message, or was not seen any more.
vanishing() {
    mkdir gone && (cd gone && touch $(seq 5000))
    rm -rf gone &
    "$digest" -j 2 gone >ours 2>our_errors || [ $? -eq 1 ] || return
    wait
    nothing grep -vE '^[0-9a-f]{64}  gone/[0-9]+$' ours && nothing grep -vE '^digest: gone(/[0-9]+)?: No such file or directory$' our_errors
}
check 'files that vanish' vanishing

check 'no path: usage' status 2 "$digest"
check 'an unknown option: usage' status 2 "$digest" --no-such tree
check 'no workers: usage' status 2 "$digest" -j 0 tree
check 'half a number: usage' status 2 "$digest" -j 2x tree
check '--help' status 0 "$digest" --help
check 'options after paths' eval '[ "$("$digest" tree/aa -j 2)" = "$(sha256sum tree/aa)" ]'
check 'a full disk' eval 'status 1 "$digest" tree >/dev/full 2>errors && grep -qx "digest: write error: No space left on device" errors'
check 'a closed stdout' eval 'status 1 "$digest" tree/aa >&- 2>errors && grep -qx "digest: write error: Bad file descriptor" errors'
check 'a closed stdin' eval 'status 1 "$digest" - tree/aa <&- >ours 2>errors && sha256sum tree/aa | cmp ours - && [ -s errors ]'
check 'a pipe that is closed ends it by SIGPIPE' eval '"$digest" tree/many 2>errors | head -n 1 >ours
    [ "${PIPESTATUS[0]}" -eq 141 ] && [ -s ours ] && [ ! -s errors ]'
check 'where SIGPIPE is ignored, with a message' eval '(trap "" PIPE; "$digest" tree/many 2>errors; echo $? >status) | head -n 1 >ours
    wait; grep -qx 1 status && grep -qx "digest: write error: Broken pipe" errors'

# stopped_by SIGNAL STATUS PATH...: it has printed the first line, of the first path, gets the signal, ends with the status, and what it
# has printed are whole lines.
truncate -s 4T huge 2>/dev/null || truncate -s 15T huge
mkfifo lines fifo
stopped_by() {
    local name=$1 wanted=$2 first got=0
    shift 2
    "$digest" "$@" >lines 2>errors &
    exec 3<lines
    IFS= read -r first <&3
    kill "-$name" $!
    cat <&3 >rest
    exec 3<&-
    wait $! || got=$?
    [ "$got" -eq "$wanted" ] || { echo "exit status $got, not $wanted"; return 1; }
    nothing cat errors && [ ${#first} -gt 64 ] && { [ ! -s rest ] || [ -z "$(tail -c 1 rest)" ]; }
}
check 'SIGINT in a file that takes for ever' stopped_by INT 130 tree/aa huge
check 'SIGTERM in a file that takes for ever' stopped_by TERM 143 tree/aa huge
check 'SIGINT in a tree' stopped_by INT 130 -j 2 tree/a tree huge
check 'SIGINT while a pipe is waited for' stopped_by INT 130 tree/aa fifo

# The same when nobody reads the lines: they fill the pipe, and writing blocks.
unread() {
    local got=0
    "$digest" tree/many tree/many tree/many huge >lines 2>errors &
    exec 3<lines
    IFS= read -r first <&3
    kill -TERM $!
    wait $! || got=$?
    exec 3<&-
    [ "$got" -eq 143 ] || { echo "exit status $got"; return 1; }
}
check 'SIGTERM while nobody reads the lines' unread

# On a terminal: a bar appears, and is gone at the end.
on_a_terminal() {
    local got=0
    script -qefc 'stty cols 100; echo $$ >pid; exec "$digest" tree/aa huge >ours' typescript >/dev/null 2>&1 </dev/null &
    until grep -q ' left ' typescript 2>/dev/null; do
        kill -0 $! 2>/dev/null || { cat typescript; return 1; }
    done
    kill -INT "$(cat pid)"
    wait $! || got=$?
    [ "$got" -eq 130 ] || { echo "exit status $got"; return 1; }
    tr '\r' '\n' <typescript | grep -E '^ +[0-9]+ %  [0-9.]+ [KMGT]?i?B of 4\.0 TiB  [0-9.]+ [KMGT]?i?B/s  [0-9:]+ left  \[#* *\] *$' >bars &&
        [ -s bars ] && [ "$(awk '{ if (length($0) > m) m = length($0) } END { print m }' bars)" -lt 100 ] &&
        nothing eval "grep -v '^Script ' typescript | tail -n 1 | tr '\r' '\n' | tail -n 2 | tr -d ' \n'" && sha256sum tree/aa | cmp ours -
}
export digest
if command -v script >/dev/null && command -v stty >/dev/null && [ "$(stat -c %s huge)" -eq $((4 << 40)) ]; then
    check 'a progress bar on a terminal, gone at the end' on_a_terminal
else
    skip 'a progress bar: no script command here'
fi
finish
