#!/usr/bin/env bash
# The library as a user gets it: installed into a prefix, found by pkg-config, used from C and from C++, shared and
# static.
. "$(dirname "$0")/harness/checks.sh"

prefix=$scratch/prefix
install_it() {
    meson setup "$scratch/build" "$SOURCE" "--prefix=$prefix" --libdir=lib --buildtype=plain -Dtests=disabled -Ddemos=disabled &&
        meson install -C "$scratch/build"
}
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig

public_headers() {
    (cd "$1" && find soon.h soon.hpp futures executor progress_bar cxx \( -name '*.h' -o -name '*.hpp' \) ! -name '*_internal.h' | LC_ALL=C sort)
}

# Words of pkg-config are options, so they are split on purpose.
compile() {
    local compiler=$1 standard=$2 source=$3 output=$4
    shift 4
    $compiler "-std=$standard" -Wall -Wextra -Wpedantic -Werror $(pkg-config --cflags soon) "$source" -o "$output" "$@"
}

shared() {
    compile "$1" "$2" "$3" "$scratch/shared" $(pkg-config --libs soon) &&
        readelf -d "$scratch/shared" | grep -q 'libsoon\.so\.0' &&
        LD_LIBRARY_PATH=$prefix/lib "$scratch/shared"
}

static() {
    compile "$1" "$2" "$3" "$scratch/static" $(pkg-config --static --libs soon | sed 's/-lsoon/-l:libsoon.a/') &&
        ! readelf -d "$scratch/static" | grep -q 'libsoon' &&
        "$scratch/static"
}


says_version() {
    [ "$(LD_LIBRARY_PATH=$prefix/lib "$scratch/shared")" = "$(pkg-config --modversion soon) 13" ]
}

check 'installs' install_it
check 'its headers are the public ones, in the shape of the tree' \
    diff <(public_headers "$SOURCE") <(cd "$prefix/include/soon" && find . -type f | sed 's/^\.\///' | LC_ALL=C sort)
check 'a C program with the shared library' shared "$CC" c11 "$SOURCE/tests/installed/program.c"
check 'its version is the one that pkg-config tells' says_version
check 'a C program with the static library' static "$CC" c11 "$SOURCE/tests/installed/program.c"
if [ -n "$CXX" ]; then
    check 'a C++ program with the shared library' shared "$CXX" c++17 "$SOURCE/tests/installed/program.cc"
    check 'a C++ program with the static library' static "$CXX" c++17 "$SOURCE/tests/installed/program.cc"
    for standard in 17 20; do
        check "a C++$standard program with soon.hpp" shared "$CXX" "c++$standard" "$SOURCE/tests/installed/lambda.cc"
    done
else
    skip 'C++: no compiler'
fi

# It finds the workers that were installed with it: these load the object, and find no task in it.
worker_daemon() {
    $CC -shared -fPIC -o "$scratch/empty.so" "$SOURCE/tests/cluster/empty_object.c" || return
    "$prefix/bin/soon-workerd" --servers 127.0.0.1:1 --load "$scratch/empty.so" 2>"$scratch/said"
    [ $? = 66 ] && grep -q 'no tasks' "$scratch/said" || { cat "$scratch/said"; return 1; }
}
check 'the worker daemon' worker_daemon
check 'its man page' grep -q 'soon.*workerd' "$prefix/share/man/man8/soon-workerd.8"
if command -v systemd-analyze >/dev/null; then
    check 'its unit' systemd-analyze verify --man=no "$prefix/lib/systemd/system/soon-workerd@.service"
else
    skip 'its unit: systemd-analyze is missing'
fi

# A forgotten unref, with the library as it is installed: what a program's own sanitizer sees of it.
leaky() {
    local compiler=$1 output=$2
    shift 2
    compile "$compiler" gnu11 "$SOURCE/tests/installed/leak.c" "$output" -g "$@" $(pkg-config --libs soon)
}

# finds PROGRAM...: it ends well, and with an unref forgotten there is a report.
finds() {
    local report=$scratch/report
    LD_LIBRARY_PATH=$prefix/lib "$@" >"$report" 2>&1 || { cat "$report"; return 1; }
    grep -q '^0 futures are left' "$report" || { cat "$report"; return 1; }
    LD_LIBRARY_PATH=$prefix/lib "$@" forget >"$report" 2>&1 && { echo 'no report:'; cat "$report"; return 1; }
    grep -q '^1 futures are left' "$report" && grep -qE 'LeakSanitizer: detected memory leaks|are definitely lost' "$report" ||
        { cat "$report"; return 1; }
}

# With slabs, as asked for, the future's block is not to be seen: so it is not something else that was found. What a sampled call
# has beside its block may be.
hides() {
    local report=$scratch/report
    SOON_SLAB=1 LD_LIBRARY_PATH=$prefix/lib "$@" forget >"$report" 2>&1
    grep -q '^1 futures are left' "$report" && ! grep -q 'soon__block' "$report" || { cat "$report"; return 1; }
}

sanitized() {
    leaky "$@" && finds "$2"
}

for compiler in gcc clang; do
    for flags in address leak 'address -static-libasan'; do
        # The words of the flags are split on purpose.
        if ! echo 'int main(void) { return 0; }' | $compiler -fsanitize=$flags -x c - -o "$scratch/tried" 2>/dev/null; then
            skip "a forgotten unref, with $compiler -fsanitize=$flags: it has none"
            continue
        fi
        check "a forgotten unref is found with $compiler -fsanitize=$flags" sanitized $compiler "$scratch/leak" -fsanitize=$flags
        check "and not where slabs are asked for" hides "$scratch/leak"
    done
done
if command -v valgrind >/dev/null; then
    check 'builds a program for valgrind' leaky "$CC" "$scratch/leak"
    check 'a forgotten unref is found by valgrind' \
        finds valgrind --quiet --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=77 "$scratch/leak"
    check 'and not where slabs are asked for' \
        hides valgrind --quiet --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=77 "$scratch/leak"
else
    skip 'a forgotten unref, with valgrind: it is not installed'
fi
finish
