/*
 * leftovers.c - what a task may leave behind in its process: prints that are still in a buffer, and an alarm.
 *
 * Prints in a buffer would be lost with the worker, or come twice when a later task forks. So they are written before
 * the outcome of the task is told, and before a fork. An alarm would end a later task. To cancel it takes a system
 * call, which costs as much as a small task; so that is done only if an object that is loaded could have set one: it
 * asks for one of these functions by name.
 */
#include "leftovers_internal.h"

#include "../../../futures/system_internal.h"

#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

/*
 * Prints
 */

/* Not while a thread that the task has left behind is printing, since that may never end. */
static void write_out(FILE *file)
{
    if (__fpending(file) == 0 || ftrylockfile(file) != 0)
        return;
    fflush(file);
    funlockfile(file);
}

static void write_all_out(void)
{
    write_out(stdout);
    write_out(stderr);
}

/*
 * Alarms
 */

static bool has_alarms;

/* In a static program these are there if it uses them. They are weak, so that this file does not ask for them. */
extern __typeof__(alarm) alarm __attribute__((weak));
extern __typeof__(setitimer) setitimer __attribute__((weak));

static bool is_of_alarms(const char *name)
{
    return strcmp(name, "alarm") == 0 || strcmp(name, "setitimer") == 0 || strcmp(name, "ualarm") == 0;
}

/* What is read of the dynamic section of an object. */
struct section {
    const ElfW(Sym) * symbols;
    const char *names;
    size_t count;
};

/* An address, if the section was relocated; else an offset. */
static const void *address_in(const struct dl_phdr_info *object, ElfW(Addr) value)
{
    return (const void *)(value < object->dlpi_addr ? object->dlpi_addr + value : value);
}

/* The GNU hash table, whose second word says with which symbol it begins. It has the symbols that are asked for and
 * have an address, too, as in a program that is not position-independent. */
static size_t count_of(const uint32_t *gnu)
{
    uint32_t buckets = gnu[0], first = gnu[1], last = 0;
    const uint32_t *bucket = (const uint32_t *)((const ElfW(Addr) *)(gnu + 4) + gnu[2]), *chain = bucket + buckets;

    for (uint32_t i = 0; i < buckets; i++)
        last = bucket[i] > last ? bucket[i] : last;
    if (last < first)
        return first;
    while (!(chain[last - first] & 1))
        last++;
    return (size_t)last + 1;
}

static bool read_section(const struct dl_phdr_info *object, const ElfW(Dyn) * entry, struct section *ret)
{
    const uint32_t *gnu = NULL, *old = NULL;

    *ret = (struct section){.count = 0};
    for (; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_SYMTAB)
            ret->symbols = address_in(object, entry->d_un.d_ptr);
        else if (entry->d_tag == DT_STRTAB)
            ret->names = address_in(object, entry->d_un.d_ptr);
        else if (entry->d_tag == DT_GNU_HASH)
            gnu = address_in(object, entry->d_un.d_ptr);
        else if (entry->d_tag == DT_HASH)
            old = address_in(object, entry->d_un.d_ptr);
    }
    ret->count = gnu ? count_of(gnu) : old ? old[1] : 0;
    return ret->symbols && ret->names && ret->count;
}

static bool asks_for_alarms(const struct section *section)
{
    for (size_t i = 0; i < section->count; i++) {
        const ElfW(Sym) *symbol = &section->symbols[i];

        if (symbol->st_shndx == SHN_UNDEF && symbol->st_info >> 4 == STB_GLOBAL &&
            is_of_alarms(section->names + symbol->st_name))
            return true;
    }
    return false;
}

/* `is_dynamic`: an object has a loader. The program itself is the first of the objects. */
static int look_at(struct dl_phdr_info *object, size_t size, void *is_dynamic)
{
    struct section section;

    (void)size;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        if (object->dlpi_phdr[i].p_type == PT_INTERP)
            *(bool *)is_dynamic = true;
        if (object->dlpi_phdr[i].p_type != PT_DYNAMIC)
            continue;
        if (read_section(object, address_in(object, object->dlpi_addr + object->dlpi_phdr[i].p_vaddr), &section) &&
            asks_for_alarms(&section))
            return 1;
    }
    return 0;
}

int soon__leftovers_init(void)
{
    bool is_dynamic = false;

    has_alarms = dl_iterate_phdr(look_at, &is_dynamic) == 1;
    if (!has_alarms && !is_dynamic)
        has_alarms = alarm || setitimer;
    soon__before_leaving_child(write_all_out); /* the child's own: the parent's were written before the fork */
    return -pthread_atfork(write_all_out, NULL, NULL);
}

void soon__leftovers_clear(void)
{
    write_all_out();
    if (has_alarms)
        syscall(SYS_setitimer, ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
}
