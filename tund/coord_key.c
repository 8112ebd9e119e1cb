/* How it works: the key is one line in DIR/key, 44 characters of base64, as `wg
 * genkey` writes them. It is made once, on the first start, and never replaced
 * by us: every invite pins its public half, so a damaged file is an error that
 * a person must decide about and not a reason for a new key. state.c checks
 * owner and mode, and replaces files as a whole. The public address is kept in
 * DIR/url, so that `tund-coord url` needs no key and no running coordinator. */
#include "coord_key.h"

#include <errno.h>
#include <string.h>

#include "libtunnel/base/ct.h"
#include "libtunnel/base/text.h"
#include "libtunnel/crypto/crypto.h"

#include "secure.h"

#define LINE_LEN (TN_TEXT_KEY_BASE64_SIZE) /* 44 characters and the line end */

/* A key that X25519 can use, and whose public half is not that of everybody's zero. */
static int decode(const char *line, size_t len, uint8_t priv[32])
{
    uint8_t key[32];
    int err = -EBADMSG;

    if (len == LINE_LEN && line[len - 1] == '\n')
        len--;
    if (tn_text_key_from_base64(key, line, len))
        goto out;
    if (tn_ct_is_zero(key, sizeof(key)))
        goto out;
    memcpy(priv, key, sizeof(key));
    err = 0;
out:
    tn_wipe(key, sizeof(key));
    return err;
}

static int make(struct state *s, uint8_t priv[32], struct why *w)
{
    char line[LINE_LEN];
    uint8_t key[32];
    int err = secure_random(key, sizeof(key));

    if (err) {
        (void)why_set(w, err, "the system gives no random numbers for a key: %s", strerror(-err));
        goto out;
    }
    tn_x25519_clamp(key);
    tn_text_key_to_base64(line, key);
    line[LINE_LEN - 1] = '\n';
    err = state_write(s, COORD_KEY_FILE, line, sizeof(line), w);
    if (err)
        goto out;
    memcpy(priv, key, sizeof(key));
out:
    tn_wipe(key, sizeof(key));
    tn_wipe(line, sizeof(line));
    return err;
}

int coord_key_load(struct state *s, uint8_t priv[32], bool *made, struct why *w)
{
    char line[LINE_LEN + 1];
    size_t len;
    int err;

    if (!state_has(s, COORD_KEY_FILE)) {
        err = make(s, priv, w);
        if (!err)
            *made = true;
        return err;
    }
    err = state_read(s, COORD_KEY_FILE, line, sizeof(line), &len, w);
    if (!err) {
        err = decode(line, len, priv);
        if (err)
            (void)why_set(w, err, "%s/%s is not a key (44 characters of base64). Invites pin this "
                          "key: restore it from a backup; only if there is none, remove it and "
                          "invite every member anew", s->dir, COORD_KEY_FILE);
        else
            *made = false;
    }
    tn_wipe(line, sizeof(line));
    return err;
}

int coord_url_save(struct state *s, const char *url, struct why *w)
{
    char line[TN_URL_SIZE + 1], old[TN_URL_SIZE + 1];
    size_t len = strlen(url), old_len;

    if (len >= TN_URL_SIZE)
        return why_set(w, -EINVAL, "the address is too long");
    memcpy(line, url, len);
    line[len++] = '\n';
    if (state_has(s, COORD_URL_FILE) &&
        state_read(s, COORD_URL_FILE, old, sizeof(old), &old_len, NULL) == 0 && old_len == len &&
        memcmp(old, line, len) == 0)
        return 0;
    return state_write(s, COORD_URL_FILE, line, len, w);
}

int coord_url_load(struct state *s, char url[TN_URL_SIZE], struct why *w)
{
    char line[TN_URL_SIZE + 1];
    struct tn_url parsed;
    size_t len;
    int err;

    if (!state_has(s, COORD_URL_FILE))
        return why_set(w, -ENOENT, "no coordinator has run with %s yet: start it with `tund-coord "
                       "run --state %s --listen ADDR`", s->dir, s->dir);
    err = state_read(s, COORD_URL_FILE, line, sizeof(line), &len, w);
    if (err)
        return err;
    if (len == 0 || len > TN_URL_SIZE || line[len - 1] != '\n' ||
        tn_url_decode(&parsed, line, len - 1))
        return why_set(w, -EBADMSG, "%s/%s is damaged: start the coordinator again, which writes "
                       "it anew", s->dir, COORD_URL_FILE);
    memcpy(url, line, len - 1);
    url[len - 1] = '\0';
    return 0;
}
