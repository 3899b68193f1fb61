/*
 * soon.c - which version this is.
 */
#include "soon.h"

#define TEXT(number) #number
#define VERSION(major, minor, patch) TEXT(major) "." TEXT(minor) "." TEXT(patch)

const char *soon_version(void)
{
    return VERSION(SOON_VERSION_MAJOR, SOON_VERSION_MINOR, SOON_VERSION_PATCH);
}
