#include "state_paths.h"

#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "libtunnel/path/mode.h"

#define FILE_NAME "paths"
#define VERSION 1
#define HEX_LEN 64

static uint32_t find(const struct state_paths *p, const uint8_t identity[32])
{
    uint32_t i = 0;

    while (i < p->count && memcmp(p->row[i].identity, identity, 32) != 0)
        i++;
    return i;
}

uint8_t state_paths_find(const struct state_paths *p, const uint8_t identity[32])
{
    uint32_t i = find(p, identity);

    return i < p->count ? p->row[i].mode : TN_MODE_AUTO;
}

bool state_paths_put(struct state_paths *p, const uint8_t identity[32], uint8_t mode)
{
    uint32_t i = find(p, identity);

    if (mode == TN_MODE_AUTO) {
        if (i < p->count)
            p->row[i] = p->row[--p->count];
        return true;
    }
    if (i == STATE_PATHS_MAX)
        return false;
    if (i == p->count)
        p->count++;
    memcpy(p->row[i].identity, identity, 32);
    p->row[i].mode = mode;
    return true;
}

bool state_paths_parse_mode(const char *text, uint8_t *mode)
{
    for (uint8_t i = 0; i < TN_MODES; i++) {
        if (strcmp(text, tn_mode_name(i)) == 0) {
            *mode = i;
            return true;
        }
    }
    return false;
}

static bool take_row(struct state_paths *p, const char *hex, const json_t *value)
{
    const char *text = json_string_value(value);
    uint8_t identity[32], mode;
    size_t len;

    if (strlen(hex) != HEX_LEN || sodium_hex2bin(identity, sizeof identity, hex, HEX_LEN, NULL, &len, NULL) != 0 ||
        len != sizeof identity)
        return false;
    return text && state_paths_parse_mode(text, &mode) && state_paths_put(p, identity, mode);
}

int state_paths_decode(struct state_paths *p, const char *text, size_t len)
{
    json_t *file = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL), *rows, *value;
    struct state_paths got = {.count = 0};
    const char *hex;
    bool is_good;

    rows = json_object_get(file, "paths");
    is_good = json_integer_value(json_object_get(file, "version")) == VERSION && json_is_object(rows);
    json_object_foreach(rows, hex, value)
        is_good = is_good && take_row(&got, hex, value);
    json_decref(file);
    if (!is_good)
        return -EBADMSG;
    *p = got;
    return 0;
}

static char *encode(const struct state_paths *p)
{
    json_t *rows = json_object(), *file;
    char hex[HEX_LEN + 1], *text;

    for (uint32_t i = 0; i < p->count; i++) {
        sodium_bin2hex(hex, sizeof hex, p->row[i].identity, sizeof p->row[i].identity);
        if (json_object_set_new(rows, hex, json_string(tn_mode_name(p->row[i].mode))) != 0) {
            json_decref(rows);
            return NULL;
        }
    }
    file = json_pack("{s:i,s:o}", "version", VERSION, "paths", rows);
    text = json_dumps(file, JSON_INDENT(1) | JSON_SORT_KEYS);
    json_decref(file);
    return text;
}

int state_save_paths(struct state *s, const struct state_paths *p, struct why *w)
{
    char *text = encode(p);
    int err;

    if (!text)
        return why_set(w, -ENOMEM, "no memory to write %s/%s", s->dir, FILE_NAME);
    err = state_write(s, FILE_NAME, text, strlen(text), w);
    free(text);
    return err;
}

int state_load_paths(struct state *s, struct state_paths *p, struct why *w)
{
    static char text[STATE_PATHS_FILE_MAX];
    size_t len;
    int err = state_read(s, FILE_NAME, text, sizeof text, &len, w);

    if (err == -ENOENT) {
        p->count = 0;
        return 0;
    }
    if (err)
        return err;
    if (state_paths_decode(p, text, len) != 0)
        return why_set(w, -EBADMSG, "%s/%s is damaged: mend or remove it", s->dir, FILE_NAME);
    return 0;
}
