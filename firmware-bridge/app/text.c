#include "text.h"

static void put_char(struct text *t, char c)
{
    if (t->len < t->cap)
        t->out[t->len++] = c;
}

void text_put(struct text *t, const char *s)
{
    while (*s)
        put_char(t, *s++);
}

void text_put_number(struct text *t, uint64_t n)
{
    char digits[20];
    size_t count = 0;

    do
        digits[count++] = (char)('0' + n % 10);
    while (n /= 10);
    while (count)
        put_char(t, digits[--count]);
}

static void put_hex(struct text *t, unsigned word)
{
    int shift = 12;

    while (shift && !(word >> shift))
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        put_char(t, "0123456789abcdef"[word >> shift & 15]);
}

/* The longest run of two or more zero words, the first of equals (RFC 5952 section 4.2). */
static int longest_zeros(const unsigned word[8], int *run)
{
    int best = -1;

    *run = 1;
    for (int i = 0; i < 8; i++) {
        int n = 0;

        while (i + n < 8 && !word[i + n])
            n++;
        if (n > *run) {
            *run = n;
            best = i;
        }
    }
    return best;
}

static void put_v6(struct text *t, const uint8_t ip[16])
{
    unsigned word[8];
    int run, gap;

    for (int i = 0; i < 8; i++)
        word[i] = (unsigned)ip[2 * i] << 8 | ip[2 * i + 1];
    gap = longest_zeros(word, &run);
    for (int i = 0; i < 8; i++) {
        if (i == gap) {
            text_put(t, "::");
            i += run - 1;
            continue;
        }
        if (i && i != gap + run)
            put_char(t, ':');
        put_hex(t, word[i]);
    }
}

void text_put_ip(struct text *t, const struct tn_addr *a)
{
    if (!tn_addr_is_v4(a)) {
        put_v6(t, a->ip);
        return;
    }
    for (int i = 12; i < 16; i++) {
        if (i > 12)
            put_char(t, '.');
        text_put_number(t, a->ip[i]);
    }
}
