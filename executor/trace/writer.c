/*
 * writer.c - see writer_internal.h.
 */
#include "writer_internal.h"

#include "../../futures/system_internal.h"
#include "../loops/callback_thread_internal.h"
#include "../system/surroundings_internal.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Its thread
 */

static void add_text(struct soon__trace_writer *writer)
{
    int rc = soon__trace_file_add(&writer->own.file, writer->own.text, writer->own.used);

    if (rc < 0) {
        writer->own.lost += writer->own.events;
        writer->own.error = writer->own.error ? writer->own.error : rc;
    }
    writer->own.used = 0;
    writer->own.events = 0;
}

static uint64_t dropped(const struct soon__trace_writer *writer)
{
    /* Relaxed: a count. */
    return atomic_load_explicit(&writer->ring.dropped, memory_order_relaxed) + writer->own.lost;
}

/* Says how many events are missing, if there are more than before: with a mark in the picture, and in the first line.
 * */
static void tell_dropped(struct soon__trace_writer *writer)
{
    uint64_t now = dropped(writer);

    soon__trace_file_set_dropped(&writer->own.file, now);
    if (now == writer->own.told)
        return;
    writer->own.used = soon__trace_format_dropped(&writer->format, now, soon__clock_ns(), writer->own.text);
    if (soon__trace_file_add(&writer->own.file, writer->own.text, writer->own.used) == 0)
        writer->own.told = now;
    writer->own.used = 0;
}

static void write_all(struct soon__trace_writer *writer)
{
    const struct soon__trace_event *event;

    while ((event = soon__trace_ring_next(&writer->ring))) {
        writer->own.used += soon__trace_format(&writer->format, event, writer->own.text + writer->own.used);
        writer->own.events++;
        soon__trace_ring_pop(&writer->ring);
        if (writer->own.used > SOON__TRACE_TEXT_SIZE - SOON__TRACE_LINES_MAX)
            add_text(writer);
    }
    add_text(writer);
    tell_dropped(writer);
}

static void *run(void *data)
{
    struct soon__trace_writer *writer = data;
    bool stopping;

    soon__surroundings_give(soon__surroundings_of_process(), 0);
    pthread_setname_np(pthread_self(), "soon-trace");
    do {
        /* Acquire: pairs with the release in soon__trace_writer_stop(). Either its bell is found here, and so is what
         * it has said, or the bell is still rung below. */
        (void)atomic_exchange_explicit(&writer->bell, 0, memory_order_acquire);
        stopping = atomic_load_explicit(&writer->stopping, memory_order_acquire);
        write_all(writer);
        if (!stopping)
            soon__park(&writer->bell, 0, soon__clock_ns() + writer->flush_ns);
    } while (!stopping);
    return NULL;
}

/*
 * Start and stop
 */

static uint64_t cells_of(size_t buffer_size)
{
    uint64_t count = SOON__TRACE_CELLS_MIN;

    while (count < buffer_size / SOON__TRACE_CELL)
        count *= 2;
    return count;
}

static struct soon__trace_writer *writer_new(uint64_t cells)
{
    size_t size = sizeof(struct soon__trace_writer) + cells * SOON__TRACE_CELL;
    struct soon__trace_writer *writer =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (writer == MAP_FAILED)
        return NULL;
    writer->size = size;
    soon__trace_ring_init(&writer->ring, writer->cells, cells);
    return writer;
}

void soon__trace_writer_free(struct soon__trace_writer *writer)
{
    munmap(writer, writer->size);
}

int soon__trace_writer_start(struct soon__trace_writer **ret, const char *path, size_t buffer_size, int64_t flush_ns,
                             uint32_t number)
{
    struct soon__trace_writer *writer = buffer_size > SIZE_MAX / 4 ? NULL : writer_new(cells_of(buffer_size));
    int rc;

    if (!writer)
        return -ENOMEM;
    writer->flush_ns = flush_ns;
    writer->number = number;
    writer->format = (struct soon__trace_format){.pid = getpid(), .started_ns = soon__clock_ns()};
    rc = soon__trace_file_open(&writer->own.file, path, writer->format.pid, writer->format.started_ns);
    if (rc < 0)
        goto fail_file;
    /* The name of the program is the first that it writes. */
    writer->own.used = soon__trace_format_program(&writer->format, program_invocation_short_name, writer->own.text);
    rc = soon__library_thread_start(&writer->thread, run, writer);
    if (rc < 0)
        goto fail_thread;
    *ret = writer;
    return 0;

fail_thread:
    soon__trace_file_close(&writer->own.file);
fail_file:
    soon__trace_writer_free(writer);
    return rc;
}

void soon__trace_writer_wake(struct soon__trace_writer *writer)
{
    /* Relaxed, both: the ring publishes what is in it, and a bell that is seen late is rung again. */
    if (!atomic_load_explicit(&writer->bell, memory_order_relaxed) &&
        !atomic_exchange_explicit(&writer->bell, 1, memory_order_relaxed))
        soon__unpark_one(&writer->bell);
}

void soon__trace_writer_stop(struct soon__trace_writer *writer)
{
    /* Release: all that was pushed before is written; pairs with the acquire in run(). */
    atomic_store_explicit(&writer->stopping, true, memory_order_release);
    /* Release: `stopping`; pairs with the acquire of the exchange in run(). */
    atomic_store_explicit(&writer->bell, 1, memory_order_release);
    soon__unpark_one(&writer->bell);
    pthread_join(writer->thread, NULL);
    soon__trace_file_unlock(&writer->own.file);
}

int soon__trace_writer_close(struct soon__trace_writer *writer)
{
    soon__trace_file_close(&writer->own.file);
    return writer->own.error;
}
