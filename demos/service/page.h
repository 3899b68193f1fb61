/*
 * page.h - the files of the page: those in the program, or those of a folder, read once at the start.
 */
#ifndef SERVICE_PAGE_H
#define SERVICE_PAGE_H

#include <stddef.h>

struct page_file {
    const char *path, *name, *type;
    const void *data;
    size_t size;
};

enum { PAGE_FILES = 3 };

struct page {
    struct page_file files[PAGE_FILES];
    char *memory[PAGE_FILES]; /* NULL: it is in the program */
};

/* `folder` NULL: the files in the program. Returns: 0, or a negative errno value: one of them cannot be read. */
int page_init(struct page *page, const char *folder);

void page_fini(struct page *page);

/* The file at a path of a URL; NULL: there is none. */
const struct page_file *page_find(const struct page *page, const char *path);

#endif
