/*
 * lookup.c - the addresses of a server, by libuv's threads.
 *
 * The first lookup of the process makes libuv start its threads, and libuv ends the program if the system has none to
 * give. So as many are started here before, and ended again: if that fails, so does the lookup. In a forked child libuv
 * starts them anew. Only if others take the last threads at the same moment is there a gap.
 */
#include "lookup_internal.h"

#include "../../../futures/error.h"
#include "../../../futures/system_internal.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct soon__lookup {
    uv_getaddrinfo_t request;
    soon__lookup_fn found; /* NULL: nobody asks any more */
    void *owner;
};

/* As libuv counts them. */
enum { THREADS = 4, THREADS_MAX = 1024 };

static void *pass(void *gate)
{
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

/* Starts so many threads, which live at the same time. */
static int start_threads(pthread_t *threads, int count)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    int started = 0, error = 0;

    pthread_mutex_lock(&gate);
    while (started < count && error == 0) {
        error = pthread_create(&threads[started], NULL, pass, &gate);
        started += error == 0;
    }
    pthread_mutex_unlock(&gate);
    while (started > 0)
        pthread_join(threads[--started], NULL);
    pthread_mutex_destroy(&gate);
    return -error;
}

static int probe_threads(void)
{
    static _Thread_local uint32_t probed; /* generation, from 1 on: lookups are made on one thread, or on few */
    const char *said = getenv("UV_THREADPOOL_SIZE");
    int count = said ? atoi(said) : THREADS, rc;
    pthread_t *threads;
    sigset_t all, before;

    if (probed == soon__generation() + 1)
        return 0;
    count = count < 1 ? 1 : count > THREADS_MAX ? THREADS_MAX : count;
    threads = malloc((size_t)count * sizeof *threads);
    if (!threads)
        return -ENOMEM;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* they are no threads for the program's signals */
    rc = start_threads(threads, count);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    free(threads);
    probed = rc == 0 ? soon__generation() + 1 : 0;
    return rc;
}

static void copy(struct soon__addresses *ret, const struct addrinfo *info)
{
    ret->count = 0;
    for (; info && ret->count < SOON__ADDRESSES_MAX; info = info->ai_next) {
        if (info->ai_addrlen <= sizeof *ret->each)
            memcpy(&ret->each[ret->count++], info->ai_addr, info->ai_addrlen);
    }
}

static struct addrinfo hints_of(int flags)
{
    return (struct addrinfo){.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
}

bool soon__lookup_is_address(struct soon__addresses *ret, const struct soon__server *server)
{
    const struct addrinfo hints = hints_of(AI_NUMERICHOST);
    struct addrinfo *info;

    if (getaddrinfo(server->host, server->port, &hints, &info) != 0)
        return false;
    copy(ret, info);
    freeaddrinfo(info);
    return ret->count > 0;
}

static void on_found(uv_getaddrinfo_t *request, int status, struct addrinfo *info)
{
    struct soon__lookup *self = request->data;
    struct soon__addresses addresses;

    copy(&addresses, info);
    uv_freeaddrinfo(info);
    if (status == 0 && addresses.count == 0)
        status = UV_EAI_NODATA;
    if (self->found)
        self->found(self->owner, status == UV_EAI_MEMORY ? -ENOMEM : status, &addresses);
    free(self);
}

int soon__lookup_start(struct soon__lookup **ret, uv_loop_t *loop, const struct soon__server *server,
                       soon__lookup_fn found, void *owner)
{
    const struct addrinfo hints = hints_of(AI_ADDRCONFIG);
    int rc = probe_threads();
    struct soon__lookup *self = rc == 0 ? malloc(sizeof *self) : NULL;

    if (!self)
        return rc < 0 ? rc : -ENOMEM;
    self->request.data = self;
    self->found = found;
    self->owner = owner;
    rc = uv_getaddrinfo(loop, &self->request, on_found, server->host, server->port, &hints);
    if (rc < 0)
        free(self);
    else
        *ret = self;
    return rc;
}

void soon__lookup_let_go(struct soon__lookup *self)
{
    if (!self)
        return;
    self->found = NULL;
    uv_cancel((uv_req_t *)&self->request); /* it has not begun, or goes on to its end */
}

/* Of codes that it does not know libuv would allocate a text. */
const char *soon__lookup_text(int code)
{
    return code <= UV_EAI_ADDRFAMILY && code >= UV_EAI_PROTOCOL ? uv_strerror(code) : soon_strerror(code);
}
