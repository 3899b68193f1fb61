/*
 * page.h - the files of the page: those in the program, or those of a folder, read once at the start.
 */
#ifndef SERVICE_PAGE_H
#define SERVICE_PAGE_H

#include <stddef.h>

struct page_file {
    const char *name, *type; /* of the file, of its content */
    const void *data;
    size_t size;
};

/* What the program has in it, up to one without a name. Made by embed.py from page/. */
extern const struct page_file page_embedded[];

enum { PAGE_FILES_MAX = 32 };

struct page {
    struct page_file files[PAGE_FILES_MAX];
    size_t count;
    char *memory[PAGE_FILES_MAX]; /* NULL: it is in the program */
};

/* `folder` NULL: the files in the program; else files with these names. Returns: 0, or a negative errno value. */
int page_init(struct page *page, const char *folder);

void page_fini(struct page *page);

/* The file at a path of a URL; "/" is index.html. NULL: there is none. */
const struct page_file *page_find(const struct page *page, const char *path);

#endif
