/*
 * file.c - see file_internal.h.
 */
#include "file_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static const char closing[] = "\n]\n";
enum { CLOSING = sizeof closing - 1, NUMBER = 20 /* digits of a uint64_t */ };

/* 0, or why not all of it was written. */
static int write_at(int fd, const char *bytes, size_t size, off_t at)
{
    ssize_t written;

    for (; size; bytes += written, size -= (size_t)written, at += written) {
        written = pwrite(fd, bytes, size, at);
        if (written < 0 && errno == EINTR)
            written = 0;
        else if (written <= 0)
            return written < 0 ? -errno : -ENOSPC;
    }
    return 0;
}

static int begin(struct soon__trace_file *file, pid_t pid, int64_t started_ns)
{
    char line[200];
    int before = snprintf(line, sizeof line,
                          "[\n{\"name\":\"soon_trace\",\"ph\":\"M\",\"pid\":%d,\"tid\":0,"
                          "\"args\":{\"started_ns\":%" PRId64 ",\"dropped\":",
                          (int)pid, started_ns);
    int size = before + snprintf(line + before, sizeof line - (size_t)before, "%*d}}%s", NUMBER, 0, closing);

    file->number_at = before;
    file->number = 0;
    file->end = size - CLOSING;
    return write_at(file->fd, line, (size_t)size, 0);
}

/* Locks it before it is emptied: F4. */
static int take(struct soon__trace_file *file, pid_t pid, int64_t started_ns)
{
    int rc;

    if (lseek(file->fd, 0, SEEK_CUR) < 0)
        return -errno;
    if (flock(file->fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        return -EBUSY;
    if (ftruncate(file->fd, 0) < 0 && errno != EINVAL) /* a device has no length */
        return -errno;
    rc = begin(file, pid, started_ns);
    if (rc < 0)
        (void)!ftruncate(file->fd, 0);
    return rc;
}

int soon__trace_file_open(struct soon__trace_file *file, const char *path, pid_t pid, int64_t started_ns)
{
    int rc;

    /* A pipe without a reader must not hold the program up. */
    file->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
    if (file->fd < 0)
        return -errno;
    rc = take(file, pid, started_ns);
    if (rc < 0)
        close(file->fd);
    return rc;
}

int soon__trace_file_add(struct soon__trace_file *file, char *lines, size_t size)
{
    int rc;

    if (!size)
        return 0;
    memcpy(lines + size, closing, CLOSING);
    rc = write_at(file->fd, lines, size + CLOSING, file->end);
    if (rc == 0) {
        file->end += (off_t)size;
        return 0;
    }
    /* F2. If that fails too, the file has lost its end, which the format allows. */
    if (write_at(file->fd, closing, CLOSING, file->end) == 0)
        (void)!ftruncate(file->fd, file->end + CLOSING);
    return rc;
}

void soon__trace_file_set_dropped(struct soon__trace_file *file, uint64_t dropped)
{
    char number[NUMBER + 1];

    if (dropped == file->number)
        return;
    snprintf(number, sizeof number, "%*" PRIu64, NUMBER, dropped);
    if (write_at(file->fd, number, NUMBER, file->number_at) == 0)
        file->number = dropped;
}

void soon__trace_file_unlock(struct soon__trace_file *file)
{
    (void)flock(file->fd, LOCK_UN);
}

void soon__trace_file_close(struct soon__trace_file *file)
{
    close(file->fd);
}
