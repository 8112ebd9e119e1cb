/* The ends of the wire: TAP devices. They are opened without the virtio header,
 * so the kernel cuts large packets and fills in checksums before we read, and
 * what we hold are frames as a cable carries them. */
#include "wire.h"

#include "lab_netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* frames the kernel may keep for us while we do not run; its default of 1000 is
 * 10 ms at full speed, which a busy machine takes away now and then */
#define TAP_QUEUE_FRAMES 10000

static void raise_interface(const char *name)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq r = { 0 };

    strcpy(r.ifr_name, name);
    r.ifr_qlen = TAP_QUEUE_FRAMES;
    if (fd < 0 || ioctl(fd, SIOCSIFTXQLEN, &r) < 0 || ioctl(fd, SIOCGIFFLAGS, &r) < 0)
        lab_die(errno, "cannot set up %s", name);
    r.ifr_flags |= IFF_UP;
    if (ioctl(fd, SIOCSIFFLAGS, &r) < 0)
        lab_die(errno, "cannot raise %s", name);
    close(fd);
}

int wire_tap_open(const char *spec)
{
    const char *colon = strrchr(spec, ':');
    char netns[200];
    struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI };

    if (!colon || colon == spec || (size_t)(colon - spec) >= sizeof netns || colon[1] == '\0' ||
        strlen(colon + 1) >= sizeof r.ifr_name)
        lab_die(0, "an end of the wire reads NETNS:INTERFACE, not \"%s\"", spec);
    memcpy(netns, spec, (size_t)(colon - spec));
    netns[colon - spec] = '\0';
    strcpy(r.ifr_name, colon + 1);

    int netns_fd = lab_netns_open(netns);
    lab_netns_enter(netns_fd);
    close(netns_fd);
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        lab_die(errno, "/dev/net/tun");
    if (ioctl(fd, TUNSETIFF, &r) < 0)
        lab_die(errno, "cannot make %s in %s", r.ifr_name, netns);
    raise_interface(r.ifr_name);
    return fd;
}
