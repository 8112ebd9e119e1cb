/* tund-igd locks itself up before it hears a word from the router. Nothing here is undone. */
#ifndef TUND_GATEWAY_IGD_SANDBOX_H
#define TUND_GATEWAY_IGD_SANDBOX_H

#include "igdmsg.h"

#define IGD_MEMORY_MAX (64u << 20) /* bytes of address space */
#define IGD_CPU_MAX_S 2u
#define IGD_WALL_MAX_S 6u /* the parent counts as well, and kills */

/* Descriptors above 2 but `keep` are closed; user nobody without groups or capabilities where we were
 * root; the limits above; no file, no process, no socket but TCP over the family of the job's gateway; and TCP to
 * that gateway alone. 0 or a negative errno: then nothing may be done. */
TN_MUST_CHECK int igd_sandbox_enter(int keep, const struct igd_job *job);

#endif
