/*
 * criterion.c - main() of a test program that Criterion runs.
 */
#include "test.h"

#include <dlfcn.h>
#include <soon.h>
#include <stdio.h>
#include <unistd.h>

/*
 * These two replace functions of Criterion's that a failed assertion calls. From a forked child Criterion's own would
 * report the failure and then wait for an answer that never comes; and on another thread its jump to the beginning of
 * the test would be a jump to another thread's stack.
 */
void criterion_send_assert(struct criterion_assert_stats *assertion)
{
    void (*send)(struct criterion_assert_stats *);

    *(void **)&send = dlsym(RTLD_NEXT, "criterion_send_assert");
    if (send && test__in_its_process())
        send(assertion);
    else
        fprintf(stderr, "%s:%u: assertion failed in a forked child: %s\n", assertion->file, assertion->line,
                assertion->message);
}

void criterion_abort_test(void)
{
    void (*jump)(void);

    *(void **)&jump = dlsym(RTLD_NEXT, "criterion_abort_test");
    if (jump && test__on_its_thread())
        jump();
    _exit(1);
}

int main(int argc, char **argv)
{
    if (soon_init(argc, argv) < 0)
        return 1;
    test__use_usual_signals();

    struct criterion_test_set *tests = criterion_initialize();
    bool failed = criterion_handle_args(argc, argv, true) && !criterion_run_all_tests(tests);
    criterion_finalize(tests);
    return failed;
}
