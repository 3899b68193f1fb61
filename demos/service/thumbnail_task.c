/*
 * thumbnail_task.c - a smaller image, by libgd. On the workers' side: what a hostile image can do to the decoder, it
 * does to a worker.
 *
 * libgd allocates what an image says that it needs. So its size is read first, from the head of the file.
 */
#include "root.h"
#include "tasks.h"

#include <errno.h>
#include <fcntl.h>
#include <gd.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FILE_MAX = 64 * 1024 * 1024,   /* bytes */
    PIXELS_MAX = 40 * 1000 * 1000, /* 160 MB, decoded */
    JPEG_QUALITY = 85,
    STAGES = 4
};

static const unsigned char png_head[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

static uint32_t number_at(const unsigned char *at, int bytes)
{
    uint32_t number = 0;
    while (bytes-- > 0)
        number = number << 8 | *at++;
    return number;
}

static bool is_png(soon_bytes file)
{
    return file.size >= 24 && memcmp(file.data, png_head, 16) == 0;
}

/* In a JPEG segments follow one another, each with its length; a "start of frame" has the size. */
static bool find_jpeg_size(soon_bytes file, uint32_t *ret_width, uint32_t *ret_height)
{
    const unsigned char *data = file.data;
    if (file.size < 4 || memcmp(data, "\xff\xd8\xff", 3) != 0)
        return false;
    for (size_t at = 2; at + 9 < file.size && data[at] == 0xff; at += 2 + number_at(data + at + 2, 2)) {
        unsigned marker = data[at + 1];
        if (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc) {
            *ret_height = number_at(data + at + 5, 2);
            *ret_width = number_at(data + at + 7, 2);
            return true;
        }
    }
    return false;
}

/* Returns: 0, or an errno value, which `ret_text` explains. */
static int check_size(soon_bytes file, const char **ret_text)
{
    uint32_t width = 0, height = 0;
    if (is_png(file)) {
        width = number_at((const unsigned char *)file.data + 16, 4);
        height = number_at((const unsigned char *)file.data + 20, 4);
    } else if (!find_jpeg_size(file, &width, &height)) {
        *ret_text = "it is no PNG and no JPEG";
        return EINVAL;
    }
    *ret_text = "it has too many pixels, or none";
    return width == 0 || height == 0 || width > PIXELS_MAX / height ? EINVAL : 0;
}

/* Reads all of a file. Returns: 0, and memory to be freed; or an errno value. */
static int read_file(const char *path, void **ret_data, size_t *ret_size)
{
    struct stat status;
    int fd = root_open(path, O_RDONLY), error = 0;
    if (fd < 0)
        return errno;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size > FILE_MAX)
        error = S_ISREG(status.st_mode) ? EFBIG : EINVAL;
    char *data = error ? NULL : malloc((size_t)status.st_size + 1);
    size_t size = 0;
    ssize_t got = 0;
    while (data && size < (size_t)status.st_size && (got = read(fd, data + size, (size_t)status.st_size - size)) > 0)
        size += (size_t)got;
    if (!error)
        error = !data ? ENOMEM : got < 0 ? errno : 0;
    close(fd);
    *ret_data = data;
    *ret_size = size;
    return error;
}

/* What fits into the wanted size with the image's proportions, and is not larger than it. */
static void fit(const struct thumbnail_arg *wanted, gdImagePtr source, struct thumbnail_result *ret)
{
    int64_t w = gdImageSX(source), h = gdImageSY(source), width = wanted->width, height = wanted->height;
    ret->source_width = (int32_t)w;
    ret->source_height = (int32_t)h;
    if (width > w)
        width = w;
    if (width * h / w > height)
        width = height * w / h;
    if (width < 1)
        width = 1;
    height = (width * h + w / 2) / w;
    ret->width = (int32_t)width;
    ret->height = (int32_t)(height < 1 ? 1 : height > wanted->height ? wanted->height : height);
}

static gdImagePtr scale(gdImagePtr source, const struct thumbnail_result *size, bool jpeg)
{
    gdImagePtr small = gdImageCreateTrueColor(size->width, size->height);
    if (!small)
        return NULL;
    gdImageAlphaBlending(small, jpeg); /* JPEG has no transparency: what is behind is white */
    gdImageSaveAlpha(small, !jpeg);
    gdImageFilledRectangle(small, 0, 0, size->width, size->height,
                           jpeg ? gdTrueColor(255, 255, 255) : gdTrueColorAlpha(0, 0, 0, gdAlphaTransparent));
    gdImageCopyResampled(small, source, 0, 0, 0, 0, size->width, size->height, size->source_width, size->source_height);
    return small;
}

static int return_image(soon_task *task, gdImagePtr image, bool jpeg)
{
    int size = 0;
    soon_buffer *buffer = NULL;
    void *data = jpeg ? gdImageJpegPtr(image, &size, JPEG_QUALITY) : gdImagePngPtr(image, &size);
    if (data && soon_buffer_new(&buffer, (size_t)size) == 0)
        memcpy(soon_buffer_data(buffer), data, (size_t)size);
    gdFree(data);
    return buffer ? soon_task_return_payload(task, buffer) : -ENOMEM;
}

/* The text of what is wrong; NULL: nothing. */
static const char *make(soon_task *task, soon_bytes file, const struct thumbnail_arg *arg, struct thumbnail_result *ret)
{
    const char *text;
    if (check_size(file, &text) != 0)
        return text;
    soon_task_set_progress(task, 1, STAGES);
    gdImagePtr source = is_png(file) ? gdImageCreateFromPngPtr((int)file.size, (void *)file.data)
                                     : gdImageCreateFromJpegPtr((int)file.size, (void *)file.data);
    if (!source)
        return "it cannot be decoded";
    soon_task_set_progress(task, 2, STAGES);
    fit(arg, source, ret);
    gdImagePtr small = scale(source, ret, arg->jpeg);
    gdImageDestroy(source);
    soon_task_set_progress(task, 3, STAGES);
    bool good = small && return_image(task, small, arg->jpeg) == 0;
    if (small)
        gdImageDestroy(small);
    soon_task_set_progress(task, STAGES, STAGES);
    return good ? NULL : "there is not enough memory";
}

static void say_nothing(int priority, const char *format, va_list arguments)
{
    (void)priority, (void)format, (void)arguments;
}

SOON_TASK_DEFINE(thumbnail)
{
    soon_buffer *upload = soon_task_payload(task);
    const char *path = soon_task_extra(task).data, *text;
    void *data = NULL;
    size_t size = 0;
    place_take(task, arg->place);
    soon_task_set_progress(task, 0, STAGES);
    gdSetErrorMethod(say_nothing);
    int error = upload ? 0 : read_file(path, &data, &size);
    if (error)
        return soon_raise(task, error, "%s: %s", path, strerror(error));
    soon_bytes file = {upload ? soon_buffer_data(upload) : data, upload ? soon_buffer_size(upload) : size};
    text = file.size > FILE_MAX ? "it is too large" : make(task, file, arg, result);
    free(data);
    return text ? soon_raise(task, EINVAL, "%s: %s", upload ? "the upload" : path, text) : 0;
}
