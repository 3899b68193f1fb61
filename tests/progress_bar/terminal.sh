#!/usr/bin/env bash
# Progress bars in a real terminal emulator, tmux: terminal.sh BARS, which is the program of bars.c. What is waited for
# is waited for until it is on the screen.
. "$(dirname "$0")/../harness/checks.sh"
if ! command -v tmux >/dev/null; then
    skip 'progress bars in a terminal: there is no tmux'
    finish
fi
bars=$(realpath "$1")
export LC_ALL=C.UTF-8 TMUX_TMPDIR=$scratch INPUTRC=/dev/null
unset NO_COLOR TMUX
echo "PS1='$ '" >"$scratch/rc"
terminals=0
trap 't kill-server 2>/dev/null; rm -rf "$scratch"' EXIT

# Each terminal has a server of its own: one that is told to end may still answer for a moment.
t() {
    tmux -u -L "bars$terminals" -f /dev/null "$@"
}

# begin COLUMNS [ROWS [PREFIX [SUFFIX]]]: a shell in an empty terminal, and in it the program, told by descriptor 3.
begin() {
    exec 3>&-
    t kill-server 2>/dev/null
    terminals=$((terminals + 1))
    rm -f "$scratch"/{pipe,marked} && mkfifo "$scratch/pipe"
    t new-session -d -x "$1" -y "${2:-24}" "bash --noprofile --rcfile '$scratch/rc'"
    t set-option -g history-limit 5000
    shows '^\$'
    t send-keys "clear; ${3:-} '$bars' '$scratch/pipe' ${4:-}" Enter
    exec 3>"$scratch/pipe"
}

tell() {
    printf '%s\n' "$@" >&3
}

# The whole of it, from the first line that has scrolled off.
screen() {
    t capture-pane -p -S - | sed 's/ *$//' | sed '/^\$ clear;/,/bars.*pipe/d'
}

# shows PATTERN...: waits until there is a line for each.
shows() {
    local pattern
    for pattern in "$@"; do
        until t capture-pane -p | grep -qE -- "$pattern"; do
            t has-session || return
        done
    done
}

# It has done what it was told before.
caught_up() {
    tell "mark $scratch/marked"
    until [ -e "$scratch/marked" ]; do
        t has-session || return
    done
    rm "$scratch/marked"
}

# Ends the program, and waits for the shell.
end() {
    exec 3>&-
    shows '^\$$'
}

# lines PATTERN...: the screen has a line for each, in this order and without another, and then the prompt.
lines() {
    local pattern actual
    screen | sed '/^$/d' >"$scratch/screen"
    for pattern in "$@" '\$'; do
        IFS= read -r actual || actual='(the end)'
        [[ $actual =~ ^$pattern$ ]] || { echo "not '$pattern': '$actual', in"; cat "$scratch/screen"; return 1; }
    done <"$scratch/screen"
    [ "$(wc -l <"$scratch/screen")" -eq $(($# + 1)) ] || { cat "$scratch/screen"; return 1; }
}

time='\[[0-9:]+(<[0-9:?]+)?, [?0-9.]+(it/s|s/it)\]'

at_80_columns() {
    begin 80
    tell 'bar 0 hash' 'update 0 5'
    shows '^hash:  50%\|█+ +\| 5/10 \['
    t capture-pane -p | grep -qE '^hash.{75}$' || { screen; return 1; }
    tell 'update 0 5'
    shows '^hash: 100%'
    end
    lines "hash: 100%\|█+\| 10/10 $time"
}

at_20_columns() {
    begin 20
    tell 'bar 0 hash' 'update 0 5'
    shows '^ 50%\|██+[▏▎▍▌▋▊▉]? +\| 5/10$'
    end
    lines ' 50%\|.*\| 5/10'
}

at_200_columns() {
    begin 200
    tell 'bar 0 hash' 'update 0 5'
    shows '^hash:  50%\|█{70,} +\| 5/10 \['
    end
    lines "hash:  50%\|.*\| 5/10 $time"
}

wide_characters() {
    begin 60
    tell 'bar 0 漢字かな交じり文' $'bar 1 bad\xff\033[31m' 'update 0 1' 'update 1 2'
    shows '^漢字かな交じり文:  10%\|' '^bad��\[31m:  20%\|'
    end
    lines '漢字かな交じり文:  10%\|.*\| 1/10.*' 'bad��\[31m:  20%\|.*\| 2/10.*'
}

# Bars of two lines, in a window that changes at each step, and text meanwhile. They are at the bottom: from the top of
# its screen tmux itself moves lines into its history when it makes two of one.
resizing() {
    local i columns wanted=()
    begin 80
    tell 'bar 0 hash' 'bar 1 other'
    for i in {1..30}; do
        tell "print early $i"
        wanted+=("early $i")
    done
    shows '^early 30'
    shows '^other'
    for i in {1..12}; do
        columns=$((20 + i * 37 % 100))
        t resize-window -x "$columns" -y $((10 + i % 15))
        tell "print line $i"
        wanted+=("line $i")
    done
    caught_up
    t resize-window -x 80 -y 24
    tell 'update 0 10' 'update 1 10'
    shows '^hash: 100%.{69}$' '^other: 100%.{68}$' # tmux tells the new size a moment later
    end
    lines "${wanted[@]}" "hash: 100%\|█+\| 10/10 $time" "other: 100%\|█+\| 10/10 $time"
}

mixed_output() {
    local i wanted=()
    begin 80 10
    tell 'bar 0 hash' 'bar 1 other' 'bar 2 third'
    for i in {1..40}; do
        tell "print line $i" 'update 0 1'
        wanted+=("line $i")
    done
    shows '^third'
    tell 'update 1 4' 'free 1'
    shows '^other:  40%'
    tell 'print the last'
    end
    lines "${wanted[@]}" "other:  40%\|.*\| 4/10 $time" 'the last' "hash: 40it $time" "third:   0%\|.*\| 0/10 $time"
}

# What does not go through the library stands where the first bar was.
foreign_output() {
    local i wanted=()
    begin 80 10
    tell 'bar 0 hash' 'bar 1 other'
    for i in {1..8}; do
        shows '^other'
        tell "foreign line $i" "update 1 1"
        caught_up
        wanted+=("line $i.*")
    done
    shows '^other:  80%'
    end
    lines "${wanted[@]}" "hash: .*" "other:  80%\|.*\| 8/10 $time"
}

interrupted() {
    begin 80
    tell 'bar 0 hash' 'bar 1 other' 'update 1 3'
    shows '^hash:   0%' '^other:  30%'
    t send-keys C-c
    shows '^\$$'
    t send-keys 'echo here is "the shell"' Enter
    shows '^here is the shell'
    lines 'hash:   0%\|.*' 'other:  30%\|.*' '\$ echo.*' 'here is the shell'
}

stopped_and_continued() {
    begin 80
    tell 'bar 0 hash' 'bar 1 other' 'update 1 3'
    shows '^other:  30%'
    t send-keys C-z
    shows '^\$$'
    t send-keys fg Enter
    tell 'update 1 3'
    shows '^other:  60%'
    t capture-pane -p | grep -qE '^other:  30%' || { screen; return 1; }
    t send-keys C-c
    shows '^\$$'
}

# Ctrl-S stops the terminal, not the program.
stopped_terminal() {
    begin 80
    tell 'bar 0 hash'
    shows '^hash:   0%'
    t send-keys C-s
    tell 'update 0 3' 'bar 1 other' 'update 1 5'
    caught_up
    t send-keys C-q
    shows '^hash:  30%' '^other:  50%'
    end
    lines 'hash:  30%\|.*' 'other:  50%\|.*'
}

# colours PREFIX: whether the bar has some.
colours() {
    begin 80 24 "$1"
    tell 'bar 0 hash' 'update 0 5'
    shows '^hash:  50%'
    t capture-pane -pe | grep -q $'\033\[32m'
}

no_colours() {
    ! colours "$1"
}

# Into a pipe: whole lines, no escape sequences.
piped() {
    begin 120 24 '' "2>&1 | cat -v"
    tell 'bar 0 hash' 'update 0 5'
    shows "^hash:  50% 5/10 $time\$"
    tell 'print a line' 'update 0 5'
    end
    screen >"$scratch/screen"
    grep -qx 'a line' "$scratch/screen" && grep -qE "^hash: 100% 10/10 $time$" "$scratch/screen" &&
        ! grep -F '^' "$scratch/screen"
}

check 'at 80 columns' at_80_columns
check 'at 20 columns' at_20_columns
check 'at 200 columns' at_200_columns
check 'wide characters, and bytes that are none' wide_characters
check 'while the window is resized' resizing
check 'text of the program, and bars that end' mixed_output
check 'text that does not go through the library' foreign_output
check 'Ctrl-C leaves the prompt below' interrupted
check 'Ctrl-Z and fg' stopped_and_continued
check 'Ctrl-S stops nobody but the terminal' stopped_terminal
check 'colours' colours ''
check 'NO_COLOR' no_colours 'NO_COLOR=1'
check 'lines into a pipe' piped
finish
