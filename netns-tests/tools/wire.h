/* wire's inside. A wire has two ways, "ab" and "ba"; each is a pure model that
 * is told the time and holds frames until they are due. */
#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No frame is due. */
#define WIRE_NEVER INT64_MAX
/* A way never holds more than this, whatever its delay; more is dropped. */
#define WIRE_HELD_MAX_BYTES (64u << 20)

/* What may be changed while the wire runs. All 0 but queue_bytes: a plain cable. */
struct wire_settings {
    double delay_ms;
    double jitter_ms;   /* delay varies evenly by plus or minus this; order is kept */
    double loss_pct;
    double reorder_pct; /* frames that overtake all others */
    double rate_kbit;   /* 0: no limit */
    double queue_bytes; /* how much may wait for the rate; more is dropped */
    double cut;         /* not 0: nothing passes */
};

struct wire_counts {
    uint64_t received, sent, lost, overflowed, unwritten;
    int64_t late_max_ns; /* the worst delay beyond the wanted one */
};

struct wire_frame {
    struct wire_frame *next;
    int64_t due_ns;
    uint32_t len;
    uint8_t data[];
};

struct wire_way {
    struct wire_settings set;
    struct wire_counts count;
    uint64_t random_state;
    int64_t line_free_ns; /* when the rate limit lets the next frame start */
    int64_t last_due_ns;
    struct wire_frame *first, *last;
    uint64_t held_bytes;
};

/* --- wire_way.c: no clock, no descriptors --- */
/* The same seed and the same frames at the same times give the same fate. */
void wire_way_init(struct wire_way *w, uint64_t seed);
void wire_way_wipe(struct wire_way *w);
/* Takes a copy of the frame, or drops it, and counts which. */
void wire_way_push(struct wire_way *w, const uint8_t *data, uint32_t len, int64_t now_ns);
/* Removes the first frame that is due, NULL when there is none. The caller frees it. */
struct wire_frame *wire_way_pop(struct wire_way *w, int64_t now_ns);
/* When the next frame is due, or WIRE_NEVER. */
int64_t wire_way_next_ns(const struct wire_way *w);

/* Applies words such as "delay=10 ab.loss=5" to both ways. Returns NULL, or the
 * first word that is wrong, and then changes nothing. Cuts words apart in place. */
const char *wire_apply(struct wire_way way[2], char *words);
/* Writes the counts as two lines of text; returns its length. */
size_t wire_describe(const struct wire_way way[2], char *out, size_t size);

/* --- wire_tap.c --- */
/* Makes and raises the TAP of "NETNS:INTERFACE" and returns its descriptor,
 * non-blocking. Does not return on failure. */
int wire_tap_open(const char *spec);

/* --- wire_control.c --- */
/* Binds the control socket; does not return on failure. */
int wire_control_open(const char *path);
/* Answers the one request that waits: settings, "stats" or "zero". */
void wire_control_serve(int fd, struct wire_way way[2]);

#endif
