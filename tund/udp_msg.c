/* How it works: shared by the two ways to send and receive, datagram by datagram (udp.c) and in
 * trains (fast/). Ancillary data is appended by hand, since CMSG_NXTHDR wants memory that
 * was zeroed and of full length before. */
#include "udp_msg.h"

#include <netinet/ip.h>
#include <string.h>

socklen_t udp_to_sockaddr(const struct tn_addr *a, bool v4, union udp_sockaddr *out)
{
    memset(out, 0, sizeof *out);
    if (v4) {
        out->in.sin_family = AF_INET;
        out->in.sin_port = htons(a->port);
        memcpy(&out->in.sin_addr, a->ip + 12, 4);
        return sizeof out->in;
    }
    out->in6.sin6_family = AF_INET6;
    out->in6.sin6_port = htons(a->port);
    memcpy(&out->in6.sin6_addr, a->ip, 16);
    return sizeof out->in6;
}

struct tn_addr udp_from_sockaddr(const union udp_sockaddr *sa)
{
    if (sa->sa.sa_family == AF_INET)
        return tn_addr_v4((const uint8_t *)&sa->in.sin_addr, ntohs(sa->in.sin_port));
    return tn_addr_v6((const uint8_t *)&sa->in6.sin6_addr, ntohs(sa->in6.sin6_port));
}

void udp_local_from_control(struct msghdr *m, struct udp_source *from)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof info);
            from->local = tn_addr_v4((const uint8_t *)&info.ipi_spec_dst, from->local.port);
            from->ifindex = (uint32_t)info.ipi_ifindex;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof info);
            if (!IN6_IS_ADDR_MULTICAST(&info.ipi6_addr))
                from->local = tn_addr_v6((const uint8_t *)&info.ipi6_addr, from->local.port);
            from->ifindex = info.ipi6_ifindex;
        }
    }
}

void udp_add_control(struct msghdr *m, size_t cap, int level, int type, const void *data, size_t len)
{
    struct cmsghdr *c = (struct cmsghdr *)((char *)m->msg_control + m->msg_controllen);

    if (m->msg_controllen + CMSG_SPACE(len) > cap)
        return;
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(len);
    memcpy(CMSG_DATA(c), data, len);
    m->msg_controllen += CMSG_SPACE(len);
}

static void add_ttl(struct msghdr *m, size_t cap, bool v4, uint8_t ttl)
{
    int value = ttl;

    udp_add_control(m, cap, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TTL : IPV6_HOPLIMIT, &value,
                    sizeof value);
}

static void add_local(struct msghdr *m, size_t cap, bool v4, const struct tn_addr *local)
{
    struct in_pktinfo info4 = {0};
    struct in6_pktinfo info6 = {0};

    if (v4) {
        memcpy(&info4.ipi_spec_dst, local->ip + 12, 4);
        udp_add_control(m, cap, IPPROTO_IP, IP_PKTINFO, &info4, sizeof info4);
    } else {
        memcpy(&info6.ipi6_addr, local->ip, 16);
        udp_add_control(m, cap, IPPROTO_IPV6, IPV6_PKTINFO, &info6, sizeof info6);
    }
}

void udp_add_way(struct msghdr *m, size_t cap, bool v4, uint8_t ttl, const struct tn_addr *local)
{
    if (ttl)
        add_ttl(m, cap, v4, ttl);
    if (local && !tn_addr_is_zero(local) && tn_addr_is_v4(local) == v4)
        add_local(m, cap, v4, local);
}
