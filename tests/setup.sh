# Sourced by the scripts that a user starts, such as tests/run: their help, the packages that a step needs, and the
# build folders. It goes to the root of the source tree. What a script keeps for a moment is in $temporary, and TMPDIR;
# it is gone at the end.

# show_help "$0" "$@": with -h or --help among the arguments it prints what stands on top of the script, and ends;
# before all else.
show_help() {
    local script=$1 argument
    shift
    for argument; do
        case $argument in
            -h | --help) sed -n '2,${/^#/!q;s/^# \{0,1\}//p}' "$script" && exit ;;
        esac
    done
}
show_help "$0" "$@"
called_in=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Without standard input there is an empty one: libuv, in the programs of the tests, aborts where the number 0 is free.
[ -e /dev/fd/0 ] || exec </dev/null

temporary=$(mktemp -d)
export TMPDIR=$temporary
trap 'rm -rf "$temporary"' EXIT
stop_at_signals() {
    trap 'stop 130' INT
    trap 'stop 143' TERM
    trap 'stop 129' HUP
}
stop_at_signals
as_root=()
stoppable_pid=

stop() {
    trap '' INT TERM HUP
    if [ -n "$stoppable_pid" ]; then
        echo "$0: stops when $stoppable_name has ended in good order" >&2
        { "${as_root[@]}" kill "-$stoppable_signal" "$stoppable_pid" && wait "$stoppable_pid"; } 2>/dev/null || true
    fi
    echo "$0: stopped" >&2
    exit "$1"
}

# stoppable NAME SIGNAL COMMAND...: when this script is stopped the command gets the signal, and is waited for. It has a
# process group of its own, for at Ctrl-C Meson would end one test of many; and apt-get finish what it has begun, say
# that all is well, and keep us waiting without a word.
stoppable() {
    local status=0
    stoppable_name=$1 stoppable_signal=$2
    shift 2
    stop_at_signals # a subshell has forgotten them
    set -m
    "$@" &
    stoppable_pid=$!
    set +m
    wait "$stoppable_pid" || status=$?
    stoppable_pid=
    return "$status"
}

# missing_packages PACKAGE=CHECK...: prints each package whose check fails. A check is a command's name, pc:NAME for
# pkg-config, or a file's path.
missing_packages() {
    local need package what
    for need in "$@"; do
        package=${need%%=*} what=${need#*=}
        case $what in
            pc:*) library_is_there "$package" "${what#pc:}" ;;
            /*) [ -e "$what" ] ;;
            *) command -v "$what" >/dev/null ;;
        esac || echo "$package"
    done
    half_installed "${@%%=*}"
}

# half_installed PACKAGE...: prints those that dpkg has unpacked, but was stopped before they could be used.
half_installed() {
    { dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true; } |
        sed -n 's/^\(unpacked\|half-installed\|half-configured\) //p'
}

# By pkg-config; where that is still missing, by what Debian says of the package.
library_is_there() {
    if command -v pkg-config >/dev/null; then
        pkg-config --exists "$2"
    else
        dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'
    fi
}

# The packages, with apt-get, by root or sudo. Says what is missing if that cannot be done.
install_packages() {
    local packages
    packages=$(missing_packages "$@" | sort -u | tr '\n' ' ')
    packages=${packages% }
    [ -n "$packages" ] || return 0

    if ! command -v apt-get >/dev/null; then
        echo "$0: needs what these Debian packages hold, and there is no apt-get here: $packages" >&2
        exit 1
    fi
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "$0: needs these packages; as root, run: apt-get install $packages" >&2
            exit 1
        fi
        echo "Installing needs root's rights: $packages"
        sudo -v || exit # asks for the password, which it could not do from a process group that is not the terminal's
        as_root=(sudo)
    fi

    echo "Installing: $packages"
    if ! stoppable apt-get INT apt update || ! stoppable apt-get INT apt -y --no-install-recommends install $packages; then
        cat "$temporary/apt" >&2
        echo "$0: these packages could not be installed: $packages" >&2
        exit 1
    fi
    as_root=()
}

# In a process of its own, which becomes apt-get. The words after env are for sudo, which passes no environment on; our
# folder is not for apt-get.
apt() {
    exec "${as_root[@]}" env -u TMPDIR DEBIAN_FRONTEND=noninteractive apt-get -q "$@" >>"$temporary/apt" 2>&1 </dev/null
}

build_packages=(
    gcc=gcc libc6-dev=/usr/include/stdio.h pkg-config=pkg-config meson=meson ninja-build=ninja libuv1-dev=pc:libuv
)
# Where there is systemd, gearman-job-server starts a server on port 4730 of this machine. Tests have their own, on
# other ports.
test_packages=(
    g++=g++ libcriterion-dev=pc:criterion binutils=readelf
    libglib2.0-dev=pc:glib-2.0 libevent-dev=pc:libevent_core
    gearman-job-server=/usr/sbin/gearmand gearman-tools=gearman
)
demo_packages=(libssl-dev=pc:libcrypto)
cluster_packages=(gearman-job-server=/usr/sbin/gearmand)
service_packages=(
    libwebsockets-dev=pc:libwebsockets "libwebsockets-evlib-uv=/usr/lib/$(uname -m)-linux-gnu/libwebsockets-evlib_uv.so"
    libjansson-dev=pc:jansson libgd-dev=pc:gdlib libssl-dev=pc:libcrypto python3=python3
)
# For the page of demos/service; npm brings what controls the browser.
browser_packages=(chromium=chromium nodejs=node npm=npm)

# Meson looks for ccache only where nobody names a compiler. cached_compiler VARIABLE DEFAULT: prints its value, behind
# ccache if there is one.
cached_compiler() {
    local compiler=${!1:-$2}
    [[ $compiler == ccache* ]] || ! command -v ccache >/dev/null || compiler="ccache $compiler"
    echo "$compiler"
}

# build FOLDER [MESON OPTION...]: configures it, if that was not done yet or with other options, and compiles what
# `targets` names, or all. Says what it does, and no more unless something is wrong. With CI=true any warning is.
targets=()
build() {
    local folder=$1
    shift
    [ "${CI:-}" != true ] || set -- "$@" -Dwerror=true
    configure "$folder" "$@" || return
    # What belongs to configuring comes first, so that the compiler's words stand alone.
    if ! ninja -C "$folder" build.ninja >"$temporary/ninja" 2>&1 || ! compile "$folder"; then
        grep -vE '^(\[[0-9/]+\] [A-Z]|ninja: Entering)' "$temporary/ninja" >&2
        return 1
    fi
}

configure() {
    local folder=$1 again=()
    shift
    if [ ! -e "$folder/build.ninja" ]; then
        echo "Configuring $folder"
        rm -rf "$folder"
    elif ! is_configured "$folder" "$@"; then
        echo "Configuring $folder again: $*"
        again=(--reconfigure)
    else
        return 0
    fi
    if ! CC=$(cached_compiler CC cc) CXX=$(cached_compiler CXX c++) meson setup "${again[@]}" "$folder" "$@" \
        >"$temporary/meson" 2>&1; then
        cat "$temporary/meson" >&2
        [ ${#again[@]} -gt 0 ] || rm -rf "$folder"
        return 1
    fi
}

# is_configured FOLDER MESON-OPTION...: whether it has these options, by what Meson has written into it.
is_configured() {
    python3 - "$@" <<'END'
import json, sys

def text(value):
    if isinstance(value, list):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else value

with open(sys.argv[1] + "/meson-info/intro-buildoptions.json") as file:
    have = {option["name"]: text(option["value"]) for option in json.load(file)}
wanted = (argument.lstrip("-").partition("=") for argument in sys.argv[2:])
sys.exit(any(have.get(name.removeprefix("D")) != value for name, _, value in wanted))
END
}

# On a terminal it counts the parts.
compile() {
    local folder=$1 parts
    parts=$(ninja -C "$folder" -n "${targets[@]}" | sed -n 's/^\[1\/\([0-9]*\)\].*/\1/p')
    [ -n "$parts" ] || return 0
    echo "Building $parts parts in $folder ..."
    if [ -t 1 ]; then
        ninja -C "$folder" "${targets[@]}" 2>&1 | tee "$temporary/ninja" |
            awk '/^\[[0-9]+\// { sub(/\].*/, "]"); printf "%s\r", $0; fflush() } END { printf "\033[K" }'
    else
        ninja -C "$folder" "${targets[@]}" >"$temporary/ninja" 2>&1
    fi
}

# run_tests FOLDER [MESON TEST OPTION...]: every program's own closing line, then what failed, then a sum: 'N passed, N
# failed'.
run_tests() {
    local folder=$1 status=0
    shift
    rm -f "$folder"/meson-logs/testlog* # each setup has its own
    stoppable 'meson test' TERM meson test -C "$folder" --no-rebuild --print-errorlogs "$@" </dev/null || status=$?
    case " $* " in *" --list "*) return "$status" ;; esac
    touch "$folder/meson-logs/testlog.txt" # there is none where nothing ran
    cat "$folder"/meson-logs/testlog*.txt | awk -f tests/closing_lines.awk || status=1
    return "$status"
}
