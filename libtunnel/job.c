/* The middle of a packet's walk: what any thread may do. */
#include "job.h"

#include "wg/session.h"

void tn_job_run(struct tn_job *job)
{
    if (!job->session)
        return; /* it was done with the plan */
    if (job->opens)
        job->err = tn_session_open(job->session, job->msg, job->len);
    else
        tn_session_seal(job->session, job->counter, job->msg, job->len);
}
