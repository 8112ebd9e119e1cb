/* What comes out of the child's pipe, and the addresses that a router names: fed anything. What is
 * taken is written again as it was. First byte: an address or an answer. */
#include <stdlib.h>
#include <string.h>

#include "tund/gateway/igdmsg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(int ok)
{
    if (!ok)
        abort();
}

static void url(const uint8_t *data, size_t len)
{
    const uint8_t ip[4] = {192, 168, 1, 1};
    struct tn_addr gateway = tn_addr_v4(ip, 0);
    const uint8_t ip6[16] = {0xfe, 0x80, [15] = 1};
    struct tn_addr gateway6 = tn_addr_v6(ip6, 0);
    char *text = malloc(len + 1), clean[IGD_DESCRIPTION_SIZE], at[IGD_LOCATION_SIZE];

    must(text != NULL);
    memcpy(text, data, len);
    text[len] = '\0';
    if (igd_url_is_of(text, &gateway))
        must(strncmp(text, "http://192.168.1.1", 18) == 0 && (text[18] == '/' || text[18] == ':'));
    if (igd_url_at(at, text, &gateway6))
        must(strlen(at) < sizeof at && strncmp(at, "http://[fe80::1]", 16) == 0 && igd_url_is_of(at, &gateway6));
    igdmsg_clean(clean, sizeof clean, text);
    must(strlen(clean) < sizeof clean);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct igd_answer a;
    static uint8_t again[IGD_ANSWER_MAX];
    size_t again_len;

    if (len == 0)
        return 0;
    if (data[0] == 'h') {
        url(data, len);
    } else if (igdmsg_decode(&a, data, len) == 0) {
        must(igdmsg_encode(&a, again, sizeof again, &again_len) == 0);
        must(again_len == len && memcmp(again, data, len) == 0);
    }
    return 0;
}
