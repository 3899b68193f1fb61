#!/usr/bin/env bash
# The library as a user gets it: installed into a prefix, found by pkg-config, used from C and from C++, shared and static.
. "$(dirname "$0")/harness/checks.sh"

prefix=$scratch/prefix
install_it() {
    meson setup "$scratch/build" "$SOURCE" "--prefix=$prefix" --libdir=lib --buildtype=plain -Dtests=disabled -Ddemos=disabled &&
        meson install -C "$scratch/build"
}
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig

public_headers() {
    (cd "$1" && find soon.h soon.hpp futures executor cxx \( -name '*.h' -o -name '*.hpp' \) ! -name '*_internal.h' | LC_ALL=C sort)
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
finish
