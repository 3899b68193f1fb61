#!/usr/bin/env bash
# arrows.py sees what it is there for, in small trees made up here: a circle of files, and an arrow that goes up, each
# by an #include and by a symbol alone. Of a tree in order it says nothing. layers.sh asks it about the sources
# themselves.
. "$(dirname "$0")/harness/checks.sh"
command -v python3 >/dev/null || { echo "arrows.sh needs python3, as Meson does"; exit 1; }

# begin NAME: an empty tree, to which file() adds.
begin() {
    tree=$scratch/$1
    mkdir -p "$tree"
}

# file PATH LINE...: a source of the tree.
file() {
    local path=$tree/$1
    shift
    mkdir -p "${path%/*}"
    printf '%s\n' "$@" >"$path"
}

# arrows: what arrows.py says of the tree. As Meson does it names an object after the path of its source below the first
# folder.
arrows() (
    cd "$tree" || exit
    while read -r source; do
        name=${source#*/}
        $CC -c -o "${name//\//_}.o" "$source" || exit
    done < <(find futures executor -name '*.c')
    ar rc library.a ./*.o && python3 "$SOURCE/tests/arrows.py" library.a 2>&1
)

# says LINE: among what it says of the tree; nothing: it does not say more than that.
says() {
    local said
    said=$(arrows)
    grep -qxF "$1" <<<"$said" || { echo "$said"; return 1; }
}

begin in_order
file futures/low.c 'int low(void) { return 1; }'
file futures/low_internal.h 'int low(void);'
file futures/low.h
file executor/pools/high.c '#include "../../futures/low_internal.h"' 'int high(void) { return low(); }'
file executor/core/middle.c '#include "../../futures/low.h"' 'int low(void); int middle(void) { return low(); }'
check 'a tree in order: it says nothing' nothing arrows

begin circle_of_includes
file futures/a.c '#include "b_internal.h"'
file futures/a_internal.h
file futures/b.c
file futures/b_internal.h '#include "a_internal.h"'
file futures/b.c 'int b;'
check 'a circle by includes, through a header' says 'a circle: futures/a futures/b'

begin circle_of_symbols
file futures/a.c 'int c(void); int a(void) { return c(); }'
file futures/b.c 'int a(void); int b(void) { return a(); }'
file futures/c.c 'int b(void); int c(void) { return b(); }'
check 'a circle by symbols alone, of three' says 'a circle: futures/a futures/b futures/c'

begin circle_of_both
file futures/a.c '#include "b_internal.h"' 'int a = 1;'
file futures/b.c '#include "b_internal.h"' 'extern int a; int b(void) { return a; }'
file futures/b_internal.h
check 'a circle by an include and a variable' says 'a circle: futures/a futures/b'

begin up_by_include
file futures/low.c '#include "../executor/core/high_internal.h"' 'int low;'
file executor/core/high.c 'int high;'
file executor/core/high_internal.h
check 'an arrow up by an include' says 'up: futures/low -> executor/core/high: include'

begin up_by_symbol
file executor/core/low.c 'int high(void); int low(void) { return high(); }'
file executor/pools/high.c 'int high(void) { return 1; }'
check 'an arrow up by a symbol' says 'up: executor/core/low -> executor/pools/high: high'

begin aside
file executor/processes/parent/one.c 'int two(void); int one(void) { return two(); }'
file executor/processes/worker/two.c 'int two(void) { return 1; }'
check 'an arrow from parent to worker' says 'up: executor/processes/parent/one -> executor/processes/worker/two: two'

begin new_folder
file executor/attic/one.c 'int low(void); int one(void) { return low(); }'
file futures/low.c 'int low(void) { return 1; }'
check 'a folder that nobody gave a place' says 'up: executor/attic/one -> futures/low: low'

begin either
file executor/either.c 'int one(void); int two(void); int either(void) { return one() + two(); }'
file executor/threads/one.c 'int one(void) { return 1; }'
file executor/processes/parent/two.c 'int two(void) { return 1; }'
check 'what makes either pool stands above both: it says nothing' nothing arrows

begin strange_library
file futures/a.c 'int a;'
not_ours() {
    (cd "$tree" && echo 'int x;' >x.c && $CC -c x.c && ar rc library.a x.o && ! python3 "$SOURCE/tests/arrows.py" library.a)
}
check 'a library that is not of the tree: it fails' not_ours
finish
