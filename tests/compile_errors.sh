#!/usr/bin/env bash
# What is easily written wrong does not compile, and the compiler says what to write instead; what is right beside it
# does.
. "$(dirname "$0")/harness/checks.sh"
cd "$SOURCE" || exit 1

# program STATEMENTS
program() {
    cat <<END
#include "$SOURCE/soon.h"
SOON_TASK(half, int, int)
{
    *result = *arg / 2;
    return 0;
}
SOON_TASK(tick, soon_none, soon_none)
{
    return 0;
}
SOON_TASK_BYTES(reverse)
{
    return soon_task_return_bytes(task, arg.data, arg.size);
}
int main(void)
{
    soon_executor *pool = NULL;
    soon_future *f = NULL;
    int x = 0;
    (void)pool;
    (void)f;
    (void)x;
    $1
    return 0;
}
END
}

# compile COMPILER STATEMENTS
compile() {
    case $1 in
    *++) program "$2" | "$1" -x c++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -S -o /dev/null - ;;
    *) program "$2" | "$1" -x c -std=c11 -Wall -Wextra -Wpedantic -Werror -S -o /dev/null - ;;
    esac
}

# says COMPILER STATEMENTS TEXT
says() {
    if compile "$1" "$2" >"$scratch/told" 2>&1; then
        echo "it compiles"
        return 1
    fi
    grep -qF "$3" "$scratch/told" || { cat "$scratch/told"; return 1; }
}

for compiler in gcc clang g++ clang++; do
    command -v "$compiler" >/dev/null || continue
    right() { check "$compiler takes $1" compile "$compiler" "$1"; }
    wrong() { check "$compiler explains $1" says "$compiler" "$1" "$2"; }

    right 'f = soon_submit(pool, half, 7);'
    right 'f = soon_submit(pool, tick);'
    right 'f = soon_submit(pool, reverse);'
    right 'f = soon_submit_with(pool, (0), tick);'
    right 'x = soon_try_submit(&f, pool, tick);'
    right 'struct { int a; } s; x = soon_result(f, &s);'
    right 'enum e { A } e; x = soon_result_within(f, 0, &e);'
    right 'int *p; const char *t; x = soon_result(f, &p) + soon_take(f, &t);'
    right 'bool b; char c; long double d; x = soon_result(f, &b) + soon_result(f, &c) + soon_take(f, &d);'
    right 'int a[3]; x = soon_result(f, &a) + soon_result(f, a);'
    wrong 'f = soon_submit(pool, half);' 'this function has an argument: soon_submit(pool, fn, value)'
    wrong 'x = soon_try_submit(&f, pool, half);' 'this function has an argument'
    wrong 'f = soon_submit_with(pool, (0), half);' 'this function has an argument'
    wrong 'f = soon_apply_async(pool, NULL, NULL, NULL, half);' 'this function has an argument'
    wrong 'f = soon_submit(pool, reverse, "olleh", 5);' 'soon_bytes_by_its_own_submit'
    wrong 'f = soon_submit_with(pool, .label = "a", half, 7);' 'the options stand in parentheses'
    wrong 'f = soon_submit_with(pool, .label = "a", .priority = 1, half, 7);' 'the options stand in parentheses'
    wrong 'x = soon_try_submit_with(&f, pool, .label = "a", half, 7);' 'the options stand in parentheses'
    wrong 'x = soon_map_with(pool, .chunk = 8, half, &x, 1, &x, NULL);' 'the options stand in parentheses'
    wrong 'f = soon_map_async_with(pool, .chunk = 8, half, &x, 1);' 'the options stand in parentheses'
    wrong 'soon_thread_pool_new(&pool, NULL);' 'warn'
done
finish
