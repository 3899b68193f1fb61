/*
 * system_linux.c - what this process is to Linux, and what Linux lets it do.
 */
#include "system_internal.h"

#include "../../futures/system_internal.h"
#include "ipc_internal.h"
#include "process_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

bool soon__is_privileged(void)
{
    return getauxval(AT_SECURE) != 0;
}

int soon__drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

    return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

int soon__own_program(void)
{
    int fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

int soon__signal_at_end_of_parent(int signal)
{
    return prctl(PR_SET_PDEATHSIG, signal) < 0 ? -errno : 0;
}

static int try_all(void)
{
    int rc, fd;

    fd = soon__process_watch(getpid());
    if (fd < 0)
        return fd;
    rc = soon__process_may_signal(fd);
    close(fd);
    if (rc < 0)
        return rc;
    fd = soon__shm_new(1);
    if (fd < 0)
        return fd;
    rc = soon__shm_close_to_writers(fd);
    close(fd);
    if (rc < 0)
        return rc;
    fd = soon__bell_new();
    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

int soon__processes_supported(void)
{
    static _Atomic bool known;
    int rc;

    /* Relaxed, both: each thread finds out the same. A failure is not noted, since a lack of memory or descriptors
     * passes. */
    if (atomic_load_explicit(&known, memory_order_relaxed))
        return 0;
    rc = try_all();
    if (rc == 0)
        atomic_store_explicit(&known, true, memory_order_relaxed);
    return rc;
}
