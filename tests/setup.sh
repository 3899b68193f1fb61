# Sourced by tests/run, demos/run and .ci/run: the packages that a step needs, and the build folders.

# Without standard input there is an empty one: libuv, in the programs of the tests, aborts where the number 0 is free.
[ -e /dev/fd/0 ] || exec </dev/null

# missing_packages PACKAGE=CHECK...: prints each package whose check fails. A check is a command's name, pc:NAME for pkg-config, or
# a file's path.
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
    local as_root=() log packages
    packages=$(missing_packages "$@" | tr '\n' ' ')
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
        as_root=(sudo)
    fi

    echo "Installing: $packages"
    log=$(mktemp)
    # The words after env are for sudo, which passes no environment on.
    if ! { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q update &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $packages; } \
        >"$log" 2>&1 </dev/null; then
        cat "$log" >&2
        rm -f "$log"
        echo "$0: these packages could not be installed: $packages" >&2
        exit 1
    fi
    rm -f "$log"
}

build_packages=(
    gcc=gcc libc6-dev=/usr/include/stdio.h pkg-config=pkg-config meson=meson ninja-build=ninja libuv1-dev=pc:libuv
)
test_packages=(g++=g++ libcriterion-dev=pc:criterion binutils=readelf)
demo_packages=(libssl-dev=pc:libcrypto)

# Meson looks for ccache only where nobody names a compiler. cached_compiler VARIABLE DEFAULT: prints its value, behind ccache
# if there is one.
cached_compiler() {
    local compiler=${!1:-$2}
    [[ $compiler == ccache* ]] || ! command -v ccache >/dev/null || compiler="ccache $compiler"
    echo "$compiler"
}

# build FOLDER [MESON OPTION...]: configures it if that was not done yet, and compiles what `targets` names, or all; quiet
# unless something is wrong. With CI=true any warning is.
targets=()
build() {
    local folder=$1 log
    shift
    [ "${CI:-}" != true ] || set -- "$@" -Dwerror=true
    log=$(mktemp)
    if [ ! -e "$folder/build.ninja" ]; then
        echo "Configuring $folder"
        rm -rf "$folder"
        if ! CC=$(cached_compiler CC cc) CXX=$(cached_compiler CXX c++) meson setup "$folder" "$@" >"$log" 2>&1; then
            cat "$log" >&2
            rm -rf "$log" "$folder"
            return 1
        fi
    fi
    # What belongs to configuring comes first, so that the compiler's words stand alone.
    if ! ninja -C "$folder" build.ninja >"$log" 2>&1 || ! ninja -C "$folder" "${targets[@]}" >"$log" 2>&1; then
        grep -vE '^(\[[0-9/]+\] [A-Z]|ninja: Entering)' "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

# run_tests FOLDER [MESON TEST OPTION...]: every program's own closing line, then a sum: 'N passed, N failed'.
run_tests() {
    local folder=$1 status=0
    shift
    rm -f "$folder"/meson-logs/testlog* # each setup has its own
    meson test -C "$folder" --no-rebuild --print-errorlogs "$@" </dev/null || status=$?
    cat "$folder"/meson-logs/testlog*.txt | awk -f tests/closing_lines.awk || status=1
    return "$status"
}
