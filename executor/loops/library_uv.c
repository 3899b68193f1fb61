/*
 * library_uv.c - libuv's part of the library's loop is made and closed so that libuv finds what it needs: it ends the
 * program where it does not.
 */
#include "library_uv_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * What libuv must be able to get: B3 in library_loop.c. Copies of a descriptor take the places of those that libuv will
 * make. They also take those of input, output and errors in a program that has closed these: libuv ends a program in
 * which a descriptor of its own has one of these numbers.
 */
enum { PLACES = 16, PLACES_MIN = 10, WATCHES = 4, MEMORY = 1 << 16 };

struct places {
    int taken[PLACES];
    int count;
};

static void give_places(struct places *places, int down_to)
{
    for (int i = places->count; i > 0; i--) {
        if (places->taken[i - 1] < down_to)
            continue;
        close(places->taken[i - 1]);
        places->taken[i - 1] = places->taken[--places->count];
    }
}

static int take_places(struct places *places, int of)
{
    int fd, above = 0;

    for (places->count = 0; above < PLACES_MIN;) {
        fd = fcntl(of, F_DUPFD_CLOEXEC, 0);
        if (fd < 0) {
            int error = errno;

            give_places(places, 0);
            return -error;
        }
        places->taken[places->count++] = fd;
        if (fd > STDERR_FILENO)
            above++;
    }
    return 0;
}

/* Is there room for so many in an epoll set? */
static int probe_watches(struct soon__watches *set, const struct places *places)
{
    struct soon__watch watches[WATCHES] = {{NULL, 0, false}};
    int rc = 0;

    for (int i = 0; i < WATCHES && rc == 0; i++)
        rc = soon__watches_add(set, &watches[i], places->taken[places->count - 1 - i], true);
    for (int i = 0; i < WATCHES; i++)
        soon__watches_remove(set, &watches[i]);
    return rc;
}

static int probe_memory(const struct places *places)
{
    /* libuv has an array with a place for each descriptor up to its own. */
    void *memory = malloc(MEMORY + 4 * sizeof(void *) * (size_t)places->taken[places->count - 1]);

    free(memory);
    return memory ? 0 : -ENOMEM;
}

/* A loop without handles would not poll. */
static void poll_once(uv_loop_t *uv)
{
    uv_timer_t first;

    uv_timer_init(uv, &first);
    uv_close((uv_handle_t *)&first, NULL);
    uv_run(uv, UV_RUN_NOWAIT); /* after that it is closed */
}

int soon__uv_open(uv_loop_t *uv, struct soon__watches *set)
{
    struct places places;
    int rc = take_places(&places, set->wake);

    if (rc < 0)
        return rc;
    rc = probe_watches(set, &places);
    if (rc == 0)
        rc = probe_memory(&places);
    if (rc == 0) {
        give_places(&places, STDERR_FILENO + 1);
        rc = uv_loop_init(uv);
    }
    if (rc == 0)
        poll_once(uv);
    give_places(&places, 0);
    return rc;
}

static void close_handle(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void soon__uv_close_inherited(uv_loop_t *uv, struct soon__watches *set)
{
    struct places places;

    if (take_places(&places, set->wake) < 0)
        places.count = 0;
    give_places(&places, STDERR_FILENO + 1);
    if (uv_loop_fork(uv) == 0) {
        uv_walk(uv, close_handle, NULL);
        uv_run(uv, UV_RUN_NOWAIT);
        uv_loop_close(uv);
    }
    give_places(&places, 0);
}
