/*
 * privileged.h - a task whose result is the rights with which it runs, for privileged.c and privileged_host.c.
 */
#ifndef SOON_TESTS_PRIVILEGED_H
#define SOON_TESTS_PRIVILEGED_H

#include <errno.h>
#include <linux/capability.h>
#include <soon.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

struct rights {
    uint32_t user, group, capabilities; /* effective user and group; the first 32 permitted capabilities */
};

SOON_TASK(tell_rights, soon_none, struct rights)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0}};

    if (syscall(SYS_capget, &header, sets) < 0)
        return soon_raise(task, errno, "%d", arg->none);
    *result = (struct rights){.user = geteuid(), .group = getegid(), .capabilities = sets[0].permitted};
    return 0;
}

#endif
