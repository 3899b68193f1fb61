#!/usr/bin/env bash
# Every piece of C, and of C++, in README.md, CONTRIBUTING.md and docs/ compiles, and the complete programs run.
#
# A ```c block with a main() is a complete program. Any other block, and the last column of each table that is headed
# "C", becomes part of one file per page: at file scope if it begins like a definition, else as the body of a function
# of its own, with the names of docs_snippets.h. The same holds of ```cpp blocks, in C++20 with the names of
# docs_snippets.hpp.
. "$(dirname "$0")/harness/checks.sh"

# pieces PAGE FOLDER: writes FOLDER/page.c and page.cc, and FOLDER/LINE.c or .cc for each program. Lines keep their
# numbers in messages.
pieces() {
    awk -v folder="$2" -v page="${1#"$SOURCE"/}" '
        function at(line) {
            # g++ takes what has another name than its source for a header, and warns of coroutines there.
            return "#line " line (language == "c" ? " \"" page "\"\n" : "\n")
        }
        function body(line, code) {
            bodies[language] = bodies[language] "int at_line_" line "(void);\nint at_line_" line "(void)\n{\n" at(line) code "\nreturn 0;\n}\n"
        }
        function block(line, code) {
            if (code ~ /int main\(/)
                printf "%s", at(line) code > (folder "/" line "." language)
            else if (code ~ /^(#include|SOON_TASK|static |typedef |struct [a-z_]+ [{]|routine )/)
                definitions[language] = definitions[language] at(line) code
            else
                body(line, code)
        }
        /^```/ && fenced { if (language) block(start, code); fenced = 0; next }
        /^```/ { fenced = 1; language = $0 == "```c" ? "c" : $0 == "```cpp" ? "cc" : ""; start = NR + 1; code = ""; next }
        fenced { code = code $0 "\n"; next }
        !/^\|/ { in_table = 0; next }
        {
            cell = $0
            gsub(/\\\|/, "\001", cell)
            sub(/ *\| *$/, "", cell)
            sub(/.*\| */, "", cell)
            if (!in_table) { in_table = 1; is_c = cell == "C"; next }
            code = ""
            count = split(cell, span, "`")
            for (i = 2; is_c && i <= count; i += 2) code = code " " span[i]
            gsub("\001", "|", code)
            language = "c"
            if (code != "") body(NR, code)
        }
        END {
            file = folder "/page.c"
            print "#define _GNU_SOURCE\n#include <errno.h>\n#include <poll.h>\n#include <pthread.h>\n#include <signal.h>\n#include <spawn.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>" > file
            print "#include <sys/stat.h>\n#include <sys/syscall.h>\n#include <sys/wait.h>\n#include <unistd.h>" > file
            print "typedef struct sqlite3 sqlite3; void sqlite3_interrupt(sqlite3 *); enum { SQLITE_INTERRUPT = 9 };" > file
            print "int sqlite3_exec(sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *, char **);" > file
            print "#include <soon.h>\n" definitions["c"] "#include \"docs_snippets.h\"\n" bodies["c"] > file
            print "#include \"docs_snippets.hpp\"\n" definitions["cc"] bodies["cc"] > (folder "/page.cc")
        }' "$1"
}

# compile OUTPUT SOURCE [OPTION...]. The words of CC and CXX are split on purpose.
compile() {
    local compiler="$CC -std=gnu11" output=$1
    shift
    [[ $1 == *.c ]] || compiler="$CXX -std=gnu++20"
    $compiler -Wall -Wextra -Werror -Wno-unused -I "$SOURCE" -I "$SOURCE/tests" "$@" -o "$output"
}

# program SOURCE
program() {
    ulimit -c 0 # some crash on purpose
    compile "${1%.*}" "$1" "$BUILD/libsoon.so" "-Wl,-rpath,$BUILD" && "${1%.*}" </dev/null
}

has_coroutines() {
    [ -n "$CXX" ] && echo '#include <coroutine>' | $CXX -std=gnu++20 -x c++ -fsyntax-only - 2>/dev/null
}
languages=(c)
if has_coroutines; then
    languages+=(cc)
else
    skip 'all pieces of C++: there is no compiler for C++20'
fi

for page in "$SOURCE"/*.md "$SOURCE"/docs/*.md "$SOURCE"/docs/decisions/*.md; do
    name=${page#"$SOURCE"/}
    folder=$scratch/${name//\//_}
    mkdir "$folder"
    pieces "$page" "$folder"
    for language in "${languages[@]}"; do
        source=$folder/page.$language
        grep -q at_line_ "$source" && check "$name, its pieces of $language" compile "$folder/page.o" "$source" -c
        for source in "$folder"/[0-9]*."$language"; do
            [ -e "$source" ] || continue
            line=$(basename "$source" ".$language")
            check "$name, the program at line $line" program "$source"
        done
    done
done
finish
