/* ping: answers as they come, each with the path that it took. */
#include "tundctl.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "ctl_client.h"
#include "tundctl_show.h"

#define SIZE_DEFAULT 64u
#define COUNT_DEFAULT 5u
#define COUNT_UNTIL_DIRECT 100u
#define INTERVAL_DEFAULT_MS 1000u
#define INTERVAL_UNTIL_DIRECT_MS 100u

struct run {
    const struct args *a;
    char name[80];
    unsigned sent, received, direct;
    double min_ms, max_ms, sum_ms;
};

static json_t *make_request(const struct args *a)
{
    bool until_direct = a->given & ARG_UNTIL_DIRECT;
    uint32_t count = until_direct ? COUNT_UNTIL_DIRECT : COUNT_DEFAULT;
    uint32_t interval_ms = until_direct ? INTERVAL_UNTIL_DIRECT_MS : INTERVAL_DEFAULT_MS;

    if (a->count)
        count = a->count;
    if (a->interval_ms)
        interval_ms = a->interval_ms;
    return json_pack("{s:s,s:s,s:i,s:i,s:i,s:b}", "verb", "ping", "peer", a->word, "count", (int)count,
                     "interval_ms", (int)interval_ms, "size",
                     (int)(a->size ? a->size : SIZE_DEFAULT), "until_direct", until_direct);
}

static void on_pong(struct run *r, const json_t *m)
{
    double ms = json_number_value(json_object_get(m, "rtt_ms"));
    char path[32], endpoint[64];

    r->min_ms = r->received == 0 || ms < r->min_ms ? ms : r->min_ms;
    r->max_ms = ms > r->max_ms ? ms : r->max_ms;
    r->sum_ms += ms;
    r->received++;
    show_text(m, "path", path, sizeof(path));
    r->direct += strcmp(path, "direct") == 0;
    if (r->a->given & ARG_JSON)
        return;
    printf("%d bytes from %s: seq=%lld path=%s via %s time=%.2f ms\n",
           (int)json_integer_value(json_object_get(m, "size")), r->name,
           (long long)json_integer_value(json_object_get(m, "seq")), path,
           show_text(m, "endpoint", endpoint, sizeof(endpoint)), ms);
}

static void on_path(const struct run *r, const json_t *m)
{
    char path[32], endpoint[64];

    if (r->a->given & ARG_JSON)
        return;
    show_text(m, "path", path, sizeof(path));
    if (strcmp(path, "direct") == 0)
        printf("-- direct now, %s, %.0f ms after this ping began\n",
               show_text(m, "endpoint", endpoint, sizeof(endpoint)),
               json_number_value(json_object_get(m, "at_ms")));
    else
        printf("-- path is %s now\n", path);
}

static void on_event(struct run *r, const json_t *m)
{
    const char *event = json_string_value(json_object_get(m, "event"));
    bool json = r->a->given & ARG_JSON;

    if (json)
        show_json(m);
    if (!event)
        return;
    if (strcmp(event, "pong") == 0) {
        r->sent = (unsigned)json_integer_value(json_object_get(m, "seq"));
        on_pong(r, m);
    } else if (strcmp(event, "path") == 0) {
        on_path(r, m);
    } else if (strcmp(event, "lost") == 0) {
        r->sent = (unsigned)json_integer_value(json_object_get(m, "seq"));
        if (!json)
            printf("no answer to seq=%u\n", r->sent);
    } else if (strcmp(event, "begin") == 0) {
        show_text(m, "name", r->name, sizeof(r->name));
        if (!json && !json_is_true(json_object_get(m, "coordinator")))
            printf("the coordinator is not connected: only a way that is known already can answer\n");
    }
    fflush(stdout);
}

/* The answer that ends it, or -EINTR. */
static int converse(struct run *r, struct ctl_client *c, struct why *w)
{
    int err = ctl_client_send(c, make_request(r->a), w);

    while (!err) {
        json_t *m;

        err = was_interrupted() ? -EINTR : ctl_client_next(c, &m, 3600000, w);
        if (err)
            break;
        if (ctl_is_answer(m)) {
            err = ctl_check_answer(m, w);
            if (!err)
                r->sent = (unsigned)json_integer_value(json_object_get(m, "sent"));
            json_decref(m);
            return err;
        }
        on_event(r, m);
        json_decref(m);
    }
    return err;
}

static void print_sums(const struct run *r)
{
    if (!r->sent && !r->received)
        return;
    if (r->a->given & ARG_JSON) {
        json_t *m = json_pack("{s:s,s:i,s:i,s:i}", "event", "end", "sent", (int)r->sent, "received",
                              (int)r->received, "direct", (int)r->direct);

        show_json(m);
        json_decref(m);
        return;
    }
    printf("%u sent, %u answered, %u of them by a direct path", r->sent, r->received, r->direct);
    if (r->received)
        printf("; time min/avg/max %.2f/%.2f/%.2f ms", r->min_ms, r->sum_ms / r->received, r->max_ms);
    putchar('\n');
}

int tundctl_ping(const struct args *a)
{
    struct run r = {.a = a};
    struct ctl_client c;
    struct state s;
    struct why why;
    int err = state_open(&s, a->state_dir, false, &why);

    snprintf(r.name, sizeof(r.name), "%s", a->word);
    if (!err)
        err = ctl_client_open(&c, &s, &why);
    if (err) {
        state_close(&s);
        return say_error(CTL_EXIT_FAILED, "%s", why.text);
    }
    err = converse(&r, &c, &why);
    ctl_client_close(&c);
    state_close(&s);
    if (err && err != -EINTR)
        say_error(CTL_EXIT_FAILED, "%s", why.text);
    print_sums(&r);
    if (!err && !r.received)
        return say_error(CTL_EXIT_FAILED, "%s does not answer; `tundctl explain %s` tells what was tried",
                         r.name, r.name);
    if (!r.received || (err && err != -EINTR))
        return CTL_EXIT_FAILED;
    if (a->given & ARG_UNTIL_DIRECT && !r.direct)
        return CTL_EXIT_NOT_DIRECT;
    return CTL_EXIT_OK;
}
