/* How it works: one queue on /dev/net/tun, one packet for each read and write, no
 * packet information header. The interface lives as long as the descriptor, also when
 * it is moved to another network namespace; when somebody deletes it, reads and writes
 * answer EBADFD (Documentation/networking/tuntap.rst, drivers/net/tun.c).
 *
 * A TUN never tells a sender to wait: what does not fit its queue is lost. Where the sender and we
 * share a processor, the queue has to hold what is sent until it is our turn. */
#include "tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int set_mtu_and_queue(const char *ifname, uint16_t mtu)
{
    struct ifreq ifr;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int err = 0;

    if (fd < 0)
        return -errno;
    memset(&ifr, 0, sizeof ifr);
    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", ifname);
    ifr.ifr_mtu = mtu;
    if (ioctl(fd, SIOCSIFMTU, &ifr))
        err = -errno;
    ifr.ifr_qlen = TUN_QUEUE_LEN;
    if (!err && ioctl(fd, SIOCSIFTXQLEN, &ifr))
        err = -errno;
    close(fd);
    return err;
}

int tun_open_as(struct tun *t, const char *ifname, uint16_t mtu, short flags)
{
    struct ifreq ifr;
    int fd, err;

    memset(&ifr, 0, sizeof ifr);
    if (strlen(ifname) >= sizeof ifr.ifr_name)
        return -ENAMETOOLONG;
    fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", ifname);
    ifr.ifr_flags = (short)(IFF_TUN | IFF_NO_PI | flags);
    if (ioctl(fd, TUNSETIFF, &ifr)) {
        /* EINVAL: there is an interface of this name that is no TUN. */
        err = errno == EINVAL ? -EEXIST : -errno;
        goto out;
    }
    err = set_mtu_and_queue(ifr.ifr_name, mtu);
    if (err)
        goto out;
    t->fd = fd;
    memcpy(t->ifname, ifr.ifr_name, sizeof t->ifname);
    return 0;
out:
    close(fd);
    return err;
}

int tun_open(struct tun *t, const char *ifname, uint16_t mtu)
{
    return tun_open_as(t, ifname, mtu, 0);
}

void tun_close(struct tun *t)
{
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
}

int tun_read(struct tun *t, void *buf, size_t cap)
{
    ssize_t n;

    do
        n = read(t->fd, buf, cap);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : (int)n;
}

int tun_write(struct tun *t, const void *buf, size_t len)
{
    ssize_t n;

    do
        n = write(t->fd, buf, len);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}
