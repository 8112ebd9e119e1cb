/* A file that replaces another is written beside it and renamed over it, so whoever builds
 * meanwhile gets the old one or the new one whole. */
#include "tundctl_device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

#define CONFIG_NEW DEVICE_CONFIG_NAME ".new"

static int open_file(struct device_out *o)
{
    const char *name = o->replaces ? CONFIG_NEW : DEVICE_CONFIG_NAME;

    if (o->replaces && unlinkat(o->dir_fd, CONFIG_NEW, 0) < 0 && errno != ENOENT)
        return -errno; /* what an earlier attempt has left */
    o->fd = openat(o->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return o->fd < 0 ? -errno : 0;
}

int device_out_open(struct device_out *o, const char *dir, bool force, struct why *w)
{
    int err;

    *o = DEVICE_OUT_NONE;
    o->replaces = force;
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return why_set(w, -errno, "cannot make the directory %s: %s", dir, strerror(errno));
    o->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (o->dir_fd < 0)
        return why_set(w, -errno, "cannot open the directory %s: %s", dir, strerror(errno));
    err = open_file(o);
    if (!err)
        return 0;
    close(o->dir_fd);
    *o = DEVICE_OUT_NONE;
    if (err == -EEXIST)
        return why_set(w, err, "%s/" DEVICE_CONFIG_NAME " is there already; --force replaces it, "
                       "and its invite", dir);
    return why_set(w, err, "cannot make %s/" DEVICE_CONFIG_NAME ": %s", dir, strerror(-err));
}

int device_out_close(struct device_out *o, const char *dir, int err, struct why *w)
{
    const char *name = o->replaces ? CONFIG_NEW : DEVICE_CONFIG_NAME;

    if (o->fd < 0)
        return err;
    if (!err && fsync(o->fd) < 0)
        err = why_set(w, -errno, "cannot write %s/%s: %s", dir, name, strerror(errno));
    if (close(o->fd) < 0 && !err)
        err = why_set(w, -errno, "cannot write %s/%s: %s", dir, name, strerror(errno));
    if (!err && o->replaces && renameat(o->dir_fd, CONFIG_NEW, o->dir_fd, DEVICE_CONFIG_NAME) < 0)
        err = why_set(w, -errno, "cannot replace %s/" DEVICE_CONFIG_NAME ": %s", dir, strerror(errno));
    if (err && unlinkat(o->dir_fd, name, 0) < 0)
        log_warn("%s/%s stays, and is not whole: %s", dir, name, strerror(errno));
    close(o->dir_fd);
    *o = DEVICE_OUT_NONE;
    return err;
}

size_t device_config_text(char out[DEVICE_CONFIG_SIZE], const struct tn_cert *cert,
                          const char *invite, const char *until, uint32_t budget)
{
    struct tn_addr a4 = tn_cert_address4(cert);
    char address[ADDR_TEXT_LEN], line[96] = "";

    if (budget)
        snprintf(line, sizeof line, "#define TUND_BUDGET %uu /* bytes a day, with all headers */\n", (unsigned)budget);
    return (size_t)snprintf(out, DEVICE_CONFIG_SIZE,
                            "/* Device %s of network %s, %s. Made by: tundctl invite --device %s\n"
                            " *\n"
                            " * The invite below is good once, until %s. Whoever has this\n"
                            " * file can join in the device's place: keep it to yourself, and out of every\n"
                            " * repository. The device needs it for its first start only. */\n"
                            "#ifndef TUND_CONFIG_H\n"
                            "#define TUND_CONFIG_H\n"
                            "\n"
                            "#define TUND_DEVICE_NAME \"%s\"\n"
                            "#define TUND_INVITE \\\n"
                            "    \"%s\"\n"
                            "%s"
                            "\n"
                            "#endif\n",
                            cert->name, cert->network, addr_ip_text(&a4, address), cert->name, until,
                            cert->name, invite, line);
}
