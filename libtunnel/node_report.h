/* A device tells its peers how it is: node_report.c. */
#ifndef TN_NODE_REPORT_H
#define TN_NODE_REPORT_H

#include "node.h"
#include "path/report.h"

void tn_report_on_session(struct tn_node *n, uint32_t peer, struct tn_now now);
void tn_report_on_told(struct tn_node *n, uint32_t peer, const uint8_t *inner, size_t len, struct tn_now now);
bool tn_report_poll(struct tn_node *n, uint32_t peer, struct tn_buf *b, struct tn_now now,
                    struct tn_route *route);

#endif
