/*
 * shared_failure.c - shared memory when there is none, or no descriptor for it.
 */
#include "../harness/fail.h"
#include "../harness/test.h"

#include <errno.h>
#include <fcntl.h>
#include <soon.h>
#include <sys/resource.h>
#include <unistd.h>

Test(shared_failure, of_each_allocation_is_told_and_leaves_nothing_behind)
{
    soon_shared *shared = NULL;
    size_t nth = 1;
    int rc;

    for (;; nth++) {
        fail_nth(nth);
        rc = soon_shared_new(&shared, 100000);
        if (fail_stop() < nth)
            break;
        cr_assert(rc == 0 || rc == -ENOMEM || rc == -EMFILE, "call %zu: %s", nth, soon_errname(rc));
        if (rc == 0) /* the system was asked again, in another way */
            soon_shared_unref(shared);
        else
            cr_assert_null(shared, "call %zu", nth);
        shared = NULL;
    }

    cr_assert_eq(rc, 0);
    cr_assert_geq(nth, 4); /* the object, the memory, its size, the mapping */
    soon_shared_unref(shared);
}

Test(shared_failure, without_a_descriptor_is_told)
{
    soon_shared *shared = NULL;
    struct rlimit before, none;
    int free_one = open("/dev/null", O_RDONLY | O_CLOEXEC);

    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = (rlim_t)free_one;
    close(free_one);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);

    cr_assert_eq(soon_shared_new(&shared, 64), -EMFILE);

    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    cr_assert_null(shared);
}
