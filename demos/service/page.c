/*
 * page.c - finding a file of the page, and reading them from a folder, which main() does before it serves.
 */
#include "page.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int read_file(const char *folder, const char *name, char **ret, size_t *ret_size)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "re");
    long size = file && fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    int rc = size < 0 ? -errno : 0;
    *ret = size < 0 ? NULL : malloc((size_t)size + 1);
    if (*ret) {
        rewind(file);
        *ret_size = fread(*ret, 1, (size_t)size, file);
    }
    if (file)
        fclose(file);
    return rc < 0 || *ret ? rc : -ENOMEM;
}

int page_init(struct page *page, const char *folder)
{
    *page = (struct page){0};
    for (; page_embedded[page->count].name && page->count < PAGE_FILES_MAX; page->count++) {
        struct page_file *file = &page->files[page->count];
        *file = page_embedded[page->count];
        int rc = folder ? read_file(folder, file->name, &page->memory[page->count], &file->size) : 0;
        if (rc < 0)
            return rc;
        if (folder)
            file->data = page->memory[page->count];
    }
    return 0;
}

void page_fini(struct page *page)
{
    for (size_t i = 0; i < page->count; i++)
        free(page->memory[i]);
}

const struct page_file *page_find(const struct page *page, const char *path)
{
    const char *name = strcmp(path, "/") == 0 ? "index.html" : path + 1;
    for (size_t i = 0; i < page->count; i++)
        if (strcmp(page->files[i].name, name) == 0)
            return &page->files[i];
    return NULL;
}
