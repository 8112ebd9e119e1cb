/* Reading a modem's lines, piece by piece; each returns false, and moves nothing, where the text is
 * something else. */
#ifndef AT_SCAN_H
#define AT_SCAN_H

#include <stdbool.h>
#include <stdint.h>

/* Skips `word` at *p. */
bool at_scan_word(const char **p, const char *word);
/* A decimal number up to `most`, blanks before it passed over. */
bool at_scan_number(const char **p, uint32_t most, uint32_t *out);
/* "1.2.3.4", in quotes or without. */
bool at_scan_ip(const char **p, uint8_t out[4]);

#endif
