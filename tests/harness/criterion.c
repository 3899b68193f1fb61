/*
 * criterion.c - main() of a test program that Criterion runs.
 */
#include <criterion/criterion.h>
#include <soon.h>

int main(int argc, char **argv)
{
    if (soon_init(argc, argv) < 0)
        return 1;

    struct criterion_test_set *tests = criterion_initialize();
    bool failed = criterion_handle_args(argc, argv, true) && !criterion_run_all_tests(tests);
    criterion_finalize(tests);
    return failed;
}
