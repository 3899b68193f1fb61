#!/usr/bin/env bash
# The shared library exports what the public headers declare: nothing else, and nothing less. And whatever it calls that
# can run out of something, the tests can make fail.
. "$(dirname "$0")/harness/checks.sh"

# What SOON_API marks: the name before the first parenthesis after it.
gcc -E -P "$SOURCE/soon.h" | tr '\n' ' ' |
    grep -oP '__attribute__\(\(visibility\("default"\)\)\)[^;{]*?\b\Ksoon_\w+(?= *\()' | sort -u >"$scratch/declared"
nm -D --defined-only "$BUILD/libsoon.so" | awk '{ print $3 }' | sort -u >"$scratch/exported"

# What it calls that can run out of memory, descriptors or threads; what fail_wrap.c stands before.
nm -u "$BUILD/libsoon.a" 2>/dev/null | awk '{ print $2 }' | sort -u | grep -xE \
    '(m|c|re|aligned_|mem)alloc|posix_memalign|strn?dup|v?asprintf|fopen.*|open.*|mmap.*|mremap|memfd_create|ftruncate.*|eventfd|pipe2?|socketpair|epoll_(create1?|ctl)|timerfd_.*|pthread_(create|atfork|key_create)|uv_(loop|async|thread|mutex|cond|sem)_(init|create).*' \
    >"$scratch/can_fail"
sed -nE 's/^WRAP\([^,]*, (\w+),.*/\1/p; s/^[a-z_]+ \**__wrap_(\w+)\(.*/\1/p' "$SOURCE/tests/harness/fail_wrap.c" | sort -u >"$scratch/can_be_made_to_fail"

check 'the headers declare functions' test -s "$scratch/declared"
check 'nothing is exported that no public header declares' nothing comm -13 "$scratch/declared" "$scratch/exported"
check 'all that is declared is there' nothing comm -23 "$scratch/declared" "$scratch/exported"
check 'nothing private is exported' nothing grep '^soon__' "$scratch/exported"
check 'the library is never unloaded' grep -q NODELETE <(readelf -d "$BUILD/libsoon.so")
check 'all that it calls and can fail, fail_wrap.c can make fail' nothing comm -23 "$scratch/can_fail" "$scratch/can_be_made_to_fail"
finish
