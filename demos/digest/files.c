/*
 * files.c - walks the arguments and the folders among them.
 */
#include "files.h"
#include "output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder that was read: its entries from `next` on are still to come. */
struct level {
    struct level *below;
    size_t stem; /* how much of files->path is this folder's name, with its "/" */
    size_t next, count;
    const char **names; /* sorted; folders end in "/" */
    char *text;         /* the names, each with its 0 */
    size_t size, capacity;
};

void files_init(struct files *files, char *const *paths, bool (*stopped)(const void *data), const void *data)
{
    *files = (struct files){.paths = paths, .stopped = stopped, .data = data};
}

static void pop(struct files *files)
{
    struct level *level = files->top;
    files->top = level->below;
    free(level->names);
    free(level->text);
    free(level);
}

void files_fini(struct files *files)
{
    while (files->top)
        pop(files);
    free(files->path);
}

/* The path becomes its first `stem` bytes, which end in a slash, and then `name`. */
static void set_path(struct files *files, size_t stem, const char *name)
{
    size_t size = strlen(name) + 1;
    if (stem + size > files->capacity) {
        files->capacity = 2 * (stem + size);
        files->path = must(realloc(files->path, files->capacity));
    }
    memcpy(files->path + stem, name, size);
    if (stem)
        files->path[stem - 1] = '/';
}

/* Whether it is a folder, a regular file or something else. Not every file system says that with the name. */
static unsigned char type_of(DIR *folder, const struct dirent *found)
{
    struct stat status;
    if (found->d_type != DT_UNKNOWN)
        return found->d_type;
    if (fstatat(dirfd(folder), found->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return DT_REG; /* opening it fails too, and says why */
    return IFTODT(status.st_mode);
}

static void add_name(struct level *level, const char *name, bool folder)
{
    size_t length = strlen(name);
    if (level->size + length + 2 > level->capacity) {
        level->capacity = 2 * (level->size + length + 2);
        level->text = must(realloc(level->text, level->capacity));
    }
    memcpy(level->text + level->size, name, length);
    level->size += length;
    if (folder)
        level->text[level->size++] = '/';
    level->text[level->size++] = 0;
    level->count++;
}

/* Returns: 0, or an errno value: the names are not all. */
static int read_names(struct level *level, DIR *folder)
{
    const struct dirent *found;
    while ((errno = 0, found = readdir(folder))) {
        if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0)
            continue;
        unsigned char type = type_of(folder, found);
        if (type == DT_REG || type == DT_DIR)
            add_name(level, found->d_name, type == DT_DIR);
    }
    return errno;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort_names(struct level *level)
{
    const char *name = level->text;
    level->names = must(malloc((level->count + 1) * sizeof *level->names));
    for (size_t i = 0; i < level->count; i++, name += strlen(name) + 1)
        level->names[i] = name;
    qsort(level->names, level->count, sizeof *level->names, by_bytes);
}

/* Goes into the folder that the path names. Returns: 0, or an errno value: it could not be read, or not to its end. */
static int push(struct files *files, int flags)
{
    flags |= O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    int fd = files->open ? files->open(files->path, flags) : open(files->path, flags);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (!folder) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        return error;
    }
    struct level *level = must(calloc(1, sizeof *level));
    size_t length = strlen(files->path);
    level->stem = files->path[length - 1] == '/' ? length : length + 1;
    int error = read_names(level, folder);
    closedir(folder);
    sort_names(level);
    level->below = files->top;
    files->top = level;
    return error;
}

/* Whether this name means something else in another process. */
static bool is_own(const char *path)
{
    static const char *const folders[] = {"/dev/fd/", "/dev/std", "/proc/self/", "/proc/thread-self/"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (strncmp(path, folders[i], strlen(folders[i])) == 0)
            return true;
    return false;
}

/* Begins with an argument. Returns: whether it is itself a file to hand out. */
static bool begin_path(struct files *files, const char *path, struct entry *ret)
{
    struct stat status;
    set_path(files, 0, path);
    ret->stream = strcmp(path, "-") == 0;
    if (ret->stream)
        return true;
    if (stat(path, &status) != 0) {
        ret->error = errno;
        return true;
    }
    ret->stream = (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) || is_own(path);
    if (!S_ISDIR(status.st_mode))
        return true;

    ret->error = push(files, 0);
    return ret->error != 0;
}

/* Goes on with the next name of the current folder. Returns: whether it is a file to hand out. */
static bool next_name(struct files *files, struct entry *ret)
{
    const struct level *level = files->top;
    if (level->next == level->count) {
        pop(files);
        return false;
    }
    set_path(files, level->stem, level->names[level->next]);
    files->top->next++;
    size_t length = strlen(files->path);
    if (files->path[length - 1] != '/')
        return true;

    files->path[length - 1] = 0;
    ret->error = push(files, O_NOFOLLOW); /* somebody may have put a link in its place */
    return ret->error != 0;
}

bool files_next(struct files *files, struct entry *ret)
{
    while (!files->stopped(files->data)) {
        *ret = (struct entry){0};
        if (!files->top && !*files->paths)
            return false;
        if (files->top ? next_name(files, ret) : begin_path(files, *files->paths++, ret)) {
            ret->name = files->path;
            return true;
        }
    }
    return false;
}
