/*
 * page.c - the files themselves come from page/, by embed.py.
 */
#include "page.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Made by embed.py, in this order. */
extern const unsigned char page_index_html[], page_page_css[], page_page_js[];
extern const size_t page_index_html_size, page_page_css_size, page_page_js_size;

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
    *page = (struct page){
        {
            {"/", "index.html", "text/html; charset=utf-8", page_index_html, page_index_html_size},
            {"/page.css", "page.css", "text/css; charset=utf-8", page_page_css, page_page_css_size},
            {"/page.js", "page.js", "text/javascript; charset=utf-8", page_page_js, page_page_js_size},
        },
        {0},
    };
    for (int i = 0; folder && i < PAGE_FILES; i++) {
        struct page_file *file = &page->files[i];
        int rc = read_file(folder, file->name, &page->memory[i], &file->size);
        if (rc < 0)
            return rc;
        file->data = page->memory[i];
    }
    return 0;
}

void page_fini(struct page *page)
{
    for (int i = 0; i < PAGE_FILES; i++)
        free(page->memory[i]);
}

const struct page_file *page_find(const struct page *page, const char *path)
{
    for (int i = 0; i < PAGE_FILES; i++)
        if (strcmp(page->files[i].path, path) == 0)
            return &page->files[i];
    return NULL;
}
