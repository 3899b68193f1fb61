#!/usr/bin/env bash
# Every piece of C in README.md, CONTRIBUTING.md and docs/ compiles, and the complete programs run.
#
# A ```c block with a main() is a complete program. Any other block, and the last column of each table that is headed "C",
# becomes part of one file per page: at file scope if it begins like a definition, else as the body of a function of its own, with
# the names of docs_snippets.h.
. "$(dirname "$0")/harness/checks.sh"

# pieces PAGE FOLDER: writes FOLDER/page.c, and FOLDER/LINE.c for each program. Lines keep their numbers in messages.
pieces() {
    awk -v folder="$2" -v page="${1#"$SOURCE"/}" '
        function at(line) {
            return "#line " line " \"" page "\"\n"
        }
        function body(line, code) {
            bodies = bodies "int at_line_" line "(void);\nint at_line_" line "(void)\n{\n" at(line) code "\nreturn 0;\n}\n"
        }
        function block(line, code) {
            if (code ~ /int main\(/)
                printf "%s", at(line) code > (folder "/" line ".c")
            else if (code ~ /^(#include|SOON_TASK|static |typedef |struct [a-z_]+ [{])/)
                definitions = definitions at(line) code
            else
                body(line, code)
        }
        /^```/ && fenced { if (is_c) block(start, code); fenced = 0; next }
        /^```/ { fenced = 1; is_c = /^```c$/; start = NR + 1; code = ""; next }
        fenced { code = code $0 "\n"; next }
        !/^\|/ { in_table = 0; next }
        {
            cell = $0
            sub(/ *\| *$/, "", cell)
            sub(/.*\| */, "", cell)
            if (!in_table) { in_table = 1; is_c = cell == "C"; next }
            code = ""
            count = split(cell, span, "`")
            for (i = 2; is_c && i <= count; i += 2) code = code " " span[i]
            if (code != "") body(NR, code)
        }
        END {
            file = folder "/page.c"
            print "#define _GNU_SOURCE\n#include <errno.h>\n#include <poll.h>\n#include <pthread.h>\n#include <signal.h>\n#include <spawn.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>" > file
            print "#include <sys/stat.h>\n#include <sys/syscall.h>\n#include <sys/wait.h>\n#include <unistd.h>" > file
            print "typedef struct sqlite3 sqlite3; void sqlite3_interrupt(sqlite3 *); enum { SQLITE_INTERRUPT = 9 };" > file
            print "int sqlite3_exec(sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *, char **);" > file
            print "#include <soon.h>\n" definitions "#include \"docs_snippets.h\"\n" bodies > file
        }' "$1"
}

# The words of CC are split on purpose.
compile() {
    $CC -std=gnu11 -Wall -Wextra -Werror -Wno-unused -I "$SOURCE" -I "$SOURCE/tests" "$@"
}

# program FOLDER LINE
program() {
    ulimit -c 0 # some crash on purpose
    compile "$1/$2.c" -o "$1/$2" "$BUILD/libsoon.so" "-Wl,-rpath,$BUILD" && "$1/$2" </dev/null
}

for page in "$SOURCE"/*.md "$SOURCE"/docs/*.md "$SOURCE"/docs/decisions/*.md; do
    name=${page#"$SOURCE"/}
    folder=$scratch/${name//\//_}
    mkdir "$folder"
    pieces "$page" "$folder"
    grep -q at_line_ "$folder/page.c" && check "$name" compile -c "$folder/page.c" -o "$folder/page.o"
    for source in "$folder"/[0-9]*.c; do
        [ -e "$source" ] || continue
        line=$(basename "$source" .c)
        check "$name, the program at line $line" program "$folder" "$line"
    done
done
finish
