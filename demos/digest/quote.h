/*
 * quote.h - names for people.
 */
#ifndef DIGEST_QUOTE_H
#define DIGEST_QUOTE_H

/*
 * The name as the GNU tools show it in messages: as it is if a shell would take it for one word and it has no colon,
 * else in quotes, which a shell would take back: 'two words', "it's", 'a'$'\n''b'. What cannot be printed in the locale
 * is octal. To be freed; NULL: no memory.
 */
char *quote(const char *name);

#endif
