#include "at_scan.h"

bool at_scan_word(const char **p, const char *word)
{
    const char *s = *p;

    for (; *word; word++, s++)
        if (*s != *word)
            return false;
    *p = s;
    return true;
}

bool at_scan_number(const char **p, uint32_t most, uint32_t *out)
{
    const char *s = *p;
    uint64_t n = 0;

    while (*s == ' ')
        s++;
    if (*s < '0' || *s > '9')
        return false;
    for (; *s >= '0' && *s <= '9'; s++) {
        n = n * 10 + (uint32_t)(*s - '0');
        if (n > most)
            return false;
    }
    *p = s;
    *out = (uint32_t)n;
    return true;
}

bool at_scan_ip(const char **p, uint8_t out[4])
{
    const char *s = *p;
    bool is_quoted = *s == '"';
    uint8_t ip[4];
    uint32_t n;

    s += is_quoted;
    for (int i = 0; i < 4; i++) {
        if ((i && !at_scan_word(&s, ".")) || *s == ' ' || !at_scan_number(&s, 255, &n))
            return false;
        ip[i] = (uint8_t)n;
    }
    if (is_quoted && !at_scan_word(&s, "\""))
        return false;
    for (int i = 0; i < 4; i++)
        out[i] = ip[i];
    *p = s;
    return true;
}
