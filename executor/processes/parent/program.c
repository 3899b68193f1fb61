/*
 * program.c - the file that workers execute.
 *
 * A descriptor holds it. As long as its path leads to it, the path is executed, since the system tells a script its own
 * name, by which it finds other files. Else the file is executed by the descriptor, for which the system needs /proc.
 */
#include "program_internal.h"

#include "../../../futures/error.h"
#include "../../system/spawn_internal.h"
#include "../../system/system_internal.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

static char *join(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);

    if (path)
        snprintf(path, size, "%s/%s", folder, name);
    return path;
}

char *soon__path_from_here(const char *path)
{
    char here[PATH_MAX];

    if (*path == '/' || !strchr(path, '/'))
        return strdup(path);
    return getcwd(here, sizeof here) ? join(here, path) : NULL;
}

/*
 * The loader or interpreter of a file
 */

static char *read_string(int fd, off_t at, size_t size)
{
    char text[PATH_MAX] = "";

    if (pread(fd, text, size < sizeof text ? size : sizeof text - 1, at) <= 0)
        return NULL;
    return strdup(text);
}

/* The interpreter of a script: "#! /bin/sh -e". */
static char *read_script(int fd)
{
    char *line = read_string(fd, 2, 256), *word;

    if (!line)
        return NULL;
    word = line + strspn(line, " \t");
    word[strcspn(word, " \t\n")] = '\0';
    memmove(line, word, strlen(word) + 1);
    return line;
}

static char *read_loader(int fd, const ElfW(Ehdr) * header)
{
    ElfW(Phdr) part;

    for (int i = 0; i < header->e_phnum; i++) {
        off_t at = (off_t)(header->e_phoff + (size_t)i * header->e_phentsize);

        if (pread(fd, &part, sizeof part, at) != (ssize_t)sizeof part)
            return NULL;
        if (part.p_type == PT_INTERP)
            return read_string(fd, (off_t)part.p_offset, part.p_filesz);
    }
    return NULL;
}

static char *read_needs(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ElfW(Ehdr) header = {.e_phnum = 0};
    ssize_t length;
    char *needs = NULL;

    if (fd < 0)
        return NULL; /* the system may be able to execute it all the same */
    length = pread(fd, &header, sizeof header, 0);
    if (length > 2 && memcmp(&header, "#!", 2) == 0)
        needs = read_script(fd);
    else if (length == (ssize_t)sizeof header && memcmp(&header, ELFMAG, SELFMAG) == 0)
        needs = read_loader(fd, &header);
    close(fd);
    return needs;
}

/*
 * Finding
 */

/* Takes `path`. */
static int hold(struct soon__program *program, char *path)
{
    int fd = open(path, O_PATH | O_CLOEXEC);

    if (fd < 0) {
        int error = errno;

        free(path);
        return -error;
    }
    *program = (struct soon__program){.path = path, .file = fd, .needs = read_needs(path)};
    return 0;
}

/* Where programs are. The PATH of a program with more rights than its user is the user's choice: then the system's is
 * taken. */
static char *search_path(void)
{
    const char *path = soon__is_privileged() ? NULL : getenv("PATH");
    char standard[256];

    if (path)
        return strdup(path);
    return confstr(_CS_PATH, standard, sizeof standard) > 0 ? strdup(standard) : NULL;
}

/* Tries one path, and takes `path`. `so_far`: why the paths before it could not be executed. */
static int try(struct soon__program *program, char *path, int so_far)
{
    struct stat file;

    if (stat(path, &file) == 0 && S_ISREG(file.st_mode)) {
        if (access(path, X_OK) == 0)
            return hold(program, path);
        so_far = -EACCES;
    }
    free(path);
    return so_far;
}

/* Finds the first that can be executed. Else returns why the last could not. */
static int search(struct soon__program *program, const char *name)
{
    char *path = search_path(), *rest = path, *folder, *whole, *candidate;
    int rc = path ? -ENOENT : -ENOMEM;

    while (rc < 0 && rc != -ENOMEM && (folder = strsep(&rest, ":"))) {
        candidate = join(*folder ? folder : ".", name);
        whole = candidate ? soon__path_from_here(candidate) : NULL;
        free(candidate);
        rc = whole ? try(program, whole, rc) : -errno;
    }
    free(path);
    return rc;
}

int soon__program_find(struct soon__program *program, const char *name)
{
    char *path;

    if (!*name)
        return -ENOENT;
    if (!strchr(name, '/'))
        return search(program, name);
    path = soon__path_from_here(name);
    return path ? hold(program, path) : -errno;
}

/* The first object is the program. If it needs a loader and the system has loaded none, it was started by hand: "ld.so
 * ./program". */
static int was_loaded_by_hand(struct dl_phdr_info *info, size_t size, void *unused)
{
    (void)size;
    (void)unused;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_INTERP)
            return getauxval(AT_BASE) == 0 ? 1 : -1;
    }
    return -1;
}

int soon__program_own(struct soon__program *program)
{
    int fd = soon__own_program();

    if (fd >= 0 && dl_iterate_phdr(was_loaded_by_hand, NULL) == 1) {
        close(fd);
        return SOON_ENOPROGRAM;
    }
    if (fd == -ENOENT)
        return SOON_ENOPROGRAM;
    if (fd < 0)
        return fd;
    *program = (struct soon__program){.file = fd, .needs = read_needs("/proc/self/exe")};
    return 0;
}

const char *soon__program_missing(const struct soon__program *program)
{
    if (!soon__leads_to(program->path, program->file) && access("/proc/self/fd", F_OK) < 0)
        return "/proc/self/fd (is /proc mounted?)";
    if (program->needs && access(program->needs, F_OK) < 0)
        return program->needs;
    return NULL;
}

void soon__program_fini(struct soon__program *program)
{
    if (program->file >= 0)
        close(program->file);
    free(program->path);
    free(program->needs);
    *program = (struct soon__program){.file = -1};
}
