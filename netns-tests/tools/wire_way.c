/* One way of the wire: a queue of frames, each with the time it is due.
 *
 * A frame first meets chance (loss), then the line (rate: it waits until the
 * frames before it have been clocked out; when too much waits it is dropped,
 * which is a router's buffer), then the distance (delay, jitter). Jitter never
 * lets a frame overtake another, since one cable does not; reorder does, on
 * purpose: such a frame goes to the head of the queue and is due at once.
 *
 * Time is a parameter and chance comes from a seed, so tests can hold the model
 * to exact numbers. */
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* what Ethernet adds to a frame on a real cable: preamble, checksum, gap */
#define LINE_OVERHEAD_BYTES 24

void wire_way_init(struct wire_way *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    w->random_state = seed;
    w->set.queue_bytes = 262144;
}

void wire_way_wipe(struct wire_way *w)
{
    while (w->first) {
        struct wire_frame *f = w->first;

        w->first = f->next;
        free(f);
    }
    w->last = NULL;
    w->held_bytes = 0;
}

/* SplitMix64 (Steele, Lea, Flood 2014), as a number in [0, 1). */
static double chance(struct wire_way *w)
{
    uint64_t z = w->random_state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (double)(z >> 11) / 9007199254740992.0;
}

static bool happens(struct wire_way *w, double percent)
{
    return percent > 0 && chance(w) * 100 < percent;
}

/* The time at which the line has clocked the frame out, or WIRE_NEVER when too
 * much waits for the line already. */
static int64_t through_the_line(struct wire_way *w, uint32_t len, int64_t now_ns)
{
    if (w->set.rate_kbit <= 0)
        return now_ns;
    double ns_per_byte = 8e6 / w->set.rate_kbit;
    int64_t start_ns = w->line_free_ns > now_ns ? w->line_free_ns : now_ns;
    double waiting_bytes = (double)(start_ns - now_ns) / ns_per_byte;

    if (waiting_bytes + len > w->set.queue_bytes)
        return WIRE_NEVER;
    w->line_free_ns = start_ns + (int64_t)((len + LINE_OVERHEAD_BYTES) * ns_per_byte);
    return w->line_free_ns;
}

static int64_t across_the_distance(struct wire_way *w, int64_t sent_ns)
{
    double delay_ms = w->set.delay_ms;

    if (w->set.jitter_ms > 0)
        delay_ms += (chance(w) * 2 - 1) * w->set.jitter_ms;
    int64_t due_ns = sent_ns + (int64_t)(delay_ms > 0 ? delay_ms * 1e6 : 0);

    /* a frame that follows one held longer waits behind it */
    if (w->first && due_ns < w->last_due_ns)
        due_ns = w->last_due_ns;
    w->last_due_ns = due_ns;
    return due_ns;
}

static void append(struct wire_way *w, struct wire_frame *f, bool at_head)
{
    if (!w->first) {
        w->first = w->last = f;
    } else if (at_head) {
        f->next = w->first;
        w->first = f;
    } else {
        w->last->next = f;
        w->last = f;
    }
    w->held_bytes += f->len;
}

void wire_way_push(struct wire_way *w, const uint8_t *data, uint32_t len, int64_t now_ns)
{
    w->count.received++;
    if (w->set.cut != 0 || happens(w, w->set.loss_pct)) {
        w->count.lost++;
        return;
    }
    int64_t sent_ns = through_the_line(w, len, now_ns);
    struct wire_frame *f = NULL;

    if (sent_ns != WIRE_NEVER && w->held_bytes + len <= WIRE_HELD_MAX_BYTES)
        f = malloc(sizeof *f + len);
    if (!f) {
        w->count.overflowed++;
        return;
    }
    bool overtakes = happens(w, w->set.reorder_pct);
    f->next = NULL;
    f->due_ns = overtakes ? sent_ns : across_the_distance(w, sent_ns);
    f->len = len;
    memcpy(f->data, data, len);
    append(w, f, overtakes);
}

struct wire_frame *wire_way_pop(struct wire_way *w, int64_t now_ns)
{
    struct wire_frame *f = w->first;

    if (!f || f->due_ns > now_ns)
        return NULL;
    w->first = f->next;
    if (!w->first)
        w->last = NULL;
    w->held_bytes -= f->len;
    if (now_ns - f->due_ns > w->count.late_max_ns)
        w->count.late_max_ns = now_ns - f->due_ns;
    return f;
}

int64_t wire_way_next_ns(const struct wire_way *w)
{
    return w->first ? w->first->due_ns : WIRE_NEVER;
}

/* What may be set, and within which bounds. */
static const struct {
    const char *name;
    size_t offset;
    double most;
} settings[] = {
    { "delay", offsetof(struct wire_settings, delay_ms), 60000 },
    { "jitter", offsetof(struct wire_settings, jitter_ms), 60000 },
    { "loss", offsetof(struct wire_settings, loss_pct), 100 },
    { "reorder", offsetof(struct wire_settings, reorder_pct), 100 },
    { "rate", offsetof(struct wire_settings, rate_kbit), 1e8 },
    { "queue", offsetof(struct wire_settings, queue_bytes), WIRE_HELD_MAX_BYTES },
    { "cut", offsetof(struct wire_settings, cut), 1 },
};

static bool apply_word(struct wire_settings set[2], const char *word)
{
    bool ab = strncmp(word, "ba.", 3) != 0;
    bool ba = strncmp(word, "ab.", 3) != 0;
    const char *name = ab && ba ? word : word + 3;
    const char *value = strchr(name, '=');
    char *end;

    if (!value)
        return false;
    double number = strtod(value + 1, &end);
    if (end == value + 1 || *end != '\0')
        return false;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        if (strlen(settings[i].name) != (size_t)(value - name) ||
            strncmp(settings[i].name, name, (size_t)(value - name)) != 0)
            continue;
        if (!(number >= 0 && number <= settings[i].most))
            return false;
        if (ab)
            memcpy((char *)&set[0] + settings[i].offset, &number, sizeof number);
        if (ba)
            memcpy((char *)&set[1] + settings[i].offset, &number, sizeof number);
        return true;
    }
    return false;
}

const char *wire_apply(struct wire_way way[2], char *words)
{
    struct wire_settings set[2] = { way[0].set, way[1].set };
    char *next = NULL;

    for (char *word = strtok_r(words, " \n", &next); word; word = strtok_r(NULL, " \n", &next))
        if (!apply_word(set, word))
            return word;
    for (int i = 0; i < 2; i++) {
        if (way[i].set.rate_kbit != set[i].rate_kbit)
            way[i].line_free_ns = 0;
        way[i].set = set[i];
    }
    return NULL;
}

size_t wire_describe(const struct wire_way way[2], char *out, size_t size)
{
    size_t len = 0;

    for (int i = 0; i < 2 && len < size; i++) {
        const struct wire_counts *c = &way[i].count;

        len += (size_t)snprintf(out + len, size - len,
                                "%s received %llu sent %llu lost %llu overflowed %llu unwritten %llu "
                                "held_bytes %llu late_max_us %lld\n",
                                i == 0 ? "ab" : "ba", (unsigned long long)c->received,
                                (unsigned long long)c->sent, (unsigned long long)c->lost,
                                (unsigned long long)c->overflowed, (unsigned long long)c->unwritten,
                                (unsigned long long)way[i].held_bytes,
                                (long long)(c->late_max_ns / 1000));
    }
    return len < size ? len : size - 1;
}
